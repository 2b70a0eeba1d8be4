// What an eviction is answered, as data: every row was measured on kube-apiserver 1.36.2. The suite holds both servers to it, and whatever
// else plays a cluster can be held to it.
import type { PodPhase } from "../../lib/plan/model.ts";
import type { EvictionAnswer } from "../../lib/tick/world.ts";

export interface PodSituation {
	readonly phase: PodPhase;
	/** Condition Ready. */
	readonly ready: boolean;
	/** `metadata.deletionTimestamp` is set. */
	readonly terminating: boolean;
	/** The UID of the eviction's precondition is the pod's; else another pod has taken its name. */
	readonly uidMatches: boolean;
}

/** A budget that matches the pod. */
export interface BudgetSituation {
	readonly name: string;
	readonly disruptionsAllowed: number;
	readonly currentHealthy: number;
	readonly desiredHealthy: number;
	/** The controller has seen this generation of it: `status.observedGeneration` is not behind. */
	readonly observed: boolean;
	/** `unhealthyPodEvictionPolicy: AlwaysAllow`. */
	readonly alwaysAllow: boolean;
}

export interface EvictionSituation {
	/** Null: there is no pod of that name. A pod is bound to a node. */
	readonly pod: PodSituation | null;
	readonly budgets: readonly BudgetSituation[];
	/** The pod's namespace is being deleted. */
	readonly namespaceEnding: boolean;
	readonly dryRun: boolean;
	/** Null: the pod's own. */
	readonly gracePeriodSeconds: number | null;
}

export interface EvictionRow {
	readonly name: string;
	readonly situation: EvictionSituation;
	/** What the server answers to the eviction. */
	readonly status: 201 | 403 | 404 | 409 | 429 | 500;
	/** What the adapter makes of it. */
	readonly answer: EvictionAnswer;
	/** What is left of the pod that was there. */
	readonly left: "nothing" | "terminating" | "untouched";
	/** `disruptionsAllowed` of each budget afterwards. */
	readonly allowedAfter: readonly number[];
}

/** Of the pod in every row. */
export const podName = "web-1";
/** Of the namespace of a row that is being deleted. */
export const endingNamespace = "ending";

const running: PodSituation = { phase: "Running", ready: true, terminating: false, uidMatches: true };
const unready: PodSituation = { ...running, ready: false };
const pending: PodSituation = { ...unready, phase: "Pending" };
const terminating: PodSituation = { ...running, terminating: true };
const successor = (pod: PodSituation): PodSituation => ({ ...pod, uidMatches: false });

const full: BudgetSituation = { name: "web", disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, observed: true, alwaysAllow: false };
const withRoom: BudgetSituation = { ...full, disruptionsAllowed: 1, currentHealthy: 2 };
const unmet: BudgetSituation = { ...full, currentHealthy: 0 };
const unmetWithRoom: BudgetSituation = { ...unmet, disruptionsAllowed: 1 };
const other = (budget: BudgetSituation): BudgetSituation => ({ ...budget, name: "zone" });
const alwaysAllow = (budget: BudgetSituation): BudgetSituation => ({ ...budget, alwaysAllow: true });

const evicted: EvictionAnswer = { kind: "evicted" };
const gone: EvictionAnswer = { kind: "gone" };
const blocked = (message: string, retryAfterMs: number | null = null): EvictionAnswer => {
	return { kind: "blocked", budgets: ["web"], message: `The disruption budget web ${message}`, retryAfterMs };
};
const unprocessed = blocked("is still being processed by the server.", 10_000);
const twoBudgets: EvictionAnswer = {
	kind: "twoBudgets",
	budgets: ["web", "zone"],
	message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
};
const ending: EvictionAnswer = {
	kind: "namespaceEnding",
	message: `pods "${podName}" is forbidden: unable to create new content in namespace ${endingNamespace} because it is being terminated`,
};

type Told = Partial<Omit<EvictionSituation, "pod">> & { readonly pod?: PodSituation | null };

function row(
	name: string,
	told: Told,
	status: EvictionRow["status"],
	answer: EvictionAnswer,
	left?: EvictionRow["left"],
	allowedAfter?: number[],
): EvictionRow {
	const situation: EvictionSituation = { pod: running, budgets: [], namespaceEnding: false, dryRun: false, gracePeriodSeconds: null, ...told };
	const before = situation.pod === null ? "nothing" : situation.pod.terminating ? "terminating" : "untouched";
	return { name, situation, status, answer, left: left ?? before, allowedAfter: allowedAfter ?? situation.budgets.map((each) => each.disruptionsAllowed) };
}

export const evictionRows: readonly EvictionRow[] = [
	row("no budget", {}, 201, evicted, "terminating"),
	row("no budget, a grace period of 0", { gracePeriodSeconds: 0 }, 201, evicted, "nothing"),
	row("allowed: takes the room of its budget", { budgets: [withRoom] }, 201, evicted, "terminating", [0]),
	row("allowed, dry run: nothing is deleted and nothing taken", { budgets: [withRoom], dryRun: true }, 201, evicted),
	row("budget leaves no room", { budgets: [full] }, 429, blocked("needs 1 healthy pods and has 1 currently")),
	row(
		"budget leaves no room, dry run: a dry run does check budgets",
		{ budgets: [full], dryRun: true },
		429,
		blocked("needs 1 healthy pods and has 1 currently"),
	),
	row(
		"budget leaves no room although more are healthy than it needs",
		{ budgets: [{ ...full, currentHealthy: 2 }] },
		429,
		blocked("does not allow evicting pods currently"),
	),
	row("budget just created, its status not computed yet", { budgets: [{ ...full, observed: false }] }, 429, unprocessed),
	row("budget with room by a status that is behind", { budgets: [{ ...withRoom, observed: false }] }, 429, unprocessed),
	row("two budgets match the pod", { budgets: [withRoom, other(withRoom)] }, 500, twoBudgets),
	row("two budgets match the pod, dry run", { budgets: [withRoom, other(withRoom)], dryRun: true }, 500, twoBudgets),
	row("two budgets match a pod that is pending: neither is asked", { pod: pending, budgets: [full, other(full)] }, 201, evicted, "terminating"),
	row("UID differs, no budget in the way", { pod: successor(running) }, 409, gone),
	row("UID differs, dry run", { pod: successor(running), dryRun: true }, 409, gone),
	row("UID differs and the budget leaves no room: the budget is checked first", { pod: successor(running), budgets: [full] }, 429, gone),
	row("UID differs and two budgets match: the budgets are checked first", { pod: successor(running), budgets: [full, other(full)] }, 500, gone),
	row("UID differs of a pod that is pending", { pod: successor(pending), budgets: [unmet] }, 409, gone),
	row("UID differs of a pod that is terminating", { pod: successor(terminating), budgets: [full] }, 409, gone),
	row("the pod is terminating already: takes nothing from the budget", { pod: terminating, budgets: [withRoom] }, 201, evicted),
	row("the pod is terminating already, no room", { pod: terminating, budgets: [full] }, 201, evicted),
	row("the pod is gone", { pod: null }, 404, gone),
	row("pod pending, budget without room: the budget is not asked", { pod: pending, budgets: [unmet] }, 201, evicted, "terminating"),
	row("pod pending: takes nothing from the budget", { pod: pending, budgets: [unmetWithRoom] }, 201, evicted, "terminating"),
	row("pod running but not ready, budget not met", { pod: unready, budgets: [unmet] }, 429, blocked("needs 1 healthy pods and has 0 currently")),
	row("pod not ready, budget not met, AlwaysAllow", { pod: unready, budgets: [alwaysAllow(unmet)] }, 201, evicted, "terminating"),
	row("pod not ready, AlwaysAllow: takes nothing from the budget", { pod: unready, budgets: [alwaysAllow(unmetWithRoom)] }, 201, evicted, "terminating"),
	row(
		"pod ready, no room, AlwaysAllow: only those that are not ready go",
		{ budgets: [alwaysAllow(full)] },
		429,
		blocked("needs 1 healthy pods and has 1 currently"),
	),
	row("pod not ready, the others are enough: may go without room", { pod: unready, budgets: [full] }, 201, evicted, "terminating"),
	row("pod not ready, the others are enough: takes nothing from the budget", { pod: unready, budgets: [withRoom] }, 201, evicted, "terminating"),
	row(
		"pod not ready, the budget needs none and leaves no room",
		{ pod: unready, budgets: [{ ...full, currentHealthy: 0, desiredHealthy: 0 }] },
		429,
		blocked("needs 0 healthy pods and has 0 currently"),
	),
	row("pod not ready, budget not met but with room: takes it", { pod: unready, budgets: [unmetWithRoom] }, 201, evicted, "terminating", [0]),
	row(
		"pod of unknown phase, budget not met",
		{ pod: { ...unready, phase: "Unknown" }, budgets: [unmet] },
		429,
		blocked("needs 1 healthy pods and has 0 currently"),
	),
	row("pod succeeded: takes nothing from the budget", { pod: { ...unready, phase: "Succeeded" }, budgets: [unmetWithRoom] }, 201, evicted, "nothing"),
	row("pod succeeded: goes at once, the budget is not asked", { pod: { ...unready, phase: "Succeeded" }, budgets: [unmet] }, 201, evicted, "nothing"),
	row("pod failed: goes at once, the budget is not asked", { pod: { ...unready, phase: "Failed" }, budgets: [unmet] }, 201, evicted, "nothing"),
	row("the pod's namespace is being deleted", { namespaceEnding: true }, 403, ending),
	row("the pod's namespace is being deleted, dry run", { namespaceEnding: true, dryRun: true }, 403, ending),
	row("the pod's namespace is being deleted: said before the UID is looked at", { namespaceEnding: true, pod: successor(running) }, 403, ending),
	row("the pod's namespace is being deleted and the pod is gone: the pod is not looked for", { namespaceEnding: true, pod: null }, 403, ending),
];
