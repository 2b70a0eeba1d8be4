// An HTTP request for the status, and its answer; who serves it (the function app, the local web server) adds nothing.
import { explainProblem } from "../plan/explain.ts";
import type { Instant } from "../plan/model.ts";
import { CallError } from "../tick/call-error.ts";
import { readFleet } from "../tick/fleet.ts";
import { type FleetRow, type RoundRow, roundOf } from "../tick/rows.ts";
import type { Table } from "../tick/world.ts";
import { toldParameter, typedOf } from "./control-form.ts";
import type { Answer, Asked } from "./exchange.ts";
import { type PageOptions, renderHtml, renderHtmlError } from "./html.ts";
import { renderJson, renderJsonError } from "./json.ts";
import { renderMetrics } from "./metrics.ts";
import { contentSecurityPolicy } from "./page.ts";
import { type About, statusOf } from "./status.ts";

export type FleetRead =
	| { readonly kind: "read"; readonly rows: readonly FleetRow[]; readonly round: RoundRow | null; readonly at: Instant; readonly unreadable: readonly string[] }
	| { readonly kind: "unreadable"; readonly why: string };

/** The rows of partition `fleet`, and the service's clock. */
export async function readStatusRows(table: Table): Promise<FleetRead> {
	try {
		const { at, rows, unreadable, round } = await readFleet(table);
		return { kind: "read", at, rows: [...rows.values()], round: round === null ? null : roundOf(round), unreadable };
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		return { kind: "unreadable", why: error.message };
	}
}

/** The fleet for people and programs: HTML, or JSON by `?format=json` or header `Accept`. */
export function answerStatus(asked: Asked, fleet: FleetRead, about: About): Answer {
	const format = formatOf(asked);
	if (format === null) return answer(400, "html", renderHtmlError(`format=${asked.query.get("format")}: expected json or html`));
	if (fleet.kind === "unreadable") {
		const why = notKnown(fleet.why, about);
		return answer(503, format, format === "json" ? renderJsonError(why) : renderHtmlError(why));
	}
	const status = statusOf(fleet, about);
	if (format === "json") return answer(200, format, renderJson(status));
	const options = optionsOf(asked);
	const found = options.cluster === null || status.clusters.some(({ name }) => name === options.cluster);
	return answer(found ? 200 : 404, format, renderHtml(status, options));
}

function optionsOf({ query }: Asked): PageOptions {
	return { code: query.get("code"), cluster: query.get("cluster"), told: query.get(toldParameter), typed: typedOf(query) };
}

/** The fleet for Prometheus. While the table cannot be read the scrape fails: numbers that are not known are none. */
export function answerMetrics(asked: Asked, fleet: FleetRead, about: About): Answer {
	if (fleet.kind === "unreadable") return answer(503, "metrics", `# ${notKnown(fleet.why, about).replaceAll(/\s+/g, " ")}\n`);
	return answer(200, "metrics", renderMetrics(statusOf(fleet, about), { kured: asked.query.get("kured") === "true" }));
}

function notKnown(why: string, about: About): string {
	const problems = about.problems.map((each) => `; ${explainProblem(each)}`).join("");
	return `The state table cannot be read, so nothing is known of the fleet: ${why}${problems}`;
}

const contentTypes = {
	html: "text/html; charset=utf-8",
	json: "application/json; charset=utf-8",
	metrics: "text/plain; version=0.0.4; charset=utf-8",
} as const;

function answer(status: 200 | 400 | 404 | 503, format: keyof typeof contentTypes, body: string): Answer {
	const headers = {
		"content-type": contentTypes[format],
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
function formatOf({ query, header }: Asked): "json" | "html" | null {
	const format = query.get("format");
	if (format !== null) return format === "json" || format === "html" ? format : null;
	return prefersJson(header("accept") ?? "") ? "json" : "html";
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
