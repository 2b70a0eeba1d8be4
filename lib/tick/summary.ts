// What people see of a cluster after a look: the `fleet` row's summary, read by the status page and by whoever waits for the end.
import { explainCause, explainReason } from "../plan/explain.ts";
import type { End, Instant, Phase, Reboot, View } from "../plan/model.ts";
import type { Plan } from "../plan/plan.ts";
import { silentSentinels } from "./observe.ts";

export interface WaitingSummary {
	readonly node: string;
	readonly pool: string | null;
	readonly since: Instant | null;
	readonly kernel: string | null;
	readonly packages: readonly string[];
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
	readonly timeline: Reboot["timeline"];
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
	/** What keeps the cluster as a whole from beginning anything. */
	readonly reasons: readonly string[];
	readonly notOwner: boolean;
	/** Why it could not be looked at lately; null: it could. */
	readonly failure: string | null;
	readonly failures: number;
	/** The last that ended, newest first. */
	readonly ended: readonly {
		readonly node: string;
		readonly end: End;
		readonly at: Instant;
		readonly why: string;
		readonly kernelBefore: string;
		readonly kernelAfter: string | null;
	}[];
}

export const emptySummary: ClusterSummary = {
	version: 1,
	at: null,
	waiting: [],
	waitingCount: 0,
	heldCount: 0,
	inFlight: [],
	silent: 0,
	reasons: [],
	notOwner: false,
	failure: null,
	failures: 0,
	ended: [],
};

/**
 * Lists are cut to fit a row, and the rows of a fleet to be read in one look: 500 clusters on patch day are 32 MB.
 * A row holds 512 Ki characters.
 */
const summaryChars = 64_000;
const waitingMost = 200;
const packagesMost = 10;
const endedMost = 50;

/** Whether a reboot in flight needs a person. */
export function needsPerson(reboot: Reboot): boolean {
	return reboot.phase === "stuck" || reboot.alarmed;
}

function inFlightOf(reboot: Reboot): InFlightSummary {
	const { node, phase, phaseSince, deadlineAt, kernelVersion, timeline } = reboot;
	const obstacle = reboot.obstacles[0];
	const why =
		reboot.ending !== null
			? explainCause(reboot.ending.cause, node.name)
			: (reboot.trouble ?? (obstacle === undefined ? null : `${obstacle.namespace}/${obstacle.name}: ${obstacle.message}`));
	return { node: node.name, pool: node.pool, phase, since: phaseSince, deadline: deadlineAt, kernel: kernelVersion, stuck: needsPerson(reboot), why, timeline };
}

export function summaryOf(before: ClusterSummary, view: View, plan: Plan, inFlight: readonly Reboot[]): ClusterSummary {
	const ended = plan.ended.map(({ reboot, end, cause, endedAt }) => ({
		node: reboot.node.name,
		end,
		at: endedAt,
		why: explainCause(cause, reboot.node.name),
		kernelBefore: reboot.kernelVersion,
		kernelAfter: reboot.rebooted?.kernelVersion ?? null,
	}));
	const admitted = new Set(plan.admitted.map((each) => each.node.name));
	const waiting = plan.waiting.filter((each) => !admitted.has(each.node));
	return fitted({
		version: 1,
		at: view.at,
		waiting: waiting.slice(0, waitingMost).map(({ node, pool, since, kernelVersion, packages, reasons }) => ({
			node,
			pool,
			since,
			kernel: kernelVersion,
			packages: packages.slice(0, packagesMost),
			reasons: reasons.map((each) => each.kind),
			why: reasons.map(explainReason).join("; "),
		})),
		waitingCount: waiting.length,
		heldCount: waiting.filter((each) => each.reasons.some((reason) => reason.kind === "held")).length,
		inFlight: inFlight.map(inFlightOf),
		silent: silentSentinels(view),
		reasons: plan.clusterReasons.map(explainReason),
		notOwner: plan.clusterReasons.some((each) => each.kind === "notOwner"),
		failure: null,
		failures: 0,
		ended: [...ended, ...before.ended].slice(0, endedMost),
	});
}

/** The longest list is shortened until all fits; what is most urgent stands first. */
function fitted(summary: ClusterSummary): ClusterSummary {
	let { waiting, inFlight, ended } = summary;
	for (;;) {
		const [w, i, e] = [waiting, inFlight, ended].map((each) => JSON.stringify(each).length) as [number, number, number];
		if (w + i + e <= summaryChars) return { ...summary, waiting, inFlight, ended };
		if (waiting.length > 0 && w >= i && w >= e) waiting = waiting.slice(0, Math.floor(waiting.length * 0.8));
		else if (ended.length > 0 && e >= i) ended = ended.slice(0, Math.floor(ended.length * 0.8));
		else inFlight = [...inFlight].sort((a, b) => Number(b.stuck) - Number(a.stuck)).slice(0, Math.floor(inFlight.length * 0.8));
	}
}

export function parseSummary(text: string): ClusterSummary {
	try {
		const parsed = JSON.parse(text) as ClusterSummary;
		return parsed.version === 1 ? parsed : emptySummary;
	} catch {
		return emptySummary;
	}
}
