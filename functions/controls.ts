// What people ask of the scheduler: hold, release, reboot. Writes the table alone; the timer carries it out.
import type { app, HttpRequest, HttpResponseInit, InvocationContext } from "@azure/functions";
import { answerControls } from "../lib/status/controls.ts";
import { messageOf } from "../lib/tick/call-error.ts";
import { carryOut } from "../lib/tick/control.ts";
import { refused } from "../lib/tick/order.ts";
import type { World } from "../lib/tick/world.ts";
import { askedOf } from "./asked.ts";
import type { Scheduler } from "./scheduler.ts";
import { journalOf } from "./tick.ts";

export function registerControls(to: Pick<typeof app, "http">, scheduler: Scheduler): void {
	to.http("controls", { methods: ["POST"], authLevel: "function", route: "controls", handler: (request, context) => controls(scheduler, request, context) });
}

async function controls(scheduler: Scheduler, request: HttpRequest, context: InvocationContext): Promise<HttpResponseInit> {
	const answer = await answerControls(
		await askedOf(request),
		async (order) => {
			let world: World;
			try {
				world = scheduler.world;
			} catch (error) {
				return refused("unavailable", messageOf(error));
			}
			return await carryOut({ ...world, journal: journalOf(context) }, scheduler.configuration.clusters, order);
		},
		"the function key",
	);
	if (answer.status >= 500) context.error(`controls: ${answer.body}`);
	return { ...answer };
}
