// Who may do what: RBAC as the stored roles and bindings say (kubernetes, plugin/pkg/auth/authorizer/rbac).
import type { LabObject } from "./objects.ts";
import { resourceNamed, type Target } from "./resources.ts";
import { forbidden, type Refusal } from "./statuses.ts";
import type { Store } from "./store.ts";

export interface User {
	readonly name: string;
	readonly groups: readonly string[];
}

export const anonymous: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };

interface Rule {
	readonly apiGroups?: readonly string[];
	readonly resources?: readonly string[];
	readonly resourceNames?: readonly string[];
	readonly verbs: readonly string[];
}

interface Role extends LabObject {
	readonly rules?: readonly Rule[];
}

interface Binding extends LabObject {
	readonly roleRef: { readonly kind: string; readonly name: string };
	readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}

const clusterRoles = resourceNamed("clusterroles");
const roles = resourceNamed("roles");
const clusterRoleBindings = resourceNamed("clusterrolebindings");
const roleBindings = resourceNamed("rolebindings");

/** Throws 403, in the real server's words (tests/contract: missing rights name verb and resource). */
export function authorize(store: Store, user: User, verb: string, target: Target): void {
	const missing: string[] = [];
	if (!isAllowed(store, user, verb, target, missing)) throw refused(user, verb, target, missing);
}

export function mayDo(store: Store, user: User, verb: string, target: Target): boolean {
	return isAllowed(store, user, verb, target, []);
}

/** What everybody who is known may ask (ClusterRole system:basic-user). */
const basic = ["selfsubjectaccessreviews", "selfsubjectreviews"];

/** `missing`: is told of roles that are bound and are not there. */
function isAllowed(store: Store, user: User, verb: string, target: Target, missing: string[]): boolean {
	if (user.groups.includes("system:masters")) return true;
	if (verb === "create" && basic.includes(target.resource.plural) && user.groups.includes("system:authenticated")) return true;
	for (const binding of bindings(store, scopeOf(target))) {
		if (!binding.subjects?.some((subject) => isSubject(subject, user))) continue;
		const role = roleOf(store, binding);
		if (role === undefined) missing.push(missingRole(binding));
		else if (role.rules?.some((rule) => allows(rule, verb, target))) return true;
	}
	return false;
}

/** A Role in a namespace speaks for the namespace itself too (apiserver, RequestInfo): so the shipped right to read kube-system. */
function scopeOf({ resource, namespace, name }: Target): string | null {
	return resource.plural === "namespaces" ? name : namespace;
}

function* bindings(store: Store, namespace: string | null): Iterable<Binding> {
	yield* store.all(clusterRoleBindings) as Iterable<Binding>;
	if (namespace !== null) yield* store.inNamespace(roleBindings, namespace) as Iterable<Binding>;
}

function isSubject({ kind, name, namespace }: { kind: string; name: string; namespace?: string }, user: User): boolean {
	switch (kind) {
		case "User":
			return name === user.name;
		case "Group":
			return user.groups.includes(name);
		case "ServiceAccount":
			return user.name === `system:serviceaccount:${namespace}:${name}`;
		default:
			return false;
	}
}

function roleOf(store: Store, { roleRef, metadata }: Binding): Role | undefined {
	if (roleRef.kind === "ClusterRole") return store.get(clusterRoles, null, roleRef.name) as Role | undefined;
	return store.get(roles, metadata.namespace ?? "", roleRef.name) as Role | undefined;
}

function missingRole({ roleRef }: Binding): string {
	return `${roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io "${roleRef.name}" not found`;
}

function allows({ apiGroups = [], resources = [], resourceNames = [], verbs }: Rule, verb: string, target: Target): boolean {
	const has = (list: readonly string[], value: string) => list.includes("*") || list.includes(value);
	const { resource, subresource, name } = target;
	const plural = subresource === null ? resource.plural : `${resource.plural}/${subresource}`;
	const named = resourceNames.length === 0 || (name !== null && resourceNames.includes(name));
	return has(verbs, verb) && has(apiGroups, resource.group) && has(resources, plural) && named;
}

function refused(user: User, verb: string, target: Target, missing: readonly string[]): Refusal {
	const { resource, name, subresource } = target;
	const namespace = scopeOf(target);
	const plural = subresource === null ? resource.plural : `${resource.plural}/${subresource}`;
	const where = namespace === null ? "at the cluster scope" : `in the namespace "${namespace}"`;
	const why = `User "${user.name}" cannot ${verb} resource "${plural}" in API group "${resource.group}" ${where}`;
	const rbac = missing.length === 0 ? "" : `: RBAC: ${missing.length === 1 ? missing[0] : `[${missing.join(", ")}]`}`;
	return forbidden(resource, name, `${why}${rbac}`);
}
