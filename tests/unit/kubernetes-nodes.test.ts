import assert from "node:assert/strict";
import { test } from "node:test";
import type { V1ManagedFieldsEntry, V1Node } from "@kubernetes/client-node";
import fc from "fast-check";
import { GarbledAnswer } from "../../lib/kubernetes/errors.ts";
import { markAnnotation, markText, nodeFacts, nodeMetadata, nodePatchBody, parseMark, unschedulableManagers } from "../../lib/kubernetes/nodes.ts";
import type { Mark } from "../../lib/plan/model.ts";

function readyNode(): V1Node {
	return {
		metadata: {
			name: "node-1",
			uid: "uid-1",
			resourceVersion: "7",
			labels: { "kubernetes.azure.com/agentpool": "blue", "kubernetes.azure.com/mode": "system" },
		},
		spec: {},
		status: {
			conditions: [{ type: "Ready", status: "True" }],
			nodeInfo: { bootID: "boot-1", kernelVersion: "6.8.0-1" } as NonNullable<V1Node["status"]>["nodeInfo"] & object,
		},
	};
}

function withReady(status: string): V1Node {
	return { ...readyNode(), status: { conditions: [{ type: "Ready", status }] } };
}

function entry(manager: string | undefined, fieldsV1: object, subresource?: string): V1ManagedFieldsEntry {
	return { ...(manager === undefined ? {} : { manager }), fieldsV1, operation: "Update", ...(subresource === undefined ? {} : { subresource }) };
}

const cordonFields = { "f:spec": { "f:unschedulable": {} } };

function aMark(): Mark {
	return { record: "r-1", owner: "here", nodeUid: "uid-1", bootId: "boot-1", foundCordoned: false, since: Date.parse("2026-11-24T02:00:00Z") };
}

test("a node is ready only while its Ready condition is True: Unknown, False and a missing one are not", () => {
	assert.equal(nodeFacts(readyNode()).ready, true);
	assert.equal(nodeFacts(withReady("Unknown")).ready, false);
	assert.equal(nodeFacts(withReady("False")).ready, false);
	assert.equal(nodeFacts({ ...readyNode(), status: {} }).ready, false);
});

test("a node is told by its pool label, and belongs to pool default without one", () => {
	const facts = nodeFacts(readyNode());
	assert.deepEqual([facts.pool, facts.systemPool, facts.bootId, facts.kernelVersion], ["blue", true, "boot-1", "6.8.0-1"]);
	assert.equal(nodeMetadata({ name: "a", uid: "u" }).pool, "default");
	assert.equal(nodeMetadata({ name: "a", uid: "u" }).systemPool, false);
});

test("a node without name, UID or resourceVersion is an answer that cannot be used, not a node of no name", () => {
	for (const field of ["name", "uid", "resourceVersion"] as const) {
		const node = readyNode();
		delete node.metadata?.[field];
		assert.throws(() => nodeFacts(node), GarbledAnswer);
	}
});

test("a virtual node is known by its label or by its provider's taint", () => {
	assert.equal(nodeMetadata({ name: "a", uid: "u", labels: { type: "virtual-kubelet" } }).virtual, true);
	const tainted = { ...readyNode(), spec: { taints: [{ key: "virtual-kubelet.io/provider", effect: "NoSchedule" }] } };
	assert.equal(nodeFacts(tainted).virtual, true);
	assert.equal(nodeFacts(readyNode()).virtual, false);
});

test("a hold without a reason is a hold all the same", () => {
	const hold = (text: string) => nodeMetadata({ name: "a", uid: "u", annotations: { "aks-reboot-scheduler/hold": text } }).hold;
	assert.equal(hold("disk swap"), "disk swap");
	assert.equal(hold(""), "no reason given");
	assert.equal(hold("a\nforged line"), "a forged line");
	assert.equal(nodeMetadata({ name: "a", uid: "u" }).hold, null);
});

test("every manager of spec.unschedulable is named once, apply and status entries included, and no other manager is", () => {
	const managers = unschedulableManagers([
		entry("kubelet", { "f:status": { "f:conditions": {} } }, "status"),
		entry("aks-reboot-scheduler", { ...cordonFields, "f:metadata": {} }),
		entry("kubectl-cordon", cordonFields),
		entry("kubectl-cordon", cordonFields, "status"),
		entry(undefined, cordonFields),
		entry("odd", { "f:spec": "?" }),
		{ manager: "empty" },
	]);
	assert.deepEqual(managers, ["aks-reboot-scheduler", "kubectl-cordon", ""]);
});

test("a mark is read back as it was written", () => {
	const instants = fc.integer({ min: 0, max: 4_000_000_000_000 });
	const name = fc.string({ minLength: 1 });
	const marks = fc.record(
		{ record: name, owner: fc.string(), nodeUid: name, bootId: name, foundCordoned: fc.boolean(), since: instants, askedAt: instants },
		{ requiredKeys: ["record", "owner", "nodeUid", "bootId", "foundCordoned", "since"] },
	);
	fc.assert(fc.property(marks, (mark) => assert.deepEqual(parseMark(markText(mark as Mark)), { kind: "mark", mark: { ...mark } })));
});

test("a mark's instants are written for people", () => {
	assert.equal(JSON.parse(markText({ ...aMark(), askedAt: Date.parse("2026-11-24T02:05:00Z") })).askedAt, "2026-11-24T02:05:00.000Z");
});

test("a mark that cannot be read is garbled and never none: it still says that the cordon was ours", () => {
	assert.deepEqual(parseMark(undefined), { kind: "none" });
	assert.deepEqual(parseMark(""), { kind: "garbled", text: "" });
	fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => assert.notEqual(parseMark(text).kind, "none")));
});

test("a mark whose time of asking cannot be read is not taken for one that was never asked", () => {
	const asked = JSON.parse(markText(aMark()));
	for (const askedAt of ["yesterday", 5, null, "2026-11-24"]) assert.equal(parseMark(JSON.stringify({ ...asked, askedAt })).kind, "garbled", String(askedAt));
});

test("a patch names the resourceVersion it was decided on and only what it changes", () => {
	const version = { name: "node-1", resourceVersion: "7" };
	assert.deepEqual(nodePatchBody({ ...version, unschedulable: false, mark: null }), {
		metadata: { resourceVersion: "7", annotations: { [markAnnotation]: null } },
		spec: { unschedulable: null },
	});
	assert.deepEqual(nodePatchBody({ ...version, mark: aMark() }), {
		metadata: { resourceVersion: "7", annotations: { [markAnnotation]: markText(aMark()) } },
	});
	assert.deepEqual(nodePatchBody({ ...version, unschedulable: true }), { metadata: { resourceVersion: "7" }, spec: { unschedulable: true } });
});
