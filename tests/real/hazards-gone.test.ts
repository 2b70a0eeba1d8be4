// What we stand on is taken away: nodes while they drain and reboot, and the namespace of the sentinel.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { assertNoLeaks, assertTidy, markOf, newStory, nodeOf, podsOf, rebootPodsLeft, untilServes, waitsFor } from "./expectations.ts";
import { endOf, endsWith } from "./journal-lines.ts";
import { applyShipped, type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { apply, barePod } from "./workloads.ts";

const settings = { MAX_CONCURRENT: "4", DRAIN_TIMEOUT: "10m", REBOOT_TIMEOUT: "2m" };
const drains = ["drains", "drains-anew"];
const reboots = ["reboots", "reboots-anew"];

describe("what is taken away", () => {
	let scenario: Scenario;

	before(async () => {
		const nodes = [...drains, ...reboots].map((name, i) => ({ name, needsReboot: waitsFor(100 - i) }));
		scenario = await startScenario({ nodes: [...nodes, { name: "behind", needsReboot: waitsFor(1) }, { name: "last" }] });
		for (const node of drains) await holdUp(node);
	});

	after(async () => {
		await scenario?.stop();
	});

	/** A pod that keeps the node in its drain. */
	async function holdUp(node: string): Promise<void> {
		await apply(scenario.controlPlane.api, barePod(`slow-${node}`, { node, stopMs: 3_600_000, graceSeconds: 7_200 }));
		await untilServes(scenario, `slow-${node}`, 1);
	}

	async function untilDrains(node: string): Promise<void> {
		const leaving = () => podsOf(scenario, `slow-${node}`, node).some((pod) => pod.metadata.deletionTimestamp !== undefined);
		await scenario.fleet.until(`${node} drains`, leaving);
	}

	function rebootsOf(node: string, since = 0): string[] {
		return scenario.fleet
			.reboots()
			.filter((each) => each.node === node && each.at >= since)
			.map((each) => each.cause);
	}

	describe("a node", () => {
		let scheduler: Scheduler;
		let replacedAt = 0;

		before(async () => {
			const { fleet } = scenario;
			// Asked for, and its pod waits: what would run on another node of that name is there.
			for (const node of reboots) fleet.node(node).set({ unpullable: () => true });
			scheduler = scenario.scheduler(settings);
			for (const node of drains) await untilDrains(node);
			for (const node of reboots) await fleet.until(`a reboot pod waits on ${node}`, () => podsOf(scenario, "reboot", node).length === 1);
			scheduler.child.kill("SIGSTOP");
			for (const node of [...drains, ...reboots]) await fleet.remove(node);
			for (const node of ["drains-anew", "reboots-anew"]) await fleet.add({ name: node });
			replacedAt = Date.now();
			scheduler.child.kill("SIGCONT");
			await scheduler.ended();
		});

		it("that is deleted while it drains or reboots frees its room: the next one is rebooted", async () => {
			await endsWith(scheduler, 0, /^settled rebooted=1 gave-up=0 stuck=0 waiting=[0-2] held=0 /);
			assert.deepEqual(rebootsOf("behind"), ["pod"]);
			for (const node of [...drains, ...reboots]) assert.equal(endOf(scheduler, node).end, "replaced", node);
			assert.match(endOf(scheduler, "drains").message, /the node is gone/);
			assert.match(endOf(scheduler, "reboots-anew").message, /another node has its name/);
		});

		it("of the same name that came instead is not touched", async () => {
			for (const name of ["drains-anew", "reboots-anew"]) {
				const node = await nodeOf(scenario, name);
				assert.equal(markOf(node), undefined);
				assert.equal(node.spec.unschedulable ?? false, false);
				assert.deepEqual(rebootsOf(name), []);
				assert.equal(scenario.fleet.node(name).signals, 0);
				const patched = scenario.controlPlane.requests({ user: "scheduler", verb: "patch", resource: "nodes", name, since: replacedAt });
				assert.deepEqual(patched, []);
			}
			assert.ok(!scenario.fleet.marked.moments.some((each) => each.at >= replacedAt && each.nodes.some((name) => name !== "behind")));
		});

		it("leaves no reboot pod behind", async () => {
			assert.deepEqual(await rebootPodsLeft(scenario), []);
			await assertTidy(scenario);
		});
	});

	describe("the sentinel's namespace", () => {
		let scheduler: Scheduler;
		let since = 0;
		const bootIds = new Map<string, string>();

		before(async () => {
			const { fleet, controlPlane } = scenario;
			// As the pod garbage collector would, in a minute.
			for (const pod of fleet.pods().filter((each) => ["drains", "reboots"].includes(each.spec.nodeName ?? ""))) {
				await controlPlane.api
					.delete(`/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}`, { gracePeriodSeconds: 0 })
					.catch(() => undefined);
			}
			await fleet.until("the new nodes report", () =>
				podsOf(scenario, "sentinel", "reboots-anew").some((pod) => fleet.node("reboots-anew").serves(pod.metadata.uid)),
			);
			await controlPlane.api.delete("/api/v1/namespaces/default/pods/slow-drains-anew", { gracePeriodSeconds: 0 }).catch(() => undefined);
			await fleet.until("it is gone", () => podsOf(scenario, "slow-drains-anew", "drains-anew").length === 0);
			await holdUp("drains-anew");
			await newStory(scenario, { "drains-anew": 30, "reboots-anew": 20, behind: 10, last: 5 });
			for (const name of fleet.names()) bootIds.set(name, fleet.node(name).bootId);
			since = Date.now();
			// Longer away than the deletion takes to begin. (Until its pods are gone the namespace keeps its DaemonSet.)
			fleet.node("reboots-anew").set({ bootMs: 6_000 });
			scheduler = scenario.scheduler({ ...settings, MAX_CONCURRENT: "2" });
			await untilDrains("drains-anew");
			await fleet.until("the other one is down", () => !fleet.node("reboots-anew").up);
			await controlPlane.kubectl("delete", "namespace", "aks-reboot-scheduler", "--wait=false");
			await scheduler.ended();
		});

		it("that is deleted brings a node that drains back, and one that was asked to its end", async () => {
			await endsWith(scheduler, 0, /^settled rebooted=1 gave-up=0 stuck=0 /);
			await assertTidy(scenario);
			assert.deepEqual(rebootsOf("drains-anew", since), []);
			assert.equal((await nodeOf(scenario, "drains-anew")).status.nodeInfo.bootID, bootIds.get("drains-anew"));
			assert.equal(endOf(scheduler, "drains-anew").end, "cancelled");
			assert.match(endOf(scheduler, "drains-anew").message, /the sentinel DaemonSet is not there/);
			assert.deepEqual(rebootsOf("reboots-anew", since), ["pod"]);
			assert.equal(endOf(scheduler, "reboots-anew").end, "done");
		});

		it("that is deleted makes nobody done, and nobody begin", () => {
			for (const node of ["behind", "last"]) {
				assert.deepEqual(scheduler.told("reboot.admitted", { node }), []);
				assert.deepEqual(rebootsOf(node, since), []);
				assert.ok(!scenario.fleet.marked.moments.some((each) => each.nodes.includes(node)));
			}
			assert.ok(scheduler.told("cluster.reason").some((line) => /the sentinel DaemonSet is not there/.test(line.message)));
		});

		it("that is there again lets all of them be rebooted", async () => {
			const { fleet, controlPlane } = scenario;
			await controlPlane.kubectl("wait", "--for=delete", "namespace/aks-reboot-scheduler", "--timeout=60s");
			await applyShipped(controlPlane);
			await controlPlane.api.delete("/api/v1/namespaces/default/pods/slow-drains-anew", { gracePeriodSeconds: 0 });
			await newStory(scenario, { "drains-anew": 30, behind: 10, last: 5 });
			assert.equal(fleet.node("reboots-anew").up, true);
			const later = scenario.scheduler(settings);
			await endsWith(later, 0, /^settled rebooted=3 gave-up=0 stuck=0 waiting=0 held=0 /);
			await assertTidy(scenario);
		});
	});

	it("prints and stores no secret", async () => {
		await assertNoLeaks(scenario);
	});
});
