// What must have been seen over all runs, or the simulation has quietly become kind: every edge between phases, every end out of every phase,
// every reason, action and outcome, every other move of a reboot, and every fault on every port.
import type { ActionKind } from "../../lib/plan/actions.ts";
import { type EndedReboot, ends } from "../../lib/plan/model.ts";
import { phaseRules } from "../../lib/plan/phases.ts";
import type { Reason, ReasonKind } from "../../lib/plan/reasons.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import { type Outcome, outcomeOf } from "../../lib/tick/perform.ts";
import { textOf } from "../../lib/tick/rows.ts";
import type { JournalLine } from "../../lib/tick/world.ts";
import type { Change } from "./changes.ts";
import { type FaultName, faultNames, type Port } from "./faults.ts";

/** The compiler holds these to the unions. */
const reasonKinds: Readonly<Record<ReasonKind, true>> = {
	settingsWrong: true,
	dryRun: true,
	wouldBegin: true,
	removed: true,
	sameCluster: true,
	held: true,
	noWindow: true,
	windowClosed: true,
	windowTooShort: true,
	clusterFull: true,
	poolFull: true,
	poolSizeUnknown: true,
	behind: true,
	backingOff: true,
	stillBlocked: true,
	rebootedRecently: true,
	probation: true,
	stuck: true,
	notOwner: true,
	ownerUnknown: true,
	claiming: true,
	notClaimable: true,
	next: true,
	clusterUnknown: true,
	sentinelAbsent: true,
	sentinelUnknown: true,
	waitingUnknown: true,
	clusterState: true,
	clusterStateUnknown: true,
	poolState: true,
	poolScopeUnmatched: true,
	nodeUnknown: true,
	nodeGone: true,
	nodeNotReady: true,
	nodeLeaving: true,
	nodeMarked: true,
	takenOver: true,
	virtualNode: true,
	reportStale: true,
	reportUnreadable: true,
	rebootPodRefused: true,
	rebootPodUnknown: true,
	requestWithdrawn: true,
};
const actionKinds: Readonly<Record<ActionKind, true>> = {
	cordon: true,
	uncordon: true,
	mark: true,
	evict: true,
	delete: true,
	ask: true,
	deleteRebootPod: true,
};
const outcomeKinds: Readonly<Record<Outcome["kind"], true>> = {
	done: true,
	refused: true,
	notFound: true,
	conflict: true,
	throttled: true,
	unknown: true,
	notDone: true,
	leaseLost: true,
};

const ports: readonly Port[] = ["table", "kubernetes", "arm"];
/** What is only read cannot be written twice, or in between. */
const impossible: readonly (readonly [Port, FaultName])[] = [
	["arm", "conflict"],
	["arm", "twice"],
];

/** Every name that must be seen, by what kind of thing it is. */
export const required: Readonly<Record<string, readonly string[]>> = {
	"phase edge": phaseRules.flatMap(({ phase, next }) => next.map((to) => `${phase} → ${to}`)),
	"end edge": phaseRules.flatMap(({ phase, ends: of }) => of.map((end) => `${phase} → ${end}`)),
	end: ends,
	reason: Object.keys(reasonKinds),
	action: Object.keys(actionKinds),
	outcome: Object.keys(outcomeKinds),
	// What moves a reboot and is no edge between phases.
	journal: ["reboot.deadlinePutOff", "reboot.askedAgain", "reboot.harsher", "reboot.alarm", "reboot.podTrouble"],
	fault: [
		...ports.flatMap((port) =>
			faultNames.filter((fault) => !impossible.some(([of, name]) => of === port && name === fault)).map((fault) => `${port} ${fault}`),
		),
		...["unreachable", "unauthorized", "throttled", "serverError", "garbled", "timedOut"].map((failure) => `events ${failure}`),
	],
};

/** Methods by which it is acted on a cluster. */
const acts: ReadonlySet<string> = new Set(["patchNode", "evict", "deletePod", "createRebootPod", "deleteRebootPod"]);

/** Names of what a change shows. */
export function seenIn(change: Change): readonly string[] {
	switch (change.kind) {
		case "journal":
			return [`journal ${change.line.event}`, ...toldIn(change.line)];
		case "nodePatched": {
			const { mark } = change.patch;
			return [`action ${mark === null ? "uncordon" : change.before.facts.mark.kind === "none" ? "cordon" : "mark"}`];
		}
		case "podEvicted":
			return ["action evict"];
		case "podDeleted":
			return [change.pod.owner.kind === "reboot" ? "action deleteRebootPod" : "action delete"];
		case "rebootPodCreated":
			return ["action ask"];
		case "answered":
			if (change.method === "createEvent") return change.error instanceof CallError ? [`fault events ${change.error.failure}`] : [];
			return acts.has(change.method) ? [`outcome ${change.error === null ? "done" : outcomeOf(change.error).kind}`] : [];
		case "rowsWritten":
			return change.writes.flatMap((write) => (write.kind === "insert" && write.key.startsWith("z-ended-") ? endsIn(textOf(write.values, "json")) : []));
		default:
			// Nothing of it has to be seen.
			return [change.kind];
	}
}

function endsIn(json: string): readonly string[] {
	const { reboot, end } = JSON.parse(json) as EndedReboot;
	return [`end ${end}`, `end edge ${reboot.phase} → ${end}`];
}

function toldIn(line: JournalLine): readonly string[] {
	const seen: string[] = [];
	if (line.event === "reboot.moved") seen.push(`phase edge ${line.from} → ${line.to}`);
	if (line.event === "reboot.stuck") seen.push(`phase edge ${line.from} → stuck`);
	// Those that were not told of what they did not do are told of together.
	if (line.event === "lease.lost" && typeof line.notDone === "number" && line.notDone > 0) seen.push("outcome leaseLost");
	const { reason, reasons, cause } = line as { readonly reason?: Reason; readonly reasons?: readonly Reason[]; readonly cause?: { readonly reason?: Reason } };
	for (const each of [reason, cause?.reason, ...(reasons ?? [])]) if (typeof each === "object") seen.push(`reason ${each.kind}`);
	return seen;
}

/** Seeds show nearly all of these as well; the named scenarios must, by themselves. Faults are for seeds. */
export function shownByScenarios(name: string): boolean {
	return !name.startsWith("fault ");
}

export type Counts = ReadonlyMap<string, number>;

export function sum(all: Iterable<Counts>): Counts {
	const counts = new Map<string, number>();
	for (const each of all) for (const [name, times] of each) counts.set(name, (counts.get(name) ?? 0) + times);
	return counts;
}

/** Of what must be seen, what never was. */
export function unseen(counts: Counts): readonly string[] {
	return Object.entries(required).flatMap(([kind, names]) => names.map((name) => `${kind} ${name}`).filter((name) => (counts.get(name) ?? 0) === 0));
}

/** One line per name with how often it was seen. */
export function table(counts: Counts): readonly string[] {
	return Object.entries(required).flatMap(([kind, names]) => names.map((name) => `${String(counts.get(`${kind} ${name}`) ?? 0).padStart(8)}  ${kind} ${name}`));
}
