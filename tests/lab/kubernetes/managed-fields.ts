// `metadata.managedFields`: who set which field last, as far as anybody reads it. The rules are those of
// sigs.k8s.io/structured-merge-diff; a list is one field here, where the real server tells its items apart.
import type { Fields, LabObject, ManagedFields } from "./objects.ts";
import { equal, isObject, type Json, type JsonObject } from "./patches.ts";

export interface Manager {
	readonly manager: string;
	readonly operation: "Apply" | "Update";
	readonly subresource: string | null;
}

/** Of metadata only these are managed; the rest is the server's own. */
const managedMetadata = ["labels", "annotations", "finalizers", "ownerReferences"];
/** More managers that update than this fold into one (apiserver, managedFields/buildmanagerinfo). */
const updateManagersMax = 10;
const ancient = "ancient-changes";

/** The parts of an object that have managers. */
function managedPart(object: LabObject | null): JsonObject {
	if (object === null) return {};
	const { apiVersion, kind, metadata, ...rest } = object;
	const kept = Object.fromEntries(managedMetadata.flatMap((name) => (name in metadata ? [[name, metadata[name as keyof typeof metadata]]] : [])));
	return (Object.keys(kept).length === 0 ? rest : { ...rest, metadata: kept }) as unknown as JsonObject;
}

/** An object without a field of its own, which is no leaf: to own it is not to own what others put into it. */
const itself: Fields = { ".": {} };

function fieldsOf(value: Json | undefined): Fields {
	if (!isObject(value)) return {};
	return Object.keys(value).length === 0 ? itself : fieldsIn(value);
}

function fieldsIn(value: JsonObject): Fields {
	return Object.fromEntries(Object.entries(value).map(([name, child]) => [`f:${name}`, fieldsOf(child)]));
}

function isLeaf(fields: Fields): boolean {
	return Object.keys(fields).length === 0;
}

interface Changes {
	readonly set: Fields;
	readonly removed: Fields;
}

const nothing: Fields = {};

function changesOf(before: JsonObject, after: JsonObject): Changes {
	const set: Record<string, Fields> = {};
	const removed: Record<string, Fields> = {};
	for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
		const [old, now] = [before[name], after[name]];
		if (equal(old, now)) continue;
		if (isObject(old) && isObject(now)) {
			const inner = changesOf(old, now);
			if (!isLeaf(inner.set)) set[`f:${name}`] = inner.set;
			if (!isLeaf(inner.removed)) removed[`f:${name}`] = inner.removed;
		} else if (now === undefined) removed[`f:${name}`] = fieldsOf(old);
		else set[`f:${name}`] = fieldsOf(now);
	}
	return { set, removed };
}

function union(one: Fields, other: Fields): Fields {
	const merged: Record<string, Fields> = { ...one };
	for (const [name, fields] of Object.entries(other)) merged[name] = name in merged ? union(merged[name] ?? nothing, fields) : fields;
	return merged;
}

function minus(one: Fields, other: Fields): Fields {
	const left: Record<string, Fields> = {};
	for (const [name, fields] of Object.entries(one)) {
		const without = other[name];
		if (without === undefined) left[name] = fields;
		else if (!isLeaf(fields) && !isLeaf(without)) {
			const inner = minus(fields, without);
			if (!isLeaf(inner)) left[name] = inner;
		}
	}
	return left;
}

function common(one: Fields, other: Fields, path = ""): readonly string[] {
	return Object.entries(one).flatMap(([name, fields]) => {
		const also = other[name];
		if (also === undefined || name === ".") return [];
		const at = `${path}.${name.slice(2)}`;
		return isLeaf(fields) || isLeaf(also) ? [at] : common(fields, also, at);
	});
}

function isOf(entry: ManagedFields, { manager, operation, subresource }: Manager): boolean {
	return entry.manager === manager && entry.operation === operation && (entry.subresource ?? null) === subresource;
}

function entryOf(by: Manager, apiVersion: string, fieldsV1: Fields, time: string): ManagedFields {
	const { manager, operation, subresource } = by;
	return { manager, operation, apiVersion, time, fieldsType: "FieldsV1", fieldsV1, ...(subresource === null ? {} : { subresource }) };
}

function without(entries: readonly ManagedFields[], fields: Fields): readonly ManagedFields[] {
	if (isLeaf(fields)) return entries;
	return entries.flatMap((entry) => {
		const left = minus(entry.fieldsV1, fields);
		return isLeaf(left) ? [] : [{ ...entry, fieldsV1: left }];
	});
}

/**
 * The entries after somebody created, updated or patched. What is sent but does not change a value changes no owner: `kubectl cordon` on a
 * cordoned node leaves no trace (tests/contract: kubernetes-nodes).
 */
export function afterUpdate(before: LabObject | null, after: LabObject, by: Manager, time: string): readonly ManagedFields[] {
	const entries = before?.metadata.managedFields ?? [];
	// What has no books is not begun to be kept books of (skipNonAppliedManager; tests/contract: "books that were emptied stay so").
	if (before !== null && entries.length === 0) return entries;
	const { set, removed } = changesOf(managedPart(before), managedPart(after));
	if (isLeaf(set) && isLeaf(removed)) return entries;
	const own = entries.find((entry) => isOf(entry, by));
	const others = without(
		entries.filter((entry) => entry !== own),
		union(set, removed),
	);
	const mine = union(minus(own?.fieldsV1 ?? nothing, removed), set);
	return folded(isLeaf(mine) ? others : [...others, entryOf(by, after.apiVersion, mine, time)]);
}

function folded(entries: readonly ManagedFields[]): readonly ManagedFields[] {
	const updates = entries.filter((entry) => entry.operation === "Update" && entry.subresource === undefined);
	const surplus = updates.slice(0, Math.max(0, updates.length - updateManagersMax + (updates.length > updateManagersMax ? 1 : 0)));
	const oldest = surplus[0];
	if (oldest === undefined) return entries;
	const fields = surplus.map((entry) => entry.fieldsV1).reduce(union);
	return [{ ...oldest, manager: ancient, fieldsV1: fields }, ...entries.filter((entry) => !surplus.includes(entry))];
}

export interface Applied {
	readonly entries: readonly ManagedFields[];
	/** Fields that this manager applied before, that it no longer applies and nobody else owns: they are to be removed. */
	readonly dropped: Fields;
	/** `MANAGER: .path` of every field that another manager owns with another value. */
	readonly conflicts: readonly { readonly manager: string; readonly field: string }[];
}

/** The entries after a server-side apply of `config`, which made `after` of `before`. A value that others own too is owned together. */
export function afterApply(before: LabObject | null, after: LabObject, config: LabObject, by: Manager, time: string): Applied {
	const entries = before?.metadata.managedFields ?? [];
	const own = entries.find((entry) => isOf(entry, by));
	const others = entries.filter((entry) => entry !== own);
	const { set } = changesOf(managedPart(before), managedPart(after));
	const mine = fieldsIn(managedPart(config));
	const dropped = others.map((entry) => entry.fieldsV1).reduce(minus, minus(own?.fieldsV1 ?? nothing, mine));
	const conflicts = others.flatMap(({ manager, fieldsV1 }) => common(fieldsV1, set).map((field) => ({ manager, field })));
	return { entries: [...without(others, set), entryOf(by, after.apiVersion, mine, time)], dropped, conflicts };
}

/** The value without these fields. */
export function withoutFields(value: Json, fields: Fields): Json {
	if (!isObject(value)) return value;
	const left: Record<string, Json> = { ...value };
	for (const [name, inner] of Object.entries(fields)) {
		if (name === ".") continue;
		const field = name.slice(2);
		if (isLeaf(inner)) delete left[field];
		else if (left[field] !== undefined) left[field] = withoutFields(left[field], inner);
	}
	return left;
}

/** Manager of a request that names none: the client's program (apiserver, `managerOrUserAgent`). */
export function managerOf(fieldManager: string | null, userAgent: string): string {
	return fieldManager || (userAgent.split("/")[0] ?? "").slice(0, 128) || "unknown";
}
