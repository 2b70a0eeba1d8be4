// Writes to the store as the real server does them: preconditions, generations, managed fields, graceful deletion, finalizers.
import { randomUUID } from "node:crypto";
import { admit, validate, withDefaults } from "./admission.ts";
import { afterApply, afterUpdate, type Manager, withoutFields } from "./managed-fields.ts";
import { instantText, isFinished, type LabObject, type ManagedFields, type Metadata, type PodObject } from "./objects.ts";
import { equal, type Json, strategicPatch } from "./patches.ts";
import { apiVersionOf, type Resource, resourceNamed } from "./resources.ts";
import { alreadyExists, badRequest, conflict, invalid, namespaceTerminating, notFound, objectModified, Refusal, uidDiffers } from "./statuses.ts";
import type { Store } from "./store.ts";

export interface DeleteOptions {
	readonly gracePeriodSeconds?: number;
	readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
	readonly dryRun?: boolean;
}

/** Of the lab's own controllers. */
export const controllerManager: Manager = { manager: "kube-controller-manager", operation: "Update", subresource: null };

const statusless = new Set([
	"serviceaccounts",
	"configmaps",
	"leases",
	"events",
	"clusterroles",
	"clusterrolebindings",
	"roles",
	"rolebindings",
	"validatingadmissionpolicybindings",
]);
const generationless = new Set([...statusless, "namespaces", "nodes"]);
const namespaces = resourceNamed("namespaces");

export class Registry {
	readonly store: Store;

	constructor(store: Store) {
		this.store = store;
	}

	/** 404 where it is not there. */
	require(of: Resource, namespace: string | null, name: string): LabObject {
		const found = this.store.get(of, namespace, name);
		if (found === undefined) throw notFound(of, name);
		return found;
	}

	create(of: Resource, namespace: string | null, body: LabObject, by: Manager, dryRun = false): LabObject {
		const object = asSent(of, namespace, body);
		const { name } = object.metadata;
		const home = namespace === null ? undefined : this.require(namespaces, null, namespace);
		if (this.store.get(of, namespace, name) !== undefined) throw alreadyExists(of, name);
		if (namespace !== null && home?.metadata.deletionTimestamp !== undefined) throw namespaceTerminating(of, name, namespace);
		admit(of, object, home);
		const made = withDefaults(of, {
			...object,
			metadata: {
				...object.metadata,
				uid: randomUUID(),
				resourceVersion: "",
				...(generationless.has(of.plural) ? {} : { generation: 1 }),
				creationTimestamp: instantText(),
			},
		});
		const now = instantText();
		const entries = by.operation === "Apply" ? afterApply(null, object, object, by, now).entries : afterUpdate(null, object, by, now);
		const stored = withEntries(made, entries);
		return dryRun ? stored : this.store.put(of, stored);
	}

	/**
	 * Replaces `before` by `after`; `before` itself where nothing changes. A `resourceVersion` or `uid` in `after` that is another is a
	 * conflict (tests/contract: a node that changed since it was read is not patched).
	 */
	update(of: Resource, before: LabObject, after: LabObject, by: Manager, dryRun = false): LabObject {
		const { name } = before.metadata;
		checkPreconditions(of, before, after.metadata);
		const object = admitted(of, before, after, by.subresource);
		validate(of, object);
		if (of.plural === "pods") checkStaysOnNode(of, before as PodObject, object as PodObject);
		const emptied = isEmptied(after.metadata.managedFields);
		const entries = emptied ? [] : afterUpdate(before, object, by, instantText());
		return this.#commit(of, before, withEntries(object, entries), dryRun, name);
	}

	/** Server-side apply: creates or updates. Conflicts with other managers are 409 unless forced. */
	apply(of: Resource, namespace: string | null, config: LabObject, by: Manager, options: { readonly force: boolean; readonly dryRun: boolean }): LabObject {
		const before = this.store.get(of, namespace, config.metadata.name);
		const sent = asSent(of, namespace, config);
		if (before === undefined) return this.create(of, namespace, sent, by, options.dryRun);
		checkPreconditions(of, before, config.metadata);
		const merged = strategicPatch(before as unknown as Json, withoutServerFields(sent)) as unknown as LabObject;
		const after = admitted(of, before, merged, null);
		const { entries, dropped, conflicts } = afterApply(before, after, sent, by, instantText());
		if (conflicts.length > 0 && !options.force) throw applyConflict(conflicts);
		const left = withoutFields(after as unknown as Json, dropped) as unknown as LabObject;
		validate(of, left);
		return this.#commit(of, before, withEntries(left, entries), options.dryRun, config.metadata.name);
	}

	/** What is left: the object on its way out, or as it was. `gone`: it is no longer there. */
	delete(of: Resource, object: LabObject, options: DeleteOptions = {}): { readonly object: LabObject; readonly gone: boolean } {
		const { uid, resourceVersion } = options.preconditions ?? {};
		const { metadata } = object;
		// The words of rest.BeforeDelete; drain.md, row "preconditions.uid differs".
		if (uid !== undefined && uid !== metadata.uid) throw conflict(of, metadata.name, uidDiffers(uid, metadata.uid));
		if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) throw conflict(of, metadata.name, objectModified);
		const graceSeconds = of.plural === "pods" ? podGrace(object as PodObject, options.gracePeriodSeconds) : 0;
		const stays = graceSeconds > 0 || (metadata.finalizers ?? []).length > 0 || of.plural === "namespaces";
		if (!stays) {
			if (options.dryRun === true) return { object, gone: true };
			return { object: this.store.remove(of, object), gone: true };
		}
		const leaving = onItsWayOut(of, object, graceSeconds);
		if (leaving === object || options.dryRun === true) return { object: leaving, gone: false };
		return { object: this.store.put(of, leaving), gone: false };
	}

	#commit(of: Resource, before: LabObject, after: LabObject, dryRun: boolean, name: string): LabObject {
		if (sameButManagedFields(before, after)) return before;
		const specChanged = !generationless.has(of.plural) && !equal(before.spec, after.spec);
		const generation = specChanged ? { generation: (before.metadata.generation ?? 0) + 1 } : {};
		const next = { ...after, metadata: { ...after.metadata, ...generation } };
		if (dryRun) return next;
		if (isOver(of, next)) return this.store.remove(of, next);
		if (this.store.get(of, before.metadata.namespace ?? null, name) !== before) throw conflict(of, name, objectModified);
		return this.store.put(of, next);
	}
}

/** The last finalizer is gone and nothing else keeps it. */
function isOver(of: Resource, { metadata }: LabObject): boolean {
	if (metadata.deletionTimestamp === undefined || of.plural === "namespaces") return false;
	return (metadata.finalizers ?? []).length === 0 && (metadata.deletionGracePeriodSeconds ?? 0) === 0;
}

function asSent(of: Resource, namespace: string | null, body: LabObject): LabObject {
	const apiVersion = apiVersionOf(of);
	if (body.kind !== undefined && (body.kind !== of.kind || (body.apiVersion ?? apiVersion) !== apiVersion))
		throw badRequest(`${of.kind} in version "${of.version}" cannot be handled as a ${body.kind}: expected apiVersion ${apiVersion}, kind ${of.kind}`);
	const metadata: Partial<Metadata> = body.metadata ?? {};
	if (namespace !== null && metadata.namespace !== undefined && metadata.namespace !== namespace)
		throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
	const { uid, resourceVersion, managedFields, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation, ...own } = metadata;
	const name = own.name ?? (own.generateName === undefined ? "" : `${own.generateName}${randomUUID().slice(0, 5)}`);
	if (name === "") throw badRequest("name or generateName is required");
	return { ...body, apiVersion, kind: of.kind, metadata: { ...own, name, ...(namespace === null ? {} : { namespace }) } as Metadata };
}

function withoutServerFields(sent: LabObject): Json {
	const { status, ...rest } = sent;
	return rest as unknown as Json;
}

function checkPreconditions(of: Resource, before: LabObject, sent: Partial<Metadata>): void {
	const { name, uid, resourceVersion } = before.metadata;
	if (sent.resourceVersion !== undefined && sent.resourceVersion !== "" && sent.resourceVersion !== resourceVersion) throw conflict(of, name, objectModified);
	// tests/contract: "a status for another object of that name is refused".
	if (sent.uid !== undefined && sent.uid !== "" && sent.uid !== uid)
		throw invalid(of, name, "metadata.uid", `Invalid value: ${JSON.stringify(sent.uid)}: field is immutable`);
}

/** Of all that a pod's spec may not change: what anybody here could notice (tests/contract: "a pod stays on its node"). */
function checkStaysOnNode(of: Resource, before: PodObject, after: PodObject): void {
	if (!before.spec.nodeName || before.spec.nodeName === after.spec.nodeName) return;
	throw invalid(of, before.metadata.name, "spec", "Forbidden: pod updates may not change fields other than …", "FieldValueForbidden");
}

/** What an update may change: not the server's own fields, and of spec and status the one that it is for. */
function admitted(of: Resource, before: LabObject, after: LabObject, subresource: string | null): LabObject {
	const { uid, resourceVersion, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds, managedFields } = before.metadata;
	const fixed = { uid, resourceVersion, creationTimestamp, generation, deletionTimestamp, deletionGracePeriodSeconds, managedFields };
	const own = Object.fromEntries(Object.entries(fixed).filter(([, value]) => value !== undefined));
	const { name, namespace } = before.metadata;
	const metadata = { ...after.metadata, ...own, name, ...(namespace === undefined ? {} : { namespace }) } as Metadata;
	const { spec, status, ...rest } = after;
	const parts = subresource === "status" ? { spec: before.spec, status } : { spec, status: statusless.has(of.plural) ? status : before.status };
	const kept = Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
	return { ...rest, apiVersion: before.apiVersion, kind: before.kind, metadata, ...kept };
}

/** `managedFields: [{}]` empties the list (tests/contract: a cordon whose managedFields were emptied names nobody). */
function isEmptied(sent: readonly ManagedFields[] | undefined): boolean {
	return sent?.length === 1 && Object.keys(sent[0] ?? {}).length === 0;
}

function withEntries<T extends LabObject>(object: T, entries: readonly ManagedFields[]): T {
	const { managedFields, ...metadata } = object.metadata;
	return { ...object, metadata: entries.length === 0 ? metadata : { ...metadata, managedFields: entries } };
}

function sameButManagedFields(before: LabObject, after: LabObject): boolean {
	const entries = (object: LabObject) => (object.metadata.managedFields ?? []).map(({ time, ...rest }) => rest);
	return equal(withEntries(before, []), withEntries(after, [])) && equal(entries(before), entries(after));
}

function applyConflict(conflicts: readonly { readonly manager: string; readonly field: string }[]): Refusal {
	const told = conflicts.map(({ manager, field }) => `conflict with "${manager}": ${field}`);
	const causes = conflicts.map(({ manager, field }) => ({ reason: "FieldManagerConflict", message: `conflict with "${manager}"`, field }));
	const message = `Apply failed with ${conflicts.length} conflict${conflicts.length === 1 ? "" : "s"}: ${told.join(", ")}`;
	return new Refusal(409, "Conflict", message, { causes });
}

/** Seconds that a pod is given: none where no kubelet looks after it or it has finished (registry/core/pod, CheckGracefulDelete). */
function podGrace(pod: PodObject, asked: number | undefined): number {
	if (!pod.spec.nodeName || isFinished(pod)) return 0;
	return asked ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}

/** The same object where it is on its way out already and would not leave any sooner. */
function onItsWayOut(of: Resource, object: LabObject, graceSeconds: number): LabObject {
	const { metadata } = object;
	const leavesBy = metadata.deletionGracePeriodSeconds ?? Number.POSITIVE_INFINITY;
	if (metadata.deletionTimestamp !== undefined && leavesBy <= graceSeconds) return object;
	const begun = metadata.deletionTimestamp === undefined ? Date.now() : Date.parse(metadata.deletionTimestamp) - leavesBy * 1000;
	const deletionTimestamp = instantText(begun + graceSeconds * 1000);
	const grace = of.plural === "namespaces" ? {} : { deletionGracePeriodSeconds: graceSeconds };
	const status = of.plural === "namespaces" ? { status: { phase: "Terminating" } } : {};
	return { ...object, metadata: { ...metadata, deletionTimestamp, ...grace }, ...status };
}
