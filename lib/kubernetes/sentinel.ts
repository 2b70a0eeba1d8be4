// What sentinels say: their pods, their reports, their DaemonSet.
import type { V1DaemonSet, V1Pod } from "@kubernetes/client-node";
import { namespace, type Report, type SentinelDaemonSet, type SentinelPod } from "../plan/model.ts";
import { required, shortened } from "./errors.ts";
import { instant, parsedObject } from "./nodes.ts";

export const sentinelName = "sentinel";
export const rebootRequiredLabel = "aks-reboot-scheduler/reboot-required";
export const reportAnnotation = "aks-reboot-scheduler/report";
/** Value of that label on reboot pods. The same key, so that one list tells who waits and what was left behind. */
export const askedValue = "asked";

/** The sentinel keeps to the same bounds; a pod that does not must not fill our table. */
const packagesMax = 100;
const packageLengthMax = 100;

export function isSentinel(pod: V1Pod): boolean {
	const controller = pod.metadata?.ownerReferences?.find((owner) => owner.controller === true);
	return (
		pod.metadata?.namespace === namespace &&
		pod.metadata.labels?.app === sentinelName &&
		controller?.kind === "DaemonSet" &&
		controller.name === sentinelName &&
		controller.apiVersion.startsWith("apps/")
	);
}

/** Undefined for a pod that is on no node (yet): it speaks for none. */
export function sentinelPod(pod: V1Pod): SentinelPod | undefined {
	const node = pod.spec?.nodeName;
	if (!node) return undefined;
	return {
		node,
		podName: required(pod.metadata?.name, "a pod's name"),
		ready: isReady(pod),
		deleting: Boolean(pod.metadata?.deletionTimestamp),
		asks: pod.metadata?.labels?.[rebootRequiredLabel] === "true",
		report: parseReport(pod.metadata?.annotations?.[reportAnnotation]),
	};
}

export function isReady(pod: V1Pod): boolean {
	return pod.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false;
}

/** Never throws: what a node says of itself is not to be trusted to be well-formed. */
export function parseReport(annotation: string | undefined): SentinelPod["report"] {
	if (annotation === undefined) return { kind: "none" };
	const fields = parsedObject(annotation);
	if (fields === null) return { kind: "garbled", why: "the report is not a JSON object" };
	const { bootId, kernel, packages } = fields;
	if (typeof bootId !== "string" || bootId === "") return { kind: "garbled", why: "the report names no boot id" };
	const since = fields.since === null ? null : instant(fields.since);
	if (since === null && fields.since !== null) return { kind: "garbled", why: "the report's `since` is neither null nor an instant" };
	if (typeof kernel !== "string") return { kind: "garbled", why: "the report names no kernel" };
	if (!Array.isArray(packages) || !packages.every((each) => typeof each === "string")) return { kind: "garbled", why: "the report's packages are not names" };
	const report: Report = { bootId, since, kernelVersion: shortened(kernel), packages: bounded(packages) };
	return { kind: "report", report };
}

function bounded(packages: readonly string[]): readonly string[] {
	return packages.slice(0, packagesMax).map((each) => shortened(each, packageLengthMax));
}

export function sentinelDaemonSet(daemonSet: V1DaemonSet): SentinelDaemonSet {
	const template = daemonSet.spec?.template.spec;
	const container = template?.containers.find((each) => each.name === sentinelName) ?? template?.containers[0];
	return {
		uid: required(daemonSet.metadata?.uid, "the sentinel DaemonSet's UID"),
		image: required(container?.image, "the sentinel DaemonSet's image"),
		imagePullPolicy: required(container?.imagePullPolicy, "the sentinel DaemonSet's image pull policy"),
		imagePullSecrets: (template?.imagePullSecrets ?? []).flatMap((secret) => secret.name || []),
		desired: daemonSet.status?.desiredNumberScheduled ?? 0,
		ready: daemonSet.status?.numberReady ?? 0,
	};
}
