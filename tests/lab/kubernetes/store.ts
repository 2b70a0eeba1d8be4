// What etcd and the watch cache are to a real API server: every object by resource, one growing resource version, and the last changes.
import { controllerOf, type LabObject, type PodObject } from "./objects.ts";
import { keyOf, type Resource, resourceOfKind, resources } from "./resources.ts";

export interface Change {
	readonly type: "ADDED" | "MODIFIED" | "DELETED";
	readonly resource: Resource;
	readonly object: LabObject;
	/** As it was; null when it was added. */
	readonly before: LabObject | null;
	readonly revision: number;
}

/** Changes that a watch can begin at; older ones are answered with 410. */
const changesKept = 20_000;
/** A snapshot may be older than what clients saw after it: no resource version may ever name two states of an object. */
const revisionsSkipped = 1_000_000;

export class Store {
	#revision: number;
	readonly #byResource = new Map<Resource, Map<string, LabObject>>(resources.map((each) => [each, new Map()]));
	readonly #podsByNode = new Index();
	readonly #byOwner = new Index();
	readonly #byNamespace = new Index();
	readonly #uids = new Map<string, LabObject>();
	readonly #listeners = new Set<(change: Change) => void>();
	#changes: Change[] = [];
	#oldestRevision: number;

	constructor(revision = 0) {
		this.#revision = revision === 0 ? 1 : revision + revisionsSkipped;
		this.#oldestRevision = this.#revision;
	}

	get revision(): number {
		return this.#revision;
	}

	/** Watches that begin before this cannot be served. */
	get oldestRevision(): number {
		return this.#oldestRevision;
	}

	onChange(listener: (change: Change) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	get(resource: Resource, namespace: string | null, name: string): LabObject | undefined {
		return this.#of(resource).get(namespace === null ? name : `${namespace}/${name}`);
	}

	byUid(uid: string): LabObject | undefined {
		return this.#uids.get(uid);
	}

	/** In no order. */
	all(resource: Resource): Iterable<LabObject> {
		return this.#of(resource).values();
	}

	inNamespace(resource: Resource, namespace: string): Iterable<LabObject> {
		return this.#byNamespace.of(`${resource.plural}/${namespace}`);
	}

	/** `""`: those that are on no node yet. */
	podsOn(node: string): ReadonlySet<PodObject> {
		return this.#podsByNode.of(node) as ReadonlySet<PodObject>;
	}

	/** Objects whose controller has this UID. */
	ownedBy(uid: string): ReadonlySet<LabObject> {
		return this.#byOwner.of(uid);
	}

	/** Adds or replaces; the stored object with its new resource version. */
	put<T extends LabObject>(resource: Resource, object: T): T {
		const revision = ++this.#revision;
		const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
		const key = keyOf(stored.metadata);
		const before = this.#of(resource).get(key) ?? null;
		if (before !== null) this.#unindex(resource, before);
		this.#of(resource).set(key, stored);
		this.#index(resource, stored);
		this.#changed({ type: before === null ? "ADDED" : "MODIFIED", resource, object: stored, before, revision });
		return stored;
	}

	remove(resource: Resource, object: LabObject): LabObject {
		const key = keyOf(object.metadata);
		const before = this.#of(resource).get(key);
		if (before === undefined) return object;
		const revision = ++this.#revision;
		this.#unindex(resource, before);
		this.#of(resource).delete(key);
		// As on the real server the last word about an object bears the version of its deletion.
		const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
		this.#changed({ type: "DELETED", resource, object: last, before, revision });
		return last;
	}

	/** Changes after a revision, oldest first. */
	changesAfter(revision: number): readonly Change[] {
		if (revision >= this.#revision) return [];
		let low = 0;
		let high = this.#changes.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.#changes[middle]?.revision ?? 0) <= revision) low = middle + 1;
			else high = middle;
		}
		return this.#changes.slice(low);
	}

	/** Forgets all changes so far, as etcd's compaction does. */
	compact(): void {
		this.#changes = [];
		this.#oldestRevision = this.#revision;
	}

	/** Every object there is, for a snapshot. */
	objects(): LabObject[] {
		return [...this.#byResource.values()].flatMap((objects) => [...objects.values()]);
	}

	/** Puts back what a snapshot held, resource versions included. */
	restore(objects: readonly LabObject[]): void {
		for (const object of objects) {
			const resource = resourceOfKind(object.apiVersion, object.kind);
			if (resource === undefined) throw new Error(`restoring ${object.kind} ${object.metadata.name}: the lab knows no such resource`);
			this.#of(resource).set(keyOf(object.metadata), object);
			this.#index(resource, object);
		}
	}

	#of(resource: Resource): Map<string, LabObject> {
		const found = this.#byResource.get(resource);
		if (found === undefined) throw new Error(`no store for ${resource.plural}`);
		return found;
	}

	#changed(change: Change): void {
		this.#changes.push(change);
		// Halved at once: shifting one by one would cost a copy per write.
		if (this.#changes.length > 2 * changesKept) {
			this.#changes = this.#changes.slice(-changesKept);
			this.#oldestRevision = (this.#changes[0]?.revision ?? this.#revision) - 1;
		}
		for (const listener of this.#listeners) listener(change);
	}

	#index(resource: Resource, object: LabObject): void {
		for (const [index, key] of this.#keysOf(resource, object)) index.add(key, object);
		this.#uids.set(object.metadata.uid, object);
	}

	#unindex(resource: Resource, object: LabObject): void {
		for (const [index, key] of this.#keysOf(resource, object)) index.remove(key, object);
		this.#uids.delete(object.metadata.uid);
	}

	#keysOf(resource: Resource, object: LabObject): readonly (readonly [Index, string])[] {
		const keys: [Index, string][] = [];
		if (resource.plural === "pods") keys.push([this.#podsByNode, (object as PodObject).spec.nodeName ?? ""]);
		if (object.metadata.namespace !== undefined) keys.push([this.#byNamespace, `${resource.plural}/${object.metadata.namespace}`]);
		const owner = controllerOf(object);
		if (owner !== undefined) keys.push([this.#byOwner, owner.uid]);
		return keys;
	}
}

const none: ReadonlySet<LabObject> = new Set();

class Index {
	readonly #sets = new Map<string, Set<LabObject>>();

	of(key: string): ReadonlySet<LabObject> {
		return this.#sets.get(key) ?? none;
	}

	add(key: string, object: LabObject): void {
		const set = this.#sets.get(key);
		if (set === undefined) this.#sets.set(key, new Set([object]));
		else set.add(object);
	}

	remove(key: string, object: LabObject): void {
		const set = this.#sets.get(key);
		set?.delete(object);
		if (set?.size === 0) this.#sets.delete(key);
	}
}
