// Sentinels, pods of a node, the reboot pod and the owner Lease on a real API server, with the shipped rights.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { after, before } from "node:test";
import { openCluster } from "../../lib/kubernetes/client.ts";
import { askLabel } from "../../lib/kubernetes/reboot-pod.ts";
import { fieldManager, namespace } from "../../lib/plan/model.ts";
import { rebootPodName } from "../../lib/plan/step.ts";
import type { ClusterApi, PodRef, RebootPodSpec } from "../../lib/tick/world.ts";
import type { KubeObject } from "../real/api-client.ts";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import type { Pod } from "../real/objects.ts";
import { applyShipped } from "../real/scenario.ts";
import {
	credentialOf,
	exists,
	failureOf,
	fresh,
	hasControlPlane,
	node,
	openAs,
	type PodState,
	pod,
	realTest,
	runningAndReady,
	TestSource,
} from "./kubernetes-fixtures.ts";

let plane: ControlPlane;
let api: ClusterApi;
const daemonSetPath = `/apis/apps/v1/namespaces/${namespace}/daemonsets/sentinel`;
const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/owner`;

before(async () => {
	if (!hasControlPlane) return;
	plane = await startControlPlane({ controllers: false, scheduler: false });
	await applyShipped(plane);
	api = openAs(plane);
});
after(() => plane?.stop());

async function ownedBySentinel(): Promise<object[]> {
	const { metadata } = await plane.api.get<KubeObject>(daemonSetPath);
	return [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "sentinel", uid: metadata.uid, controller: true }];
}

/** A sentinel pod whose node waits for a reboot, unless told otherwise. */
async function sentinel(state: PodState & { readonly report?: string; readonly asks?: boolean } = {}): Promise<PodRef> {
	const { report = '{"bootId":"b","since":"2026-11-24T02:00:00Z","kernel":"6.8.0","packages":["linux"]}', asks = true, ...rest } = state;
	const labels = { app: "sentinel", ...(asks ? { "aks-reboot-scheduler/reboot-required": "true" } : {}) };
	const annotations = { "aks-reboot-scheduler/report": report };
	return pod(plane, { name: fresh("sentinel"), namespace, labels, annotations, ownerReferences: await ownedBySentinel(), ...rest });
}

realTest("nodes that wait are told by their sentinels, and garbled reports are told instead of failing the list", async () => {
	const on = await node(plane);
	const waits = await sentinel({ node: on });
	const garbled = await sentinel({ report: "{" });
	const quiet = await sentinel({ asks: false });
	const elsewhere = await pod(plane, { labels: { app: "sentinel", "aks-reboot-scheduler/reboot-required": "true" } });
	const waiting = new Map((await api.listWaiting()).map((each) => [each.podName, each]));
	assert.deepEqual(waiting.get(waits.name), {
		node: on,
		podName: waits.name,
		ready: true,
		deleting: false,
		asks: true,
		report: { kind: "report", report: { bootId: "b", since: Date.parse("2026-11-24T02:00:00Z"), kernelVersion: "6.8.0", packages: ["linux"] } },
	});
	assert.equal(waiting.get(garbled.name)?.report.kind, "garbled");
	assert.deepEqual([waiting.has(quiet.name), waiting.has(elsewhere.name)], [false, false]);
});

realTest("the sentinel DaemonSet is read with its image and counts, and its absence is told", async () => {
	await plane.api.patch(`${daemonSetPath}/status`, { status: { desiredNumberScheduled: 5, numberReady: 4, currentNumberScheduled: 5, numberMisscheduled: 0 } });
	const seen = await api.sentinelDaemonSet();
	assert.ok(seen !== "absent");
	assert.deepEqual([seen.desired, seen.ready, seen.imagePullPolicy, seen.imagePullSecrets], [5, 4, "IfNotPresent", []]);
	assert.match(seen.image, /@sha256:/);
	assert.deepEqual(
		(await api.listDaemonSets()).map(({ namespace, name }) => `${namespace}/${name}`),
		[`${namespace}/sentinel`],
	);
	await plane.api.delete(`${daemonSetPath}?propagationPolicy=Background`);
	assert.equal(await api.sentinelDaemonSet(), "absent");
	assert.deepEqual(await api.listDaemonSets(), []);
	await applyShipped(plane);
});

realTest("the pods of one node are read with all that verdicts need, and none of another node", async () => {
	const on = fresh("node");
	const controller = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "rs-1", controller: true };
	const spec = { volumes: [{ name: "scratch", emptyDir: {} }], tolerations: [{ operator: "Exists" }] };
	const web = await pod(plane, { node: on, ownerReferences: [controller], spec });
	const mirror = await pod(plane, {
		node: on,
		annotations: { "kubernetes.io/config.mirror": "x" },
		status: { phase: "Failed", reason: "Evicted", message: "low on memory" },
	});
	const ours = await sentinel({ node: on });
	await pod(plane, { node: fresh("node") });
	const pods = new Map((await api.podsOn(on, null)).map((each) => [each.name, each]));
	assert.deepEqual([...pods.keys()].sort(), [web.name, mirror.name, ours.name].sort());
	const { createdAt, ...rest } = pods.get(web.name) ?? assert.fail("the pod is not listed");
	assert.ok(Math.abs(createdAt - Date.now()) < 60_000);
	assert.deepEqual(rest, {
		...web,
		node: on,
		phase: "Running",
		ready: true,
		deletionAt: null,
		controller: { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "rs-1" },
		mirror: false,
		emptyDir: true,
		toleratesCordon: true,
		selected: true,
		ours: null,
		sentinel: null,
		containerIds: ["containerd://1"],
		trouble: null,
	});
	assert.deepEqual([pods.get(mirror.name)?.mirror, pods.get(mirror.name)?.trouble], [true, "Evicted: low on memory"]);
	assert.deepEqual([pods.get(ours.name)?.ours, pods.get(ours.name)?.sentinel?.asks], ["sentinel", true]);
});

realTest("a drain's pod selector decides which pods are selected, by the API server's own rules, and an invalid one fails", async () => {
	const on = fresh("node");
	const web = await pod(plane, { node: on, labels: { app: "web" } });
	await pod(plane, { node: on, labels: { app: "db" } });
	const selected = async (selector: string) => (await api.podsOn(on, selector)).filter((each) => each.selected).map((each) => each.name);
	assert.deepEqual(await selected("app in (web,api),app!=db"), [web.name]);
	assert.deepEqual(await selected("app=nothing"), []);
	assert.equal((await failureOf(api.podsOn(on, "app in ("))).failure, "invalid");
});

realTest("a pod that terminates tells its planned end, grace period included", async () => {
	const on = fresh("node");
	const ref = await pod(plane, { node: on });
	await api.evict(ref, { gracePeriodSeconds: 600, dryRun: false });
	const [facts] = await api.podsOn(on, null);
	assert.ok(facts?.deletionAt && Math.abs(facts.deletionAt - Date.now() - 600_000) < 30_000);
});

async function anAsk(): Promise<RebootPodSpec> {
	const now = Date.now();
	const image = "registry.test/sentinel@sha256:0000000000000000000000000000000000000000000000000000000000000000";
	const bootId = `0f0e0d0c-1111-4222-8333-${String(now).slice(-12).padStart(12, "0")}`;
	return {
		node: await node(plane),
		bootId,
		ask: 1,
		notBefore: now - 60_000,
		notAfter: now + 300_000,
		image,
		imagePullPolicy: "IfNotPresent",
		imagePullSecrets: ["pull"],
	};
}

function refOf(ask: RebootPodSpec, uid = ""): PodRef {
	return { namespace, name: rebootPodName(ask.bootId, ask.ask), uid };
}

realTest("the reboot pod is created as it was asked for: nothing that makes it is dropped or added to by the API server", async () => {
	const ask = await anAsk();
	await api.createRebootPod(ask, { dryRun: false });
	const made = (await exists(plane, refOf(ask))) as Pod & { spec: { [field: string]: unknown } };
	assert.deepEqual(
		[made.spec.nodeName, made.spec.hostPID, made.spec.priority, made.spec.tolerations],
		[ask.node, true, 2_000_001_000, [{ operator: "Exists" }]],
	);
	assert.equal(made.metadata.labels?.[askLabel], "1");
	assert.deepEqual(
		made.metadata.managedFields?.map((each) => each.manager),
		[fieldManager],
	);
	assert.deepEqual(made.spec.containers[0]?.securityContext, {
		runAsUser: 0,
		runAsGroup: 0,
		runAsNonRoot: false,
		privileged: false,
		allowPrivilegeEscalation: false,
		readOnlyRootFilesystem: true,
		capabilities: { drop: ["ALL"] },
		seccompProfile: { type: "RuntimeDefault" },
		appArmorProfile: { type: "Unconfined" },
	});
	const [seen] = await api.podsOn(ask.node, null);
	assert.deepEqual([seen?.ours, seen?.uid], ["reboot", made.metadata.uid]);
});

realTest("asking again for the same is no error, and asking for another interval under that name is a conflict", async () => {
	const ask = await anAsk();
	await api.createRebootPod(ask, { dryRun: false });
	const first = await exists(plane, refOf(ask));
	await api.createRebootPod(ask, { dryRun: false });
	assert.equal((await exists(plane, refOf(ask)))?.metadata.uid, first?.metadata.uid);
	const error = await failureOf(api.createRebootPod({ ...ask, notAfter: ask.notAfter + 60_000 }, { dryRun: false }));
	assert.deepEqual([error.failure, error.mayHaveApplied], ["conflict", false]);
	assert.equal((await failureOf(api.createRebootPod({ ...ask, node: "another" }, { dryRun: false }))).failure, "conflict");
});

realTest("a dry run of the reboot pod creates nothing and is no write, and a refusal is told with its reason", async () => {
	const ask = await anAsk();
	const since = Date.now();
	await api.createRebootPod(ask, { dryRun: true });
	assert.equal(await exists(plane, refOf(ask)), null);
	assert.deepEqual(plane.requests({ user: "scheduler", since, writes: true }), []);
	await plane.kubectl("label", "--overwrite", "namespace", namespace, "pod-security.kubernetes.io/enforce=baseline");
	try {
		const error = await failureOf(api.createRebootPod(ask, { dryRun: true }));
		assert.deepEqual([error.failure, error.status], ["forbidden", 403]);
		assert.match(error.message, /violates PodSecurity "baseline:latest".*hostPID=true/);
	} finally {
		await plane.kubectl("label", "--overwrite", "namespace", namespace, "pod-security.kubernetes.io/enforce=privileged");
	}
	assert.equal((await failureOf(api.createRebootPod({ ...ask, bootId: "Not A Name" }, { dryRun: true }))).failure, "invalid");
});

realTest("a reboot pod is deleted at once and by its UID, also where no kubelet answers, and only in our namespace", async () => {
	const ask = await anAsk();
	await api.createRebootPod(ask, { dryRun: false });
	const uid = (await exists(plane, refOf(ask)))?.metadata.uid ?? "";
	await api.deleteRebootPod({ name: refOf(ask).name, uid: "11111111-2222-3333-4444-555555555555" });
	assert.notEqual(await exists(plane, refOf(ask)), null);
	await api.deleteRebootPod({ name: refOf(ask).name, uid });
	assert.equal(await exists(plane, refOf(ask)), null);
	await api.deleteRebootPod({ name: refOf(ask).name, uid });
});

realTest("a reboot pod that is being deleted does not pass for the ask", async () => {
	const ask = await anAsk();
	await api.createRebootPod(ask, { dryRun: false });
	await plane.api.patch(`/api/v1/namespaces/${namespace}/pods/${refOf(ask).name}/status`, { status: runningAndReady });
	await plane.api.delete(`/api/v1/namespaces/${namespace}/pods/${refOf(ask).name}`, { gracePeriodSeconds: 60 });
	assert.equal((await failureOf(api.createRebootPod(ask, { dryRun: false }))).failure, "conflict");
});

realTest("the owner Lease is nobody's while it is missing or empty, and is claimed by one alone", async () => {
	assert.deepEqual(await api.owner(), { kind: "absent" });
	await api.claim("first");
	assert.deepEqual(await api.owner(), { kind: "named", holder: "first" });
	assert.equal((await failureOf(api.claim("second"))).failure, "conflict");
	await api.claim("first");
	await plane.api.patch(leasePath, { spec: { holderIdentity: "" } });
	assert.deepEqual(await api.owner(), { kind: "absent" });
	await api.claim("second");
	assert.deepEqual(await api.owner(), { kind: "named", holder: "second" });
	await plane.api.delete(leasePath);
	const claims = await Promise.allSettled(["a", "b", "c", "d"].map((holder) => api.claim(holder)));
	assert.equal(claims.filter((claim) => claim.status === "fulfilled").length, 1);
});

realTest("the cluster's id is the UID of namespace kube-system, which the shipped rights may read", async () => {
	assert.equal(await api.clusterUid(), (await plane.api.get<KubeObject>("/api/v1/namespaces/kube-system")).metadata.uid);
});

/** Passes bytes on to the API server, and counts. */
async function wire(): Promise<{ server: Server; url: string; connections: number; bytesReceived: number }> {
	const counts = { connections: 0, bytesReceived: 0 };
	const server = createServer((client) => {
		counts.connections++;
		const api = connect(Number(new URL(plane.url).port), "127.0.0.1");
		api.on("data", (chunk) => {
			counts.bytesReceived += chunk.length;
		});
		client.pipe(api).pipe(client);
		for (const socket of [client, api]) socket.on("error", () => socket.destroy());
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	return Object.assign(counts, { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

realTest("twenty calls one after the other share a connection, and every request says who makes it", async (context) => {
	const counted = await wire();
	context.after(() => counted.server.close());
	const source = new TestSource({ ...credentialOf(plane), server: counted.url });
	const one = openCluster(source, { version: "0.0.0-counted" });
	for (let i = 0; i < 20; i++) await one.listCordoned();
	assert.ok(counted.connections <= 2, `${counted.connections} connections`);
	context.diagnostic(`20 calls: ${counted.connections} TLS connections`);
	const requests = plane.requests({ user: "scheduler" }).filter((each) => each.userAgent === "aks-reboot-scheduler/0.0.0-counted");
	assert.equal(requests.length, 20);
	assert.deepEqual(new Set(requests.map((each) => each.verb)), new Set(["list"]));
});

realTest("an idle look is three requests and a few kilobytes", async (context) => {
	await plane.api.delete(`/api/v1/namespaces/${namespace}/pods?gracePeriodSeconds=0`);
	const counted = await wire();
	context.after(() => counted.server.close());
	const idle = openCluster(new TestSource({ ...credentialOf(plane), server: counted.url }), { version: "0.0.0-idle" });
	for (let look = 1; look <= 2; look++) {
		const before = { ...counted };
		const [waiting, daemonSet, cordoned] = await Promise.all([idle.listWaiting(), idle.sentinelDaemonSet(), idle.listCordoned()]);
		assert.deepEqual([waiting, cordoned], [[], []]);
		assert.notEqual(daemonSet, "absent");
		const bytes = counted.bytesReceived - before.bytesReceived;
		const connections = counted.connections - before.connections;
		context.diagnostic(`look ${look}: ${bytes} bytes received on the wire, ${connections} new TLS connections`);
		assert.ok(bytes < 40_000, `${bytes} bytes`);
	}
	const requests = plane.requests({ user: "scheduler" }).filter((each) => each.userAgent === "aks-reboot-scheduler/0.0.0-idle");
	assert.equal(requests.length, 6);
});
