// A worker whose lease passes on while it acts: it stops, and says so.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterTarget } from "../../lib/plan/policy.ts";
import { ClusterState } from "../../lib/tick/cluster-state.ts";
import { leaseKey, leaseValues, partitionOf, recordKey, recordValues } from "../../lib/tick/rows.ts";
import { type Configuration, tick } from "../../lib/tick/tick.ts";
import type { ClusterApi, JournalLine, World } from "../../lib/tick/world.ts";
import { countingIds, MemoryTable, StillClock } from "./memory-table.ts";
import { defaultSettings, deploymentPod, drainingRecord, nodeHeldByUs, sentinelDaemonSet, us } from "./states.ts";

const target: ClusterTarget = { name: "prod", kind: "kubeconfig", context: "prod" };
const partition = partitionOf("prod");

function drainingCluster(pods: number, evict: ClusterApi["evict"]): ClusterApi {
	const node = nodeHeldByUs();
	const unexpected = (call: string) => () => assert.fail(`unexpected call ${call}`);
	return {
		connection: () => undefined,
		listWaiting: async () => ({ sentinels: [], rebootPods: [] }),
		sentinelDaemonSet: async () => sentinelDaemonSet,
		listCordoned: async () => [node],
		clusterUid: async () => "uid-kube-system",
		owner: async () => ({ kind: "named", holder: us }),
		claim: unexpected("claim"),
		listNodeMetadata: async () => [],
		node: async () => node,
		podsOn: async () => Array.from({ length: pods }, (_, i) => deploymentPod({ name: `web-${i}`, uid: `uid-web-${i}` })),
		listDaemonSets: async () => [],
		patchNode: unexpected("patchNode"),
		evict,
		deletePod: unexpected("deletePod"),
		createRebootPod: unexpected("createRebootPod"),
		deleteRebootPod: unexpected("deleteRebootPod"),
		createEvent: async () => {},
	};
}

test("a worker that loses its lease amid its acts does none of those that are left, says how many, and counts the look as lost", async () => {
	const clock = new StillClock();
	const table = new MemoryTable(clock);
	const lines: JournalLine[] = [];
	let evicted = 0;
	const api = drainingCluster(20, async () => {
		evicted++;
		// Another worker takes over, and time passes.
		const row = { holder: "another", fence: 9, writeId: "theirs", lookedAt: null };
		table.rows(partition).set(leaseKey, { key: leaseKey, etag: "theirs", writtenAt: clock.time, values: leaseValues(row) });
		clock.time += 6_000;
		return { kind: "evicted" };
	});
	const world: World = {
		clock,
		ids: countingIds(),
		table,
		clusters: { open: () => api, aks: async () => ({ kind: "notManaged" }) },
		journal: { write: (line) => void lines.push(line) },
	};
	const record = drainingRecord({ phaseSince: clock.time, deadlineAt: clock.time + 3_600_000 });
	await table.transact(partition, [{ kind: "insert", key: recordKey(record.id), values: recordValues(record) }]);
	const settings = defaultSettings();
	const configuration: Configuration = { settings, problems: [], clusters: [target], fallback: settings };
	const result = await tick({ world, worker: "w", us, target, configuration, configured: true, state: new ClusterState(), names: new Map() });
	assert.equal(result.kind, "lost");
	assert.ok(evicted >= 1 && evicted < 20, `${evicted} evictions`);
	const told = lines.filter((line) => line.event === "lease.lost");
	assert.deepEqual(
		told.map((line) => line.notDone),
		[20 - evicted],
	);
	assert.match(told[0]?.message ?? "", /acts were not done/);
	assert.deepEqual(
		lines.filter((line) => line.event === "tick.ended"),
		[],
	);
});
