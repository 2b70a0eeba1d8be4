// What goes with something else: objects whose owner is gone, pods whose node is gone, all that is in a namespace that ends.
import { controllerOf, isLeaving, type LabObject, type Metadata, type PodObject } from "../objects.ts";
import { controllerManager, type Registry } from "../registry.ts";
import { type Resource, resourceNamed, resourceOfKind, resources } from "../resources.ts";
import type { Controller } from "./loop.ts";
import { pods } from "./pods.ts";

const nodes = resourceNamed("nodes");
const namespaces = resourceNamed("namespaces");
const serviceAccounts = resourceNamed("serviceaccounts");

function resourceOf(object: LabObject): Resource {
	const found = resourceOfKind(object.apiVersion, object.kind);
	if (found === undefined) throw new Error(`${object.kind} ${object.metadata.name} is of no known resource`);
	return found;
}

/** Keys: UIDs of owners. */
export function ownerController(registry: Registry): Controller {
	const { store } = registry;
	return {
		name: "owners",
		*initial() {
			for (const object of store.objects()) yield* ownersOf(object);
		},
		*keysOf({ type, object }) {
			if (type === "DELETED") yield object.metadata.uid;
			if (type === "ADDED") yield* ownersOf(object);
		},
		reconcile(uid) {
			if (store.byUid(uid) !== undefined) return undefined;
			for (const object of [...store.ownedBy(uid)]) if (!isLeaving(object)) registry.delete(resourceOf(object), object);
			return undefined;
		},
	};
}

function ownersOf(object: LabObject): string[] {
	const owner = controllerOf(object);
	return owner === undefined ? [] : [owner.uid];
}

/** Pods whose node is gone: nobody else can end them. `quarantineMs`: the node may come back until then. */
export function orphanController(registry: Registry, quarantineMs: number): Controller {
	const { store } = registry;
	const goneSince = new Map<string, number>();
	return {
		name: "orphans",
		*initial() {
			for (const pod of store.all(pods) as Iterable<PodObject>) if (pod.spec.nodeName) yield pod.spec.nodeName;
		},
		*keysOf({ resource, type, object, before }) {
			if (resource === nodes && type === "DELETED") yield object.metadata.name;
			const at = resource === pods && type !== "DELETED" ? (object as PodObject).spec.nodeName : undefined;
			if (at && (before as PodObject | null)?.spec.nodeName !== at) yield at;
		},
		reconcile(node) {
			if (store.get(nodes, null, node) !== undefined || store.podsOn(node).size === 0) {
				goneSince.delete(node);
				return undefined;
			}
			const since = goneSince.get(node) ?? Date.now();
			goneSince.set(node, since);
			const left = since + quarantineMs - Date.now();
			if (left > 0) return left;
			for (const pod of [...store.podsOn(node)]) registry.delete(pods, pod, { gracePeriodSeconds: 0 });
			return undefined;
		},
	};
}

export function namespaceController(registry: Registry): Controller {
	const { store } = registry;
	return {
		name: "namespaces",
		*initial() {
			for (const { metadata } of store.all(namespaces)) yield metadata.name;
		},
		*keysOf({ resource, type, object }) {
			if (resource === namespaces && type !== "DELETED") yield object.metadata.name;
			const { namespace } = object.metadata;
			if (namespace !== undefined && type !== "MODIFIED" && endsNow(namespace)) yield namespace;
		},
		reconcile(name) {
			const namespace = store.get(namespaces, null, name);
			if (namespace === undefined) return undefined;
			if (isLeaving(namespace)) empty(registry, namespace);
			else if (store.get(serviceAccounts, name, "default") === undefined) {
				const metadata = { name: "default" } as Metadata;
				registry.create(serviceAccounts, name, { metadata } as LabObject, controllerManager);
			}
			return undefined;
		},
	};

	function endsNow(name: string): boolean {
		const namespace = store.get(namespaces, null, name);
		return namespace !== undefined && isLeaving(namespace);
	}
}

function empty(registry: Registry, namespace: LabObject): void {
	const { store } = registry;
	let left = 0;
	for (const resource of resources.filter((each) => each.namespaced)) {
		for (const object of [...store.inNamespace(resource, namespace.metadata.name)]) {
			if (isLeaving(object) || !registry.delete(resource, object).gone) left++;
		}
	}
	if (left === 0) store.remove(namespaces, namespace);
}
