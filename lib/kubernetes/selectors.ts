// Label selectors of budgets, judged here: the API server names no budget when two of them match a pod.
import type { V1LabelSelector, V1LabelSelectorRequirement, V1PodDisruptionBudget } from "@kubernetes/client-node";

type Labels = Readonly<Record<string, string>>;

/** The rules of policy/v1: no selector matches nothing, an empty one everything. */
export function matchesSelector(selector: V1LabelSelector | undefined, labels: Labels): boolean {
	if (selector === undefined || selector === null) return false;
	const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
	return equal && (selector.matchExpressions ?? []).every((requirement) => meets(requirement, labels));
}

function meets({ key, operator, values }: V1LabelSelectorRequirement, labels: Labels): boolean {
	const value = labels[key];
	switch (operator) {
		case "In":
			return value !== undefined && (values ?? []).includes(value);
		case "NotIn":
			return value === undefined || !(values ?? []).includes(value);
		case "Exists":
			return value !== undefined;
		case "DoesNotExist":
			return value === undefined;
		default:
			return false;
	}
}

/** Names of the budgets that match the labels, in order. */
export function budgetsOf(budgets: readonly V1PodDisruptionBudget[], labels: Labels): readonly string[] {
	return budgets
		.filter((budget) => matchesSelector(budget.spec?.selector, labels))
		.flatMap((budget) => budget.metadata?.name || [])
		.sort();
}
