// What all checkers share: they see every change of the universe, judge it by the universe alone, and say what was wrong.
import { leaseMs } from "../../../lib/tick/lease.ts";
import { partitionOf } from "../../../lib/tick/rows.ts";
import type { Change } from "../changes.ts";
import type { SchedulerProcess } from "../processes.ts";
import type { Environment } from "../scenario.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { Universe } from "../universe.ts";

export interface Checker {
	/** What the change breaks; null: nothing. */
	see(change: Change): string | null;
}

/**
 * Whether an act is that of a worker whose lease has passed on, or was under way for long: the design allows it to come about (S6), if it is void,
 * or harmless and healed by the next look.
 */
export function outOfTime(universe: Universe, change: { readonly by: SchedulerProcess; readonly late: boolean }, cluster: Cluster): boolean {
	if (change.late || !change.by.alive || change.by.stalledUntil > universe.now) return true;
	const lease = universe.scheduler(change.by.us)?.rows.lease(partitionOf(cluster.name)) ?? null;
	return lease === null || lease.holder !== change.by.id || universe.now - lease.writtenAt >= leaseMs;
}

/** Settings (those that can be read) of the scheduler that were in force at some time since an instant. */
export function settingsSince(universe: Universe, us: string, since: number): readonly Environment[] {
	const all = universe.scheduler(us)?.configurations ?? [];
	return all.flatMap(({ environment, configuration }, i) => {
		const next = all[i + 1];
		// A process of before goes on with its own to the end of its round.
		const until = next === undefined ? Number.POSITIVE_INFINITY : next.since + overlapMs;
		return until > since && configuration.settings !== null ? [environment] : [];
	});
}

/** How long a process may go on with settings that were replaced: a round, and the standing still of its process. */
const overlapMs = 7 * 60_000;

/** A node got our mark, and with it lost its place in service. */
export function isTaken({ before, node }: Extract<Change, { kind: "nodePatched" }>): boolean {
	return before.facts.mark.kind === "none" && node.facts.mark.kind === "mark";
}

/** One look with all that follows from it. */
export const lookMs = 60_000;

/** What somebody asked for by hand, where a reboot that began at `since` may have begun for it (a cordon may take its time). */
export function requestFor({ requested }: ApiNode, bootId: string, since: number): ApiNode["requested"] {
	if (requested === null || requested.bootId !== bootId) return null;
	return since >= requested.at - lookMs && since < requested.until + begunMs ? requested : null;
}

/** How long before a cordon it may have been decided: BEFORE_DRAIN, and the time that a cordon may take, come in between. */
export const begunMs = 5 * 60_000;
