// Rows of partition `fleet` as the page meets them, one function per state.
import type { FleetRow } from "../../lib/tick/rows.ts";
import { type ClusterSummary, emptySummary, type InFlightSummary, type WaitingSummary } from "../../lib/tick/summary.ts";

export const now = Date.parse("2026-11-24T12:00:00Z");
const minuteMs = 60_000;

export function minutesAgo(minutes: number): number {
	return now - minutes * minuteMs;
}

export function rowOf(name: string, summary: Partial<ClusterSummary>, inFlight = false): FleetRow {
	return {
		target: { name, kind: "kubeconfig", context: name },
		fence: 1,
		inFlight,
		connection: { server: "https://server-of-the-cluster.example", caData: "Y2E=" },
		writtenAt: now,
		summary: JSON.stringify({ ...emptySummary, at: minutesAgo(1), ...summary }),
		clusterUid: `uid-of-${name}`,
		etag: "etag",
	};
}

export function waitingNode(node: string, over: Partial<WaitingSummary> = {}): WaitingSummary {
	const why = "its window is closed and opens at 2026-11-28T02:00:00Z";
	const packages = ["linux-image-azure", "libc6"];
	return { node, pool: "work", since: minutesAgo(600), kernel: "5.15.0-1081-azure", packages, reasons: ["windowClosed"], why, ...over };
}

export function drainingNode(node: string, over: Partial<InFlightSummary> = {}): InFlightSummary {
	const since = minutesAgo(3);
	const why = "pod default/db-0 is kept by budget db: no disruption is allowed";
	const timeline = [{ phase: "cordoning" as const, at: minutesAgo(4) }];
	return { node, pool: "work", phase: "draining", since, deadline: now + 27 * minuteMs, kernel: "5.15.0-1081-azure", stuck: false, why, timeline, ...over };
}

export function idleCluster(name: string): FleetRow {
	return rowOf(name, {});
}

export function waitingCluster(name: string): FleetRow {
	return rowOf(name, { waiting: [waitingNode(`${name}-1`)], waitingCount: 1 });
}

export function drainingCluster(name: string): FleetRow {
	const waiting = [waitingNode(`${name}-2`, { why: `the cluster has room for 1 (MAX_CONCURRENT), taken by ${name}-1`, reasons: ["clusterFull"] })];
	return rowOf(name, { inFlight: [drainingNode(`${name}-1`)], waiting, waitingCount: 1 }, true);
}

export function stuckCluster(name: string): FleetRow {
	const why = "not Ready 15 min after the reboot was asked for";
	return rowOf(name, { inFlight: [drainingNode(`${name}-1`, { phase: "stuck", stuck: true, deadline: null, why })] }, true);
}

export function unreachableCluster(name: string): FleetRow {
	return rowOf(name, { at: minutesAgo(42), waiting: [waitingNode(`${name}-1`)], waitingCount: 1 });
}

export function finishedCluster(name: string): FleetRow {
	const ended = { node: `${name}-1`, end: "done" as const, at: minutesAgo(20), why: "in service again" };
	return rowOf(name, { ended: [{ ...ended, kernelBefore: "5.15.0-1081-azure", kernelAfter: "5.15.0-1082-azure" }] });
}

/** Everything that a person outside may have written in a cluster says what no page should say. */
export function hostileCluster(name: string): FleetRow {
	const attack = `"><script>alert('x')</script><img src=x onerror=alert(1)>&`;
	return rowOf(
		name,
		{
			waiting: [waitingNode(attack, { pool: attack, packages: [attack], kernel: attack, why: attack })],
			waitingCount: 1,
			inFlight: [drainingNode(attack, { pool: attack, why: attack, kernel: attack })],
			reasons: [attack],
			failure: attack,
			ended: [{ node: attack, end: "gaveUp", at: minutesAgo(9), why: attack, kernelBefore: attack, kernelAfter: attack }],
		},
		true,
	);
}
