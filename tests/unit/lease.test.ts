import assert from "node:assert/strict";
import { test } from "node:test";
import { decisionLastsMs, type Lease, leaseMs, lookLastsMs, renewEveryMs, takeLease } from "../../lib/tick/lease.ts";
import { leaseKey, leaseOf } from "../../lib/tick/rows.ts";
import { countingIds, MemoryTable, StillClock } from "./memory-table.ts";

const partition = "cluster-west";

function world() {
	const clock = new StillClock();
	return { clock, table: new MemoryTable(clock), ids: countingIds() };
}

async function take(ports: ReturnType<typeof world>, worker: string, floor = 0) {
	return takeLease(ports, partition, worker, await ports.table.query(partition), floor);
}

async function held(ports: ReturnType<typeof world>, worker: string): Promise<Lease> {
	const taken = await take(ports, worker);
	assert.equal(taken.kind, "held");
	return (taken as { lease: Lease }).lease;
}

const row = (key: string) => ({ kind: "insert" as const, key, values: { a: 1 } });

test("a lease that another worker holds is not taken before it has run out by the service's clock", async () => {
	const ports = world();
	await held(ports, "one");
	ports.clock.time += leaseMs - 1;
	const early = await take(ports, "two");
	assert.equal(early.kind, "heldByOther");
	ports.clock.time += 1_001;
	assert.equal((await take(ports, "two")).kind, "held");
});

test("the fence grows with every change of holder and stays with the same one", async () => {
	const ports = world();
	assert.equal((await held(ports, "one")).fence, 1);
	assert.equal((await held(ports, "one")).fence, 1);
	ports.clock.time += leaseMs + 1_000;
	assert.equal((await held(ports, "two")).fence, 2);
	ports.clock.time += leaseMs + 1_000;
	assert.equal((await held(ports, "one")).fence, 3);
});

test("the fence does not start over when somebody deleted the row", async () => {
	const ports = world();
	const taken = await take(ports, "one", 7);
	assert.equal(taken.kind === "held" && taken.lease.fence, 8);
});

test("a worker whose lease has passed on can no longer write, and knows it", async () => {
	const ports = world();
	const first = await held(ports, "one");
	ports.clock.time += leaseMs + 1_000;
	await held(ports, "two");
	assert.equal((await first.commit([row("late")])).kind, "lost");
	assert.equal(ports.table.rows(partition).has("late"), false);
	assert.equal(await first.hold(), false);
	assert.equal((await first.commit([])).kind, "lost");
});

test("a write whose answer was lost is found to be ours by its writeId", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	ports.table.troubles.push("answerLost");
	const commit = await lease.commit([row("x")]);
	assert.equal(commit.kind, "written");
	assert.equal(commit.kind === "written" && commit.etags.get("x"), ports.table.rows(partition).get("x")?.etag);
	assert.equal((await lease.commit([row("y")])).kind, "written");
});

test("a write that was lost on the way is not taken for done: the worker stops", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	ports.table.troubles.push("requestLost");
	assert.equal((await lease.commit([row("x")])).kind, "lost");
	assert.equal(ports.table.rows(partition).has("x"), false);
});

test("two workers that both found the lease run out: one takes it", async () => {
	const ports = world();
	await held(ports, "old");
	ports.clock.time += leaseMs + 1_000;
	const read = await ports.table.query(partition);
	const results = await Promise.all(["one", "two"].map((worker) => takeLease(ports, partition, worker, read)));
	assert.deepEqual(results.map((each) => each.kind).sort(), ["held", "lost"]);
});

test("a row that was written in between makes the whole transaction void, and the lease is still held", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	await ports.table.transact(partition, [row("control")]);
	const commit = await lease.commit([row("control"), row("reboot-1")]);
	assert.equal(commit.kind, "overtaken");
	assert.equal(ports.table.rows(partition).has("reboot-1"), false);
	assert.equal((await lease.commit([row("reboot-1")])).kind, "written");
});

test("what somebody wrote after a write of ours whose answer was lost is not taken for ours", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	const { transact, query } = ports.table;
	ports.table.troubles.push("answerLost");
	ports.table.query = async (...asked) => {
		const etag = ports.table.rows(partition).get("control")?.etag ?? "";
		await transact.call(ports.table, partition, [{ kind: "replace", key: "control", values: { json: "a hold" }, etag }]);
		ports.table.query = query;
		return query.apply(ports.table, asked);
	};
	const commit = await lease.commit([row("control"), row("reboot-1")]);
	assert.equal(commit.kind, "written");
	assert.deepEqual(commit.kind === "written" && [...commit.etags.keys()].sort(), ["lease", "reboot-1"]);
});

test("the lease is renewed where it is due, and not before", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	const before = ports.table.transactions;
	ports.clock.time += renewEveryMs - 1;
	await lease.hold();
	assert.equal(ports.table.transactions, before);
	ports.clock.time += 1;
	assert.equal(await lease.hold(), true);
	assert.equal(ports.table.transactions, before + 1);
});

test("a renewal that is known late is no hold: what is done under it would outlast the lease", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	const { table, clock } = ports;
	const transact = table.transact.bind(table);
	let slow = 1;
	table.transact = async (...call) => {
		const answer = await transact(...call);
		if (slow-- > 0) clock.time += 10_000;
		return answer;
	};
	clock.time += renewEveryMs;
	const before = table.transactions;
	assert.equal(await lease.hold(), true);
	assert.equal(table.transactions - before, 2, "renewed once more");
	clock.time += renewEveryMs;
	slow = 100;
	assert.equal(await lease.hold(), false, "a table that is always slow");
});

test("a worker that stood still does not do what it decided on before, though the lease can be renewed", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	const decidedAt = lease.now();
	assert.equal(await lease.holdFor(decidedAt), true);
	ports.clock.time += decisionLastsMs;
	assert.equal(await lease.holdFor(decidedAt), false);
	assert.equal(await lease.hold(), true, "the next look may");
});

test("nor what it decided on just now, by what it saw before it stood still", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	lease.looked(lease.now());
	ports.clock.time += lookLastsMs - 1;
	assert.equal(await lease.holdFor(lease.now()), true);
	ports.clock.time += 1;
	assert.equal(await lease.holdFor(lease.now()), false);
});

test("while something takes long the lease is kept", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	const startedAt = ports.clock.time;
	let finish: () => void = () => undefined;
	const work = new Promise<void>((resolve) => {
		finish = resolve;
	});
	const keeping = lease.keepWhile(work);
	while (ports.clock.time - startedAt < 4 * leaseMs) await new Promise((resolve) => setImmediate(resolve));
	finish();
	await keeping;
	assert.equal((await take(ports, "two")).kind, "heldByOther");
	assert.equal(leaseOf(ports.table.rows(partition).get(leaseKey)?.values ?? {}).holder, "one");
});

test("our idea of the service's clock never goes back, though its answers tell whole seconds", async () => {
	const ports = world();
	ports.clock.time += 999;
	const lease = await held(ports, "one");
	let last = lease.now();
	for (let i = 0; i < 20; i++) {
		ports.clock.time += 137;
		await lease.commit([]);
		assert.ok(lease.now() >= last);
		last = lease.now();
	}
});

test("an unreachable table is an error, and the lease is still ours afterwards", async () => {
	const ports = world();
	const lease = await held(ports, "one");
	ports.table.troubles.push("unreachable");
	await assert.rejects(lease.commit([row("x")]), /no connection/);
	assert.equal((await lease.commit([row("x")])).kind, "written");
});
