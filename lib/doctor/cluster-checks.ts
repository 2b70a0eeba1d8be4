// What is asked of each cluster, in the order in which a person would ask.
import { takeOverCommand } from "../plan/explain.ts";
import type { NodeFacts, SentinelDaemonSet } from "../plan/model.ts";
import { type ClusterTarget, matches, type Settings } from "../plan/policy.ts";
import { CallError } from "../tick/call-error.ts";
import type { ClusterApi, RebootPodSpec } from "../tick/world.ts";
import { bad, type ClusterCheck, good, notKnown, type Verdict } from "./findings.ts";
import { applyAdvice, policies } from "./policies-check.ts";
import type { ClusterInArm, ClusterProbe, CredentialKind, DoctorWorld, Right } from "./ports.ts";
import { adminRight, deletePodsRight, neededRights, rightText } from "./rights.ts";
import { clockVerdict } from "./scheduler-checks.ts";

/** A cluster under examination, and what earlier checks found out about it. */
export interface Subject {
	readonly world: DoctorWorld;
	readonly target: ClusterTarget;
	readonly settings: Settings | null;
	/** The table service's clock less this machine's; null: not known. */
	readonly serviceAheadMs: number | null;
	readonly api: ClusterApi;
	readonly probe: ClusterProbe;
	arm: ClusterInArm | null;
	/** What the API server said with its version. */
	server: { readonly version: string; readonly aheadMs: number | null } | null;
	missing: readonly Right[];
	isAdmin: boolean;
	sentinel: SentinelDaemonSet | null;
	/** A Linux node that has reported, read once; undefined: none was found. */
	readonly someNode: () => Promise<NodeFacts | undefined>;
}

/** `ends`: nothing that comes after it can be answered. Null: the check is not about this cluster. */
export type Examined = (Verdict & { readonly ends?: boolean }) | null;

export interface Step {
	readonly check: ClusterCheck;
	/** May fail with CallError. */
	readonly examine: (subject: Subject) => Promise<Examined>;
}

export const steps: readonly Step[] = [
	{ check: "azure", examine: foundInArm },
	{ check: "nodeOsChannel", examine: nodeOsChannel },
	{ check: "credentials", examine: credentials },
	{ check: "apiServer", examine: apiServer },
	{ check: "clock", examine: clock },
	{ check: "version", examine: version },
	{ check: "rights", examine: rights },
	{ check: "sentinel", examine: sentinel },
	{ check: "admissionPolicies", examine: policies },
	{ check: "rebootPod", examine: rebootPod },
	{ check: "owner", examine: owner },
];

const roleAdvice = "its identity needs the role Azure Kubernetes Service Cluster User Role on the cluster; a new role takes up to ten minutes to be known";

/** An answer that says nothing of the cluster: another try may have another one. */
function saysNothing({ failure }: CallError): boolean {
	return failure === "timedOut" || failure === "throttled" || failure === "serverError" || failure === "garbled";
}

async function foundInArm(subject: Subject): Promise<Examined> {
	try {
		subject.arm = await subject.world.probes.inArm(subject.target);
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		return saysNothing(error) ? notKnown(error.message, "ask again in a while") : bad(error.message, roleAdvice);
	}
	if (subject.arm === null) return null;
	const { facts } = subject.arm;
	switch (facts.kind) {
		case "notManaged":
			return null;
		case "absent":
			return { ...bad("ARM knows no such cluster", "correct its id in CLUSTERS, or take it out"), ends: true };
		case "managed": {
			const { provisioningState, powerState } = facts;
			if (powerState !== "Running") return { ...bad(`it is ${powerState.toLowerCase()}`, "start it, or take it out of CLUSTERS"), ends: true };
			return provisioningState === "Succeeded"
				? good("found and running")
				: notKnown(`it is running, and its state is ${provisioningState}`, "nothing begins before it is Succeeded: wait for its end, or mend what failed");
		}
		default:
			return facts satisfies never;
	}
}

/** https://learn.microsoft.com/azure/aks/auto-upgrade-node-os-image#available-node-os-upgrade-channels */
async function nodeOsChannel({ arm }: Subject): Promise<Examined> {
	if (arm === null) return null;
	const change = "az aks update --node-os-upgrade-channel Unmanaged lets nodes update themselves; else this cluster needs no scheduler";
	switch (arm.nodeOsChannel) {
		case "Unmanaged":
			return good("Unmanaged: nodes update themselves every night and ask for reboots");
		case "None":
			return good("None: AKS updates nothing; nodes ask for a reboot where something of yours updates their packages");
		case "SecurityPatch":
			return bad("SecurityPatch: AKS patches nodes and renews their images by itself; unattended upgrades are off, and nothing asks for a reboot", change);
		case "NodeImage":
			return bad("NodeImage: AKS renews the nodes' images; unattended upgrades are off, and nothing will ever ask for a reboot", change);
		default:
			return notKnown(arm.nodeOsChannel === null ? "ARM does not name it" : `${arm.nodeOsChannel}: not one that is known here`, change);
	}
}

const credentialSays: Readonly<Record<CredentialKind, string>> = {
	entra: "a token of the scheduler's identity (Entra ID)",
	local: "a local account, which is a cluster admin: the narrow rights of infra/cluster do not hold here",
	plugin: "by the exec plugin of the kubeconfig",
	token: "the token of the kubeconfig",
	certificate: "the client certificate of the kubeconfig",
	none: "the kubeconfig has none: the API server will know us as nobody",
};

async function credentials({ probe, target }: Subject): Promise<Examined> {
	try {
		return good(credentialSays[await probe.credential()]);
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		if (saysNothing(error) && target.kind === "aks" && error.failure !== "garbled") return { ...notKnown(error.message, "ask again in a while"), ends: true };
		return { ...bad(error.message, target.kind === "aks" ? roleAdvice : "mend the kubeconfig, or name another context"), ends: true };
	}
}

export const networkAdvice =
	"is the cluster private, or are its authorized IP ranges without the address that we leave by? docs/deploy.md, Networks, has a way for both";

const reachAdvice: Readonly<Partial<Record<CallError["failure"], string>>> = {
	unreachable: networkAdvice,
	timedOut: networkAdvice,
	untrusted: "the API server's certificate is not of the CA that we were given: get the kubeconfig anew; a proxy on the way must not break TLS",
	unauthorized: "the API server does not accept this credential: an identity of another tenant, or a credential that was revoked",
	forbidden: "the API server takes us for nobody: give the kubeconfig's user a credential",
};

async function apiServer(subject: Subject): Promise<Examined> {
	try {
		const { version: found, at } = await subject.probe.version();
		subject.server = { version: found, aheadMs: at === null ? null : at - subject.world.now() };
		const user = await subject.probe.user();
		return good(user === null ? "it answers" : `it answers, and knows us as ${user}`);
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		const toDo = reachAdvice[error.failure] ?? "is it the API server that answered? A proxy on the way may have; else ask again in a while";
		return { ...bad(error.message, toDo), ends: true };
	}
}

async function clock({ server, serviceAheadMs }: Subject): Promise<Examined> {
	if (server?.aheadMs == null || serviceAheadMs === null) return notKnown("not compared: the table's or the API server's is not known");
	return clockVerdict("the API server's", server.aheadMs, serviceAheadMs);
}

const oldestMinor = 30;

async function version({ server }: Subject): Promise<Examined> {
	const [, major, minor] = /^v(\d+)\.(\d+)/.exec(server?.version ?? "") ?? [];
	if (server === null || major === undefined) return notKnown(`the API server names no version that can be read`);
	const isNewEnough = Number(major) > 1 || Number(minor) >= oldestMinor;
	return isNewEnough
		? good(server.version)
		: bad(`${server.version}, expected 1.${oldestMinor} or newer`, "upgrade the cluster: its admission policies need it");
}

function deletes(settings: Settings | null, cluster: string): boolean {
	return settings?.drainTimeoutAction.some(({ scope, value }) => value === "delete" && matches(scope.cluster, cluster)) ?? false;
}

async function rights(subject: Subject): Promise<Examined> {
	const { probe, settings, target } = subject;
	subject.isAdmin = await probe.allows(adminRight);
	if (subject.isAdmin) return good("everything: this is a cluster admin, and the narrow rights of infra/cluster do not hold here");
	const wanted = deletes(settings, target.name) ? [...neededRights, deletePodsRight] : neededRights;
	const allowed = await Promise.all(wanted.map((each) => probe.allows(each)));
	subject.missing = wanted.filter((_, index) => allowed[index] !== true);
	if (subject.missing.length === 0) return good(`all ${wanted.length} of them`);
	if (subject.missing.length === wanted.length) {
		const who = (await probe.user()) ?? "this user";
		return bad(`none of those it needs: nothing is bound to ${who}`, `write ${who} into infra/cluster/scheduler-identity.yaml, and ${applyAdvice}`);
	}
	const onlyDelete = subject.missing.length === 1 && subject.missing[0] === deletePodsRight;
	const toDo = onlyDelete ? "DRAIN_TIMEOUT_ACTION=delete needs the component delete-pods in infra/cluster/kustomization.yaml; then " : "";
	return bad(`missing: ${subject.missing.map(rightText).join(", ")}`, `${toDo}${applyAdvice}`);
}

async function sentinel(subject: Subject): Promise<Examined> {
	const found = await subject.api.sentinelDaemonSet();
	if (found === "absent") return bad("there is no sentinel: nobody can say which nodes wait", applyAdvice);
	subject.sentinel = found;
	const { desired, ready } = found;
	if (desired === 0) return bad("no node runs a sentinel: the cluster has no Linux nodes, or its DaemonSet was changed", applyAdvice);
	if (ready >= desired) return good(`on ${desired === 1 ? "the one node" : `all ${desired} nodes`}, none silent`);
	const toDo = "kubectl -n aks-reboot-scheduler get pods -l app=sentinel -o wide, and the events or the log of those that are not ready";
	return bad(`${desired - ready} of ${desired} sentinels are silent: what their nodes want is not known`, toDo);
}

function tried({ name, bootId }: NodeFacts, { image, imagePullPolicy, imagePullSecrets }: SentinelDaemonSet, at: number): RebootPodSpec {
	return { node: name, bootId, ask: 1, notBefore: at, notAfter: at + 60_000, image, imagePullPolicy, imagePullSecrets };
}

async function rebootPod({ api, someNode, sentinel: daemonSet, missing, world, serviceAheadMs }: Subject): Promise<Examined> {
	if (daemonSet === null) return notKnown("not tried: it takes its image from the sentinel");
	if (missing.some(({ verb, resource, namespace: place }) => verb === "create" && resource === "pods" && place !== null))
		return notKnown("not tried: the right to create it is missing");
	const node = await someNode();
	if (node === undefined) return notKnown("not tried: no Linux node was found that has reported");
	try {
		await api.createRebootPod(tried(node, daemonSet, world.now() + (serviceAheadMs ?? 0)), { dryRun: true });
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		// Its name is taken by that of a reboot in flight: one was accepted.
		if (error.failure === "conflict") return good(`accepted on node ${node.name} already`);
		if (error.failure !== "forbidden" && error.failure !== "invalid" && error.failure !== "notFound") throw error;
		return bad(
			error.message,
			"exclude the namespace aks-reboot-scheduler from what refuses it (Deployment Safeguards, Azure Policy, other admission webhooks); else the manifests are of another version: kubectl apply -k infra/cluster",
		);
	}
	return good(`accepted on node ${node.name} (dry run)`);
}

async function owner({ api, world }: Subject): Promise<Examined> {
	const seen = await api.owner();
	if (seen.kind === "absent") return good("nobody's yet: the first scheduler that has something to do claims it");
	if (seen.holder === world.us) return good(`this scheduler, ${world.us}`);
	return bad(`it belongs to scheduler ${seen.holder}, not to this one (${world.us})`, `to take it over: ${takeOverCommand(world.us)}`);
}
