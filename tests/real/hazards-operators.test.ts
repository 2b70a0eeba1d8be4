// People do things to nodes that we hold: what they want wins, and what is theirs stays theirs.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { assertNoLeaks, assertTidy, cordonManagers, leaseRunsOut, markOf, nodeOf, podsOf, untilServes, waitsFor } from "./expectations.ts";
import { endOf, endsWith, reasonsOf } from "./journal-lines.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { apply, barePod, rebootPod } from "./workloads.ts";

/** Those that a slow pod keeps in their drain, until somebody has done something to them. */
const draining = ["uncordoned", "recordoned", "unmarked", "by-hand", "not-asked", "silent"];
/** Those whose reboot has been asked for by then. */
const asked = ["uncordoned-late", "unmarked-late"];
const kubectlCordons = /^kubectl/;

describe("people who do something to a node that we hold", () => {
	let scenario: Scenario;
	let scheduler: Scheduler;
	const bootIds = new Map<string, string>();

	before(async () => {
		const nodes = [...draining, ...asked].map((name, i) => ({ name, needsReboot: waitsFor(100 - i) }));
		scenario = await startScenario({
			nodes: [...nodes, { name: "behind", needsReboot: waitsFor(1) }],
			workloads: draining.map((node) => barePod(slowPodOf(node), { node, stopMs: 3_600_000, graceSeconds: 7_200 })),
		});
		const { fleet } = scenario;
		for (const node of draining) await untilServes(scenario, slowPodOf(node), 1);
		for (const name of fleet.names()) bootIds.set(name, fleet.node(name).bootId);
		// Long enough on its way down for a person to do something.
		fleet.node("uncordoned-late").set({ shutdownMs: 8_000 });
		fleet.node("unmarked-late").set({ unpullable: () => true });
		fleet.node("silent").set({ sentinelAfterReboot: "reports" });
		scheduler = scenario.scheduler({ MAX_CONCURRENT: String(nodes.length), DRAIN_TIMEOUT: "10m", REBOOT_TIMEOUT: "2m" });
		await Promise.all([
			// Beside the others: it is down for a moment only.
			uncordonsAfterTheAsk("uncordoned-late"),
			takesOverAfterTheAsk("unmarked-late"),
			inTurn(),
		]);
		await scheduler.ended();
	});

	after(async () => {
		await scenario?.stop();
	});

	const kubectl = (...args: string[]) => scenario.controlPlane.kubectl(...args);

	async function inTurn(): Promise<void> {
		const { fleet } = scenario;
		for (const node of draining)
			await fleet.until(`${node} drains`, () => podsOf(scenario, slowPodOf(node), node)[0]?.metadata.deletionTimestamp !== undefined);
		await uncordons("uncordoned");
		await uncordonsAndCordonsAgain("recordoned");
		await runsTheCommandOfTheEvent("unmarked");
		fleet.node("by-hand").reboot();
		fleet.node("not-asked").needReboot(null);
		await fallsSilentAndDrains("silent");
	}

	async function uncordons(node: string): Promise<void> {
		await kubectl("uncordon", node);
	}

	/** Between two looks: nobody saw it uncordoned. */
	async function uncordonsAndCordonsAgain(node: string): Promise<void> {
		scheduler.child.kill("SIGSTOP");
		try {
			await kubectl("uncordon", node);
			await kubectl("cordon", node);
		} finally {
			scheduler.child.kill("SIGCONT");
		}
	}

	async function runsTheCommandOfTheEvent(node: string): Promise<void> {
		const { message } = await scheduler.says("reboot.moved", { node, to: "draining" });
		const command = /kubectl (annotate node \S+ \S+)/.exec(message)?.[1];
		assert.ok(command !== undefined, message);
		await kubectl(...command.split(" "));
	}

	async function uncordonsAfterTheAsk(node: string): Promise<void> {
		await scenario.fleet.until(`${node} goes down`, () => scenario.fleet.node(node).down);
		await kubectl("uncordon", node);
	}

	/** Its reboot pod is there and cannot start. */
	async function takesOverAfterTheAsk(node: string): Promise<void> {
		await scenario.fleet.until("a reboot pod waits for its image", () => podsOf(scenario, "reboot", node).length === 1);
		await kubectl("annotate", "node", node, "aks-reboot-scheduler/reboot-");
	}

	async function fallsSilentAndDrains(node: string): Promise<void> {
		const { fleet, controlPlane } = scenario;
		fleet.node(node).set({ sentinel: "silent" });
		await fleet.until("its sentinel is not ready", () => podsOf(scenario, "sentinel", node).every((pod) => !fleet.node(node).serves(pod.metadata.uid)));
		await scheduler.says("tick.ended", { silent: 1 });
		await controlPlane.api.delete(`/api/v1/namespaces/default/pods/${slowPodOf(node)}`, { gracePeriodSeconds: 0 });
	}

	async function state(node: string): Promise<{ cordoned: boolean; marked: boolean; sameBoot: boolean; rebooted: string[] }> {
		const found = await nodeOf(scenario, node);
		return {
			cordoned: found.spec.unschedulable === true,
			marked: markOf(found) !== undefined,
			sameBoot: found.status.nodeInfo.bootID === bootIds.get(node),
			rebooted: scenario.fleet
				.reboots()
				.filter((each) => each.node === node)
				.map((each) => each.cause),
		};
	}

	const untouched = { marked: false, sameBoot: true, rebooted: [] };
	const rebootedByUs = { cordoned: false, marked: false, sameBoot: false, rebooted: ["pod"] };

	it("leaves no other node waiting, and ends well", async () => {
		await endsWith(scheduler, 0, /^settled rebooted=3 gave-up=0 stuck=0 waiting=4 held=0 /);
		assert.deepEqual(await state("behind"), rebootedByUs);
		await assertTidy(scenario, ["recordoned", "unmarked", "unmarked-late"]);
	});

	it("who uncordons while it drains has a veto: nothing of ours stays, and it is not taken again at once", async () => {
		assert.deepEqual(await state("uncordoned"), { ...untouched, cordoned: false });
		assert.equal(endOf(scheduler, "uncordoned").end, "cancelled");
		assert.deepEqual(reasonsOf(scheduler, "uncordoned"), ["backingOff"]);
	});

	for (const [node, what] of [
		["recordoned", "uncordons it and cordons it again"],
		["unmarked", "removes the mark with the command that we told"],
	] as const) {
		it(`who ${what} has the node, and its cordon`, async () => {
			assert.deepEqual(await state(node), { ...untouched, cordoned: true });
			assert.equal(endOf(scheduler, node).end, "released");
			assert.ok(reasonsOf(scheduler, node).includes("takenOver"), reasonsOf(scheduler, node).join());
			assert.equal(scheduler.told("reboot.admitted", { node }).length, 1);
		});
	}

	it("who cordons it again is the cordon's manager afterwards", async () => {
		const managers = cordonManagers(await nodeOf(scenario, "recordoned"));
		assert.ok(managers.length > 0 && managers.every((each) => kubectlCordons.test(each)), managers.join());
	});

	it("who removes the mark while a reboot pod waits has the node: the pod is deleted, and nothing reboots it", async () => {
		scenario.fleet.node("unmarked-late").set({ unpullable: () => false });
		assert.deepEqual(podsOf(scenario, "reboot", "unmarked-late"), []);
		assert.deepEqual(await state("unmarked-late"), { ...untouched, cordoned: true });
		assert.equal(endOf(scheduler, "unmarked-late").end, "released");
	});

	it("who uncordons once it was asked for does not stop it: it goes on, and the mark is removed at the end", async () => {
		assert.deepEqual(await state("uncordoned-late"), rebootedByUs);
		assert.equal(endOf(scheduler, "uncordoned-late").end, "done");
	});

	it("who reboots it by hand while it drains has done our work: it is not rebooted again", async () => {
		assert.deepEqual(await state("by-hand"), { cordoned: false, marked: false, sameBoot: false, rebooted: ["byHand"] });
		assert.equal(endOf(scheduler, "by-hand").end, "notNeeded");
	});

	it("who removes reboot-required while it drains keeps it from being rebooted", async () => {
		assert.deepEqual(await state("not-asked"), { ...untouched, cordoned: false });
		assert.equal(endOf(scheduler, "not-asked").end, "notNeeded");
	});

	it("a sentinel that falls silent while its node drains changes nothing: its last report stands", async () => {
		assert.deepEqual(await state("silent"), rebootedByUs);
		assert.equal(endOf(scheduler, "silent").end, "done");
	});

	it("a later scheduler leaves alone what was taken over, and deletes a reboot pod that was made too late to be known of", async () => {
		const { controlPlane, fleet } = scenario;
		const name = `reboot-${fleet.node("behind").bootId}-1`;
		const anHourAgo = Math.floor(Date.now() / 1000) - 3_600;
		await apply(controlPlane.api, rebootPod({ node: "behind", bootId: fleet.node("behind").bootId, notBefore: anHourAgo, notAfter: anHourAgo + 300 }));
		await fleet.until("it has looked and ended", () => fleet.pods().some((pod) => pod.metadata.name === name && pod.status.phase === "Failed"));
		const since = Date.now();
		await leaseRunsOut(scenario);
		const later = scenario.scheduler({ MAX_CONCURRENT: "9" });
		await endsWith(later, 0, /^settled rebooted=0 /);
		const acts = controlPlane.requests({ user: "scheduler", acts: true, since });
		assert.deepEqual(
			acts.map(({ verb, objectRef }) => [verb, objectRef?.resource, objectRef?.name]),
			[["delete", "pods", name]],
		);
		await assertTidy(scenario, ["recordoned", "unmarked", "unmarked-late"]);
	});

	it("prints and stores no secret", async () => {
		await assertNoLeaks(scenario);
	});
});

function slowPodOf(node: string): string {
	return `slow-${node}`;
}
