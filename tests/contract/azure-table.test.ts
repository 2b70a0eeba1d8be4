// The `Table` port over the wire, against Azurite 3.37.
// Azurite is not Azure. Known differences that matter to what is proven here:
// - its transactions long ignored If-Match on updates (https://github.com/Azure/Azurite/issues/1233, open); 3.37 answers 412, as the
//   tests on stale ETags show, and would fail here if that came back;
// - it deletes a table at once: TableBeingDeleted is answered by a server of our own, in azure-table-faults.test.ts;
// - it throttles nothing and checks no rights.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TableServiceClient } from "@azure/data-tables";
import type { RowWrite, Table } from "../../lib/tick/world.ts";
import { type Azurite, startAzurite } from "../azurite.ts";
import { failureOf, insertOf, keysOf, newTableName, onlyRow, partition, rowWithStaleETag, tableAt } from "./azure-table-fixtures.ts";

let azurite: Azurite;

before(async () => {
	azurite = await startAzurite();
});
after(() => azurite.stop());

function aTable(): Table {
	return tableAt(azurite.port);
}

test("what is written comes back: every scalar, its ETag and when it was written", async () => {
	const table = aTable();
	const values = { text: "line 1\r\nline 2 'quoted' \"twice\" ü 😀", small: -5, instant: 1_795_511_443_684, ratio: 0.25, yes: true, no: false, empty: "" };
	const written = await table.transact(partition, [insertOf("lease", values)]);
	const row = await onlyRow(table);
	assert.deepEqual(row.values, values);
	assert.equal(row.etag, written.etags[0]);
	assert.ok(Math.abs(row.writtenAt - written.at) <= 2_000, "the service's two clocks disagree");
});

test("a row that exists cannot be inserted", async () => {
	const table = aTable();
	await table.transact(partition, [insertOf("lease")]);
	const failed = await failureOf(table.transact(partition, [insertOf("lease")]));
	assert.deepEqual([failed.failure, failed.status, failed.mayHaveApplied], ["conflict", 409, false]);
});

for (const count of [1, 2]) {
	const others = count === 1 ? [] : [insertOf("other")];

	test(`a worker with a stale ETag cannot replace a row (${count} writes)`, async () => {
		const table = aTable();
		const etag = await rowWithStaleETag(table);
		const failed = await failureOf(table.transact(partition, [...others, { kind: "replace", key: "lease", values: { holder: "us" }, etag }]));
		assert.deepEqual([failed.failure, failed.mayHaveApplied], ["precondition", false]);
		assert.match(failed.message, /replace of row lease/);
		assert.equal((await onlyRow(table)).values.holder, "another");
	});

	test(`a worker with a stale ETag cannot delete a row (${count} writes)`, async () => {
		const table = aTable();
		const etag = await rowWithStaleETag(table);
		const failed = await failureOf(table.transact(partition, [...others, { kind: "delete", key: "lease", etag }]));
		assert.deepEqual([failed.failure, failed.mayHaveApplied], ["precondition", false]);
		assert.equal((await onlyRow(table)).values.holder, "another");
	});

	test(`a row that is gone is neither replaced nor deleted (${count} writes)`, async () => {
		const table = aTable();
		const { etags } = await table.transact(partition, [insertOf("lease")]);
		const etag = etags[0] ?? "";
		await table.transact(partition, [{ kind: "delete", key: "lease", etag }]);
		const replaced = await failureOf(table.transact(partition, [...others, { kind: "replace", key: "lease", values: {}, etag }]));
		const deleted = await failureOf(table.transact(partition, [...others, { kind: "delete", key: "lease", etag }]));
		assert.deepEqual([replaced.failure, deleted.failure], ["notFound", "notFound"]);
		assert.deepEqual(await keysOf(table), []);
	});
}

test("replace leaves nothing of the values before", async () => {
	const table = aTable();
	const { etags } = await table.transact(partition, [insertOf("a", { old: 1 })]);
	await table.transact(partition, [{ kind: "replace", key: "a", values: { fresh: 2 }, etag: etags[0] ?? "" }]);
	assert.deepEqual((await onlyRow(table)).values, { fresh: 2 });
});

test("all writes of a transaction or none, whichever of them fails", async () => {
	const table = aTable();
	const { etags } = await table.transact(partition, [insertOf("lease", { fence: 1 }), insertOf("record", { phase: "draining" }), insertOf("old")]);
	const [lease = "", record = "", old = ""] = etags;
	const renewal: RowWrite = { kind: "replace", key: "lease", values: { fence: 2 }, etag: lease };
	const removal: RowWrite = { kind: "delete", key: "old", etag: old };
	const failed = await failureOf(
		table.transact(partition, [renewal, removal, insertOf("new"), { kind: "replace", key: "record", values: {}, etag: `${record.slice(0, -3)}9Z"` }]),
	);
	assert.equal(failed.failure, "precondition");
	assert.deepEqual(
		(await table.query(partition)).rows.map(({ key, values }) => ({ key, values })),
		[
			{ key: "lease", values: { fence: 1 } },
			{ key: "old", values: { writeId: "old" } },
			{ key: "record", values: { phase: "draining" } },
		],
	);
	const done = await table.transact(partition, [
		renewal,
		removal,
		insertOf("new"),
		{ kind: "replace", key: "record", values: { phase: "rebooting" }, etag: record },
	]);
	assert.equal(done.etags.length, 4);
	assert.equal(done.etags[1], "");
	const byKey = new Map((await table.query(partition)).rows.map((row) => [row.key, row.etag]));
	assert.deepEqual(
		[...byKey],
		[
			["lease", done.etags[0]],
			["new", done.etags[2]],
			["record", done.etags[3]],
		],
	);
});

test("of many workers that replace the lease with one ETag, one succeeds", async () => {
	const table = aTable();
	const { etags } = await table.transact(partition, [insertOf("lease")]);
	const workers = Array.from({ length: 8 }, (_, index) => `worker-${index}`);
	const outcomes = await Promise.allSettled(
		workers.map((holder) =>
			table.transact(partition, [{ kind: "replace", key: "lease", values: { holder }, etag: etags[0] ?? "" }, insertOf(`record-${holder}`)]),
		),
	);
	const winners = workers.filter((_, index) => outcomes[index]?.status === "fulfilled");
	assert.equal(winners.length, 1);
	assert.deepEqual(await keysOf(table), ["lease", `record-${winners[0]}`]);
	assert.ok(outcomes.every((each) => each.status === "fulfilled" || each.reason.failure === "precondition"));
});

test("a range has its start and lacks its end, in the order of the keys, in one partition", async () => {
	const table = aTable();
	await table.transact(
		partition,
		["reboot/b", "reboot/a", "reboot/c", "lease", "reboot0", "node/x"].map((key) => insertOf(key)),
	);
	await table.transact("prod-2", [insertOf("reboot/b")]);
	assert.deepEqual(await keysOf(table), ["lease", "node/x", "reboot/a", "reboot/b", "reboot/c", "reboot0"]);
	const prefix = await table.query(partition, { from: "reboot/", before: "reboot0" });
	assert.deepEqual(
		prefix.rows.map((row) => row.key),
		["reboot/a", "reboot/b", "reboot/c"],
	);
	const middle = await table.query(partition, { from: "reboot/b", before: "reboot/c" });
	assert.deepEqual(
		middle.rows.map((row) => row.key),
		["reboot/b"],
	);
});

test("keys and partitions with anything in them are rows like others", async () => {
	const table = aTable();
	const keys = ["a/b", "a\\b", "a#b", "a?b", "a%2Fb", "a'b", "a''b", "a b", "a.b", "a\u0001b", "a\tb\r\n", "a\u0085b", "ü😀", "a+b&c=d", "(a)", ""];
	const odd = "/subscriptions/0/resourceGroups/o'neil#1?/x y";
	const { etags } = await table.transact(
		odd,
		keys.map((key) => insertOf(key)),
	);
	const { rows } = await table.query(odd);
	assert.deepEqual(
		rows.map((row) => row.key),
		keys.toSorted((one, other) => (one < other ? -1 : 1)),
	);
	await table.transact(
		odd,
		keys.slice(0, 8).map((key, index) => ({ kind: "replace", key, values: { again: true }, etag: etags[index] ?? "" })),
	);
	await table.transact(
		odd,
		keys.slice(8).map((key, index) => ({ kind: "delete", key, etag: etags[index + 8] ?? "" })),
	);
	assert.deepEqual(new Set((await table.query(odd)).rows.map((row) => row.key)), new Set(keys.slice(0, 8)));
});

test("1,500 rows come back over pages, each once and in order", async () => {
	const table = aTable();
	const keys = Array.from({ length: 1_500 }, (_, index) => `row-${String(index).padStart(5, "0")}`);
	for (let start = 0; start < keys.length; start += 100)
		await table.transact(
			partition,
			keys.slice(start, start + 100).map((key) => insertOf(key)),
		);
	assert.deepEqual(await keysOf(table), keys);
});

test("what cannot be stored is refused before it is sent, by name", async () => {
	const table = aTable();
	const refusals: [readonly RowWrite[], RegExp][] = [
		[[insertOf("a", { reports: "x".repeat(32_769) })], /row a: reports has 32769 characters, a string property holds 32768/],
		[[insertOf("a", { fence: Number.NaN })], /fence is NaN/],
		[[insertOf("a", { timestamp: 1 })], /timestamp is a name of the service's own/],
		[[insertOf("a", { "two words": 1 })], /"two words" is no property name/],
		[[insertOf("a"), insertOf("a")], /row a is written twice/],
		[[{ kind: "replace", key: "a", values: {}, etag: "*" }], /without the ETag that was read/],
		[[{ kind: "delete", key: "a", etag: "" }], /without the ETag that was read/],
		[[], /0 writes in one transaction/],
		[Array.from({ length: 101 }, (_, index) => insertOf(`${index}`)), /101 writes in one transaction, expected 1 to 100/],
	];
	for (const [writes, message] of refusals) {
		const failed = await failureOf(table.transact(partition, writes));
		assert.deepEqual([failed.failure, failed.mayHaveApplied], ["invalid", false]);
		assert.match(failed.message, message);
	}
	const longest = "x".repeat(32_768);
	await table.transact(partition, [insertOf("longest", { longest })]);
	assert.equal((await onlyRow(table)).values.longest, longest);
});

test("a table that was never made reads as empty, and is made by looking", async () => {
	const name = newTableName();
	assert.deepEqual(await keysOf(tableAt(azurite.port, name)), []);
	const service = TableServiceClient.fromConnectionString(azurite.connectionString, { allowInsecureConnection: true });
	const names: (string | undefined)[] = [];
	for await (const each of service.listTables()) names.push(each.name);
	assert.ok(names.includes(name));
});

test("workers that find no table at the same time all get their rows in", async () => {
	const name = newTableName();
	await Promise.all(["a", "b", "c", "d"].map((key) => tableAt(azurite.port, name).transact(partition, [insertOf(key)])));
	assert.deepEqual(await keysOf(tableAt(azurite.port, name)), ["a", "b", "c", "d"]);
});

test("a table that is deleted under us is an empty table, made anew", async () => {
	const name = newTableName();
	const table = tableAt(azurite.port, name);
	const { etags } = await table.transact(partition, [insertOf("lease")]);
	const etag = etags[0] ?? "";
	const service = TableServiceClient.fromConnectionString(azurite.connectionString, { allowInsecureConnection: true });
	await service.deleteTable(name);
	assert.deepEqual(await keysOf(table), []);
	await service.deleteTable(name);
	await table.transact(partition, [insertOf("lease")]);
	assert.deepEqual(await keysOf(table), ["lease"]);
	await service.deleteTable(name);
	const replaced = await failureOf(table.transact(partition, [insertOf("other"), { kind: "replace", key: "lease", values: {}, etag }]));
	await service.deleteTable(name);
	const deleted = await failureOf(table.transact(partition, [{ kind: "delete", key: "lease", etag }]));
	assert.deepEqual([replaced.failure, replaced.mayHaveApplied, deleted.failure], ["notFound", false, "notFound"]);
	assert.deepEqual(await keysOf(table), []);
});
