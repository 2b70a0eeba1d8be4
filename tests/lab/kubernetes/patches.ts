// Patches: merge (RFC 7396) and strategic merge as far as it is used. They change nothing in place and share what stays equal.
import { badRequest, notImplemented } from "./statuses.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
	readonly [field: string]: Json;
}

export function isObject(value: unknown): value is JsonObject {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** RFC 7396: null removes, objects merge, all else replaces. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
	if (!isObject(patch)) return patch;
	const merged: Record<string, Json> = isObject(target) ? { ...target } : {};
	for (const [field, value] of Object.entries(patch)) {
		if (value === null) delete merged[field];
		else merged[field] = mergePatch(merged[field], value);
	}
	return merged;
}

/** The key by which the items of a list are the same, of the lists that anybody here merges (k8s.io/api, `patchMergeKey`). */
const mergeKeys: Readonly<Record<string, string>> = {
	conditions: "type",
	addresses: "type",
	containers: "name",
	initContainers: "name",
	env: "name",
	volumes: "name",
	volumeMounts: "mountPath",
	imagePullSecrets: "name",
	ownerReferences: "uid",
};

export function strategicPatch(target: Json | undefined, patch: Json, field = ""): Json {
	if (Array.isArray(patch)) return mergeLists(target, patch, field);
	if (!isObject(patch)) return patch;
	const merged: Record<string, Json> = isObject(target) ? { ...target } : {};
	for (const [name, value] of Object.entries(patch)) {
		if (name.startsWith("$")) throw notImplemented(`a strategic merge patch with the directive ${name}`);
		if (value === null) delete merged[name];
		else merged[name] = strategicPatch(merged[name], value, name);
	}
	return merged;
}

function mergeLists(target: Json | undefined, patch: readonly Json[], field: string): Json {
	const key = mergeKeys[field];
	if (key === undefined) return patch;
	const merged: Json[] = Array.isArray(target) ? [...target] : [];
	for (const item of patch) {
		if (!isObject(item) || item[key] === undefined) throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
		const at = merged.findIndex((each) => isObject(each) && each[key] === item[key]);
		const next = strategicPatch(at < 0 ? undefined : merged[at], item);
		if (at < 0) merged.push(next);
		else merged[at] = next;
	}
	return merged;
}

export function equal(one: unknown, other: unknown): boolean {
	if (one === other) return true;
	if (Array.isArray(one)) return Array.isArray(other) && one.length === other.length && one.every((each, index) => equal(each, other[index]));
	if (!isObject(one) || !isObject(other)) return false;
	const fields = Object.keys(one);
	return fields.length === Object.keys(other).length && fields.every((field) => field in other && equal(one[field], other[field]));
}
