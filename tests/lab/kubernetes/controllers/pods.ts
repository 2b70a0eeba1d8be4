// Pods as their controllers make them.
import { createHash } from "node:crypto";
import { isFinished, isLeaving, isReady, type LabObject, type Metadata, type OwnerReference, type PodObject } from "../objects.ts";
import { controllerManager, type Registry } from "../registry.ts";
import { resourceNamed } from "../resources.ts";
import type { Store } from "../store.ts";

export const pods = resourceNamed("pods");

export interface Template {
	readonly metadata?: { readonly labels?: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> };
	readonly spec: object;
}

export interface PodNaming {
	readonly name?: string;
	readonly generateName?: string;
	readonly labels?: Readonly<Record<string, string>>;
}

export function createPod(registry: Registry, owner: LabObject, template: Template, naming: PodNaming, nodeName?: string): void {
	const { name, generateName, labels } = naming;
	const { namespace = "" } = owner.metadata;
	const metadata = {
		...(name === undefined ? {} : { name }),
		...(generateName === undefined ? {} : { generateName }),
		labels: { ...template.metadata?.labels, ...labels },
		...(template.metadata?.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
		ownerReferences: [referenceTo(owner)],
	};
	const spec = nodeName === undefined ? template.spec : { ...template.spec, nodeName };
	registry.create(pods, namespace, { metadata: metadata as unknown as Metadata, spec } as LabObject, controllerManager);
}

export function referenceTo({ apiVersion, kind, metadata }: LabObject): OwnerReference {
	return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true };
}

export function podsOf(store: Store, owner: LabObject): PodObject[] {
	return [...store.ownedBy(owner.metadata.uid)].filter((each) => each.kind === "Pod") as PodObject[];
}

export function isActive(pod: PodObject): boolean {
	return !isFinished(pod) && !isLeaving(pod);
}

export function isServing(pod: PodObject): boolean {
	return isActive(pod) && isReady(pod);
}

/** First to go when there are too many: on no node, not ready, youngest. */
export function leastWorth(one: PodObject, other: PodObject): number {
	const worth = (pod: PodObject) => (pod.spec.nodeName ? 2 : 0) + (isReady(pod) ? 1 : 0);
	return worth(one) - worth(other) || other.metadata.creationTimestamp.localeCompare(one.metadata.creationTimestamp);
}

/** As of a pod template: the same content has the same hash. */
export function hashOf(value: unknown): string {
	return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 10);
}

/** Writes a status that differs; nothing else. */
export function putStatus(registry: Registry, of: Parameters<Registry["update"]>[0], object: LabObject, status: object): void {
	const before = registry.store.byUid(object.metadata.uid);
	if (before !== undefined)
		registry.update(of, before, { ...before, status: { ...(before.status as object), ...status } }, { ...controllerManager, subresource: "status" });
}
