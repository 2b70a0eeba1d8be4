// What everybody may ask about himself: who he is, and what he may do. Answered, and never stored.
import { mayDo, type User } from "./authorization.ts";
import { resources, type Target } from "./resources.ts";
import { badRequest } from "./statuses.ts";
import type { Store } from "./store.ts";

export function selfReview(user: User): object {
	const { name, groups } = user;
	return { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview", metadata: {}, status: { userInfo: { username: name, groups } } };
}

interface ResourceAttributes {
	readonly verb?: string;
	readonly group?: string;
	readonly resource?: string;
	readonly subresource?: string;
	readonly namespace?: string;
	readonly name?: string;
}

export function selfAccessReview(store: Store, user: User, body: Record<string, unknown>): object {
	const { resourceAttributes: attributes } = (body.spec ?? {}) as { readonly resourceAttributes?: ResourceAttributes };
	if (attributes === undefined) throw badRequest("SelfSubjectAccessReview: expected spec.resourceAttributes");
	const allowed = mayDo(store, user, attributes.verb ?? "", targetOf(attributes));
	return { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", metadata: {}, spec: body.spec, status: { allowed } };
}

/** Also of resources that the lab does not know: RBAC compares names. */
function targetOf({ group = "", resource: plural = "", subresource, namespace, name }: ResourceAttributes): Target {
	const known = resources.find((each) => each.plural === plural && each.group === group);
	const resource = known ?? { group, version: "", plural, kind: "", namespaced: namespace !== undefined, verbs: new Set<string>() };
	return { resource, namespace: namespace ?? null, name: name ?? null, subresource: subresource ?? null };
}
