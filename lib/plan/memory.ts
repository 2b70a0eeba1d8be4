// What is remembered of a node beyond one reboot: since when it waits, that we rebooted it, how often in a row it was given up.
import type { EndedReboot, Instant, NodeMemory, Obstacle, SentinelPod } from "./model.ts";
import type { WindowState } from "./windows.ts";

const minuteMs = 60_000;
const backOffFirstMs = 15 * minuteMs;
/** Before the share of the node is added: 6 hours with it. */
const backOffLastMs = 4 * 60 * minuteMs;
/** What ended without a reboot is forgotten after this, when the node no longer asks. */
const forgetMs = 24 * 60 * minuteMs;

function blank(node: string, nodeUid: string, bootId: string): NodeMemory {
	return { node, nodeUid, bootId, waitingSince: null, rebootedAt: null, rebootIntervalMs: 0, probationMs: 0, attempts: 0, lastEnd: null };
}

/** What is remembered of our last reboot, whatever boot came after it. */
function ourReboot({ rebootedAt, rebootIntervalMs, probationMs }: NodeMemory): Pick<NodeMemory, "rebootedAt" | "rebootIntervalMs" | "probationMs"> {
	return { rebootedAt, rebootIntervalMs, probationMs };
}

export function memoryOf(memory: readonly NodeMemory[], node: string): NodeMemory | undefined {
	return memory.find((each) => each.node === node);
}

/**
 * 15 minutes, doubled for every further time in a row, and up to half as much again; 6 hours at most. Nodes that gave up at one moment,
 * each holding the room that the other's pods need, would begin together and meet again for ever: what is added differs by node, and
 * by moment, so that two of them do not have the same bad luck every night.
 */
export function backOffMs(node: string, attempts: number, endedAt: Instant): number {
	const leastMs = Math.min(backOffLastMs, backOffFirstMs * 2 ** Math.min(20, attempts - 1));
	return Math.round(leastMs * (1 + shareOf(`${node} ${endedAt}`) / 2));
}

/** From 0 up to 1, always the same for the same text. FNV-1a, then the finalizer of MurmurHash3: names of nodes differ in their last letter. */
function shareOf(text: string): number {
	let hash = 0x811c9dc5;
	for (const letter of text) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** Whether an end counts against the node: not where what forbade it is itself the reason for as long as it lasts. */
function backsOff(ended: EndedReboot): boolean {
	if (ended.end === "gaveUp") return ended.cause.kind !== "windowClosed";
	return ended.end === "cancelled" && ended.cause.kind !== "forbidden";
}

/** What an eviction will meet again unless somebody changes it: it is tried by dry run before the node is emptied once more. */
function blockedBy(ended: EndedReboot): readonly Obstacle[] {
	if (ended.cause.kind !== "drainTimedOut") return [];
	return ended.cause.obstacles.filter(({ kind }) => kind === "budget" || kind === "twoBudgets" || kind === "refused");
}

/** What is remembered once a reboot has ended. `why` is the sentence that people read. */
export function afterEnd(memory: NodeMemory | undefined, ended: EndedReboot, why: string): NodeMemory {
	const { node, policy } = ended.reboot;
	const bootId = ended.reboot.rebooted?.bootId ?? ended.reboot.bootId;
	const known = memory !== undefined && memory.nodeUid === node.uid ? memory : blank(node.name, node.uid, bootId);
	const base = known.bootId === bootId ? known : { ...blank(node.name, node.uid, bootId), ...ourReboot(known) };
	if (ended.reboot.asks.length > 0 && ended.reboot.rebooted !== null) {
		const rebootedAt = ended.reboot.rebooted.at;
		return { ...base, waitingSince: null, rebootedAt, rebootIntervalMs: policy.rebootIntervalMs, probationMs: policy.probationMs, attempts: 0, lastEnd: null };
	}
	// The cluster went to another scheduler: of the node itself, and of its cordon, that says nothing.
	if (ended.cause.kind === "ownerChanged") return base;
	const counts = backsOff(ended);
	const attempts = counts ? base.attempts + 1 : base.attempts;
	const backOffUntil = counts ? ended.endedAt + backOffMs(node.name, attempts, ended.endedAt) : null;
	return { ...base, attempts, lastEnd: { end: ended.end, why, at: ended.endedAt, backOffUntil, blocked: blockedBy(ended) } };
}

/** Until when the node backs off: forgotten at a new boot id and at the next opening of its window. */
export function backOffUntil(memory: NodeMemory | undefined, bootId: string, window: WindowState, at: Instant): Instant | null {
	const end = memory?.lastEnd;
	if (memory === undefined || !end || end.backOffUntil === null || memory.bootId !== bootId) return null;
	if (window.open && window.openedAt !== null && window.openedAt > end.at) return null;
	return end.backOffUntil > at ? end.backOffUntil : null;
}

/** When the node's last try failed, on this boot, so that it had to back off; null: it did not. The opening of a window does not change that. */
export function failedAt(memory: NodeMemory | undefined, bootId: string | null): Instant | null {
	const end = memory?.lastEnd;
	return memory !== undefined && end && end.backOffUntil !== null && memory.bootId === bootId ? end.at : null;
}

/**
 * The memory without the back-offs that the opening of a window ended: the next failure counts as the first again.
 * `windowOf`: the window of a node's pool; null where the pool is not known.
 */
export function reconsidered(memory: readonly NodeMemory[], windowOf: (node: string) => WindowState | null): readonly NodeMemory[] {
	return memory.map((each) => {
		if (each.attempts === 0 || each.lastEnd === null) return each;
		const window = windowOf(each.node);
		const opened = window?.open === true && window.openedAt !== null && window.openedAt > each.lastEnd.at;
		if (!opened) return each;
		// Over, and not null where it was not: that it failed is still known.
		const backOffUntil = each.lastEnd.backOffUntil === null ? null : each.lastEnd.at;
		return { ...each, attempts: 0, lastEnd: { ...each.lastEnd, backOffUntil } };
	});
}

/** Pods that blocked the node's last drain, for as long as it counts. */
export function blockedPods(memory: NodeMemory | undefined, bootId: string): readonly Obstacle[] {
	return memory !== undefined && memory.bootId === bootId ? (memory.lastEnd?.blocked ?? []) : [];
}

/** Nodes that we rebooted and that are on probation. */
export function onProbation(memory: readonly NodeMemory[], at: Instant): readonly NodeMemory[] {
	return memory.filter((each) => each.rebootedAt !== null && at < each.rebootedAt + each.probationMs);
}

/**
 * A sentinel that has been silent since our reboot: label and report on its pod are still those of the boot that was ended, and say nothing
 * of this one.
 */
export function saysNothingSince(memory: NodeMemory | undefined, pod: SentinelPod): boolean {
	if (memory === undefined || memory.rebootedAt === null || pod.ready || pod.report.kind !== "report") return false;
	return pod.report.report.bootId !== memory.bootId;
}

/**
 * The memory with the earliest `since` of those that wait (null: not known who waits), and without what no longer matters.
 * `longestIntervalMs`: the longest REBOOT_INTERVAL of today's settings, which may be longer than the one that a node was rebooted under.
 */
export function refreshed(
	memory: readonly NodeMemory[],
	waiting: readonly SentinelPod[] | null,
	uidOf: (node: string) => string | null,
	at: Instant,
	longestIntervalMs = 0,
): readonly NodeMemory[] {
	const byNode = new Map(memory.map((each) => [each.node, each]));
	const asking = new Set<string>();
	for (const pod of waiting ?? []) {
		asking.add(pod.node);
		if (pod.report.kind !== "report" || pod.report.report.since === null) continue;
		const { bootId, since } = pod.report.report;
		const found = byNode.get(pod.node);
		const uid = uidOf(pod.node);
		const nodeUid = uid ?? found?.nodeUid ?? "";
		// Another node of the same name inherits nothing.
		const before = found !== undefined && (uid === null || found.nodeUid === "" || found.nodeUid === uid) ? found : undefined;
		if (saysNothingSince(before, pod)) continue;
		const same = before !== undefined && before.bootId === bootId;
		// What is as it was stays the very same entry: nothing of it has to be written.
		if (same && before.nodeUid === nodeUid && before.waitingSince !== null && before.waitingSince <= since) continue;
		const base = same ? { ...before, nodeUid } : { ...blank(pod.node, nodeUid, bootId), ...(before === undefined ? {} : ourReboot(before)) };
		byNode.set(pod.node, { ...base, waitingSince: Math.min(base.waitingSince ?? since, since) });
	}
	return [...byNode.values()].filter((each) => (waiting !== null && asking.has(each.node)) || stillMatters(each, waiting === null, at, longestIntervalMs));
}

function stillMatters(memory: NodeMemory, waitingUnknown: boolean, at: Instant, longestIntervalMs: number): boolean {
	if (memory.rebootedAt !== null && at < memory.rebootedAt + Math.max(memory.rebootIntervalMs, memory.probationMs, longestIntervalMs)) return true;
	if (memory.lastEnd !== null && at < memory.lastEnd.at + forgetMs) return true;
	return waitingUnknown && memory.waitingSince !== null;
}
