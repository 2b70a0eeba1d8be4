// What the settings promise about room, drains and waits, seen on nodes and pods.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { assertNoLeaks, assertTidy, newStory, podsOf, untilServes } from "./expectations.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { apply, barePod, deployment, type Manifest } from "./workloads.ts";

const poolA = ["a-1", "a-2", "a-3", "a-4"];
const poolB = ["b-1", "b-2"];
/** Table service and API server tell whole seconds: a wait may be short by one. */
const inexactMs = 1_000;

describe("settings that shape a reboot", () => {
	let scenario: Scenario;

	before(async () => {
		const nodes = [...poolA.map((name) => ({ name, pool: "a" })), ...poolB.map((name) => ({ name, pool: "b" }))];
		scenario = await startScenario({ nodes, components: ["delete-pods"] });
	});

	after(async () => {
		await scenario?.stop();
	});

	/** Exit code 0, and what it said. */
	async function settled(settings: Readonly<Record<string, string>>): Promise<Scheduler> {
		const scheduler = scenario.scheduler(settings);
		assert.equal(await scheduler.ended(), 0, scheduler.story().slice(-4_000));
		return scheduler;
	}

	async function given(...manifests: readonly (Manifest | readonly Manifest[])[]): Promise<void> {
		await apply(scenario.controlPlane.api, ...manifests);
	}

	async function remove(...paths: readonly string[]): Promise<void> {
		for (const path of paths) await scenario.controlPlane.api.delete(path, { gracePeriodSeconds: 0 });
	}

	/** Most nodes of a pool at once under our mark. */
	function mostMarked(of: readonly string[]): number {
		return Math.max(...scenario.fleet.marked.moments.map(({ nodes }) => nodes.filter((name) => of.includes(name)).length));
	}

	function rebooted(since: number): string[] {
		return scenario.fleet
			.reboots()
			.filter((each) => each.at >= since)
			.map((each) => each.node);
	}

	it("fills the room of the cluster and keeps to that of a pool", async () => {
		await newStory(scenario, { "a-1": 60, "a-2": 50, "b-1": 40 });
		await settled({ MAX_CONCURRENT: "2; real/a=1" });
		assert.equal(scenario.fleet.marked.max(), 2, "room for two, and it was used");
		assert.equal(mostMarked(poolA), 1);
		assert.ok(scenario.fleet.maxDown() <= 2);
		await assertTidy(scenario);
	});

	it("reckons percentages of the cluster's and of the pool's nodes, rounded down", async () => {
		await newStory(scenario, { "a-1": 60, "a-2": 50, "a-3": 40, "a-4": 30, "b-1": 20, "b-2": 10 });
		// 3 of 6; of the four of pool a 2, of the two of pool b 1 (never 0).
		await settled({ MAX_CONCURRENT: "50%; real/a=74%; real/b=10%" });
		assert.equal(scenario.fleet.marked.max(), 3, "room for three, and it was used");
		assert.equal(mostMarked(poolA), 2);
		assert.equal(mostMarked(poolB), 1);
		await assertTidy(scenario);
	});

	it("says so when a pool scope matches no pool, and begins nothing", async () => {
		await newStory(scenario, { "a-1": 60 });
		const since = Date.now();
		const scheduler = await settled({ MAX_CONCURRENT: "1; real/aa=2" });
		assert.match(scheduler.lastLine, /rebooted=0 .*waiting=1 /);
		assert.ok(scheduler.story().includes("real/aa"));
		assert.deepEqual(rebooted(since), []);
	});

	it("deletes what a budget keeps, after DRAIN_TIMEOUT and only with DRAIN_TIMEOUT_ACTION=delete", async () => {
		await given(deployment("kept", 1, { nodeSelector: on("a-1"), budget: { maxUnavailable: 0 } }), deployment("free", 1, { nodeSelector: on("a-1") }));
		await untilServes(scenario, "kept", 1);
		await untilServes(scenario, "free", 1);
		await newStory(scenario, { "a-1": 60 });
		const since = Date.now();
		const [pod] = podsOf(scenario, "kept", "a-1");
		const scheduler = await settled({ DRAIN_TIMEOUT: "10s", DRAIN_TIMEOUT_ACTION: "delete" });
		const deleted = scenario.controlPlane.requests({ user: "scheduler", verb: "delete", resource: "pods", namespace: "default" });
		assert.deepEqual(
			deleted.map((line) => line.objectRef?.name),
			[pod?.metadata.name],
			"only what resisted is deleted; the other left by eviction",
		);
		const cordonedAt = scenario.fleet.marked.moments[0]?.at ?? 0;
		const afterMs = Date.parse(deleted[0]?.requestReceivedTimestamp ?? "") - cordonedAt;
		assert.ok(afterMs >= 10_000 - inexactMs, `not before its time was over: ${afterMs} ms`);
		assert.equal(scheduler.told("pod.deleted", { pod: `default/${pod?.metadata.name}` }).length, 1, "and the journal says so");
		assert.deepEqual(rebooted(since), ["a-1"]);
		await assertTidy(scenario);
	});

	it("takes the machine down under what a budget keeps with DRAIN_TIMEOUT_ACTION=reboot, and deletes nothing", async () => {
		await untilServes(scenario, "kept", 1);
		await newStory(scenario, { "a-1": 60 });
		const since = Date.now();
		const before = podsOf(scenario, "kept", "a-1").map((each) => each.metadata.uid);
		await settled({ DRAIN_TIMEOUT: "5s", DRAIN_TIMEOUT_ACTION: "reboot" });
		assert.deepEqual(rebooted(since), ["a-1"]);
		assert.deepEqual(
			podsOf(scenario, "kept", "a-1").map((each) => each.metadata.uid),
			before,
			"the pod went down and came up with its node",
		);
		assert.deepEqual(scenario.controlPlane.requests({ user: "scheduler", verb: "delete", resource: "pods", namespace: "default", since }), []);
		await assertTidy(scenario);
		await remove("/apis/apps/v1/namespaces/default/deployments/kept", "/apis/apps/v1/namespaces/default/deployments/free");
	});

	it("never evicts a pod without a controller under UNMANAGED_PODS=block, and says which one it was", async () => {
		await given(barePod("alone", { node: "b-1" }));
		await untilServes(scenario, "alone", 1);
		await newStory(scenario, { "b-1": 60 });
		const since = Date.now();
		const scheduler = await settled({ UNMANAGED_PODS: "block", DRAIN_TIMEOUT: "2s" });
		assert.match(scheduler.lastLine, /rebooted=0 gave-up=1 stuck=0 waiting=1 /);
		assert.match(String(scheduler.told("reboot.ended")[0]?.message), /default\/alone has no controller, and UNMANAGED_PODS is block/);
		assert.deepEqual(scenario.controlPlane.requests({ user: "scheduler", verb: "create", subresource: "eviction", since }), []);
		assert.deepEqual(rebooted(since), []);
		await assertTidy(scenario);
	});

	it("drains only what DRAIN_POD_SELECTOR selects, and gives pods DRAIN_GRACE_PERIOD", async () => {
		// Left to its own grace period it would take ten minutes.
		await given(barePod("slow", { node: "b-1", stopMs: "never", graceSeconds: 600 }));
		await untilServes(scenario, "slow", 1);
		await scenario.controlPlane.kubectl("annotate", "pod", "slow", "simulated-kubelet/stop-ms=500000", "--overwrite");
		await newStory(scenario, { "b-1": 60 });
		const since = Date.now();
		const [kept] = podsOf(scenario, "alone", "b-1");
		await settled({ DRAIN_POD_SELECTOR: "app notin (alone)", DRAIN_GRACE_PERIOD: "1" });
		assert.deepEqual(rebooted(since), ["b-1"]);
		assert.deepEqual(podsOf(scenario, "slow", "b-1"), [], "evicted");
		assert.equal(podsOf(scenario, "alone", "b-1")[0]?.metadata.uid, kept?.metadata.uid, "not selected, so left where it was");
		await assertTidy(scenario);
		await remove("/api/v1/namespaces/default/pods/alone");
	});

	it("does not wait for a pod that terminates for longer than DRAIN_SKIP_WAIT_FOR_DELETE", async () => {
		await given(barePod("undying", { node: "b-1", stopMs: "never", graceSeconds: 1 }));
		await untilServes(scenario, "undying", 1);
		await newStory(scenario, { "b-1": 60 });
		const since = Date.now();
		await settled({ DRAIN_SKIP_WAIT_FOR_DELETE: "1s", DRAIN_TIMEOUT: "60s" });
		assert.deepEqual(rebooted(since), ["b-1"]);
		const reboot = scenario.fleet.reboots().at(-1);
		const evicted = scenario.controlPlane.requests({ user: "scheduler", verb: "create", subresource: "eviction", name: "undying", since })[0];
		const waitedMs = (reboot?.at ?? 0) - Date.parse(evicted?.stageTimestamp ?? "");
		assert.ok(
			waitedMs >= 2_000 - inexactMs && waitedMs < 30_000,
			`${waitedMs} ms between eviction and reboot: its grace and the wait, and not the drain's whole time`,
		);
		await assertTidy(scenario);
	});

	it("waits before the cordon, before the reboot and after the uncordon, and a soaking node keeps its room", async () => {
		await newStory(scenario, { "a-1": 60, "a-2": 50 });
		const since = Date.now();
		const scheduler = await settled({ BEFORE_DRAIN: "3s", BEFORE_REBOOT: "3s", SOAK: "3s" });
		const first = patches(scenario, "a-1", since);
		const second = patches(scenario, "a-2", since);
		const [cordonedAt = 0] = first;
		const uncordonedAt = first.at(-1) ?? 0;
		const secondCordonedAt = second[0] ?? 0;
		const downAt = scenario.fleet.reboots().find((each) => each.node === "a-1" && each.at >= since)?.at ?? 0;
		const admittedAt = Date.parse(scheduler.told("reboot.admitted", { node: "a-1" })[0]?.at ?? "");
		// The admission is told a moment after it was written.
		assert.ok(cordonedAt - admittedAt >= 3_000 - inexactMs - 200, `BEFORE_DRAIN: ${cordonedAt - admittedAt} ms`);
		assert.ok(downAt - cordonedAt >= 3_000 - inexactMs, `BEFORE_REBOOT: ${downAt - cordonedAt} ms`);
		assert.ok(secondCordonedAt - uncordonedAt >= 2 * (3_000 - inexactMs), `SOAK and BEFORE_DRAIN of the next: ${secondCordonedAt - uncordonedAt} ms`);
		assert.equal(scenario.fleet.marked.max(), 1);
		await assertTidy(scenario);
	});

	it("prints and stores no secret", async () => {
		await assertNoLeaks(scenario);
	});
});

/** When the scheduler's patches of a node were answered: the first is the cordon, the last the uncordon. */
function patches(scenario: Scenario, node: string, since: number): number[] {
	return scenario.controlPlane
		.requests({ user: "scheduler", verb: "patch", resource: "nodes", name: node, since, writes: true })
		.map((line) => Date.parse(line.stageTimestamp));
}

function on(node: string): Readonly<Record<string, string>> {
	return { "kubernetes.io/hostname": node };
}
