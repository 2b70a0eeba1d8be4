// What the node lifecycle controller makes of a node's state: taints, readiness of its pods, and Unknown when its kubelet is silent.
import {
	type Condition,
	conditionOf,
	instantText,
	isLeaving,
	isReady,
	type LabObject,
	type NodeObject,
	type PodObject,
	type Taint,
	withCondition,
} from "../objects.ts";
import { controllerManager, type Registry } from "../registry.ts";
import { resourceNamed } from "../resources.ts";
import type { Controller } from "./loop.ts";
import { cordonTaint, notReadyTaint, toleratesTaint, unreachableTaint } from "./placement.ts";
import { pods } from "./pods.ts";

const nodes = resourceNamed("nodes");
const leases = resourceNamed("leases");
const silent = "silent";
/** How often silence is looked for (--node-monitor-period). */
const monitorMs = 5_000;
const ownTaints = new Set([cordonTaint, notReadyTaint, unreachableTaint]);

/** `graceMs`: of silence, before a node's state is Unknown (--node-monitor-grace-period). */
export function nodeLifecycleController(registry: Registry, graceMs: number): Controller {
	const { store } = registry;
	/** By our own clock, as the real one: when a node was heard of last. */
	const heardAt = new Map<string, number>();
	return {
		name: "node-lifecycle",
		*initial() {
			yield silent;
			for (const { metadata } of store.all(nodes)) yield metadata.name;
		},
		*keysOf({ resource, object, before, type }) {
			if (resource === leases && object.metadata.namespace === "kube-node-lease") heardAt.set(object.metadata.name, Date.now());
			if (resource !== nodes) return;
			if (type === "DELETED") heardAt.delete(object.metadata.name);
			else if (heartbeatOf(object) !== (before === null ? "" : heartbeatOf(before))) heardAt.set(object.metadata.name, Date.now());
			yield object.metadata.name;
		},
		reconcile(key) {
			if (key === silent) {
				for (const node of [...store.all(nodes)] as NodeObject[]) {
					const heard = heardAt.get(node.metadata.name);
					if (heard === undefined) heardAt.set(node.metadata.name, Date.now());
					else if (Date.now() - heard > graceMs) becomeUnknown(registry, node);
				}
				return Math.min(monitorMs, graceMs / 4);
			}
			const node = store.get(nodes, null, key) as NodeObject | undefined;
			if (node !== undefined) taint(registry, node);
			return undefined;
		},
	};
}

function heartbeatOf(node: LabObject): string {
	return conditionOf(node, "Ready")?.lastHeartbeatTime ?? "";
}

function becomeUnknown(registry: Registry, node: NodeObject): void {
	if (conditionOf(node, "Ready")?.status === "Unknown") return;
	const condition = (type: string): Condition => ({ type, status: "Unknown", reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." });
	const types = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];
	const unknown = types.reduce((object, type) => withCondition(object, { ...conditionOf(object, type), ...condition(type) }), node);
	registry.update(nodes, node, unknown, { ...controllerManager, subresource: "status" });
}

function taint(registry: Registry, node: NodeObject): void {
	const wanted = wantedTaints(node);
	const before = node.spec.taints ?? [];
	const kept = before.filter((each) => !ownTaints.has(each.key) || wanted.some((want) => isSame(want, each)));
	const added = wanted.filter((want) => !before.some((each) => isSame(want, each))).map((want) => ({ ...want, timeAdded: instantText() }));
	if (added.length > 0 || kept.length < before.length) {
		const { taints, ...spec } = node.spec;
		const after = { ...node, spec: { ...spec, ...(kept.length + added.length === 0 ? {} : { taints: [...kept, ...added] }) } };
		registry.update(nodes, node, after, controllerManager);
	}
	if (conditionOf(node, "Ready") !== undefined && !isReady(node)) podsAreNotReady(registry, node.metadata.name);
}

function isSame(one: Taint, other: Taint): boolean {
	return one.key === other.key && one.effect === other.effect;
}

function wantedTaints(node: NodeObject): readonly Taint[] {
	const ready = conditionOf(node, "Ready")?.status;
	const cordon = node.spec.unschedulable === true ? [{ key: cordonTaint, effect: "NoSchedule" }] : [];
	if (ready === "True") return cordon;
	// It has not told yet: it keeps the taint that it was made with, and nothing has to leave.
	if (ready === undefined) return [...cordon, { key: notReadyTaint, effect: "NoSchedule" }];
	const key = ready === "Unknown" ? unreachableTaint : notReadyTaint;
	return [...cordon, { key, effect: "NoSchedule" }, { key, effect: "NoExecute" }];
}

/** Its pods are taken out of service (MarkPodsNotReady); a kubelet that goes on says otherwise. */
function podsAreNotReady(registry: Registry, node: string): void {
	for (const pod of [...registry.store.podsOn(node)]) {
		const ready = conditionOf(pod, "Ready");
		if (ready?.status === "True") registry.store.put(pods, withCondition(pod, { ...ready, status: "False" }));
	}
}

/** Pods leave a node with a NoExecute taint, at once or when their time of toleration is over (taint-eviction controller). */
export function taintEvictionController(registry: Registry): Controller {
	const { store } = registry;
	return {
		name: "taint-eviction",
		*initial() {
			for (const { metadata } of store.all(nodes)) yield metadata.name;
		},
		*keysOf({ resource, object, type }) {
			if (resource === nodes && type !== "DELETED" && mustLeave(object as NodeObject)) yield object.metadata.name;
			const at = resource === pods && type !== "DELETED" ? (object as PodObject).spec.nodeName : undefined;
			const node = at === undefined ? undefined : store.get(nodes, null, at);
			if (node !== undefined && mustLeave(node as NodeObject)) yield node.metadata.name;
		},
		reconcile(name) {
			const node = store.get(nodes, null, name) as NodeObject | undefined;
			if (node === undefined || !mustLeave(node)) return undefined;
			const waits = [...store.podsOn(name)].filter((pod) => !isLeaving(pod)).map((pod) => evictIfDue(registry, pod, node));
			const next = Math.min(...waits);
			return Number.isFinite(next) ? next : undefined;
		},
	};
}

function mustLeave(node: NodeObject): boolean {
	return (node.spec.taints ?? []).some((each) => each.effect === "NoExecute");
}

/** Milliseconds until it is due; Infinity: never, or done. */
function evictIfDue(registry: Registry, pod: PodObject, node: NodeObject): number {
	const dueAt = Math.min(...(node.spec.taints ?? []).filter((each) => each.effect === "NoExecute").map((each) => leavesAt(pod, each)));
	if (dueAt > Date.now()) return dueAt - Date.now();
	const condition = { type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager", message: "Taint manager: deleting due to NoExecute taint" };
	registry.delete(pods, registry.store.put(pods, withCondition(pod, condition)));
	return Number.POSITIVE_INFINITY;
}

function leavesAt(pod: PodObject, taint: Taint): number {
	const matching = (pod.spec.tolerations ?? []).filter((each) => toleratesTaint(each, taint));
	if (matching.length === 0) return 0;
	const seconds = matching.map((each) => each.tolerationSeconds).filter((each) => each !== undefined);
	return seconds.length === 0 ? Number.POSITIVE_INFINITY : Date.parse(taint.timeAdded ?? instantText()) + Math.min(...seconds) * 1000;
}
