// What the scheduler stands on goes away in the middle of a drain and of a reboot: the API server, its etcd, the table.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { leaseMs } from "../../lib/tick/lease.ts";
import { until as comesAbout } from "../waiting.ts";
import { assertNoLeaks, assertTidy, markOf, nodeOf, situation, waitsFor } from "./expectations.ts";
import type { NodeSettings } from "./kubelet-settings.ts";
import { recordsIn } from "./ledger-rows.ts";
import { conditionStatus } from "./objects.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { barePod } from "./workloads.ts";

/** Of each outage: a node that drains until its pod is let go, and one that is on its way down or up. */
const stories = ["api", "etcd", "table"] as const;
type Story = (typeof stories)[number];
const drains = (story: Story) => `${story}-drains`;
const boots = (story: Story) => `${story}-boots`;
const stuck = "stuck";
const next = "next";
const settings = { MAX_CONCURRENT: "3", DRAIN_TIMEOUT: "10m", REBOOT_TIMEOUT: "3m" };

let scenario: Scenario;

before(async () => {
	scenario = await startScenario({
		nodes: [...stories.flatMap((story) => [{ name: drains(story) }, { name: boots(story) }]), { name: stuck }, { name: next }],
		// Its pod stays Terminating until it is let go.
		workloads: stories.map((story) => barePod(`sticky-${story}`, { node: drains(story), stopMs: "never" })),
	});
	await scenario.fleet.until("every pod runs", () => scenario.fleet.pods().filter((pod) => pod.status?.phase === "Running").length >= 8 + stories.length);
});

after(async () => {
	await scenario?.stop();
});

/** A scheduler with one node in its drain and one that was rebooted and stays away, by the table and by the machines. */
async function inTheMiddle(story: Story, away: Partial<NodeSettings>, options: { readonly settings?: Record<string, string>; readonly goesOn?: boolean } = {}) {
	await leaseRunsOut();
	const { fleet } = scenario;
	fleet.node(boots(story)).set(away);
	for (const name of [drains(story), boots(story)]) fleet.node(name).needReboot(waitsFor(60));
	const scheduler = scenario.scheduler({ ...settings, ...options.settings }, { goesOn: options.goesOn === true });
	await until(scheduler, "its pod is leaving", () =>
		fleet.pods().some((pod) => pod.metadata.name === `sticky-${story}` && pod.metadata.deletionTimestamp !== undefined),
	);
	await until(scheduler, "the other is away", () => fleet.node(boots(story)).down && !fleet.node(boots(story)).up);
	const phases = new Map((await recordsIn(scenario)).map((each) => [each.node, each.phase]));
	assert.equal(phases.get(drains(story)), "draining");
	assert.equal(phases.get(boots(story)), "rebooting");
	return scheduler;
}

async function letGo(story: Story): Promise<void> {
	await scenario.controlPlane.kubectl("annotate", "pod", `sticky-${story}`, "simulated-kubelet/stop-ms=0", "--overwrite");
}

const until = (scheduler: Scheduler, what: string, holds: () => boolean): Promise<void> =>
	comesAbout(what, holds, {
		said: async () => `it said:\n${scheduler.story().slice(-6_000)}\n${await situation(scenario)}`,
		over: () => !scheduler.running,
	});

/** By the service's clock; those of the nodes go along with it. */
async function leaseRunsOut(): Promise<void> {
	await scenario.azurite.advance(leaseMs + 1_000);
	for (const name of scenario.fleet.names()) scenario.fleet.node(name).set({ clockOffsetMs: scenario.azurite.aheadMs });
}

function assertRebootedOnce(...names: readonly string[]): void {
	for (const name of names) {
		const reboots = scenario.fleet.reboots().filter((each) => each.node === name);
		assert.equal(reboots.length, 1, `reboots of ${name}`);
		assert.ok(reboots[0]?.toBootId !== null && reboots[0]?.toBootId !== reboots[0]?.fromBootId);
		assert.equal(scenario.fleet.node(name).signals, 1, `signals to PID 1 of ${name}`);
	}
}

async function assertSettled(scheduler: Scheduler, story: Story): Promise<void> {
	assert.equal(await scheduler.ended(), 0, `${scheduler.story().slice(-6_000)}\n${await situation(scenario)}`);
	assert.match(scheduler.lastLine, /^settled rebooted=2 gave-up=0 stuck=0 waiting=0 held=0 /);
	assertRebootedOnce(drains(story), boots(story));
	await assertTidy(scenario);
	assert.deepEqual(await recordsIn(scenario), []);
}

describe("the API server is killed in a drain and in a reboot", () => {
	it("is waited for, and both go on where they were", async () => {
		const scheduler = await inTheMiddle("api", { bootMs: 2_000 });
		await scenario.controlPlane.killApiServer();
		await until(scheduler, "it has failed to look", () => scheduler.told("tick.failed").length >= 2);
		await scenario.controlPlane.startApiServer();
		await letGo("api");
		await assertSettled(scheduler, "api");
	});
});

describe("etcd stands still for 20 s in a drain and in a reboot", () => {
	it("is waited for, and both go on where they were", async () => {
		const scheduler = await inTheMiddle("etcd", { bootMs: 2_000 });
		scenario.controlPlane.pauseEtcd();
		await delay(20_000);
		scenario.controlPlane.continueEtcd();
		await until(scheduler, "it has failed to look", () => scheduler.told("tick.failed").length >= 1);
		await until(scheduler, "it looks again", () => scheduler.lines.findLast((line) => line.event.startsWith("tick."))?.event === "tick.ended");
		await letGo("etcd");
		await assertSettled(scheduler, "etcd");
	});
});

describe("the table is deleted", () => {
	let scheduler: Scheduler;

	it("in a drain and in a reboot: the marked nodes are adopted, and finished", async () => {
		// Long enough that it is adopted while it is away.
		scheduler = await inTheMiddle("table", { bootMs: 8_000 });
		const marks = await Promise.all([drains("table"), boots("table")].map(async (name) => markOf(await nodeOf(scenario, name))));
		await scenario.deleteTables();
		const drained = await scheduler.says("reboot.adopted", { node: drains("table") });
		const booted = await scheduler.says("reboot.adopted", { node: boots("table") });
		assert.equal(drained.phase, "draining");
		assert.equal(booted.phase, "rebooting");
		assert.deepEqual(
			[drained.reboot, booted.reboot],
			marks.map((mark) => (JSON.parse(mark ?? "{}") as { record?: string }).record),
		);
		await letGo("table");
		await assertSettled(scheduler, "table");
	});

	it("while a node is stuck: it is adopted, still stuck, still cordoned, and what waits still waits", async () => {
		await leaseRunsOut();
		const machine = scenario.fleet.node(stuck);
		machine.set({ comesBack: "never" });
		machine.needReboot(waitsFor(60));
		const quick = { MAX_CONCURRENT: "1", REBOOT_TIMEOUT: "6s" };
		scheduler = scenario.scheduler({ ...settings, ...quick }, { goesOn: true });
		await scheduler.says("reboot.stuck", { node: stuck });
		await scenario.deleteTables();
		await scheduler.says("reboot.adopted", { node: stuck, phase: "rebooting" });
		await until(scheduler, "it is stuck again", () => scheduler.told("reboot.stuck", { node: stuck }).length === 2);
		await scheduler.kill();
		await leaseRunsOut();
		scenario.fleet.node(next).needReboot(waitsFor(90));
		scheduler = scenario.scheduler({ ...settings, ...quick });
		assert.equal(await scheduler.ended(), 1, scheduler.story().slice(-4_000));
		assert.match(scheduler.lastLine, /^settled rebooted=0 gave-up=0 stuck=1 waiting=1 held=0 /);
		const node = await nodeOf(scenario, stuck);
		assert.equal(node.spec.unschedulable, true);
		assert.notEqual(markOf(node), undefined);
		assert.notEqual(conditionStatus(node, "Ready"), "True");
		assert.equal((await nodeOf(scenario, next)).spec.unschedulable, undefined);
		assert.equal(scenario.fleet.node(next).signals, 0);
	});

	it("and when the stuck node comes back it is finished without a person, and the next one begins", async () => {
		await leaseRunsOut();
		scenario.fleet.node(stuck).powerOn();
		scheduler = scenario.scheduler(settings);
		assert.equal(await scheduler.ended(), 0, `${scheduler.story().slice(-6_000)}\n${await situation(scenario)}`);
		assert.equal(scheduler.told("reboot.ended", { node: stuck, end: "done" }).length, 1);
		assertRebootedOnce(stuck, next);
		await assertTidy(scenario);
	});

	it("nothing secret was printed or stored in all of this", async () => {
		await assertNoLeaks(scenario);
	});
});
