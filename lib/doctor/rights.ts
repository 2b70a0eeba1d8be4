// What the scheduler has to be allowed in a cluster: the rules of infra/cluster once more, as questions. A test holds the two together.
import { namespace } from "../plan/model.ts";
import type { Right } from "./ports.ts";

type Place = Pick<Right, "namespace" | "name">;
const everywhere: Place = { namespace: null, name: null };
const ours: Place = { namespace, name: null };

function rights(verbs: readonly string[], resource: string, group = "", place: Place = everywhere): readonly Right[] {
	return verbs.map((verb) => ({ verb, group, resource, ...place }));
}

export const neededRights: readonly Right[] = [
	...rights(["get", "list", "patch"], "nodes"),
	...rights(["get", "list"], "pods"),
	...rights(["create"], "pods/eviction"),
	...rights(["list"], "poddisruptionbudgets", "policy"),
	...rights(["get", "list"], "daemonsets", "apps"),
	...rights(["get"], "validatingadmissionpolicies", "admissionregistration.k8s.io"),
	...rights(["create", "delete"], "pods", "", ours),
	...rights(["create"], "leases", "coordination.k8s.io", ours),
	...rights(["get", "update"], "leases", "coordination.k8s.io", { namespace, name: "owner" }),
	...rights(["get"], "namespaces", "", { namespace: "kube-system", name: "kube-system" }),
	...rights(["create"], "events", "events.k8s.io", { namespace: "default", name: null }),
];

/** What `DRAIN_TIMEOUT_ACTION=delete` needs beyond them: infra/cluster/components/delete-pods. */
export const deletePodsRight: Right = { verb: "delete", group: "", resource: "pods", ...everywhere };

/** Everything: only a cluster admin has it. */
export const adminRight: Right = { verb: "*", group: "*", resource: "*", ...everywhere };

/** `create pods/eviction`, `update leases.coordination.k8s.io owner in aks-reboot-scheduler`. */
export function rightText({ verb, group, resource, namespace: place, name }: Right): string {
	return [verb, group === "" ? resource : `${resource}.${group}`, ...(name === null ? [] : [name]), ...(place === null ? [] : [`in ${place}`])].join(" ");
}

export function policyNamed(name: string): string {
	return `aks-reboot-scheduler-${name}`;
}

/** The admission policies of infra/cluster, by which these rights are narrowed. */
export const admissionPolicies: readonly string[] = ["nodes", "reboot-pods", "deletions", "owner", "events", "report"].map(policyNamed);
