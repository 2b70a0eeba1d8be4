import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeMemory, Reboot } from "../../lib/plan/model.ts";
import { plan } from "../../lib/plan/plan.ts";
import { readLedger, recoveryWrites, transactionsOf } from "../../lib/tick/ledger.ts";
import { recordKey, recordValues } from "../../lib/tick/rows.ts";
import { MemoryTable, StillClock } from "./memory-table.ts";
import { drainingRecord, givenUpMemory, lookAtCluster, planInput } from "./states.ts";

const partition = "cluster-prod";
const nodeName = (i: number) => `aks-nodepool1-12345678-vmss${String(i).padStart(6, "0")}`;

/** What is remembered of so many nodes that were given up, each with a long story. */
function manyGivenUp(count: number): readonly NodeMemory[] {
	return Array.from({ length: count }, (_, i) => {
		const { lastEnd, ...rest } = givenUpMemory(60_000, { node: nodeName(i) });
		return { ...rest, lastEnd: lastEnd && { ...lastEnd, why: "w".repeat(300) } };
	});
}

async function write(table: MemoryTable, memory: readonly NodeMemory[]): Promise<void> {
	const ledger = await readLedger(table, partition);
	const writes = recoveryWrites(ledger, { ...plan(planInput(lookAtCluster([]))), memory });
	for (const each of transactionsOf(writes)) await table.transact(partition, each);
}

test("what is remembered of 5,000 nodes that wait fits into the table and comes back whole", async () => {
	const table = new MemoryTable(new StillClock());
	for (const count of [5_000, 4_999, 1, 0, 2_000]) {
		const memory = manyGivenUp(count);
		await write(table, memory);
		assert.deepEqual((await readLedger(table, partition)).memory, memory, `${count} nodes`);
	}
});

test("of a large memory only the rows that changed are written", async () => {
	const table = new MemoryTable(new StillClock());
	const memory = manyGivenUp(5_000);
	await write(table, memory);
	const ledger = await readLedger(table, partition);
	assert.deepEqual(recoveryWrites(ledger, { ...plan(planInput(lookAtCluster([]))), memory }), []);
	const changed = memory.map((each, i) => (i === 4_999 ? { ...each, attempts: 2 } : each));
	assert.equal(recoveryWrites(ledger, { ...plan(planInput(lookAtCluster([]))), memory: changed }).length, 1);
});

test("a row that was written since the last look is read anew, and what was not written again says what it said", async () => {
	const table = new MemoryTable(new StillClock());
	await write(table, manyGivenUp(2));
	const first = await readLedger(table, partition);
	assert.equal((await readLedger(table, partition, first.read)).memory[0], first.memory[0]);
	await write(table, manyGivenUp(3));
	const second = await readLedger(table, partition, first.read);
	assert.deepEqual(second.memory, manyGivenUp(3));
	await write(table, []);
	assert.deepEqual((await readLedger(table, partition, second.read)).memory, []);
});

test("100 reboots that end in one look are remembered before their records go, and none is in two places or in none", async () => {
	const table = new MemoryTable(new StillClock());
	const records = Array.from(
		{ length: 100 },
		(_, i): Reboot => ({ ...drainingRecord(), id: `r-${i}`, node: { name: nodeName(i), uid: `uid-${i}`, pool: "np1" } }),
	);
	for (const each of records) await table.transact(partition, [{ kind: "insert", key: recordKey(each.id), values: recordValues(each) }]);
	const ledger = await readLedger(table, partition);
	const gone = new Map(records.map((each) => [each.node.name, { known: true as const, value: "absent" as const }]));
	const ends = plan(planInput(lookAtCluster([], [], { nodes: gone }), { records: ledger.records, memory: [givenUpMemory(60_000, { node: "another" })] }));
	assert.equal(ends.ended.length, 100);
	const transactions = transactionsOf(recoveryWrites(ledger, ends));
	assert.ok(transactions.length > 1);
	assert.equal(transactions[0]?.[0]?.key, "memory");
	for (const [i, each] of transactions.entries()) {
		await table.transact(partition, each);
		const keys = [...table.rows(partition).keys()];
		const left = keys.filter((key) => key.startsWith("reboot-")).length;
		const over = keys.filter((key) => key.startsWith("z-ended-")).length;
		assert.equal(left + over, 100, `after transaction ${i}`);
	}
});
