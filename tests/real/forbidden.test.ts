// Whatever forbids new work begins nothing, and never keeps what is in flight from being brought back.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { actsOfScheduler, assertNoLeaks, assertTidy, newStory, untilServes } from "./expectations.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { emptyCluster, startStubApi } from "./stub-api.ts";
import { apply, barePod } from "./workloads.ts";

const minuteMs = 60_000;

describe("what forbids new work", () => {
	let scenario: Scenario;
	let stories = 0;

	before(async () => {
		const nodes = [
			...["a-1", "a-2", "a-3"].map((name) => ({ name, pool: "a" })),
			{ name: "b-1", pool: "b" },
			{ name: "c-1", pool: "c", annotations: { "aks-reboot-scheduler/hold": "INC-7, ask Ann" } },
		];
		scenario = await startScenario({ nodes });
	});

	after(async () => {
		await scenario?.stop();
	});

	function reboots(since: number): string[] {
		return scenario.fleet
			.reboots()
			.filter((each) => each.at >= since)
			.map((each) => each.node);
	}

	/** Looks and ends with 0 without doing a thing, in no more than a few looks. */
	async function looksOnly(settings: Readonly<Record<string, string>>): Promise<Scheduler> {
		const since = Date.now();
		const scheduler = scenario.scheduler(settings);
		assert.equal(await scheduler.ended(), 0, scheduler.story().slice(-4_000));
		assert.deepEqual(actsOfScheduler(scenario, since), [], "acts on the cluster");
		assert.ok(scenario.controlPlane.requests({ user: "scheduler", since }).length > 0, "it did look");
		assert.deepEqual(reboots(since), []);
		return scheduler;
	}

	function why(scheduler: Scheduler, node: string): string {
		return scheduler.told("node.waiting", { node }).at(-1)?.message ?? "";
	}

	const all = { "a-1": 60, "a-2": 50, "b-1": 40, "c-1": 30 };

	describe("begins nothing", () => {
		it("with DRY_RUN=true: it writes nothing, and says what it would begin and why not the others", async () => {
			await newStory(scenario, all);
			const since = Date.now();
			const scheduler = await looksOnly({ DRY_RUN: "true" });
			assert.deepEqual(scenario.controlPlane.requests({ user: "scheduler", writes: true, since }), [], "not even an event");
			assert.match(scheduler.lastLine, /^settled rebooted=0 gave-up=0 stuck=0 waiting=3 held=1 /);
			assert.match(why(scheduler, "a-1"), /it would begin now, but DRY_RUN is true/);
			assert.match(why(scheduler, "a-2"), /it is number 2 in line; a-1 is first; DRY_RUN is true/);
			assert.match(why(scheduler, "c-1"), /INC-7, ask Ann/);
			const tried = scenario.controlPlane.requests({ user: "scheduler", since }).filter((line) => line.requestURI.includes("dryRun=All"));
			assert.ok(tried.length > 0, "it tried whether the reboot pod would be accepted");
			await assertTidy(scenario);
		});

		it("while a cluster is on hold", async () => {
			await newStory(scenario, all);
			const scheduler = await looksOnly({ HOLD: "real=change freeze CHG0042" });
			assert.match(scheduler.lastLine, /waiting=0 held=4 /);
			assert.match(why(scheduler, "a-1"), /on hold by setting HOLD: change freeze CHG0042/);
		});

		it("while a pool is on hold, a node is annotated, a window is closed for the rest", async () => {
			await newStory(scenario, all);
			const scheduler = await looksOnly({ HOLD: "real/a=CHG1", MAINTENANCE_WINDOWS: `always; real/b=${windowFrom(3 * 60 * minuteMs, 60)}` });
			assert.match(scheduler.lastLine, /waiting=1 held=3 /);
			assert.match(why(scheduler, "a-2"), /on hold by setting HOLD: CHG1/);
			assert.match(why(scheduler, "c-1"), /on hold by its annotation: INC-7, ask Ann/);
			const opensAt = /its window is closed and opens at (\S+Z)/.exec(why(scheduler, "b-1"))?.[1] ?? "";
			const inMs = Date.parse(opensAt) - Date.now();
			assert.ok(inMs > 2.9 * 60 * minuteMs && inMs <= 3 * 60 * minuteMs, `opens at ${opensAt}`);
		});

		it("in a window that never opens, and in one of which too little is left", async () => {
			await newStory(scenario, all);
			const scheduler = await looksOnly({
				MAINTENANCE_WINDOWS: `${windowFrom(-20 * minuteMs, 30)}; real/b=never`,
				EXPECTED_DURATION: "25m",
				// b and c would not be told of a window beside a hold.
				HOLD: "real/c=none of this story",
			});
			assert.match(scheduler.lastLine, /waiting=3 held=1 /);
			assert.match(why(scheduler, "a-1"), /only (9|10) min of its window are left, and 25 min are needed/);
			assert.match(why(scheduler, "b-1"), /its window never opens/);
		});
	});

	/** A node that drains behind a slow pod, one that was asked and is away, and one that waits; then the scheduler is killed. */
	async function killedInFlight(settings: Readonly<Record<string, string>> = {}): Promise<{ since: number; bootId: string }> {
		const { fleet, controlPlane } = scenario;
		const pod = `slow-${++stories}`;
		await apply(controlPlane.api, barePod(pod, { node: "a-1", stopMs: 3_600_000, graceSeconds: 7_200 }));
		await untilServes(scenario, pod, 1);
		await newStory(scenario, { "a-1": 60, "a-2": 50, "a-3": 40 });
		const since = Date.now();
		const bootId = fleet.node("a-1").bootId;
		fleet.node("a-2").set({ comesBack: "never" });
		const first = scenario.scheduler({ MAX_CONCURRENT: "2", ...settings });
		await first.says("reboot.moved", { node: "a-2", to: "rebooting" });
		await fleet.until("a-2 is away", () => fleet.reboots().some((each) => each.node === "a-2" && each.at >= since) && !fleet.node("a-2").up);
		await fleet.until("a-1 drains", () => fleet.pods().some((each) => each.metadata.name === pod && each.metadata.deletionTimestamp !== undefined));
		await first.kill("SIGKILL");
		await scenario.expireLease();
		return { since, bootId };
	}

	/** The scheduler that follows brings a-1 back unrebooted, carries a-2 through, and begins nothing. */
	async function bringsBack(second: Scheduler, told: { since: number; bootId: string; exitCode: number; end: string }): Promise<void> {
		const { fleet, controlPlane } = scenario;
		await second.says("tick.ended", { cluster: "real" });
		fleet.node("a-2").powerOn();
		assert.equal(await second.ended(), told.exitCode, second.story().slice(-4_000));
		assert.deepEqual(reboots(told.since), ["a-2"]);
		assert.equal(fleet.node("a-1").bootId, told.bootId);
		assert.ok(
			fleet.marked.moments.every(({ nodes }) => !nodes.includes("a-3")),
			"a-3 was never begun",
		);
		await assertTidy(scenario);
		assert.equal(second.told("reboot.ended", { node: "a-1" })[0]?.end, told.end);
		assert.equal(second.told("reboot.ended", { node: "a-2" })[0]?.end, "done");
		await controlPlane.api.delete(`/api/v1/namespaces/default/pods/slow-${stories}`, { gracePeriodSeconds: 0 });
	}

	describe("brings back what drains and carries what was asked to its end", () => {
		it("when a hold arrives", async () => {
			const flight = await killedInFlight();
			const second = scenario.scheduler({ MAX_CONCURRENT: "2", HOLD: "real=stop" });
			await bringsBack(second, { ...flight, exitCode: 0, end: "cancelled" });
			assert.match(second.lastLine, /^settled rebooted=1 gave-up=0 stuck=0 waiting=0 held=2 /);
		});

		it("when its window is closed now", async () => {
			const flight = await killedInFlight();
			const second = scenario.scheduler({ MAX_CONCURRENT: "2", MAINTENANCE_WINDOWS: windowFrom(180 * minuteMs, 60) });
			await bringsBack(second, { ...flight, exitCode: 0, end: "gaveUp" });
			assert.match(second.lastLine, /^settled rebooted=1 gave-up=1 stuck=0 waiting=2 held=0 /);
		});

		it("when DRY_RUN is switched on", async () => {
			const flight = await killedInFlight();
			const second = scenario.scheduler({ MAX_CONCURRENT: "2", DRY_RUN: "true" });
			await bringsBack(second, { ...flight, exitCode: 0, end: "cancelled" });
			assert.match(second.lastLine, /^settled rebooted=1 gave-up=0 stuck=0 waiting=2 held=0 /);
		});

		it("when the settings are wrong now, and exits with 2 afterwards", async () => {
			const flight = await killedInFlight();
			const second = scenario.scheduler({ MAINTENANCE_WINDOWS: "Sat 02:00-06:00 Europe/Pariss", DRAIN_TIMEOUT: "soon" });
			await bringsBack(second, { ...flight, exitCode: 2, end: "cancelled" });
			for (const part of ["MAINTENANCE_WINDOWS", "Europe/Pariss", "DRAIN_TIMEOUT", "soon"]) assert.ok(second.output.includes(part), part);
		});

		it("when the cluster is no longer among those that are named", async () => {
			const flight = await killedInFlight();
			const other = await startStubApi(emptyCluster);
			try {
				const second = scenario.scheduler({ MAX_CONCURRENT: "2" }, { kubeconfig: withOther(scenario, other), contexts: ["other"] });
				await bringsBack(second, { ...flight, exitCode: 0, end: "cancelled" });
				assert.match(String(second.told("reboot.ended", { node: "a-1" })[0]?.message), /no longer in CLUSTERS/);
				assert.ok(other.requests.every((each) => each.startsWith("GET ")));
			} finally {
				await other.stop();
			}
		});
	});

	it("does not ask any more when a hold came between the ask and its pod, and gives the node back", async () => {
		const { fleet, controlPlane } = scenario;
		const role = "/apis/rbac.authorization.k8s.io/v1/namespaces/aks-reboot-scheduler/roles/aks-reboot-scheduler";
		const { rules } = await controlPlane.api.get<{ rules: { resources: string[] }[] }>(role);
		await apply(controlPlane.api, barePod("leaves", { node: "a-1", stopMs: 5_000 }));
		await untilServes(scenario, "leaves", 1);
		await newStory(scenario, { "a-1": 60 });
		const since = Date.now();
		const first = scenario.scheduler({ REBOOT_TIMEOUT: "20s" });
		await first.says("reboot.moved", { node: "a-1", to: "draining" });
		await controlPlane.api.patch(role, { rules: rules.filter((each) => !each.resources.includes("pods")) });
		await first.says("act.failed", { act: "ask" });
		await first.kill("SIGKILL");
		await controlPlane.api.patch(role, { rules });
		await scenario.expireLease();
		const second = scenario.scheduler({ HOLD: "real=stop" });
		assert.equal(await second.ended(), 0, second.story().slice(-4_000));
		assert.deepEqual(reboots(since), []);
		assert.deepEqual(
			fleet.rebootPods().filter((each) => each.at >= since),
			[],
			"reboot pods that ran",
		);
		assert.equal(second.told("reboot.ended", { node: "a-1" })[0]?.end, "gaveUp");
		assert.deepEqual(second.told("invariant.violated"), []);
		await assertTidy(scenario);
	});

	it("prints and stores no secret", async () => {
		await assertNoLeaks(scenario);
	});
});

/** A daily window that opens so long from now (a negative time: it did already) and has that many minutes. */
function windowFrom(ms: number, minutes: number): string {
	return `daily ${new Date(Date.now() + ms).toISOString().slice(11, 16)}+${minutes}m`;
}

/** The kubeconfig of the scheduler with a second context. */
function withOther(scenario: Scenario, other: { readonly url: string; readonly caData: string }): string {
	const file = scenario.controlPlane.kubeconfig(join(scenario.dir, "two"), { context: "real", user: "scheduler" });
	const config = JSON.parse(readFileSync(file, "utf8")) as { clusters: unknown[]; contexts: unknown[] };
	config.clusters.push({ name: "other", cluster: { server: other.url, "certificate-authority-data": other.caData } });
	config.contexts.push({ name: "other", context: { cluster: "other", user: "scheduler" } });
	writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
	return file;
}
