// DaemonSets: one pod on every node that they select and whose taints they tolerate.
import { isFinished, isLeaving, isReady, type LabelSelector, type LabObject, type NodeObject, type PodObject, type PodSpec } from "../objects.ts";
import { equal } from "../patches.ts";
import type { Registry } from "../registry.ts";
import { resourceNamed } from "../resources.ts";
import type { Change } from "../store.ts";
import type { Controller } from "./loop.ts";
import { cordonTaint, notReadyTaint, selectsNode, tolerated, unreachableTaint } from "./placement.ts";
import { createPod, hashOf, pods, podsOf, putStatus, type Template } from "./pods.ts";

interface DaemonSet extends LabObject {
	readonly spec: {
		readonly selector: LabelSelector;
		readonly template: Template & { readonly spec: PodSpec };
		readonly updateStrategy?: { readonly rollingUpdate?: { readonly maxUnavailable?: number | string } };
	};
}

const daemonSets = resourceNamed("daemonsets");
const nodes = resourceNamed("nodes");
const revisionLabel = "controller-revision-hash";

/** What every DaemonSet's pods tolerate (daemon/util, AddOrUpdateDaemonPodTolerations). */
const ownTolerations = [
	...[notReadyTaint, unreachableTaint].map((key) => ({ key, operator: "Exists", effect: "NoExecute" })),
	...["disk-pressure", "memory-pressure", "pid-pressure"].map((name) => ({ key: `node.kubernetes.io/${name}`, operator: "Exists", effect: "NoSchedule" })),
	{ key: cordonTaint, operator: "Exists", effect: "NoSchedule" },
];

export function daemonSetController(registry: Registry): Controller {
	const { store } = registry;
	function* all(): Iterable<string> {
		for (const { metadata } of store.all(daemonSets)) yield metadata.uid;
	}
	return {
		name: "daemonsets",
		initial: all,
		*keysOf(change) {
			if (change.resource === daemonSets) yield change.object.metadata.uid;
			const owner = change.resource === pods ? change.object.metadata.ownerReferences?.find((each) => each.kind === "DaemonSet") : undefined;
			if (owner !== undefined && mattersToCounts(change)) yield owner.uid;
			if (change.resource === nodes && movesPods(change)) yield* all();
		},
		reconcile(uid) {
			const set = store.byUid(uid);
			if (set !== undefined && !isLeaving(set)) reconcile(registry, set as DaemonSet);
			return undefined;
		},
	};
}

/** The report of a sentinel, or a heartbeat, is nothing to a DaemonSet. */
function mattersToCounts({ type, object, before }: Change): boolean {
	if (type !== "MODIFIED" || before === null || object.metadata.deletionTimestamp !== before.metadata.deletionTimestamp) return true;
	const [now, was] = [object as PodObject, before as PodObject];
	return now.status.phase !== was.status.phase || isReady(now) !== isReady(was);
}

function movesPods({ type, object, before }: Change): boolean {
	return (
		type !== "MODIFIED" ||
		!equal(object.metadata.labels, before?.metadata.labels) ||
		!equal((object as NodeObject).spec.taints, (before as NodeObject).spec.taints)
	);
}

function reconcile(registry: Registry, set: DaemonSet): void {
	const { template } = set.spec;
	const revision = hashOf(template);
	const spec = { ...template.spec, tolerations: [...(template.spec.tolerations ?? []), ...ownTolerations] };
	const byNode = new Map<string, PodObject[]>();
	for (const pod of podsOf(registry.store, set)) byNode.set(pod.spec.nodeName ?? "", [...(byNode.get(pod.spec.nodeName ?? "") ?? []), pod]);
	let [desired, scheduled, ready] = [0, 0, 0];
	const outdated: PodObject[] = [];
	for (const node of registry.store.all(nodes) as Iterable<NodeObject>) {
		const here = byNode.get(node.metadata.name) ?? [];
		if (!belongsOn(spec, node)) {
			for (const pod of here) if (!toleratesBeing(spec, node) && !isLeaving(pod)) registry.delete(pods, pod);
			continue;
		}
		desired++;
		for (const pod of here) if (isFinished(pod) && !isLeaving(pod)) registry.delete(pods, pod);
		if (here.length === 0)
			createPod(registry, set, { ...template, spec }, { generateName: `${set.metadata.name}-`, labels: { [revisionLabel]: revision } }, node.metadata.name);
		const pod = here.find((each) => !isLeaving(each) && !isFinished(each));
		if (pod === undefined) continue;
		scheduled++;
		if (isReady(pod)) ready++;
		if (pod.metadata.labels?.[revisionLabel] !== revision) outdated.push(pod);
	}
	roll(registry, set, outdated, desired - ready, desired);
	putStatus(registry, daemonSets, set, {
		observedGeneration: set.metadata.generation,
		desiredNumberScheduled: desired,
		currentNumberScheduled: scheduled,
		numberMisscheduled: 0,
		numberReady: ready,
		numberAvailable: ready,
		numberUnavailable: desired - ready,
		updatedNumberScheduled: scheduled - outdated.length,
	});
}

/** A pod is placed there: NoSchedule counts. */
function belongsOn(spec: PodSpec, node: NodeObject): boolean {
	return selectsNode(spec, node) && (node.spec.taints ?? []).every((taint) => taint.effect === "PreferNoSchedule" || tolerated(spec.tolerations ?? [], taint));
}

/** A pod that is there may stay: only NoExecute and the selectors count. */
function toleratesBeing(spec: PodSpec, node: NodeObject): boolean {
	return selectsNode(spec, node) && (node.spec.taints ?? []).every((taint) => taint.effect !== "NoExecute" || tolerated(spec.tolerations ?? [], taint));
}

/** Pods of an earlier template go, no more at once than may be missing. */
function roll(registry: Registry, set: DaemonSet, outdated: readonly PodObject[], unavailable: number, desired: number): void {
	const { maxUnavailable = 1 } = set.spec.updateStrategy?.rollingUpdate ?? {};
	const most = typeof maxUnavailable === "number" ? maxUnavailable : Math.ceil((Number.parseInt(maxUnavailable, 10) / 100) * desired);
	const mayGo = [...outdated.filter((pod) => !isReady(pod)), ...outdated.filter(isReady).slice(0, Math.max(0, most - unavailable))];
	for (const pod of mayGo) registry.delete(pods, pod);
}
