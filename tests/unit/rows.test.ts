import assert from "node:assert/strict";
import { test } from "node:test";
import { fleetOf, fleetValues, leaseOf, leaseValues, recordOf, textOf, textValues } from "../../lib/tick/rows.ts";

const asRow = (key: string, values: Record<string, string | number | boolean>) => ({ key, etag: "e", writtenAt: 5, values });

test("a text longer than a property holds comes back whole", () => {
	for (const length of [0, 1, 31_999, 32_000, 32_001, 100_000]) {
		const text = "ü".repeat(length);
		const values = textValues("json", text);
		assert.ok(Object.values(values).every((part) => part.length <= 32_000));
		assert.equal(textOf(values, "json"), text);
	}
});

test("a record of another schema, or one that is no JSON, is unreadable and says why", () => {
	assert.deepEqual(recordOf(asRow("reboot-1", { schema: 2, json: "{}" })), { kind: "unreadable", why: "schema 2, expected 1" });
	assert.equal(recordOf(asRow("reboot-1", { schema: 1, json: "{" })).kind, "unreadable");
});

test("a lease row comes back as it was written", () => {
	const lease = { holder: "w", fence: 12, writeId: "x", lookedAt: 1_800_000_000_123 };
	assert.deepEqual(leaseOf(leaseValues(lease)), lease);
	assert.equal(leaseOf(leaseValues({ ...lease, lookedAt: null })).lookedAt, null);
});

test("a fleet row keeps the connection and the target of a cluster that is no longer in the settings", () => {
	const target = { name: "west", kind: "kubeconfig" as const, context: "c" };
	const row = { target, fence: 3, inFlight: true, connection: { server: "https://x", caData: "Y2E=".repeat(20_000) }, summary: "{}", clusterUid: "u" };
	assert.deepEqual(fleetOf(asRow("west", fleetValues(row))), { ...row, writtenAt: 5, etag: "e" });
	assert.equal(fleetOf(asRow("west", { target: "no JSON" })), null);
});
