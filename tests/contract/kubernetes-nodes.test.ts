// Nodes on a real API server: what is read, what our one patch does, and whose a cordon is by the server's own books.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { fieldManager, type Mark } from "../../lib/plan/model.ts";
import { handedOver } from "../../lib/plan/ownership.ts";
import type { ClusterApi } from "../../lib/tick/world.ts";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import { applyShipped } from "../real/scenario.ts";
import { factsOf, failureOf, fresh, hasControlPlane, node, openAs, realTest } from "./kubernetes-fixtures.ts";

let plane: ControlPlane;
let api: ClusterApi;

before(async () => {
	if (!hasControlPlane) return;
	plane = await startControlPlane({ controllers: false, scheduler: false });
	await applyShipped(plane);
	api = openAs(plane);
});
after(() => plane?.stop());

function markOn(nodeUid: string): Mark {
	return { record: "r-1", owner: "tests", nodeUid, bootId: "b", foundCordoned: false, since: Date.parse("2026-11-24T02:00:00Z") };
}

/** Cordoned and marked by us, as a reboot begins. */
async function cordonedByUs(): Promise<string> {
	const name = await node(plane);
	const { uid, resourceVersion } = await factsOf(api, name);
	await api.patchNode({ name, resourceVersion, unschedulable: true, mark: markOn(uid) });
	return name;
}

realTest("our patch sets mark and cordon at once, and the server's books name us and nobody else", async () => {
	const facts = await factsOf(api, await cordonedByUs());
	assert.equal(facts.unschedulable, true);
	assert.deepEqual(facts.mark, { kind: "mark", mark: markOn(facts.uid) });
	assert.deepEqual(facts.unschedulableManagers, [fieldManager]);
	assert.equal(handedOver(facts), false);
});

realTest("our uncordon removes mark and cordon at once, and leaves no manager of the field", async () => {
	const name = await cordonedByUs();
	const { resourceVersion } = await factsOf(api, name);
	await api.patchNode({ name, resourceVersion, unschedulable: false, mark: null });
	const facts = await factsOf(api, name);
	assert.deepEqual([facts.unschedulable, facts.mark.kind, facts.unschedulableManagers], [false, "none", []]);
});

realTest("a node that changed since it was read is not patched, and the refusal says that it was not applied", async () => {
	const name = await node(plane);
	const { resourceVersion } = await factsOf(api, name);
	await plane.kubectl("annotate", "node", name, "by=another");
	const error = await failureOf(api.patchNode({ name, resourceVersion, unschedulable: true }));
	assert.deepEqual([error.failure, error.status, error.mayHaveApplied], ["conflict", 409, false]);
	assert.match(error.message, /^patching node .*: 409 Conflict: .*the object has been modified/);
	assert.equal((await factsOf(api, name)).unschedulable, false);
});

realTest("a node of the same name that was made anew is not patched", async () => {
	const name = await node(plane);
	const { resourceVersion } = await factsOf(api, name);
	await plane.api.delete(`/api/v1/nodes/${name}`);
	await plane.api.post("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name } });
	assert.equal((await failureOf(api.patchNode({ name, resourceVersion, unschedulable: true }))).failure, "conflict");
	await plane.api.delete(`/api/v1/nodes/${name}`);
	assert.equal((await failureOf(api.patchNode({ name, resourceVersion, unschedulable: true }))).failure, "notFound");
});

realTest("kubectl cordon on a node that we cordoned leaves no trace at all", async () => {
	const name = await cordonedByUs();
	const before = await factsOf(api, name);
	assert.match(await plane.kubectl("cordon", name), /already cordoned/);
	assert.deepEqual(await factsOf(api, name), before);
});

realTest("a node that was uncordoned and cordoned again by kubectl is handed over, although our mark is still there", async () => {
	const name = await cordonedByUs();
	await plane.kubectl("uncordon", name);
	const uncordoned = await factsOf(api, name);
	assert.deepEqual([uncordoned.unschedulable, uncordoned.mark.kind, uncordoned.unschedulableManagers], [false, "mark", []]);
	await plane.kubectl("cordon", name);
	const facts = await factsOf(api, name);
	assert.deepEqual(facts.unschedulableManagers, ["kubectl"]);
	assert.deepEqual([facts.mark.kind, handedOver(facts)], ["mark", true]);
});

realTest("somebody who applies the cordon beside us is named beside us", async () => {
	const name = await cordonedByUs();
	const cordon = { apiVersion: "v1", kind: "Node", metadata: { name }, spec: { unschedulable: true } };
	await plane.api.patch(`/api/v1/nodes/${name}?fieldManager=gitops`, cordon, "apply");
	const facts = await factsOf(api, name);
	assert.deepEqual([...facts.unschedulableManagers].sort(), [fieldManager, "gitops"]);
	assert.equal(handedOver(facts), true);
});

realTest("a cordon whose managedFields were emptied names nobody, and is still ours", async () => {
	const name = await cordonedByUs();
	await plane.api.patch(`/api/v1/nodes/${name}`, { metadata: { managedFields: [{}] } });
	const facts = await factsOf(api, name);
	assert.deepEqual([facts.unschedulableManagers, handedOver(facts)], [[], false]);
});

realTest("the command that takes a node over from us removes the mark and keeps the cordon", async () => {
	const name = await cordonedByUs();
	await plane.kubectl("annotate", "node", name, "aks-reboot-scheduler/reboot-");
	const facts = await factsOf(api, name);
	assert.deepEqual([facts.mark.kind, facts.unschedulable], ["none", true]);
});

realTest("marking a node that was found cordoned does not make us a manager of its cordon", async () => {
	const name = await node(plane);
	await plane.kubectl("cordon", name);
	const { uid, resourceVersion } = await factsOf(api, name);
	await api.patchNode({ name, resourceVersion, mark: { ...markOn(uid), foundCordoned: true } });
	assert.deepEqual((await factsOf(api, name)).unschedulableManagers, ["kubectl"]);
});

realTest("every cordon is found by the filtered list, with its mark, and no node in service is", async () => {
	const [ours, theirs, inService] = [await cordonedByUs(), await node(plane, { unschedulable: true }), await node(plane)];
	const garbled = await node(plane, { unschedulable: true, annotations: { "aks-reboot-scheduler/reboot": "{" } });
	const kinds = new Map((await api.listCordoned()).map((each) => [each.name, each.mark.kind]));
	assert.deepEqual(
		[ours, theirs, garbled, inService].map((name) => kinds.get(name)),
		["mark", "none", "garbled", undefined],
	);
});

realTest("metadata of Linux nodes comes with pool and hold, and without those of Windows", async () => {
	const held = await node(plane, { labels: { "kubernetes.azure.com/mode": "system" }, annotations: { "aks-reboot-scheduler/hold": "disk swap" } });
	const virtual = await node(plane, { labels: { type: "virtual-kubelet", "kubernetes.azure.com/agentpool": "" } });
	const windows = await node(plane, { labels: { "kubernetes.io/os": "windows" } });
	const byName = new Map((await api.listNodeMetadata()).map((each) => [each.name, each]));
	const { uid } = await factsOf(api, held);
	assert.deepEqual(byName.get(held), { name: held, uid, pool: "blue", systemPool: true, hold: "disk swap", virtual: false });
	assert.deepEqual([byName.get(virtual)?.virtual, byName.get(virtual)?.pool, byName.has(windows)], [true, "default", false]);
});

realTest("a node's state is read whole, and one that is not there is absent", async () => {
	const facts = await factsOf(api, await node(plane, { ready: false }));
	assert.deepEqual([facts.ready, facts.bootId, facts.kernelVersion, facts.pool], [false, `boot-of-${facts.name}`, "6.8.0-1", "blue"]);
	assert.equal((await factsOf(api, await node(plane))).ready, true);
	assert.equal(await api.node(fresh("nowhere")), "absent");
});

realTest("a list of more nodes than a page holds is read to its end, page by page", async () => {
	const names = Array.from({ length: 620 }, () => fresh("many"));
	const labels = { "kubernetes.io/os": "linux" };
	const waiting = [...names];
	await Promise.all(
		Array.from({ length: 16 }, async () => {
			for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
				await plane.api.post("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name, labels } });
			}
		}),
	);
	const since = Date.now();
	const seen = new Set((await api.listNodeMetadata()).map((each) => each.name));
	assert.deepEqual(
		names.filter((name) => !seen.has(name)),
		[],
	);
	assert.equal(plane.requests({ user: "scheduler", verb: "list", resource: "nodes", since }).length, 2);
});
