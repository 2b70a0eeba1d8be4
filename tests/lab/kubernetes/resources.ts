// The resources that the lab knows, with the verbs that anybody calls, and how a request's path names one of them.
import type { LabObject, Metadata } from "./objects.ts";

export interface Resource {
	/** Empty for the core group. */
	readonly group: string;
	readonly version: string;
	readonly plural: string;
	readonly kind: string;
	readonly namespaced: boolean;
	/** The verbs of the API, and `SUBRESOURCE/VERB`. */
	readonly verbs: ReadonlySet<string>;
}

const common = "get list create patch delete";

function resource(apiVersion: string, kind: string, plural: string, namespaced: boolean, verbs: string): Resource {
	const [version = "", group = ""] = apiVersion.split("/").reverse();
	return { group, version, plural, kind, namespaced, verbs: new Set(verbs.split(" ")) };
}

export const resources: readonly Resource[] = [
	resource("v1", "Namespace", "namespaces", false, common),
	resource("v1", "Node", "nodes", false, `${common} watch status/patch`),
	resource("v1", "Pod", "pods", true, `${common} watch deletecollection status/patch eviction/create`),
	resource("v1", "ServiceAccount", "serviceaccounts", true, common),
	resource("v1", "ConfigMap", "configmaps", true, common),
	resource("apps/v1", "Deployment", "deployments", true, common),
	resource("apps/v1", "ReplicaSet", "replicasets", true, "get list"),
	resource("apps/v1", "StatefulSet", "statefulsets", true, common),
	resource("apps/v1", "DaemonSet", "daemonsets", true, `${common} status/patch`),
	resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true, `${common} watch status/patch`),
	resource("coordination.k8s.io/v1", "Lease", "leases", true, `${common} update`),
	resource("events.k8s.io/v1", "Event", "events", true, "create"),
	resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false, common),
	resource("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false, common),
	resource("rbac.authorization.k8s.io/v1", "Role", "roles", true, common),
	resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true, common),
	resource("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", false, common),
	resource("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", false, common),
	resource("authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", false, "create"),
	resource("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", false, "create"),
];

export function apiVersionOf({ group, version }: Resource): string {
	return group === "" ? version : `${group}/${version}`;
}

export function resourceNamed(plural: string): Resource {
	const found = resources.find((each) => each.plural === plural);
	if (found === undefined) throw new Error(`no resource ${plural}: expected one of ${resources.map((each) => each.plural).join(", ")}`);
	return found;
}

export function resourceOfKind(apiVersion: string, kind: string): Resource | undefined {
	return resources.find((each) => each.kind === kind && apiVersionOf(each) === apiVersion);
}

/** What a path names. */
export interface Target {
	readonly resource: Resource;
	/** Null: all namespaces, or none. */
	readonly namespace: string | null;
	readonly name: string | null;
	readonly subresource: string | null;
}

/** `/api/v1/namespaces/NS/pods/NAME/eviction`; null for a path that names nothing the lab knows. */
export function targetOf(path: string): Target | null {
	const parts = path.split("/").slice(1).map(decodeURIComponent);
	const grouped = parts[0] === "apis";
	if (!grouped && parts[0] !== "api") return null;
	const apiVersion = grouped ? `${parts[1]}/${parts[2]}` : parts[1];
	const rest = parts.slice(grouped ? 3 : 2);
	// `/api/v1/namespaces/NAME` is a namespace, with something behind it the namespace of that.
	const namespace = rest[0] === "namespaces" && rest.length > 2 ? (rest[1] ?? null) : null;
	const [plural, name = null, subresource = null, ...more] = namespace === null ? rest : rest.slice(2);
	const found = resources.find((each) => each.plural === plural && apiVersionOf(each) === apiVersion);
	if (found === undefined || more.length > 0 || name === "" || (namespace !== null && !found.namespaced)) return null;
	if (found.namespaced && namespace === null && name !== null) return null;
	return { resource: found, namespace, name, subresource };
}

/** Path of a collection, as clients write it. */
export function collectionPath(of: Resource, namespace: string | null): string {
	const root = of.group === "" ? `/api/${of.version}` : `/apis/${of.group}/${of.version}`;
	return of.namespaced && namespace !== null ? `${root}/namespaces/${namespace}/${of.plural}` : `${root}/${of.plural}`;
}

/** Where an object is kept: `NAMESPACE/NAME`, or `NAME`. Sorted as the real server sorts its lists. */
export function keyOf(metadata: Pick<Metadata, "name" | "namespace">): string {
	return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** Its parts without spec, status and data. */
export function metadataOf(object: LabObject): LabObject {
	return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata: object.metadata };
}
