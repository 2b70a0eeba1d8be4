// An HTTP request for the status, and its answer; who serves it (the function app, the local web server) adds nothing.
import type { Instant } from "../plan/model.ts";
import { type FleetRow, fleetOf, fleetPartition } from "../tick/rows.ts";
import type { Table } from "../tick/world.ts";
import { renderHtml, renderHtmlError } from "./html.ts";
import { renderJson, renderJsonError } from "./json.ts";
import { type About, statusOf } from "./status.ts";
import { contentSecurityPolicy } from "./style.ts";

export interface StatusRequest {
	/** Header `Accept`. */
	readonly accept: string | null;
	/** `?format=`: `json` or `html`; what it says goes before the header. */
	readonly format: string | null;
}

export interface StatusAnswer {
	readonly status: 200 | 400 | 503;
	readonly headers: Record<string, string>;
	readonly body: string;
}

export type FleetRead =
	| { readonly kind: "read"; readonly rows: readonly FleetRow[]; readonly at: Instant; readonly unreadable: readonly string[] }
	| { readonly kind: "unreadable"; readonly why: string };

/**
 * The rows of partition `fleet`, and the service's clock.
 *
 * @throws CallError
 */
export async function readStatusRows(table: Table): Promise<Extract<FleetRead, { kind: "read" }>> {
	const { rows, at } = await table.query(fleetPartition);
	const read = rows.map((row) => ({ key: row.key, fleetRow: fleetOf(row) }));
	return {
		kind: "read",
		at,
		rows: read.flatMap(({ fleetRow }) => (fleetRow === null ? [] : [fleetRow])),
		unreadable: read.flatMap(({ key, fleetRow }) => (fleetRow === null ? [key] : [])),
	};
}

export function answerStatus(request: StatusRequest, fleet: FleetRead, about: About): StatusAnswer {
	const format = formatOf(request);
	if (format === null) return answer(400, "html", renderHtmlError(`format=${request.format}: expected json or html`));
	if (fleet.kind === "unreadable") {
		const problems = about.problems.map(({ setting, part, expected }) => `; ${setting}: ${JSON.stringify(part)}, expected ${expected}`).join("");
		const why = `The state table cannot be read, so nothing is known of the fleet: ${fleet.why}${problems}`;
		return answer(503, format, format === "json" ? renderJsonError(why) : renderHtmlError(why));
	}
	const status = statusOf(fleet.rows, fleet.at, about, fleet.unreadable);
	return answer(200, format, format === "json" ? renderJson(status) : renderHtml(status));
}

function answer(status: StatusAnswer["status"], format: "json" | "html", body: string): StatusAnswer {
	const headers = {
		"content-type": format === "json" ? "application/json; charset=utf-8" : "text/html; charset=utf-8",
		"cache-control": "no-store",
		"content-security-policy": contentSecurityPolicy,
		"x-content-type-options": "nosniff",
		// The address may carry the function's key.
		"referrer-policy": "no-referrer",
		vary: "Accept",
		...(status === 503 ? { "retry-after": "30" } : {}),
	};
	return { status, headers, body };
}

/** Null: `format` is none that there is. */
function formatOf({ accept, format }: StatusRequest): "json" | "html" | null {
	if (format !== null) return format === "json" || format === "html" ? format : null;
	return prefersJson(accept ?? "") ? "json" : "html";
}

/** The media range that is wanted most decides; among equals the one that is named first. People, and whoever does not care, get the page. */
function prefersJson(accept: string): boolean {
	const ranges = accept.split(",").map((range) => {
		const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
		const quality = Number(parameters.find((each) => each.startsWith("q="))?.slice(2) ?? "1");
		return { type, quality: Number.isNaN(quality) ? 0 : quality };
	});
	const known = ranges.filter(({ type, quality }) => quality > 0 && ["application/json", "text/html", "application/xhtml+xml", "*/*", "text/*"].includes(type));
	const wanted = known.sort((one, other) => other.quality - one.quality)[0];
	return wanted?.type === "application/json";
}
