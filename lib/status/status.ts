// What people see of the fleet, from its rows and the settings: pure, and the same for the page, its JSON and whatever is added to them.
import type { Instant } from "../plan/model.ts";
import type { SettingProblem } from "../plan/policy.ts";
import { summaryEveryMs } from "../tick/fleet.ts";
import type { FleetRow } from "../tick/rows.ts";
import { type ClusterSummary, emptySummary, parseSummary } from "../tick/summary.ts";

/** A row is written every `summaryEveryMs` at least while a cluster is looked at; one that is older than three of these says that it is not. */
export const staleAfterMs = 3 * summaryEveryMs;

/** What the settings of the scheduler say. */
export interface About {
	/** Names in `CLUSTERS`, as far as they could be read. */
	readonly clusters: readonly string[];
	readonly problems: readonly SettingProblem[];
	readonly dryRun: boolean;
}

export interface ClusterStatus extends Omit<ClusterSummary, "version" | "at"> {
	readonly name: string;
	/** False: it was dropped from `CLUSTERS`; its reboots are brought to an end. */
	readonly configured: boolean;
	/** When it was as is said here; null: it was never looked at with success. */
	readonly seenAt: Instant | null;
	readonly seenAgoMs: number | null;
	/** It should have been looked at since. */
	readonly stale: boolean;
	/** Reboots in flight that need a person. */
	readonly needPerson: number;
}

export interface Totals {
	readonly clusters: number;
	readonly waiting: number;
	readonly inFlight: number;
	readonly needPerson: number;
	readonly silent: number;
	/** Clusters that could not be looked at lately, or never were. */
	readonly notSeen: number;
}

export interface Status {
	readonly version: 1;
	/** By the table service's clock. */
	readonly at: Instant;
	readonly problems: readonly SettingProblem[];
	readonly dryRun: boolean;
	readonly totals: Totals;
	/** What needs attention comes first. */
	readonly clusters: readonly ClusterStatus[];
	/** Keys of rows that cannot be read. */
	readonly unreadable: readonly string[];
}

/** `now`: by the clock that the rows' instants are of. */
export function statusOf(rows: readonly FleetRow[], now: Instant, about: About, unreadable: readonly string[] = []): Status {
	const configured = new Set(about.clusters);
	const seen = rows.map((row) => clusterOf(row.target.name, parseSummary(row.summary), configured.has(row.target.name), now));
	const rowNames = new Set(rows.map((row) => row.target.name));
	const neverSeen = about.clusters.filter((name) => !rowNames.has(name)).map((name) => clusterOf(name, emptySummary, true, now));
	const clusters = [...seen, ...neverSeen].sort(byAttention);
	return { version: 1, at: now, problems: about.problems, dryRun: about.dryRun, totals: totalsOf(clusters), clusters, unreadable };
}

function clusterOf(name: string, summary: ClusterSummary, configured: boolean, now: Instant): ClusterStatus {
	// A row of another release may lack what was added since.
	const { version: _, at, ...seen } = { ...emptySummary, ...summary };
	const seenAgoMs = at === null ? null : Math.max(0, now - at);
	const watched = configured || seen.inFlight.length > 0;
	return {
		name,
		configured,
		seenAt: at,
		seenAgoMs,
		stale: watched && (seenAgoMs === null || seenAgoMs > staleAfterMs),
		needPerson: seen.inFlight.filter((each) => each.stuck).length,
		...seen,
	};
}

function totalsOf(clusters: readonly ClusterStatus[]): Totals {
	const sum = (count: (cluster: ClusterStatus) => number) => clusters.reduce((total, each) => total + count(each), 0);
	// What was last seen of a cluster that is no longer ours does not count, but what we still have in flight there does.
	return {
		clusters: sum((each) => (each.configured ? 1 : 0)),
		waiting: sum((each) => (each.configured ? each.waitingCount : 0)),
		inFlight: sum((each) => each.inFlight.length),
		needPerson: sum((each) => each.needPerson),
		silent: sum((each) => (each.configured ? each.silent : 0)),
		notSeen: sum((each) => (each.stale || each.failure !== null ? 1 : 0)),
	};
}

function attention(cluster: ClusterStatus): number {
	if (cluster.needPerson > 0) return 0;
	if (cluster.stale || cluster.failure !== null) return 1;
	if (cluster.inFlight.length > 0) return 2;
	if (!cluster.configured) return 5;
	return cluster.waitingCount > 0 || cluster.silent > 0 ? 3 : 4;
}

function byAttention(one: ClusterStatus, other: ClusterStatus): number {
	return attention(one) - attention(other) || (one.name < other.name ? -1 : one.name > other.name ? 1 : 0);
}
