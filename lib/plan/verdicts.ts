// What becomes of each pod on a node that drains: the rules of `kubectl drain` with force, delete-emptydir-data and ignore-daemonsets
// (kubectl's filters, in drain/filters.go), and one of our own: a pod that the cordon does not keep away is not chased for ever.
import type { DaemonSetRef, Instant, PodFacts, Reading } from "./model.ts";
import type { Policy } from "./policy.ts";

/**
 * evict     has to leave; its eviction is to be sent
 * leaving   has to leave and is terminating already: waited for
 * finished  Succeeded or Failed: evicted once and never waited for
 * skipped   terminating for longer than DRAIN_SKIP_WAIT_FOR_DELETE: not waited for
 * stays     is not drained: DaemonSet, mirror and our own pods, and those that DRAIN_POD_SELECTOR leaves out
 * returns   came after the cordon, which it tolerates: evicting it would bring a successor to the same node for ever
 * blocks    has no controller, or belongs to a DaemonSet that is gone, and UNMANAGED_PODS=block: a person has to remove it
 * unknown   belongs to a DaemonSet, and whether that still exists could not be read: not known never counts as good
 */
export type VerdictKind = "evict" | "leaving" | "finished" | "skipped" | "stays" | "returns" | "blocks" | "unknown";

export type VerdictReason =
	| { readonly kind: "ours"; readonly what: "sentinel" | "reboot" }
	| { readonly kind: "mirror" }
	| { readonly kind: "notSelected"; readonly selector: string | null }
	| { readonly kind: "terminatingTooLong"; readonly forMs: number; readonly limitMs: number }
	| { readonly kind: "daemonSet"; readonly namespace: string; readonly name: string }
	| { readonly kind: "createdAfterCordon"; readonly createdAt: Instant }
	| { readonly kind: "finished"; readonly phase: "Succeeded" | "Failed" }
	| { readonly kind: "daemonSetUnknown"; readonly name: string; readonly why: string }
	| { readonly kind: "terminating"; readonly deletionAt: Instant }
	| { readonly kind: "daemonSetGone"; readonly namespace: string; readonly name: string }
	| { readonly kind: "unmanaged" }
	| { readonly kind: "managed"; readonly controllerKind: string; readonly name: string }
	| { readonly kind: "emptyDir" };

export interface Verdict {
	readonly kind: VerdictKind;
	/** Everything that is true of the pod and matters here; the first one decided. */
	readonly reasons: readonly VerdictReason[];
	/** The node does not count as drained while this pod is on it. */
	readonly mustLeave: boolean;
	/** An eviction is to be sent now, as far as the pod itself goes (a back-off after a refused one is not judged here). */
	readonly evict: boolean;
}

export interface VerdictContext {
	/** When we cordoned the node; null: not cordoned by us (yet), so that no pod came after it. */
	readonly cordonedAt: Instant | null;
	readonly now: Instant;
	readonly policy: Policy;
	readonly daemonSets: Reading<readonly DaemonSetRef[]>;
}

export function podVerdict(pod: PodFacts, context: VerdictContext): Verdict {
	const reasons = reasonsOf(pod, context);
	const kind = reasons.map((reason) => decides(reason, context.policy)).find((each) => each !== null) ?? "evict";
	return { kind, reasons: decisiveFirst(reasons, context.policy), mustLeave: mustLeave(kind), evict: evicts(kind, pod) };
}

/** In the order in which they decide. */
function reasonsOf(pod: PodFacts, context: VerdictContext): readonly VerdictReason[] {
	const reasons: (VerdictReason | null)[] = [
		pod.ours === null ? null : { kind: "ours", what: pod.ours },
		pod.mirror ? { kind: "mirror" } : null,
		pod.selected ? null : { kind: "notSelected", selector: context.policy.drainPodSelector },
		terminatingTooLong(pod, context),
		runningDaemonSetPod(pod, context),
		createdAfterCordon(pod, context),
		pod.phase === "Succeeded" || pod.phase === "Failed" ? { kind: "finished", phase: pod.phase } : null,
		pod.deletionAt === null ? null : { kind: "terminating", deletionAt: pod.deletionAt },
		controller(pod, context),
		pod.emptyDir ? { kind: "emptyDir" } : null,
	];
	return reasons.filter((each) => each !== null);
}

/** What a reason alone makes of a pod; null: it is told, and decides nothing. */
function decides(reason: VerdictReason, policy: Policy): VerdictKind | null {
	switch (reason.kind) {
		case "ours":
		case "mirror":
		case "notSelected":
		case "daemonSet":
			return "stays";
		case "terminatingTooLong":
			return "skipped";
		case "createdAfterCordon":
			return "returns";
		case "finished":
			return "finished";
		case "daemonSetUnknown":
			return "unknown";
		case "terminating":
			return "leaving";
		case "unmanaged":
		case "daemonSetGone":
			return policy.unmanagedPods === "block" ? "blocks" : "evict";
		case "managed":
		case "emptyDir":
			return null;
		default:
			return unreachable(reason);
	}
}

function decisiveFirst(reasons: readonly VerdictReason[], policy: Policy): readonly VerdictReason[] {
	const at = reasons.findIndex((reason) => decides(reason, policy) !== null);
	const first = reasons[at];
	return first === undefined ? reasons : [first, ...reasons.slice(0, at), ...reasons.slice(at + 1)];
}

function mustLeave(kind: VerdictKind): boolean {
	switch (kind) {
		case "evict":
		case "leaving":
		case "blocks":
		case "unknown":
			return true;
		case "finished":
		case "skipped":
		case "stays":
		case "returns":
			return false;
		default:
			return unreachable(kind);
	}
}

function evicts(kind: VerdictKind, pod: PodFacts): boolean {
	// A finished pod that a finalizer holds was evicted once: it has its deletion timestamp.
	return kind === "evict" || (kind === "finished" && pod.deletionAt === null);
}

/** kubectl --skip-wait-for-delete-timeout: strictly longer, in whole seconds, after the planned end (which includes the grace period). */
function terminatingTooLong(pod: PodFacts, context: VerdictContext): VerdictReason | null {
	const limitMs = context.policy.drainSkipWaitForDeleteMs;
	if (limitMs === null || pod.deletionAt === null) return null;
	const forMs = Math.floor((context.now - pod.deletionAt) / 1_000) * 1_000;
	return forMs > limitMs ? { kind: "terminatingTooLong", forMs, limitMs } : null;
}

/** kubectl asks for the DaemonSet of running pods only. Unread is not "there" and not "gone". */
function runningDaemonSetPod(pod: PodFacts, { daemonSets }: VerdictContext): VerdictReason | null {
	if (!ofDaemonSet(pod) || isFinished(pod)) return null;
	const { namespace, controller } = pod;
	if (!daemonSets.known) return { kind: "daemonSetUnknown", name: controller.name, why: daemonSets.why };
	return exists(pod, daemonSets.value) ? { kind: "daemonSet", namespace, name: controller.name } : null;
}

/** Who would make the pod anew; told where no DaemonSet reason tells it already. */
function controller(pod: PodFacts, context: VerdictContext): VerdictReason | null {
	if (pod.controller === null) return pod.mirror ? null : { kind: "unmanaged" };
	if (runningDaemonSetPod(pod, context) !== null) return null;
	const { kind, name } = pod.controller;
	if (ofDaemonSet(pod) && context.daemonSets.known && !exists(pod, context.daemonSets.value)) return { kind: "daemonSetGone", namespace: pod.namespace, name };
	return { kind: "managed", controllerKind: kind, name };
}

type ControlledPod = PodFacts & { readonly controller: NonNullable<PodFacts["controller"]> };

/** A DaemonSet of another API group is a controller like any other. */
function ofDaemonSet(pod: PodFacts): pod is ControlledPod {
	return pod.controller?.kind === "DaemonSet" && pod.controller.apiVersion === "apps/v1";
}

function exists(pod: ControlledPod, daemonSets: readonly DaemonSetRef[]): boolean {
	const { uid, name } = pod.controller;
	return daemonSets.some((each) => each.uid === uid || (each.namespace === pod.namespace && each.name === name));
}

/**
 * Creation times are cut to the second, so a pod that came in the second of the cordon seems older: it is evicted once, and its
 * successor returns.
 */
function createdAfterCordon(pod: PodFacts, { cordonedAt }: VerdictContext): VerdictReason | null {
	if (cordonedAt === null || !pod.toleratesCordon || pod.createdAt <= cordonedAt) return null;
	return { kind: "createdAfterCordon", createdAt: pod.createdAt };
}

function isFinished(pod: PodFacts): boolean {
	return pod.phase === "Succeeded" || pod.phase === "Failed";
}

function unreachable(value: never): never {
	throw new Error(`verdicts: ${JSON.stringify(value)} is none of the cases`);
}
