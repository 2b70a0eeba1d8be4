// What befalls the processes of the scheduler, their settings and their table.
import { first, second, type Universe } from "../universe.ts";
import type { SchedulerEvent } from "./events.ts";
import { writeAsBefore } from "./older-rows.ts";

export function disturbScheduler(universe: Universe, event: SchedulerEvent): void {
	const scheduler = universe.scheduler(first);
	if (scheduler === undefined) return;
	universe.trace.note(universe.now, "", `event: ${event.kind}`);
	switch (event.kind) {
		case "deployed":
			scheduler.deploy(universe.scenario.settings[event.settings] ?? universe.scenario.settings[0], event.killed);
			return;
		case "tableDeleted":
			scheduler.rows.delete(universe.now, event.forMs);
			return;
		case "secondScheduler":
			universe.addScheduler(second);
			return;
		case "rowsOfBefore":
			writeAsBefore(scheduler.rows, universe.now);
			return;
		case "workerDies":
			scheduler.die();
			return;
		case "timerTwice":
			scheduler.fire(true);
			return;
		case "timerSilent":
			scheduler.silentUntil = universe.now + event.forMs;
			return;
		case "workerStalls": {
			const process = scheduler.processes.find((each) => each.alive && each.busy);
			if (process !== undefined) scheduler.stall(process, event.forMs, event.clockStops);
			return;
		}
		default:
			event satisfies never;
	}
}
