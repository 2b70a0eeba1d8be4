// What is wrong with the settings, the way to a cluster, the table or a report is said clearly, and nothing is touched.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createAuthority } from "../arm/certificates.ts";
import { connectionStringOf } from "../azurite.ts";
import { actsOfScheduler, assertNoLeaks, assertTidy, newStory } from "./expectations.ts";
import { freePorts } from "./processes.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { type StubAnswer, type StubApi, startStubApi } from "./stub-api.ts";

const wrongToken = "wrong-token-c41fe0a7d5b24f3e";
const quoted = "words-of-a-page-that-nobody-should-quote";

describe("bad input", () => {
	let scenario: Scenario;
	let silent: Server;
	let page: StubApi;
	let nonsense: StubApi;
	let closedPort: number;
	let unreachable: Scheduler;
	let withoutTable: Scheduler;

	before(async () => {
		scenario = await startScenario({ nodes: [{ name: "n-1" }, { name: "n-2", pool: "reports" }] });
		silent = createServer(() => {}).listen(0, "127.0.0.1");
		await once(silent, "listening");
		page = await startStubApi(() => html(200));
		nonsense = await startStubApi((_method, url) => (url.includes("/nodes") ? json(`{"kind":"Secret","metadata":{"name":"${quoted}"}}`) : json(`{"${quoted}`)));
		[closedPort = 0] = await freePorts(1);
		await newStory(scenario, { "n-1": 60 });
		// These two take a minute to give up; they do so while the others run.
		unreachable = at(`https://127.0.0.1:${closedPort}`, scenario.controlPlane.caData, "unreachable");
		withoutTable = scenario.scheduler({ AzureWebJobsStorage: connectionStringOf(closedPort) });
	});

	after(async () => {
		silent?.close();
		await Promise.all([page?.stop(), nonsense?.stop()]);
		await scenario?.stop();
	});

	/** A scheduler with a table of its own, on an API server at that address. */
	function at(server: string, caData: string, name: string, token?: string): Scheduler {
		const file = scenario.controlPlane.kubeconfig(join(scenario.dir, `${name}.kubeconfig`), { context: "real", user: "scheduler", server, caData });
		if (token !== undefined) writeFileSync(file, readFileSync(file, "utf8").replace(scenario.controlPlane.token("scheduler"), token));
		return scenario.scheduler({ STATE_TABLE: name }, { kubeconfig: file });
	}

	/** What it says of the look that failed; it is stopped then. */
	async function failure(scheduler: Scheduler): Promise<string> {
		const { message } = await scheduler.says("tick.failed");
		await scheduler.kill();
		assert.ok(!scheduler.output.includes(quoted), "an answer's body is not quoted");
		return message;
	}

	function nothingTouched(): void {
		assert.deepEqual(actsOfScheduler(scenario), []);
		assert.deepEqual(scenario.fleet.reboots(), []);
	}

	describe("in the settings: exit code 2 at once, and no request to any cluster", () => {
		const wrong: readonly (readonly [string, Readonly<Record<string, string | undefined>>, readonly string[], RegExp])[] = [
			["no windows", { MAINTENANCE_WINDOWS: undefined }, ["real"], /MAINTENANCE_WINDOWS: not set, expected at least one window such as/],
			["an unknown zone", { MAINTENANCE_WINDOWS: "Sat 02:00-06:00 Europe/Pariss" }, ["real"], /MAINTENANCE_WINDOWS: ".*Europe\/Pariss.*", expected .*zone/],
			[
				"a cluster id that is none",
				{ CLUSTERS: "/subscriptions/1/resourceGroups/g/aks-1" },
				[],
				/CLUSTERS: "\/subscriptions\/1\/resourceGroups\/g\/aks-1", expected \[NAME=\]/,
			],
			["no cluster at all", { CLUSTERS: undefined }, [], /Neither --context nor CLUSTERS names one/],
		];
		for (const [what, settings, contexts, message] of wrong) {
			it(what, async () => {
				const since = Date.now();
				const scheduler = scenario.scheduler({ ...settings, STATE_TABLE: "settings" }, { contexts });
				assert.equal(await scheduler.ended(30_000), 2, scheduler.output);
				assert.match(scheduler.output, message);
				assert.deepEqual(scenario.controlPlane.requests({ user: "scheduler", since }), []);
			});
		}

		it("every problem of every setting at once", async () => {
			const scheduler = scenario.scheduler({
				MAINTENANCE_WINDOWS: "Someday",
				DRAIN_TIMEOUT: "soon",
				MAX_CONCURRENT: "0",
				HOLD: "ticket=CHG42",
				STATE_TABLE: "settings",
			});
			assert.equal(await scheduler.ended(30_000), 2, scheduler.output);
			assert.match(scheduler.output, /4 problems in the settings/);
			for (const part of ['"Someday"', '"soon"', '"0"', '"ticket"']) assert.ok(scheduler.output.includes(part), part);
		});
	});

	describe("on the way to the cluster", () => {
		it("a credential that is refused", async () => {
			const { url, caData } = scenario.controlPlane;
			assert.match(await failure(at(url, caData, "refused", wrongToken)), /listing cordoned nodes: .*401/);
		});

		it("an API server that accepts the connection and never answers", async () => {
			const { port } = silent.address() as AddressInfo;
			assert.match(await failure(at(`https://127.0.0.1:${port}`, scenario.controlPlane.caData, "silent")), /listing cordoned nodes: no (answer|connection)/);
		});

		it("one that answers with a web page", async () => {
			assert.match(await failure(at(page.url, page.caData, "page")), /listing cordoned nodes: the answer is not what the Kubernetes API promises/);
		});

		it("one that answers with other objects than it was asked for, or with half of one", async () => {
			assert.match(await failure(at(nonsense.url, nonsense.caData, "nonsense")), /listing cordoned nodes: .*expected an object of kind NodeList/);
		});

		it("one whose certificate another CA signed", async () => {
			const other = Buffer.from(createAuthority().certPem).toString("base64");
			assert.match(await failure(at(scenario.controlPlane.url, other, "untrusted")), /listing cordoned nodes: the server's certificate is not trusted/);
			nothingTouched();
		});
	});

	describe("in a sentinel's report", () => {
		async function waits(settings: "garbled" | "stale", message: RegExp): Promise<void> {
			scenario.fleet.node("n-2").set({ sentinel: settings });
			scenario.fleet.node("n-2").needReboot({ packages: [], since: new Date() });
			const asks = () =>
				scenario.fleet.pods().some((pod) => pod.spec.nodeName === "n-2" && pod.metadata.labels?.["aks-reboot-scheduler/reboot-required"] === "true");
			await scenario.fleet.until("n-2 asks", asks);
			const scheduler = scenario.scheduler({ MAINTENANCE_WINDOWS: "never; real/reports=always", STATE_TABLE: settings });
			assert.equal(await scheduler.ended(), 0, scheduler.story().slice(-4_000));
			assert.match(scheduler.lastLine, /^settled rebooted=0 gave-up=0 stuck=0 waiting=2 held=0 /);
			assert.match(scheduler.told("node.waiting", { node: "n-2" })[0]?.message ?? "", message);
			scenario.fleet.node("n-2").set({ sentinel: "reports" });
			scenario.fleet.node("n-2").needReboot(null);
			nothingTouched();
		}

		it("one that is not JSON", async () => {
			await waits("garbled", /its sentinel's report cannot be read: the report is not a JSON object/);
		});

		it("one about another boot", async () => {
			await waits(
				"stale",
				new RegExp(`its sentinel reports boot ${scenario.fleet.node("n-2").earlierBootId}, and it runs boot ${scenario.fleet.node("n-2").bootId}`),
			);
		});
	});

	it("an API server that nobody listens for: given up after a minute, exit code 1", async () => {
		assert.equal(await unreachable.ended(), 1, unreachable.story().slice(-4_000));
		assert.match(unreachable.told("tick.failed")[0]?.message ?? "", /listing cordoned nodes: no connection \(ECONNREFUSED\)/);
		const [, seconds] = /real: could not be looked at for (\d+) s: /.exec(unreachable.output) ?? [];
		assert.ok(Number(seconds) >= 60, `given up after ${seconds} s`);
	});

	it("a table that cannot be reached: said, given up after a minute, and the cluster was never asked", async () => {
		assert.equal(await withoutTable.ended(), 1, withoutTable.story().slice(-4_000));
		assert.match(withoutTable.output, /the table cannot be read: .*(ECONNREFUSED|no connection)/);
		assert.deepEqual(withoutTable.told("tick.ended"), []);
	});

	it("an API server that came back with a new CA: refused with the old kubeconfig, and works with the new one", async () => {
		await newStory(scenario, { "n-1": 60 });
		const old = scenario.controlPlane.kubeconfig(join(scenario.dir, "old"), { context: "real", user: "scheduler" });
		await scenario.controlPlane.killApiServer();
		await scenario.controlPlane.startApiServer({ newCa: true });
		assert.match(await failure(scenario.scheduler({}, { kubeconfig: old })), /listing cordoned nodes: the server's certificate is not trusted/);
		nothingTouched();
		await scenario.deleteTables();
		const again = scenario.scheduler();
		assert.equal(await again.ended(), 0, again.story().slice(-4_000));
		assert.match(again.lastLine, /^settled rebooted=1 /);
		await assertTidy(scenario);
	});

	it("no secret is printed or stored, not even one that was refused", async () => {
		await assertNoLeaks(scenario, [wrongToken]);
	});
});

function html(status: number): StubAnswer {
	return { status, contentType: "text/html", body: `<html><body>${quoted}</body></html>` };
}

function json(body: string): StubAnswer {
	return { status: 200, contentType: "application/json", body };
}
