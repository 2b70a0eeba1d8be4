// How events about nodes are sent: each once, last in a look, and nothing stands on it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Settings } from "../../lib/plan/policy.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import { ClusterState } from "../../lib/tick/cluster-state.ts";
import { eventsTimeoutMs } from "../../lib/tick/node-events.ts";
import { type Configuration, tick } from "../../lib/tick/tick.ts";
import type { ClusterApi, JournalLine, World } from "../../lib/tick/world.ts";
import { countingIds, MemoryTable, StillClock } from "./memory-table.ts";
import { defaultSettings, everywhere, metadataOf, nodeInService, now, sentinelDaemonSet, sentinelThatAsks, target, us } from "./states.ts";

const held = defaultSettings({ hold: everywhere("freeze") });

/** A look at a cluster with nodes that wait, while creating an event goes as it is told. */
async function looked(createEvent: ClusterApi["createEvent"], options: { readonly nodes?: number; readonly settings?: Settings } = {}) {
	const nodes = Array.from({ length: options.nodes ?? 3 }, (_, i) => nodeInService({ name: `node-${i}`, uid: `uid-${i}` }));
	const clock = new StillClock();
	const table = new MemoryTable(clock);
	const lines: JournalLine[] = [];
	const unexpected = (call: string) => () => assert.fail(`unexpected call ${call}`);
	let endedAt = 0;
	const api: ClusterApi = {
		connection: () => undefined,
		listWaiting: async () => {
			const sentinels = nodes.map(({ name, bootId }) => sentinelThatAsks({ node: name, podName: `sentinel-${name}`, report: reportOf(bootId) }));
			return { sentinels, rebootPods: [] };
		},
		sentinelDaemonSet: async () => sentinelDaemonSet,
		listCordoned: async () => [],
		clusterUid: async () => "uid-kube-system",
		owner: async () => ({ kind: "named", holder: us }),
		claim: unexpected("claim"),
		listNodeMetadata: async () => nodes.map(metadataOf),
		node: async (name) => nodes.find((each) => each.name === name) ?? "absent",
		podsOn: async () => [],
		listDaemonSets: async () => [],
		patchNode: unexpected("patchNode"),
		evict: unexpected("evict"),
		deletePod: unexpected("deletePod"),
		createRebootPod: unexpected("createRebootPod"),
		deleteRebootPod: unexpected("deleteRebootPod"),
		createEvent,
	};
	const journal = {
		write: (line: JournalLine) => {
			lines.push(line);
			if (line.event === "tick.ended") endedAt = clock.time;
		},
	};
	const world: World = { clock, ids: countingIds(), table, clusters: { open: () => api, aks: async () => ({ kind: "notManaged" }) }, journal };
	const settings = options.settings ?? held;
	const configuration: Configuration = { settings, problems: [], clusters: [target], fallback: settings };
	const state = new ClusterState();
	const look = () => tick({ world, worker: "w", us, target, configuration, configured: true, state, names: new Map() });
	return { look, lines, tookMs: () => clock.time - endedAt, lost: () => lines.filter((line) => line.event === "events.lost") };
}

function reportOf(bootId: string) {
	return { kind: "report" as const, report: { bootId, since: now, kernelVersion: "6.8.0-1", packages: [] } };
}

function refusal(failure: CallError["failure"], status: number): CallError {
	return new CallError({ failure, doing: "creating an event", answer: String(status), status });
}

describe("a look", () => {
	test("sends each event once, and an idle one none", async () => {
		const sent: string[] = [];
		const { look, lost } = await looked(async ({ node }) => void sent.push(node));
		assert.equal((await look()).kind, "looked");
		assert.equal((await look()).kind, "looked");
		assert.deepEqual(sent, ["node-0", "node-1", "node-2"]);
		assert.deepEqual(lost(), []);
	});

	test("that is refused them goes as well as any, asks once, and tells of it once", async () => {
		let asked = 0;
		const { look, lost } = await looked(async () => {
			asked++;
			throw refusal("forbidden", 403);
		});
		for (let i = 0; i < 3; i++) assert.equal((await look()).kind, "looked");
		assert.equal(asked, 1);
		assert.deepEqual(
			lost().map((line) => line.lost),
			[3],
		);
	});

	test("goes on with the next event where one alone is refused as such", async () => {
		const sent: string[] = [];
		const { look, lost } = await looked(async ({ node }) => {
			if (node === "node-0") throw refusal("invalid", 422);
			sent.push(node);
		});
		await look();
		assert.deepEqual([sent, lost().map((line) => line.lost)], [["node-1", "node-2"], [1]]);
	});

	test("is kept by a server that does not answer no longer than the time limit, and gives the call up", async () => {
		const signals: AbortSignal[] = [];
		const { look, lost, tookMs } = await looked((_event, signal) => {
			signals.push(signal);
			return new Promise(() => {});
		});
		assert.equal((await look()).kind, "looked");
		assert.ok(tookMs() <= eventsTimeoutMs, `${tookMs()} ms`);
		assert.deepEqual(
			signals.map((each) => each.aborted),
			[true],
		);
		assert.match(lost()[0]?.message ?? "", /^3 events about nodes could not be created: /);
	});

	test("survives a bug in the telling", async () => {
		const { look, lost } = await looked(async () => {
			throw new TypeError("undefined is not a function");
		});
		assert.equal((await look()).kind, "looked");
		assert.match(lost()[0]?.message ?? "", /a bug of ours: TypeError/);
	});

	test("under DRY_RUN sends none", async () => {
		const { look } = await looked(async () => assert.fail("an event was sent"), { settings: defaultSettings({ dryRun: true, hold: everywhere("freeze") }) });
		assert.equal((await look()).kind, "looked");
	});
});
