// What people ask of a running scheduler: a hold from the page, a release and a reboot from the terminal.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { readRunNote } from "../../lib/local/run-note.ts";
import { assertNoLeaks, assertTidy, markOf, nodeOf, podsOf, untilServes, waitsFor } from "./expectations.ts";
import { endOf, reasonsOf } from "./journal-lines.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { barePod } from "./workloads.ts";

const ask = resolve(import.meta.dirname, "../../lib/local/ask.ts");
const slowPod = "slow";

interface Told {
	readonly exitCode: number;
	readonly output: string;
}

describe("people who ask something of a running scheduler", () => {
	let scenario: Scenario;
	let scheduler: Scheduler;
	/** Of `slow`, from the answer of the controls to the node in service. */
	let broughtBackMs: number;
	let released: Told;

	before(async () => {
		scenario = await startScenario({
			nodes: [{ name: "slow", needsReboot: waitsFor(100) }, { name: "behind", needsReboot: waitsFor(10) }, { name: "content" }, { name: "other" }],
			workloads: [barePod(slowPod, { node: "slow", stopMs: 3_600_000, graceSeconds: 7_200 })],
		});
		await untilServes(scenario, slowPod, 1);
		scheduler = scenario.scheduler({ DRAIN_TIMEOUT: "10m" }, { goesOn: true });
		await scenario.fleet.until("slow drains", () => podsOf(scenario, slowPod, "slow")[0]?.metadata.deletionTimestamp !== undefined);
		broughtBackMs = await holdsFromThePage();
		await scheduler.says("node.waiting", { node: "behind" });
	});

	after(async () => {
		await scenario?.stop();
	});

	/** As `npm run` does it, in the folder where the scheduler runs. */
	function inTerminal(...args: string[]): Promise<Told> {
		const { PATH = "", HOME = "" } = process.env;
		const env = { PATH, HOME, AzureWebJobsStorage: scenario.azurite.connectionString };
		return new Promise((settle) => {
			const child = execFile(process.execPath, [ask, ...args], { cwd: scenario.dir, env }, (_error, stdout, stderr) => {
				settle({ exitCode: child.exitCode ?? -1, output: `${stdout}${stderr}` });
			});
		});
	}

	function postForm(fields: Record<string, string>, headers: Record<string, string>): Promise<Response> {
		const note = readRunNote(join(scenario.dir, ".local"));
		assert.ok(note, "the scheduler has left a note of its pages");
		return fetch(new URL("controls", note.url), { method: "POST", redirect: "manual", headers, body: new URLSearchParams(fields) });
	}

	async function holdsFromThePage(): Promise<number> {
		const fields = { command: "hold", cluster: "real", reason: "incident 7", by: "ana", until: "1h" };
		const forged = await postForm(fields, { "sec-fetch-site": "cross-site" });
		assert.equal(forged.status, 403);
		const answer = await postForm(fields, { "sec-fetch-site": "same-origin" });
		const answeredAt = Date.now();
		assert.equal(answer.status, 303);
		await scenario.fleet.until("slow is in service again", () => {
			const node = scenario.fleet.nodeObjects().find((each) => each.metadata.name === "slow");
			return node !== undefined && node.spec.unschedulable !== true && markOf(node) === undefined;
		});
		return Date.now() - answeredAt;
	}

	function rebootsOf(node: string): readonly string[] {
		return scenario.fleet
			.reboots()
			.filter((each) => each.node === node)
			.map((each) => each.cause);
	}

	it("who holds the cluster on the page while a node drains has it back within seconds, and nothing else begins", async (context) => {
		context.diagnostic(`brought back ${broughtBackMs} ms after the answer`);
		assert.ok(broughtBackMs < 30_000, `${broughtBackMs} ms`);
		await scheduler.says("reboot.ended", { node: "slow" });
		const { end, message } = endOf(scheduler, "slow");
		assert.equal(end, "cancelled");
		assert.match(message, /on hold by ana: incident 7/);
		assert.deepEqual([reasonsOf(scheduler, "slow"), reasonsOf(scheduler, "behind")], [["held"], ["held"]]);
		assert.deepEqual([scheduler.told("reboot.admitted").length, scenario.fleet.reboots()], [1, []]);
		assert.equal(scheduler.told("control.asked", { command: "hold", by: "ana" }).length, 1);
	});

	it("a reboot that is asked for under the hold waits, and says so in the terminal and in the journal", async () => {
		const { exitCode, output } = await inTerminal("reboot", "real/content", "--reason", "leaks memory", "--by", "bo");
		assert.equal(exitCode, 0, output);
		assert.match(output, /waits for as long as there is the hold of the cluster by ana \(incident 7\)/);
		const line = await scheduler.says("node.waiting", { node: "content", requestedBy: "bo" });
		assert.match(line.message, /on hold by ana/);
		assert.deepEqual(rebootsOf("content"), []);
	});

	it("once it is released the node that nobody's sentinel speaks for is rebooted first, once, by the pod", async () => {
		released = await inTerminal("release", "real", "--reason", "over");
		assert.equal(released.exitCode, 0, released.output);
		await scheduler.says("request.over", { node: "content" });
		assert.equal(endOf(scheduler, "content").end, "done");
		assert.deepEqual(rebootsOf("content"), ["pod"]);
		assert.deepEqual(
			scheduler
				.told("reboot.admitted")
				.map(({ node, requestedBy }) => [node, requestedBy ?? null])
				.slice(0, 2),
			[
				["slow", null],
				["content", "bo"],
			],
		);
		assert.equal((await nodeOf(scenario, "content")).spec.unschedulable ?? false, false);
	});

	it("and what waited goes on", async () => {
		await scenario.fleet.until("slow drains again", () => scheduler.told("reboot.moved", { node: "slow", to: "draining" }).length === 2);
		await scenario.controlPlane.api.delete(`/api/v1/namespaces/default/pods/${slowPod}`, { gracePeriodSeconds: 0 });
		await scheduler.says("reboot.ended", { node: "behind", end: "done" });
		assert.deepEqual([rebootsOf("slow"), rebootsOf("behind"), rebootsOf("content"), rebootsOf("other")], [["pod"], ["pod"], ["pod"], []]);
		assert.equal(scenario.fleet.unavailable.max(), 1, "nodes out of service at once");
	});

	it("what cannot be asked is refused with its reason, and changes nothing", async () => {
		for (const [args, exitCode, says] of [
			[["release", "real", "--reason", "again"], 1, /the cluster has no hold of its own/],
			[["reboot", "real/nobody", "--reason", "leaks"], 1, /real has no Linux node called nobody/],
			[["hold", "elsewhere", "--reason", "freeze"], 1, /no cluster is called "elsewhere": there is real/],
			[["hold", "real/nodes", "--reason", "freeze", "--until", "2020-01-01T00:00:00Z"], 2, /is past/],
			[["reboot", "real", "--reason", "all of it"], 2, /expected its name/],
		] as const) {
			const told = await inTerminal(...args);
			assert.equal(told.exitCode, exitCode, `${args.join(" ")}: ${told.output}`);
			assert.match(told.output, says);
		}
	});

	it("who asked for what and why stands in the table", async () => {
		const rows = [...(await scenario.rows())]
			.filter(([place]) => place.includes("/cluster-real/z-asked-"))
			.map(([, row]) => JSON.parse(row) as Record<string, unknown>);
		assert.deepEqual(
			rows.map(({ command, reason }) => [command, reason]),
			[
				["release", "over"],
				["reboot", "leaks memory"],
				["hold", "incident 7"],
			],
		);
		const control = [...(await scenario.rows())].find(([place]) => place.endsWith("/cluster-real/control"));
		assert.match(String(control?.[1]), /\\"holds\\":\[\],\\"requests\\":\[\]/);
	});

	it("and nothing is left behind, nor any secret printed or stored", async () => {
		await assertTidy(scenario);
		await assertNoLeaks(scenario);
	});
});
