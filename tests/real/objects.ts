// The fields of Kubernetes objects that the simulated kubelets and the observers look at.
import type { KubeObject, ObjectMeta } from "./api-client.ts";

export interface Taint {
	readonly key: string;
	readonly value?: string;
	readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

export interface Toleration {
	readonly key?: string;
	readonly operator?: "Exists" | "Equal";
	readonly value?: string;
	readonly effect?: string;
	readonly tolerationSeconds?: number;
}

export interface Condition {
	readonly type: string;
	readonly status: "True" | "False" | "Unknown";
	readonly reason?: string;
	readonly message?: string;
	readonly lastTransitionTime?: string;
}

export interface Node extends KubeObject {
	readonly spec: { readonly unschedulable?: boolean; readonly taints?: readonly Taint[]; readonly providerID?: string };
	readonly status: {
		readonly conditions?: readonly Condition[];
		readonly nodeInfo: { readonly bootID: string; readonly kernelVersion: string };
	};
}

interface SecurityContext {
	readonly runAsUser?: number;
	readonly appArmorProfile?: { readonly type: string };
}

export interface Pod extends KubeObject {
	readonly metadata: ObjectMeta & { readonly namespace: string };
	readonly spec: {
		readonly nodeName?: string;
		readonly hostPID?: boolean;
		readonly restartPolicy?: "Always" | "OnFailure" | "Never";
		readonly tolerations?: readonly Toleration[];
		readonly securityContext?: SecurityContext;
		readonly containers: readonly {
			readonly name: string;
			readonly image: string;
			readonly command?: readonly string[];
			readonly env?: readonly { readonly name: string; readonly value?: string }[];
			readonly securityContext?: SecurityContext;
		}[];
	};
	readonly status: {
		readonly phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
		readonly reason?: string;
		readonly message?: string;
		readonly conditions?: readonly Condition[];
		readonly containerStatuses?: readonly ContainerStatus[];
	};
}

export interface ContainerStatus {
	readonly name: string;
	readonly ready: boolean;
	readonly restartCount: number;
	readonly containerID?: string;
	readonly state: {
		readonly waiting?: { readonly reason?: string; readonly message?: string };
		readonly running?: { readonly startedAt: string };
		readonly terminated?: { readonly exitCode: number; readonly reason?: string; readonly message?: string };
	};
}

export interface LabelSelector {
	readonly matchLabels?: Readonly<Record<string, string>>;
}

export interface Budget extends KubeObject {
	readonly metadata: ObjectMeta & { readonly namespace: string };
	readonly spec: { readonly selector?: LabelSelector; readonly minAvailable?: number | string; readonly maxUnavailable?: number | string };
}

export function conditionStatus(object: Node | Pod, type: string): Condition["status"] | null {
	return object.status.conditions?.find((condition) => condition.type === type)?.status ?? null;
}

export function tolerates(pod: Pod, taint: Taint): boolean {
	return (pod.spec.tolerations ?? []).some(
		(toleration) =>
			(toleration.effect === undefined || toleration.effect === taint.effect) &&
			(toleration.key === undefined || toleration.key === taint.key) &&
			(toleration.operator === "Exists" || (toleration.value ?? "") === (taint.value ?? "")),
	);
}
