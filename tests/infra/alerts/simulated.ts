// Runs of the simulation as Azure Monitor would see them.
import { disturb } from "../../simulation/disturbances/disturb.ts";
import type { Scenario } from "../../simulation/scenario.ts";
import { Universe } from "../../simulation/universe.ts";
import { Telemetry } from "./rows.ts";

export interface Simulated {
	readonly telemetry: Telemetry;
	readonly startAt: number;
	readonly endAt: number;
}

/**
 * The weather of a scenario, without what judges it: that is for the simulation's own tests. `calm`: while nothing is to be done the timer fires
 * every four minutes, as if most firings were missed.
 */
export async function simulated(scenario: Scenario, { calm = false, prepare = (_: Universe): void => {} } = {}): Promise<Simulated> {
	const telemetry = new Telemetry();
	const universe: Universe = new Universe(scenario, {
		trace: false,
		see(change) {
			if (change.kind === "journal") telemetry.line(universe.now, change.line);
			if (change.kind === "roundEnded") telemetry.request(universe.now, { tookMs: change.tookMs });
		},
	});
	prepare(universe);
	if (calm) universe.becomeCalm();
	const { startAt, weatherMs } = scenario;
	for (const event of scenario.events) universe.calls.at(startAt + event.atMs, () => disturb(universe, event));
	await universe.calls.run(() => universe.elapsedMs >= weatherMs);
	return { telemetry, startAt, endAt: startAt + weatherMs };
}
