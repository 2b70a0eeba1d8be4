// What people ask while a look is under way, and what the looks after it do with the row.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Control, type NodeFacts, nothingAsked, type Reboot } from "../../lib/plan/model.ts";
import { ClusterState } from "../../lib/tick/cluster-state.ts";
import { carryOut } from "../../lib/tick/control.ts";
import { readLedger } from "../../lib/tick/ledger.ts";
import { controlKey, controlOf, leaseKey, partitionOf, recordKey, recordValues } from "../../lib/tick/rows.ts";
import { type Configuration, type TickResult, tick } from "../../lib/tick/tick.ts";
import type { ClusterApi, JournalLine, World } from "../../lib/tick/world.ts";
import { countingIds, MemoryTable, StillClock } from "./memory-table.ts";
import {
	defaultSettings,
	drainingRecord,
	hour,
	metadataOf,
	nodeHeldByUs,
	nodeInService,
	sentinelDaemonSet,
	sentinelThatAsks,
	soakingRecord,
	target,
	us,
} from "./states.ts";

const partition = partitionOf("prod");

/** One cluster with one node, looked at by one worker. `during`: what happens while the node is read. */
class Stage {
	readonly clock = new StillClock();
	readonly table = new MemoryTable(this.clock);
	readonly lines: JournalLine[] = [];
	readonly done: string[] = [];
	node: NodeFacts | "absent";
	asks = true;
	during: () => Promise<unknown> = async () => undefined;
	readonly world: World;
	readonly #state = new ClusterState();

	constructor(node: NodeFacts | "absent") {
		this.node = node;
		const ids = countingIds();
		this.world = {
			clock: this.clock,
			ids,
			table: this.table,
			clusters: { open: () => this.#api(), aks: async () => ({ kind: "notManaged" }) },
			journal: { write: (line) => void this.lines.push(line) },
		};
	}

	#api(): ClusterApi {
		const node = () => (this.node === "absent" ? [] : [this.node]);
		const does = (what: string) => async () => void this.done.push(what);
		return {
			connection: () => undefined,
			listWaiting: async () => ({ sentinels: this.asks ? [sentinelThatAsks()] : [], rebootPods: [] }),
			sentinelDaemonSet: async () => sentinelDaemonSet,
			listCordoned: async () => node().filter((each) => each.unschedulable),
			clusterUid: async () => "uid",
			owner: async () => ({ kind: "named", holder: us }),
			claim: does("claim"),
			listNodeMetadata: async () => node().map(metadataOf),
			node: async () => {
				await this.during();
				return this.node;
			},
			podsOn: async () => [],
			listDaemonSets: async () => [],
			patchNode: does("patch"),
			evict: () => assert.fail("unexpected eviction"),
			deletePod: does("delete"),
			createRebootPod: async (_, { dryRun }) => void (dryRun || this.done.push("reboot")),
			deleteRebootPod: does("deleteRebootPod"),
			createEvent: async () => {},
		};
	}

	look(): Promise<TickResult> {
		const settings = defaultSettings();
		const configuration: Configuration = { settings, problems: [], clusters: [target], fallback: settings };
		return tick({ world: this.world, worker: "w", us, target, configuration, configured: true, state: this.#state, names: new Map() });
	}

	/** Asked by somebody else, once or again and again, while the node is read. */
	meanwhile(kind: "hold" | "reboot", often: "once" | "always" = "once"): void {
		const during = async () => {
			// Who asks reads the node as well.
			this.during = async () => undefined;
			const about = kind === "hold" ? ({ kind: "cluster" } as const) : ({ kind: "node", name: "node-1" } as const);
			const result = await carryOut(this.world, [target], { kind, cluster: "prod", about, reason: "now", by: "ana", until: null, ignoreWindow: false });
			assert.equal(result.kind, "written");
			if (often === "always") this.during = during;
		};
		this.during = during;
	}

	async put(record: Reboot | null, control: Control = nothingAsked): Promise<void> {
		const row = { kind: "insert", key: controlKey, values: { schema: 1, json: JSON.stringify(control) } } as const;
		await this.table.transact(partition, [
			row,
			...(record === null ? [] : [{ kind: "insert", key: recordKey(record.id), values: recordValues(record) } as const]),
		]);
	}

	get control(): Control {
		return controlOf(this.table.rows(partition).get(controlKey)?.values ?? {}) ?? nothingAsked;
	}

	async records(): Promise<readonly Reboot[]> {
		return (await readLedger(this.table, partition)).records;
	}

	told(event: string): readonly JournalLine[] {
		return this.lines.filter((line) => line.event === event);
	}
}

test("a hold that arrives between the plan and the admission wins, whether or not the row was there: nothing is begun", async () => {
	for (const rowIsThere of [false, true]) {
		const stage = new Stage(nodeInService());
		if (rowIsThere) await stage.put(null);
		stage.meanwhile("hold");
		const first = await stage.look();
		assert.equal(first.kind === "looked" && first.toBegin, true, "it is looked at again at once");
		assert.equal(first.kind === "looked" && first.summary.waitingCount, 1, "it is still told to wait");
		await stage.look();
		assert.deepEqual([stage.done, await stage.records()], [[], []]);
		assert.match(String(stage.told("node.waiting").at(-1)?.message), /on hold by ana: now/);
	}
});

test("a hold that arrives while the last pod leaves wins over the ask: the node is not rebooted, and brought back", async () => {
	const stage = new Stage(nodeHeldByUs());
	await stage.put(drainingRecord({ phaseSince: stage.clock.time, deadlineAt: stage.clock.time + hour }));
	stage.meanwhile("hold");
	await stage.look();
	assert.deepEqual([stage.done, (await stage.records())[0]?.phase], [["patch"], "uncordoning"]);
});

test("somebody who asks for something during every look keeps no drained node from its reboot, and so none out of service", async () => {
	const stage = new Stage(nodeHeldByUs());
	await stage.put(drainingRecord({ phaseSince: stage.clock.time, deadlineAt: stage.clock.time + hour }));
	stage.meanwhile("reboot", "always");
	await stage.look();
	assert.deepEqual([stage.done, (await stage.records())[0]?.phase], [["patch", "reboot"], "rebooting"]);
	assert.equal(stage.control.requests.length, 1, "and nothing of what was asked is lost");
});

test("where the row is written faster than it is read, the look is given up, and nothing of it is done", async () => {
	const stage = new Stage(nodeHeldByUs());
	await stage.put(drainingRecord({ phaseSince: stage.clock.time, deadlineAt: stage.clock.time + hour }));
	stage.meanwhile("reboot", "always");
	const { table } = stage;
	const transact = table.transact.bind(table);
	table.transact = async (where, writes) => {
		if (writes.some(({ key }) => key === leaseKey) && writes.some(({ key }) => key === controlKey)) {
			const { etag = "", values = {} } = table.rows(partition).get(controlKey) ?? {};
			await transact(partition, [{ kind: "replace", key: controlKey, values, etag }]);
		}
		return await transact(where, writes);
	};
	assert.equal((await stage.look()).kind, "lost");
	assert.deepEqual([stage.done, (await stage.records())[0]?.phase], [[], "draining"]);
});

function requestAt(stage: Stage) {
	const { time } = stage.clock;
	return { node: "node-1", bootId: drainingRecord().bootId, reason: "leaks", by: "ana", at: time - 1, until: time + hour, ignoreWindow: false };
}

test("a node that no sentinel speaks for is looked at and begun because somebody asked, and the journal says who", async () => {
	const stage = new Stage(nodeInService());
	stage.asks = false;
	await stage.put(null, { holds: [], requests: [requestAt(stage)] });
	await stage.look();
	assert.deepEqual(stage.done, ["patch"]);
	assert.deepEqual(
		stage.told("reboot.admitted").map(({ requestedBy, requestReason }) => [requestedBy, requestReason]),
		[["ana", "leaks"]],
	);
	assert.deepEqual(stage.control.requests.length, 1, "it stands until its reboot has ended");
});

test("a request goes with the end of its reboot, in one transaction; what somebody asks meanwhile is not lost by that", async () => {
	const stage = new Stage(nodeInService({ bootId: "22222222-2222-4222-8222-222222222222" }));
	stage.asks = false;
	const request = requestAt(stage);
	await stage.put(soakingRecord({ request, deadlineAt: stage.clock.time - 1 }), { holds: [], requests: [request] });
	stage.meanwhile("hold");
	await stage.look();
	assert.deepEqual([stage.control.holds.length, stage.control.requests.length, (await stage.records()).length], [1, 0, 0]);
	assert.match(String(stage.told("request.over")[0]?.message), /rebooted and in service/);
});

test("a request whose node is gone is taken out and told of once, and then the cluster is idle again", async () => {
	const stage = new Stage("absent");
	stage.asks = false;
	await stage.put(null, { holds: [], requests: [requestAt(stage)] });
	await stage.look();
	await stage.look();
	assert.deepEqual([stage.control.requests, stage.told("request.over").length], [[], 1]);
});

test("a request that cannot begin is told of with its reason and who asked", async () => {
	const stage = new Stage(nodeInService({ ready: false }));
	stage.asks = false;
	await stage.put(null, { holds: [], requests: [requestAt(stage)] });
	await stage.look();
	assert.match(String(stage.told("node.waiting")[0]?.message), /^waits for the reboot that ana asked for since .*: the node is not Ready$/);
});
