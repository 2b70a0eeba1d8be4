// Where a pod may be: selectors, affinity, taints (kube-scheduler's and the DaemonSet controller's rules).
import type { NodeObject, PodSpec, Taint, Toleration } from "../objects.ts";
import { meetsAll } from "../selectors.ts";

export const cordonTaint = "node.kubernetes.io/unschedulable";
export const notReadyTaint = "node.kubernetes.io/not-ready";
export const unreachableTaint = "node.kubernetes.io/unreachable";

/** component-helpers, Toleration.ToleratesTaint. */
export function toleratesTaint({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
	if (effect && effect !== taint.effect) return false;
	if (key && key !== taint.key) return false;
	return operator === "Exists" || (Boolean(key) && (value ?? "") === (taint.value ?? ""));
}

export function tolerated(tolerations: readonly Toleration[], taint: Taint): boolean {
	return tolerations.some((each) => toleratesTaint(each, taint));
}

/** `node.spec.unschedulable` counts as its taint, before the controller has set that. */
export function admits(spec: PodSpec, node: NodeObject): boolean {
	const taints = (node.spec.taints ?? []).filter((taint) => taint.effect !== "PreferNoSchedule");
	const cordon: readonly Taint[] = node.spec.unschedulable === true ? [{ key: cordonTaint, effect: "NoSchedule" }] : [];
	return [...taints, ...cordon].every((taint) => tolerated(spec.tolerations ?? [], taint));
}

export function selectsNode(spec: PodSpec, node: NodeObject): boolean {
	const labels = node.metadata.labels ?? {};
	if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
	const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
	const fields = { "metadata.name": node.metadata.name };
	return terms === undefined || terms.some((term) => meetsAll(term.matchExpressions ?? [], labels) && meetsAll(term.matchFields ?? [], fields));
}
