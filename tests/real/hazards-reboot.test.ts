// A reboot that is asked for and does not come about: the node is given back, and nothing of the ask is left that could fire later.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { assertNoLeaks, assertTidy, nodeOf, podsOf, rebootPodsLeft, waitsFor } from "./expectations.ts";
import { endOf, endsWith, reasonsOf } from "./journal-lines.ts";
import type { NodeSettings } from "./kubelet-settings.ts";
import type { Pod } from "./objects.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";

const hourMs = 3_600_000;
const rebootTimeoutMs = 24_000;
const settings = { REBOOT_TIMEOUT: "24s", MAX_CONCURRENT: "7" };

interface Trouble {
	readonly what: string;
	readonly settings: Partial<NodeSettings>;
	/** What becomes of the script on the node; null: it never ran. */
	readonly exitCode: number | null;
	/** What the sentence at the end has to say. */
	readonly named: RegExp;
}

const isRebootPod = (pod: Pod) => pod.metadata.labels?.app === "reboot";

const troubles: Readonly<Record<string, Trouble>> = {
	unpullable: {
		what: "its image cannot be pulled",
		settings: { unpullable: () => true },
		exitCode: null,
		named: /(ErrImagePull|ImagePullBackOff): failed to pull/,
	},
	full: {
		what: "the node is full",
		settings: { refuses: (pod) => (isRebootPod(pod) ? { reason: "OutOfpods", message: "Node didn't have enough resource: pods" } : null) },
		exitCode: null,
		named: /OutOfpods: Node didn't have enough resource: pods/,
	},
	fast: {
		what: "the node's clock is an hour ahead",
		settings: { clockOffsetMs: hourMs },
		exitCode: 12,
		named: /the node's clock says \d+, too late: not after \d+/,
	},
	slow: { what: "the node's clock is an hour behind", settings: { clockOffsetMs: -hourMs }, exitCode: 11, named: /too early: not before \d+/ },
	denied: { what: "the signal is refused", settings: { deniesSignal: true }, exitCode: 14, named: /the signal to PID 1 was refused/ },
	deaf: { what: "PID 1 ignores the signal", settings: { ignoresSignal: true }, exitCode: 0, named: /still the same boot/ },
};

describe("a reboot that is asked for and does not come about", () => {
	let scenario: Scenario;
	let scheduler: Scheduler;
	const bootIds = new Map<string, string>();

	before(async () => {
		const names = [...Object.keys(troubles), "away", "late"];
		scenario = await startScenario({ nodes: names.map((name, i) => ({ name, ...(name === "late" ? {} : { needsReboot: waitsFor(100 - i) }) })) });
		const { fleet } = scenario;
		for (const name of names) bootIds.set(name, fleet.node(name).bootId);
		for (const [name, trouble] of Object.entries(troubles)) fleet.node(name).set(trouble.settings);
		// Slow enough that its kubelet can be gone before the pod starts.
		fleet.node("away").set({ startMs: hourMs });
		scheduler = scenario.scheduler(settings);
		await scheduler.says("reboot.moved", { node: "away", to: "rebooting" });
		await fleet.until("a reboot pod waits on the node whose kubelet goes away", () => podsOf(scenario, "reboot", "away").length === 1);
		fleet.node("away").stopKubelet();
		await scheduler.ended();
		// All is well again: if anything were left that could fire, it would now.
		for (const name of Object.keys(troubles)) {
			fleet.node(name).set({ unpullable: () => false, refuses: () => null, clockOffsetMs: 0, deniesSignal: false, ignoresSignal: false });
		}
		fleet.node("away").set({ startMs: 0 });
		fleet.node("away").startKubelet();
	});

	after(async () => {
		await scenario?.stop();
	});

	it("is given up after its time, with every node back in service", async () => {
		await endsWith(scheduler, 0, /^settled rebooted=0 gave-up=7 stuck=0 waiting=7 held=0 /);
		await assertTidy(scenario);
		for (const node of [...Object.keys(troubles), "away"]) {
			assert.equal(endOf(scheduler, node).end, "gaveUp");
			assert.deepEqual(reasonsOf(scheduler, node), ["backingOff"]);
		}
	});

	for (const [node, { what, exitCode, named }] of Object.entries(troubles)) {
		it(`because ${what}: the reason says so`, async () => {
			assert.match(endOf(scheduler, node).message, named);
			const ran = scenario.fleet.rebootPods().filter((each) => each.node === node);
			assert.deepEqual([...new Set(ran.map((each) => each.exitCode))], exitCode === null ? [] : [exitCode]);
			assert.equal((await nodeOf(scenario, node)).status.nodeInfo.bootID, bootIds.get(node));
		});
	}

	it("is asked for twice, and not in the second half of its time", () => {
		for (const node of [...Object.keys(troubles), "away"]) {
			const made = creations(node);
			assert.deepEqual(
				made.map((each) => each.name),
				[1, 2].map((ask) => `reboot-${bootIds.get(node)}-${ask}`),
				node,
			);
			const [one, two] = made;
			assert.ok(
				one !== undefined && two !== undefined && two.at - one.at < rebootTimeoutMs / 2,
				`${node}: the second came ${Number(two?.at) - Number(one?.at)} ms later`,
			);
		}
		assert.equal(scenario.fleet.node("deaf").signals, 2);
	});

	it("does not come about later either, once what was in its way is gone", async () => {
		const { fleet } = scenario;
		// The kubelet of the node that was away has seen what there is for it.
		await fleet.until("its kubelet is back", () => podsOf(scenario, "sentinel", "away").some((pod) => fleet.node("away").serves(pod.metadata.uid)));
		assert.deepEqual(await rebootPodsLeft(scenario), []);
		assert.deepEqual(fleet.reboots(), []);
		assert.deepEqual(
			fleet.rebootPods().filter((each) => each.node === "away"),
			[],
		);
	});

	it("does not come about late where its pod stayed, since the scheduler died too", async () => {
		const { fleet } = scenario;
		const node = fleet.node("late");
		await scenario.deleteTables();
		for (const name of fleet.names()) fleet.node(name).needReboot(name === "late" ? waitsFor(5) : null);
		node.set({ startMs: hourMs });
		await fleet.until("only this one asks", () => asking().join() === "late");
		const first = scenario.scheduler(settings);
		await fleet.until("its reboot pod waits", () => podsOf(scenario, "reboot", "late").length === 1);
		node.stopKubelet();
		await first.kill();
		const [pod] = podsOf(scenario, "reboot", "late");
		assert.ok(pod !== undefined);
		await fleet.until("its interval is over", () => Date.now() > (notAfter(pod) + 2) * 1_000);
		node.set({ startMs: 0 });
		node.startKubelet();
		await fleet.until("the pod ran", () => fleet.rebootPods().some((each) => each.pod === pod.metadata.name));
		assert.deepEqual(
			fleet
				.rebootPods()
				.filter((each) => each.node === "late")
				.map((each) => each.exitCode),
			[12],
		);
		// Past the half of its time nothing is asked any more.
		const askedAt = Date.parse(first.told("reboot.moved", { node: "late", to: "rebooting" })[0]?.at ?? "");
		await fleet.until("half of its time is over", () => Date.now() > askedAt + rebootTimeoutMs / 2 + 1_000);
		const second = scenario.scheduler(settings);
		await endsWith(second, 0, /^settled rebooted=0 gave-up=1 /);
		assert.match(endOf(second, "late").message, /too late: not after/);
		assert.equal(node.signals, 0);
		assert.equal(creations("late").length, 1);
		await assertTidy(scenario);
	});

	it("prints and stores no secret", async () => {
		await assertNoLeaks(scenario);
	});

	/** Reboot pods that were really made for a node's first boot. */
	function creations(node: string): { name: string; at: number }[] {
		const names = [1, 2, 3].map((ask) => `reboot-${bootIds.get(node)}-${ask}`);
		return scenario.controlPlane
			.requests({ user: "scheduler", verb: "create", resource: "pods", namespace: "aks-reboot-scheduler", writes: true })
			.filter((line) => line.responseStatus?.code === 201 && names.includes(line.objectRef?.name ?? ""))
			.map((line) => ({ name: line.objectRef?.name ?? "", at: Date.parse(line.requestReceivedTimestamp) }));
	}

	function asking(): (string | undefined)[] {
		return scenario.fleet
			.pods()
			.filter((pod) => pod.metadata.labels?.["aks-reboot-scheduler/reboot-required"] === "true")
			.map((pod) => pod.spec.nodeName);
	}
});

/** Seconds since the epoch. */
function notAfter(pod: Pod): number {
	return Number(pod.spec.containers[0]?.env?.find((each) => each.name === "NOT_AFTER")?.value);
}
