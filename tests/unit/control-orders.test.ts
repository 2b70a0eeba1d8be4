// Carrying out what people ask: names by the cluster's own word, and a write that neither loses what others write nor guesses.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type NodeFacts, nothingAsked } from "../../lib/plan/model.ts";
import type { ClusterTarget } from "../../lib/plan/policy.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import { carryOut } from "../../lib/tick/control.ts";
import { writeFleet } from "../../lib/tick/fleet.ts";
import { readLedger } from "../../lib/tick/ledger.ts";
import type { Order } from "../../lib/tick/order.ts";
import { controlKey, controlOf, controlValues, partitionOf } from "../../lib/tick/rows.ts";
import { emptySummary } from "../../lib/tick/summary.ts";
import type { ClusterApi, JournalLine, World } from "../../lib/tick/world.ts";
import { countingIds, MemoryTable, StillClock, type Trouble } from "./memory-table.ts";
import { holdOf, metadataOf, nodeInService, oldBoot } from "./states.ts";

const partition = partitionOf("prod");
const prod: ClusterTarget = { name: "prod", kind: "kubeconfig", context: "prod" };
const unreachable = () => Promise.reject(new CallError({ failure: "unreachable", doing: "listing nodes", answer: "connection refused" }));

function holdOrder(changes: Partial<Order> = {}): Order {
	return { kind: "hold", cluster: "prod", about: { kind: "cluster" }, reason: "freeze", by: "ana", until: null, ignoreWindow: false, ...changes };
}

function rebootOrder(name = "node-1", changes: Partial<Order> = {}): Order {
	return holdOrder({ kind: "reboot", about: { kind: "node", name }, reason: "leaks", ...changes });
}

function officeOf(
	nodes: readonly NodeFacts[],
	changes: { readonly api?: Partial<ClusterApi>; readonly pools?: readonly string[]; readonly aks?: typeof unreachable } = {},
) {
	const clock = new StillClock();
	const table = new MemoryTable(clock);
	const lines: JournalLine[] = [];
	const api = {
		listNodeMetadata: async () => nodes.map(metadataOf),
		node: async (name: string) => nodes.find((each) => each.name === name) ?? "absent",
		...changes.api,
	} as ClusterApi;
	const pools = (changes.pools ?? []).map((name) => ({ name, provisioningState: "Succeeded", powerState: "Running" }));
	const aks = changes.aks ?? (async () => ({ kind: "managed" as const, provisioningState: "Succeeded", powerState: "Running", pools }));
	const world: World = { clock, ids: countingIds(), table, clusters: { open: () => api, aks }, journal: { write: (line) => void lines.push(line) } };
	const control = () => controlOf(table.rows(partition).get(controlKey)?.values ?? {}) ?? nothingAsked;
	const history = () => [...table.rows(partition).values()].filter((row) => row.key.startsWith("z-asked-"));
	return { table, clock, lines, world, control, history, ask: (order: Order, clusters = [prod]) => carryOut(world, clusters, order) };
}

const dark = { api: { listNodeMetadata: unreachable, node: unreachable }, aks: unreachable };

describe("what was asked", () => {
	test("is in the row, in the history with who and why, and in the journal", async () => {
		const { ask, control, history, lines } = officeOf([]);
		const result = await ask(holdOrder({ until: "2h" }));
		assert.equal(result.kind, "written");
		assert.deepEqual(
			control().holds.map(({ by, reason }) => [by, reason]),
			[["ana", "freeze"]],
		);
		assert.deepEqual(
			history().map(({ values }) => [values.command, values.by, values.reason]),
			[["hold", "ana", "freeze"]],
		);
		assert.deepEqual(
			lines.map(({ event, by, reason }) => [event, by, reason]),
			[["control.asked", "ana", "freeze"]],
		);
	});

	test("is history that no look reads, newest first", async () => {
		const { ask, clock, history, world } = officeOf([]);
		await ask(holdOrder());
		clock.time += 60_000;
		await ask(holdOrder({ kind: "release" }));
		assert.deepEqual(
			history()
				.map(({ key }) => key)
				.sort(),
			history()
				.map(({ key }) => key)
				.reverse(),
		);
		assert.deepEqual(
			(await readLedger(world.table, partition)).rows.map(({ key }) => key),
			[controlKey],
		);
	});

	test("is refused with everything that is wrong with it, and nothing is written", async () => {
		const { ask, table } = officeOf([]);
		const result = await ask(holdOrder({ kind: "reboot", reason: " ", by: "a\u001bb", until: "yesterday" }));
		assert.ok(result.kind === "refused" && result.refusal === "wrong");
		assert.deepEqual(
			result.why.map((each) => each.split(":")[0]),
			["reason", "by", "node", "until"],
		);
		assert.deepEqual(table.rows(partition).size, 0);
	});
});

describe("a name", () => {
	const nodes = [nodeInService({ name: "np1" }), nodeInService({ name: "node-1", pool: "np1" }), nodeInService({ name: "node-2", pool: "gpu" })];
	const about = async (name: string, order: Partial<Order> = {}, changes: Parameters<typeof officeOf>[1] = { pools: ["empty"] }) => {
		const { ask, control } = officeOf(nodes, changes);
		const result = await ask(holdOrder({ about: { kind: "name", name }, ...order }));
		if (result.kind === "refused") return `${result.refusal}: ${result.why.join("; ")}`;
		const [hold] = control().holds;
		return `${hold?.node ?? ""}/${hold?.pool ?? ""} ${result.notes.filter((each) => each.includes("could not be asked")).length}`;
	};

	test("is a node where there is one, else a pool, also one without nodes", async () => {
		assert.equal(await about("node-1"), "node-1/ 0");
		assert.equal(await about("gpu"), "/gpu 0");
		assert.equal(await about("empty"), "/empty 0");
	});

	test("that is both is refused with the way to say which", async () => {
		assert.match(await about("np1"), /^conflict: .*say which \(--node or --pool/);
		assert.equal(await about("", { about: { kind: "pool", name: "np1" } }), "/np1 0");
		assert.equal(await about("", { about: { kind: "node", name: "np1" } }), "np1/ 0");
	});

	test("that the cluster does not know is refused: a hold of a misspelt node holds nothing", async () => {
		assert.equal(await about("node-9"), "unknownName: prod has no Linux node or pool called node-9");
		assert.equal(await about("", { about: { kind: "pool", name: "node-1" } }), "unknownName: prod has no pool called node-1");
		assert.match(await about("", { cluster: "prdo" }), /^unknownName: no cluster is called "prdo": there is prod/);
	});

	test("of a cluster that was dropped from CLUSTERS is known while something is in flight there", async () => {
		const { ask, world } = officeOf(nodes);
		const row = { target: prod, fence: 1, inFlight: true, connection: null, summary: JSON.stringify(emptySummary), clusterUid: "" };
		assert.ok((await ask(holdOrder(), [])).kind === "refused");
		await writeFleet(world.table, null, row);
		assert.equal((await ask(holdOrder(), [])).kind, "written");
	});

	test("that cannot be checked is held all the same, since it is the emergency brake, and that is said", async () => {
		assert.equal(await about("", { about: { kind: "cluster" } }, dark), "/ 0");
		assert.equal(await about("", { about: { kind: "node", name: "node-9" } }, dark), "node-9/ 1");
		assert.equal(await about("", { about: { kind: "pool", name: "gone" } }, dark), "/gone 1");
		assert.match(await about("node-9", {}, dark), /^conflict: whether node-9 is a node or a pool/);
	});

	test("of what is gone can still be released, by what the row says, also while the cluster cannot be reached", async () => {
		for (const changes of [{}, dark]) {
			const { ask, control, table } = officeOf([], changes);
			const holds = [holdOf({ node: "node-7" })];
			await table.transact(partition, [{ kind: "insert", key: controlKey, values: controlValues({ holds, requests: [] }) }]);
			assert.equal((await ask(holdOrder({ kind: "release", about: { kind: "name", name: "node-7" } }))).kind, "written");
			assert.deepEqual(control().holds, []);
		}
	});
});

describe("a reboot", () => {
	test("is asked of the boot that the node runs now", async () => {
		const { ask, control } = officeOf([nodeInService()]);
		await ask(rebootOrder());
		assert.deepEqual(
			control().requests.map(({ node, bootId, ignoreWindow, until, at }) => [node, bootId, ignoreWindow, until - at]),
			[["node-1", oldBoot, false, 24 * 3_600_000]],
		);
	});

	test("is refused where that boot cannot be known, or there is nothing to reboot", async () => {
		const refusal = async (nodes: readonly NodeFacts[], order: Order, changes = {}) => {
			const result = await officeOf(nodes, changes).ask(order);
			return result.kind === "refused" ? result.refusal : "written";
		};
		assert.equal(await refusal([nodeInService()], rebootOrder(), dark), "unavailable");
		assert.equal(await refusal([nodeInService()], rebootOrder(), { api: { node: unreachable } }), "unavailable");
		assert.equal(await refusal([nodeInService()], rebootOrder(), { api: { listNodeMetadata: unreachable } }), "unavailable", "whether it is a Linux node");
		assert.equal(await refusal([nodeInService()], rebootOrder("node-2")), "unknownName");
		assert.equal(await refusal([nodeInService({ bootId: "" })], rebootOrder()), "conflict");
		assert.equal(await refusal([nodeInService({ virtual: true })], rebootOrder()), "conflict");
		assert.equal(await refusal([nodeInService()], rebootOrder("np1", { about: { kind: "name", name: "np1" } })), "wrong", "a pool");
	});
});

describe("others who write at the same time", () => {
	test("lose nothing: two people at once are both heard", async () => {
		const office = officeOf([nodeInService()]);
		const { table, ask, control } = office;
		const transact = table.transact.bind(table);
		let raced = false;
		table.transact = async (where, writes) => {
			if (!raced) {
				raced = true;
				await ask(holdOrder({ by: "bo", reason: "incident" }));
			}
			return transact(where, writes);
		};
		assert.equal((await ask(rebootOrder())).kind, "written");
		assert.deepEqual([control().holds.map((each) => each.by), control().requests.map((each) => each.node)], [["bo"], ["node-1"]]);
		assert.equal(office.history().length, 2);
	});

	test("for ever are not fought for ever: it is said that nothing was written", async () => {
		const { table, ask, history } = officeOf([]);
		table.transact = async () => {
			throw new CallError({ failure: "precondition", doing: "writing", answer: "412", status: 412 });
		};
		await assert.rejects(ask(holdOrder()), { failure: "precondition", mayHaveApplied: false });
		assert.deepEqual(history(), []);
	});
});

describe("a write whose result is not known", () => {
	const troubled = async (...troubles: readonly Trouble[]) => {
		const office = officeOf([]);
		office.table.troubles.push(...troubles);
		const result = await office.ask(holdOrder()).catch((error: CallError) => error);
		return {
			result: result instanceof CallError ? `${result.failure} ${result.mayHaveApplied}` : result.kind,
			history: office.history().length,
			holds: office.control().holds.length,
			tries: office.table.transactions,
		};
	};

	test("is read back: applied, it is not written twice; lost, it is written again", async () => {
		assert.deepEqual(await troubled("answerLost"), { result: "written", history: 1, holds: 1, tries: 1 });
		assert.deepEqual(await troubled("requestLost"), { result: "written", history: 1, holds: 1, tries: 2 });
		assert.deepEqual(await troubled("requestLost", "answerLost"), { result: "written", history: 1, holds: 1, tries: 2 });
	});

	test("to the end is not called a success", async () => {
		assert.deepEqual(await troubled(...Array.from({ length: 6 }, () => "requestLost" as const)), { result: "timedOut true", history: 0, holds: 0, tries: 6 });
	});

	test("and one that was surely not written is a failure at once", async () => {
		assert.deepEqual(await troubled("unreachable"), { result: "unreachable false", history: 0, holds: 0, tries: 1 });
	});
});

test("a row that cannot be read is not written over: everything stands still by it, and the way out is told", async () => {
	const { table, ask } = officeOf([]);
	await table.transact(partition, [{ kind: "insert", key: controlKey, values: { schema: 1, json: "{" } }]);
	const result = await ask(holdOrder());
	assert.ok(result.kind === "refused" && result.refusal === "conflict");
	assert.match(result.why[0] ?? "", /delete the row to start over/);
	assert.equal(table.rows(partition).get(controlKey)?.values.json, "{");
});

test("a hold that no scheduler will read says so", async () => {
	const { ask, world, clock } = officeOf([]);
	const notes = async () => {
		const result = await ask(holdOrder());
		return result.kind === "written" ? result.notes.join() : "refused";
	};
	assert.match(await notes(), /never been looked at/);
	const row = { target: prod, fence: 1, inFlight: false, connection: null, summary: JSON.stringify({ ...emptySummary, at: clock.time }), clusterUid: "" };
	await writeFleet(world.table, null, row);
	assert.equal(await notes(), "");
	clock.time += 3_600_000;
	assert.match(await notes(), /last looked at 60 min ago/);
});

test("what is asked under the second name of a cluster is refused with the first, under which it is looked at; what stands there can be lifted", async () => {
	const { ask, world, clock } = officeOf([nodeInService({ name: "node-1" })]);
	const twin: ClusterTarget = { name: "twin", kind: "kubeconfig", context: "the-same" };
	const summary = JSON.stringify({ ...emptySummary, at: clock.time });
	const write = (target: ClusterTarget, inFlight: boolean) =>
		writeFleet(world.table, null, { target, fence: 1, inFlight, connection: null, summary, clusterUid: "one-uid" });
	assert.equal((await ask(holdOrder({ cluster: "twin" }), [prod, twin])).kind, "written", "nothing is known of either yet");
	await write(prod, false);
	await write(twin, false);
	for (const order of [holdOrder({ cluster: "twin" }), rebootOrder("node-1", { cluster: "twin" })]) {
		const result = await ask(order, [prod, twin]);
		assert.ok(result.kind === "refused" && result.refusal === "conflict");
		assert.match(result.why[0] ?? "", /^twin is the very cluster that is called prod, .* ask it of prod$/);
	}
	assert.equal((await ask(holdOrder(), [prod, twin])).kind, "written");
	assert.equal((await ask(holdOrder({ kind: "release", cluster: "twin" }), [prod, twin])).kind, "written");
	assert.equal((await ask(holdOrder(), [twin, prod])).kind, "refused", "the order of the settings decides");
});
