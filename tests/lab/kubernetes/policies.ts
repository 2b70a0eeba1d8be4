// The shipped admission policies, as far as the doctor looks whether they bind. The lab evaluates no CEL: whom a stored policy binds is read
// from it and its binding, and one rule of each is said here once more (tests/contract/kubernetes-doctor.test.ts holds both servers to it).
import { namespace as ours } from "../../../lib/plan/model.ts";
import type { LabObject } from "./objects.ts";
import { equal } from "./patches.ts";
import { type Resource, resourceNamed } from "./resources.ts";
import { forbidden } from "./statuses.ts";
import type { Store } from "./store.ts";

/** A write that is about to be made. */
export interface Write {
	readonly user: string;
	readonly verb: "create" | "update" | "delete";
	readonly of: Resource;
	readonly namespace: string | null;
	/** Null: it is created. */
	readonly before: LabObject | null;
	/** Null: it is deleted. */
	readonly after: LabObject | null;
}

interface Rule {
	readonly policy: string;
	readonly verbs: readonly Write["verb"][];
	readonly plural: string;
	readonly namespace: string | null;
	readonly isBroken: (write: Write, store: Store) => boolean;
	/** As the manifests have it. */
	readonly message: string;
}

const policies = resourceNamed("validatingadmissionpolicies");
const policyBindings = resourceNamed("validatingadmissionpolicybindings");
const daemonSets = resourceNamed("daemonsets");

const rules: readonly Rule[] = [
	{
		policy: "aks-reboot-scheduler-nodes",
		verbs: ["update"],
		plural: "nodes",
		namespace: null,
		isBroken: ({ before, after }) => !equal(before?.metadata.labels ?? {}, after?.metadata.labels ?? {}),
		message: "of a node's metadata the scheduler changes annotations only",
	},
	{
		policy: "aks-reboot-scheduler-reboot-pods",
		verbs: ["create"],
		plural: "pods",
		namespace: ours,
		isBroken: ({ after }, store) => imageOf(after?.spec as Images | undefined) !== sentinelImage(store),
		message: "a reboot pod's image is that of the sentinel DaemonSet",
	},
	{
		policy: "aks-reboot-scheduler-deletions",
		verbs: ["delete"],
		plural: "pods",
		namespace: ours,
		isBroken: ({ before }) => before?.metadata.name.startsWith("reboot-") !== true || before.metadata.labels?.app !== "reboot",
		message: "in its namespace the scheduler deletes reboot pods only",
	},
	{
		policy: "aks-reboot-scheduler-owner",
		verbs: ["create", "update"],
		plural: "leases",
		namespace: ours,
		isBroken: ({ after }) => after?.metadata.name !== "owner",
		message: "the scheduler makes no Lease but owner",
	},
	{
		policy: "aks-reboot-scheduler-events",
		verbs: ["create"],
		plural: "events",
		namespace: null,
		isBroken: ({ after }) => (after?.regarding as { readonly kind?: string } | undefined)?.kind !== "Node",
		message: "the scheduler's events are about nodes",
	},
];

/** Throws 403, in the real server's words. */
export function checkPolicies(store: Store, write: Write): void {
	for (const rule of rules) {
		if (rule.plural !== write.of.plural || !rule.verbs.includes(write.verb) || (rule.namespace !== null && rule.namespace !== write.namespace)) continue;
		const binding = bindingOf(store, rule.policy, write.user);
		if (binding === undefined || !rule.isBroken(write, store)) continue;
		const why = `ValidatingAdmissionPolicy '${rule.policy}' with binding '${binding}' denied request: ${rule.message}`;
		throw forbidden(write.of, (write.after ?? write.before)?.metadata.name ?? null, why);
	}
}

interface Policy extends LabObject {
	readonly spec: { readonly matchConditions: readonly { readonly expression: string }[] };
}

interface PolicyBinding extends LabObject {
	readonly spec: { readonly policyName: string; readonly validationActions: readonly string[] };
}

/** The name of a binding by which a policy binds that user; undefined: there is none, or it names somebody else. */
function bindingOf(store: Store, name: string, user: string): string | undefined {
	const policy = store.get(policies, null, name) as Policy | undefined;
	if (policy?.spec.matchConditions[0]?.expression !== `request.userInfo.username == '${user}'`) return undefined;
	const bindings = [...store.all(policyBindings)] as PolicyBinding[];
	return bindings.find(({ spec }) => spec.policyName === name && spec.validationActions.includes("Deny"))?.metadata.name;
}

type Images = { readonly containers?: readonly { readonly image?: string }[] };

function imageOf(spec: Images | undefined): string | undefined {
	return spec?.containers?.[0]?.image;
}

function sentinelImage(store: Store): string | undefined {
	const spec = store.get(daemonSets, ours, "sentinel")?.spec as { readonly template: { readonly spec: Images } } | undefined;
	return imageOf(spec?.template.spec);
}
