// What a node may be like when it is back from its reboot: or it does not come back at all.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { assertNoLeaks, assertTidy, leaseRunsOut, markOf, newStory, nodeOf, podsOf, untilServes, waitsFor } from "./expectations.ts";
import { endOf, endsWith, reasonsOf, whyWaits } from "./journal-lines.ts";
import { defaultSettings, podAnnotations, quickReboot } from "./kubelet-settings.ts";
import { conditionStatus, type Pod } from "./objects.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { daemonSet, deploymentThatToleratesAll, failingDaemonSet, neverReadyDaemonSet } from "./workloads.ts";

const names = ["one", "two", "three", "four", "five"];

describe("a node after its reboot", () => {
	let scenario: Scenario;

	before(async () => {
		scenario = await startScenario({
			nodes: names.map((name) => ({ name })),
			workloads: [
				daemonSet("agent", { readyMs: 300 }),
				daemonSet("log", {}),
				failingDaemonSet("crashes"),
				neverReadyDaemonSet("unready"),
				deploymentThatToleratesAll("stubborn", 1, { node: "two" }),
			],
		});
		for (const app of ["agent", "log"]) await untilServes(scenario, app, names.length);
		await untilServes(scenario, "stubborn", 1);
	});

	after(async () => {
		await scenario?.stop();
	});

	function rebootsOf(node: string, since: number): string[] {
		return scenario.fleet
			.reboots()
			.filter((each) => each.node === node && each.at >= since)
			.map((each) => each.cause);
	}

	describe("that is back, each in its own way", () => {
		let scheduler: Scheduler;
		let since = 0;
		const oldContainers = new Map<string, Set<string>>();
		/** Pods of the agent on node `three` when its cordon was gone. */
		let atUncordon: readonly Pod[] | null = null;
		let seenNotReady = false;

		before(async () => {
			const { fleet, controlPlane } = scenario;
			await newStory(scenario, { one: 50, two: 40, three: 30, four: 20, five: 10 });
			fleet.node("one").set({ stillAsks: true });
			fleet.node("three").set({ staleStatusMs: 4_000 });
			fleet.node("four").set(quickReboot);
			for (const name of names) oldContainers.set(name, new Set(containersOf(podsOf(scenario, "agent", name))));
			const [log] = podsOf(scenario, "log", "five");
			assert.ok(log !== undefined);
			// It is ready, and will not be after the next start of its container.
			await controlPlane.api.patch(`/api/v1/namespaces/default/pods/${log.metadata.name}`, {
				metadata: { annotations: { [podAnnotations.readyMs]: "never" } },
			});
			since = Date.now();
			const watch = setInterval(() => {
				const four = fleet.nodeObjects().find((each) => each.metadata.name === "four");
				seenNotReady ||= four !== undefined && conditionStatus(four, "Ready") !== "True";
				const node = fleet.nodeObjects().find((each) => each.metadata.name === "three");
				const back = rebootsOf("three", since).length > 0 && fleet.node("three").up;
				if (back && node?.spec.unschedulable !== true) atUncordon ??= podsOf(scenario, "agent", "three");
			}, 20);
			scheduler = scenario.scheduler({ MAX_CONCURRENT: "5", REBOOT_TIMEOUT: "25s" });
			await scheduler.ended();
			clearInterval(watch);
		});

		after(async () => {
			const clockOffsetMs = scenario.azurite.aheadMs;
			for (const name of names) scenario.fleet.node(name).set({ ...defaultSettings, clockOffsetMs });
			// Its pods return for as long as the cluster's clock is behind the table's, which is moved on below.
			await scenario.controlPlane.kubectl("delete", "deployment", "stubborn", "--wait=false");
			await scenario.fleet.until("the stubborn ones are gone", () => podsOf(scenario, "stubborn", "two").length === 0);
		});

		it("ends as done, once", async () => {
			await endsWith(scheduler, 0, /^settled rebooted=5 gave-up=0 stuck=0 waiting=1 held=0 /);
			for (const name of names) {
				assert.deepEqual(rebootsOf(name, since), ["pod"], name);
				assert.equal(endOf(scheduler, name).end, "done");
			}
			await assertTidy(scenario);
		});

		it("and still asks: it is in service, told of, and not rebooted again within REBOOT_INTERVAL, whoever looks", async () => {
			assert.deepEqual(reasonsOf(scheduler, "one"), ["rebootedRecently"]);
			await leaseRunsOut(scenario);
			const again = scenario.scheduler();
			await endsWith(again, 0, /^settled rebooted=0 gave-up=0 stuck=0 waiting=1 held=0 /);
			assert.match(whyWaits(again, "one"), /asks again after our reboot of .*, and is not rebooted before .*\(REBOOT_INTERVAL\)/);
			assert.deepEqual(rebootsOf("one", since), ["pod"]);
			assert.equal((await nodeOf(scenario, "one")).spec.unschedulable ?? false, false);
		});

		it("and still asks: it is rebooted again after that time", async () => {
			scenario.fleet.node("one").set({ stillAsks: false });
			await leaseRunsOut(scenario);
			const again = scenario.scheduler({ REBOOT_INTERVAL: "1s" });
			await endsWith(again, 0, /^settled rebooted=1 gave-up=0 stuck=0 waiting=0 held=0 /);
			assert.deepEqual(rebootsOf("one", since), ["pod", "pod"]);
		});

		it("and its pods' statuses are those from before the boot: it is not taken for rejoined", () => {
			assert.ok(atUncordon !== null && atUncordon.length === 1, "its cordon was seen going");
			const ready = atUncordon[0]?.status.containerStatuses?.every((each) => each.ready);
			assert.equal(ready, true, "the agent was ready when the cordon went");
			const stale = containersOf(atUncordon).filter((id) => oldContainers.get("three")?.has(id));
			assert.deepEqual(stale, [], "containers from before the boot");
		});

		it("and nobody saw it NotReady: another boot id is enough", () => {
			assert.equal(seenNotReady, false, "node four was seen NotReady");
			assert.equal(endOf(scheduler, "four").end, "done");
			assert.notEqual(
				containersOf(podsOf(scenario, "agent", "four")).some((id) => oldContainers.get("four")?.has(id)),
				true,
			);
		});

		it("and a pod of a DaemonSet is not ready again: it is in service after the deadline all the same, and told of", () => {
			const moved = scheduler.told("reboot.moved", { node: "five", to: "uncordoning" });
			assert.match(moved[0]?.message ?? "", /Ready, but these were ready before the reboot and are not: default\/log/);
		});

		it("with pods of DaemonSets that never were ready, and one that tolerates the cordon: they hold nothing up", () => {
			for (const name of ["one", "two", "three", "four"]) {
				const moved = scheduler.told("reboot.moved", { node: name, to: "uncordoning" });
				assert.match(moved[0]?.message ?? "", /Ready, and its DaemonSet pods with it/, name);
			}
			assert.ok(scheduler.told("pod.returns", { node: "two" }).some((line) => String(line.pod).startsWith("default/stubborn-")));
			assert.equal(podsOf(scenario, "stubborn", "two").length >= 1, true);
			const evicted = scenario.controlPlane
				.requests({ user: "scheduler", resource: "pods", subresource: "eviction", since })
				.filter((line) => line.objectRef?.name?.startsWith("stubborn-"));
			assert.ok(evicted.length <= 2, `${evicted.length} evictions of pods that return`);
		});
	});

	describe("that never comes back", () => {
		let since = 0;
		const settings = { REBOOT_TIMEOUT: "20s" };

		/** Stuck, and said to be, by a scheduler that ended with 1. */
		async function stuck(): Promise<Scheduler> {
			await newStory(scenario, { one: 20, two: 10 });
			scenario.fleet.node("one").set({ comesBack: "never" });
			since = Date.now();
			const scheduler = scenario.scheduler(settings);
			await endsWith(scheduler, 1, /^settled rebooted=0 gave-up=0 stuck=1 waiting=1 held=0 /);
			return scheduler;
		}

		async function assertStaysStuck(): Promise<void> {
			const node = await nodeOf(scenario, "one");
			assert.equal(node.spec.unschedulable, true);
			assert.match(markOf(node) ?? "", /"askedAt"/);
			assert.deepEqual(rebootsOf("two", since), []);
			assert.ok(!scenario.fleet.marked.moments.some((each) => each.nodes.includes("two")), "the next one was begun");
			// A reboot pod would meet it when it comes back.
			await scenario.fleet.until("no reboot pod waits for it", () => podsOf(scenario, "reboot", "one").length === 0);
		}

		it("is stuck: cordoned and marked, for every scheduler that looks, and nothing else is begun", async () => {
			const first = await stuck();
			assert.match(first.told("reboot.stuck", { node: "one" })[0]?.message ?? "", /stuck, needs a person: not Ready \d+ s after the reboot was asked for/);
			assert.deepEqual(reasonsOf(first, "two").includes("clusterFull"), true, whyWaits(first, "two"));
			await assertStaysStuck();
			await leaseRunsOut(scenario);
			const second = scenario.scheduler(settings);
			await endsWith(second, 1, /^settled rebooted=0 gave-up=0 stuck=1 waiting=1 held=0 /);
			await assertStaysStuck();
		});

		it("is finished without a person when it comes back after all, and the next one begins", async () => {
			scenario.fleet.node("one").powerOn();
			await leaseRunsOut(scenario);
			const later = scenario.scheduler(settings);
			await endsWith(later, 0, /^settled rebooted=2 gave-up=0 stuck=0 waiting=0 held=0 /);
			assert.deepEqual([rebootsOf("one", since), rebootsOf("two", since)], [["pod"], ["pod"]]);
			await assertTidy(scenario);
		});

		it("is given back without a person when it hung and goes on, by the scheduler that still runs", async () => {
			await newStory(scenario, { one: 20, two: 10 });
			const { fleet } = scenario;
			fleet.node("one").set({ comesBack: "never" });
			since = Date.now();
			const bootId = fleet.node("one").bootId;
			const scheduler = scenario.scheduler(settings, { goesOn: true });
			await scheduler.says("reboot.stuck", { node: "one" });
			await assertStaysStuck();
			fleet.node("one").powerOn({ sameBoot: true });
			await scheduler.says("reboot.ended", { node: "two" });
			await scheduler.kill();
			assert.equal(endOf(scheduler, "one").end, "gaveUp");
			assert.equal(endOf(scheduler, "two").end, "done");
			assert.equal((await nodeOf(scenario, "one")).status.nodeInfo.bootID, bootId);
			assert.deepEqual(rebootsOf("one", since), ["pod"], "it was asked for once");
			assert.ok(reasonsOf(scheduler, "one").includes("backingOff"), whyWaits(scheduler, "one"));
			await assertTidy(scenario);
		});
	});

	describe("that is not well while it is on probation", () => {
		const settings = { REBOOT_TIMEOUT: "20s" };
		let since = 0;

		/** The other one waits for it, and nothing begins. */
		async function assertWaits(scheduler: Scheduler, why: RegExp): Promise<void> {
			assert.ok(reasonsOf(scheduler, "two").includes("probation"), whyWaits(scheduler, "two"));
			assert.match(whyWaits(scheduler, "two"), why);
			assert.deepEqual(rebootsOf("two", since), []);
			assert.ok(!scenario.fleet.marked.moments.some((each) => each.nodes.includes("two")));
		}

		async function beginsOnceItIsWell(): Promise<void> {
			await leaseRunsOut(scenario);
			const later = scenario.scheduler(settings);
			await endsWith(later, 0, /^settled rebooted=1 gave-up=0 stuck=0 waiting=0 held=0 /);
			assert.deepEqual(rebootsOf("two", since), ["pod"]);
			await assertTidy(scenario);
		}

		it("since its sentinel is silent: nothing new begins in its cluster", async () => {
			await newStory(scenario, { one: 20, two: 10 });
			const { fleet } = scenario;
			since = Date.now();
			fleet.node("one").set({ sentinelAfterReboot: "silent" });
			const scheduler = scenario.scheduler(settings);
			// Its label is still there, from before the boot: that is no new ask.
			await endsWith(scheduler, 0, /^settled rebooted=1 gave-up=0 stuck=0 waiting=2 held=0 /);
			assert.deepEqual(reasonsOf(scheduler, "one"), ["reportStale"]);
			await assertWaits(scheduler, /node one, rebooted lately, has a silent sentinel: nothing begins beside it until that is over, .*\(PROBATION\)/);
			fleet.node("one").set({ sentinel: "reports", sentinelAfterReboot: null });
			await untilServes(scenario, "sentinel", names.length);
			await beginsOnceItIsWell();
		});

		it("since it is not Ready any more: nothing new begins in its cluster", async () => {
			const { fleet } = scenario;
			await newStory(scenario, { one: 20 });
			since = Date.now();
			await endsWith(scenario.scheduler(settings), 0, /^settled rebooted=1 /);
			fleet.node("two").needReboot(waitsFor(10));
			fleet.node("one").set({ notReadyMs: 3_600_000 });
			fleet.node("one").reboot();
			await fleet.until("one is up and not Ready, and two asks", () => fleet.node("one").up && fleet.node("one").down && asks("two"));
			fleet.marked.moments.length = 0;
			await leaseRunsOut(scenario);
			const scheduler = scenario.scheduler(settings);
			await endsWith(scheduler, 0, /^settled rebooted=0 gave-up=0 stuck=0 waiting=1 held=0 /);
			await assertWaits(scheduler, /node one, rebooted lately, is not Ready/);
			fleet.node("one").set({ notReadyMs: 100 });
			fleet.node("one").reboot();
			await fleet.until("one is well", () => !fleet.node("one").down);
			await untilServes(scenario, "sentinel", names.length);
			await beginsOnceItIsWell();
		});

		function asks(node: string): boolean {
			return podsOf(scenario, "sentinel", node).some((pod) => pod.metadata.labels?.["aks-reboot-scheduler/reboot-required"] === "true");
		}
	});

	it("prints and stores no secret", async () => {
		await assertNoLeaks(scenario);
	});
});

function containersOf(pods: readonly Pod[]): string[] {
	return pods.flatMap((pod) => (pod.status.containerStatuses ?? []).flatMap((each) => each.containerID ?? []));
}
