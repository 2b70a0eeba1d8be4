// The status of PodDisruptionBudgets (kubernetes, pkg/controller/disruption).
import { type BudgetObject, controllerOf, isLeaving, isReady, type LabObject, type PodObject } from "../objects.ts";
import type { Registry } from "../registry.ts";
import { resourceNamed } from "../resources.ts";
import { selects } from "../selectors.ts";
import type { Change, Store } from "../store.ts";
import type { Controller } from "./loop.ts";
import { pods, putStatus } from "./pods.ts";

const budgets = resourceNamed("poddisruptionbudgets");
const scaledKinds = new Set(["Deployment", "ReplicaSet", "StatefulSet"]);
/** An eviction whose pod did not begin to leave by then is taken back. */
const disruptedMs = 120_000;

export function budgetController(registry: Registry): Controller {
	const { store } = registry;
	return {
		name: "budgets",
		*initial() {
			for (const { metadata } of store.all(budgets)) yield metadata.uid;
		},
		*keysOf(change) {
			if (change.resource === budgets) yield change.object.metadata.uid;
			const { namespace } = change.object.metadata;
			if (namespace === undefined || !mayCount(change)) return;
			for (const budget of store.inNamespace(budgets, namespace) as Iterable<BudgetObject>) if (concerns(budget, change)) yield budget.metadata.uid;
		},
		reconcile(uid) {
			const budget = store.byUid(uid) as BudgetObject | undefined;
			if (budget === undefined || isLeaving(budget)) return undefined;
			const disrupted = stillDisrupted(store, budget);
			putStatus(registry, budgets, budget, statusOf(store, budget, disrupted));
			return Object.keys(disrupted).length > 0 ? disruptedMs : undefined;
		},
	};
}

function mayCount({ resource, object }: Change): boolean {
	return resource === pods || scaledKinds.has(object.kind);
}

function concerns({ spec }: BudgetObject, { resource, object, before }: Change): boolean {
	if (resource !== pods) return true;
	return selects(spec.selector, object.metadata.labels) || (before !== null && selects(spec.selector, before.metadata.labels));
}

/** Pods whose eviction was granted and that have not begun to leave: they count as gone already. */
function stillDisrupted(store: Store, { metadata, status }: BudgetObject): Readonly<Record<string, string>> {
	const left = Object.entries(status.disruptedPods ?? {}).filter(([name, at]) => {
		const pod = store.get(pods, metadata.namespace ?? "", name);
		return pod !== undefined && !isLeaving(pod) && Date.parse(at) + disruptedMs > Date.now();
	});
	return Object.fromEntries(left);
}

function statusOf(store: Store, { metadata, spec }: BudgetObject, disruptedPods: Readonly<Record<string, string>>): object {
	const matching = ([...store.inNamespace(pods, metadata.namespace ?? "")] as PodObject[]).filter((pod) => selects(spec.selector, pod.metadata.labels));
	const { expectedPods, desiredHealthy } = expected(store, spec, matching);
	const currentHealthy = matching.filter((pod) => isReady(pod) && !isLeaving(pod) && disruptedPods[pod.metadata.name] === undefined).length;
	const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0;
	const enough = disruptionsAllowed > 0;
	const condition = { type: "DisruptionAllowed", status: enough ? "True" : "False", reason: enough ? "SufficientPods" : "InsufficientPods" };
	return { observedGeneration: metadata.generation, disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods, disruptedPods, conditions: [condition] };
}

function expected(
	store: Store,
	{ minAvailable, maxUnavailable }: BudgetObject["spec"],
	matching: readonly PodObject[],
): { expectedPods: number; desiredHealthy: number } {
	if (typeof minAvailable === "number") return { expectedPods: matching.length, desiredHealthy: minAvailable };
	const owners = new Map(matching.flatMap((pod) => scaleOf(store, pod)));
	const expectedPods = [...owners.values()].reduce((sum, replicas) => sum + replicas, 0);
	if (minAvailable !== undefined) return { expectedPods, desiredHealthy: scaled(minAvailable, expectedPods) };
	return { expectedPods, desiredHealthy: Math.max(0, expectedPods - scaled(maxUnavailable ?? 0, expectedPods)) };
}

/** Percentages are rounded up. */
function scaled(value: number | string, of: number): number {
	return typeof value === "number" ? value : Math.ceil((Number.parseInt(value, 10) / 100) * of);
}

/** UID and replicas of what stands above a pod: its Deployment, or its own controller. */
function scaleOf(store: Store, pod: PodObject): (readonly [string, number])[] {
	const own = ownerOf(store, pod);
	const above = own === undefined ? undefined : (ownerOf(store, own) ?? own);
	if (above === undefined || !scaledKinds.has(above.kind)) return [];
	return [[above.metadata.uid, (above.spec as { replicas: number }).replicas]];
}

function ownerOf(store: Store, object: LabObject): LabObject | undefined {
	return store.byUid(controllerOf(object)?.uid ?? "");
}
