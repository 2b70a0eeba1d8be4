// What a tick tells the journal: every move, every act that failed, and of those that wait only what has changed.
import { noRecord } from "../plan/actions.ts";
import type { Instant, Obstacle, Phase, PodFacts, Reboot, View } from "../plan/model.ts";
import type { Plan } from "../plan/plan.ts";
import { cordonSeenAt } from "../plan/step.ts";
import { podVerdict } from "../plan/verdicts.ts";
import { type EventId, type FieldsOf, Journal } from "./journal.ts";
import type { Performed } from "./perform.ts";
import { type ClusterSummary, needsPerson, phaseDurations } from "./summary.ts";
import type { JournalSink } from "./world.ts";

/** `cluster.state` and `reboot.state` are told again after this, `node.state` after an hour: many may wait, for days. */
const stateEveryMs = 5 * 60_000;
const nodeStateEveryMs = 60 * 60_000;

interface Looked {
	readonly at: Instant;
	readonly sound: Plan;
	readonly summary: ClusterSummary;
	readonly inFlight: readonly Reboot[];
	readonly fence: number;
	readonly tookMs: number;
}

export class Teller {
	readonly #journal: Journal;
	readonly #cluster: string;
	readonly #us: string;
	/** What was last told of each thing, kept between ticks, so that only changes are told. */
	readonly #told: Map<string, string>;

	constructor(sink: JournalSink, cluster: string, us: string, told: Map<string, string>) {
		this.#journal = new Journal(sink);
		this.#cluster = cluster;
		this.#us = us;
		this.#told = told;
	}

	write<Id extends EventId>(id: Id, fields: FieldsOf<Id>): void {
		this.#journal.write(id, fields);
	}

	once(key: string, what: string, tell: () => void): void {
		if (this.#told.get(key) === what) return;
		this.#told.set(key, what);
		tell();
	}

	/** What is no longer the case may be told again. */
	forget(prefix: string, still: ReadonlySet<string> = new Set()): void {
		for (const key of this.#told.keys()) if (key.startsWith(prefix) && !still.has(key)) this.#told.delete(key);
	}

	of(reboot: Reboot) {
		return { cluster: this.#cluster, node: reboot.node.name, pool: reboot.node.pool, reboot: reboot.id };
	}

	moves(sound: Plan): void {
		for (const each of sound.adopted) this.#journal.write("reboot.adopted", { ...this.of(each), phase: each.phase, bootId: each.bootId });
		for (const { reboot, moves } of sound.steps) {
			const of = this.of(reboot);
			for (const move of moves) {
				const { cause, from } = move;
				switch (move.kind) {
					case "moved":
						if (cause === null || move.to === null) break;
						if (move.to === "stuck") this.#journal.write("reboot.stuck", { ...of, from, cause });
						else this.#journal.write("reboot.moved", { ...of, from, to: move.to as Reboot["phase"], cause });
						break;
					case "ended":
						break;
					case "deadlinePutOff":
						this.#journal.write("reboot.deadlinePutOff", { ...of, phase: from, until: reboot.deadlineAt ?? 0 });
						break;
					case "harsher":
						if (cause !== null && reboot.harsher !== null) this.#journal.write("reboot.harsher", { ...of, action: reboot.harsher, cause });
						break;
					case "askedAgain":
						this.#journal.write("reboot.askedAgain", { ...of, ask: reboot.asks.length });
						break;
					case "alarmed":
						this.#journal.write("reboot.alarm", { ...of, phase: reboot.phase });
						break;
					case "podTrouble":
						if (reboot.trouble !== null) this.#journal.write("reboot.podTrouble", { ...of, trouble: reboot.trouble });
						break;
					default: {
						const never: never = move.kind;
						throw new Error(`no event for ${never}`);
					}
				}
			}
		}
		for (const { reboot, end, cause, endedAt } of sound.ended) {
			const kernels = { kernelBefore: reboot.kernelVersion, kernelAfter: reboot.rebooted?.kernelVersion ?? null };
			const took = { tookMs: endedAt - reboot.admittedAt, phasesMs: phasesMsOf(reboot, endedAt), foundCordoned: reboot.foundCordoned };
			const blockedBy = blockers(cause.kind === "drainTimedOut" ? cause.obstacles : []);
			this.#journal.write("reboot.ended", { ...this.of(reboot), end, cause, blockedBy, ...took, ...kernels });
		}
	}

	admitted(reboot: Reboot): void {
		const { bootId, packages, foundCordoned, kernelVersion: kernel, request } = reboot;
		const requested = { requestedBy: request?.by ?? null, requestReason: request?.reason ?? null };
		this.#journal.write("reboot.admitted", { ...this.of(reboot), bootId, kernel, packages, foundCordoned, ...requested });
	}

	finished(sound: Plan): void {
		for (const { request, why } of sound.finished) {
			const { node, by, reason } = request;
			this.#journal.write("request.over", { cluster: this.#cluster, node, by, reason, why });
		}
	}

	acts(performed: readonly Performed[], sound: Plan): void {
		const all = [...sound.steps.map((each) => each.reboot), ...sound.adopted, ...sound.admitted];
		for (const { action, outcome, leaving } of performed) {
			const reboot = all.find((each) => each.id === action.record);
			const leftBehind = action.kind === "deleteRebootPod" ? { cluster: this.#cluster, node: action.node, pool: "", reboot: noRecord } : null;
			const of = reboot === undefined ? leftBehind : this.of(reboot);
			if (of === null) continue;
			const { obstacle } = leaving ?? { obstacle: null };
			if (obstacle !== null && leaving !== null) {
				const { namespace, name, uid } = leaving.pod;
				const whole = { namespace, name, uid, ...obstacle, retryAt: 0 };
				this.once(`pod ${uid}`, obstacle.message, () => this.#journal.write("pod.blocked", { ...of, obstacle: whole }));
			} else if (action.kind === "delete" && outcome.kind === "done") this.#journal.write("pod.deleted", { ...of, pod: podName(action.pod) });
			else if ("why" in outcome && outcome.kind !== "conflict")
				this.#journal.write("act.failed", { ...of, act: action.kind, outcome: outcome.kind, why: outcome.why });
		}
	}

	waiting(view: View, sound: Plan): void {
		const us = this.#us;
		const cluster = this.#cluster;
		for (const reason of sound.clusterReasons) {
			if (reason.kind === "notOwner") {
				this.once("reason notOwner", reason.owner, () => this.#journal.write("owner.other", { cluster, owner: reason.owner, us, reason }));
			} else this.once(`reason ${reason.kind}`, "told", () => this.#journal.write("cluster.reason", { cluster, reason }));
		}
		this.forget("reason ", new Set(sound.clusterReasons.map((each) => `reason ${each.kind}`)));
		for (const { node, pool, since, packages, requested, reasons } of sound.waiting) {
			// One that is admitted has an event of its own.
			if (reasons.length === 0) continue;
			const kinds = reasons.map((each) => each.kind).join();
			const of = { cluster, node, pool, since, packages, requestedBy: requested?.by ?? null, reasons };
			this.once(`waiting ${node}`, `${kinds} ${requested?.at ?? ""}`, () => this.#journal.write("node.waiting", of));
		}
		this.forget("waiting ", new Set(sound.waiting.map((each) => `waiting ${each.node}`)));
		this.#returning(view, sound);
	}

	/**
	 * How it stands. Alerts are made of what is told again while it lasts: a query sees two days back at most, and what was told once before
	 * that never was.
	 */
	looked({ at, sound, summary, inFlight, fence, tookMs }: Looked): void {
		const cluster = this.#cluster;
		const counts = { waiting: summary.waitingCount, inFlight: inFlight.length, silent: summary.silent, fence };
		this.#journal.write("tick.ended", { cluster, ...counts, tookMs });
		const needPerson = inFlight.filter(needsPerson).length;
		const state = { ...counts, held: summary.heldCount, needPerson, reasons: sound.clusterReasons.map(({ kind }) => kind) };
		this.once("cluster.state", `${JSON.stringify(state)} ${nth(at, stateEveryMs)}`, () => this.#journal.write("cluster.state", { cluster, ...state }));
		for (const reboot of inFlight) {
			const { id, phase, phaseSince, node } = reboot;
			const why = summary.inFlight.find((each) => each.node === node.name)?.why ?? null;
			const fields = { phase, phaseSince, cordonedSince: ourCordonSince(reboot), needsPerson: needsPerson(reboot), why };
			const what = `${phase} ${fields.needsPerson} ${nth(at, stateEveryMs)}`;
			this.once(`reboot.state ${id}`, what, () => this.#journal.write("reboot.state", { ...this.of(reboot), ...fields }));
		}
		this.forget("reboot.state ", new Set(inFlight.map(({ id }) => `reboot.state ${id}`)));
		const waiting = sound.waiting.filter(({ reasons }) => reasons.length > 0);
		for (const { node, pool, since, requested, reasons } of waiting) {
			const blockedBy = blockers(reasons.flatMap((each) => (each.kind === "stillBlocked" ? each.obstacles : [])));
			const fields = { cluster, node, pool, since, requestedBy: requested?.by ?? null, reasons, blockedBy };
			this.once(`node.state ${node}`, String(nth(at, nodeStateEveryMs)), () => this.#journal.write("node.state", fields));
		}
		this.forget("node.state ", new Set(waiting.map(({ node }) => `node.state ${node}`)));
	}

	/** Pods that came after the cordon and stay: named once, since they go down with the node. */
	#returning(view: View, sound: Plan): void {
		for (const { reboot, before } of sound.steps) {
			const pods = view.pods.get(reboot.node.name);
			// By the phase before: where they alone are left, this very look ends the drain.
			if (before.phase !== "draining" || pods === undefined || !pods.known) continue;
			const context = { cordonedAt: cordonSeenAt(before), now: view.at, policy: reboot.policy, daemonSets: view.daemonSets };
			for (const pod of pods.value) {
				if (podVerdict(pod, context).kind !== "returns") continue;
				this.once(`pod ${pod.uid}`, "returns", () => this.#journal.write("pod.returns", { ...this.of(reboot), pod: podName(pod) }));
			}
		}
	}
}

/** One that was entered twice counts both times. */
function phasesMsOf({ timeline }: Reboot, endedAt: Instant): Partial<Record<Phase, number>> {
	const all: Partial<Record<Phase, number>> = {};
	for (const { phase, tookMs } of phaseDurations(timeline, endedAt)) all[phase] = (all[phase] ?? 0) + tookMs;
	return all;
}

function nth(at: Instant, everyMs: number): number {
	return Math.floor(at / everyMs);
}

function ourCordonSince(reboot: Reboot): Instant | null {
	if (reboot.foundCordoned || reboot.phase === "cordoning" || reboot.phase === "soaking") return null;
	return cordonSeenAt(reboot) ?? reboot.admittedAt;
}

const blockersMost = 5;

/** The budgets that keep pods, and the pods that something else keeps. */
function blockers(obstacles: readonly Obstacle[]): readonly string[] {
	const names = obstacles.flatMap(({ namespace, name, budgets }) =>
		budgets.length === 0 ? [`pod ${namespace}/${name}`] : budgets.map((budget) => `budget ${namespace}/${budget}`),
	);
	return [...new Set(names)].sort().slice(0, blockersMost);
}

function podName(pod: PodFacts): string {
	return `${pod.namespace}/${pod.name}`;
}
