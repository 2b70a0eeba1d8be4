// A scheduler that loses a precondition must do harm in the universe, as it would on real services: else the hunt for such a bug proves nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deploymentPod, nodeHeldByUs } from "../../unit/states.ts";
import type { Machine } from "../universe/kubelets.ts";
import { Nodes } from "../universe/nodes.ts";
import { type ApiPod, Pods } from "../universe/pods.ts";
import { MemoryRows } from "../universe/table.ts";

test("a row that is replaced with If-Match: * is replaced, whoever wrote it last", () => {
	const rows = new MemoryRows();
	rows.put("p", "k", { a: 1 }, 0);
	rows.transact("p", [{ kind: "replace", key: "k", values: { a: 2 }, etag: "*" }], 1);
	assert.equal(rows.rows("p").get("k")?.values.a, 2);
	assert.throws(() => rows.transact("p", [{ kind: "replace", key: "k", values: { a: 3 }, etag: "e0" }], 2), /written since/);
});

test("a node that is patched without a resourceVersion is patched, whatever changed since it was seen", () => {
	const nodes = new Nodes();
	nodes.add(nodeHeldByUs({ name: "n1" }), {} as Machine);
	assert.throws(() => nodes.patch({ name: "n1", resourceVersion: "1", unschedulable: false }, 0, "one"), /modified/);
	assert.equal(nodes.patch({ name: "n1", resourceVersion: "", unschedulable: false }, 0, "one").node.facts.unschedulable, false);
});

test("an eviction without a UID takes whatever has that name now", () => {
	const pods = new Pods();
	const facts = deploymentPod({ namespace: "ns", name: "db-0", uid: "successor" });
	const pod = { facts, owner: { kind: "reboot", spec: {} }, labelled: true, boundAt: 0, learned: true, runsIn: null, gone: false } as unknown as ApiPod;
	pods.add(pod);
	const options = { gracePeriodSeconds: null, dryRun: false };
	assert.equal(pods.eviction({ namespace: "ns", name: "db-0", uid: "first" }, options).answer.kind, "gone");
	assert.equal(pods.eviction({ namespace: "ns", name: "db-0", uid: "" }, options).answer.kind, "evicted");
});
