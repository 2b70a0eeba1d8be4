// One reboot, one look: what the record says next. Performs nothing. Progress is judged before deadlines, and a phase moves only when
// the view shows it. What is to be done follows from the phase that results (actions.ts), never from the move.
import type { Ask, DaemonPod, DaemonSetRef, End, Instant, NodeFacts, Obstacle, Phase, PodFacts, Reading, Reboot } from "./model.ts";
import { handedOver, hasMarkToRemove, holdOn } from "./ownership.ts";
import { askEarlyMs, askLifeMs, gapMs, phaseTimeoutMs, putOffMs, quietShare, secondAskShare, underWayMs } from "./phases.ts";
import type { Cause, Reason } from "./reasons.ts";
import { podVerdict } from "./verdicts.ts";
import type { WindowState } from "./windows.ts";

/** What a look saw that matters to one reboot. */
export interface RebootView {
	readonly at: Instant;
	readonly node: Reading<NodeFacts | "absent">;
	readonly pods: Reading<readonly PodFacts[]>;
	readonly daemonSets: Reading<readonly DaemonSetRef[]>;
	/** What forbids the reboot outright while it has not been asked for: the node is brought back. */
	readonly forbidden: Reason | null;
	/** The cluster is not in `CLUSTERS` any more: once nothing is in flight, nobody looks at it. */
	readonly dropped: boolean;
	/** What is missing or not known and only the ask needs: it waits, until the deadline. */
	readonly impediments: readonly Reason[];
	/** Null: no window is known (the settings are wrong, or do not name one). */
	readonly window: WindowState | null;
	/** The last successful look at the cluster; null: none is known. */
	readonly lastLookAt: Instant | null;
}

/** A move of a reboot, for the journal. */
export interface Move {
	readonly kind: "moved" | "ended" | "deadlinePutOff" | "harsher" | "askedAgain" | "alarmed" | "podTrouble";
	readonly from: Phase;
	readonly to: Phase | End | null;
	readonly cause: Cause | null;
}

export interface Stepped {
	/** The record as it should be written now. */
	readonly reboot: Reboot;
	/** Set when it ended: the record goes to history. */
	readonly ended: { readonly end: End; readonly cause: Cause } | null;
	readonly moves: readonly Move[];
}

type Next =
	| { readonly kind: "stay"; readonly change?: Partial<Reboot>; readonly move?: Move }
	| { readonly kind: "enter"; readonly phase: Phase; readonly cause: Cause; readonly change?: Partial<Reboot> }
	| { readonly kind: "bringBack"; readonly end: End; readonly cause: Cause }
	| { readonly kind: "end"; readonly end: End; readonly cause: Cause };

const stay: Next = { kind: "stay" };

function bringBack(end: End, cause: Cause): Next {
	return { kind: "bringBack", end, cause };
}

/** The pods of ours that asked, or still would. No reboot is left behind while one is there. */
export function rebootPods(pods: Reading<readonly PodFacts[]>): readonly PodFacts[] {
	return pods.known ? pods.value.filter((pod) => pod.ours === "reboot") : [];
}

/** When the cordon was first seen; null: not yet. (The admission may be long before it: BEFORE_DRAIN.) */
export function cordonSeenAt(reboot: Reboot): Instant | null {
	return reboot.timeline.find((each) => each.phase === "draining")?.at ?? null;
}

/** Pods that must leave before the reboot; null when that is not known. */
export function podsThatMustLeave(reboot: Reboot, view: Pick<RebootView, "at" | "pods" | "daemonSets">): readonly PodFacts[] | null {
	if (!view.pods.known) return null;
	const context = { cordonedAt: cordonSeenAt(reboot), now: view.at, policy: reboot.policy, daemonSets: view.daemonSets };
	return view.pods.value.filter((pod) => podVerdict(pod, context).mustLeave);
}

/**
 * Only a ready sentinel pod of this node that reports this boot id without asking means "no longer asked". Silence, a stale report or
 * an unreadable one means nothing: the last report of this boot stands.
 */
function noLongerAsked(reboot: Reboot, view: RebootView): boolean {
	if (!view.pods.known) return false;
	return view.pods.value.some(
		({ sentinel }) =>
			sentinel?.ready === true && !sentinel.deleting && !sentinel.asks && sentinel.report.kind === "report" && sentinel.report.report.bootId === reboot.bootId,
	);
}

/** What is decided alike in every phase in which the reboot is not yet asked for. */
function beforeTheAsk(reboot: Reboot, node: NodeFacts, view: RebootView): Next | null {
	if (node.bootId !== "" && node.bootId !== reboot.bootId) return bringBack("notNeeded", { kind: "bootedByOthers", bootId: node.bootId });
	// What somebody asked for by hand needs no sentinel to ask for it too.
	if (reboot.request === null && noLongerAsked(reboot, view)) return bringBack("notNeeded", { kind: "noLongerAsked" });
	if (view.forbidden !== null) return bringBack("cancelled", { kind: "forbidden", reason: view.forbidden });
	if (view.window !== null && !view.window.open && reboot.policy.windowCloses === "give-up") return bringBack("gaveUp", { kind: "windowClosed" });
	return null;
}

function due(reboot: Reboot, view: RebootView): boolean {
	return reboot.deadlineAt !== null && view.at >= reboot.deadlineAt;
}

function stepCordoning(reboot: Reboot, node: NodeFacts, view: RebootView): Next {
	const early = beforeTheAsk(reboot, node, view);
	if (early !== null) return early;
	if (node.mark.kind === "mark") {
		switch (holdOn(node, reboot)) {
			case "unmarked":
				break;
			case "ours":
				return { kind: "enter", phase: "draining", cause: { kind: "cordoned" } };
			case "uncordoned":
				return bringBack("cancelled", { kind: "uncordonedByOthers", phase: "cordoning" });
			case "handedOver":
				return bringBack("released", { kind: "handedOver", managers: node.unschedulableManagers });
		}
	}
	return due(reboot, view) ? bringBack("gaveUp", { kind: "cordonTimedOut", trouble: reboot.trouble }) : stay;
}

/** The interval of an ask, fixed when it is written: an old pod cannot fire late, however late it starts. */
function newAsk(reboot: Reboot, view: RebootView, number: number, firstAt: Instant): Ask {
	const { rebootTimeoutMs, windowCloses } = reboot.policy;
	const limits = [view.at + askLifeMs, firstAt + rebootTimeoutMs * quietShare];
	if (number === 1) limits.push(firstAt + rebootTimeoutMs * secondAskShare);
	if (windowCloses !== "finish" && view.window?.open && view.window.closesAt !== null) limits.push(view.window.closesAt);
	return { number, at: view.at, notBefore: view.at - askEarlyMs, notAfter: Math.min(...limits), pod: "unseen" };
}

/** Whether the reboot may be asked for now, for the first time or again: a node that takes pods again is no drained node. */
export function mayAsk(reboot: Reboot, node: NodeFacts, view: RebootView): boolean {
	if (view.forbidden !== null || view.impediments.length > 0 || !node.unschedulable) return false;
	return reboot.policy.windowCloses === "finish" || view.window?.open === true;
}

function readyDaemonPods(pods: readonly PodFacts[]): readonly DaemonPod[] {
	return pods.flatMap((pod) =>
		pod.controller?.kind === "DaemonSet" && pod.ready && pod.deletionAt === null
			? [{ daemonSetUid: pod.controller.uid, namespace: pod.namespace, name: pod.controller.name, containerIds: pod.containerIds }]
			: [],
	);
}

/**
 * Somebody has taken the node, or its cordon, from us: it is theirs. `uncordoned`: the end where somebody only uncordoned it; null: the
 * reboot goes on, and the mark is removed at the end.
 */
function takenFromUs(reboot: Reboot, node: NodeFacts, uncordoned: "cancelled" | "released" | null): Next | null {
	switch (holdOn(node, reboot)) {
		case "unmarked":
			return bringBack("released", { kind: "markRemoved" });
		case "handedOver":
			return bringBack("released", { kind: "handedOver", managers: node.unschedulableManagers });
		case "uncordoned":
			return uncordoned === null ? null : bringBack(uncordoned, { kind: "uncordonedByOthers", phase: reboot.phase });
		case "ours":
			return null;
	}
}

function stepDraining(reboot: Reboot, node: NodeFacts, view: RebootView): Next {
	const taken = takenFromUs(reboot, node, "cancelled");
	if (taken !== null) return taken;
	const early = beforeTheAsk(reboot, node, view);
	if (early !== null) return early;
	const left = podsThatMustLeave(reboot, view);
	const drained = left !== null && (left.length === 0 || reboot.harsher === "reboot");
	if (drained) {
		const notBefore = reboot.notBefore ?? view.at + reboot.policy.beforeRebootMs;
		const drainedAt = reboot.drainedAt ?? view.at;
		if (view.at >= notBefore && mayAsk(reboot, node, view)) return askFirst(reboot, view, drainedAt);
		// A wait that the policy asks for is no delay: the deadline is for the pods, and for what keeps us from asking afterwards.
		if (due(reboot, view) && view.at >= notBefore) return drainDeadline(reboot, view, []);
		return notBefore === reboot.notBefore ? stay : { kind: "stay", change: { notBefore, drainedAt } };
	}
	return due(reboot, view) ? drainDeadline(reboot, view, left ?? []) : stay;
}

function askFirst(reboot: Reboot, view: RebootView, drainedAt: Instant): Next {
	const daemonPods = view.pods.known ? readyDaemonPods(view.pods.value) : [];
	return {
		kind: "enter",
		phase: "rebooting",
		cause: { kind: "drained", tookMs: drainedAt - reboot.phaseSince },
		change: { drainedAt, asks: [newAsk(reboot, view, 1, view.at)], daemonPods, obstacles: [] },
	};
}

/** What keeps a pod that no eviction was refused of. */
function obstacleOf(pod: PodFacts, reboot: Reboot, view: RebootView): Pick<Obstacle, "kind" | "message"> {
	if (pod.deletionAt !== null) return { kind: "terminating", message: "is still terminating" };
	const { kind } = podVerdict(pod, { cordonedAt: cordonSeenAt(reboot), now: view.at, policy: reboot.policy, daemonSets: view.daemonSets });
	if (kind === "blocks") return { kind: "unmanaged", message: "has no controller, and UNMANAGED_PODS is block" };
	if (kind === "unknown" && !view.daemonSets.known)
		return { kind: "unknown", message: `whether its DaemonSet ${pod.controller?.name} still exists could not be read: ${view.daemonSets.why}` };
	return { kind: "unknown", message: "has not been evicted" };
}

function drainDeadline(reboot: Reboot, view: RebootView, left: readonly PodFacts[]): Next {
	const uids = new Set(left.map((pod) => pod.uid));
	const obstacles = [...reboot.obstacles.filter((each) => uids.has(each.uid))];
	for (const pod of left) {
		if (obstacles.some((each) => each.uid === pod.uid)) continue;
		const { namespace, name, uid } = pod;
		obstacles.push({ namespace, name, uid, ...obstacleOf(pod, reboot, view), budgets: [], retryAt: view.at });
	}
	const cause: Cause = {
		kind: "drainTimedOut",
		afterMs: view.at - reboot.phaseSince,
		obstacles,
		waitedFor: left.length === 0 ? (view.pods.known ? view.impediments : [{ kind: "nodeUnknown", why: view.pods.why }]) : [],
	};
	const harsher = reboot.policy.drainTimeoutAction;
	// Harsher means only against pods that are known to resist, once, and only where a setting says so.
	if (harsher === "give-up" || left.length === 0 || reboot.harsher !== null) return bringBack("gaveUp", cause);
	const deadlineAt = view.at + reboot.policy.drainTimeoutMs;
	// The back-off was for evictions: a deletion that waited for it could miss the new deadline.
	const change = { harsher, deadlineAt, deadlinePutOff: false, obstacles: reboot.obstacles.map((each) => ({ ...each, retryAt: view.at })) };
	return { kind: "stay", change, move: { kind: "harsher", from: "draining", to: null, cause } };
}

/** What became of the reboot pods, remembered with their asks. */
function withPodsSeen(reboot: Reboot, view: RebootView): Partial<Reboot> | null {
	if (!view.pods.known) return null;
	const pods = rebootPods(view.pods);
	let trouble = reboot.trouble;
	const asks = reboot.asks.map((ask): Ask => {
		const pod = pods.find((each) => each.name === rebootPodName(reboot.bootId, ask.number));
		if (pod === undefined) {
			// That of an earlier ask was deleted by us, to make way for the last one.
			if (ask.pod === "seen" && ask === reboot.asks.at(-1)) trouble ??= "it was deleted before it ended";
			return ask;
		}
		if (pod.trouble !== null) trouble = pod.trouble;
		// Past its interval it may not send its signal any more, and on a node whose clock is further behind than we allow for it would.
		const over = pod.phase === "Succeeded" || pod.phase === "Failed" || view.at >= ask.notAfter + askEarlyMs;
		return over ? { ...ask, pod: "over" } : ask.pod === "unseen" ? { ...ask, pod: "seen" } : ask;
	});
	const same = trouble === reboot.trouble && asks.every((ask, i) => ask.pod === reboot.asks[i]?.pod);
	return same ? null : { asks, trouble: trouble };
}

function firstAskAt(reboot: Reboot): Instant {
	return reboot.asks[0]?.at ?? reboot.phaseSince;
}

export function rebootPodName(bootId: string, ask: number): string {
	return `reboot-${bootId}-${ask}`;
}

function stepRebooting(reboot: Reboot, node: NodeFacts, view: RebootView): Next {
	const taken = takenFromUs(reboot, node, null);
	if (taken !== null) return taken;
	const firstAt = firstAskAt(reboot);
	if (node.bootId !== "" && node.bootId !== reboot.bootId) return booted(reboot, node, view, firstAt);
	if (due(reboot, view)) {
		if (!node.ready) return { kind: "enter", phase: "stuck", cause: { kind: "neverCameBack", afterMs: view.at - firstAt } };
		// A pod that is still there might fire once the node is given back.
		if (view.pods.known && rebootPods(view.pods).length === 0)
			return bringBack("gaveUp", { kind: "rebootTimedOut", afterMs: view.at - firstAt, trouble: reboot.trouble });
		return stay;
	}
	const seen = withPodsSeen(reboot, view);
	const asks = seen?.asks ?? reboot.asks;
	const { rebootTimeoutMs } = reboot.policy;
	const again =
		asks.length < 2 && view.at >= firstAt + rebootTimeoutMs * secondAskShare && view.at < firstAt + rebootTimeoutMs * quietShare && mayAsk(reboot, node, view);
	if (again) {
		const change = { ...seen, asks: [...asks, newAsk(reboot, view, asks.length + 1, firstAt)] };
		return { kind: "stay", change, move: { kind: "askedAgain", from: "rebooting", to: null, cause: { kind: "askedAgain" } } };
	}
	if (seen === null) return stay;
	const troubled = seen.trouble !== reboot.trouble;
	return { kind: "stay", change: seen, ...(troubled ? { move: { kind: "podTrouble", from: "rebooting", to: null, cause: null } } : {}) };
}

function booted(reboot: Reboot, node: NodeFacts, view: RebootView, firstAt: Instant): Next {
	const rebooted = { at: view.at, bootId: node.bootId, kernelVersion: node.kernelVersion };
	const cause: Cause = { kind: "booted", tookMs: view.at - firstAt, kernelBefore: reboot.kernelVersion, kernelAfter: node.kernelVersion };
	return { kind: "enter", phase: "rejoining", cause, change: { asks: withPodsSeen(reboot, view)?.asks ?? reboot.asks, rebooted } };
}

/** DaemonSet pods that were ready before the reboot and are not (yet) ready again in new containers; null when that is not known. */
export function daemonPodsMissing(reboot: Reboot, view: RebootView): readonly string[] | null {
	const { pods, daemonSets } = view;
	if (!pods.known) return null;
	return reboot.daemonPods
		.filter((before) => !daemonSets.known || daemonSets.value.some((each) => each.uid === before.daemonSetUid))
		.filter(
			(before) =>
				!pods.value.some(
					(pod) =>
						pod.controller?.uid === before.daemonSetUid &&
						pod.ready &&
						// For some seconds after a boot the API still shows the old containers as ready: a stale condition proves nothing.
						!pod.containerIds.some((id) => before.containerIds.includes(id)),
				),
		)
		.map((before) => `${before.namespace}/${before.name}`);
}

function stepRejoining(reboot: Reboot, node: NodeFacts, view: RebootView): Next {
	const taken = takenFromUs(reboot, node, null);
	if (taken !== null) return taken;
	const askedByUs = reboot.asks.length > 0;
	const end: End = askedByUs ? "done" : "notNeeded";
	const missing = daemonPodsMissing(reboot, view);
	if (node.ready && missing !== null && missing.length === 0 && rebootPods(view.pods).length === 0) {
		return bringBack(end, askedByUs ? { kind: "rejoined", tookMs: view.at - reboot.phaseSince } : { kind: "bootedByOthers", bootId: node.bootId });
	}
	if (due(reboot, view)) {
		if (!node.ready) return { kind: "enter", phase: "stuck", cause: { kind: "neverCameBack", afterMs: view.at - firstAskAt(reboot) } };
		return bringBack(end, { kind: "rejoinedIncomplete", missing: missing ?? [] });
	}
	return stay;
}

/** Until when an act that nobody saw done may still come about, a cordon or a reboot pod. */
function unseenActUntil(reboot: Reboot): Instant {
	const leftAt = reboot.timeline.findLast((each) => each.phase === "uncordoning")?.at ?? reboot.phaseSince;
	const cordonSent = !reboot.adopted && leftAt >= reboot.admittedAt + reboot.policy.beforeDrainMs;
	if (cordonSent && cordonSeenAt(reboot) === null) return leftAt + underWayMs;
	const last = reboot.asks.at(-1);
	return last?.pod === "unseen" ? Math.min(leftAt, last.notAfter) + underWayMs : leftAt;
}

function stepUncordoning(reboot: Reboot, node: NodeFacts, view: RebootView): Next {
	const { end, cause } = reboot.ending ?? { end: "cancelled" as const, cause: { kind: "markGarbled" } as const };
	if (!hasMarkToRemove(node, reboot) && view.pods.known && rebootPods(view.pods).length === 0) {
		// Elsewhere a later look finds what comes about late; here the record is what brings one.
		if (view.dropped && view.at < unseenActUntil(reboot)) return stay;
		// Our uncordon removes both at once: a cordon that is left without a mark is somebody's who took the mark away.
		const cordonLeft = node.unschedulable && !reboot.foundCordoned && end !== "released" && end !== "replaced" && !handedOver(node);
		if (cordonLeft) return { kind: "end", end: "released", cause: { kind: "markRemoved" } };
		if (end !== "done") return { kind: "end", end, cause };
		return { kind: "enter", phase: "soaking", cause: reboot.foundCordoned ? { kind: "leftCordoned" } : { kind: "uncordoned" } };
	}
	const ending = { end: "released", cause: { kind: "handedOver", managers: node.unschedulableManagers } } as const;
	if (end !== "released" && end !== "replaced" && holdOn(node, reboot) === "handedOver") return { kind: "stay", change: { ending } };
	if (due(reboot, view) && !reboot.alarmed) return alarm(reboot);
	return stay;
}

function alarm(reboot: Reboot): Next {
	return { kind: "stay", change: { alarmed: true }, move: { kind: "alarmed", from: reboot.phase, to: null, cause: null } };
}

function stepSoaking(reboot: Reboot, node: NodeFacts, view: RebootView): Next {
	const over = reboot.deadlineAt === null || view.at >= reboot.deadlineAt;
	if (over && node.ready) return { kind: "end", end: "done", cause: { kind: "soaked" } };
	if (over && !node.ready && !reboot.alarmed) return alarm(reboot);
	return stay;
}

function stepStuck(reboot: Reboot, node: NodeFacts, view: RebootView): Next {
	const taken = takenFromUs(reboot, node, "released");
	if (taken !== null) return taken;
	if (!node.ready) return stay;
	if (node.bootId !== "" && node.bootId !== reboot.bootId) {
		const rebooted = { at: view.at, bootId: node.bootId, kernelVersion: node.kernelVersion };
		return { kind: "enter", phase: "rejoining", cause: { kind: "cameBack", sameBoot: false }, change: { rebooted } };
	}
	if (!view.pods.known || rebootPods(view.pods).length > 0) return stay;
	return bringBack("gaveUp", { kind: "cameBack", sameBoot: true });
}

/** The record stays until its reboot pod is seen gone: without it nobody would delete a pod that waits on a node of that name. */
function gone(reboot: Reboot, view: RebootView, cause: Cause): Next {
	if (rebootPods(view.pods).length === 0) return { kind: "end", end: "replaced", cause };
	if (reboot.phase === "uncordoning") return stay;
	return reboot.phase === "soaking" ? { kind: "end", end: "replaced", cause } : bringBack("replaced", cause);
}

function nextOf(reboot: Reboot, view: RebootView): Next {
	if (!view.node.known) return stay;
	const node = view.node.value;
	if (node === "absent") return gone(reboot, view, { kind: "nodeGone" });
	if (node.uid !== reboot.node.uid) return gone(reboot, view, { kind: "nodeReplaced", uid: node.uid });
	switch (reboot.phase) {
		case "cordoning":
			return stepCordoning(reboot, node, view);
		case "draining":
			return stepDraining(reboot, node, view);
		case "rebooting":
			return stepRebooting(reboot, node, view);
		case "rejoining":
			return stepRejoining(reboot, node, view);
		case "uncordoning":
			return stepUncordoning(reboot, node, view);
		case "soaking":
			return stepSoaking(reboot, node, view);
		case "stuck":
			return stepStuck(reboot, node, view);
		default: {
			const never: never = reboot.phase;
			return never;
		}
	}
}

/** The record in another phase, with that phase's deadline. */
export function enter(reboot: Reboot, phase: Phase, at: Instant, change: Partial<Reboot> = {}): Reboot {
	const timeoutMs = phaseTimeoutMs(phase, reboot.policy);
	// From the first ask to Ready is one time limit: rejoining goes on with it, unless it is over and a stuck node came back.
	const goesOn = phase === "rejoining" && reboot.phase === "rebooting";
	const deadlineAt = goesOn ? reboot.deadlineAt : timeoutMs === null ? null : at + timeoutMs;
	return {
		...reboot,
		phase,
		phaseSince: at,
		deadlineAt,
		deadlinePutOff: goesOn && reboot.deadlinePutOff,
		alarmed: false,
		notBefore: null,
		trouble: null,
		...change,
		timeline: [...reboot.timeline, { phase, at }],
	};
}

/**
 * After a gap without looks a deadline that is due is put off, once: what happened meanwhile deserves to be seen first. Not that of a cordon:
 * what let the node begin, its window's time above all, may not hold any more.
 */
function putOff(reboot: Reboot, view: RebootView): Reboot | null {
	if (!due(reboot, view) || reboot.deadlinePutOff || reboot.phase === "soaking" || reboot.phase === "cordoning") return null;
	if (view.lastLookAt === null || view.at - view.lastLookAt <= gapMs) return null;
	return { ...reboot, deadlineAt: view.at + putOffMs, deadlinePutOff: true };
}

/** May the next phase be judged by the very same view? Only where that phase needs no act of ours to have been seen. */
function judgedAtOnce(phase: Phase): boolean {
	return phase === "rejoining" || phase === "soaking";
}

/** Our mark was written on the very version of the node that it describes: it knows best whose cordon it is. */
function asMarked(reboot: Reboot, view: RebootView): Reboot {
	const mark = view.node.known && view.node.value !== "absent" && view.node.value.uid === reboot.node.uid ? view.node.value.mark : null;
	if (mark?.kind !== "mark" || mark.mark.record !== reboot.id || mark.mark.foundCordoned === reboot.foundCordoned) return reboot;
	return { ...reboot, foundCordoned: mark.mark.foundCordoned };
}

/** A pod that shows only now, after `rebooting` was left, was made all the same: nobody has to wait for it. */
function asSeen(reboot: Reboot, view: RebootView): Reboot {
	if (!view.node.known || reboot.phase === "rebooting" || reboot.asks.at(-1)?.pod !== "unseen") return reboot;
	return { ...reboot, ...withPodsSeen(reboot, view) };
}

/** What was asked for came about after all, while the node is being given back: it counts as a reboot of ours, and REBOOT_INTERVAL begins. */
function asBooted(reboot: Reboot, view: RebootView): Reboot {
	if (reboot.phase !== "uncordoning" || reboot.asks.length === 0 || reboot.rebooted !== null) return reboot;
	const node = view.node.known && view.node.value !== "absent" && view.node.value.uid === reboot.node.uid ? view.node.value : null;
	if (node === null || node.bootId === "" || node.bootId === reboot.bootId) return reboot;
	return { ...reboot, rebooted: { at: view.at, bootId: node.bootId, kernelVersion: node.kernelVersion } };
}

export function step(reboot: Reboot, view: RebootView): Stepped {
	const moves: Move[] = [];
	let current = asSeen(asBooted(asMarked(reboot, view), view), view);
	const later = putOff(current, view);
	if (later !== null) {
		current = later;
		moves.push({ kind: "deadlinePutOff", from: reboot.phase, to: null, cause: null });
	}
	for (;;) {
		const next = nextOf(current, view);
		const from = current.phase;
		switch (next.kind) {
			case "stay":
				if (next.change !== undefined) current = { ...current, ...next.change };
				if (next.move !== undefined) moves.push(next.move);
				return { reboot: current, ended: null, moves };
			case "end":
				moves.push({ kind: "ended", from, to: next.end, cause: next.cause });
				return { reboot: current, ended: { end: next.end, cause: next.cause }, moves };
			case "bringBack":
				current = enter(current, "uncordoning", view.at, { ending: { end: next.end, cause: next.cause } });
				moves.push({ kind: "moved", from, to: "uncordoning", cause: next.cause });
				return { reboot: current, ended: null, moves };
			case "enter":
				current = enter(current, next.phase, view.at, next.change);
				moves.push({ kind: "moved", from, to: next.phase, cause: next.cause });
				if (!judgedAtOnce(next.phase)) return { reboot: current, ended: null, moves };
				break;
			default: {
				const never: never = next;
				return never;
			}
		}
	}
}
