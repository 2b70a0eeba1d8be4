import assert from "node:assert/strict";
import { test } from "node:test";
import { readFleet, writeFleet } from "../../lib/tick/fleet.ts";
import { MemoryTable, StillClock } from "./memory-table.ts";

const target = { name: "west", kind: "kubeconfig" as const, context: "c" };
const row = (fence: number, inFlight: boolean, summary = "{}") => ({ target, fence, inFlight, connection: null, summary, clusterUid: "" });

test("a row with a higher fence is never replaced by an older worker", async () => {
	const table = new MemoryTable(new StillClock());
	const old = await writeFleet(table, null, row(1, false));
	assert.equal(old.kind, "written");
	await writeFleet(table, old.row, row(2, true));
	const late = await writeFleet(table, old.row, row(1, false, "old"));
	assert.equal(late.kind, "overtaken");
	assert.equal((await readFleet(table)).get("west")?.inFlight, true);
});

test("a row that was written in between by the same worker is read and replaced", async () => {
	const table = new MemoryTable(new StillClock());
	const first = await writeFleet(table, null, row(1, false));
	await writeFleet(table, first.row, row(1, true));
	assert.equal((await writeFleet(table, first.row, row(1, true, "new"))).kind, "written");
	assert.equal((await readFleet(table)).get("west")?.summary, "new");
});

test("a write whose answer was lost counts as written", async () => {
	const table = new MemoryTable(new StillClock());
	table.troubles.push("answerLost");
	assert.equal((await writeFleet(table, null, row(1, true))).kind, "written");
	assert.equal(table.transactions, 1);
});

test("a note of one who does not hold the lease never replaces what it has not read", async () => {
	const table = new MemoryTable(new StillClock());
	const first = await writeFleet(table, null, row(1, false));
	await writeFleet(table, first.row, row(1, true));
	const note = await writeFleet(table, first.row, row(1, false, "note"), 1);
	assert.equal(note.kind, "overtaken");
	assert.equal(note.row?.inFlight, true, "and it knows better now");
	assert.equal((await readFleet(table)).get("west")?.inFlight, true);
});
