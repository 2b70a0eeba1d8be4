// Node objects as the API server keeps them, and what is true of each cordon whatever the object says.
import { fieldManager, type Instant, type Mark, type NodeFacts } from "../../../lib/plan/model.ts";
import { CallError } from "../../../lib/tick/call-error.ts";
import type { NodePatch } from "../../../lib/tick/world.ts";
import type { Machine } from "./kubelets.ts";

/** Who set the cordon last, and when: the truth, which no field of the object tells for sure. `nobodyKnows`: what told of it was made unreadable. */
export interface Cordon {
	readonly by: "us" | "others" | "nobodyKnows";
	readonly at: Instant;
}

export interface ApiNode {
	facts: NodeFacts;
	readonly machine: Machine;
	cordon: Cordon | null;
	/** When somebody other than us last changed cordon or mark. */
	touchedByOthersAt: Instant | null;
	/** Since when the annotation `hold` is there. */
	heldSince: Instant | null;
	/** The last mark of ours, kept when it is removed. */
	lastMark: { readonly mark: Mark; readonly by: string } | null;
	/** Our last uncordon of it. */
	givenBackAt: Instant | null;
	/** Since when the object shows the boot that it shows. */
	bootShownAt: Instant;
	/** Which boot its sentinel last asked a reboot for; `until`: when it took that back. */
	saidNeed: { readonly bootId: string; readonly until: Instant | null } | null;
	/** Which boot its sentinel pod last said, ready, that it needs no reboot; `until`: when it fell silent or asked after all. */
	saidNoNeed: { readonly bootId: string; readonly at: Instant; readonly until: Instant | null } | null;
	/** Somebody asked by hand for the reboot of a boot of it; `until`: when nothing begins for that any more. */
	requested: { readonly bootId: string; readonly at: Instant; readonly until: Instant; readonly ignoreWindow: boolean } | null;
}

export class Nodes {
	readonly #byName = new Map<string, ApiNode>();
	#resourceVersion = 1000;

	get(name: string): ApiNode | undefined {
		return this.#byName.get(name);
	}

	all(): readonly ApiNode[] {
		return [...this.#byName.values()];
	}

	values(): Iterable<ApiNode> {
		return this.#byName.values();
	}

	get size(): number {
		return this.#byName.size;
	}

	add(facts: Omit<NodeFacts, "resourceVersion">, machine: Machine): ApiNode {
		const node: ApiNode = {
			facts: { ...facts, resourceVersion: this.#next() },
			machine,
			cordon: facts.unschedulable ? { by: "others", at: 0 } : null,
			touchedByOthersAt: null,
			heldSince: facts.hold === null ? null : 0,
			lastMark: null,
			givenBackAt: null,
			bootShownAt: 0,
			saidNeed: null,
			saidNoNeed: null,
			requested: null,
		};
		this.#byName.set(facts.name, node);
		return node;
	}

	remove(node: ApiNode): void {
		if (this.#byName.get(node.facts.name) === node) this.#byName.delete(node.facts.name);
	}

	/** Every change of the object makes another version of it. */
	change(node: ApiNode, changes: Partial<NodeFacts>): void {
		node.facts = { ...node.facts, ...changes, resourceVersion: this.#next() };
	}

	/**
	 * Who changes a field owns it, and nobody else any more; who sets it to what it is already owns nothing of it (measured: `kubectl cordon` on
	 * a cordoned node leaves no trace). A field that is removed is nobody's.
	 */
	#schedulability(node: ApiNode, unschedulable: boolean, manager: string): Partial<NodeFacts> {
		if (node.facts.unschedulable === unschedulable) return {};
		return { unschedulable, unschedulableManagers: unschedulable ? [manager] : [] };
	}

	/** `kubectl cordon` and `uncordon`, by a person or another tool. */
	setUnschedulable(node: ApiNode, unschedulable: boolean, at: Instant): void {
		if (node.facts.unschedulable === unschedulable) return;
		node.touchedByOthersAt = at;
		node.cordon = unschedulable ? { by: "others", at } : null;
		this.change(node, this.#schedulability(node, unschedulable, "kubectl-cordon"));
	}

	/** A patch of ours; returns the node as it was. */
	patch(patch: NodePatch, at: Instant, by: string): { readonly node: ApiNode; readonly before: { readonly facts: NodeFacts; readonly cordon: Cordon | null } } {
		const doing = `patching node ${patch.name}`;
		const node = this.#byName.get(patch.name);
		if (node === undefined) throw new CallError({ failure: "notFound", doing, answer: "404 NotFound", status: 404 });
		// An empty one is no precondition, as on a real server.
		if (patch.resourceVersion !== "" && node.facts.resourceVersion !== patch.resourceVersion) {
			throw new CallError({ failure: "conflict", doing, answer: "409 Conflict: the object has been modified", status: 409 });
		}
		const { facts: before, cordon } = node;
		const { unschedulable, mark } = patch;
		const changes: Partial<NodeFacts> = {
			...(unschedulable === undefined ? {} : this.#schedulability(node, unschedulable, fieldManager)),
			...(mark === undefined ? {} : { mark: mark === null ? ({ kind: "none" } as const) : ({ kind: "mark", mark } as const) }),
		};
		if (unschedulable === true && !before.unschedulable) node.cordon = { by: "us", at };
		if (unschedulable === false && before.unschedulable) {
			node.cordon = null;
			node.givenBackAt = at;
		}
		if (mark) node.lastMark = { mark, by };
		this.change(node, changes);
		return { node, before: { facts: before, cordon } };
	}

	#next(): string {
		return String(++this.#resourceVersion);
	}
}
