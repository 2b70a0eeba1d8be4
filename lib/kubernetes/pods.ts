// Pods, reduced to what verdicts and the state machine need.
import type { V1ContainerStatus, V1Pod, V1Toleration } from "@kubernetes/client-node";
import { namespace, type PodFacts, type PodPhase, type RebootPodRef, type SentinelPod } from "../plan/model.ts";
import { GarbledAnswer, required, shortened } from "./errors.ts";
import { rebootPodApp } from "./reboot-pod.ts";
import { askedValue, isReady, isSentinel, rebootRequiredLabel, sentinelName, sentinelPod } from "./sentinel.ts";

const mirrorAnnotation = "kubernetes.io/config.mirror";
const cordonTaint = "node.kubernetes.io/unschedulable";
const phases: readonly PodPhase[] = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];
/** Every pod waits so while it starts. */
const ordinaryWaits: readonly string[] = ["ContainerCreating", "PodInitializing"];

/** Label selector of the sentinel pods whose nodes wait for a reboot, and of reboot pods. */
export const waitingSelector = `${rebootRequiredLabel} in (true,${askedValue}),app in (${sentinelName},${rebootPodApp})`;

/** A pod of that selector; undefined for one that is on no node (yet). */
export function waitingPod(
	pod: V1Pod,
): { readonly kind: "sentinel"; readonly pod: SentinelPod } | { readonly kind: "reboot"; readonly pod: RebootPodRef } | undefined {
	if (whatOfOurs(pod) === "reboot") {
		const { name, uid } = required(pod.metadata, "a pod's metadata");
		return {
			kind: "reboot",
			pod: { name: required(name, "a pod's name"), uid: required(uid, "a pod's UID"), node: required(pod.spec?.nodeName, "a pod's node") },
		};
	}
	const sentinel = sentinelPod(pod);
	return sentinel === undefined ? undefined : { kind: "sentinel", pod: sentinel };
}

/** `selected`: matches the drain's pod selector. Throws GarbledAnswer where what identifies the pod is missing. */
export function podFacts(pod: V1Pod, selected: boolean): PodFacts {
	const metadata = required(pod.metadata, "a pod's metadata");
	const controller = metadata.ownerReferences?.find((owner) => owner.controller === true);
	const ours = whatOfOurs(pod);
	return {
		namespace: required(metadata.namespace, "a pod's namespace"),
		name: required(metadata.name, "a pod's name"),
		uid: required(metadata.uid, "a pod's UID"),
		node: required(pod.spec?.nodeName, "a pod's node"),
		phase: phase(pod.status?.phase),
		ready: isReady(pod),
		createdAt: time(required(metadata.creationTimestamp, "a pod's creation time")),
		deletionAt: metadata.deletionTimestamp ? time(metadata.deletionTimestamp) : null,
		controller: controller ? { kind: controller.kind, apiVersion: controller.apiVersion, name: controller.name, uid: controller.uid } : null,
		mirror: metadata.annotations?.[mirrorAnnotation] !== undefined,
		emptyDir: pod.spec?.volumes?.some((volume) => volume.emptyDir !== undefined && volume.emptyDir !== null) ?? false,
		toleratesCordon: (pod.spec?.tolerations ?? []).some(toleratesCordon),
		selected,
		ours,
		sentinel: ours === "sentinel" ? (sentinelPod(pod) ?? null) : null,
		containerIds: (pod.status?.containerStatuses ?? []).flatMap((status) => status.containerID || []),
		trouble: trouble(pod),
	};
}

function time(value: Date): number {
	const at = new Date(value).getTime();
	if (!Number.isFinite(at)) throw new GarbledAnswer("an instant in a pod's metadata");
	return at;
}

function phase(value: string | undefined): PodPhase {
	return phases.find((each) => each === value) ?? "Unknown";
}

/** The scheduler's rule (component-helpers, Toleration.ToleratesTaint) for the taint of a cordon, which has no value. */
export function toleratesCordon({ key, operator, value, effect }: V1Toleration): boolean {
	if (effect && effect !== "NoSchedule") return false;
	if (key && key !== cordonTaint) return false;
	switch (operator || "Equal") {
		case "Exists":
			return true;
		// An empty key is allowed with Exists alone.
		case "Equal":
			return Boolean(key) && !value;
		default:
			return false;
	}
}

function whatOfOurs(pod: V1Pod): PodFacts["ours"] {
	if (isSentinel(pod)) return "sentinel";
	const metadata = pod.metadata;
	const reboot = metadata?.namespace === namespace && metadata.labels?.app === rebootPodApp && metadata.name?.startsWith(`${rebootPodApp}-`);
	return reboot === true ? "reboot" : null;
}

/** Why it does not run or ended badly, in the words of kubelet, node controllers and the container itself; null when nothing is wrong. */
function trouble(pod: V1Pod): string | null {
	const status = pod.status;
	const disrupted = status?.conditions?.find((condition) => condition.type === "DisruptionTarget" && condition.status === "True");
	const parts = [
		told(status?.reason, status?.message),
		...[...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].map(containerTrouble),
		disrupted === undefined ? null : told(disrupted.reason, disrupted.message),
	].filter((part) => part !== null);
	return parts.length === 0 ? null : shortened([...new Set(parts)].join("; "));
}

function containerTrouble(status: V1ContainerStatus): string | null {
	const { waiting, terminated } = status.state ?? {};
	if (waiting?.reason && !ordinaryWaits.includes(waiting.reason)) return told(waiting.reason, waiting.message);
	if (terminated === undefined || terminated === null || (terminated.exitCode === 0 && !terminated.signal)) return null;
	return told(`${terminated.reason ?? "Error"} (exit code ${terminated.exitCode})`, terminated.message);
}

function told(reason: string | undefined, message: string | undefined): string | null {
	const parts = [reason, message].flatMap((part) => shortened(part ?? "") || []);
	return parts.length === 0 ? null : parts.join(": ");
}
