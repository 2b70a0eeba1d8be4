// Every event of the journal, in one place: its stable id, its level, and its sentence. Alerts and docs key on the ids.
// A line is flat JSON on one line: {"event","level","message", …fields}.
import {
	explainAlarm,
	explainCause,
	explainDuration,
	explainEnd,
	explainInstant,
	explainObstacle,
	explainPhase,
	explainProblem,
	explainReason,
	explainRequestOver,
} from "../plan/explain.ts";
import type { End, Instant, Obstacle, Phase } from "../plan/model.ts";
import type { SettingProblem } from "../plan/policy.ts";
import type { Cause, Reason, ReasonKind, RequestOver } from "../plan/reasons.ts";
import type { JournalLine, JournalSink } from "./world.ts";

type Level = JournalLine["level"];

interface EventDefinition<Fields> {
	readonly level: Level;
	/** One sentence. */
	readonly say: (fields: Fields) => string;
}

function event<Fields>(level: Level, say: (fields: Fields) => string): EventDefinition<Fields> {
	return { level, say };
}

interface OfCluster {
	readonly cluster: string;
}

interface OfNode extends OfCluster {
	readonly node: string;
	readonly pool: string;
	/** Id of the record of this reboot. */
	readonly reboot: string;
}

function sayWaits(f: { readonly since: Instant | null; readonly requestedBy: string | null; readonly reasons: readonly Reason[] }): string {
	const waits = f.requestedBy === null ? "waits for a reboot" : `waits for the reboot that ${f.requestedBy} asked for`;
	return `${waits}${f.since === null ? "" : ` since ${explainInstant(f.since)}`}: ${f.reasons.map(explainReason).join("; ") || "begins now"}`;
}

export const events = {
	"round.started": event<{ clusters: number; worker: string; late: boolean }>(
		"info",
		(f) => `looking at ${f.clusters === 1 ? "1 cluster" : `${f.clusters} clusters`}`,
	),
	"round.ended": event<{ clusters: number; looks: number; failed: number; inFlight: number; waiting: number; tookMs: number }>(
		"info",
		(f) => `${f.looks} looks at ${f.clusters} clusters in ${explainDuration(f.tookMs)}: ${f.inFlight} in flight, ${f.waiting} waiting, ${f.failed} failed`,
	),
	"settings.wrong": event<SettingProblem>("error", explainProblem),
	"tick.ended": event<OfCluster & { waiting: number; inFlight: number; silent: number; fence: number; tookMs: number }>(
		"debug",
		(f) => `${f.waiting} waiting, ${f.inFlight} in flight, ${f.silent} silent sentinels`,
	),
	"tick.failed": event<OfCluster & { why: string; inARow: number }>("error", (f) => `the cluster could not be looked at (${f.inARow} in a row): ${f.why}`),
	"cluster.notLooked": event<OfCluster & { why: string }>("warning", (f) => `the cluster is not looked at: ${f.why}`),
	/** How it stands after a look: on change, and again every five minutes. `reasons`: what keeps the whole cluster from beginning anything. */
	"cluster.state": event<
		OfCluster & { waiting: number; held: number; inFlight: number; needPerson: number; silent: number; fence: number; reasons: readonly ReasonKind[] }
	>("info", (f) => `${f.waiting} waiting (${f.held} held), ${f.inFlight} in flight (${f.needPerson} of them need a person), ${f.silent} silent sentinels`),
	"lease.heldByOther": event<OfCluster & { holder: string; forMs: number }>(
		"info",
		(f) => `worker ${f.holder} works on it (for ${explainDuration(f.forMs)} more at least)`,
	),
	/** `notDone`: acts that were left, where it was lost amid them. */
	"lease.lost": event<OfCluster & { why: string; notDone?: number }>(
		"warning",
		(f) => `another worker has taken over, or wrote in between${f.notDone === undefined ? "" : `, and ${f.notDone} acts were not done`}: ${f.why}`,
	),
	"owner.other": event<OfCluster & { owner: string; us: string; reason: Reason }>("warning", (f) => explainReason(f.reason)),
	"owner.claimed": event<OfCluster & { us: string }>("info", (f) => `the cluster belongs to this scheduler now (${f.us})`),
	"owner.claimFailed": event<OfCluster & { why: string }>("warning", (f) => `it could not be claimed: ${f.why}`),
	"cluster.reason": event<OfCluster & { reason: Reason }>("warning", (f) => `nothing is begun: ${explainReason(f.reason)}`),
	"record.unreadable": event<OfCluster & { row: string; why: string }>("error", (f) => `row ${f.row} cannot be read and is left alone: ${f.why}`),
	"node.waiting": event<
		OfCluster & {
			node: string;
			pool: string | null;
			since: Instant | null;
			packages: readonly string[];
			requestedBy: string | null;
			reasons: readonly Reason[];
		}
	>("info", sayWaits),
	/** One that waits, again every hour while it does. `blockedBy`: budgets and pods that would block its drain once more. */
	"node.state": event<
		OfCluster & {
			node: string;
			pool: string | null;
			since: Instant | null;
			requestedBy: string | null;
			reasons: readonly Reason[];
			blockedBy: readonly string[];
		}
	>("info", sayWaits),
	"control.asked": event<
		OfCluster & { command: string; pool: string | null; node: string | null; by: string; reason: string; until: Instant | null; told: string }
	>("info", (f) => `${f.by} asked for it (${f.reason}): ${f.told}`),
	"request.over": event<OfCluster & { node: string; by: string; reason: string; why: RequestOver }>(
		"info",
		(f) => `the reboot that ${f.by} asked for is over: ${explainRequestOver(f.why, f.node)}`,
	),
	"reboot.adopted": event<OfNode & { phase: Phase; bootId: string }>("warning", (f) => `found marked and without a record: goes on as ${f.phase}`),
	"reboot.admitted": event<
		OfNode & { bootId: string; kernel: string; packages: readonly string[]; foundCordoned: boolean; requestedBy: string | null; requestReason: string | null }
	>(
		"info",
		(f) =>
			`is next${f.requestedBy === null ? "" : `, as ${f.requestedBy} asked (${f.requestReason})`}${f.foundCordoned ? " (found cordoned, and left so)" : ""}: kernel ${f.kernel}${f.packages.length === 0 ? "" : `, for ${f.packages.slice(0, 3).join(", ")}`}`,
	),
	"reboot.moved": event<OfNode & { from: Phase; to: Phase; cause: Cause }>("info", (f) => `${f.from} → ${f.to}: ${explainCause(f.cause, f.node)}`),
	"reboot.stuck": event<OfNode & { from: Phase; cause: Cause }>("error", (f) => `stuck, needs a person: ${explainCause(f.cause, f.node)}`),
	"reboot.askedAgain": event<OfNode & { ask: number }>("warning", (f) => `ask ${f.ask}: no reboot came about, it is asked for once more`),
	"reboot.podTrouble": event<OfNode & { trouble: string }>("warning", (f) => `the reboot pod: ${f.trouble}`),
	"reboot.harsher": event<OfNode & { action: "delete" | "reboot"; cause: Cause }>(
		"warning",
		(f) => `DRAIN_TIMEOUT_ACTION=${f.action}: ${explainCause(f.cause, f.node)}`,
	),
	"reboot.deadlinePutOff": event<OfNode & { phase: Phase; until: Instant }>(
		"warning",
		(f) => `the cluster was not looked at for a while: the deadline of ${f.phase} is put off to ${explainInstant(f.until)}`,
	),
	"reboot.alarm": event<OfNode & { phase: Phase }>("error", (f) => explainAlarm(f.phase)),
	/** One in flight, on change and again every five minutes. `cordonedSince`: null while the cordon is not ours, or not there. */
	"reboot.state": event<OfNode & { phase: Phase; phaseSince: Instant; cordonedSince: Instant | null; needsPerson: boolean; why: string | null }>(
		"info",
		(f) => `${explainPhase(f.phase)} since ${explainInstant(f.phaseSince)}${f.why === null ? "" : `: ${f.why}`}`,
	),
	/** `blockedBy`: budgets and pods that kept it from being drained. */
	"reboot.ended": event<
		OfNode & {
			end: End;
			cause: Cause;
			blockedBy: readonly string[];
			tookMs: number;
			phasesMs: Partial<Record<Phase, number>>;
			foundCordoned: boolean;
			kernelBefore: string;
			kernelAfter: string | null;
		}
	>("info", (f) =>
		f.end === "done"
			? `${explainEnd(f.end, f.foundCordoned)}${f.foundCordoned ? "," : ""} after ${explainDuration(f.tookMs)} (kernel ${f.kernelBefore} → ${f.kernelAfter ?? "unknown"})`
			: `${explainEnd(f.end, f.foundCordoned)} after ${explainDuration(f.tookMs)}: ${explainCause(f.cause, f.node)}`,
	),
	"pod.blocked": event<OfNode & { obstacle: Obstacle }>("info", (f) => explainObstacle(f.obstacle)),
	"pod.deleted": event<OfNode & { pod: string }>("warning", (f) => `pod ${f.pod} was deleted past its budgets (DRAIN_TIMEOUT_ACTION=delete)`),
	"pod.returns": event<OfNode & { pod: string }>("info", (f) => `pod ${f.pod} came after the cordon, which it tolerates: it is left`),
	"act.failed": event<OfNode & { act: string; outcome: string; why: string }>("warning", (f) => `${f.act}: ${f.outcome}: ${f.why}`),
	/** Of Kubernetes events about nodes; told once until they can be created again. */
	"events.lost": event<OfCluster & { lost: number; why: string }>(
		"warning",
		(f) => `${f.lost === 1 ? "1 event" : `${f.lost} events`} about nodes could not be created: ${f.why}`,
	),
	"invariant.violated": event<OfCluster & { id: string; what: string; reboot: string }>(
		"error",
		(f) => `${f.id} would have been violated, and was not done: ${f.what}`,
	),
} as const;

export type EventId = keyof typeof events;
export type FieldsOf<Id extends EventId> = (typeof events)[Id] extends EventDefinition<infer Fields> ? Fields : never;

export class Journal {
	readonly #sink: JournalSink;
	constructor(sink: JournalSink) {
		this.#sink = sink;
	}
	write<Id extends EventId>(id: Id, fields: FieldsOf<Id>): void {
		// The definition and the fields belong together by their types; TypeScript cannot see that through the index.
		const { level, say } = events[id] as unknown as EventDefinition<FieldsOf<Id>>;
		this.#sink.write({ event: id, level, message: say(fields), ...(fields as object) });
	}
}
