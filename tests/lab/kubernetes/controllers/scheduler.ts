// The scheduler: pods on no node yet go where they may be, spread over nodes.
import { conditionOf, controllerOf, isLeaving, type NodeObject, type PodObject, withCondition } from "../objects.ts";
import { equal } from "../patches.ts";
import type { Registry } from "../registry.ts";
import { resourceNamed } from "../resources.ts";
import type { Change, Store } from "../store.ts";
import type { Controller } from "./loop.ts";
import { admits, selectsNode } from "./placement.ts";
import { pods } from "./pods.ts";

const nodes = resourceNamed("nodes");
const unplaced = "unplaced";
/** Of nodes that would do, no more are compared (kube-scheduler samples large clusters too). */
const comparedMax = 100;
/** In one look; the rest follows in the next, when others have had their turn. */
const bindingsPerLook = 50;

export function schedulerController(registry: Registry): Controller {
	const placement = new Placement(registry);
	return {
		name: "scheduler",
		initial: () => [unplaced],
		*keysOf(change) {
			if (makesRoom(registry.store, change)) yield unplaced;
		},
		reconcile: () => placement.place(),
	};
}

function makesRoom(store: Store, { type, resource, object, before }: Change): boolean {
	if (resource === pods) return type === "ADDED" ? !(object as PodObject).spec.nodeName : type === "DELETED" && store.podsOn("").size > 0;
	if (resource !== nodes || type === "DELETED" || store.podsOn("").size === 0) return false;
	const [now, was] = [object as NodeObject, before as NodeObject | null];
	return (
		was === null || !equal(now.spec, was.spec) || !equal(now.metadata.labels, was.metadata.labels) || !equal(now.status.allocatable, was.status.allocatable)
	);
}

class Placement {
	readonly #registry: Registry;
	/** Where the last search ended: the next begins there, so that all nodes get their share. */
	#cursor = 0;

	constructor(registry: Registry) {
		this.#registry = registry;
	}

	place(): number | undefined {
		const { store } = this.#registry;
		const waiting = [...store.podsOn("")].filter((pod) => !isLeaving(pod));
		const all = [...store.all(nodes)] as NodeObject[];
		let bound = 0;
		for (const pod of waiting) {
			const node = this.#best(pod, all);
			if (node === null) this.#cannotPlace(pod, all.length);
			else {
				this.#bind(pod, node);
				if (++bound >= bindingsPerLook) return 0;
			}
		}
		return undefined;
	}

	#best(pod: PodObject, all: readonly NodeObject[]): NodeObject | null {
		const { store } = this.#registry;
		const owner = controllerOf(pod)?.uid;
		const siblings = new Map<string, number>();
		for (const each of owner === undefined ? [] : (store.ownedBy(owner) as ReadonlySet<PodObject>)) {
			const at = each.spec.nodeName ?? "";
			if (!isLeaving(each)) siblings.set(at, (siblings.get(at) ?? 0) + 1);
		}
		let best: NodeObject | null = null;
		let bestCost = Number.POSITIVE_INFINITY;
		let compared = 0;
		for (let step = 0; step < all.length && compared < comparedMax; step++) {
			const node = all[(this.#cursor + step) % all.length];
			if (node === undefined || !selectsNode(pod.spec, node) || !admits(pod.spec, node)) continue;
			const here = store.podsOn(node.metadata.name).size;
			if (here >= Number(node.status.allocatable?.pods ?? 110)) continue;
			compared++;
			const cost = (siblings.get(node.metadata.name) ?? 0) * 10_000 + here;
			if (cost < bestCost) [best, bestCost] = [node, cost];
		}
		this.#cursor = all.length === 0 ? 0 : (this.#cursor + 1) % all.length;
		return best;
	}

	#bind(pod: PodObject, node: NodeObject): void {
		const bound = withCondition(pod, { type: "PodScheduled", status: "True" });
		this.#registry.store.put(pods, { ...bound, spec: { ...bound.spec, nodeName: node.metadata.name } });
	}

	#cannotPlace(pod: PodObject, nodeCount: number): void {
		if (conditionOf(pod, "PodScheduled")?.status === "False") return;
		const message = `0/${nodeCount} nodes are available`;
		this.#registry.store.put(pods, withCondition(pod, { type: "PodScheduled", status: "False", reason: "Unschedulable", message }));
	}
}
