// What is missing before nodes can be rebooted, as the app itself sees it: its identity, its network, its settings.
import type { app, HttpRequest, HttpResponseInit } from "@azure/functions";
import { answerDoctor } from "../lib/doctor/answer.ts";
import { askedOf } from "./asked.ts";
import type { Scheduler } from "./scheduler.ts";

export function registerDoctor(to: Pick<typeof app, "http">, scheduler: Scheduler): void {
	to.http("doctor", { methods: ["GET"], authLevel: "function", route: "doctor", handler: (request) => doctor(scheduler, request) });
}

async function doctor(scheduler: Scheduler, request: HttpRequest): Promise<HttpResponseInit> {
	return { ...(await answerDoctor(await askedOf(request), scheduler.configuration, () => scheduler.doctorWorld)) };
}
