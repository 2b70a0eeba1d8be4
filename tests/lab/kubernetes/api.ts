// Answers to calls, from the store: what is behind authentication and authorization.
import type { User } from "./authorization.ts";
import { type Call, parsedBody } from "./calls.ts";
import { type Eviction, evict } from "./evictions.ts";
import { Lists, selected, selectionOf } from "./lists.ts";
import { type Manager, managerOf } from "./managed-fields.ts";
import type { LabObject } from "./objects.ts";
import { type Json, mergePatch, strategicPatch } from "./patches.ts";
import { checkPolicies, type Write } from "./policies.ts";
import { type DeleteOptions, Registry } from "./registry.ts";
import { metadataOf } from "./resources.ts";
import { selfAccessReview, selfReview } from "./reviews.ts";
import { badRequest, deleted, notImplemented, success } from "./statuses.ts";
import type { Store } from "./store.ts";

export interface Answer {
	readonly code: number;
	readonly body: object;
}

export class Api {
	readonly registry: Registry;
	readonly lists: Lists;

	constructor(store: Store) {
		this.registry = new Registry(store);
		this.lists = new Lists(store);
	}

	/** Throws Refusal. Watches are answered elsewhere. */
	answer(call: Call, body: string, user: User): Answer {
		switch (call.verb) {
			case "get":
				return this.#get(call);
			case "list":
				return { code: 200, body: this.lists.answer(selectionOf(call.target.resource, call.target.namespace, call.query), call.query, wantsMetadata(call)) };
			case "create":
				return this.#create(call, parsedBody(body), user);
			case "update":
				return this.#update(call, parsedBody(body), user);
			case "patch":
				return this.#patch(call, parsedBody(body), user);
			case "delete":
				return this.#delete(call, parsedBody(body), user);
			case "deletecollection":
				return this.#deleteCollection(call, user);
			case "watch":
				throw notImplemented("a watch in the place of an answer");
			default:
				return call.verb satisfies never;
		}
	}

	#get(call: Call): Answer {
		const object = this.#named(call);
		return { code: 200, body: wantsMetadata(call) ? metadataOf(object) : object };
	}

	#named({ target }: Call): LabObject {
		return this.registry.require(target.resource, target.namespace, target.name ?? "");
	}

	#create(call: Call, body: Record<string, unknown>, user: User): Answer {
		const { resource, namespace, name, subresource } = call.target;
		if (resource.plural === "selfsubjectreviews") return { code: 201, body: selfReview(user) };
		if (resource.plural === "selfsubjectaccessreviews") return { code: 201, body: selfAccessReview(this.registry.store, user, body) };
		if (subresource === "eviction") return { code: 201, body: evict(this.registry, namespace ?? "", name ?? "", evictionOf(call, body)) };
		if (name !== null || (resource.namespaced && namespace === null)) throw notImplemented(`${call.method} ${call.url}`);
		const object = body as unknown as LabObject;
		this.#checkPolicies(call, user, "create", null, object);
		return { code: 201, body: this.registry.create(resource, namespace, object, managerFor(call), isDryRun(call)) };
	}

	#update(call: Call, body: Record<string, unknown>, user: User): Answer {
		const before = this.#named(call);
		const after = body as unknown as LabObject;
		this.#checkPolicies(call, user, "update", before, after);
		return { code: 200, body: this.registry.update(call.target.resource, before, after, managerFor(call), isDryRun(call)) };
	}

	#patch(call: Call, body: Record<string, unknown>, user: User): Answer {
		const { resource, namespace, name } = call.target;
		const by = managerFor(call);
		if (call.contentType === "application/apply-patch+yaml") {
			if (!call.query.get("fieldManager")) throw badRequest("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch");
			const existed = this.registry.store.get(resource, namespace, name ?? "") !== undefined;
			const options = { force: call.query.get("force") === "true", dryRun: isDryRun(call) };
			const applied = this.registry.apply(resource, namespace, body as unknown as LabObject, { ...by, operation: "Apply" }, options);
			return { code: existed ? 200 : 201, body: applied };
		}
		const before = this.#named(call);
		const merge = call.contentType === "application/merge-patch+json" ? mergePatch : strategicPatch;
		const after = merge(before as unknown as Json, body as Json) as unknown as LabObject;
		this.#checkPolicies(call, user, "update", before, after);
		return { code: 200, body: this.registry.update(resource, before, after, by, isDryRun(call)) };
	}

	#delete(call: Call, body: Record<string, unknown>, user: User): Answer {
		const { resource, name } = call.target;
		const object = this.#named(call);
		this.#checkPolicies(call, user, "delete", object, null);
		const left = this.registry.delete(resource, object, deleteOptions(call, body));
		// Pods and namespaces answer with the object, all others with a Status once they are gone.
		if (resource.plural === "pods" || !left.gone) return { code: 200, body: left.object };
		return { code: 200, body: deleted(resource, name ?? "", object.metadata.uid) };
	}

	#deleteCollection(call: Call, user: User): Answer {
		const { resource, namespace } = call.target;
		for (const object of selected(this.registry.store, selectionOf(resource, namespace, call.query))) {
			this.#checkPolicies(call, user, "delete", object, null);
			this.registry.delete(resource, object, deleteOptions(call, {}));
		}
		return { code: 200, body: success(200) };
	}

	#checkPolicies({ target }: Call, user: User, verb: Write["verb"], before: LabObject | null, after: LabObject | null): void {
		if (target.subresource !== null) return;
		checkPolicies(this.registry.store, { user: user.name, verb, of: target.resource, namespace: target.namespace, before, after });
	}
}

function wantsMetadata({ accept }: Call): boolean {
	return /;as=PartialObjectMetadata(List)?\b/.test(accept);
}

function isDryRun({ query }: Call): boolean {
	const asked = query.get("dryRun");
	if (asked !== null && asked !== "All") throw badRequest(`dryRun: Unsupported value: "${asked}": supported values: "All"`);
	return asked === "All";
}

function managerFor({ query, userAgent, target }: Call): Manager {
	return { manager: managerOf(query.get("fieldManager"), userAgent), operation: "Update", subresource: target.subresource };
}

function evictionOf(call: Call, body: Record<string, unknown>): Eviction {
	if (body.kind !== "Eviction" || body.apiVersion !== "policy/v1") throw notImplemented(`an eviction of ${String(body.apiVersion)}, kind ${String(body.kind)}`);
	const { gracePeriodSeconds, preconditions, dryRun } = (body.deleteOptions ?? {}) as Omit<Eviction, "dryRun"> & { dryRun?: string[] };
	return {
		...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
		...(preconditions === undefined ? {} : { preconditions }),
		dryRun: dryRun?.includes("All") === true || isDryRun(call),
	};
}

function deleteOptions(call: Call, body: Record<string, unknown>): DeleteOptions {
	const { gracePeriodSeconds, preconditions } = body as DeleteOptions;
	const policy = call.query.get("propagationPolicy") ?? body.propagationPolicy ?? "Background";
	if (policy !== "Background") throw notImplemented(`DELETE with propagationPolicy ${String(policy)}`);
	const inQuery = call.query.get("gracePeriodSeconds");
	const grace = inQuery === null ? gracePeriodSeconds : Number(inQuery);
	return { ...(grace === undefined ? {} : { gracePeriodSeconds: grace }), ...(preconditions === undefined ? {} : { preconditions }), dryRun: isDryRun(call) };
}
