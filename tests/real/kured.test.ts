// kured's own end-to-end tests by their names, on a real control plane with simulated kubelets; and those of its defects, E1 to E17, that no
// other live test shows. kured runs each of its tests by the command and by the signal, on two versions of Kubernetes: ours has one way to
// reboot, the signal, and runs on the version that KUBEBUILDER_ASSETS holds.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { readRunNote } from "../../lib/local/run-note.ts";
import { assertNoLeaks, assertTidy, newStory, nodeOf, podsOf, untilServes, waitsFor } from "./expectations.ts";
import { endOf, endsWith } from "./journal-lines.ts";
import { defects } from "./kured-defects.ts";
import { conditionStatus } from "./objects.ts";
import { type Scenario, startScenario } from "./scenario.ts";
import { apply, barePod, budget } from "./workloads.ts";

/** As kind names them. */
const controlPlaneNode = "control-plane";
const workers = ["worker", "worker2"] as const;
const both = { worker: 20, worker2: 10 };

describe("kured's end-to-end tests", () => {
	let scenario: Scenario;

	before(async () => {
		scenario = await startScenario({ nodes: [{ name: controlPlaneNode, mode: "system" }, ...workers.map((name) => ({ name }))] });
	});

	after(async () => {
		await scenario?.stop();
	});

	/** Each worker was cordoned, rebooted once by a signal of its pod to PID 1, and is in service as it was before. */
	async function rebootsBoth(maxConcurrent: string, cordonedByHand: readonly string[] = []): Promise<void> {
		const { fleet, controlPlane } = scenario;
		const since = Date.now();
		const signalsBefore = workers.map((name) => fleet.node(name).signals);
		const scheduler = scenario.scheduler({ MAX_CONCURRENT: maxConcurrent });
		await endsWith(scheduler, 0, /^settled rebooted=2 gave-up=0 stuck=0 waiting=0 held=0 /);
		const reboots = fleet.reboots().filter((each) => each.at >= since);
		assert.deepEqual(reboots.map((each) => each.node).sort(), [...workers]);
		assert.ok(reboots.every((each) => each.cause === "pod" && each.toBootId !== null && each.toBootId !== each.fromBootId));
		assert.deepEqual(
			workers.map((name) => fleet.node(name).signals),
			signalsBefore.map((signals) => signals + 1),
		);
		for (const name of workers)
			assert.ok(
				fleet.unavailable.moments.some((each) => each.nodes.includes(name)),
				`${name} was seen cordoned`,
			);
		const shown = await controlPlane.kubectl("get", "nodes");
		for (const name of workers) assert.match(shown, new RegExp(`^${name} +Ready${cordonedByHand.includes(name) ? ",SchedulingDisabled" : ""} `, "m"));
		await assertTidy(scenario, cordonedByHand);
	}

	/** Whether the sentinel's file, and with it the label, is there. */
	function asks(node: string): boolean {
		return podsOf(scenario, "sentinel", node).some((pod) => pod.metadata.labels?.["aks-reboot-scheduler/reboot-required"] === "true");
	}

	describe("RebootCommand, RebootSignal", () => {
		/** Whether the worker was Ready when its cordon went. */
		let readyAtUncordon: boolean | null = null;
		let wasUpAndNotReady = false;

		it("RebootCommand, RebootSignal (current and previous): both workers are cordoned, rebooted and recovered, one after the other", async () => {
			await newStory(scenario, both);
			const { fleet } = scenario;
			fleet.node("worker").set({ notReadyMs: 3_000 });
			const rebootedBefore = fleet.node("worker").reboots.length;
			const watch = setInterval(() => {
				const node = fleet.nodeObjects().find((each) => each.metadata.name === "worker");
				if (node === undefined || fleet.node("worker").reboots.length === rebootedBefore || !fleet.node("worker").up) return;
				const ready = conditionStatus(node, "Ready") === "True";
				wasUpAndNotReady ||= !ready;
				if (node.spec.unschedulable !== true) readyAtUncordon ??= ready;
			}, 20);
			try {
				await rebootsBoth("1");
			} finally {
				clearInterval(watch);
				fleet.node("worker").set({ notReadyMs: 200 });
			}
			assert.equal(fleet.marked.max(), 1);
			assert.equal(fleet.maxDown(), 1);
		});

		it("E13: a node that is up and not Ready is not given back", () => {
			assert.equal(wasUpAndNotReady, true, "it was up before it was Ready");
			assert.equal(readyAtUncordon, true);
		});
	});

	it("ConcurrentRebootCommand, ConcurrentRebootSignal (current and previous): both at once, and never more than the two", async () => {
		await newStory(scenario, both);
		await rebootsBoth("2");
		assert.equal(scenario.fleet.marked.max(), 2, "room for two, and it was used");
	});

	for (const [name, maxConcurrent] of [
		["CordonningIsKeptWithoutConcurrency", "1"],
		["CordonningIsKeptWithConcurrency", "2"],
	] as const) {
		it(`${name}: the worker that was cordoned by hand is rebooted and stays cordoned`, async () => {
			await newStory(scenario, both);
			await scenario.controlPlane.kubectl("cordon", "worker");
			await rebootsBoth(maxConcurrent, ["worker"]);
			assert.equal(asks("worker"), false, "its sentinel does not ask any more");
			await scenario.controlPlane.kubectl("uncordon", "worker");
		});
	}

	describe("RebootBlockedPodblocker", () => {
		let since = 0;
		const bootIds = new Map<string, string>();

		// A budget does what kured's label does: of the pods that must not be disturbed it names each, and when.
		before(async () => {
			const { fleet, controlPlane } = scenario;
			for (const node of workers) {
				await apply(controlPlane.api, barePod(`blocker-${node}`, { node }), budget(`blocker-${node}`, { maxUnavailable: 0 }));
				await untilServes(scenario, `blocker-${node}`, 1);
			}
			await newStory(scenario, both);
			await controlPlane.kubectl("cordon", "worker2");
			for (const node of workers) bootIds.set(node, fleet.node(node).bootId);
			since = Date.now();
			blocked = scenario.scheduler({ MAX_CONCURRENT: "2", DRAIN_TIMEOUT: "14s" });
			await endsWith(blocked, 0, /^settled rebooted=0 gave-up=2 stuck=0 waiting=2 held=0 /);
		});

		let blocked: ReturnType<Scenario["scheduler"]>;

		it("RebootBlockedPodblocker: the pod that blocks is named, and its node is neither rebooted nor left cordoned", async () => {
			assert.match(endOf(blocked, "worker").message, /pod default\/blocker-worker is kept by budget blocker-worker/);
			for (const node of workers) {
				assert.equal((await nodeOf(scenario, node)).status.nodeInfo.bootID, bootIds.get(node), node);
				assert.equal(podsOf(scenario, `blocker-${node}`, node)[0]?.metadata.deletionTimestamp, undefined);
			}
			assert.notEqual((await nodeOf(scenario, "worker")).spec.unschedulable, true);
		});

		it("E5: a drain that fails leaves a person's cordon", async () => {
			assert.equal(endOf(blocked, "worker2").end, "gaveUp");
			await assertTidy(scenario, ["worker2"]);
		});

		it("E8: an eviction that a budget refuses is not sent again within five seconds", () => {
			const sent = scenario.controlPlane.requests({ user: "scheduler", verb: "create", subresource: "eviction", name: "blocker-worker", since });
			const at = sent.map((line) => Date.parse(line.requestReceivedTimestamp));
			assert.ok(at.length >= 2 && sent.every((line) => line.responseStatus?.code === 429), `${at.length} evictions`);
			const gaps = at.slice(1).map((each, i) => each - (at[i] ?? 0));
			// The service's clock, by which the wait is reckoned, tells whole seconds.
			assert.ok(Math.min(...gaps) >= 4_000, `milliseconds between them: ${gaps.join(", ")}`);
		});

		after(async () => {
			const { controlPlane } = scenario;
			await controlPlane.kubectl("uncordon", "worker2");
			for (const node of workers) {
				await controlPlane.api.delete(`/apis/policy/v1/namespaces/default/poddisruptionbudgets/blocker-${node}`);
				await controlPlane.api.delete(`/api/v1/namespaces/default/pods/blocker-${node}`, { gracePeriodSeconds: 0 });
			}
		});
	});

	it("E7: MAX_CONCURRENT goes from 1 to 2 and back with reboots in flight, and the pause holds", async () => {
		const { fleet, controlPlane } = scenario;
		const all = [...workers, controlPlaneNode];
		for (const node of all) await apply(controlPlane.api, barePod(`slow-${node}`, { node, stopMs: 3_600_000, graceSeconds: 7_200 }));
		for (const node of all) await untilServes(scenario, `slow-${node}`, 1);
		await newStory(scenario, { ...both, [controlPlaneNode]: 5 });
		const drains = (node: string): boolean => podsOf(scenario, `slow-${node}`, node).some((pod) => pod.metadata.deletionTimestamp !== undefined);
		const marked = (): readonly string[] => fleet.marked.moments.at(-1)?.nodes ?? [];
		const next = async (settings: Readonly<Record<string, string>>) => {
			await Promise.all(scenario.schedulers.map((each) => each.kill()));
			await scenario.expireLease();
			return scenario.scheduler({ DRAIN_TIMEOUT: "10m", ...settings });
		};

		const one = scenario.scheduler({ DRAIN_TIMEOUT: "10m", MAX_CONCURRENT: "1" });
		await fleet.until("the first one drains", () => drains("worker"));
		assert.equal(one.running, true);
		const paused = await next({ MAX_CONCURRENT: "2", HOLD: "*=pause" });
		await endsWith(paused, 0, /^settled rebooted=0 gave-up=0 stuck=0 waiting=0 held=3 /);
		assert.deepEqual(paused.told("reboot.admitted"), [], "nothing begins in the pause");
		assert.deepEqual(marked(), [], "and what had not been asked for was brought back");

		await next({ MAX_CONCURRENT: "2" });
		await fleet.until("two drain", () => workers.every(drains) && marked().length === 2);
		fleet.marked.moments.length = 0;
		const last = await next({ MAX_CONCURRENT: "1" });
		await last.says("tick.ended");
		for (const node of all) await controlPlane.api.delete(`/api/v1/namespaces/default/pods/slow-${node}`, { gracePeriodSeconds: 0 });
		await endsWith(last, 0, /^settled rebooted=3 gave-up=0 stuck=0 waiting=0 held=0 /);
		const withThird = fleet.marked.moments.filter((each) => each.nodes.includes(controlPlaneNode));
		assert.deepEqual([...new Set(withThird.map((each) => each.nodes.length))], [1], "the third begins alone");
		for (const node of all) assert.equal(endOf(last, node).end, "done");
		await assertTidy(scenario);
	});

	it("test-metrics.sh 0, test-metrics.sh 1: the gauge kured_reboot_required tells of a worker once it asks", async () => {
		await newStory(scenario, {});
		const scheduler = scenario.scheduler({ MAINTENANCE_WINDOWS: "never", TICK_SCHEDULE: "*/2 * * * * *" }, { goesOn: true });
		await scheduler.says("tick.ended");
		const gauge = async (): Promise<string> => {
			const note = readRunNote(join(scenario.dir, ".local"));
			assert.ok(note, "the scheduler has left a note of its pages");
			const text = await (await fetch(new URL("metrics?kured=true", note.url))).text();
			assert.match(text, /^# TYPE kured_reboot_required gauge$/m);
			return text
				.split("\n")
				.filter((line) => line.startsWith("kured_reboot_required{"))
				.join("\n");
		};
		// kured's pod on a node says 0; whoever looks from outside names those that ask.
		assert.equal(await gauge(), "");
		scenario.fleet.node("worker").needReboot(waitsFor(1));
		await scheduler.says("node.waiting", { node: "worker" });
		for (const endsAt = Date.now() + 180_000; (await gauge()) === ""; ) assert.ok(Date.now() < endsAt, "the page does not tell of it");
		assert.equal(await gauge(), 'kured_reboot_required{cluster="real",node="worker"} 1');
		await scheduler.kill("SIGTERM");
	});

	it("each defect of kured has a live test, which exists", () => {
		const ids = new Set(defects.map((each) => each.id));
		assert.deepEqual(
			[...ids],
			Array.from({ length: 17 }, (_each, i) => `E${i + 1}`),
		);
		for (const { id, file, test } of defects) {
			// The name of one of the two that are one test for two settings.
			const title = test.replace(/^CordonningIsKept\w+: /, "");
			assert.ok(readFileSync(join(import.meta.dirname, file), "utf8").includes(title), `${id}: ${file} has no test "${test}"`);
		}
	});

	it("prints and stores no secret", async () => {
		await assertNoLeaks(scenario);
	});
});
