// The API server's answer to an eviction, as a rule; tests/contract/eviction-rows.ts holds what was measured, and a test holds this to it.
import type { EvictionAnswer } from "../../../lib/tick/world.ts";
import type { BudgetSituation, EvictionSituation, PodSituation } from "../../contract/eviction-rows.ts";

export interface Eviction {
	readonly answer: EvictionAnswer;
	/** What becomes of the pod. */
	readonly deletes: "no" | "gracefully" | "atOnce";
	/** It takes room of its budget. */
	readonly takes: boolean;
}

const nothing = { deletes: "no", takes: false } as const;

export function evictionOf(situation: EvictionSituation, name: string, namespace: string): Eviction {
	const { pod, budgets, namespaceEnding } = situation;
	if (namespaceEnding) {
		const message = `pods "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`;
		return { answer: { kind: "namespaceEnding", message }, ...nothing };
	}
	if (pod === null) return { answer: { kind: "gone" }, ...nothing };
	const judged = asksBudgets(pod) ? byBudgets(pod, budgets) : { answer: null, takes: false };
	// What a budget blocks is looked up by the adapter: another UID means that ours has left. Without a budget in the way the server says so.
	if (!pod.uidMatches) return { answer: { kind: "gone" }, ...nothing };
	if (judged.answer !== null) return { answer: judged.answer, ...nothing };
	const answer = { kind: "evicted" } as const;
	if (situation.dryRun || pod.terminating) return { answer, ...nothing };
	const atOnce = situation.gracePeriodSeconds === 0 || isFinished(pod);
	return { answer, deletes: atOnce ? "atOnce" : "gracefully", takes: judged.takes };
}

function isFinished({ phase }: PodSituation): boolean {
	return phase === "Succeeded" || phase === "Failed";
}

/** Pods that are finished, pending or terminating are deleted without asking a budget. */
function asksBudgets(pod: PodSituation): boolean {
	return !isFinished(pod) && pod.phase !== "Pending" && !pod.terminating;
}

/** A null answer: the budgets let it go. */
function byBudgets(pod: PodSituation, budgets: readonly BudgetSituation[]): { readonly answer: EvictionAnswer | null; readonly takes: boolean } {
	const [budget] = budgets;
	if (budget === undefined) return { answer: null, takes: false };
	if (budgets.length > 1) {
		const message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
		return { answer: { kind: "twoBudgets", budgets: budgets.map((each) => each.name), message }, takes: false };
	}
	const { name, currentHealthy, desiredHealthy, disruptionsAllowed, observed, alwaysAllow } = budget;
	if (!pod.ready && (alwaysAllow || (currentHealthy >= desiredHealthy && desiredHealthy > 0))) return { answer: null, takes: false };
	const blocked = (what: string, retryAfterMs: number | null = null) => ({
		answer: { kind: "blocked" as const, budgets: [name], message: `The disruption budget ${name} ${what}`, retryAfterMs },
		takes: false,
	});
	if (!observed) return blocked("is still being processed by the server.", 10_000);
	if (disruptionsAllowed > 0) return { answer: null, takes: true };
	if (currentHealthy > desiredHealthy) return blocked("does not allow evicting pods currently");
	return blocked(`needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`);
}
