// The page: the fleet as the table has it.
import type { app, HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { answerStatus, type FleetRead, readStatusRows } from "../lib/status/answer.ts";
import { CallError, messageOf } from "../lib/tick/call-error.ts";
import type { Table } from "../lib/tick/world.ts";
import type { Scheduler } from "./scheduler.ts";

export function registerStatus(to: Pick<typeof app, "http">, scheduler: Scheduler): void {
	to.http("status", { methods: ["GET"], authLevel: "function", route: "status", handler: (request, context) => status(scheduler, request, context) });
}

async function status(scheduler: Scheduler, request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
	const { clusters, problems, settings } = scheduler.configuration;
	const fleet = await read(scheduler);
	if (fleet.kind === "unreadable") context.error(`status: ${fleet.why}`);
	const about = { clusters: clusters.map(({ name }) => name), problems, dryRun: settings?.dryRun === true };
	const { status, headers, body } = answerStatus({ accept: request.headers.get("accept"), format: request.query.get("format") }, fleet, about);
	return { status, headers, body };
}

async function read(scheduler: Scheduler): Promise<FleetRead> {
	let table: Table;
	try {
		table = scheduler.table;
	} catch (error) {
		return { kind: "unreadable", why: messageOf(error) };
	}
	try {
		return await readStatusRows(table);
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		return { kind: "unreadable", why: error.message };
	}
}
