// One look at one cluster, thought through: what every reboot in flight becomes, what is adopted, who begins, what is to be done, and
// why the others wait. Pure: performs nothing and knows no clock.
import { type Action, actionsFor, noRecord } from "./actions.ts";
import { type AdmissionInput, admit, holdReasons, poolStateReasons } from "./admission.ts";
import { adopt } from "./adoption.ts";
import { explainCause, explainProblem } from "./explain.ts";
import type { WaitingNode } from "./line.ts";
import { afterEnd, memoryOf, reconsidered, refreshed } from "./memory.ts";
import type { Control, EndedReboot, Instant, NodeFacts, NodeMemory, Reboot, RebootPodRef, SentinelDaemonSet, View } from "./model.ts";
import { patchTimeoutMs } from "./phases.ts";
import { type ClusterTarget, covers, policyFor, poolScopes, type SettingProblem, type Settings, scopedDefaults, targetId, windowsFor } from "./policy.ts";
import type { Reason } from "./reasons.ts";
import { newReboot } from "./record.ts";
import { type FinishedRequest, finishedRequests, isWithdrawn, standing } from "./requests.ts";
import { crowdedOut } from "./room.ts";
import { type RebootView, type Stepped, step } from "./step.ts";
import { type WindowState, windowState } from "./windows.ts";

export interface PlanInput {
	readonly target: ClusterTarget;
	/** Our name: what the owner Lease must say. */
	readonly us: string;
	readonly view: View;
	readonly records: readonly Reboot[];
	readonly memory: readonly NodeMemory[];
	readonly control: Control;
	/** Null: they are wrong, and nothing new is begun. */
	readonly settings: Settings | null;
	readonly problems: readonly SettingProblem[];
	/** The cluster is in `CLUSTERS`; one that was dropped is only recovered. */
	readonly configured: boolean;
	/** Another name under which the same cluster is looked at: it is that one's, and nothing is begun or adopted here. */
	readonly twin: string | null;
	/** Policy for what is adopted while the settings are wrong. */
	readonly fallback: Settings;
	readonly lastLookAt: Instant | null;
	/** A fresh id from which those of new records are made. */
	readonly newId: string;
}

export interface PlannedStep extends Stepped {
	readonly before: Reboot;
}

export interface Plan {
	readonly steps: readonly PlannedStep[];
	readonly ended: readonly EndedReboot[];
	readonly adopted: readonly Reboot[];
	readonly admitted: readonly Reboot[];
	/** The owner Lease is nobody's and there is work: write our name into it. */
	readonly claim: boolean;
	/** In the order in which they are to be done: recovery before admissions. Per reboot, the first that fails ends its list. */
	readonly actions: readonly Action[];
	readonly memory: readonly NodeMemory[];
	/** What people asked, and still stands. */
	readonly control: Control;
	/** What they asked and is over. */
	readonly finished: readonly FinishedRequest[];
	readonly waiting: readonly WaitingNode[];
	/** What keeps the cluster as a whole from beginning anything. */
	readonly clusterReasons: readonly Reason[];
	/** Nodes that have to be read before they can be admitted. */
	readonly toRead: readonly string[];
}

/** What forbids new work of any kind, and brings back what is not yet asked for. */
function forbiddenHere(input: PlanInput): readonly Reason[] {
	const reasons: Reason[] = [];
	const first = input.problems[0];
	if (input.settings === null) {
		const text = first === undefined ? "they could not be read" : explainProblem(first);
		reasons.push({ kind: "settingsWrong", problems: Math.max(1, input.problems.length), first: text });
	}
	if (!input.configured) reasons.push({ kind: "removed" });
	if (input.twin !== null) reasons.push({ kind: "sameCluster", other: input.twin });
	if (input.settings?.dryRun === true) reasons.push({ kind: "dryRun" });
	return reasons;
}

/** Nobody waits or asked for anything, nothing is in flight or marked: what was not looked at is not missing. */
function idle({ view, records, control }: PlanInput): boolean {
	return (
		records.length === 0 &&
		control.requests.length === 0 &&
		view.waiting.known &&
		view.waiting.value.length === 0 &&
		view.cordoned.every((node) => node.mark.kind === "none")
	);
}

/** What only new work needs, and is missing or not known: recovery goes on without it. */
function missingHere(input: PlanInput): readonly Reason[] {
	const { view, us } = input;
	const reasons: Reason[] = [];
	const needed = !idle(input);
	if (needed && !view.clusterUid.known) reasons.push({ kind: "clusterUnknown", why: view.clusterUid.why });
	if (!view.owner.known) reasons.push({ kind: "ownerUnknown", why: view.owner.why });
	else if (view.owner.value.kind === "named" && view.owner.value.holder !== us) reasons.push({ kind: "notOwner", owner: view.owner.value.holder, us });
	if (!view.sentinel.known) reasons.push({ kind: "sentinelUnknown", why: view.sentinel.why });
	else if (view.sentinel.value === "absent") reasons.push({ kind: "sentinelAbsent" });
	if (!view.waiting.known) reasons.push({ kind: "waitingUnknown", why: view.waiting.why });
	return [...reasons, ...clusterStateReasons(input)];
}

/** What Azure says of the cluster. Where nothing is in flight it need not have been asked: who may begin is admitted only once it was. */
function clusterStateReasons({ view, records }: PlanInput): readonly Reason[] {
	const { aks } = view;
	if (aks === null) return records.length > 0 ? [{ kind: "clusterStateUnknown", why: "it was not read" }] : [];
	if (!aks.known) return [{ kind: "clusterStateUnknown", why: aks.why }];
	switch (aks.value.kind) {
		case "notManaged":
			return [];
		case "absent":
			return [{ kind: "clusterState", state: "not found" }];
		case "managed": {
			const { provisioningState, powerState } = aks.value;
			if (powerState !== "Running") return [{ kind: "clusterState", state: powerState }];
			return provisioningState === "Succeeded" ? [] : [{ kind: "clusterState", state: provisioningState }];
		}
	}
}

/**
 * A pool scope of a cluster named in full that no pool matches: probably a typing error, so nothing begins until it is mended.
 * (A wildcard in the cluster's part is meant for those clusters that have such a pool.)
 */
function unmatchedPoolScopes({ settings, view, target }: PlanInput): readonly Reason[] {
	// A pool that has no nodes now is known to Azure alone.
	if (settings === null || view.aks === null) return [];
	const inAzure = view.aks.known && view.aks.value.kind === "managed" ? view.aks.value.pools.map((each) => each.name) : [];
	return scopesWithoutPool(settings, target.name, view.poolSizes, inAzure).map((scope) => ({ kind: "poolScopeUnmatched", scope }));
}

/** Pool scopes that name the cluster in full and match no pool that has nodes, nor any of the others that are given. */
export function scopesWithoutPool(settings: Settings, cluster: string, poolSizes: View["poolSizes"], others: readonly string[] = []): readonly string[] {
	if (!poolSizes.known) return [];
	const pools = [...poolSizes.value.keys(), ...others];
	const unmatched = poolScopes(settings, cluster).filter((scope) => !scope.cluster.includes("*") && !pools.some((pool) => covers(scope, cluster, pool)));
	return unmatched.map((scope) => `${scope.cluster}/${scope.pool}`);
}

function ownedByOther(input: PlanInput): string | null {
	const { owner } = input.view;
	return owner.known && owner.value.kind === "named" && owner.value.holder !== input.us ? owner.value.holder : null;
}

function rebootView(input: PlanInput, reboot: Reboot, inFlight: readonly Reboot[], forbidden: readonly Reason[], missing: readonly Reason[]): RebootView {
	const { view, settings, target, control } = input;
	const node = view.nodes.get(reboot.node.name) ?? { known: false as const, why: "it was not read" };
	const annotation = node.known && node.value !== "absent" ? node.value.hold : null;
	const { pool } = reboot.node;
	const held = holdReasons({ cluster: target.name, settings, control, at: view.at }, reboot.node.name, pool, annotation);
	const absent = missing.filter((reason) => reason.kind === "sentinelAbsent");
	const withdrawn: readonly Reason[] = isWithdrawn(reboot, control, view.at) ? [{ kind: "requestWithdrawn" }] : [];
	const full = settings === null ? null : crowdedOut({ cluster: target.name, view, settings, inFlight }, reboot);
	const windows = settings === null ? undefined : windowsFor(settings, target.name, pool);
	return {
		at: view.at,
		node,
		pods: view.pods.get(reboot.node.name) ?? { known: false, why: "its pods were not read" },
		daemonSets: view.daemonSets,
		// A sentinel that is known to be gone will not come to say anything: no use in waiting for it.
		forbidden: [...forbidden, ...held, ...absent, ...withdrawn][0] ?? full,
		dropped: !input.configured,
		impediments: [...missing, ...poolStateReasons(view, pool)],
		window: settings === null ? null : windows === undefined ? { open: false, opensAt: null } : windowState(windows, view.at),
		lastLookAt: input.lastLookAt,
	};
}

/**
 * Marked nodes without a record that are ours to adopt: the Lease decides; where it is nobody's, the mark's own word. While it cannot be
 * read, nothing is: a mark still names who wrote it when another has taken the cluster over.
 * One that was uncordoned is found when it is read as a candidate: its mark would keep it from being admitted for ever.
 */
export function toAdopt(view: Pick<View, "owner" | "cordoned" | "nodes">, records: readonly Reboot[], us: string): readonly NodeFacts[] {
	const { owner } = view;
	if (!owner.known) return [];
	const named = owner.value.kind === "named" ? owner.value.holder : null;
	if (named !== null && named !== us) return [];
	const inFlight = new Set(records.map((each) => each.node.name));
	const read = [...view.nodes.values()].flatMap((each) => (each.known && each.value !== "absent" ? [each.value] : []));
	const nodes = new Map([...view.cordoned, ...read].map((node) => [node.name, node]));
	return [...nodes.values()].filter((node) => {
		if (node.mark.kind === "none" || inFlight.has(node.name)) return false;
		return named === us || (node.mark.kind === "mark" && node.mark.mark.owner === us);
	});
}

function adoptions(input: PlanInput): readonly Reboot[] {
	const { view, target } = input;
	if (input.twin !== null) return [];
	const uid = view.clusterUid.known ? view.clusterUid.value : "";
	return toAdopt(view, input.records, input.us).map((node, i) =>
		adopt({
			at: view.at,
			node,
			cluster: { name: target.name, id: targetId(target), uid },
			policy: policyFor(input.settings ?? input.fallback, target.name, node.pool),
			newId: `${input.newId}-a${i}`,
		}),
	);
}

function admitted(input: PlanInput, waiting: WaitingNode, facts: NodeFacts, number: number, settings: Settings): Reboot {
	const { at } = input.view;
	const request = waiting.requested;
	const ofPool = policyFor(settings, input.target.name, facts.pool);
	// Stored with the record: the window is no more looked at when the reboot is asked for than when it is begun.
	const policy = request?.ignoreWindow === true ? { ...ofPool, windowCloses: "finish" as const } : ofPool;
	return newReboot({
		id: `${input.newId}-${number}`,
		cluster: { name: input.target.name, id: targetId(input.target), uid: input.view.clusterUid.known ? input.view.clusterUid.value : "" },
		node: { name: facts.name, uid: facts.uid, pool: facts.pool },
		bootId: facts.bootId,
		kernelVersion: facts.kernelVersion,
		packages: waiting.packages.slice(0, 50),
		waitingSince: waiting.since,
		foundCordoned: facts.unschedulable,
		request,
		policy,
		admittedAt: at,
		phase: "cordoning",
		phaseSince: at,
		deadlineAt: at + policy.beforeDrainMs + patchTimeoutMs,
		notBefore: at + policy.beforeDrainMs,
	});
}

/** Nothing is done to a node that the very same look would bring back: that is written first, and done at the next. */
function adoptedActions(reboot: Reboot, view: RebootView, us: string, sentinel: SentinelDaemonSet | null): readonly Action[] {
	const next = step(reboot, view);
	return next.ended === null && next.reboot.phase === reboot.phase ? actionsFor(reboot, view, us, sentinel) : [];
}

/**
 * Reboot pods of which no record knows and no mark tells: made by a call that was applied after its reboot had ended, or left where the
 * table was lost and somebody took the mark away. One of another name of this cluster is told by its node's mark.
 */
export function leftBehind({ rebootPods, cordoned }: Pick<View, "rebootPods" | "cordoned">, inFlight: readonly Reboot[]): readonly RebootPodRef[] {
	const known = new Set([...inFlight.map((each) => each.node.name), ...cordoned.filter((each) => each.mark.kind !== "none").map((each) => each.name)]);
	return rebootPods.filter((pod) => !known.has(pod.node));
}

/** Theirs whom the Lease names: nobody else knows that nothing is in flight there. */
function deletions(input: PlanInput, inFlight: readonly Reboot[]): readonly Action[] {
	const { owner } = input.view;
	if (input.twin !== null || !owner.known || owner.value.kind !== "named" || owner.value.holder !== input.us) return [];
	return leftBehind(input.view, inFlight).map(({ name, uid, node }) => ({ kind: "deleteRebootPod", record: noRecord, node, pod: name, uid }));
}

/** Marks that cannot be read name no owner: whoever sees one where the Lease is nobody's takes the cluster, or the cordon would stay. */
function unreadableMarks(input: PlanInput): boolean {
	return input.view.cordoned.some((node) => node.mark.kind === "garbled" && input.records.every((each) => each.node.name !== node.name));
}

/** Everything of ours in a cluster that the Lease gives to another: let go, without touching it. */
function letGo(input: PlanInput, owner: string): readonly PlannedStep[] {
	return input.records.map((before) => {
		const cause = { kind: "ownerChanged", owner } as const;
		return { before, reboot: before, ended: { end: "released", cause }, moves: [{ kind: "ended", from: before.phase, to: "released", cause }] };
	});
}

function endedOf(steps: readonly PlannedStep[], at: Instant): readonly EndedReboot[] {
	return steps.flatMap(({ reboot, ended }) => (ended === null ? [] : [{ reboot, ...ended, endedAt: at }]));
}

function windowOf({ settings, target, view }: PlanInput, pool: string | null): WindowState | null {
	const windows = settings === null || pool === null ? undefined : windowsFor(settings, target.name, pool);
	return windows === undefined ? null : windowState(windows, view.at);
}

/** In the settings of today, for whatever pool. */
function longestIntervalMs({ settings, fallback }: PlanInput): number {
	return Math.max(scopedDefaults.rebootIntervalMs, ...(settings ?? fallback).rebootIntervalMs.map((each) => each.value));
}

function remember(input: PlanInput, ended: readonly EndedReboot[]): readonly NodeMemory[] {
	const { view } = input;
	const waiting = view.waiting.known ? view.waiting.value : null;
	let memory = reconsidered(
		refreshed(input.memory, waiting, (node) => view.metadata.get(node)?.uid ?? null, view.at, longestIntervalMs(input)),
		(node) => windowOf(input, view.metadata.get(node)?.pool ?? null),
	);
	for (const each of ended) {
		// A node that bore a copy of another's mark is still that node, and remembers what it did.
		if (each.cause.kind === "markCopied") continue;
		const { name } = each.reboot.node;
		const next = afterEnd(memoryOf(memory, name), each, explainCause(each.cause, each.reboot.node.name));
		memory = [...memory.filter((one) => one.node !== name), ...(each.end === "replaced" ? [] : [next])];
	}
	return [...memory].sort((a, b) => (a.node < b.node ? -1 : a.node > b.node ? 1 : 0));
}

export function plan(input: PlanInput): Plan {
	const { view, settings, us } = input;
	const forbidden = forbiddenHere(input);
	const missing = missingHere(input);
	const other = ownedByOther(input);
	const adopted = adoptions(input);
	const inFlight = [...input.records, ...adopted];
	const viewOf = (reboot: Reboot) => rebootView(input, reboot, inFlight, forbidden, missing);
	const steps = other !== null ? letGo(input, other) : input.records.map((before) => ({ before, ...step(before, viewOf(before)) }));
	const ended = endedOf(steps, view.at);
	const going = steps.flatMap(({ reboot, ended: end }) => (end === null ? [reboot] : []));
	const memory = remember(input, ended);
	const finished = finishedRequests(input.control, view, going, ended);
	const control = standing(input.control, finished, view.at);
	const clusterReasons = [...forbidden, ...missing, ...unmatchedPoolScopes(input)];
	const unclaimed = view.owner.known && view.owner.value.kind === "absent";
	const admission = admissionOf(input, { inFlight: [...going, ...adopted], memory, control, clusterReasons });
	// Whom the Lease does not name begins nothing: the name is written first, and seen by the next look.
	const newcomers = unclaimed || settings === null ? [] : admission.admitted.map(({ waiting, facts }, i) => admitted(input, waiting, facts, i, settings));
	const claim =
		unclaimed &&
		input.settings?.dryRun !== true &&
		input.configured &&
		input.twin === null &&
		(admission.admitted.length > 0 || adopted.length > 0 || going.length > 0 || unreadableMarks(input) || leftBehind(view, going).length > 0);
	const waiting = unclaimed
		? admission.waiting.map((each) => (each.reasons.length > 0 ? each : { ...each, reasons: [{ kind: "claiming" } as const] }))
		: admission.waiting;
	const sentinel: SentinelDaemonSet | null = view.sentinel.known && view.sentinel.value !== "absent" ? view.sentinel.value : null;
	const recovered = other !== null ? [] : steps.map(({ reboot }) => reboot);
	const actionsOf = (reboot: Reboot) => actionsFor(reboot, viewOf(reboot), us, sentinel);
	const endedIds = new Set(ended.map((each) => each.reboot.id));
	const actions = [
		...recovered.flatMap(actionsOf),
		...adopted.flatMap((each) => adoptedActions(each, viewOf(each), us, sentinel)),
		...newcomers.flatMap(actionsOf),
		...deletions(input, [...going, ...adopted]),
	].filter((action) => action.kind === "deleteRebootPod" || !endedIds.has(action.record));
	return { steps, ended, adopted, admitted: newcomers, claim, actions, memory, control, finished, waiting, clusterReasons, toRead: admission.toRead };
}

function admissionOf(input: PlanInput, now: Pick<AdmissionInput, "inFlight" | "memory" | "control" | "clusterReasons">) {
	const settings = input.settings ?? input.fallback;
	return admit({ cluster: input.target.name, view: input.view, settings, ...now });
}
