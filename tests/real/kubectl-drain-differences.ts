// Where our drain differs from `kubectl drain` on purpose, and why: docs/drain.md prints this table, and the tests allow nothing else.
// (What becomes of refused evictions: kubectl-drain-refusals.ts.)
import type { PodFacts } from "../../lib/plan/model.ts";
import type { Verdict, VerdictReason } from "../../lib/plan/verdicts.ts";

/**
 * What `kubectl drain` makes of one pod.
 * evicts      sends its eviction
 * ignores     names it as a DaemonSet's
 * passesOver  says nothing of it
 * refuses     names it as what keeps the node from being drained
 * notReached  says nothing of it, and refused the node for another pod of it
 */
export type KubectlOutcome = "evicts" | "ignores" | "passesOver" | "refuses" | "notReached";

export interface Difference {
	readonly situation: string;
	readonly kubectl: string;
	readonly we: string;
	readonly why: string;
	/** Whether this is the difference seen on one pod before anything was done; null: it shows only in a real drain. */
	readonly covers: ((pod: PodFacts, kubectl: KubectlOutcome, verdict: Verdict) => boolean) | null;
}

/** In the order in which they are looked for: the first that covers a pod is its row. */
export const differences = {
	ourRebootPod: {
		situation: "our reboot pod, left of an earlier ask",
		kubectl: "evicts it, or refuses it as a pod without a controller",
		we: "leave it alone, and delete it by UID",
		why: "it is part of the reboot and not of what the node serves",
		covers: (pod, kubectl, { kind }) => pod.ours === "reboot" && ["evicts", "refuses", "notReached"].includes(kubectl) && kind === "stays",
	},
	oneRefused: {
		situation: "another pod of the node that must not be touched (`UNMANAGED_PODS=block`; without `--force`)",
		kubectl: "evicts no pod of the node",
		we: "evict the others, and wait for the one until `DRAIN_TIMEOUT`",
		why: "a person is told of the pod while the rest is done already; the node is given back if nobody comes",
		covers: (_pod, kubectl) => kubectl === "notReached",
	},
	cameAfterTheCordon: {
		situation: "a pod that came after the cordon, which it tolerates",
		kubectl: "evicts it (where it is there when kubectl lists the pods; later ones it never sees)",
		we: "leave it alone, told once as `pod.returns`",
		why: "its controller would bring its successor to the same node for ever",
		covers: (_pod, kubectl, { kind }) => (kubectl === "evicts" || kubectl === "refuses") && kind === "returns",
	},
	mirrorOfAGoneDaemonSet: {
		situation: "a mirror pod that says to belong to a DaemonSet that is gone (`UNMANAGED_PODS=block`; without `--force`)",
		kubectl: "refuses the node",
		we: "leave it alone, as every mirror pod",
		why: "only its file on the node can remove it; a kubelet never writes such a pod",
		covers: (pod, kubectl, { kind }) => pod.mirror && kubectl === "refuses" && kind === "stays",
	},
	leavingAlready: {
		situation: "a pod without a controller that is terminating already (`UNMANAGED_PODS=block`; without `--force`)",
		kubectl: "refuses the node",
		we: "wait for it",
		why: "somebody has decided already, and no eviction of ours is needed",
		covers: (pod, kubectl, { kind }) => pod.deletionAt !== null && kubectl === "refuses" && kind === "leaving",
	},
	evictedOnce: {
		situation: "a pod that is terminating already",
		kubectl: "sends an eviction all the same",
		we: "only wait for it",
		why: "the answer would be success, and change nothing",
		covers: (pod, kubectl, { kind, evict }) => pod.deletionAt !== null && kubectl === "evicts" && (kind === "leaving" || kind === "finished") && !evict,
	},
	finishedOnes: {
		situation: "a finished pod (Succeeded, Failed)",
		kubectl: "evicts it and waits until it is gone, also where a finalizer keeps it",
		we: "evict it once and do not wait",
		why: "nothing of it runs: a finalizer must not keep a node from its reboot",
		covers: null,
	},
	time: {
		situation: "pods that do not leave",
		kubectl: "waits for ever unless told (`--timeout`), and leaves the node cordoned",
		we: "do what `DRAIN_TIMEOUT_ACTION` says after `DRAIN_TIMEOUT` (30 minutes): unless told, the node is given back",
		why: "a node that is left cordoned is room that is lost",
		covers: null,
	},
} as const satisfies Readonly<Record<string, Difference>>;

export type DifferenceName = keyof typeof differences;

/** Null: we make of the pod what kubectl makes of it. `undefined`: another thing, and no row allows it. */
export function differenceOf(pod: PodFacts, kubectl: KubectlOutcome, verdict: Verdict): DifferenceName | null | undefined {
	const found = (Object.keys(differences) as DifferenceName[]).find((name) => differences[name].covers?.(pod, kubectl, verdict));
	if (found !== undefined) return found;
	return agreesWith(verdict) === kubectl ? null : undefined;
}

/** What kubectl does with a pod of which we think so. */
function agreesWith({ kind, reasons }: Verdict): KubectlOutcome {
	switch (kind) {
		case "evict":
		case "leaving":
		case "finished":
			return "evicts";
		case "blocks":
		case "unknown":
			return "refuses";
		case "skipped":
		case "returns":
			return "passesOver";
		case "stays":
			return namedAsDaemonSets(reasons) ? "ignores" : "passesOver";
		default:
			return kind satisfies never;
	}
}

/** kubectl asks for a pod's DaemonSet before it looks whether it is a mirror pod, but after its selector and `--skip-wait-for-delete-timeout`. */
function namedAsDaemonSets(reasons: Verdict["reasons"]): boolean {
	const has = (kind: VerdictReason["kind"]): boolean => reasons.some((each) => each.kind === kind);
	return has("daemonSet") && !has("notSelected") && !has("terminatingTooLong");
}

/** The rows as docs/drain.md has them. */
export function differencesInMarkdown(): string {
	const rows = Object.values(differences).map(({ situation, kubectl, we, why }) => `| ${situation} | ${kubectl} | ${we} | ${why} |`);
	return ["| situation | kubectl drain | we | why |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
