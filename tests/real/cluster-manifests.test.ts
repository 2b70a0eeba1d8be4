// The manifests of infra/cluster, applied by kubectl as they are shipped: where the sentinel runs, as what, and who may do what.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { until } from "../waiting.ts";
import type { KubeObject } from "./api-client.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { scriptFile } from "./sentinel-process.ts";

const manifests = resolve(import.meta.dirname, "../../infra/cluster");
const ours = "aks-reboot-scheduler";
const identity = "5f1d3c52-7a0e-4a57-9c0b-000000000001";
const nobody = "00000000-0000-0000-0000-000000000000";
const sentinelAccount = `system:serviceaccount:${ours}:sentinel`;

let plane: ControlPlane;
let dir: string;

/** `VERB RESOURCE[/SUBRESOURCE][.GROUP] [in NAMESPACE] [named NAME]` */
type Access = readonly [verb: string, resource: string, namespace?: string, name?: string];

const patchNodes: Access = ["patch", "nodes"];
const readKubeSystem: Access = ["get", "namespaces", "kube-system", "kube-system"];
const policiesPath = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";

interface Policy extends KubeObject {
	readonly spec: { readonly failurePolicy: string; readonly matchConditions: readonly { readonly expression: string }[] };
	readonly status: { readonly typeChecking?: { readonly expressionWarnings?: readonly unknown[] } };
}

before(async () => {
	plane = await startControlPlane({ serviceAccountAdmission: true });
	dir = mkdtempSync(join(tmpdir(), "manifests-"));
	await plane.kubectl("apply", "-k", manifests);
});
after(async () => {
	await plane?.stop();
	rmSync(dir, { recursive: true, force: true });
});

async function may(user: string, [verb, what, namespace, name]: Access): Promise<boolean> {
	const [path = "", ...group] = what.split(".");
	const [resource, subresource] = path.split("/");
	const attributes = { verb, resource, subresource, group: group.join("."), namespace, name };
	const groups = user === sentinelAccount ? ["system:serviceaccounts", `system:serviceaccounts:${ours}`, "system:authenticated"] : ["system:authenticated"];
	const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec: { user, groups, resourceAttributes: attributes } };
	const answer = await plane.api.post<{ status: { allowed: boolean } }>("/apis/authorization.k8s.io/v1/subjectaccessreviews", review);
	return answer.status.allowed;
}

async function addNode(name: string, labels: Record<string, string>, taints: readonly object[] = []): Promise<void> {
	await plane.api.post("/api/v1/nodes", { metadata: { name, labels }, spec: { taints } });
	const room = { cpu: "2", memory: "4Gi", pods: "30" };
	await plane.api.patch(`/api/v1/nodes/${name}/status`, { status: { capacity: room, allocatable: room } });
}

test("sentinels run on every Linux node, whatever its taints, and on no Windows and no virtual node", async () => {
	const taints = [
		{ key: "CriticalAddonsOnly", value: "true", effect: "NoSchedule" },
		{ key: "kubernetes.azure.com/scalesetpriority", value: "spot", effect: "NoExecute" },
	];
	await addNode("linux", { "kubernetes.io/os": "linux" });
	await addNode("tainted", { "kubernetes.io/os": "linux", type: "something-else" }, taints);
	await addNode("windows", { "kubernetes.io/os": "windows" });
	await addNode("virtual", { "kubernetes.io/os": "linux", type: "virtual-kubelet" });
	const daemonSet = (): Promise<KubeObject> => plane.api.get(`/apis/apps/v1/namespaces/${ours}/daemonsets/sentinel`);
	await until("the DaemonSet's pods are there", async () => {
		const { status } = (await daemonSet()) as unknown as { status: { currentNumberScheduled: number } };
		return status.currentNumberScheduled === 2;
	});
	let nodes: unknown[] = [];
	await until("the pods are bound", async () => {
		const pods = await plane.api.list<{ spec: { nodeName?: string } }>(`/api/v1/namespaces/${ours}/pods?labelSelector=app=sentinel`);
		nodes = pods.map((pod) => pod.spec.nodeName);
		return nodes.every((node) => node !== undefined);
	});
	assert.deepEqual(nodes.sort(), ["linux", "tainted"]);
	const { status } = (await daemonSet()) as unknown as { status: { desiredNumberScheduled: number } };
	assert.equal(status.desiredNumberScheduled, 2, "nodes without a sentinel are not counted as silent");
});

test("the sentinel's pod has no privilege: what the API server made of the manifest, line by line", async () => {
	const pods = await plane.api.list<{ spec: Record<string, unknown> }>(`/api/v1/namespaces/${ours}/pods?labelSelector=app=sentinel`);
	const spec = pods[0]?.spec;
	assert(spec);
	const containers = spec.containers as Record<string, unknown>[];
	const container = containers[0];
	assert(containers.length === 1 && container !== undefined);
	assert.deepEqual(spec.securityContext, { runAsUser: 65532, runAsGroup: 65532, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
	assert.deepEqual(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } });
	for (const shared of ["hostPID", "hostNetwork", "hostIPC"]) assert.equal(spec[shared], undefined);
	const volumes = spec.volumes as { name: string; hostPath?: unknown }[];
	const hostVolumes = volumes.filter((volume) => volume.hostPath !== undefined);
	assert.deepEqual(hostVolumes, [{ name: "run", hostPath: { path: "/var/run", type: "Directory" } }]);
	const mounts = container.volumeMounts as { name: string; mountPath: string; readOnly?: boolean }[];
	assert.deepEqual(
		mounts.filter((mount) => mount.name === "run"),
		[{ name: "run", mountPath: "/host/run", readOnly: true, recursiveReadOnly: "IfPossible" }],
	);
	assert.deepEqual(
		mounts.filter((mount) => mount.readOnly !== true).map((mount) => mount.mountPath),
		["/state"],
	);
	assert.match(String(container.image), /^[^@]+@sha256:[0-9a-f]{64}$/);
	assert.equal(container.imagePullPolicy, "IfNotPresent");
	assert.equal(spec.priorityClassName, "system-node-critical");
	assert.equal(spec.serviceAccountName, "sentinel");
});

test("the script in the cluster is the script in the tree, under a name that changes with it", async () => {
	const { spec } = (await plane.api.get(`/apis/apps/v1/namespaces/${ours}/daemonsets/sentinel`)) as unknown as {
		spec: { template: { spec: { volumes: { name: string; configMap?: { name: string } }[]; containers: { command: string[] }[] } } };
	};
	const name = spec.template.spec.volumes.find((volume) => volume.name === "report")?.configMap?.name;
	assert.match(name ?? "", /^sentinel-[a-z0-9]+$/);
	const configMap = (await plane.api.get(`/api/v1/namespaces/${ours}/configmaps/${name}`)) as unknown as { data: Record<string, string> };
	assert.deepEqual(configMap.data, { "report.sh": readFileSync(scriptFile, "utf8") });
	assert.deepEqual(spec.template.spec.containers[0]?.command, ["/bin/sh", "/sentinel/report.sh"]);
});

test("applying it a second time changes nothing", async () => {
	const lines = (await plane.kubectl("apply", "-k", manifests)).trim().split("\n");
	assert(lines.length > 10);
	assert.deepEqual(
		lines.filter((line) => !line.endsWith(" unchanged")),
		[],
	);
});

test("the API server finds nothing to warn of in the admission policies, and each refuses where it cannot be evaluated", async () => {
	let policies: Policy[] = [];
	await until("the policies are type-checked", async () => {
		policies = await plane.api.list<Policy>(policiesPath);
		return policies.every(({ status }) => status.typeChecking !== undefined);
	});
	assert.equal(policies.length, 6);
	for (const { metadata, spec, status } of policies)
		assert.deepEqual([spec.failurePolicy, status.typeChecking?.expressionWarnings ?? []], ["Fail", []], metadata.name);
});

test("as shipped, nobody is the scheduler, and the sentinel may read and patch pods in its namespace and nothing else", async () => {
	assert.equal(await may(nobody, ["patch", "nodes"]), true, "the placeholder is what is bound");
	assert.equal(await may("system:anonymous", ["patch", "nodes"]), false);
	assert.equal(await may(identity, ["patch", "nodes"]), false);
	assert.equal(await may(sentinelAccount, ["get", "pods", ours, "sentinel-x"]), true);
	assert.equal(await may(sentinelAccount, ["patch", "pods", ours, "sentinel-x"]), true);
	const denied: Access[] = [
		["list", "pods", ours],
		["patch", "pods", "kube-system"],
		["patch", "pods/status", ours],
		["delete", "pods", ours],
		["create", "pods", ours],
		["get", "nodes"],
		["patch", "nodes"],
		["get", "secrets", ours],
		["get", "configmaps", ours],
	];
	for (const access of denied) assert.equal(await may(sentinelAccount, access), false, `the sentinel may not ${access.join(" ")}`);
});

test("the identity of scheduler-identity.yaml gets exactly the scheduler's rights", async () => {
	const copy = join(dir, "edited");
	cpSync(manifests, copy, { recursive: true });
	const file = join(copy, "scheduler-identity.yaml");
	writeFileSync(file, readFileSync(file, "utf8").replace(nobody, identity));
	await plane.kubectl("apply", "-k", copy);
	// One of each binding; thief.test.ts asks for every right that there is.
	for (const access of [patchNodes, ["create", "pods", ours], readKubeSystem, ["create", "events.events.k8s.io", "default"]] as const)
		assert.equal(await may(identity, access), true, `the scheduler may ${access.join(" ")}`);
	const policies = await plane.api.list<Policy>(policiesPath);
	assert.deepEqual([...new Set(policies.map(({ spec }) => spec.matchConditions[0]?.expression))].sort(), [
		`request.userInfo.username == '${identity}'`,
		`request.userInfo.username == '${sentinelAccount}'`,
	]);
	assert.equal(await may(nobody, patchNodes), false, "the placeholder was replaced everywhere");
	assert.equal(await may(nobody, readKubeSystem), false);
});

test("an overlay sets the identity and the image without touching the tree", async () => {
	const base = join(dir, "base");
	const overlay = join(dir, "overlay");
	cpSync(manifests, base, { recursive: true });
	mkdirSync(overlay);
	const patch = [
		"  - target: {labelSelector: app.kubernetes.io/component=scheduler}",
		"    patch: |-",
		`      - {op: replace, path: /subjects/0/name, value: ${identity}}`,
		"  - target: {labelSelector: app.kubernetes.io/component=scheduler-policy}",
		"    patch: |-",
		`      - {op: replace, path: /spec/matchConditions/0/expression, value: "request.userInfo.username == '${identity}'"}`,
	];
	const image = `images: [{name: mcr.microsoft.com/azurelinux/base/core, newName: mirror.example/core, digest: "sha256:${"ab".repeat(32)}"}]`;
	writeFileSync(join(overlay, "kustomization.yaml"), ["resources: [../base]", "patches:", ...patch, image, ""].join("\n"));
	const built = await plane.kubectl("kustomize", overlay);
	assert.equal(built.split(`name: ${identity}`).length - 1, 4);
	assert.equal(built.split(`request.userInfo.username == '${identity}'`).length - 1, 5);
	assert(!built.includes(nobody));
	assert(built.includes(`image: mirror.example/core@sha256:${"ab".repeat(32)}`));
});

test("only the optional component lets the scheduler delete pods outside of our namespace", async () => {
	const copy = join(dir, "with-delete");
	cpSync(join(dir, "edited"), copy, { recursive: true });
	const file = join(copy, "kustomization.yaml");
	const text = readFileSync(file, "utf8");
	writeFileSync(file, text.replace("# components:\n#   - components/delete-pods", "components:\n  - components/delete-pods"));
	assert.equal(await may(identity, ["delete", "pods", "team-a"]), false);
	await plane.kubectl("apply", "-k", copy);
	assert.equal(await may(identity, ["delete", "pods", "team-a"]), true);
});
