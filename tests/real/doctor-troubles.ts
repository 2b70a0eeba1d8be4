// What may be wrong with a cluster, its settings or the way to it, each with the line of the doctor that has to name it first.
import type { Check } from "../../lib/doctor/findings.ts";
import { createAuthority } from "../arm/certificates.ts";
import { resourceIdOf } from "../arm/server.ts";
import { connectionStringOf, devKey } from "../azurite.ts";
import { freePort } from "../ports.ts";
import { leases, type Patient, sentinelPath, type Visit } from "./doctor-patient.ts";

const ours = "aks-reboot-scheduler";
const rbac = "/apis/rbac.authorization.k8s.io/v1";

export interface Trouble {
	/** The check whose line is the first bad one. */
	readonly check: Check;
	readonly says: RegExp;
	readonly toDo?: RegExp;
	readonly visit?: Visit | ((patient: Patient) => Visit | Promise<Visit>);
	readonly break?: Break;
}

/** Breaks it, and returns what mends it. */
type Break = (patient: Patient) => Promise<() => unknown>;

/** Replaces an object by a path until it is mended. */
async function changed({ plane }: Patient, path: string, patch: object, mend: object): Promise<() => unknown> {
	await plane.api.patch(path, patch);
	return () => plane.api.patch(path, mend);
}

function withoutRight(path: string, verb: string, resource: string): Break {
	return async (patient) => {
		const { rules } = await patient.plane.api.get<{ rules: { resources: string[]; verbs: string[] }[] }>(path);
		const left = rules.map((rule) => (rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((each) => each !== verb) } : rule));
		return await changed(patient, path, { rules: left.filter(({ verbs }) => verbs.length > 0) }, { rules });
	};
}

const admission = "/apis/admissionregistration.k8s.io/v1";
/** The policies about the scheduler's identity. */
export const ofScheduler = ["nodes", "reboot-pods", "deletions", "owner", "events"] as const;
type PolicyOfScheduler = (typeof ofScheduler)[number];

/** An overlay that forgot to patch the policies, or gave them another object id than the bindings of the rights. */
export async function identityOf({ plane }: Patient, name: string, ...policies: readonly PolicyOfScheduler[]): Promise<() => Promise<void>> {
	const setTo = async (user: string) => {
		const spec = { matchConditions: [{ name: "scheduler", expression: `request.userInfo.username == '${user}'` }] };
		for (const each of policies) await plane.api.patch(`${admission}/validatingadmissionpolicies/${ours}-${each}`, { spec });
	};
	await setTo(name);
	return () => setTo("scheduler");
}

/** Takes an object away, or puts another one in its place, until it is mended. */
async function replaced({ plane }: Patient, path: string, name: string, changes: object | null): Promise<() => unknown> {
	const { spec } = await plane.api.get<{ spec: object }>(`${path}/${name}`);
	const isNow = async (now: object | null) => {
		if ((await plane.api.find(`${path}/${name}`)) !== null) await plane.api.delete(`${path}/${name}`);
		if (now !== null) await plane.api.post(path, { metadata: { name }, spec: now });
	};
	await isNow(changes === null ? null : { ...spec, ...changes });
	return () => isNow(spec);
}

function unbound(policy: PolicyOfScheduler, lets: string, breakIt: Break): Trouble {
	const says = new RegExp(`^admission policy ${ours}-${policy} does not bind scheduler: ${lets} \\(dry run\\)$`);
	return { check: "admissionPolicies", says, toDo: /write scheduler into infra\/cluster\/scheduler-identity.yaml .*kubectl apply -k/, break: breakIt };
}

/** The policy's binding changed; null: forgotten. */
function withBinding(policy: PolicyOfScheduler, changes: object | null): Break {
	return (patient) => replaced(patient, `${admission}/validatingadmissionpolicybindings`, `${ours}-${policy}`, changes);
}

function armSays(status: number, code: string, operation: "get" | "credentials"): Break {
	return async (patient) => {
		patient.armTrouble.of = (call) => (call.operation === operation ? { kind: "error", status, code } : undefined);
		return () => {
			patient.armTrouble.of = null;
		};
	};
}

function inArm(managed: object): Break {
	return async (patient) => {
		const before = patient.inArm.managed;
		patient.inArm.managed = { ...before, ...managed };
		return () => {
			patient.inArm.managed = before;
		};
	};
}

function handedOut(kubeconfig: (patient: Patient) => string | Promise<string>): Break {
	return async (patient) => {
		const before = patient.inArm.kubeconfig;
		patient.inArm.kubeconfig = await kubeconfig(patient);
		return () => {
			patient.inArm.kubeconfig = before;
		};
	};
}

export const troubles: Readonly<Record<string, Trouble>> = {
	"settings that are wrong": {
		check: "settings",
		says: /DRAIN_TIMEOUT.*soon/,
		visit: { env: { DRAIN_TIMEOUT: "soon" } },
	},
	"a window that never opens": { check: "windows", says: /^prod: its window never opens/, visit: { env: { MAINTENANCE_WINDOWS: "never" } } },
	"a cluster that no window covers": {
		check: "windows",
		says: /^prod: no entry of MAINTENANCE_WINDOWS covers it/,
		visit: (patient) => ({ env: { CLUSTERS: `${patient.env.CLUSTERS};dev=kubeconfig:dev`, MAINTENANCE_WINDOWS: "dev=always" }, cluster: "prod" }),
	},
	"no storage account": { check: "table", says: /AzureWebJobsStorage is not set/, visit: { env: { AzureWebJobsStorage: undefined } } },
	"a table that cannot be reached": {
		check: "table",
		says: /partition doctor of table reboots/,
		visit: async () => ({ env: { AzureWebJobsStorage: connectionStringOf(await freePort()) } }),
	},
	"a table that does not let us in": {
		check: "table",
		says: /partition doctor of table reboots: answered 403/,
		toDo: /Storage Table Data Contributor/,
		visit: (patient) => ({ env: { AzureWebJobsStorage: patient.env.AzureWebJobsStorage?.replace(devKey, Buffer.alloc(64).toString("base64")) } }),
	},
	"a cluster that ARM does not know": {
		check: "azure",
		says: /ARM knows no such cluster/,
		visit: (patient) => ({ env: { CLUSTERS: resourceIdOf({ ...patient.inArm, resourceName: "gone" }) } }),
	},
	"a cluster that may not be read": { check: "azure", says: /lacks .*managedClusters\/read/, break: armSays(403, "AuthorizationFailed", "get") },
	"a cluster that is stopped": { check: "azure", says: /it is stopped/, break: inArm({ powerState: { code: "Stopped" } }) },
	"a cluster whose nodes never ask": {
		check: "nodeOsChannel",
		says: /^NodeImage: .*nothing will ever ask for a reboot/,
		break: inArm({ autoUpgradeProfile: { nodeOSUpgradeChannel: "NodeImage" } }),
	},
	"a credential that is refused": {
		check: "credentials",
		says: /lacks .*listClusterUserCredential/,
		toDo: /Cluster User Role/,
		break: armSays(403, "AuthorizationFailed", "credentials"),
	},
	"a kubeconfig that is none": { check: "credentials", says: /the kubeconfig is not usable/, break: handedOut(() => "nonsense: [") },
	"an API server that cannot be reached": {
		check: "apiServer",
		says: /no connection \(ECONNREFUSED\)/,
		toDo: /private|authorized IP ranges/,
		break: handedOut(async (patient) => patient.kubeconfigOf(`https://127.0.0.1:${await freePort()}`, patient.plane.caPem)),
	},
	"an API server of another CA": {
		check: "apiServer",
		says: /certificate is not trusted/,
		break: handedOut((patient) => patient.kubeconfigOf(patient.plane.url, createAuthority().certPem)),
	},
	"a token that the API server refuses": {
		check: "apiServer",
		says: /401 Unauthorized/,
		break: handedOut((patient) => patient.kubeconfigOf(patient.plane.url, patient.plane.caPem).replace(/exec:(\n {8,}.*)+/, "token: of-nobody")),
	},
	"an identity that nothing is bound to": {
		check: "rights",
		says: /nothing is bound to stranger/,
		toDo: /write stranger into infra\/cluster\/scheduler-identity.yaml/,
		break: async (patient) => {
			patient.user = "stranger";
			return () => {
				patient.user = "scheduler";
			};
		},
	},
	"a right that is missing in the cluster": {
		check: "rights",
		says: /missing: patch nodes$/,
		toDo: /kubectl apply -k infra\/cluster/,
		break: withoutRight(`${rbac}/clusterroles/${ours}`, "patch", "nodes"),
	},
	"a right that is missing on evictions": {
		check: "rights",
		says: /missing: create pods\/eviction$/,
		break: withoutRight(`${rbac}/clusterroles/${ours}`, "create", "pods/eviction"),
	},
	"a right that is missing in our namespace": {
		check: "rights",
		says: /missing: update leases.coordination.k8s.io owner in aks-reboot-scheduler$/,
		break: withoutRight(`${rbac}/namespaces/${ours}/roles/${ours}`, "update", "leases"),
	},
	"a right that is missing in kube-system": {
		check: "rights",
		says: /missing: get namespaces kube-system in kube-system$/,
		break: withoutRight(`${rbac}/namespaces/kube-system/roles/${ours}`, "get", "namespaces"),
	},
	"a right that DRAIN_TIMEOUT_ACTION=delete needs": {
		check: "rights",
		says: /missing: delete pods$/,
		toDo: /component delete-pods/,
		visit: { env: { DRAIN_TIMEOUT_ACTION: "prod/a=delete" } },
	},
	"a cluster without a sentinel": {
		check: "sentinel",
		says: /there is no sentinel/,
		break: async (patient) => {
			const { spec, metadata } = await patient.plane.api.get<{ spec: object; metadata: { name: string; labels: object } }>(sentinelPath);
			await patient.plane.api.delete(sentinelPath, { propagationPolicy: "Background" });
			return async () => {
				const { name, labels } = metadata;
				await patient.plane.api.post(sentinelPath.replace(/\/sentinel$/, ""), { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name, labels }, spec });
				await patient.setSentinels(2, 2);
			};
		},
	},
	"a silent sentinel": {
		check: "sentinel",
		says: /1 of 2 sentinels are silent/,
		break: async (patient) => {
			await patient.setSentinels(2, 1);
			return () => patient.setSentinels(2, 2);
		},
	},
	"a policy about nodes without its binding": unbound("nodes", "a label of node n-1 could be changed", withBinding("nodes", null)),
	"a policy about reboot pods that names another identity": unbound("reboot-pods", "a privileged pod could be created in another image", (patient) =>
		identityOf(patient, "others", "reboot-pods"),
	),
	"a policy about deletions that only warns": unbound(
		"deletions",
		"a sentinel pod could be deleted",
		withBinding("deletions", { validationActions: ["Warn"] }),
	),
	"a policy about the owner whose binding is another's": unbound(
		"owner",
		"a Lease of any name could be made",
		withBinding("owner", { policyName: `${ours}-events` }),
	),
	"a policy about events that is bound in another namespace": unbound(
		"events",
		"an event could tell of anything, in anybody's name",
		withBinding("events", { matchResources: { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "another" } } } }),
	),
	"a policy that is missing": {
		check: "admissionPolicies",
		says: /^missing: aks-reboot-scheduler-report$/,
		break: (patient) => replaced(patient, `${admission}/validatingadmissionpolicies`, `${ours}-report`, null),
	},
	"a reboot pod that is refused": {
		check: "rebootPod",
		says: /violates PodSecurity/,
		toDo: /exclude the namespace/,
		break: (patient) => {
			const label = (level: string) => ({ metadata: { labels: { "pod-security.kubernetes.io/enforce": level } } });
			return changed(patient, `/api/v1/namespaces/${ours}`, label("baseline"), label("privileged"));
		},
	},
	"a cluster of another owner": {
		check: "owner",
		says: /it belongs to scheduler other.table.core.windows.net\/reboots, not to this one/,
		toDo: /kubectl -n aks-reboot-scheduler patch lease owner/,
		break: async (patient) => {
			await patient.plane.api.post(leases, { metadata: { name: "owner" }, spec: { holderIdentity: "other.table.core.windows.net/reboots" } });
			return () => patient.plane.api.delete(`${leases}/owner`);
		},
	},
};
