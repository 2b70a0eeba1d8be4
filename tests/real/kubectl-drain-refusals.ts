// Evictions that the API server refuses, what `kubectl drain` does then and what we do: docs/drain.md prints this table, and
// kubectl-drain-refusals.test.ts sees every row of it on twin nodes.
import type { Obstacle } from "../../lib/plan/model.ts";
import type { BudgetSituation } from "../contract/eviction-rows.ts";

/** Who drains. */
export type Side = "ours" | "kubectl";

export interface Refusal {
	readonly situation: string;
	/** What the API server answers. */
	readonly answer: string;
	readonly kubectl: string;
	readonly we: string;
	/** Why we do another thing; null: we do the same. */
	readonly why: string | null;
	readonly pod: { readonly ready: boolean };
	readonly budgets: readonly BudgetSituation[];
	/** How evictions of the pod are answered, each answer named where it is another than the one before. */
	readonly statuses: Readonly<Record<Side, readonly number[]>>;
	/** What somebody does once an eviction was refused; null: nothing, for as long as the drains go on. */
	readonly mend: "makesRoom" | "removesOneBudget" | "allowsEvictions" | "deletesPod" | "replacesPod" | null;
	/** Null: its time limit is wide. */
	readonly kubectlTimeoutSeconds: number | null;
	readonly kubectlEnds: { readonly exitCode: number; readonly says: RegExp };
	readonly weEnd: { readonly end: "done" | "gaveUp"; readonly obstacle: Obstacle["kind"] | null; readonly says: RegExp };
}

const full: BudgetSituation = { name: "web", disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, observed: true, alwaysAllow: false };
const unmet: BudgetSituation = { ...full, currentHealthy: 0 };
const ready = { ready: true };
const unready = { ready: false };
const again = /^error when evicting pods\/"app" -n "\S+" \(will retry after 5s\): Cannot evict pod as it would violate the pod's disruption budget\.$/m;
const nothing = /^$/;
const drained = { exitCode: 0, says: nothing };
const evicted = { end: "done", obstacle: null, says: /^rebooted and in service/ } as const;

export const refusals = {
	full: {
		situation: "a budget without room",
		answer: "429, cause `DisruptionBudget`, no Retry-After",
		kubectl: "says so and tries again every 5 s; with `--timeout` it fails then, and leaves the node cordoned",
		we: "try again every 5 s, and name the budget and what it says; `DRAIN_TIMEOUT_ACTION` after `DRAIN_TIMEOUT`, and the node is given back",
		why: "a node that is left cordoned is room that is lost",
		pod: ready,
		budgets: [full],
		statuses: { kubectl: [429], ours: [429] },
		mend: null,
		kubectlTimeoutSeconds: 8,
		kubectlEnds: { exitCode: 1, says: /error when evicting pods\/"app" -n "full-kubectl": global timeout reached: 8s/ },
		weEnd: { end: "gaveUp", obstacle: "budget", says: /pod full-ours\/app is kept by budget web: .*needs 1 healthy pods and has 1 currently/ },
	},
	"makes-room": {
		situation: "the same, and room is made",
		answer: "429, then 201",
		kubectl: "evicts it at the next try",
		we: "evict it at the next try",
		why: null,
		pod: ready,
		budgets: [full],
		statuses: { kubectl: [429, 201], ours: [429, 201] },
		mend: "makesRoom",
		kubectlTimeoutSeconds: null,
		kubectlEnds: { exitCode: 0, says: again },
		weEnd: { ...evicted, obstacle: "budget" },
	},
	"not-counted": {
		situation: "a budget that its controller has not looked at yet (just made, or changed)",
		answer: "429, Retry-After: 10",
		kubectl: "says nothing, and waits as long as it is told, up to ten times; its time limit is not looked at meanwhile (see below)",
		we: "wait as long as we are told, and say that the budget is still being processed",
		why: "`DRAIN_TIMEOUT` has to hold, and a person has to see why nothing happens",
		pod: ready,
		budgets: [{ ...full, observed: false }],
		statuses: { kubectl: [429, 201], ours: [429, 201] },
		mend: "makesRoom",
		kubectlTimeoutSeconds: 1,
		kubectlEnds: { exitCode: 1, says: /error when waiting for pod "app" in namespace "not-counted-kubectl" to terminate/ },
		weEnd: { ...evicted, obstacle: "budget" },
	},
	"two-budgets": {
		situation: "two budgets cover one pod, until one is removed",
		answer: "500, a message and no reason",
		kubectl: "gives the pod up at once and goes on with the others; then fails, and leaves the node cordoned",
		we: "name both budgets, try again every 5 s until `DRAIN_TIMEOUT`, and evict it once one is removed",
		why: "what fails now may be mended before the time is over",
		pod: ready,
		budgets: [
			{ ...full, name: "web", disruptionsAllowed: 1, currentHealthy: 2 },
			{ ...full, name: "zone", disruptionsAllowed: 1, currentHealthy: 2 },
		],
		statuses: { kubectl: [500], ours: [500, 201] },
		mend: "removesOneBudget",
		kubectlTimeoutSeconds: null,
		kubectlEnds: { exitCode: 1, says: /error when evicting pods\/"app" -n "two-budgets-kubectl": This pod has more than one PodDisruptionBudget/ },
		weEnd: { ...evicted, obstacle: "twoBudgets" },
	},
	policy: {
		situation: "an admission policy or a webhook refuses the eviction, until it is changed",
		answer: "403, its message",
		kubectl: "gives the pod up at once and goes on with the others; then fails, and leaves the node cordoned",
		we: "tell its message, and try again every 5 s until `DRAIN_TIMEOUT`",
		why: "what fails now may be mended before the time is over",
		pod: ready,
		budgets: [],
		statuses: { kubectl: [403], ours: [403, 201] },
		mend: "allowsEvictions",
		kubectlTimeoutSeconds: null,
		kubectlEnds: { exitCode: 1, says: /error when evicting pods\/"app" -n "policy-kubectl": .*denied request: not while the tests say so/ },
		weEnd: { ...evicted, obstacle: "refused" },
	},
	gone: {
		situation: "somebody deletes the pod while its eviction is refused",
		answer: "429, then 404",
		kubectl: "counts it as gone",
		we: "see that it is gone; a 404 counts as gone too",
		why: null,
		pod: ready,
		budgets: [full],
		statuses: { kubectl: [429, 404], ours: [429] },
		mend: "deletesPod",
		kubectlTimeoutSeconds: null,
		kubectlEnds: { exitCode: 0, says: again },
		weEnd: { ...evicted, obstacle: "budget" },
	},
	successor: {
		situation: "the same, and another pod gets its name on another node (StatefulSet)",
		answer: "429, then 201; to us, who send the UID, 409",
		kubectl: "evicts the successor, on that other node",
		we: "leave it alone: with another UID the pod that had to leave is gone",
		why: "who runs on another node is not what is drained",
		pod: ready,
		budgets: [full],
		statuses: { kubectl: [429, 201], ours: [429] },
		mend: "replacesPod",
		kubectlTimeoutSeconds: null,
		kubectlEnds: { exitCode: 0, says: again },
		weEnd: { ...evicted, obstacle: "budget" },
	},
	ending: {
		situation: "the pod's namespace is being deleted",
		answer: "403, cause `NamespaceTerminating`",
		kubectl: "tries again every 5 s, and only waits once it finds the pod terminating; one that left in between it tries until the namespace is gone",
		we: "say that its namespace is being deleted, try again every 5 s, and only wait once the pod is terminating",
		why: "each look lists the pods anew: what is not there has left",
		pod: ready,
		budgets: [],
		statuses: { kubectl: [403], ours: [403] },
		mend: "deletesPod",
		kubectlTimeoutSeconds: null,
		kubectlEnds: { exitCode: 0, says: /error when evicting pod "app" from terminating namespace "ending-kubectl" \(will retry after 5s\)/ },
		weEnd: { ...evicted, obstacle: "namespaceEnding" },
	},
	unready: {
		situation: "a pod that is not ready, `unhealthyPodEvictionPolicy: IfHealthyBudget` (unless told), fewer healthy than the budget asks for",
		answer: "429, cause `DisruptionBudget`",
		kubectl: "as with any budget without room",
		we: "as with any budget without room",
		why: "as there",
		pod: unready,
		budgets: [unmet],
		statuses: { kubectl: [429], ours: [429] },
		mend: null,
		kubectlTimeoutSeconds: 8,
		kubectlEnds: { exitCode: 1, says: /error when evicting pods\/"app" -n "unready-kubectl": global timeout reached: 8s/ },
		weEnd: { end: "gaveUp", obstacle: "budget", says: /pod unready-ours\/app is kept by budget web: .*needs 1 healthy pods and has 0 currently/ },
	},
	"unready-beside": {
		situation: "the same, as many healthy as it asks for",
		answer: "201, though the budget has no room",
		kubectl: "evicts it",
		we: "evict it",
		why: null,
		pod: unready,
		budgets: [full],
		statuses: { kubectl: [201], ours: [201] },
		mend: null,
		kubectlTimeoutSeconds: null,
		kubectlEnds: drained,
		weEnd: evicted,
	},
	"unready-allowed": {
		situation: "a pod that is not ready, `unhealthyPodEvictionPolicy: AlwaysAllow`",
		answer: "201, whatever the budget says",
		kubectl: "evicts it",
		we: "evict it",
		why: null,
		pod: unready,
		budgets: [{ ...unmet, alwaysAllow: true }],
		statuses: { kubectl: [201], ours: [201] },
		mend: null,
		kubectlTimeoutSeconds: null,
		kubectlEnds: drained,
		weEnd: evicted,
	},
} as const satisfies Readonly<Record<string, Refusal>>;

export type RefusalName = keyof typeof refusals;

/** The rows as docs/drain.md has them. */
export function refusalsInMarkdown(): string {
	const rows = Object.values(refusals).map(({ situation, answer, kubectl, we, why }) => `| ${situation} | ${answer} | ${kubectl} | ${we} | ${why ?? "—"} |`);
	return ["| situation | answer | kubectl drain | we | why not the same |", "| --- | --- | --- | --- | --- |", ...rows].join("\n");
}
