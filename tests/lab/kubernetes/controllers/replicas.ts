// Deployments, their ReplicaSets, and StatefulSets: as many pods as they want.
import { controllerOf, isFinished, isLeaving, isReady, type LabelSelector, type LabObject, type Metadata, type PodObject } from "../objects.ts";
import { controllerManager, type Registry } from "../registry.ts";
import { resourceNamed } from "../resources.ts";
import type { Change } from "../store.ts";
import type { Controller } from "./loop.ts";
import { createPod, hashOf, isActive, isServing, leastWorth, pods, podsOf, putStatus, referenceTo, type Template } from "./pods.ts";

interface ScaledSpec {
	readonly replicas: number;
	readonly selector: LabelSelector;
	readonly template: Template;
	readonly podManagementPolicy?: string;
}

interface Scaled extends LabObject {
	readonly spec: ScaledSpec;
}

const deployments = resourceNamed("deployments");
const replicaSets = resourceNamed("replicasets");
const statefulSets = resourceNamed("statefulsets");
const hashLabel = "pod-template-hash";

/** UIDs of objects of a kind, when they or what they control change. */
function* ownUid(change: Change, kind: string): Iterable<string> {
	if (change.object.kind === kind) yield change.object.metadata.uid;
	const owner = controllerOf(change.object);
	if (owner?.kind === kind) yield owner.uid;
}

function* uidsOf(objects: Iterable<LabObject>): Iterable<string> {
	for (const { metadata } of objects) yield metadata.uid;
}

function found(registry: Registry, uid: string): Scaled | null {
	const object = registry.store.byUid(uid);
	return object === undefined || isLeaving(object) ? null : (object as Scaled);
}

export function deploymentController(registry: Registry): Controller {
	const { store } = registry;
	return {
		name: "deployments",
		initial: () => uidsOf(store.all(deployments)),
		keysOf: (change) => ownUid(change, "Deployment"),
		reconcile(uid) {
			const deployment = found(registry, uid);
			if (deployment === null) return undefined;
			const hash = hashOf(deployment.spec.template);
			const sets = [...store.ownedBy(uid)].filter((each) => each.kind === "ReplicaSet") as Scaled[];
			const current = sets.find((each) => each.metadata.labels?.[hashLabel] === hash);
			if (current === undefined) createReplicaSet(registry, deployment, hash);
			// All at once, where the real controller goes step by step.
			for (const set of sets) scale(registry, set, set === current ? deployment.spec.replicas : 0);
			const all = sets.flatMap((set) => podsOf(store, set)).filter(isActive);
			putStatus(registry, deployments, deployment, counts(deployment, all, current === undefined ? [] : podsOf(store, current).filter(isActive)));
			return undefined;
		},
	};
}

function createReplicaSet(registry: Registry, deployment: Scaled, hash: string): void {
	const { name, namespace = "" } = deployment.metadata;
	const { selector, template, replicas } = deployment.spec;
	const labels = { ...template.metadata?.labels, [hashLabel]: hash };
	const metadata = { name: `${name}-${hash}`, namespace, labels, ownerReferences: [referenceTo(deployment)] } as unknown as Metadata;
	const spec = {
		replicas,
		selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
		template: { ...template, metadata: { ...template.metadata, labels } },
	};
	registry.create(replicaSets, namespace, { metadata, spec } as unknown as LabObject, controllerManager);
}

function scale(registry: Registry, set: Scaled, replicas: number): void {
	registry.update(replicaSets, set, { ...set, spec: { ...set.spec, replicas } }, controllerManager);
}

function counts(of: LabObject, all: readonly PodObject[], updated: readonly PodObject[]): object {
	const ready = all.filter(isReady).length;
	return { observedGeneration: of.metadata.generation, replicas: all.length, updatedReplicas: updated.length, readyReplicas: ready, availableReplicas: ready };
}

export function replicaSetController(registry: Registry): Controller {
	const { store } = registry;
	return {
		name: "replicasets",
		initial: () => uidsOf(store.all(replicaSets)),
		keysOf: (change) => ownUid(change, "ReplicaSet"),
		reconcile(uid) {
			const set = found(registry, uid);
			if (set === null) return undefined;
			const active = podsOf(store, set).filter(isActive);
			for (let missing = set.spec.replicas - active.length; missing > 0; missing--)
				createPod(registry, set, set.spec.template, { generateName: `${set.metadata.name}-` });
			for (const pod of active.sort(leastWorth).slice(0, Math.max(0, active.length - set.spec.replicas))) registry.delete(pods, pod);
			putStatus(registry, replicaSets, set, counts(set, podsOf(store, set).filter(isActive), []));
			return undefined;
		},
	};
}

/** One after the other, each Ready before the next (OrderedReady), unless its policy says Parallel. */
export function statefulSetController(registry: Registry): Controller {
	const { store } = registry;
	return {
		name: "statefulsets",
		initial: () => uidsOf(store.all(statefulSets)),
		keysOf: (change) => ownUid(change, "StatefulSet"),
		reconcile(uid) {
			const set = found(registry, uid);
			if (set === null) return undefined;
			const byName = new Map(podsOf(store, set).map((pod) => [pod.metadata.name, pod]));
			const wanted = Array.from({ length: set.spec.replicas }, (_, ordinal) => `${set.metadata.name}-${ordinal}`);
			for (const name of wanted) if (!settles(registry, set, name, byName.get(name)) && set.spec.podManagementPolicy !== "Parallel") break;
			const surplus = [...byName.values()].filter((pod) => !wanted.includes(pod.metadata.name) && !isLeaving(pod));
			for (const pod of surplus) registry.delete(pods, pod);
			const active = podsOf(store, set).filter(isActive);
			putStatus(registry, statefulSets, set, { ...counts(set, active, active), currentReplicas: active.length });
			return undefined;
		},
	};
}

/** Whether the pod of an ordinal is there and serves; makes it, or takes a finished one away. */
function settles(registry: Registry, set: Scaled, name: string, pod: PodObject | undefined): boolean {
	if (pod === undefined) {
		createPod(registry, set, set.spec.template, { name, labels: { "statefulset.kubernetes.io/pod-name": name } });
		return false;
	}
	if (isFinished(pod) && !isLeaving(pod)) registry.delete(pods, pod);
	return isServing(pod);
}
