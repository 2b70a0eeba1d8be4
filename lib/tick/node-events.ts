// Kubernetes events about nodes, so that `kubectl describe node` tells the story: one per step of a reboot, and for a node that waits one
// per change of its reasons. They come after everything else in a look, and nothing stands on them: losing one never matters.
import { hash } from "node:crypto";
import { explainAlarm, explainCause, explainDrain, explainDuration, explainInstant, explainObstacle, releaseCommand } from "../plan/explain.ts";
import { type End, type Instant, namespace, type Obstacle, type Phase, type Reboot, type View } from "../plan/model.ts";
import type { Plan, PlannedStep } from "../plan/plan.ts";
import type { ReasonKind } from "../plan/reasons.ts";
import { type Move, podsThatMustLeave, rebootPodName } from "../plan/step.ts";
import { bugOf, CallError } from "./call-error.ts";
import { events as sentences } from "./journal.ts";
import type { Lease } from "./lease.ts";
import type { Performed } from "./perform.ts";
import type { Teller } from "./tell.ts";
import type { Clock, ClusterApi, NodeEvent } from "./world.ts";

/** Their reasons, in the order in which a story has them: events of one instant are listed so. */
const types = {
	RebootRequired: "Normal",
	Adopted: "Warning",
	Cordoned: "Normal",
	Draining: "Normal",
	EvictionBlocked: "Warning",
	DrainTimedOut: "Warning",
	RebootRequested: "Normal",
	RebootPodFailed: "Warning",
	Rebooted: "Normal",
	Stuck: "Warning",
	Recovered: "Normal",
	Rejoined: "Normal",
	RejoinedIncomplete: "Warning",
	GaveUp: "Warning",
	Cancelled: "Normal",
	NotNeeded: "Normal",
	Released: "Normal",
	Uncordoned: "Normal",
	LeftCordoned: "Normal",
	NotUncordoned: "Warning",
	NotReady: "Warning",
} as const satisfies Readonly<Record<string, NodeEvent["type"]>>;

export type NodeEventReason = keyof typeof types;
export const nodeEventReasons = Object.keys(types) as readonly NodeEventReason[];

/** Of waiting nodes in one look, the first in line first: on patch day all of them have something to tell. The next look goes on. */
const waitingMost = 10;
/** Of all events of one look together. */
export const eventsTimeoutMs = 3_000;
/** Within it the same reasons of the same node are one event, whoever tells of them. */
const sameReasonsMs = 10 * 60_000;

/** Under these not a thing is written to the cluster, or it is not ours to speak in. */
const silencing: readonly ReasonKind[] = ["dryRun", "notOwner", "ownerUnknown", "sameCluster"];
/** What the very next look mends. */
const passing: readonly ReasonKind[] = ["next", "claiming"];

/** What a look came to. */
export interface LookOutcome {
	readonly view: View;
	readonly plan: Plan;
	readonly admitted: readonly Reboot[];
	readonly performed: readonly Performed[];
	/** Id of this process. */
	readonly worker: string;
}

interface Step {
	readonly reason: NodeEventReason;
	readonly note: string;
	/** What it is the same as, among those of its reason on its node. */
	readonly key: string;
	/** An instant that all who tell of it know alike. */
	readonly since: Instant;
}

/**
 * The API server lists events by their names, and `kubectl describe` keeps that order: a name begins with an instant and a place in the
 * story. The rest makes one event of what is told twice.
 */
function nameOf(nodeUid: string, { reason, key, since }: Step): string {
	const place = nodeEventReasons.indexOf(reason).toString().padStart(2, "0");
	const same = hash("sha256", JSON.stringify([nodeUid, reason, key]), "hex").slice(0, 16);
	return `aks-reboot-scheduler.${since.toString(16).padStart(12, "0")}${place}-${same}`;
}

/** The events of a look, what is most worth knowing first. What is told of a waiting node is remembered by the teller. */
export function nodeEvents(look: LookOutcome, teller: Teller): readonly NodeEvent[] {
	const { view, plan, admitted, worker } = look;
	const silent = (kinds: readonly ReasonKind[]) => plan.clusterReasons.some((each) => kinds.includes(each.kind));
	if (silent(silencing)) return [];
	const about = (node: { readonly name: string; readonly uid: string }, step: Step): NodeEvent => {
		const { reason, note } = step;
		return { name: nameOf(node.uid, step), node: node.name, nodeUid: node.uid, type: types[reason], reason, note, at: view.at, instance: worker };
	};
	const ofReboots = [
		...plan.adopted.map((each) => about(each.node, adoptedStep(each, teller))),
		...plan.steps.flatMap((each) => moveSteps(each, view).map((step) => about(each.reboot.node, step))),
		...admitted.map((each) => about(each.node, admittedStep(each, teller))),
		...actSteps(look, teller).map(([reboot, step]) => about(reboot.node, step)),
	];
	// Where the settings are wrong nobody knows whether DRY_RUN is among them.
	return silent(["settingsWrong"]) ? ofReboots : [...ofReboots, ...waitingSteps(look, teller).map(([node, step]) => about(node, step))];
}

function stepOf(reboot: Reboot, reason: NodeEventReason, note: string, since = reboot.phaseSince, detail = ""): Step {
	return { reason, note, key: `${reboot.id} ${detail}`, since };
}

function adoptedStep(reboot: Reboot, teller: Teller): Step {
	const { phase, bootId } = reboot;
	return stepOf(reboot, "Adopted", sentences["reboot.adopted"].say({ ...teller.of(reboot), phase, bootId }));
}

function admittedStep(reboot: Reboot, teller: Teller): Step {
	const { bootId, packages, foundCordoned, kernelVersion: kernel, request } = reboot;
	const requested = { requestedBy: request?.by ?? null, requestReason: request?.reason ?? null };
	const note = sentences["reboot.admitted"].say({ ...teller.of(reboot), bootId, kernel, packages, foundCordoned, ...requested });
	return stepOf(reboot, "RebootRequired", note);
}

function moveSteps({ reboot, moves }: PlannedStep, view: View): readonly Step[] {
	return moves.flatMap((move) => {
		const { kind, cause } = move;
		const why = cause === null ? "" : explainCause(cause, reboot.node.name);
		switch (kind) {
			case "moved":
				return enteredSteps(reboot, move, why, view);
			case "ended":
				// Told when it was decided; only what has come out otherwise since is news.
				return move.to === reboot.ending?.end ? [] : endSteps(reboot, move, why, view.at);
			case "harsher":
				return [stepOf(reboot, "DrainTimedOut", `DRAIN_TIMEOUT_ACTION=${reboot.harsher}: ${why}`, view.at)];
			case "podTrouble":
				return [stepOf(reboot, "RebootPodFailed", `the reboot pod: ${reboot.trouble}`, view.at, reboot.trouble ?? "")];
			case "alarmed":
				return [stepOf(reboot, reboot.phase === "soaking" ? "NotReady" : "NotUncordoned", explainAlarm(reboot.phase), view.at)];
			case "deadlinePutOff":
			case "askedAgain":
				// The ask itself is told when it is done.
				return [];
			default: {
				const never: never = kind;
				return never;
			}
		}
	});
}

function enteredSteps(reboot: Reboot, move: Move, why: string, view: View): readonly Step[] {
	const { from, cause } = move;
	const step = (reason: NodeEventReason, note: string) => stepOf(reboot, reason, note, view.at);
	switch (move.to as Phase) {
		case "draining":
			return [step("Cordoned", cordonedNote(reboot)), step("Draining", drainingNote(reboot, view))];
		case "rejoining":
			return [step(from === "stuck" ? "Recovered" : "Rebooted", why)];
		case "stuck":
			return [step("Stuck", `it needs a person: ${why}`)];
		case "uncordoning":
			return [
				...(from === "stuck" && cause?.kind === "cameBack" ? [step("Recovered", why)] : []),
				...endSteps(reboot, { ...move, to: reboot.ending?.end ?? null }, why, view.at),
			];
		case "soaking":
			return reboot.foundCordoned ? [step("LeftCordoned", why)] : [];
		case "cordoning":
		case "rebooting":
			return [];
	}
}

function cordonedNote({ node, foundCordoned }: Reboot): string {
	return foundCordoned
		? `it was found cordoned, and is marked; to take it over: ${releaseCommand(node.name)}`
		: `it is cordoned and marked by aks-reboot-scheduler; to take it over, cordon included: ${releaseCommand(node.name)}`;
}

function drainingNote(reboot: Reboot, view: View): string {
	const pods = view.pods.get(reboot.node.name) ?? { known: false as const, why: "" };
	const left = podsThatMustLeave(reboot, { at: view.at, pods, daemonSets: view.daemonSets });
	const leaving = (left ?? []).map(({ namespace, name }) => `${namespace}/${name}`);
	const what = left === null ? "its pods are not known yet" : (explainDrain([], leaving) ?? "no pod has to leave");
	return reboot.deadlineAt === null ? what : `${what}; time until ${explainInstant(reboot.deadlineAt)} (DRAIN_TIMEOUT)`;
}

/** How a reboot will end, or ended. */
function endSteps(reboot: Reboot, { to, cause }: Move, why: string, at: Instant): readonly Step[] {
	switch (to as End) {
		case "done":
			return [stepOf(reboot, cause?.kind === "rejoinedIncomplete" ? "RejoinedIncomplete" : "Rejoined", why, at)];
		case "gaveUp":
			return [stepOf(reboot, "GaveUp", `given up: ${why}`, at)];
		case "notNeeded":
			return [stepOf(reboot, "NotNeeded", `not needed any more: ${why}`, at)];
		case "cancelled":
			return [stepOf(reboot, "Cancelled", `cancelled before the reboot was asked for: ${why}`, at)];
		case "released":
			return [stepOf(reboot, "Released", `left to somebody else, as it is: ${why}`, at)];
		case "replaced":
			// The node that it would be about is gone.
			return [];
	}
}

/** What an eviction is kept from by something that stays, and not by a server that is busy. */
const blocking: readonly Obstacle["kind"][] = ["budget", "twoBudgets", "namespaceEnding", "refused"];

/** What was done, where the view of the next look would not show it, or not who did it. */
function actSteps({ plan, admitted, performed, view }: LookOutcome, teller: Teller): readonly (readonly [Reboot, Step])[] {
	const reboots = new Map([...plan.steps.map((each) => each.reboot), ...plan.adopted, ...admitted].map((each) => [each.id, each]));
	return performed.flatMap(({ action, outcome, leaving }): readonly (readonly [Reboot, Step])[] => {
		const reboot = reboots.get(action.record);
		if (reboot === undefined) return [];
		const { obstacle, pod } = leaving ?? { obstacle: null, pod: null };
		if (obstacle !== null && pod !== null) {
			if (!blocking.includes(obstacle.kind)) return [];
			const detail = `${pod.uid} ${obstacle.kind} ${obstacle.budgets.join()}`;
			const note = explainObstacle({ namespace: pod.namespace, name: pod.name, uid: pod.uid, ...obstacle, retryAt: view.at });
			let step: Step | null = null;
			teller.once(`pod event ${pod.uid}`, detail, () => {
				step = stepOf(reboot, "EvictionBlocked", note, reboot.phaseSince, detail);
			});
			return step === null ? [] : [[reboot, step]];
		}
		if (outcome.kind !== "done") return [];
		if (action.kind === "ask") return [[reboot, askedStep(reboot, action.ask, action.notAfter)]];
		return action.kind === "uncordon" && action.removeCordon ? [[reboot, stepOf(reboot, "Uncordoned", "it takes pods again")]] : [];
	});
}

function askedStep(reboot: Reboot, ask: number, notAfter: Instant): Step {
	const { bootId, kernelVersion, asks, phaseSince } = reboot;
	const pod = `${namespace}/${rebootPodName(bootId, ask)}`;
	const note = `asked to reboot${ask === 1 ? "" : ` once more (ask ${ask})`} by pod ${pod}, which is good until ${explainInstant(notAfter)}: kernel ${kernelVersion}, boot ${bootId}`;
	return stepOf(reboot, "RebootRequested", note, asks.find((each) => each.number === ask)?.at ?? phaseSince, `ask ${ask}`);
}

type Named = { readonly name: string; readonly uid: string };

/** The first in line whose reasons are others than those told last. */
function waitingSteps({ view, plan }: LookOutcome, teller: Teller): readonly (readonly [Named, Step])[] {
	const steps: (readonly [Named, Step])[] = [];
	const since = view.at - (view.at % sameReasonsMs);
	for (const { node: name, pool, since: waitingSince, packages, requested, reasons } of plan.waiting) {
		if (steps.length === waitingMost) break;
		const uid = uidOf(view, name);
		if (uid === null || reasons.every((each) => passing.includes(each.kind))) continue;
		const key = `${reasons.map((each) => each.kind).join()} ${requested?.at ?? ""}`;
		teller.once(`event waiting ${name}`, `${uid} ${key}`, () => {
			const fields = { cluster: "", node: name, pool, since: waitingSince, packages, requestedBy: requested?.by ?? null, reasons };
			steps.push([
				{ name, uid },
				{ reason: "RebootRequired", note: sentences["node.waiting"].say(fields), key: `${since} ${key}`, since },
			]);
		});
	}
	teller.forget("event waiting ", new Set(plan.waiting.map((each) => `event waiting ${each.node}`)));
	return steps;
}

function uidOf(view: View, node: string): string | null {
	const read = view.nodes.get(node);
	if (read?.known === true) return read.value === "absent" ? null : read.value.uid;
	return view.metadata.get(node)?.uid ?? null;
}

/** What events are sent with: the lease that the look was made under, and who tells of those that are lost. */
export interface Sending {
	readonly api: ClusterApi;
	readonly clock: Clock;
	readonly lease: Lease;
	readonly teller: Teller;
	readonly cluster: string;
}

/**
 * The last thing in a look. Never fails, and takes no longer than its time limit beside a renewal of the lease. One event that fails ends
 * it: the others would fare alike.
 */
export async function tellNodes({ api, clock, lease, teller, cluster }: Sending, look: LookOutcome): Promise<void> {
	const events = nodeEvents(look, teller);
	const endsAt = clock.now() + eventsTimeoutMs;
	let failures = 0;
	for (const [i, event] of events.entries()) {
		// A worker whose lease has passed on has nothing to say any more.
		if (!(await lease.hold().catch(() => false))) return;
		const failure = await failureOf(api, event, clock, endsAt - clock.now());
		if (failure === null) continue;
		failures++;
		// Refused as such: that says nothing about the next one.
		const lost = failure.kind === "invalid" ? 1 : events.length - i;
		teller.once("events.lost", failure.kind, () => teller.write("events.lost", { cluster, lost, why: failure.why }));
		if (failure.kind !== "invalid") return;
	}
	if (events.length > 0 && failures === 0) teller.forget("events.lost");
}

/** Null: it was created. */
async function failureOf(api: ClusterApi, event: NodeEvent, clock: Clock, withinMs: number): Promise<{ readonly kind: string; readonly why: string } | null> {
	const [late, over] = [new AbortController(), new AbortController()];
	const creating = async () => {
		try {
			await api.createEvent(event, late.signal);
			return null;
		} catch (error) {
			return error instanceof CallError ? { kind: error.failure, why: error.message } : { kind: "bug", why: bugOf(error) };
		}
	};
	const waiting = async () => {
		await clock.wait(Math.max(0, withinMs), over.signal);
		if (!over.signal.aborted) late.abort();
		return { kind: "timedOut", why: `they took longer than ${explainDuration(eventsTimeoutMs)}` };
	};
	try {
		return await Promise.race([creating(), waiting()]);
	} finally {
		// With a reason of its own: the default one is an error with a stack, and nobody reads it.
		over.abort(null);
	}
}
