// The page: the fleet as the table has it.
import type { app, HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { answerStatus, type FleetRead, readStatusRows } from "../lib/status/answer.ts";
import { aboutOf } from "../lib/status/status.ts";
import { messageOf } from "../lib/tick/call-error.ts";
import type { Table } from "../lib/tick/world.ts";
import { askedOf } from "./asked.ts";
import type { Scheduler } from "./scheduler.ts";

export function registerStatus(to: Pick<typeof app, "http">, scheduler: Scheduler): void {
	to.http("status", { methods: ["GET"], authLevel: "function", route: "status", handler: (request, context) => status(scheduler, request, context) });
}

async function status(scheduler: Scheduler, request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
	const fleet = await fleetOf(scheduler);
	if (fleet.kind === "unreadable") context.error(`status: ${fleet.why}`);
	return { ...answerStatus(await askedOf(request), fleet, aboutOf(scheduler.configuration)) };
}

export async function fleetOf(scheduler: Scheduler): Promise<FleetRead> {
	let table: Table;
	try {
		table = scheduler.table;
	} catch (error) {
		return { kind: "unreadable", why: messageOf(error) };
	}
	return await readStatusRows(table);
}
