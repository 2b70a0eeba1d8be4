// What somebody would try who has got hold of the scheduler's identity or of a sentinel's token, and who refuses it. docs/security.md
// shows this table; thief.test.ts makes every attempt on a real API server.
import { rebootPod } from "../../lib/kubernetes/reboot-pod.ts";
import { namespace } from "../../lib/plan/model.ts";
import type { RebootPodSpec } from "../../lib/tick/world.ts";
import { shippedImage } from "../lab/manifests.ts";
import type { PatchType } from "./api-client.ts";

export type Thief = "scheduler" | "sentinel";

export interface Call {
	readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
	readonly path: string;
	readonly body?: unknown;
	readonly patch?: PatchType;
	/** A user to impersonate. */
	readonly as?: string;
	/** With a token of the service account that is bound to no pod. */
	readonly unbound?: true;
}

export interface Attempt {
	readonly thief: Thief;
	readonly tries: string;
	/** The right that is missing, or the name of the policy without its prefix. */
	readonly refusedBy: { readonly right: string } | { readonly policy: string };
	/** Part of the API server's answer. */
	readonly says: string;
	readonly call: Call;
}

/** States that thief.test.ts makes: the thief's own pod, one of another node, a reboot pod; a node of ours and one that an operator cordoned. */
export const world = { own: "sentinel-own", other: "sentinel-other", reboot: "reboot-there", node: "n-1", cordonedByOthers: "n-2", team: "team-a" } as const;

const ours = `/api/v1/namespaces/${namespace}`;
const own = `${ours}/pods/${world.own}`;
const other = `${ours}/pods/${world.other}`;
const team = `/api/v1/namespaces/${world.team}`;
const system = "/api/v1/namespaces/kube-system";
const node = `/api/v1/nodes/${world.node}`;
const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
const events = "/apis/events.k8s.io/v1/namespaces/default/events";
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const admission = "/apis/admissionregistration.k8s.io/v1";
const sentinels = `/apis/apps/v1/namespaces/${namespace}/daemonsets/sentinel`;

const get = (path: string): Call => ({ method: "GET", path });
const post = (path: string, body: unknown = {}): Call => ({ method: "POST", path, body });
const remove = (path: string): Call => ({ method: "DELETE", path });
const patch = (path: string, body: unknown, type: PatchType = "merge"): Call => ({ method: "PATCH", path, body, patch: type });
const metadata = (fields: object) => ({ metadata: fields });

const label = "aks-reboot-scheduler/reboot-required";
const report = "aks-reboot-scheduler/report";
const mark = "aks-reboot-scheduler/reboot";
const asksForReboot = metadata({ labels: { [label]: "true" } });
const owner = { apiVersion: "v1", kind: "Node", name: world.node, uid: "00000000-0000-0000-0000-000000000001" };
const bareContainer = { name: "main", image: "registry.test/app:1" };
const barePod = { metadata: { name: "theirs" }, spec: { containers: [bareContainer] } };

const spec: RebootPodSpec = {
	node: world.node,
	bootId: "0f0e0d0c-1111-4222-8333-000000000001",
	ask: 1,
	notBefore: Date.now() - 60_000,
	notAfter: Date.now() + 300_000,
	image: shippedImage,
	imagePullPolicy: "IfNotPresent",
	imagePullSecrets: [],
};

/** The scheduler's pod with fields of its spec, of its container and of its metadata changed; undefined removes one. */
function pod(podFields: object = {}, containerFields: object = {}, metadataFields: object = {}): Call {
	const { spec: podSpec, metadata: podMetadata, ...rest } = rebootPod(spec);
	const containers = podSpec?.containers.map((each) => ({ ...each, ...containerFields }));
	return post(`${ours}/pods`, { ...rest, metadata: { ...podMetadata, ...metadataFields }, spec: { ...podSpec, containers, ...podFields } });
}

function secure(fields: object): Call {
	return pod({}, { securityContext: { ...rebootPod(spec).spec?.containers[0]?.securityContext, ...fields } });
}

function interval(notBefore: number, notAfter: number): Call {
	return post(`${ours}/pods`, rebootPod({ ...spec, notBefore, notAfter }));
}

function env(...more: object[]): Call {
	return pod({}, { env: [...(rebootPod(spec).spec?.containers[0]?.env ?? []), ...more] });
}

/** What the scheduler does send: thief.test.ts sees it accepted, so that no attempt is refused for another reason than its own. */
export const accepted: readonly (readonly [Thief, Call])[] = [
	["sentinel", patch(own, metadata({ labels: { [label]: "true" }, annotations: { [report]: "{}" } }))],
	["sentinel", patch(own, metadata({ labels: { [label]: null }, annotations: { [report]: "{}" } }))],
	["scheduler", patch(node, { ...metadata({ annotations: { [mark]: "{}" } }), spec: { unschedulable: true } })],
	["scheduler", patch(node, { ...metadata({ annotations: { [mark]: null } }), spec: { unschedulable: null } })],
	["scheduler", { ...pod(), path: `${ours}/pods?dryRun=All` }],
	["scheduler", pod()],
	["scheduler", remove(`${ours}/pods/reboot-${spec.bootId}-1?gracePeriodSeconds=0`)],
	["scheduler", post(leases, { metadata: { name: "owner" }, spec: { holderIdentity: "us" } })],
	["scheduler", post(events, event())],
	["scheduler", post(`${team}/pods/web/eviction?dryRun=All`, eviction("web"))],
];

function event(fields: object = {}): object {
	return {
		metadata: { name: "told" },
		eventTime: "2026-11-24T02:00:00.000000Z",
		reportingController: "aks-reboot-scheduler",
		reportingInstance: "aks-reboot-scheduler",
		action: "Cordon",
		reason: "Cordoned",
		type: "Normal",
		regarding: { apiVersion: "v1", kind: "Node", name: world.node, uid: world.node },
		...fields,
	};
}

function eviction(name: string): object {
	return { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } };
}

type Row = readonly [tries: string, says: string, call: Call];

function refusedBy(thief: Thief, policy: string, rows: readonly Row[]): Attempt[] {
	return rows.map(([tries, says, call]) => ({ thief, tries, refusedBy: { policy }, says, call }));
}

type RightRow = readonly [tries: string, right: string, call: Call];

/** `right`: verb and resource, as the API server names them. */
function withoutRight(thief: Thief, rows: readonly RightRow[]): Attempt[] {
	return rows.map(([tries, right, call]) => {
		const [verb, resource] = right.split(" ");
		// What it may not impersonate, the API server of 1.36 names by the verb `impersonate-on:…`.
		const says = verb === "impersonate" ? "cannot impersonate" : `cannot ${verb} resource "${resource}"`;
		return { thief, tries, refusedBy: { right }, says, call };
	});
}

const anotherPod = "no pod but the one that its token is bound to";

const sentinelByPolicy = refusedBy("sentinel", "report", [
	["ask for the reboot of another node, on that node's sentinel pod", anotherPod, patch(other, asksForReboot)],
	["forge another node's report", anotherPod, patch(other, metadata({ annotations: { [report]: "{}" } }))],
	["hide that another node waits", anotherPod, patch(other, metadata({ labels: { [label]: null }, annotations: { [report]: "{}" } }))],
	[
		"change the image of a reboot pod",
		anotherPod,
		patch(`${ours}/pods/${world.reboot}`, { spec: { containers: [{ name: "reboot", image: "evil" }] } }, "strategic"),
	],
	["report with a token that is bound to no pod", anotherPod, { ...patch(own, asksForReboot), unbound: true }],
	['write another value than "true" into its label', 'is "true" or absent', patch(own, metadata({ labels: { [label]: "maybe" } }))],
	["leave its DaemonSet by another `app` label", "no label but", patch(own, metadata({ labels: { app: "reboot" } }))],
	["set a label that something else selects by", "no label but", patch(own, [{ op: "add", path: "/metadata/labels/team", value: "a" }], "json")],
	["remove a label", "no label but", patch(own, metadata({ labels: { app: null } }))],
	["set another annotation", "no annotation but", patch(own, metadata({ annotations: { "cdi.k8s.io/x": "vendor.com/device=all" } }))],
	["remove an annotation that somebody set", "no annotation but", patch(own, metadata({ annotations: { "team-a/note": null } }))],
	["run another image in its pod", "does not change its spec", patch(own, { spec: { containers: [{ name: "sentinel", image: "evil" }] } }, "strategic")],
	["live longer: a deadline of its pod", "does not change its spec", patch(own, { spec: { activeDeadlineSeconds: 1 } })],
	["keep its pod from being deleted, by a finalizer", "labels and annotations only", patch(own, metadata({ finalizers: ["thief/stays"] }))],
	["change whose pod it is, by an owner", "labels and annotations only", patch(own, metadata({ ownerReferences: [owner] }))],
	["fill etcd: a report of 25,000 characters", "at most 24576", patch(own, metadata({ annotations: { [report]: "x".repeat(25_000) } }))],
	[
		"the same, by server-side apply",
		"at most 24576",
		patch(`${own}?fieldManager=thief&force=true`, { apiVersion: "v1", kind: "Pod", ...metadata({ annotations: { [report]: "x".repeat(25_000) } }) }, "apply"),
	],
]);

const sentinelWithoutRight = withoutRight("sentinel", [
	["replace its own pod", "update pods", { method: "PUT", path: own, body: barePod }],
	["call itself ready or another address its own, in its pod's status", "patch pods/status", patch(`${own}/status`, { status: { podIP: "10.0.0.1" } })],
	["give its pod more of the node", "patch pods/resize", patch(`${own}/resize`, {})],
	["add a container to a running pod", "patch pods/ephemeralcontainers", patch(`${other}/ephemeralcontainers`, {})],
	["create a pod", "create pods", post(`${ours}/pods`, barePod)],
	["delete another sentinel", "delete pods", remove(other)],
	["list the pods of its namespace", "list pods", get(`${ours}/pods`)],
	["read a pod elsewhere", "get pods", get(`${system}/pods/any`)],
	["run a command in another pod", "create pods/exec", post(`${other}/exec?command=sh`)],
	["read another pod's log", "get pods/log", get(`${other}/log`)],
	["evict a pod", "create pods/eviction", post(`${other}/eviction`, eviction(world.other))],
	["read a secret", "get secrets", get(`${ours}/secrets/any`)],
	["read a config map", "get configmaps", get(`${ours}/configmaps/any`)],
	["read its node", "get nodes", get(node)],
	["cordon its node", "patch nodes", patch(node, { spec: { unschedulable: true } })],
	["change its node's status", "patch nodes/status", patch(`${node}/status`, {})],
	["read or change the DaemonSet it belongs to", "patch daemonsets", patch(sentinels, {})],
	["read who owns the cluster", "get leases", get(`${leases}/owner`)],
	["issue itself a token for longer", "create serviceaccounts/token", post(`${ours}/serviceaccounts/sentinel/token`)],
	["bind a role to itself", "create rolebindings", post(`${rbac}/namespaces/${namespace}/rolebindings`, { metadata: { name: "x" }, roleRef: {} })],
	["act as somebody else", "impersonate users", { ...get("/api/v1/nodes"), as: "admin" }],
	["send an event", "create events", post(events, event())],
]);

const specOnly = "of a node's spec the scheduler changes unschedulable only";
const metadataOnly = "of a node's metadata the scheduler changes annotations only";
const markOnly = "of a node's annotations the scheduler changes its mark only";

const nodesByPolicy = refusedBy("scheduler", "nodes", [
	["taint a node, so that everything leaves it", specOnly, patch(node, { spec: { taints: [{ key: "thief", effect: "NoExecute" }] } })],
	["take the taints off a node", specOnly, patch(`/api/v1/nodes/${world.cordonedByOthers}`, { spec: { taints: null } })],
	["make a node another machine, by its provider id", specOnly, patch(node, { spec: { providerID: "azure:///another" } })],
	["give a node other pod addresses", specOnly, patch(node, { spec: { podCIDR: "10.0.0.0/24", podCIDRs: ["10.0.0.0/24"] } })],
	["attract pods by a label", metadataOnly, patch(node, metadata({ labels: { "node-restriction.kubernetes.io/trusted": "true" } }))],
	["move a node to another pool", metadataOnly, patch(node, metadata({ labels: { "kubernetes.azure.com/agentpool": "gpu" } }))],
	["keep a node from being deleted, by a finalizer", metadataOnly, patch(node, metadata({ finalizers: ["thief/stays"] }))],
	["have a node deleted, by an owner that is gone", metadataOnly, patch(node, metadata({ ownerReferences: [owner] }))],
	["take off an operator's hold", markOnly, patch(node, metadata({ annotations: { "aks-reboot-scheduler/hold": null } }))],
	[
		"set an annotation that another tool reads",
		markOnly,
		patch(node, metadata({ annotations: { "cluster-autoscaler.kubernetes.io/scale-down-disabled": "true" } })),
	],
	["the same, by JSON patch", markOnly, patch(node, [{ op: "add", path: "/metadata/annotations/thief", value: "x" }], "json")],
	["fill etcd: a mark of 9,000 characters", "at most 8192", patch(node, metadata({ annotations: { [mark]: "x".repeat(9_000) } }))],
	["cordon a node without a mark that says who", "only together with its mark", patch(node, { spec: { unschedulable: true } })],
	["uncordon a node that an operator cordoned", "does not carry its mark", patch(`/api/v1/nodes/${world.cordonedByOthers}`, { spec: { unschedulable: null } })],
]);

const given = "nothing else that it was not given";
const image = "image is that of the sentinel DaemonSet";
const command = "command is the one that these manifests came with";
const privilege = "no capability, no privilege and a read-only root";
const environment = "environment is BOOT_ID, NOT_BEFORE and NOT_AFTER";
const hostPath = { volumes: [{ name: "host", hostPath: { path: "/" } }] };
const hook = { postStart: { exec: { command: ["sh"] } } };

const rebootPodsByPolicy = refusedBy("scheduler", "reboot-pods", [
	["an image of its own", image, pod({}, { image: "registry.test/evil:1" })],
	["the right image by a tag instead of its digest", image, pod({}, { image: shippedImage.replace(/@.*/, ":3.0") })],
	["another command", command, pod({}, { command: ["/bin/sh", "-c", "kill -9 -1"] })],
	["a command of its own after the right one", command, pod({}, { command: [...(rebootPod(spec).spec?.containers[0]?.command ?? []), "more"] })],
	["arguments", given, pod({}, { args: ["-c", "sh"] })],
	["a hook that runs a command", given, pod({}, { lifecycle: hook })],
	["a probe that runs a command", given, pod({}, { livenessProbe: hook.postStart })],
	["a second container", "has one container", pod({ containers: [...(rebootPod(spec).spec?.containers ?? []), bareContainer] })],
	["an init container", given, pod({ initContainers: [bareContainer] })],
	["a privileged container", privilege, secure({ privileged: true, allowPrivilegeEscalation: true })],
	["a capability", privilege, secure({ capabilities: { drop: ["ALL"], add: ["SYS_ADMIN"] } })],
	["the default capabilities", privilege, secure({ capabilities: undefined })],
	["to gain privileges", privilege, secure({ allowPrivilegeEscalation: true })],
	["a root it can write to", privilege, secure({ readOnlyRootFilesystem: false })],
	["no seccomp profile", privilege, secure({ seccompProfile: { type: "Unconfined" } })],
	["groups of the host", "no security context but its container's", pod({ securityContext: { supplementalGroups: [0] } })],
	["the host's files", given, pod(hostPath, { volumeMounts: [{ name: "host", mountPath: "/host" }] })],
	["a secret of the namespace as a file", given, pod({ volumes: [{ name: "s", secret: { secretName: "any" } }] })],
	["a secret of the namespace in its environment", given, pod({}, { envFrom: [{ secretRef: { name: "any" } }] })],
	["the same, one key of it", environment, env({ name: "KEY", valueFrom: { secretKeyRef: { name: "any", key: "key" } } })],
	["a variable that the shell or the loader reads", environment, env({ name: "LD_PRELOAD", value: "/tmp/x.so" })],
	[
		"a boot id that is a program",
		environment,
		pod({}, { env: [{ name: "BOOT_ID", value: "$(id)" }, ...(rebootPod(spec).spec?.containers[0]?.env ?? []).slice(1)] }),
	],
	["the sentinel's token", "no service account token", pod({ serviceAccountName: "sentinel", automountServiceAccountToken: true })],
	["the host's network", given, pod({ hostNetwork: true })],
	["the host's shared memory", given, pod({ hostIPC: true })],
	["a port of the host", given, pod({}, { ports: [{ containerPort: 80, hostPort: 80 }] })],
	["devices, by an annotation that the container runtime reads", "no annotations", pod({}, {}, { annotations: { "cdi.k8s.io/x": "vendor.com/device=all" } })],
	["to stay: restartPolicy Always", "runs once", pod({ restartPolicy: "Always" })],
	["to stay: an hour to end in", "runs once", pod({ terminationGracePeriodSeconds: 3_600 })],
	["to push pods off a node past their budgets, by what it asks for", "asks for 5m", pod({}, { resources: { requests: { cpu: "64" } } })],
	["a place by the scheduler's choice", "is for one node", pod({ nodeName: undefined })],
	["to pass for a sentinel", "has the labels", pod({}, {}, { labels: { app: "sentinel", [label]: "true" } })],
	["to belong to a controller", "no owner, no finalizer", pod({}, {}, { ownerReferences: [owner] })],
	["a name of its own", "name is that of its boot and ask", pod({}, {}, { name: "reboot-whenever" })],
	["a pull secret that the sentinel does not have", "pull secrets", pod({ imagePullSecrets: [{ name: "any" }] })],
	["a reboot at any time of the day", "at most 6 minutes", interval(spec.notBefore, spec.notBefore + 86_400_000)],
	["a reboot tomorrow, when nobody looks", "within 15 minutes", interval(spec.notBefore + 86_400_000, spec.notAfter + 86_400_000)],
]);

const otherByPolicy = [
	...refusedBy("scheduler", "deletions", [
		["silence a node: delete its sentinel", "reboot pods only", remove(other)],
		["delete a pod of the namespace by a name like a reboot pod's", "reboot pods only", remove(`${ours}/pods/reboot-in-name-only`)],
	]),
	...refusedBy("scheduler", "owner", [
		["make another Lease", "no Lease but owner", post(leases, { metadata: { name: "another" }, spec: {} })],
		["take the cluster away from its owner", "away from its owner", patchOfOwner({ spec: { holderIdentity: "thief" } })],
		["keep the namespace from being deleted, by a finalizer", "neither finalizers", patchOfOwner({ metadata: { finalizers: ["thief/stays"] } })],
	]),
	...refusedBy("scheduler", "events", [
		["tell of a pod what did not happen", "about nodes", post(events, event({ regarding: { kind: "Pod", name: "web", namespace: "default" } }))],
		["tell it in the kubelet's name", "reported by", post(events, event({ reportingController: "kubelet" }))],
	]),
	...refusedBy("scheduler", "spared-namespaces", [
		["evict a pod of a namespace that is spared", "is spared", post(`${system}/pods/dns/eviction`, eviction("dns"))],
		["see by dry run whether it could", "is spared", post(`${system}/pods/dns/eviction?dryRun=All`, eviction("dns"))],
	]),
];

/** RBAC gives `update` and no `patch`: thief.test.ts sends the Lease as it is with these fields. */
function patchOfOwner(fields: object): Call {
	return { method: "PUT", path: `${leases}/owner`, body: fields };
}

const binding = { metadata: { name: "x" }, roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" } };

const schedulerWithoutRight = withoutRight("scheduler", [
	["delete a node", "delete nodes", remove(node)],
	["register a node", "create nodes", post("/api/v1/nodes", { metadata: { name: "thief" } })],
	["replace a node", "update nodes", { method: "PUT", path: node, body: { metadata: { name: world.node } } }],
	["call a node ready or broken", "patch nodes/status", patch(`${node}/status`, {})],
	["reach the kubelet through the API server", "get nodes/proxy", get(`${node}/proxy/pods`)],
	["create a pod in another namespace", "create pods", post(`${team}/pods`, barePod)],
	["change a pod", "patch pods", patch(`${team}/pods/web`, asksForReboot)],
	["change a sentinel's report", "patch pods", patch(other, asksForReboot)],
	["delete a pod in another namespace, past its budget", "delete pods", remove(`${team}/pods/web`)],
	["delete every pod of its own namespace", "deletecollection pods", remove(`${ours}/pods`)],
	["run a command in a pod", "create pods/exec", post(`${team}/pods/web/exec?command=sh`)],
	["attach to a pod", "create pods/attach", post(`${team}/pods/web/attach`)],
	["reach a pod's ports", "create pods/portforward", post(`${team}/pods/web/portforward`)],
	["read a pod's log", "get pods/log", get(`${team}/pods/web/log`)],
	["add a container to a running pod", "patch pods/ephemeralcontainers", patch(`${other}/ephemeralcontainers`, {})],
	["choose a pod's node", "create pods/binding", post(`${team}/pods/web/binding`)],
	["read a secret", "get secrets", get(`${system}/secrets/any`)],
	["list the secrets of its own namespace", "list secrets", get(`${ours}/secrets`)],
	["read a config map", "get configmaps", get(`${system}/configmaps/any`)],
	["issue the sentinel's token to itself", "create serviceaccounts/token", post(`${ours}/serviceaccounts/sentinel/token`)],
	["issue a token of a controller in kube-system", "create serviceaccounts/token", post(`${system}/serviceaccounts/any/token`)],
	["change the sentinel DaemonSet, and with it the image of its pods", "patch daemonsets", patch(sentinels, { spec: {} })],
	["delete the sentinel DaemonSet", "delete daemonsets", remove(sentinels)],
	["run a Deployment", "create deployments", post(`/apis/apps/v1/namespaces/${namespace}/deployments`)],
	["run a Job", "create jobs", post(`/apis/batch/v1/namespaces/${namespace}/jobs`)],
	["delete a disruption budget", "delete poddisruptionbudgets", remove(`/apis/policy/v1/namespaces/${world.team}/poddisruptionbudgets/web`)],
	["bind cluster-admin to itself", "create clusterrolebindings", post(`${rbac}/clusterrolebindings`, binding)],
	["bind a role in kube-system to itself", "create rolebindings", post(`${rbac}/namespaces/kube-system/rolebindings`, binding)],
	["widen its own role", "patch clusterroles", patch(`${rbac}/clusterroles/${namespace}`, { rules: [] })],
	[
		"remove the policies that narrow its rights",
		"delete validatingadmissionpolicies",
		remove(`${admission}/validatingadmissionpolicies/aks-reboot-scheduler-nodes`),
	],
	["unbind them", "delete validatingadmissionpolicybindings", remove(`${admission}/validatingadmissionpolicybindings/aks-reboot-scheduler-nodes`)],
	["see or change every request, by a webhook", "create mutatingwebhookconfigurations", post(`${admission}/mutatingwebhookconfigurations`)],
	["act as somebody else", "impersonate users", { ...get("/api/v1/nodes"), as: "admin" }],
	["act as a controller", "impersonate serviceaccounts", { ...get("/api/v1/nodes"), as: "system:serviceaccount:kube-system:node-controller" }],
	["have a client certificate signed", "create certificatesigningrequests", post("/apis/certificates.k8s.io/v1/certificatesigningrequests")],
	["delete its namespace, and with it the policies' parameters", "delete namespaces", remove(ours)],
	["change its namespace's Pod Security level", "patch namespaces", patch(ours, metadata({ labels: { "pod-security.kubernetes.io/enforce": "privileged" } }))],
	[
		"keep a node alive that is dead, by its Lease",
		"update leases",
		{ method: "PUT", path: `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${world.node}`, body: {} },
	],
	["delete the owner Lease", "delete leases", remove(`${leases}/owner`)],
	["hide what it did: delete events", "deletecollection events", remove(events)],
	["widen what is spared", "patch configmaps", patch(`${ours}/configmaps/spared-namespaces`, { data: {} })],
]);

export const attempts: readonly Attempt[] = [
	...sentinelByPolicy,
	...sentinelWithoutRight,
	...nodesByPolicy,
	...rebootPodsByPolicy,
	...otherByPolicy,
	...schedulerWithoutRight,
];

/** As docs/security.md has it. */
export function thiefTable(): string {
	const rows = attempts.map(({ thief, tries, refusedBy }) => {
		const by = "right" in refusedBy ? `RBAC: no right to ${refusedBy.right}` : `policy \`${refusedBy.policy}\``;
		return `| ${thief} | ${tries} | ${by} |\n`;
	});
	return `| with the identity of the | tries | refused by |\n| --- | --- | --- |\n${rows.join("")}`;
}
