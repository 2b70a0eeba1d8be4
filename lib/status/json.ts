// The status for programs; docs/status.schema.json describes it. Versioned: fields are added, and the version changes when one means
// something else or goes. Instants are ISO 8601 in UTC.
import type { Instant } from "../plan/model.ts";
import { type InFlightSummary, phaseDurations } from "../tick/summary.ts";
import type { ClusterStatus, LastRound, Status } from "./status.ts";
import type { FleetWindows, PoolWindow } from "./windows.ts";

function iso(at: Instant): string {
	return new Date(at).toISOString();
}

function isoOrNull(at: Instant | null): string | null {
	return at === null ? null : iso(at);
}

function windowJson({ pool, window }: PoolWindow) {
	if (window === null) return { pool, open: false, until: null, opensAt: null, covered: false };
	return {
		pool,
		open: window.open,
		until: window.open ? isoOrNull(window.closesAt) : null,
		opensAt: window.open ? null : isoOrNull(window.opensAt),
		covered: true,
	};
}

function timelineJson(timeline: InFlightSummary["timeline"]) {
	return timeline.map(({ phase, at }) => ({ phase, at: iso(at) }));
}

function inFlightJson({ node, pool, phase, since, deadline, kernel, stuck, why, timeline }: InFlightSummary) {
	return { node, pool, phase, since: iso(since), deadline: isoOrNull(deadline), kernel, needsPerson: stuck, why, timeline: timelineJson(timeline) };
}

function endedJson({ timeline, at, ...each }: ClusterStatus["ended"][number]) {
	const phases = phaseDurations(timeline, at).map(({ phase, tookMs }) => ({ phase, seconds: tookMs / 1000 }));
	return { ...each, at: iso(at), timeline: timelineJson(timeline), phases };
}

function clusterJson(cluster: ClusterStatus) {
	const { name, configured, seenAt, stale, fence, needPerson, waiting, waitingCount, heldCount, inFlight, silent, reasons, notOwner, failure, failures } =
		cluster;
	return {
		name,
		configured,
		seenAt: isoOrNull(seenAt),
		stale,
		fence,
		reasons,
		notOwner,
		failure,
		failures,
		silentSentinels: silent,
		needPerson,
		windows: cluster.windows.map(windowJson),
		holds: [
			...cluster.holds.map(({ pool, node, reason, by, at, until }) => ({ pool, node, reason, by, at: iso(at), until: isoOrNull(until) })),
			...cluster.settingHolds.map(({ pool, reason }) => ({ pool, node: null, reason, by: "setting HOLD", at: null, until: null })),
		],
		requests: cluster.requests.map(({ node, reason, by, at, until, ignoreWindow }) => ({ node, reason, by, at: iso(at), until: iso(until), ignoreWindow })),
		waitingCount,
		heldCount,
		waiting: waiting.map((each) => ({ ...each, since: isoOrNull(each.since) })),
		inFlight: inFlight.map(inFlightJson),
		done: cluster.done,
		ended: cluster.ended.map(endedJson),
	};
}

function roundJson({ endedAt, agoMs, worker, clusters, failed, tookMs }: LastRound) {
	return { endedAt: iso(endedAt), agoSeconds: agoMs / 1000, worker, clusters, failed, tookSeconds: tookMs / 1000 };
}

function windowsJson({ open, closesAt, opensAt, opening }: FleetWindows) {
	return { open, closesAt: isoOrNull(closesAt), opensAt: isoOrNull(opensAt), opening };
}

export function renderJson({ version, at, problems, dryRun, round, stopped, windows, totals, clusters, unreadable }: Status): string {
	const last = round === null ? null : roundJson(round);
	const fleet = { version, at: iso(at), problems, dryRun, round: last, stopped, windows: windowsJson(windows), totals };
	return JSON.stringify({ ...fleet, clusters: clusters.map(clusterJson), unreadable });
}

/** What programs get when the table cannot be read. */
export function renderJsonError(why: string): string {
	return JSON.stringify({ version: 1, error: why });
}
