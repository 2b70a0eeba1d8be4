import assert from "node:assert/strict";
import { test } from "node:test";
import { readStatusRows } from "../../lib/status/answer.ts";
import { readFleet, writeFleet, writeRound } from "../../lib/tick/fleet.ts";
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
	assert.equal((await readFleet(table)).rows.get("west")?.inFlight, true);
});

test("a row that was written in between by the same worker is read and replaced", async () => {
	const table = new MemoryTable(new StillClock());
	const first = await writeFleet(table, null, row(1, false));
	await writeFleet(table, first.row, row(1, true));
	assert.equal((await writeFleet(table, first.row, row(1, true, "new"))).kind, "written");
	assert.equal((await readFleet(table)).rows.get("west")?.summary, "new");
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
	assert.equal((await readFleet(table)).rows.get("west")?.inFlight, true);
});

test("the row of the last round is no cluster's, and who was overtaken leaves it", async () => {
	const clock = new StillClock();
	const table = new MemoryTable(clock);
	const ended = { worker: "w", clusters: 3, failed: 1, tookMs: 40 };
	await writeRound(table, null, ended);
	const { rows, round } = await readFleet(table);
	assert.deepEqual([...rows.keys()], []);
	clock.time += 60_000;
	await writeRound(table, round?.etag ?? null, { ...ended, worker: "next" });
	await writeRound(table, round?.etag ?? null, { ...ended, worker: "late" });
	const read = await readStatusRows(table);
	assert.ok(read.kind === "read");
	assert.deepEqual([read.rows, read.unreadable], [[], []]);
	assert.deepEqual(read.round, { ...ended, worker: "next", endedAt: clock.time });
});

test("a round whose end cannot be written is no failure", async () => {
	const table = new MemoryTable(new StillClock());
	table.troubles.push("unreachable");
	await writeRound(table, null, { worker: "w", clusters: 0, failed: 0, tookMs: 0 });
	assert.equal(table.transactions, 1);
});
