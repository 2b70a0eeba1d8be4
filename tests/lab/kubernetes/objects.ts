// Kubernetes objects as they are stored: JSON that is never changed in place. Every write makes a new object that shares what is equal.

export interface OwnerReference {
	readonly apiVersion: string;
	readonly kind: string;
	readonly name: string;
	readonly uid: string;
	readonly controller?: boolean;
	readonly blockOwnerDeletion?: boolean;
}

export interface ManagedFields {
	readonly manager: string;
	readonly operation: "Apply" | "Update";
	readonly apiVersion: string;
	readonly time: string;
	readonly fieldsType: "FieldsV1";
	readonly fieldsV1: Fields;
	readonly subresource?: string;
}

/** A set of fields: `{"f:spec":{"f:unschedulable":{}}}`. */
export interface Fields {
	readonly [field: string]: Fields;
}

export type Labels = Readonly<Record<string, string>>;

export interface Metadata {
	readonly name: string;
	readonly namespace?: string;
	readonly generateName?: string;
	readonly uid: string;
	readonly resourceVersion: string;
	readonly generation?: number;
	readonly creationTimestamp: string;
	readonly deletionTimestamp?: string;
	readonly deletionGracePeriodSeconds?: number;
	readonly labels?: Labels;
	readonly annotations?: Labels;
	readonly ownerReferences?: readonly OwnerReference[];
	readonly finalizers?: readonly string[];
	readonly managedFields?: readonly ManagedFields[];
}

export interface LabObject {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: Metadata;
	readonly spec?: unknown;
	readonly status?: unknown;
	readonly [field: string]: unknown;
}

export interface Taint {
	readonly key: string;
	readonly value?: string;
	readonly effect: string;
	readonly timeAdded?: string;
}

export interface Toleration {
	readonly key?: string;
	readonly operator?: string;
	readonly value?: string;
	readonly effect?: string;
	readonly tolerationSeconds?: number;
}

export interface Requirement {
	readonly key: string;
	readonly operator: string;
	readonly values?: readonly string[];
}

export interface LabelSelector {
	readonly matchLabels?: Labels;
	readonly matchExpressions?: readonly Requirement[];
}

export interface Condition {
	readonly type: string;
	readonly status: string;
	readonly reason?: string;
	readonly message?: string;
	readonly lastTransitionTime?: string;
	readonly lastHeartbeatTime?: string;
}

interface NodeSelectorTerm {
	readonly matchExpressions?: readonly Requirement[];
	readonly matchFields?: readonly Requirement[];
}

export interface PodSpec {
	readonly nodeName?: string;
	readonly nodeSelector?: Labels;
	readonly affinity?: {
		readonly nodeAffinity?: { readonly requiredDuringSchedulingIgnoredDuringExecution?: { readonly nodeSelectorTerms: readonly NodeSelectorTerm[] } };
	};
	readonly tolerations?: readonly Toleration[];
	readonly terminationGracePeriodSeconds?: number;
	readonly priorityClassName?: string;
	readonly hostPID?: boolean;
	readonly [field: string]: unknown;
}

export interface PodStatus {
	readonly phase?: string;
	readonly conditions?: readonly Condition[];
	readonly [field: string]: unknown;
}

export interface PodObject extends LabObject {
	readonly spec: PodSpec;
	readonly status: PodStatus;
}

export interface NodeObject extends LabObject {
	readonly spec: { readonly unschedulable?: boolean; readonly taints?: readonly Taint[]; readonly [field: string]: unknown };
	readonly status: {
		readonly conditions?: readonly Condition[];
		readonly allocatable?: { readonly pods?: string };
		readonly [field: string]: unknown;
	};
}

export interface BudgetObject extends LabObject {
	readonly spec: {
		readonly selector?: LabelSelector;
		readonly minAvailable?: number | string;
		readonly maxUnavailable?: number | string;
		readonly unhealthyPodEvictionPolicy?: string;
	};
	readonly status: BudgetStatus;
}

export interface BudgetStatus {
	readonly observedGeneration?: number;
	readonly disruptionsAllowed: number;
	readonly currentHealthy: number;
	readonly desiredHealthy: number;
	readonly expectedPods: number;
	readonly disruptedPods?: Readonly<Record<string, string>>;
	readonly conditions?: readonly Condition[];
}

/** As Kubernetes writes instants: whole seconds. */
export function instantText(at: number = Date.now()): string {
	return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

export function conditionOf(object: { readonly status?: unknown }, type: string): Condition | undefined {
	return (object.status as { conditions?: readonly Condition[] } | undefined)?.conditions?.find((each) => each.type === type);
}

export function isReady(object: { readonly status?: unknown }): boolean {
	return conditionOf(object, "Ready")?.status === "True";
}

export function isFinished(pod: PodObject): boolean {
	return pod.status.phase === "Succeeded" || pod.status.phase === "Failed";
}

export function isLeaving(object: LabObject): boolean {
	return object.metadata.deletionTimestamp !== undefined;
}

export function controllerOf(object: LabObject): OwnerReference | undefined {
	return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** The object with this condition in place of the one of its type; `lastTransitionTime` is kept where the status is the same. */
export function withCondition<T extends LabObject>(object: T, condition: Condition): T {
	const status = (object.status ?? {}) as { conditions?: readonly Condition[] };
	const before = conditionOf(object, condition.type);
	const lastTransitionTime = before?.status === condition.status && before.lastTransitionTime ? before.lastTransitionTime : instantText();
	const others = (status.conditions ?? []).filter((each) => each.type !== condition.type);
	return { ...object, status: { ...status, conditions: [...others, { ...condition, lastTransitionTime }] } };
}
