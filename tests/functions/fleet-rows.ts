// Rows of partition `fleet` as the page meets them, one function per state.
import type { Settings } from "../../lib/plan/policy.ts";
import { parseSettings } from "../../lib/settings/settings.ts";
import type { FleetRow } from "../../lib/tick/rows.ts";
import { type ClusterSummary, type EndedSummary, emptySummary, type InFlightSummary, type WaitingSummary } from "../../lib/tick/summary.ts";

export const now = Date.parse("2026-11-24T12:00:00Z");
const minuteMs = 60_000;

export function minutesAgo(minutes: number): number {
	return now - minutes * minuteMs;
}

/** Open on Tuesdays, when it is `now`, and for system pools on Saturdays. */
export function settingsOf(names: readonly string[], more: Readonly<Record<string, string>> = {}): Settings {
	const env = {
		CLUSTERS: names.map((name) => `${name}=kubeconfig:${name}`).join(";"),
		MAINTENANCE_WINDOWS: "Tue 10:00-16:00 UTC; */system=Sat 02:00-06:00 UTC",
		...more,
	};
	const parsed = parseSettings(env);
	if (!("settings" in parsed)) throw new Error(parsed.problems.map(({ part, expected }) => `${part}: ${expected}`).join("; "));
	return parsed.settings;
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
	return { node, pool: "work", since: minutesAgo(600), kernel: "5.15.0-1081-azure", packages, place: null, reasons: ["windowClosed"], why, ...over };
}

export function drainingNode(node: string, over: Partial<InFlightSummary> = {}): InFlightSummary {
	const since = minutesAgo(3);
	const why = "pod default/db-0 is kept by budget db: no disruption is allowed";
	const timeline = [{ phase: "cordoning" as const, at: minutesAgo(4) }];
	const base = { node, pool: "work", since, deadline: now + 27 * minuteMs, kernel: "5.15.0-1081-azure", stuck: false, why, timeline };
	return { ...base, phase: "draining", drainTimeoutAction: "give-up", ...over };
}

/** In service again 20 minutes ago, after 7 minutes. */
export function endedNode(node: string, over: Partial<EndedSummary> = {}): EndedSummary {
	const timeline: EndedSummary["timeline"] = [
		{ phase: "cordoning", at: minutesAgo(27) },
		{ phase: "draining", at: minutesAgo(26.9) },
		{ phase: "rebooting", at: minutesAgo(24) },
		{ phase: "rejoining", at: minutesAgo(21) },
		{ phase: "uncordoning", at: minutesAgo(20.2) },
		{ phase: "soaking", at: minutesAgo(20.1) },
	];
	const kernels = { kernelBefore: "5.15.0-1081-azure", kernelAfter: "5.15.0-1082-azure" };
	return { node, pool: "work", end: "done", at: minutesAgo(20), why: "in service again", foundCordoned: false, ...kernels, timeline, ...over };
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

/** A person holds a pool, and somebody asked for a reboot by hand. */
export function heldCluster(name: string): FleetRow {
	const why = "on hold by jo@example.org: the quarter is being closed";
	const waiting = [1, 2].map((each) => waitingNode(`${name}-${each}`, { why, reasons: ["held"] }));
	const hold = { pool: "work", node: null, reason: "the quarter is being closed", by: "jo@example.org", at: minutesAgo(90), until: now + 5 * 3_600_000 };
	const request = { node: `${name}-9`, bootId: "b", reason: "leaks memory", by: "ops", at: minutesAgo(3), until: now + 3_600_000, ignoreWindow: true };
	return rowOf(name, { waiting, waitingCount: 2, heldCount: 2, holds: [hold], requests: [request] });
}

export function unreachableCluster(name: string): FleetRow {
	return rowOf(name, { at: minutesAgo(42), waiting: [waitingNode(`${name}-1`)], waitingCount: 1 });
}

export function finishedCluster(name: string): FleetRow {
	return rowOf(name, { ended: [endedNode(`${name}-1`)] });
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
			ended: [endedNode(attack, { end: "gaveUp", why: attack, kernelBefore: attack, kernelAfter: attack })],
		},
		true,
	);
}
