// What people see of a cluster after a look: the `fleet` row's summary, read by the status page and by whoever waits for the end.
import { isDeepStrictEqual } from "node:util";
import { explainCause, explainDrain, explainNeed, explainReason, explainWait } from "../plan/explain.ts";
import type { ControlHold, ControlRequest, End, EndedReboot, Instant, Phase, Reboot, View } from "../plan/model.ts";
import type { Plan } from "../plan/plan.ts";
import type { DrainTimeoutAction } from "../plan/policy.ts";
import type { Reason, ReasonKind } from "../plan/reasons.ts";
import { podsThatMustLeave } from "../plan/step.ts";
import { silentSentinels } from "./observe.ts";

export interface WaitingSummary {
	readonly node: string;
	readonly pool: string | null;
	readonly since: Instant | null;
	readonly kernel: string | null;
	readonly packages: readonly string[];
	/** In line for room, first is 1; null: something else keeps it from standing in line. */
	readonly place: number | null;
	/** Kinds of the reasons, and their sentences. */
	readonly reasons: readonly string[];
	readonly why: string;
}

export interface InFlightSummary {
	readonly node: string;
	readonly pool: string;
	readonly phase: Phase;
	readonly since: Instant;
	readonly deadline: Instant | null;
	readonly kernel: string;
	/** Needs a person: stuck, in service and not Ready, or its cordon cannot be removed. */
	readonly stuck: boolean;
	readonly why: string | null;
	/** What the deadline of its drain does; null: the row is of an earlier release. */
	readonly drainTimeoutAction: DrainTimeoutAction | null;
	readonly timeline: Reboot["timeline"];
}

export interface EndedSummary {
	readonly node: string;
	/** Empty in a row of an earlier release. */
	readonly pool: string;
	readonly end: End;
	readonly at: Instant;
	readonly why: string;
	/** By somebody else, and left so: it is not in service. */
	readonly foundCordoned: boolean;
	readonly kernelBefore: string;
	readonly kernelAfter: string | null;
	readonly timeline: Reboot["timeline"];
}

export interface EndedCounts {
	readonly ends: Readonly<Partial<Record<End, number>>>;
	/** How often each phase was left, and how long it lasted in all. */
	readonly phases: Readonly<Partial<Record<Phase, { readonly count: number; readonly totalMs: number }>>>;
}

export interface ClusterSummary {
	readonly version: 1;
	/** When this was seen; null: the cluster was never looked at with success. */
	readonly at: Instant | null;
	readonly waiting: readonly WaitingSummary[];
	/** How many wait, when not all are listed. */
	readonly waitingCount: number;
	/** How many of them are on hold. */
	readonly heldCount: number;
	/** May be cut as well; then those are listed that need a person. */
	readonly inFlight: readonly InFlightSummary[];
	readonly silent: number;
	/** What people asked of the running scheduler, and still stands. */
	readonly holds: readonly ControlHold[];
	readonly requests: readonly ControlRequest[];
	/** What keeps the cluster as a whole from beginning anything. */
	readonly reasons: readonly string[];
	readonly notOwner: boolean;
	/** Why it could not be looked at lately; null: it could. */
	readonly failure: string | null;
	readonly failures: number;
	/** The last that ended, newest first. */
	readonly ended: readonly EndedSummary[];
	/** Older ones than those listed were counted and are not listed any more. */
	readonly endedCut: boolean;
	/** Of all that ended since the row was made. What ended just before a crash may be missing. */
	readonly counts: EndedCounts;
}

export const emptySummary: ClusterSummary = {
	version: 1,
	at: null,
	waiting: [],
	waitingCount: 0,
	heldCount: 0,
	inFlight: [],
	silent: 0,
	holds: [],
	requests: [],
	reasons: [],
	notOwner: false,
	failure: null,
	failures: 0,
	ended: [],
	endedCut: false,
	counts: { ends: {}, phases: {} },
};

/**
 * Lists are cut to fit a row, and the rows of a fleet to be read in one look: 500 clusters on patch day are 32 MB.
 * A row holds 512 Ki characters.
 */
const summaryChars = 64_000;
const waitingMost = 200;
const packagesMost = 10;
const endedMost = 50;
/** Holds, and requests. */
const askedMost = 30;

/** Whether a reboot in flight needs a person. */
export function needsPerson(reboot: Reboot): boolean {
	return reboot.phase === "stuck" || reboot.alarmed;
}

/** What has still to leave is told even where nothing refuses it: a pod may take long to end. */
function whatIsDrained(reboot: Reboot, view: View): string | null {
	const pods = view.pods.get(reboot.node.name);
	const left = pods === undefined ? null : podsThatMustLeave(reboot, { at: view.at, pods, daemonSets: view.daemonSets });
	const blocked = new Set(reboot.obstacles.map(({ uid }) => uid));
	const leaving = (left ?? []).filter(({ uid }) => !blocked.has(uid));
	return explainDrain(
		reboot.obstacles,
		leaving.map(({ namespace, name }) => `${namespace}/${name}`),
	);
}

function whatHoldsItUp(reboot: Reboot, view: View): string | null {
	const { node, phase, ending, trouble } = reboot;
	if (ending !== null) return explainCause(ending.cause, node.name);
	return trouble ?? explainWait(reboot, view.at) ?? (phase === "draining" ? whatIsDrained(reboot, view) : null);
}

function inFlightOf(reboot: Reboot, view: View): InFlightSummary {
	const { node, phase, phaseSince: since, deadlineAt: deadline, kernelVersion: kernel, timeline } = reboot;
	const why = explainNeed(reboot) ?? whatHoldsItUp(reboot, view);
	// What is harsher is done once: then it is given up.
	const drainTimeoutAction = reboot.harsher === null ? reboot.policy.drainTimeoutAction : "give-up";
	return { node: node.name, pool: node.pool, phase, since, deadline, kernel, stuck: needsPerson(reboot), why, drainTimeoutAction, timeline };
}

export function summaryOf(before: ClusterSummary, view: View, plan: Plan, inFlight: readonly Reboot[]): ClusterSummary {
	const ended = [...plan.ended.map(endedOf), ...before.ended];
	const begun = new Set(inFlight.map((each) => each.node.name));
	const waiting = plan.waiting.filter((each) => !begun.has(each.node));
	return fitted({
		version: 1,
		at: view.at,
		waiting: waiting.slice(0, waitingMost).map(({ node, pool, since, kernelVersion, packages, reasons }) => ({
			node,
			pool,
			since,
			kernel: kernelVersion,
			packages: packages.slice(0, packagesMost),
			place: placeOf(reasons),
			reasons: reasons.map((each) => each.kind),
			why: reasons.map(explainReason).join("; "),
		})),
		waitingCount: waiting.length,
		heldCount: waiting.filter((each) => each.reasons.some((reason) => reason.kind === "held")).length,
		inFlight: inFlight.map((each) => inFlightOf(each, view)),
		silent: silentSentinels(view),
		holds: plan.control.holds.slice(0, askedMost),
		requests: plan.control.requests.slice(0, askedMost),
		reasons: plan.clusterReasons.map(explainReason),
		notOwner: plan.clusterReasons.some((each) => each.kind === "notOwner"),
		failure: null,
		failures: 0,
		ended: ended.slice(0, endedMost),
		endedCut: before.endedCut || ended.length > endedMost,
		counts: counted(before.counts, plan.ended),
	});
}

function endedOf({ reboot, end, cause, endedAt }: EndedReboot): EndedSummary {
	const { node, foundCordoned, kernelVersion: kernelBefore, timeline } = reboot;
	const kernelAfter = reboot.rebooted?.kernelVersion ?? null;
	return { node: node.name, pool: node.pool, end, at: endedAt, why: explainCause(cause, node.name), foundCordoned, kernelBefore, kernelAfter, timeline };
}

/** How long each phase of a reboot lasted until `until`, in their order. */
export function phaseDurations(timeline: Reboot["timeline"], until: Instant): readonly { readonly phase: Phase; readonly tookMs: number }[] {
	return timeline.map(({ phase, at }, index) => ({ phase, tookMs: Math.max(0, (timeline[index + 1]?.at ?? until) - at) }));
}

function counted(before: EndedCounts, ended: readonly EndedReboot[]): EndedCounts {
	const ends = { ...before.ends };
	const phases = { ...before.phases };
	for (const { reboot, end, endedAt } of ended) {
		ends[end] = (ends[end] ?? 0) + 1;
		for (const { phase, tookMs } of phaseDurations(reboot.timeline, endedAt)) {
			const { count, totalMs } = phases[phase] ?? { count: 0, totalMs: 0 };
			phases[phase] = { count: count + 1, totalMs: totalMs + tookMs };
		}
	}
	return { ends, phases };
}

/** What a node that stands in line may be told: room, its place, and what keeps the whole line. All else keeps the node out of it. */
const inLine: readonly ReasonKind[] = [
	"clusterFull",
	"poolFull",
	"poolSizeUnknown",
	"behind",
	"next",
	"claiming",
	"wouldBegin",
	"dryRun",
	"probation",
	"stuck",
];

function placeOf(reasons: readonly Reason[]): number | null {
	const behind = reasons.find((each) => each.kind === "behind");
	return behind?.place ?? (reasons.every((each) => inLine.includes(each.kind)) ? 1 : null);
}

/** The longest list is shortened until all fits; what is most urgent stands first. */
function fitted(summary: ClusterSummary): ClusterSummary {
	let { waiting, inFlight, ended, endedCut } = summary;
	for (;;) {
		const [w, i, e] = [waiting, inFlight, ended].map((each) => JSON.stringify(each).length) as [number, number, number];
		if (w + i + e <= summaryChars) return { ...summary, waiting, inFlight, ended, endedCut };
		if (waiting.length > 0 && w >= i && w >= e) waiting = waiting.slice(0, Math.floor(waiting.length * 0.8));
		else if (ended.length > 0 && e >= i) {
			ended = ended.slice(0, Math.floor(ended.length * 0.8));
			endedCut = true;
		} else inFlight = [...inFlight].sort((a, b) => Number(b.stuck) - Number(a.stuck)).slice(0, Math.floor(inFlight.length * 0.8));
	}
}

/** A row of an earlier release lacks what was added since; what is not in it counts as none. */
export function parseSummary(text: string): ClusterSummary {
	try {
		const parsed = JSON.parse(text) as ClusterSummary;
		if (parsed.version !== 1) return emptySummary;
		const whole = { ...emptySummary, ...parsed };
		return {
			...whole,
			waiting: whole.waiting.map((each) => ({ ...each, place: each.place ?? null })),
			inFlight: whole.inFlight.map((each) => ({ ...each, drainTimeoutAction: each.drainTimeoutAction ?? null })),
			ended: whole.ended.map((each) => ({ ...each, pool: each.pool ?? "", foundCordoned: each.foundCordoned ?? false, timeline: each.timeline ?? [] })),
		};
	} catch {
		return emptySummary;
	}
}

/** Whether two of them say the same of a cluster, whenever that was seen. */
export function sayTheSame(one: ClusterSummary, other: ClusterSummary): boolean {
	return isDeepStrictEqual({ ...one, at: null }, { ...other, at: null });
}
