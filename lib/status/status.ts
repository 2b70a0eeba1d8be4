// What people see of the fleet, from its rows and the settings: pure, and the same for the page, its JSON and the metrics.
import { isInForce } from "../plan/control.ts";
import type { Instant } from "../plan/model.ts";
import { matches, type SettingProblem, type Settings } from "../plan/policy.ts";
import { summaryEveryMs } from "../tick/fleet.ts";
import type { FleetRow, RoundRow } from "../tick/rows.ts";
import { type ClusterSummary, emptySummary, parseSummary } from "../tick/summary.ts";
import type { Configuration } from "../tick/tick.ts";
import { lastDue } from "./schedule.ts";
import { type FleetWindows, fleetWindows, type PoolWindow, poolWindows } from "./windows.ts";

/** A row is written every `summaryEveryMs` at least while a cluster is looked at; one that is older than three of these says that it is not. */
export const staleAfterMs = 3 * summaryEveryMs;
/** A round that was due this long ago should have ended. */
export const roundLateMs = 3 * 60_000;
const dayMs = 24 * 60 * 60_000;

/** What the settings of the scheduler say. */
export interface About {
	/** Names in `CLUSTERS`, as far as they could be read. */
	readonly clusters: readonly string[];
	readonly problems: readonly SettingProblem[];
	readonly dryRun: boolean;
	/** Null: they are wrong. */
	readonly settings: Settings | null;
}

export function aboutOf({ clusters, problems, settings }: Configuration): About {
	return { clusters: clusters.map(({ name }) => name), problems, dryRun: settings?.dryRun === true, settings };
}

/** A hold of setting `HOLD`. */
export interface SettingHold {
	/** Null: the whole cluster. */
	readonly pool: string | null;
	readonly reason: string;
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
	/** Of the lease under which its row was written. */
	readonly fence: number;
	readonly windows: readonly PoolWindow[];
	readonly settingHolds: readonly SettingHold[];
	readonly done: Done;
}

/** Rebooted by us in the window that is open now; where none is, in the last 24 hours. */
export interface Done {
	readonly count: number;
	/** More of them may have ended than are remembered. */
	readonly atLeast: boolean;
}

export interface Totals {
	readonly clusters: number;
	readonly waiting: number;
	readonly held: number;
	readonly inFlight: number;
	readonly needPerson: number;
	readonly done: Done;
	readonly silent: number;
	/** Clusters that could not be looked at lately, or never were. */
	readonly notSeen: number;
}

/** The last round that ended. */
export interface LastRound extends RoundRow {
	readonly agoMs: number;
}

export interface Status {
	readonly version: 1;
	/** By the table service's clock. */
	readonly at: Instant;
	readonly problems: readonly SettingProblem[];
	readonly dryRun: boolean;
	/** Null: none has ended yet. */
	readonly round: LastRound | null;
	/** No round has ended though one was due: nothing here goes on. */
	readonly stopped: boolean;
	readonly windows: FleetWindows;
	readonly totals: Totals;
	/** What needs attention comes first. */
	readonly clusters: readonly ClusterStatus[];
	/** Keys of rows that cannot be read. */
	readonly unreadable: readonly string[];
}

export interface FleetSeen {
	readonly rows: readonly FleetRow[];
	/** Null: no round has ended yet. */
	readonly round: RoundRow | null;
	/** By the clock that the rows' instants are of. */
	readonly at: Instant;
	readonly unreadable: readonly string[];
}

export function statusOf({ rows, round, at, unreadable }: FleetSeen, about: About): Status {
	const configured = new Set(about.clusters);
	const clusterOf = (name: string, summary: ClusterSummary, fence: number) =>
		clusterStatus({ name, summary, fence, configured: configured.has(name) }, about, at);
	const seen = rows.map((row) => clusterOf(row.target.name, parseSummary(row.summary), row.fence));
	const rowNames = new Set(rows.map((row) => row.target.name));
	const neverSeen = about.clusters.filter((name) => !rowNames.has(name)).map((name) => clusterOf(name, emptySummary, 0));
	const clusters = [...seen, ...neverSeen].sort(byAttention);
	return {
		version: 1,
		at,
		problems: about.problems,
		dryRun: about.dryRun,
		round: round === null ? null : { ...round, agoMs: Math.max(0, at - round.endedAt) },
		stopped: stopped(rows, round, about, at),
		windows: fleetWindows(clusters.filter((each) => each.configured)),
		totals: totalsOf(clusters),
		clusters,
		unreadable,
	};
}

/** A scheduler that was just set up has made no round yet, and no row: nothing has stopped. */
function stopped(rows: readonly FleetRow[], round: RoundRow | null, { settings }: About, at: Instant): boolean {
	const begun = round?.endedAt ?? rows.reduce<Instant | null>((first, { writtenAt }) => (first === null || writtenAt < first ? writtenAt : first), null);
	if (begun === null || at - begun <= roundLateMs) return false;
	const due = settings === null ? at - roundLateMs : lastDue(settings.tickSchedule, at - roundLateMs);
	return due !== null && due > begun;
}

interface Row {
	readonly name: string;
	readonly summary: ClusterSummary;
	readonly fence: number;
	readonly configured: boolean;
}

function clusterStatus({ name, summary, fence, configured }: Row, { settings }: About, now: Instant): ClusterStatus {
	const { version: _, at, ...seen } = summary;
	const seenAgoMs = at === null ? null : Math.max(0, now - at);
	const watched = configured || seen.inFlight.length > 0;
	const pools = [...seen.waiting, ...seen.inFlight, ...seen.ended].flatMap(({ pool }) => (pool === null || pool === "" ? [] : [pool]));
	const windows = settings === null || !configured ? [] : poolWindows(settings, name, pools, now);
	return {
		name,
		configured,
		seenAt: at,
		seenAgoMs,
		stale: watched && (seenAgoMs === null || seenAgoMs > staleAfterMs),
		needPerson: seen.inFlight.filter((each) => each.stuck).length,
		fence,
		windows,
		settingHolds: settings === null ? [] : settingHolds(settings, name),
		done: doneOf(seen, windows, now),
		...seen,
		holds: seen.holds.filter((each) => isInForce(each, now)),
		requests: seen.requests.filter(({ until }) => now < until),
	};
}

function settingHolds({ hold }: Settings, cluster: string): readonly SettingHold[] {
	return hold.filter(({ scope }) => matches(scope.cluster, cluster)).map(({ scope, value }) => ({ pool: scope.pool, reason: value }));
}

function doneOf({ ended, endedCut }: Pick<ClusterSummary, "ended" | "endedCut">, windows: readonly PoolWindow[], now: Instant): Done {
	const sinceOf = (pool: string): Instant => {
		const window = (windows.find((each) => each.pool === pool) ?? windows.find((each) => each.pool === null))?.window;
		return (window?.open ? window.openedAt : null) ?? now - dayMs;
	};
	const count = ended.filter((each) => each.end === "done" && each.at >= sinceOf(each.pool)).length;
	const oldest = ended.at(-1);
	return { count, atLeast: endedCut && oldest !== undefined && oldest.at >= sinceOf(oldest.pool) };
}

function totalsOf(clusters: readonly ClusterStatus[]): Totals {
	const sum = (count: (cluster: ClusterStatus) => number) => clusters.reduce((total, each) => total + count(each), 0);
	// What was last seen of a cluster that is no longer ours does not count, but what we still have in flight there does.
	const ofOurs = (count: (cluster: ClusterStatus) => number) => sum((each) => (each.configured ? count(each) : 0));
	return {
		clusters: ofOurs(() => 1),
		waiting: ofOurs((each) => each.waitingCount),
		held: ofOurs((each) => each.heldCount),
		inFlight: sum((each) => each.inFlight.length),
		needPerson: sum((each) => each.needPerson),
		done: { count: sum((each) => each.done.count), atLeast: clusters.some((each) => each.done.atLeast) },
		silent: ofOurs((each) => each.silent),
		notSeen: sum((each) => (each.stale || each.failure !== null ? 1 : 0)),
	};
}

export type Attention = "needsPerson" | "notSeen" | "moves" | "waits" | "quiet" | "dropped";
const attentions: readonly Attention[] = ["needsPerson", "notSeen", "moves", "waits", "quiet", "dropped"];

/** What of a cluster catches the eye first. */
export function attentionOf(cluster: ClusterStatus): Attention {
	if (cluster.needPerson > 0) return "needsPerson";
	if (cluster.stale || cluster.failure !== null) return "notSeen";
	if (cluster.inFlight.length > 0) return "moves";
	if (!cluster.configured) return "dropped";
	const told = cluster.waitingCount > 0 || cluster.silent > 0 || cluster.reasons.length > 0 || cluster.requests.length > 0;
	return told ? "waits" : "quiet";
}

function byAttention(one: ClusterStatus, other: ClusterStatus): number {
	const rank = (cluster: ClusterStatus) => attentions.indexOf(attentionOf(cluster));
	return rank(one) - rank(other) || (one.name < other.name ? -1 : one.name > other.name ? 1 : 0);
}
