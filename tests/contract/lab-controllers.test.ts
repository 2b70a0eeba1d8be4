// What the lab's controllers make of objects, nodes and evictions, with the simulated kubelets on it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type LabCluster, startLabCluster } from "../lab/kubernetes/cluster.ts";
import { ApiError, type KubeObject } from "../real/api-client.ts";
import { type Fleet, startKubelets } from "../real/kubelets.ts";
import { conditionStatus, type Node, type Pod } from "../real/objects.ts";
import { apply, barePod, budget, daemonSet, deployment, deploymentThatToleratesAll, namespaceWithFinalizer, statefulSet } from "../real/workloads.ts";
import { fresh } from "./kubernetes-fixtures.ts";

let cluster: LabCluster;
let fleet: Fleet;
const names = ["one", "two", "three"];

before(async () => {
	cluster = await startLabCluster({ controllers: { nodeMonitorGraceMs: 1_000, orphanQuarantineMs: 300 } });
	fleet = await startKubelets(
		cluster,
		names.map((name) => ({ name })),
		{ startMs: 10, readyMs: 10, stopMs: 10, leaseMs: 200 },
	);
});
after(async () => {
	await fleet?.stop();
	await cluster?.stop();
	assert.deepEqual(cluster?.problems(), []);
});

function podsOf(app: string): Pod[] {
	return fleet.pods().filter((pod) => pod.metadata.labels?.app === app);
}

function serving(app: string): Pod[] {
	return podsOf(app).filter((pod) => pod.metadata.deletionTimestamp === undefined && conditionStatus(pod, "Ready") === "True");
}

function serves(app: string, count: number): Promise<void> {
	return fleet.until(`${count} pods of ${app} serve`, () => serving(app).length === count, 60_000);
}

const nodesOf = (pods: readonly Pod[]) => pods.map((pod) => pod.spec.nodeName ?? "").sort();
const cordon = (name: string, unschedulable: boolean) => cluster.api.patch(`/api/v1/nodes/${name}`, { spec: { unschedulable: unschedulable || null } });
const nodeNow = (name: string) => cluster.api.get<Node>(`/api/v1/nodes/${name}`);
const evict = ({ metadata }: Pod) =>
	cluster.api.post(`/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/eviction`, { apiVersion: "policy/v1", kind: "Eviction", metadata: {} });

async function statusOf<T>(path: string, holds: (status: T) => boolean): Promise<T> {
	for (let tries = 0; ; tries++) {
		const { status } = await cluster.api.get<KubeObject & { status: T }>(path);
		if (holds(status)) return status;
		assert.ok(tries < 400, `${path} is still ${JSON.stringify(status)}`);
		await new Promise((resolve) => setTimeout(resolve, 25));
	}
}

async function gone(path: string): Promise<void> {
	for (let tries = 0; (await cluster.api.find(path)) !== null; tries++) {
		assert.ok(tries < 400, `${path} is still there`);
		await new Promise((resolve) => setTimeout(resolve, 25));
	}
}

test("pods are spread over nodes, keep away from a cordoned one, and come to it again after the uncordon", async () => {
	const app = fresh("spread");
	await apply(cluster.api, deployment(app, 3));
	await serves(app, 3);
	assert.deepEqual(nodesOf(serving(app)), [...names].sort());
	await cordon("one", true);
	for (const pod of serving(app).filter((each) => each.spec.nodeName === "one")) await evict(pod);
	await fleet.until("its pod moved", () => serving(app).length === 3 && !nodesOf(podsOf(app)).includes("one"));
	assert.deepEqual(
		(await nodeNow("one")).spec.taints?.map(({ key, effect }) => [key, effect]),
		[["node.kubernetes.io/unschedulable", "NoSchedule"]],
	);
	await cordon("one", false);
	await apply(cluster.api, deployment(app, 6));
	await serves(app, 6);
	assert.ok(nodesOf(podsOf(app)).includes("one"));
	await cluster.api.delete(`/apis/apps/v1/namespaces/default/deployments/${app}`);
	await fleet.until("all of it is gone", () => podsOf(app).length === 0);
});

test("a pod that tolerates the cordon comes back to the node that it was evicted from", async () => {
	const app = fresh("tolerant");
	await cordon("two", true);
	await apply(cluster.api, deploymentThatToleratesAll(app, 1, { node: "two" }));
	await serves(app, 1);
	const [first] = podsOf(app);
	assert.ok(first);
	await evict(first);
	await fleet.until("another is there", () => serving(app).some((pod) => pod.metadata.uid !== first.metadata.uid && pod.spec.nodeName === "two"));
	await cordon("two", false);
});

test("a budget counts an eviction at once, and gives its room back when the successor serves", async () => {
	const app = fresh("kept");
	await apply(cluster.api, deployment(app, 3, { budget: { maxUnavailable: 1 }, readyMs: 300 }));
	await serves(app, 3);
	const path = `/apis/policy/v1/namespaces/default/poddisruptionbudgets/${app}`;
	type Status = { disruptionsAllowed: number; currentHealthy: number; desiredHealthy: number; expectedPods: number };
	await statusOf<Status>(path, (status) => status.disruptionsAllowed === 1 && status.desiredHealthy === 2 && status.expectedPods === 3);
	const answers = await Promise.allSettled(serving(app).map(evict));
	const refused = answers.flatMap((answer) => (answer.status === "rejected" ? [answer.reason as ApiError] : []));
	assert.deepEqual(
		refused.map((each) => each.status),
		[429, 429],
	);
	await statusOf<Status>(path, (status) => status.disruptionsAllowed === 1 && status.currentHealthy === 3);
});

test("a budget by number or percentage wants what it says of the pods that are there or should be", async () => {
	const app = fresh("counted");
	await apply(cluster.api, deployment(app, 3), budget(app, { minAvailable: 3 }), budget(`${app}-half`, { minAvailable: "50%" }, "default", app));
	await serves(app, 3);
	type Status = { disruptionsAllowed: number; desiredHealthy: number };
	const path = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
	await statusOf<Status>(`${path}/${app}`, (status) => status.desiredHealthy === 3 && status.disruptionsAllowed === 0);
	await statusOf<Status>(`${path}/${app}-half`, (status) => status.desiredHealthy === 2 && status.disruptionsAllowed === 1);
});

test("the pods of a StatefulSet come one after the other, keep their names, and the next waits for one that is not ready", async () => {
	const app = fresh("ordered");
	await apply(cluster.api, statefulSet(app, 2, { readyMs: "never" }));
	await fleet.until("the first runs", () => podsOf(app).some((pod) => pod.status.phase === "Running"));
	assert.deepEqual(
		podsOf(app).map((pod) => pod.metadata.name),
		[`${app}-0`],
	);
	await cluster.api.delete(`/apis/apps/v1/namespaces/default/statefulsets/${app}`);
	await fleet.until("it is gone", () => podsOf(app).length === 0);
	await apply(cluster.api, statefulSet(app, 2));
	await serves(app, 2);
	const [first] = serving(app);
	assert.ok(first);
	await evict(first);
	await fleet.until("its successor serves", () =>
		serving(app).some((pod) => pod.metadata.name === first.metadata.name && pod.metadata.uid !== first.metadata.uid),
	);
});

test("a DaemonSet has one pod on every node that it selects, counts them, and rolls when its template changes", async () => {
	const app = fresh("agent");
	const path = `/apis/apps/v1/namespaces/default/daemonsets/${app}`;
	type Status = { desiredNumberScheduled: number; numberReady: number; updatedNumberScheduled: number };
	await apply(cluster.api, daemonSet(app));
	await statusOf<Status>(path, (status) => status.desiredNumberScheduled === 3 && status.numberReady === 3);
	const earlier = new Set(podsOf(app).map((pod) => pod.metadata.uid));
	await apply(cluster.api, daemonSet(app, { image: "registry.test/app:2" }));
	await fleet.until("all of them are new", () => serving(app).length === 3 && podsOf(app).every((pod) => !earlier.has(pod.metadata.uid)));
	await apply(cluster.api, daemonSet(app, { nodeSelector: { "kubernetes.io/hostname": "two" } }));
	await statusOf<Status>(path, (status) => status.desiredNumberScheduled === 1);
	await fleet.until("it left the others", () => podsOf(app).every((pod) => pod.spec.nodeName === "two"));
});

test("a node that is silent is Unknown, tainted, its pods not ready; and all of it is over when it is heard again", async () => {
	const app = fresh("silenced");
	await apply(cluster.api, daemonSet(app));
	await serves(app, 3);
	fleet.node("three").cutOff();
	await fleet.until("it is Unknown", () => fleet.nodeObjects().some((node) => node.metadata.name === "three" && conditionStatus(node, "Ready") === "Unknown"));
	await serves(app, 2);
	const taints = (await nodeNow("three")).spec.taints ?? [];
	assert.deepEqual(
		taints.map(({ key, effect }) => `${key}:${effect}`),
		["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"],
	);
	fleet.node("three").reconnect();
	await serves(app, 3);
	await fleet.until("its taints are gone", () => fleet.nodeObjects().every((node) => (node.spec.taints ?? []).length === 0));
});

test("a pod that does not tolerate a NoExecute taint leaves, one that tolerates it stays", async () => {
	const [leaves, stays] = [fresh("leaves"), fresh("stays")];
	await apply(cluster.api, barePod(leaves, { node: "one" }), barePod(stays, { node: "one", tolerateAll: true }));
	await fleet.until("both run", () =>
		[leaves, stays].every((name) => fleet.pods().some((pod) => pod.metadata.name === name && pod.status.phase === "Running")),
	);
	await cluster.api.patch("/api/v1/nodes/one", { spec: { taints: [{ key: "tests/away", effect: "NoExecute" }] } });
	await gone(`/api/v1/namespaces/default/pods/${leaves}`);
	assert.notEqual(await cluster.api.find(`/api/v1/namespaces/default/pods/${stays}`), null);
	await cluster.api.patch("/api/v1/nodes/one", { spec: { taints: null } });
});

test("a namespace that ends takes all with it, and stays as long as something in it does", async () => {
	const name = fresh("ending");
	await apply(cluster.api, namespaceWithFinalizer(name), deployment("inside", 1, { namespace: name }));
	await fleet.until("it runs", () => serving("inside").length === 1);
	await cluster.api.delete(`/api/v1/namespaces/${name}`);
	await fleet.until("its pods are gone", () => podsOf("inside").length === 0);
	assert.equal((await cluster.api.get<KubeObject & { status: { phase: string } }>(`/api/v1/namespaces/${name}`)).status.phase, "Terminating");
	await assert.rejects(apply(cluster.api, barePod("late", { namespace: name })), (error) => error instanceof ApiError && error.status === 403);
	await cluster.api.patch(`/api/v1/namespaces/${name}/configmaps/stays`, { metadata: { finalizers: null } });
	await gone(`/api/v1/namespaces/${name}`);
});

test("the pods of a node that is gone go too, and those of controllers come up elsewhere", async () => {
	const app = fresh("moved");
	await fleet.add({ name: "four" });
	await apply(cluster.api, deployment(app, 4));
	await serves(app, 4);
	assert.ok(nodesOf(serving(app)).includes("four"));
	await fleet.remove("four");
	await fleet.until("all serve elsewhere", () => serving(app).length === 4 && !nodesOf(podsOf(app)).includes("four"));
});

test("a whole reboot of a node is what it is on a real cluster: another boot id, NotReady meanwhile, its DaemonSet pods in new containers", async () => {
	const app = fresh("survives");
	await apply(cluster.api, daemonSet(app));
	await serves(app, 3);
	const before = (await nodeNow("two")).status.nodeInfo.bootID;
	const containers = () =>
		podsOf(app)
			.find((pod) => pod.spec.nodeName === "two")
			?.status.containerStatuses?.map((each) => each.containerID);
	const earlier = containers();
	fleet.unavailable.moments.length = 0;
	fleet.node("two").reboot();
	await fleet.until("it is back", () =>
		fleet.nodeObjects().some((node) => node.metadata.name === "two" && node.status.nodeInfo.bootID !== before && conditionStatus(node, "Ready") === "True"),
	);
	await fleet.until("its pod is in new containers", () => serving(app).length === 3 && containers()?.[0] !== earlier?.[0]);
	assert.ok(fleet.unavailable.moments.some((moment) => moment.nodes.includes("two")));
});
