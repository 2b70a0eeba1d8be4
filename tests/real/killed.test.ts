// The scheduler's process is killed again and again, in every phase, between every write and its act, and started anew each time.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import type { Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { devKey } from "../../lib/local/azurite.ts";
import { leaseMs } from "../../lib/tick/lease.ts";
import { occupy } from "../ports.ts";
import { randomOf } from "../random.ts";
import { until } from "../waiting.ts";
import { assertNoLeaks, assertTidy, cordonManagers, nodeOf, situation, waitsFor } from "./expectations.ts";
import { recordsIn } from "./ledger-rows.ts";
import type { BudgetWatch } from "./observers.ts";
import { isAlive } from "./processes.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { daemonSet, deployment } from "./workloads.ts";

const names = ["node-1", "node-2", "node-3", "node-4", "node-5", "node-6"];
const cordonedByOperator = "node-3";
const stuck = "stuck-1";
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1_000_000));

const settings = {
	MAX_CONCURRENT: "2",
	SOAK: "3s",
	// The service's clock is moved on by 15 s with each kill: no deadline is due before the end.
	DRAIN_TIMEOUT: "30m",
	REBOOT_TIMEOUT: "30m",
};

/** When a scheduler is killed: as soon as something holds that did not hold when it was started, and so much later. */
interface Moment {
	readonly name: string;
	readonly holds: (scheduler: Scheduler) => boolean;
	/** A random part of it. */
	readonly laterMs: number;
}

/** The journal tells a move after its write and before its act. */
function told(name: string, event: string, to?: string, laterMs = 0): Moment {
	return { name, laterMs, holds: (scheduler) => scheduler.told(event, to === undefined ? {} : { to }).length > 0 };
}

let scenario: Scenario;

before(async () => {
	scenario = await startScenario({
		nodes: names.map((name, i) => ({ name, pool: "work", needsReboot: waitsFor(100 - i), cordoned: name === cordonedByOperator })),
		defaults: { bootMs: 2_000, notReadyMs: 500 },
		workloads: [
			deployment("web", 6, { stopMs: 400 }),
			deployment("guarded", 5, { budget: { maxUnavailable: 3 }, stopMs: 200 }),
			daemonSet("agent", { readyMs: 1_500 }),
		],
	});
	const { fleet } = scenario;
	const ready = (app: string) =>
		fleet.pods().filter((pod) => pod.metadata.labels?.app === app && fleet.node(pod.spec.nodeName ?? "").serves(pod.metadata.uid)).length;
	await fleet.until("the workloads serve", () => ready("web") === 6 && ready("guarded") === 5 && ready("agent") === names.length);
});

after(async () => {
	await scenario?.stop();
});

describe("a scheduler that is killed twenty times", () => {
	let budgets: BudgetWatch;
	let last: Scheduler;
	let exitCode: number | null;
	const random = randomOf(seed);
	/** Phases of the records at each kill, by the table. */
	const kills: { readonly moment: string; readonly delayMs: number; readonly phases: readonly string[] }[] = [];

	before(async () => {
		budgets = scenario.fleet.watchBudgets();
		for (const moment of moments()) await killAt(moment);
		last = scenario.scheduler(settings);
		exitCode = await last.ended();
	});

	/** In the order of the life of a reboot, three times: with two nodes at a time, each time takes two of the six. */
	function moments(): Moment[] {
		const moved = (to: string, laterMs = 0) => told(`${to}, and ${laterMs === 0 ? "nothing done yet" : "a little later"}`, "reboot.moved", to, laterMs);
		const admitted = (laterMs = 0) => told(`admitted, and ${laterMs === 0 ? "nothing done yet" : "a little later"}`, "reboot.admitted", undefined, laterMs);
		return [
			...[admitted(), moved("draining"), moved("rebooting"), moved("rejoining"), moved("uncordoning"), moved("soaking")],
			...[marked(), evicted(), rebootPodMade(), down(), back(), unmarked(), moved("soaking", 1_000)],
			...[admitted(400), moved("draining", 400), moved("rebooting", 400), moved("rejoining", 400), moved("uncordoning", 400)],
		];
	}

	/** Names that a state gives, and that it did not give before: as the API server and the machines show it. */
	function newly(name: string, state: () => readonly string[], laterMs = 40): Moment {
		let known: Set<string> | null = null;
		return {
			name,
			laterMs,
			holds: () => {
				known ??= new Set(state());
				const now = state();
				const before = known;
				for (const each of before) if (!now.includes(each)) before.delete(each);
				return now.some((each) => !before.has(each));
			},
		};
	}

	const markedNow = () =>
		scenario.fleet
			.nodeObjects()
			.filter((node) => node.metadata.annotations?.["aks-reboot-scheduler/reboot"] !== undefined)
			.map((node) => node.metadata.name);
	const marked = () => newly("the mark is there, and its record does not know it", markedNow);
	const unmarked = () => newly("the mark is gone, and its record does not know it", () => names.filter((name) => !markedNow().includes(name)));
	const podsWhere = (app: string, leaving: boolean) => () =>
		scenario.fleet
			.pods()
			.filter((pod) => pod.metadata.labels?.app === app && (pod.metadata.deletionTimestamp !== undefined) === leaving)
			.map((pod) => pod.metadata.uid);
	const evicted = () => newly("a pod is leaving", podsWhere("web", true));
	const rebootPodMade = () => newly("a reboot pod is there", podsWhere("reboot", false), 0);
	const down = () => newly("a machine is down", () => names.filter((name) => scenario.fleet.node(name).down), 300);
	const back = () => newly("a machine is up again", () => scenario.fleet.reboots().flatMap((each) => (each.readyAt === null ? [] : [each.node])));

	async function killAt(moment: Moment, env: Record<string, string> = settings, goesOn = false): Promise<void> {
		const scheduler = scenario.scheduler(env, { goesOn });
		moment.holds(scheduler);
		// An eviction that is cut off between the budget's count and the pod's deletion keeps its place in the budget for two minutes
		// (DeletionTimeout of Kubernetes' disruption controller).
		await until(moment.name, () => moment.holds(scheduler), {
			said: async () => `seed ${seed}; it said:\n${scheduler.story().slice(-4_000)}\n${await situation(scenario)}`,
			over: () => !scheduler.running,
			patienceMs: 300_000,
			everyMs: 5,
		});
		const delayMs = Math.round(random() * moment.laterMs);
		if (delayMs > 0) await delay(delayMs);
		await scheduler.kill();
		const phases = (await recordsIn(scenario)).map((each) => each.phase);
		kills.push({ moment: moment.name, delayMs, phases });
		await leaseRunsOut();
	}

	/** By the service's clock; those of the nodes go along with it. */
	async function leaseRunsOut(): Promise<void> {
		await scenario.azurite.advance(leaseMs + 1_000);
		for (const name of scenario.fleet.names()) scenario.fleet.node(name).set({ clockOffsetMs: scenario.azurite.aheadMs });
	}

	it("was hit in every phase but stuck, and never while nothing was in flight", (context) => {
		context.diagnostic(`seed ${seed}`);
		for (const { moment, delayMs, phases } of kills) context.diagnostic(`killed ${delayMs} ms after: ${moment}; in flight: ${phases.join(", ")}`);
		assert.deepEqual(
			kills.filter((each) => each.phases.length === 0),
			[],
			"kills while nothing was in flight",
		);
		const hit = new Set(kills.flatMap((each) => each.phases));
		assert.deepEqual([...hit].sort(), ["cordoning", "draining", "rebooting", "rejoining", "soaking", "uncordoning"]);
	});

	it("ends as if nothing had happened", () => {
		assert.equal(exitCode, 0, last.story().slice(-4_000));
		assert.match(last.lastLine, /gave-up=0 stuck=0 waiting=0 held=0/);
	});

	it("has ended every node's boot exactly once", () => {
		const reboots = scenario.fleet.reboots();
		assert.deepEqual(reboots.map((each) => each.node).sort(), names);
		assert.ok(reboots.every((each) => each.cause === "pod" && each.toBootId !== each.fromBootId));
		for (const name of names) assert.equal(scenario.fleet.node(name).signals, 1, `signals to PID 1 of ${name}`);
	});

	it("never had more nodes away or marked than there was room for, and broke no budget", () => {
		assert.equal(scenario.fleet.maxDown() <= 2, true);
		assert.equal(scenario.fleet.marked.max(), 2);
		assert.equal(scenario.fleet.unavailable.max([cordonedByOperator]), 2);
		assert.deepEqual(budgets.broken, []);
	});

	it("leaves nothing of its own behind, and the operator's cordon to the operator", async () => {
		await assertTidy(scenario, [cordonedByOperator]);
		assert.ok(!cordonManagers(await nodeOf(scenario, cordonedByOperator)).includes("aks-reboot-scheduler"));
	});

	it("remembers each reboot once, as done", async () => {
		assert.deepEqual(await recordsIn(scenario), []);
		const ended = [...(await scenario.rows())]
			.filter(([place]) => place.includes("/z-ended-"))
			.map(([, row]) => JSON.parse(row) as { node: string; end: string });
		assert.deepEqual(
			ended.map((each) => `${each.node} ${each.end}`).sort(),
			names.map((name) => `${name} done`),
		);
	});

	it("goes on with a node that is stuck, and brings it back when it comes back", async () => {
		const machine = await scenario.fleet.add({
			name: stuck,
			needsReboot: waitsFor(10),
			settings: { comesBack: "never", clockOffsetMs: scenario.azurite.aheadMs },
		});
		const quick = { ...settings, REBOOT_TIMEOUT: "6s" };
		await leaseRunsOut();
		await killAt(told("stuck, and nothing done yet", "reboot.stuck"), quick);
		await killAt(told("stuck, and looked at again", "tick.ended"), quick, true);
		const beside = scenario.scheduler(quick);
		assert.equal(await beside.ended(), 1, beside.story().slice(-4_000));
		assert.match(beside.lastLine, /^settled rebooted=0 gave-up=0 stuck=1 waiting=0 held=0 /);
		const node = await nodeOf(scenario, stuck);
		assert.equal(node.spec.unschedulable, true);
		await leaseRunsOut();
		machine.powerOn();
		await killAt(told("back from being stuck, and nothing done yet", "reboot.moved", "rejoining"), quick);
		const end = scenario.scheduler(quick);
		assert.equal(await end.ended(), 0, end.story().slice(-4_000));
		assert.equal(machine.reboots.length, 1);
		assert.equal(machine.signals, 1);
		await assertTidy(scenario, [cordonedByOperator]);
		assert.deepEqual(
			kills.slice(-3, -1).map((each) => each.phases),
			[["stuck"], ["stuck"]],
		);
		// Where its DaemonSet pods are ready again, rejoining is over in the same look.
		assert.match(kills.at(-1)?.phases.join() ?? "", /^(rejoining|uncordoning)$/);
		assert.ok(kills.length >= 20);
	});
});

describe("a scheduler with the default table that is killed", () => {
	let folder: string;
	let busy: Server | null = null;
	const node = "local-1";
	const runs: Scheduler[] = [];

	before(async () => {
		folder = join(scenario.dir, "working-directory");
		mkdirSync(folder);
		// Of the other table's scheduler, whose work is done.
		await scenario.controlPlane.kubectl("-n", "aks-reboot-scheduler", "delete", "lease", "owner", "--ignore-not-found");
		busy = await occupy(10_002);
		await scenario.fleet.add({ name: node, needsReboot: waitsFor(10) });
	});

	after(async () => {
		busy?.close();
		const left = noteOf(folder);
		if (left !== null && isAlive(left.azurite)) process.kill(left.azurite, "SIGKILL");
	});

	function run(): Scheduler {
		const scheduler = scenario.scheduler({ AzureWebJobsStorage: undefined }, { cwd: folder });
		runs.push(scheduler);
		return scheduler;
	}

	it("leaves an Azurite behind that the next run joins, even one that was still starting", async () => {
		const first = run();
		await until("Azurite is being started", () => noteOf(folder) !== null);
		await first.kill();
		assert.ok(!first.output.includes("table:"), "it was killed before it had said where the table is");
		const left = noteOf(folder);
		assert.ok(left !== null && isAlive(left.azurite));
		const second = run();
		await second.says("reboot.moved", { node, to: "draining" });
		await second.kill();
		assert.match(second.output, new RegExp(`^table: Azurite on port ${left.port}, left behind by a killed run$`, "m"));
		assert.deepEqual({ ...noteOf(folder), schedulers: [] }, { ...left, schedulers: [] });
	});

	it("is gone on from by the next run, which leaves no Azurite running", async () => {
		const left = noteOf(folder);
		const third = run();
		assert.equal(await third.ended(), 0, third.story().slice(-4_000));
		assert.match(third.lastLine, /^settled rebooted=1 gave-up=0 stuck=0 waiting=0 held=0 /);
		assert.equal(scenario.fleet.node(node).reboots.length, 1);
		assert.equal(scenario.fleet.node(node).signals, 1);
		await assertTidy(scenario, [cordonedByOperator]);
		assert.ok(left !== null && !isAlive(left.azurite), "Azurite has ended with it");
		assert.equal(noteOf(folder), null);
		assert.ok(
			dataIn(folder).some((text) => text.includes('"end":"done"')),
			"what was written last is there for the next run",
		);
	});

	it("finds its data again on another port than one that is busy, and says so", async () => {
		const fourth = run();
		await until("Azurite is being started", () => noteOf(folder) !== null);
		const left = noteOf(folder);
		assert.equal(await fourth.ended(), 0, fourth.story().slice(-4_000));
		assert.match(fourth.output, /^table: Azurite on port \d+ \(port 10002 is taken\), its data in .*\.local$/m);
		assert.ok(left !== null && !isAlive(left.azurite), "Azurite has ended with it");
		const worker = String(fourth.told("round.started")[0]?.worker);
		assert.ok(
			dataIn(folder).some((text) => text.includes('"end":"done"') && text.includes(worker)),
			"its lease stands beside what the third one did",
		);
	});

	it("keeps no secret in its data", () => {
		const texts = dataIn(folder);
		assert.ok(
			texts.some((text) => text.includes(node)),
			"the data is where it was looked for",
		);
		const secrets = [...scenario.controlPlane.secrets(), devKey];
		assert.ok(!texts.some((text) => secrets.some((secret) => text.includes(secret))));
	});
});

describe("all of it", () => {
	it("prints and stores no secret", async () => {
		await assertNoLeaks(scenario);
	});
});

interface Note {
	readonly azurite: number;
	readonly port: number;
	readonly schedulers: readonly number[];
}

function noteOf(folder: string): Note | null {
	try {
		return JSON.parse(readFileSync(join(folder, ".local/azurite.json"), "utf8")) as Note;
	} catch {
		return null;
	}
}

function dataIn(folder: string): string[] {
	const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((each) => each.isFile());
	return files.map((each) => readFileSync(join(each.parentPath, each.name), "utf8"));
}
