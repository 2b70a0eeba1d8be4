// A server that shows one fleet after another as the function app does, and may be out of order.
import { once } from "node:events";
import { createServer } from "node:http";
import { answerStatus, type FleetRead } from "../../lib/status/answer.ts";
import type { FleetRow } from "../../lib/tick/rows.ts";
import { minutesAgo, now, settingsOf } from "../functions/fleet-rows.ts";

export function readOf(rows: readonly FleetRow[], over: Partial<Extract<FleetRead, { kind: "read" }>> = {}): FleetRead {
	const round = { endedAt: minutesAgo(0.7), worker: "worker", clusters: rows.length, failed: 0, tookMs: 12_400 };
	return { kind: "read", rows, round, at: now, unreadable: [], ...over };
}

export interface ShownFleet {
	readonly url: string;
	/** What the next answers tell. */
	fleet: FleetRead;
	/** Connections are cut instead of answered. */
	dead: boolean;
	/** Requests that were answered or cut. */
	readonly asked: () => number;
	close(): Promise<void>;
}

export async function showFleet(fleet: FleetRead): Promise<ShownFleet> {
	let asked = 0;
	const server = createServer((request, response) => {
		asked++;
		if (shown.dead) return void request.socket.destroy();
		const { searchParams } = new URL(request.url ?? "", "http://page");
		const names = shown.fleet.kind === "read" ? shown.fleet.rows.map(({ target }) => target.name) : [];
		const settings = names.length > 0 && names.every((name) => /^[\w-]+$/.test(name)) ? settingsOf(names) : null;
		const { status, headers, body } = answerStatus(
			{ method: "GET", query: searchParams, header: (name) => request.headers[name]?.toString() ?? null, body: "" },
			shown.fleet,
			{ clusters: names, problems: [], dryRun: false, settings },
		);
		response.writeHead(status, headers).end(body);
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("showing a fleet: the server has no port");
	const shown: ShownFleet = {
		url: `http://127.0.0.1:${address.port}/api/status?code=key`,
		fleet,
		dead: false,
		asked: () => asked,
		async close() {
			server.close();
			server.closeAllConnections();
			await once(server, "close");
		},
	};
	return shown;
}
