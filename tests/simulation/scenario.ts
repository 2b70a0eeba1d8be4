// A world and what befalls it, as data: drawn from a seed, written by hand, or cut down to what is needed for a failure.

import type { Disturbance } from "./disturbances/events.ts";
import type { Faults, Outage } from "./faults.ts";
import type { ClusterShape } from "./universe/cluster.ts";

/** App settings. */
export type Environment = Readonly<Record<string, string>>;

export interface Scenario {
	/** A sentence: what it is about. */
	readonly name: string;
	/** From it come all draws that are not written down here: how long calls take, where pods are placed. */
	readonly seed: number;
	readonly startAt: number;
	/** How long things go wrong. After that it is calm, and everything has to come to a good end. */
	readonly weatherMs: number;
	/** How long that may take. */
	readonly calmMs: number;
	readonly inFlightEveryMs: number;
	readonly clusters: readonly ClusterShape[];
	/** Settings of the scheduler; the first are in force at the beginning. */
	readonly settings: readonly [Environment, ...Environment[]];
	readonly faults: Faults;
	readonly outages: readonly Outage[];
	readonly events: readonly Disturbance[];
	/** A process of the scheduler dies at its nth port call, before or after it was applied. */
	readonly crashes?: readonly { readonly call: number; readonly when: "before" | "after" }[];
}
