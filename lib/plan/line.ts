// The line: every node that is to be rebooted, in the order in which they are considered.

import { failedAt } from "./memory.ts";
import type { ControlRequest, Instant, NodeMemory, NodeMetadata, SentinelPod, View } from "./model.ts";
import type { Reason } from "./reasons.ts";

/** A node that asks for a reboot, or whose reboot somebody asked for. */
export interface WaitingNode {
	readonly node: string;
	readonly pool: string | null;
	readonly systemPool: boolean;
	readonly since: Instant | null;
	readonly bootId: string | null;
	readonly kernelVersion: string | null;
	readonly packages: readonly string[];
	/** Somebody asked for it by hand, whether or not its sentinel does. */
	readonly requested: ControlRequest | null;
	/** Why it is not admitted now; empty: it is. */
	readonly reasons: readonly Reason[];
}

export interface InLine {
	readonly waiting: WaitingNode;
	/** The sentinel that asks; null: the request alone does. */
	readonly pod: SentinelPod | null;
	readonly remembered: NodeMemory | undefined;
}

/** One pod per node: of two (an update of the DaemonSet) the one that is ready and stays. */
function onePodPerNode(pods: readonly SentinelPod[]): ReadonlyMap<string, SentinelPod> {
	const best = new Map<string, SentinelPod>();
	const rank = (pod: SentinelPod) => (pod.deleting ? 0 : 2) + (pod.ready ? 1 : 0);
	for (const pod of pods) {
		const other = best.get(pod.node);
		if (other === undefined || rank(pod) > rank(other)) best.set(pod.node, pod);
	}
	return best;
}

/**
 * Requests first, in the order in which they were made. Then the longest waiting, system pools last. Then those that failed, the one that
 * failed longest ago first: a few that fail in every window would keep the others from it for ever. Names decide what is left, so that the
 * order is one.
 */
function byOrder(a: InLine, b: InLine): number {
	const requested = (a.waiting.requested?.at ?? Number.MAX_SAFE_INTEGER) - (b.waiting.requested?.at ?? Number.MAX_SAFE_INTEGER);
	if (requested !== 0) return requested;
	const failed = (failedAt(a.remembered, a.waiting.bootId) ?? 0) - (failedAt(b.remembered, b.waiting.bootId) ?? 0);
	if (failed !== 0) return failed;
	if (a.waiting.systemPool !== b.waiting.systemPool) return a.waiting.systemPool ? 1 : -1;
	const since = (a.waiting.since ?? Number.MAX_SAFE_INTEGER) - (b.waiting.since ?? Number.MAX_SAFE_INTEGER);
	return since !== 0 ? since : a.waiting.node < b.waiting.node ? -1 : a.waiting.node > b.waiting.node ? 1 : 0;
}

function sinceOf(pod: SentinelPod, memory: NodeMemory | undefined): Instant | null {
	const report = pod.report.kind === "report" ? pod.report.report : null;
	return report !== null && memory?.bootId === report.bootId ? (memory.waitingSince ?? report.since) : (report?.since ?? null);
}

function waitingNode(
	node: string,
	pod: SentinelPod | null,
	requested: ControlRequest | null,
	metadata: NodeMetadata | undefined,
	memory: NodeMemory | undefined,
): WaitingNode {
	const report = pod?.report.kind === "report" ? pod.report.report : null;
	return {
		node,
		pool: metadata?.pool ?? null,
		systemPool: metadata?.systemPool ?? false,
		since: (pod === null ? null : sinceOf(pod, memory)) ?? requested?.at ?? null,
		bootId: requested?.bootId ?? report?.bootId ?? null,
		kernelVersion: report?.kernelVersion ?? null,
		packages: report?.packages ?? [],
		requested,
		reasons: [],
	};
}

/** Those that wait by their sentinels or by somebody's request, and are not in flight. */
export function lineOf(view: View, memory: readonly NodeMemory[], requests: readonly ControlRequest[], inFlight: ReadonlySet<string>): readonly InLine[] {
	const pods = onePodPerNode(view.waiting.known ? view.waiting.value : []);
	const requestOf = new Map(requests.map((each) => [each.node, each]));
	const memoryOf = new Map(memory.map((each) => [each.node, each]));
	return [...new Set([...pods.keys(), ...requestOf.keys()])]
		.filter((node) => !inFlight.has(node))
		.map((node): InLine => {
			const pod = pods.get(node) ?? null;
			const remembered = memoryOf.get(node);
			return { pod, remembered, waiting: waitingNode(node, pod, requestOf.get(node) ?? null, view.metadata.get(node), remembered) };
		})
		.sort(byOrder);
}
