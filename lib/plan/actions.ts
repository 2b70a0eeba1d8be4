// What is to be done for a reboot now: a function of its phase and of what was seen, never of how it came there. A crash between a
// write and its act costs one look, never a step. Every action is harmless when repeated or late, or carries its own precondition.
import type { Instant, Mark, NodeFacts, Obstacle, PodFacts, Reboot, SentinelDaemonSet } from "./model.ts";
import { handedOver, hasMarkToRemove } from "./ownership.ts";
import { cordonSeenAt, mayAsk, podsThatMustLeave, type RebootView, rebootPodName, rebootPods } from "./step.ts";
import { podVerdict } from "./verdicts.ts";

export type Action =
	/** Mark and cordon in one patch, on the version of the node that was seen. */
	| { readonly kind: "cordon"; readonly record: string; readonly node: string; readonly resourceVersion: string; readonly mark: Mark }
	/** Remove the mark, and the cordon where it is ours. */
	| { readonly kind: "uncordon"; readonly record: string; readonly node: string; readonly resourceVersion: string; readonly removeCordon: boolean }
	/** Rewrite the mark: before the first ask, and when a node is adopted from another owner. */
	| { readonly kind: "mark"; readonly record: string; readonly node: string; readonly resourceVersion: string; readonly mark: Mark }
	| { readonly kind: "evict"; readonly record: string; readonly pod: PodFacts; readonly gracePeriodSeconds: number | null }
	/** Past the budgets: only where `DRAIN_TIMEOUT_ACTION` says so. */
	| { readonly kind: "delete"; readonly record: string; readonly pod: PodFacts; readonly gracePeriodSeconds: number | null }
	| {
			readonly kind: "ask";
			readonly record: string;
			readonly node: string;
			readonly bootId: string;
			readonly ask: number;
			readonly notBefore: Instant;
			readonly notAfter: Instant;
			readonly sentinel: SentinelDaemonSet;
	  }
	| { readonly kind: "deleteRebootPod"; readonly record: string; readonly node: string; readonly pod: string; readonly uid: string };

export type ActionKind = Action["kind"];

/** In place of a record's id, where no record knows of what is to be deleted. */
export const noRecord = "";

function markOf(reboot: Reboot, owner: string, node: NodeFacts): Mark {
	const foundCordoned = reboot.phase === "cordoning" ? node.unschedulable : reboot.foundCordoned;
	const askedAt = reboot.asks[0]?.at;
	return {
		record: reboot.id,
		owner,
		nodeUid: node.uid,
		bootId: reboot.bootId,
		foundCordoned,
		since: reboot.admittedAt,
		...(askedAt === undefined ? {} : { askedAt }),
	};
}

/** Reboot pods that must go: all of them once the phase is over or the node gone, and in it those of earlier asks and those that ended. */
function staleRebootPods(reboot: Reboot, view: RebootView): readonly Action[] {
	const gone = view.node.known && (view.node.value === "absent" || view.node.value.uid !== reboot.node.uid);
	const asking = reboot.phase === "rebooting" && !gone && !(reboot.deadlineAt !== null && view.at >= reboot.deadlineAt);
	const last = reboot.asks.at(-1);
	const current = last === undefined ? "" : rebootPodName(reboot.bootId, last.number);
	return rebootPods(view.pods)
		.filter((pod) => !(asking && pod.name === current && last?.pod !== "over"))
		.map((pod) => ({ kind: "deleteRebootPod" as const, record: reboot.id, node: reboot.node.name, pod: pod.name, uid: pod.uid }));
}

function drainActions(reboot: Reboot, view: RebootView): readonly Action[] {
	if (!view.pods.known) return [];
	const context = { cordonedAt: cordonSeenAt(reboot), now: view.at, policy: reboot.policy, daemonSets: view.daemonSets };
	const gracePeriodSeconds = reboot.policy.drainGracePeriodSeconds;
	const retryAt = new Map(reboot.obstacles.map((each) => [each.uid, each.retryAt]));
	const evicted = view.pods.value.filter((pod) => podVerdict(pod, context).evict && (retryAt.get(pod.uid) ?? 0) <= view.at);
	const kind = reboot.harsher === "delete" ? "delete" : "evict";
	return evicted.map((pod) => ({ kind, record: reboot.id, pod, gracePeriodSeconds }));
}

function askActions(reboot: Reboot, node: NodeFacts, view: RebootView, owner: string, sentinel: SentinelDaemonSet | null): readonly Action[] {
	const last = reboot.asks.at(-1);
	if (last === undefined || node.bootId !== reboot.bootId) return [];
	const actions: Action[] = [];
	if (node.mark.kind !== "mark" || node.mark.mark.askedAt === undefined) {
		actions.push({ kind: "mark", record: reboot.id, node: node.name, resourceVersion: node.resourceVersion, mark: markOf(reboot, owner, node) });
	}
	// What came in since the ask was written forbids its pod too: one that is not there is not made.
	if (!mayAsk(reboot, node, view)) return actions;
	// One pod at a time: that of the ask before has to be seen gone. One that ended is not made again, or it would be made for ever.
	const pods = view.pods.known ? rebootPods(view.pods) : null;
	if (pods === null || pods.length > 0 || last.pod === "over" || view.at >= last.notAfter || sentinel === null) return actions;
	const { number: ask, notBefore, notAfter } = last;
	actions.push({ kind: "ask", record: reboot.id, node: node.name, bootId: reboot.bootId, ask, notBefore, notAfter, sentinel });
	return actions;
}

/**
 * The actions of one reboot, in the order in which they are to be done; one that does not come about ends the list.
 * `owner` is our own name, `sentinel` the DaemonSet whose image the reboot pod takes.
 */
export function actionsFor(reboot: Reboot, view: RebootView, owner: string, sentinel: SentinelDaemonSet | null): readonly Action[] {
	const stale = staleRebootPods(reboot, view);
	if (!view.node.known || view.node.value === "absent" || view.node.value.uid !== reboot.node.uid) return stale;
	const node = view.node.value;
	const at = { record: reboot.id, node: node.name, resourceVersion: node.resourceVersion };
	const marked = node.mark.kind === "garbled" || (node.mark.kind === "mark" && node.mark.mark.record === reboot.id);
	switch (reboot.phase) {
		case "cordoning": {
			if (marked || (reboot.notBefore !== null && view.at < reboot.notBefore)) return stale;
			return [...stale, { ...at, kind: "cordon", mark: markOf(reboot, owner, node) }];
		}
		case "draining": {
			// Taken over from another owner: the mark names us from now on.
			const renamed = node.mark.kind === "mark" && node.mark.mark.owner !== owner;
			return [...stale, ...(renamed ? [{ ...at, kind: "mark" as const, mark: markOf(reboot, owner, node) }] : []), ...drainActions(reboot, view)];
		}
		case "rebooting":
			return [...stale, ...askActions(reboot, node, view, owner, sentinel)];
		case "uncordoning": {
			if (!hasMarkToRemove(node, reboot)) return stale;
			// "replaced": the mark came from another node, and says nothing of this one's cordon.
			const left = reboot.ending?.end === "released" || reboot.ending?.end === "replaced";
			const removeCordon = node.unschedulable && !reboot.foundCordoned && !handedOver(node) && !left;
			const uncordon: Action = { ...at, kind: "uncordon", removeCordon };
			// Under another boot a reboot pod is harmless: one that cannot be deleted must not keep the node out of service.
			const harmless = node.bootId !== "" && node.bootId !== reboot.bootId;
			return harmless ? [uncordon, ...stale] : [...stale, uncordon];
		}
		case "rejoining":
		case "soaking":
		case "stuck":
			return stale;
		default: {
			const never: never = reboot.phase;
			return never;
		}
	}
}

/** How an eviction or deletion of a pod went, as far as the next look needs it. */
export type Leaving = {
	readonly pod: PodFacts;
	readonly obstacle: Omit<Obstacle, "namespace" | "name" | "uid" | "retryAt"> | null;
	readonly retryAfterMs: number | null;
};

/** A pod that was refused is asked again no sooner than this, as `kubectl drain` does, unless the server says otherwise. */
export const evictRetryMs = 5_000;

/** The record with what kept its pods from leaving; the very same record when nothing changed. */
export function withObstacles(reboot: Reboot, leavings: readonly Leaving[], view: RebootView, at: Instant): Reboot {
	const left = podsThatMustLeave(reboot, view);
	if (left === null) return reboot;
	const uids = new Set(left.map((pod) => pod.uid));
	const fresh = new Map(leavings.map((each) => [each.pod.uid, each]));
	const kept = reboot.obstacles.filter((each) => uids.has(each.uid) && !fresh.has(each.uid));
	const added = leavings.flatMap(({ pod, obstacle, retryAfterMs }): Obstacle[] => {
		if (obstacle === null || !uids.has(pod.uid)) return [];
		const { namespace, name, uid } = pod;
		return [{ namespace, name, uid, ...obstacle, retryAt: at + (retryAfterMs ?? evictRetryMs) }];
	});
	const obstacles = [...kept, ...added].sort((a, b) => (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0));
	return JSON.stringify(obstacles) === JSON.stringify(reboot.obstacles) ? reboot : { ...reboot, obstacles };
}
