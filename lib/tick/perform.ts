// Doing what the plan says: each act bounded in time and guarded by the lease, each outcome a closed union.
import type { Action, Leaving } from "../plan/actions.ts";
import type { Instant } from "../plan/model.ts";
import { CallError, messageOf } from "./call-error.ts";
import type { Lease } from "./lease.ts";
import type { ClusterApi, EvictionAnswer } from "./world.ts";

/** How an act went. */
export type Outcome =
	| { readonly kind: "done" }
	/** The API server says no: a right is missing, a policy forbids it, the request is wrong. */
	| { readonly kind: "refused"; readonly why: string }
	| { readonly kind: "notFound"; readonly why: string }
	/** It changed since it was seen: the next look decides anew. */
	| { readonly kind: "conflict"; readonly why: string }
	| { readonly kind: "throttled"; readonly why: string; readonly retryAfterMs: number | null }
	/** It may have been applied, or may still be: only a later look tells. */
	| { readonly kind: "unknown"; readonly why: string }
	/** It was not applied: the server could not be reached or did not accept us. */
	| { readonly kind: "notDone"; readonly why: string }
	/** The lease has passed on, or it was decided too long ago: nothing more is done. */
	| { readonly kind: "leaseLost" };

export interface Performed {
	readonly action: Action;
	readonly outcome: Outcome;
	/** For evictions and deletions: what keeps the pod. */
	readonly leaving: Leaving | null;
}

/** Evictions side by side on one node. */
const evictionsAtOnce = 5;
/** Nodes side by side. */
const nodesAtOnce = 8;

export function outcomeOf(error: unknown): Outcome {
	const why = messageOf(error);
	if (!(error instanceof CallError)) throw error;
	if (error.mayHaveApplied) return { kind: "unknown", why };
	switch (error.failure) {
		case "forbidden":
		case "invalid":
			return { kind: "refused", why };
		case "notFound":
			return { kind: "notFound", why };
		case "conflict":
		case "precondition":
			return { kind: "conflict", why };
		case "throttled":
			return { kind: "throttled", why, retryAfterMs: error.retryAfterMs };
		case "unreachable":
		case "untrusted":
		case "timedOut":
		case "unauthorized":
		case "expired":
		case "serverError":
		case "garbled":
			return { kind: "notDone", why };
		default: {
			const never: never = error.failure;
			return never;
		}
	}
}

/**
 * Applies a function to all, so many at a time, in order of beginning. Where it throws for one, none is begun any more, and those that are
 * under way are waited for: nothing may still act once its caller has gone on.
 */
export async function sideBySide<T, R>(items: readonly T[], atOnce: number, work: (item: T) => Promise<R>): Promise<R[]> {
	const results: R[] = [];
	const failures: unknown[] = [];
	let next = 0;
	const lane = async () => {
		for (let i = next++; i < items.length && failures.length === 0; i = next++) {
			const item = items[i];
			if (item === undefined) continue;
			try {
				results[i] = await work(item);
			} catch (error) {
				failures.push(error);
			}
		}
	};
	await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
	if (failures.length > 0) throw failures[0];
	return results;
}

function leavingOf(action: Action & { kind: "evict" | "delete" }, answer: EvictionAnswer): Leaving {
	const { pod } = action;
	switch (answer.kind) {
		case "evicted":
		case "gone":
			return { pod, obstacle: null, retryAfterMs: null };
		case "blocked":
			return { pod, obstacle: { kind: "budget", budgets: answer.budgets, message: answer.message }, retryAfterMs: answer.retryAfterMs };
		case "twoBudgets":
			return { pod, obstacle: { kind: "twoBudgets", budgets: answer.budgets, message: answer.message }, retryAfterMs: null };
		case "namespaceEnding":
			return { pod, obstacle: { kind: "namespaceEnding", budgets: [], message: answer.message }, retryAfterMs: null };
		default: {
			const never: never = answer;
			return never;
		}
	}
}

function leavingAfter(action: Action & { kind: "evict" | "delete" }, outcome: Outcome): Leaving | null {
	const { pod } = action;
	switch (outcome.kind) {
		case "done":
		case "notFound":
			return { pod, obstacle: null, retryAfterMs: null };
		case "throttled":
			return { pod, obstacle: { kind: "throttled", budgets: [], message: outcome.why }, retryAfterMs: outcome.retryAfterMs };
		case "refused":
			return { pod, obstacle: { kind: "refused", budgets: [], message: outcome.why }, retryAfterMs: null };
		case "conflict":
		case "unknown":
		case "notDone":
			return { pod, obstacle: { kind: "unknown", budgets: [], message: outcome.why }, retryAfterMs: null };
		case "leaseLost":
			return null;
		default: {
			const never: never = outcome;
			return never;
		}
	}
}

const done: Outcome = { kind: "done" };

async function act(api: ClusterApi, action: Exclude<Action, { kind: "evict" }>): Promise<void> {
	switch (action.kind) {
		case "cordon":
			// A node found cordoned keeps its cordon as it is: naming the field would make us one of its managers.
			return api.patchNode({
				name: action.node,
				resourceVersion: action.resourceVersion,
				mark: action.mark,
				...(action.mark.foundCordoned ? {} : { unschedulable: true }),
			});
		case "uncordon":
			return api.patchNode({
				name: action.node,
				resourceVersion: action.resourceVersion,
				mark: null,
				...(action.removeCordon ? { unschedulable: false } : {}),
			});
		case "mark":
			return api.patchNode({ name: action.node, resourceVersion: action.resourceVersion, mark: action.mark });
		case "delete":
			return api.deletePod(action.pod, { gracePeriodSeconds: action.gracePeriodSeconds });
		case "ask": {
			const { node, bootId, ask, notBefore, notAfter, sentinel } = action;
			const { image, imagePullPolicy, imagePullSecrets } = sentinel;
			return api.createRebootPod({ node, bootId, ask, notBefore, notAfter, image, imagePullPolicy, imagePullSecrets }, { dryRun: false });
		}
		case "deleteRebootPod":
			return api.deleteRebootPod({ name: action.pod, uid: action.uid });
		default: {
			const never: never = action;
			return never;
		}
	}
}

/** The lease that acts are done under, and when they were decided on. */
export interface Under {
	readonly lease: Lease;
	readonly decidedAt: Instant;
}

async function performOne(api: ClusterApi, { lease, decidedAt }: Under, action: Action): Promise<Performed> {
	// Right before every act: a worker that stalled past its lease does nothing more.
	if (!(await lease.holdFor(decidedAt))) return { action, outcome: { kind: "leaseLost" }, leaving: null };
	if (action.kind === "ask" && lease.now() >= action.notAfter) {
		// Decided in time on a look that took long: there is no use in a pod that has to end at once.
		return { action, outcome: { kind: "notDone", why: "the interval in which the reboot may be asked for is over" }, leaving: null };
	}
	try {
		if (action.kind === "evict") {
			const answer = await api.evict(action.pod, { gracePeriodSeconds: action.gracePeriodSeconds, dryRun: false });
			return { action, outcome: done, leaving: leavingOf(action, answer) };
		}
		await act(api, action);
		return { action, outcome: done, leaving: action.kind === "delete" ? leavingAfter(action, done) : null };
	} catch (error) {
		const outcome = outcomeOf(error);
		const leaving = action.kind === "evict" || action.kind === "delete" ? leavingAfter(action, outcome) : null;
		return { action, outcome, leaving };
	}
}

/** One reboot's acts, in order. One that does not come about ends the list, for the next would stand on it; pods do not depend on each other. */
async function performFor(api: ClusterApi, under: Under, actions: readonly Action[]): Promise<readonly Performed[]> {
	const performed: Performed[] = [];
	const ofPod = (action: Action) => action.kind === "evict" || action.kind === "delete";
	for (const action of actions.filter((each) => !ofPod(each))) {
		const result = await performOne(api, under, action);
		performed.push(result);
		if (result.outcome.kind !== "done") return performed;
	}
	performed.push(...(await sideBySide(actions.filter(ofPod), evictionsAtOnce, (action) => performOne(api, under, action))));
	return performed;
}

export async function perform(api: ClusterApi, under: Under, actions: readonly Action[]): Promise<readonly Performed[]> {
	const byRecord = new Map<string, Action[]>();
	for (const action of actions) byRecord.set(action.record, [...(byRecord.get(action.record) ?? []), action]);
	return (await sideBySide([...byRecord.values()], nodesAtOnce, (group) => performFor(api, under, group))).flat();
}
