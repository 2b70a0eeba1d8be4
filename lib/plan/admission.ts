// Who begins next: for every node that waits, either "admit" or the reasons why not.
import { isInForce } from "./control.ts";
import { type InLine, lineOf, type WaitingNode } from "./line.ts";
import { backOffUntil, blockedPods, memoryOf, onProbation, saysNothingSince } from "./memory.ts";
import type { Control, Instant, NodeFacts, NodeMemory, NodeMetadata, Reboot, SentinelPod, View } from "./model.ts";
import { holdsOn, policyFor, type Settings, windowsFor } from "./policy.ts";
import type { Reason } from "./reasons.ts";
import { roomOf } from "./room.ts";
import { type WindowState, windowState } from "./windows.ts";

export interface Candidate {
	readonly waiting: WaitingNode;
	readonly facts: NodeFacts;
}

export interface AdmissionInput {
	readonly cluster: string;
	readonly view: View;
	/** Every reboot that keeps its room in this cluster. */
	readonly inFlight: readonly Reboot[];
	readonly memory: readonly NodeMemory[];
	readonly control: Control;
	readonly settings: Settings;
	/** What keeps the whole cluster from beginning anything. */
	readonly clusterReasons: readonly Reason[];
}

export interface Admission {
	readonly waiting: readonly WaitingNode[];
	readonly admitted: readonly Candidate[];
	/** Nodes that must be read, and tried by dry run, before they can be admitted: the next in line. */
	readonly toRead: readonly string[];
}

/** How many more than there is room for are read, so that one that is not fit does not cost a look. */
const spare = 2;

/** Why a node (or all of its cluster or pool) stands still by somebody's wish. */
export function holdReasons(
	input: { cluster: string; settings: Settings | null; control: Control; at: Instant },
	node: string,
	pool: string,
	annotation: string | null,
): readonly Reason[] {
	const held: Reason[] = [];
	if (input.settings !== null) for (const reason of holdsOn(input.settings, input.cluster, pool)) held.push({ kind: "held", by: "setting HOLD", reason });
	for (const hold of input.control.holds) {
		const covers = (hold.node === null || hold.node === node) && (hold.pool === null || hold.pool === pool);
		if (covers && isInForce(hold, input.at)) held.push({ kind: "held", by: hold.by, reason: hold.reason });
	}
	if (annotation !== null) held.push({ kind: "held", by: "its annotation", reason: annotation === "" ? "no reason given" : annotation });
	return held;
}

class PoolWindows {
	readonly #known = new Map<string, WindowState | null>();
	readonly #input: AdmissionInput;
	constructor(input: AdmissionInput) {
		this.#input = input;
	}
	/** Null: no window is named for the pool, which never means "always". */
	of(pool: string): WindowState | null {
		let state = this.#known.get(pool);
		if (state === undefined) {
			const windows = windowsFor(this.#input.settings, this.#input.cluster, pool);
			state = windows === undefined ? null : windowState(windows, this.#input.view.at);
			this.#known.set(pool, state);
		}
		return state;
	}
}

/** A pool that Azure is changing or has stopped: nothing begins there, and nothing is asked for. */
export function poolStateReasons(view: View, pool: string): readonly Reason[] {
	if (view.aks?.known !== true || view.aks.value.kind !== "managed") return [];
	const found = view.aks.value.pools.find((each) => each.name === pool);
	if (found === undefined || (found.provisioningState === "Succeeded" && found.powerState === "Running")) return [];
	return [{ kind: "poolState", pool, state: found.provisioningState === "Succeeded" ? found.powerState : found.provisioningState }];
}

function windowReasons(window: WindowState | null, neededMs: number, at: Instant): readonly Reason[] {
	if (window === null) return [{ kind: "noWindow" }];
	if (!window.open) return [{ kind: "windowClosed", opensAt: window.opensAt }];
	if (window.closesAt !== null && window.closesAt - at < neededMs) return [{ kind: "windowTooShort", leftMs: window.closesAt - at, neededMs }];
	return [];
}

/** What keeps one node from beginning, whatever the room: by what is known without reading it. */
function nodeReasons(input: AdmissionInput, { waiting, pod, remembered }: InLine, metadata: NodeMetadata, windows: PoolWindows): readonly Reason[] {
	const { view, settings, cluster } = input;
	const { pool } = metadata;
	const { node, requested } = waiting;
	const reasons: Reason[] = [...holdReasons({ ...input, at: view.at }, node, pool, metadata.hold)];
	if (metadata.virtual) reasons.push({ kind: "virtualNode" });
	// Wrong settings say nothing of windows and times, and what the fallback would say of them is not true.
	if (input.clusterReasons.some((each) => each.kind === "settingsWrong")) return reasons;
	const policy = policyFor(settings, cluster, pool);
	const window = windows.of(pool);
	if (requested?.ignoreWindow !== true) reasons.push(...windowReasons(window, policy.expectedDurationMs, view.at));
	reasons.push(...poolStateReasons(view, pool));
	// Somebody who asks for a reboot knows better than what was heard and done before.
	if (requested === null && pod !== null) reasons.push(...againReasons(view.at, pod, remembered, window, policy.rebootIntervalMs));
	return reasons;
}

/** What keeps a node that asks by its sentinel from being rebooted again so soon. */
function againReasons(
	at: Instant,
	pod: SentinelPod,
	remembered: NodeMemory | undefined,
	window: WindowState | null,
	rebootIntervalMs: number,
): readonly Reason[] {
	const reasons: Reason[] = [];
	const rebootedAt = remembered?.rebootedAt ?? null;
	// It does not ask again: nothing new has been heard of it.
	if (remembered !== undefined && pod.report.kind === "report" && saysNothingSince(remembered, pod))
		reasons.push({ kind: "reportStale", reported: pod.report.report.bootId, running: remembered.bootId });
	else if (rebootedAt !== null && at < rebootedAt + rebootIntervalMs)
		reasons.push({ kind: "rebootedRecently", at: rebootedAt, until: rebootedAt + rebootIntervalMs });
	if (pod.report.kind === "report") {
		const until = backOffUntil(remembered, pod.report.report.bootId, window ?? { open: false, opensAt: null }, at);
		const end = remembered?.lastEnd;
		if (until !== null && end) reasons.push({ kind: "backingOff", until, end: end.end, why: end.why, attempts: remembered?.attempts ?? 1 });
	}
	return reasons;
}

/** A request needs no report. */
function reportReasons({ pod, waiting }: InLine): readonly Reason[] {
	if (pod === null || waiting.requested !== null) return [];
	switch (pod.report.kind) {
		case "report":
			return [];
		case "none":
			return [{ kind: "reportUnreadable", why: "there is none" }];
		case "garbled":
			return [{ kind: "reportUnreadable", why: pod.report.why }];
	}
}

/** What keeps a node from beginning that only a fresh look at it and dry runs can tell. Null: it was not read. */
function freshReasons(input: AdmissionInput, { waiting, pod, remembered }: InLine): readonly Reason[] | null {
	const { view } = input;
	const reading = view.nodes.get(waiting.node);
	// Who might begin is what Azure is asked for: an upgrade under way is not known before.
	if (reading === undefined || view.aks === null) return null;
	if (!reading.known) return [{ kind: "nodeUnknown", why: reading.why }];
	const node = reading.value;
	if (node === "absent") return [{ kind: "nodeGone" }];
	const reasons: Reason[] = [];
	if (node.deleting) reasons.push({ kind: "nodeLeaving", why: "it is being deleted" });
	const leaving = node.taints.find((taint) => leavingTaints.includes(taint));
	if (leaving !== undefined) reasons.push({ kind: "nodeLeaving", why: `taint ${leaving}` });
	if (!node.ready) reasons.push({ kind: "nodeNotReady" });
	if (node.virtual) reasons.push({ kind: "virtualNode" });
	if (node.mark.kind !== "none") reasons.push({ kind: "nodeMarked", record: node.mark.kind === "mark" ? node.mark.mark.record : "unreadable" });
	if (waiting.requested === null && pod?.report.kind === "report" && pod.report.report.bootId !== node.bootId)
		reasons.push({ kind: "reportStale", reported: pod.report.report.bootId, running: node.bootId });
	// A reboot is asked of a boot, never of a node.
	if (waiting.requested !== null && waiting.requested.bootId !== node.bootId)
		reasons.push({ kind: "nodeUnknown", why: `it reports boot ${JSON.stringify(node.bootId)}, and boot ${waiting.requested.bootId} is to be ended` });
	const lastEnd = remembered?.lastEnd;
	if (node.unschedulable && lastEnd?.end === "released" && remembered?.bootId === node.bootId) reasons.push({ kind: "takenOver", at: lastEnd.at });
	const known = input.view.metadata.get(waiting.node)?.hold ?? null;
	if (node.hold !== null && known === null) reasons.push({ kind: "held", by: "its annotation", reason: node.hold === "" ? "no reason given" : node.hold });
	if (reasons.length > 0) return reasons;
	const preflight = view.preflights.get(waiting.node);
	if (preflight === undefined) return null;
	if (preflight.rebootPod.kind === "refused") reasons.push({ kind: "rebootPodRefused", why: preflight.rebootPod.why });
	if (preflight.rebootPod.kind === "unknown") reasons.push({ kind: "rebootPodUnknown", why: preflight.rebootPod.why });
	// Where the settings go past a blocked drain by now, what blocked the last one is no obstacle any more.
	const gives = policyFor(input.settings, input.cluster, node.pool).drainTimeoutAction === "give-up";
	if (preflight.blocked.length > 0 && gives) reasons.push({ kind: "stillBlocked", obstacles: preflight.blocked });
	return reasons;
}

/** Taints by which others say that they are taking the node away: the autoscaler, Karpenter, AKS' own drain. */
const leavingTaints = [
	"ToBeDeletedByClusterAutoscaler",
	"karpenter.sh/disrupted",
	"remediator.kubernetes.azure.com/unschedulable",
	"node.cloudprovider.kubernetes.io/shutdown",
];

/** Nodes rebooted lately that are not well, or did not come back at all: nothing new begins beside them, however much room there is. */
function probationReasons(input: AdmissionInput): readonly Reason[] {
	const { view } = input;
	const reasons: Reason[] = input.inFlight.flatMap((each) => unwell(each, view) ?? []);
	// From its next ask on a node goes down because we want it to, and is judged as what is in flight.
	const asked = new Set(input.inFlight.flatMap((each) => (each.asks.length > 0 ? [each.node.name] : [])));
	for (const each of onProbation(input.memory, view.at)) {
		if (asked.has(each.node)) continue;
		const until = (each.rebootedAt ?? 0) + each.probationMs;
		const reading = view.nodes.get(each.node);
		if (reading === undefined || !reading.known) {
			reasons.push({ kind: "probation", node: each.node, what: "unknown", until });
			continue;
		}
		if (reading.value === "absent" || reading.value.uid !== each.nodeUid) continue;
		if (!reading.value.ready) reasons.push({ kind: "probation", node: each.node, what: "notReady", until });
		else {
			const what = silence(view, each.node, reading.value.bootId);
			if (what !== null) reasons.push({ kind: "probation", node: each.node, what, until });
		}
	}
	return reasons;
}

/** A reboot in flight that went wrong: it needs a person, or soaks and is not Ready. */
function unwell(reboot: Reboot, view: View): Reason | null {
	const node = reboot.node.name;
	if (reboot.phase === "stuck") return { kind: "stuck", node };
	if (reboot.phase !== "soaking") return null;
	if (reboot.alarmed) return { kind: "stuck", node };
	const until = (reboot.rebooted?.at ?? reboot.phaseSince) + reboot.policy.probationMs;
	const reading = view.nodes.get(node);
	if (view.at >= until) return null;
	if (reading === undefined || !reading.known) return { kind: "probation", node, what: "unknown", until };
	return reading.value !== "absent" && !reading.value.ready ? { kind: "probation", node, what: "notReady", until } : null;
}

/** The DaemonSet counts silent nodes for free; only when there are some is it asked whether this is one. */
function silence(view: View, node: string, bootId: string): "silent" | "unknown" | null {
	if (view.sentinel.known && view.sentinel.value !== "absent" && view.sentinel.value.ready >= view.sentinel.value.desired) return null;
	const pods = view.pods.get(node);
	if (pods === undefined || !pods.known) return "unknown";
	const reports = pods.value.some(({ sentinel }) => sentinel?.ready === true && sentinel.report.kind === "report" && sentinel.report.report.bootId === bootId);
	return reports ? null : "silent";
}

/** Whether nodes on probation have to be read, and whether their pods too. */
export function probationToRead(
	memory: readonly NodeMemory[],
	view: Pick<View, "at" | "sentinel">,
): { readonly nodes: readonly string[]; readonly pods: boolean } {
	const { sentinel } = view;
	const allReport = sentinel.known && sentinel.value !== "absent" && sentinel.value.ready >= sentinel.value.desired;
	return { nodes: onProbation(memory, view.at).map((each) => each.node), pods: !allReport };
}

/** Why neither pool nor hold of a node are known. */
function unreadBecause(view: View, node: string): string {
	const reading = view.nodes.get(node);
	return reading === undefined || reading.known ? "its pool has not been read yet" : reading.why;
}

export function admit(input: AdmissionInput): Admission {
	const { view } = input;
	const inFlight = new Set(input.inFlight.map((each) => each.node.name));
	const windows = new PoolWindows(input);
	const probation = probationReasons(input);
	const room = roomOf(input);
	// A dry run says what would begin: where it alone stands in the way, the line is gone through as if it were not there.
	const rehearsal = input.clusterReasons.length > 0 && input.clusterReasons.every((each) => each.kind === "dryRun");
	const before = rehearsal ? [] : input.clusterReasons;
	const atLast = rehearsal ? input.clusterReasons : [];
	const result = { waiting: [] as WaitingNode[], admitted: [] as Candidate[], toRead: [] as string[] };
	let place = 0;
	let first = "";
	let spared = 0;
	for (const inLine of lineOf(view, input.memory, input.control.requests, inFlight)) {
		const { waiting } = inLine;
		const { node } = waiting;
		const metadata = view.metadata.get(node);
		const standing: Reason[] = [...before, ...reportReasons(inLine)];
		if (metadata === undefined) standing.push({ kind: "nodeUnknown", why: unreadBecause(view, node) });
		else standing.push(...nodeReasons(input, inLine, metadata, windows));
		if (standing.length > 0 || metadata === undefined) {
			result.waiting.push({ ...waiting, reasons: [...standing, ...atLast] });
			continue;
		}
		const fresh = freshReasons(input, inLine);
		if (fresh !== null && fresh.length > 0) {
			result.waiting.push({ ...waiting, reasons: [...fresh, ...atLast] });
			continue;
		}
		place++;
		if (first === "") first = node;
		const begins = probation.length === 0 && fresh !== null;
		const full = room.take(node, metadata.pool, begins && !rehearsal);
		if (full === null && begins) {
			const reading = view.nodes.get(node);
			if (!rehearsal && reading?.known && reading.value !== "absent") result.admitted.push({ waiting, facts: reading.value });
			result.waiting.push({ ...waiting, reasons: rehearsal ? [{ kind: "wouldBegin" }] : [] });
			continue;
		}
		// Where those in flight have taken the room, nothing begins in this look, whatever is read.
		if (fresh === null && (full === null || (full === "kept" && spared++ < spare))) result.toRead.push(node);
		const behind: Reason[] = place > 1 ? [{ kind: "behind", place, first }] : [];
		const unread: Reason[] = full === null && fresh === null && probation.length === 0 ? [{ kind: "next" }] : [];
		result.waiting.push({ ...waiting, reasons: [...probation, ...(full === null || full === "kept" ? [] : [full]), ...behind, ...unread, ...atLast] });
	}
	return result;
}

/** Pods to try by dry run before a node is admitted again: those whose budgets ended its last drain. */
export function podsToTry(memory: readonly NodeMemory[], node: NodeFacts) {
	return blockedPods(memoryOf(memory, node.name), node.bootId);
}
