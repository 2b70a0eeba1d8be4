// The fleet for Prometheus, as the table has it.
import type { app, HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { answerMetrics } from "../lib/status/answer.ts";
import { aboutOf } from "../lib/status/status.ts";
import { askedOf } from "./asked.ts";
import type { Scheduler } from "./scheduler.ts";
import { fleetOf } from "./status.ts";

export function registerMetrics(to: Pick<typeof app, "http">, scheduler: Scheduler): void {
	to.http("metrics", { methods: ["GET"], authLevel: "function", route: "metrics", handler: (request, context) => metrics(scheduler, request, context) });
}

async function metrics(scheduler: Scheduler, request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
	const fleet = await fleetOf(scheduler);
	if (fleet.kind === "unreadable") context.error(`metrics: ${fleet.why}`);
	return { ...answerMetrics(await askedOf(request), fleet, aboutOf(scheduler.configuration)) };
}
