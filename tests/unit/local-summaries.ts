// What was seen of clusters, as the live line and the last words read it; one function per state.
import type { Phase } from "../../lib/plan/model.ts";
import { type ClusterSummary, emptySummary, type InFlightSummary, type WaitingSummary } from "../../lib/tick/summary.ts";

export const now = Date.parse("2026-11-24T10:45:00Z");

function waits(node: string, reasons: readonly string[], why: string, pool = "apps"): WaitingSummary {
	return { node, pool, since: now - 3_600_000, kernel: "5.15.0-1", packages: [], place: null, reasons, why };
}

function inPhase(node: string, phase: Phase, forMs: number, changes: Partial<InFlightSummary> = {}): InFlightSummary {
	return {
		node,
		pool: "apps",
		phase,
		since: now - forMs,
		deadline: null,
		kernel: "5.15.0-1",
		stuck: phase === "stuck",
		why: null,
		drainTimeoutAction: "give-up",
		timeline: [],
		...changes,
	};
}

function seen(changes: Partial<ClusterSummary>): ClusterSummary {
	const { waiting = [] } = changes;
	return { ...emptySummary, at: now, waitingCount: waiting.length, heldCount: waiting.filter(({ reasons }) => reasons.includes("held")).length, ...changes };
}

export const quiet = (): ClusterSummary => seen({});

export const draining = (): ClusterSummary =>
	seen({
		waiting: [waits("n-2", ["clusterFull"], "the cluster has room for 1 (MAX_CONCURRENT), taken by n-1")],
		inFlight: [inPhase("n-1", "draining", 12_000, { why: "web/web-1: needs 2 healthy pods and has 2" })],
	});

export const rebooting = (): ClusterSummary => seen({ inFlight: [inPhase("aks-shop-31415926-vmss000000", "rebooting", 3_000)] });

export const stuckAndHeld = (): ClusterSummary =>
	seen({
		waiting: [
			waits("n-4", ["stuck"], "node n-3 did not come back well from its reboot and needs a person: nothing begins beside it"),
			waits("n-5", ["held"], "on hold by its annotation: load test"),
		],
		inFlight: [inPhase("n-3", "stuck", 600_000, { why: "not Ready 60 s after the reboot was asked for" })],
	});

export const waitingForWindows = (...pools: readonly string[]): ClusterSummary =>
	seen({ waiting: pools.map((pool, i) => waits(`${pool}-${i}`, ["windowClosed"], "its window is closed", pool)) });

export const outOfReach = (): ClusterSummary => seen({ failure: "listing cordoned nodes: no answer within 10000 ms", failures: 3 });

/** Lists are cut to fit the row. */
export const cut = (): ClusterSummary => seen({ waiting: [waits("n-1", ["backingOff"], "it backs off")], waitingCount: 4_000, heldCount: 3 });
