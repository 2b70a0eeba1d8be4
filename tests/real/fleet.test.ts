// The main job, end to end: five nodes that wait, and one command.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TableClient } from "@azure/data-tables";
import type { AuditLine } from "./audit.ts";
import { assertNoLeaks, assertTidy, cordonManagers, nodeOf, waitsFor } from "./expectations.ts";
import type { BudgetWatch } from "./observers.ts";
import { type Line, type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { barePod, daemonSet, deployment, statefulSet } from "./workloads.ts";

const names = ["work-1", "work-2", "work-3", "system-1", "system-2"];
/** work-2 waits longest; a system pool comes last, however long it waits. */
const expectedOrder = ["work-2", "work-1", "work-3", "system-2", "system-1"];
const cordonedByOperator = "work-3";
/** The scheduler's own share of a reboot, at most. */
const overheadMsMax = 20_000;

describe("five nodes in two pools, rebooted by one command", () => {
	let scenario: Scenario;
	let budgets: BudgetWatch;
	let scheduler: Scheduler;
	let exitCode: number | null;
	const during = { nodes: "", wideBefore: "" };

	before(async () => {
		const work = { pool: "work", kernelVersion: "5.15.0-1081-azure" } as const;
		const system = { pool: "system", mode: "system", kernelVersion: "5.15.0-1081-azure" } as const;
		scenario = await startScenario({
			nodes: [
				{ name: "work-1", ...work, needsReboot: waitsFor(60) },
				// Long enough away for a person to see it.
				{ name: "work-2", ...work, needsReboot: waitsFor(120), settings: { bootMs: 4_000 } },
				{ name: "work-3", ...work, needsReboot: waitsFor(10) },
				{ name: "system-1", ...system, needsReboot: waitsFor(1_000) },
				{ name: "system-2", ...system, needsReboot: waitsFor(2_000) },
			],
			workloads: [
				deployment("web", 4, { budget: { maxUnavailable: 1 }, stopMs: 300, emptyDir: true }),
				statefulSet("db", 3, { budget: { minAvailable: 2 }, stopMs: 500 }),
				daemonSet("agent"),
				barePod("alone", { node: "work-1" }),
			],
		});
		const { fleet, controlPlane } = scenario;
		const ready = (app: string) =>
			fleet.pods().filter((pod) => pod.metadata.labels?.app === app && fleet.node(pod.spec.nodeName ?? "").serves(pod.metadata.uid)).length;
		await fleet.until("the workloads serve", () => ready("web") === 4 && ready("db") === 3 && ready("agent") === 5 && ready("alone") === 1);
		await controlPlane.kubectl("cordon", cordonedByOperator);
		await fleet.until("the cordon is seen", () =>
			fleet.nodeObjects().some((node) => node.metadata.name === cordonedByOperator && node.spec.unschedulable === true),
		);
		fleet.unavailable.moments.length = 0;
		during.wideBefore = await controlPlane.kubectl("get", "nodes", "-o", "wide");
		budgets = fleet.watchBudgets();
		scheduler = scenario.scheduler();
		await scheduler.says("reboot.moved", { node: "work-2", to: "rebooting" });
		await fleet.until("work-2 is away", () => fleet.node("work-2").down);
		during.nodes = await controlPlane.kubectl("get", "nodes");
		exitCode = await scheduler.ended();
	});

	after(async () => {
		await scenario?.stop();
	});

	it("ends with exit code 0 and a line that counts", () => {
		assert.equal(exitCode, 0, scheduler.story().slice(-4_000));
		assert.match(scheduler.lastLine, /^settled rebooted=5 gave-up=0 stuck=0 waiting=0 held=0 in \d+ (s|min)$/);
	});

	it("ends each boot once, by its own pod, longest waiting first and the system pool last", () => {
		const reboots = scenario.fleet.reboots();
		assert.deepEqual(
			reboots.map((each) => each.node),
			expectedOrder,
		);
		assert.ok(reboots.every((each) => each.cause === "pod" && each.toBootId !== null && each.toBootId !== each.fromBootId));
		for (const name of names) assert.equal(scenario.fleet.node(name).signals, 1, `signals to PID 1 of ${name}`);
	});

	it("never has two nodes away, marked or cordoned because of us", () => {
		assert.equal(scenario.fleet.maxDown(), 1);
		assert.equal(scenario.fleet.marked.max(), 1);
		assert.equal(scenario.fleet.unavailable.max([cordonedByOperator]), 1);
	});

	it("never breaks a budget", () => {
		assert.deepEqual(budgets.broken, []);
		// Watched, and they were put to use: each lost as many as it allows.
		assert.equal(budgets.lowest("default/web"), 3);
		assert.equal(budgets.lowest("default/db"), 2);
	});

	it("leaves the operator's cordon to the operator", async () => {
		const node = await nodeOf(scenario, cordonedByOperator);
		assert.equal(node.spec.unschedulable, true);
		const managers = cordonManagers(node);
		assert.ok(managers.length > 0 && managers.every((manager) => manager.startsWith("kubectl")), `managers of the cordon: ${managers.join(", ")}`);
	});

	it("shows in kubectl what happens: SchedulingDisabled meanwhile, another kernel afterwards", async () => {
		assert.match(during.nodes, /^work-2 .*SchedulingDisabled/m);
		assert.doesNotMatch(during.nodes, /^work-1 .*SchedulingDisabled/m);
		const wide = await scenario.controlPlane.kubectl("get", "nodes", "-o", "wide");
		for (const name of names) {
			assert.match(during.wideBefore, new RegExp(`^${name} .*5\\.15\\.0-1081-azure`, "m"));
			assert.match(wide, new RegExp(`^${name} .*5\\.15\\.0-1082-azure`, "m"));
		}
	});

	it("tells each reboot's whole story in kubectl describe node, in its order", async (context) => {
		for (const name of names) {
			const told = (await scenario.controlPlane.kubectl("describe", "node", name)).split("\nEvents:")[1] ?? "";
			const ours = told.split("\n").filter((line) => line.includes(" aks-reboot-scheduler "));
			const reasons = ours.map((line) => line.trim().split(/ +/)[1]);
			if (name === "work-1") for (const line of told.split("\n")) context.diagnostic(line);
			const [cordoned, uncordoned] = name === cordonedByOperator ? ["Cordoned", "LeftCordoned"] : ["Cordoned", "Uncordoned"];
			const steps = [cordoned, "Draining", "RebootRequested", "Rebooted", "Rejoined", uncordoned];
			assert.deepEqual(
				reasons.filter((reason) => reason !== "RebootRequired" && reason !== "EvictionBlocked"),
				steps,
				told,
			);
			assert.equal(reasons[0], "RebootRequired", told);
			assert.ok(
				ours.some((line) => line.includes(`kubectl annotate node ${name} aks-reboot-scheduler/reboot-`)),
				told,
			);
			assert.match(told, /Rebooted .*kernel 5\.15\.0-1081-azure → 5\.15\.0-1082-azure/);
		}
	});

	it("leaves no mark, no reboot pod and no cordon of ours behind", async () => {
		await assertTidy(scenario, [cordonedByOperator]);
	});

	it("drains the pod without a controller, and no pod of a DaemonSet", () => {
		const evicted = evictions(scenario).map((line) => `${line.objectRef?.namespace}/${line.objectRef?.name}`);
		assert.ok(evicted.includes("default/alone"));
		assert.deepEqual(
			evicted.filter((name) => name.startsWith("default/agent-") || name.startsWith("aks-reboot-scheduler/")),
			[],
		);
		assert.deepEqual(scenario.controlPlane.requests({ user: "scheduler", verb: "delete", resource: "pods", namespace: "default" }), []);
	});

	it("costs little beyond what pods need to leave and machines to boot", (context) => {
		for (const name of names) {
			const { totalMs, drainMs, awayMs } = times(scenario, scheduler, name);
			const overheadMs = totalMs - drainMs - awayMs;
			context.diagnostic(`${name}: ${totalMs} ms in flight = pods leaving ${drainMs} ms + machine away ${awayMs} ms + overhead ${overheadMs} ms`);
			assert.ok(overheadMs >= 0 && overheadMs < overheadMsMax, `${name}: overhead of ${overheadMs} ms, at most ${overheadMsMax} wanted`);
		}
	});

	it("prints and stores no secret, and the search would find one", async () => {
		await assertNoLeaks(scenario);
		const table = TableClient.fromConnectionString(scenario.azurite.connectionString, "reboots", { allowInsecureConnection: true });
		await table.createEntity({ partitionKey: "planted", rowKey: "planted", text: `Bearer ${scenario.controlPlane.token("scheduler")}` });
		assert.deepEqual(await scenario.leaks(), ["reboots/planted/planted"]);
		await table.deleteEntity("planted", "planted");
	});
});

/** Evictions that the API server accepted. */
function evictions(scenario: Scenario): AuditLine[] {
	return scenario.controlPlane
		.requests({ user: "scheduler", verb: "create", resource: "pods", subresource: "eviction" })
		.filter((line) => line.responseStatus?.code === 201);
}

/** By the clocks of those who were there: the API server's log, the machine, the journal's lines. */
function times(scenario: Scenario, scheduler: Scheduler, node: string): { totalMs: number; drainMs: number; awayMs: number } {
	const at = (line: Line | undefined): number => Date.parse(line?.at ?? "");
	const from = at(scheduler.told("reboot.admitted", { node })[0]);
	const to = at(scheduler.told("reboot.ended", { node, end: "done" })[0]);
	const gone = scenario.controlPlane.requests({ user: "kubelets", verb: "delete", resource: "pods" });
	const leaving = evictions(scenario).flatMap(({ objectRef, stageTimestamp }) => {
		const begin = Date.parse(stageTimestamp);
		const left = gone.find(
			(line) => line.objectRef?.name === objectRef?.name && line.objectRef?.namespace === objectRef?.namespace && Date.parse(line.stageTimestamp) >= begin,
		);
		return begin >= from && begin <= to && left !== undefined ? [{ begin, end: Date.parse(left.stageTimestamp) }] : [];
	});
	const reboot = scenario.fleet.reboots().find((each) => each.node === node);
	return { totalMs: to - from, drainMs: covered(leaving), awayMs: (reboot?.readyAt ?? Number.NaN) - (reboot?.at ?? Number.NaN) };
}

/** How long at least one of the intervals lasted. */
function covered(intervals: readonly { readonly begin: number; readonly end: number }[]): number {
	let until = 0;
	let sum = 0;
	for (const { begin, end } of [...intervals].sort((a, b) => a.begin - b.begin)) {
		sum += Math.max(0, end - Math.max(begin, until));
		until = Math.max(until, end);
	}
	return sum;
}
