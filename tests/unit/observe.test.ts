import assert from "node:assert/strict";
import { test } from "node:test";
import { known, type NodeFacts, type Reboot, type View } from "../../lib/plan/model.ts";
import type { Settings } from "../../lib/plan/policy.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import { ClusterCache, type ObserveInput, Observer, silentSentinels } from "../../lib/tick/observe.ts";
import type { ClusterApi, Clusters } from "../../lib/tick/world.ts";
import { StillClock } from "./memory-table.ts";
import {
	budgetObstacle,
	defaultSettings,
	drainingRecord,
	hour,
	lookAtCluster,
	minute,
	nodeBootedAnew,
	nodeHeldByUs,
	nodeInService,
	now,
	rebootedMemory,
	sentinelDaemonSet,
	sentinelPod,
	sentinelThatAsks,
	soakingRecord,
	target,
	us,
} from "./states.ts";

/** A look at a cluster that is ours, as far as it is not told: nobody waits, every node is the one given, and there are no pods. */
function look(node: NodeFacts, changes: Partial<ClusterApi>, input: Partial<ObserveInput>, aks: Clusters["aks"] = async () => ({ kind: "notManaged" })) {
	const api: Partial<ClusterApi> = {
		listWaiting: async () => ({ sentinels: [], rebootPods: [] }),
		sentinelDaemonSet: async () => sentinelDaemonSet,
		listCordoned: async () => [],
		owner: async () => ({ kind: "named", holder: us }),
		clusterUid: async () => "uid",
		listNodeMetadata: async () => [],
		node: async () => node,
		podsOn: async () => [],
		listDaemonSets: async () => [],
		createRebootPod: async () => {},
		...changes,
	};
	const clusters = { open: () => assert.fail("opened again"), aks };
	const observer = new Observer({ api: api as ClusterApi, clusters, clock: new StillClock(), cache: new ClusterCache() });
	const idle: ObserveInput = { target, us, at: now, records: [], memory: [], requests: [], settings: defaultSettings(), nextToRead: () => [] };
	return observer.look({ ...idle, ...input });
}

test("the pods of a node that soaks are read where a sentinel is silent: it may end in this look, and is on probation then", async () => {
	const soaking = soakingRecord();
	const node = nodeBootedAnew({ mark: { kind: "none" }, unschedulable: false });
	const waits = sentinelThatAsks({ node: "another" });
	const own = sentinelPod({ ...waits, node: node.name });
	const view = await look(
		node,
		{
			listWaiting: async () => ({ sentinels: [waits], rebootPods: [] }),
			sentinelDaemonSet: async () => ({ ...sentinelDaemonSet, ready: sentinelDaemonSet.desired - 1 }),
			podsOn: async () => [own],
		},
		{ records: [soaking], nextToRead: (seen) => (seen.preflights.size === 0 ? ["another"] : []) },
	);
	assert.deepEqual(view.pods.get(soaking.node.name), { known: true, value: [own] });
});

/** A look at a cluster with one node that waits; how often Azure was asked in it. */
async function asksOfAzure(input: { readonly candidates?: readonly string[]; readonly records?: readonly Reboot[]; readonly settings?: Settings }) {
	let asked = 0;
	const node = nodeHeldByUs({ mark: { kind: "none" }, unschedulable: false });
	const { candidates = [], records = [], settings = defaultSettings() } = input;
	const view = await look(
		node,
		{ listWaiting: async () => ({ sentinels: [sentinelThatAsks({ node: node.name })], rebootPods: [] }), listNodeMetadata: async () => [node] },
		{ records, settings, nextToRead: () => candidates },
		async () => {
			asked++;
			return { kind: "notManaged" };
		},
	);
	assert.equal(view.aks !== null, asked > 0);
	return asked;
}

test("Azure is asked only where something may begin or be asked for: it answers one question a second for all clusters of a subscription", async () => {
	assert.equal(await asksOfAzure({}), 0, "a node waits for its window");
	assert.equal(await asksOfAzure({ candidates: ["node-1"] }), 1, "a node is next");
	assert.equal(await asksOfAzure({ records: [drainingRecord()] }), 1, "a node drains");
});

test("Azure is asked whether a pool that has no node is one", async () => {
	const scoped = (pool: string) => defaultSettings({ maxConcurrent: [{ scope: { cluster: target.name, pool }, value: { kind: "number", nodes: 1 } }] });
	assert.equal(await asksOfAzure({ settings: scoped("empty") }), 1);
	assert.equal(await asksOfAzure({ settings: scoped("*") }), 0);
});

test("no more is asked for than the nodes that wait need: fifty of 5,000 are read one by one, and of 500 by one list", async () => {
	const names = Array.from({ length: 50 }, (_, index) => `node-${index}`);
	const reads = async (desired: number) => {
		const asked = { nodes: 0, lists: 0 };
		const all = names.map((name) => nodeHeldByUs({ name, mark: { kind: "none" }, unschedulable: false }));
		const view = await look(
			nodeHeldByUs(),
			{
				listWaiting: async () => ({ sentinels: names.map((node) => sentinelThatAsks({ node })), rebootPods: [] }),
				sentinelDaemonSet: async () => ({ ...sentinelDaemonSet, desired, ready: desired }),
				listNodeMetadata: async () => {
					asked.lists++;
					return all;
				},
				node: async (name) => {
					asked.nodes++;
					return all.find((each) => each.name === name) ?? "absent";
				},
			},
			{},
		);
		assert.deepEqual([...view.metadata.keys()].sort(), [...names].sort());
		return asked;
	};
	assert.deepEqual(await reads(5000), { nodes: 50, lists: 0 });
	assert.deepEqual(await reads(4900), { nodes: 0, lists: 1 });
	assert.deepEqual(await reads(500), { nodes: 0, lists: 1 });
});

test("a reboot pod that was left behind is work: to whom the cluster belongs is read now, and not as it was ten minutes ago", async () => {
	const rebootPods = [{ name: "reboot-b-1", uid: "uid-pod", node: "node-1" }];
	let reads = 0;
	const owner: ClusterApi["owner"] = async () => ({ kind: "named", holder: `${us} ${++reads}` });
	const view = await look(nodeHeldByUs(), { owner, listWaiting: async () => ({ sentinels: [], rebootPods }) }, {});
	assert.deepEqual([view.rebootPods, view.clusterUid], [rebootPods, known("uid")]);
	assert.deepEqual(view.owner, known({ kind: "named", holder: `${us} 1` }));
	assert.equal(reads, 1);
});

test("an eviction that a policy refused is tried by dry run before the node is emptied again, and what refuses it now is told", async () => {
	const node = nodeInService();
	const blocked = [budgetObstacle({ kind: "refused", budgets: [], message: "denied before" })];
	const lastEnd = { end: "gaveUp", why: "not drained", at: now - hour, backOffUntil: null, blocked } as const;
	const memory = [rebootedMemory(0, { node: node.name, nodeUid: node.uid, bootId: node.bootId, rebootedAt: null, lastEnd })];
	const sentinels = [sentinelThatAsks({ node: node.name })];
	const says = async (evict: ClusterApi["evict"]) => {
		const nextToRead = (view: View) => (view.preflights.size === 0 ? [node.name] : []);
		const view = await look(node, { evict, listWaiting: async () => ({ sentinels, rebootPods: [] }) }, { memory, settings: defaultSettings(), nextToRead });
		return view.preflights.get(node.name)?.blocked.map(({ kind, budgets, message }) => ({ kind, budgets, message }));
	};
	const denied = new CallError({ failure: "forbidden", doing: "evicting shop/web-1", answer: "403: denied by policy", status: 403 });
	assert.deepEqual(await says(() => Promise.reject(denied)), [{ kind: "refused", budgets: [], message: denied.message }]);
	assert.deepEqual(await says(async () => ({ kind: "evicted" })), []);
});

test("the pods of a node that is adopted are read by today's selector: it drains in this very look", async () => {
	const node = nodeHeldByUs();
	let selected: string | null = null;
	const podsOn: ClusterApi["podsOn"] = async (_, selector) => {
		selected = selector;
		return [];
	};
	await look(node, { listCordoned: async () => [node], podsOn }, { settings: defaultSettings({ drainPodSelector: "drain=yes" }) });
	assert.equal(selected, "drain=yes");
});

test("a sentinel that goes down with the node that we reboot is not told as silent, and one beside it is", () => {
	const { desired } = sentinelDaemonSet;
	const silentBeside = (missing: number, ...nodes: readonly NodeFacts[]) =>
		silentSentinels(lookAtCluster(nodes, [], { sentinel: { known: true, value: { ...sentinelDaemonSet, ready: desired - missing } } }));
	const asked = { askedAt: now - minute };
	const booting = nodeHeldByUs({ ready: false }, asked);
	assert.equal(silentBeside(1, booting), 0);
	assert.equal(silentBeside(2, booting), 1);
	assert.equal(silentBeside(1, nodeHeldByUs({ ready: false, mark: { kind: "none" } })), 1, "of a node that somebody else cordoned too");
	assert.equal(silentBeside(1, nodeHeldByUs({ ready: false })), 1, "of a node that only drains");
	const back = nodeHeldByUs({}, asked);
	const starting = sentinelPod(sentinelThatAsks({ node: back.name, ready: false }));
	const look = lookAtCluster([back], [], { pods: new Map([[back.name, { known: true, value: [starting] }]]) });
	assert.equal(
		silentSentinels({ ...look, sentinel: { known: true, value: { ...sentinelDaemonSet, ready: desired - 1 } } }),
		0,
		"Ready, and its sentinel starts",
	);
});
