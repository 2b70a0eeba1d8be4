// Functions invoked as the host does it, through the real library, from the sources and from the bundle, with Azurite as the table.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TableClient } from "@azure/data-tables";
import { type Azurite, devKey, startAzurite } from "../azurite.ts";
import { freePort } from "../ports.ts";
import { buildBundle, type Host, sources, startHost } from "./host.ts";
import type { Invoked } from "./worker.ts";

interface Line {
	readonly event: string;
	readonly level: string;
	readonly [field: string]: unknown;
}

const user = (invoked: Invoked) => invoked.logs.filter(({ category }) => category === "user");
const linesOf = (invoked: Invoked): Line[] => user(invoked).map(({ text }) => JSON.parse(text) as Line);

let azurite: Azurite;
let bundle: Awaited<ReturnType<typeof buildBundle>>;
let home: string;
let deadPort: number;
const hosts: Host[] = [];

/** A cluster `dead` that nobody answers for. */
function deadCluster(): string {
	const directory = mkdtempSync(join(tmpdir(), "function-home-"));
	const cluster = { server: `https://127.0.0.1:${deadPort}`, "certificate-authority-data": Buffer.from("no certificate").toString("base64") };
	const config = {
		apiVersion: "v1",
		kind: "Config",
		clusters: [{ name: "dead", cluster }],
		users: [{ name: "dead", user: { token: "token-of-the-dead-cluster" } }],
		contexts: [{ name: "dead", context: { cluster: "dead", user: "dead" } }],
		"current-context": "dead",
	};
	mkdirSync(join(directory, ".kube"));
	writeFileSync(join(directory, ".kube", "config"), JSON.stringify(config));
	return directory;
}

before(async () => {
	deadPort = await freePort();
	bundle = await buildBundle();
	home = deadCluster();
	azurite = await startAzurite();
});
after(async () => {
	await Promise.all(hosts.map((host) => host.stop()));
	await azurite?.stop();
	bundle?.remove();
	if (home !== undefined) rmSync(home, { recursive: true, force: true });
});

async function hostOf(kind: "sources" | "bundle", env: Readonly<Record<string, string>>): Promise<Host> {
	const right = { CLUSTERS: "kubeconfig:dead", MAINTENANCE_WINDOWS: "always", AzureWebJobsStorage: azurite.connectionString, HOME: home };
	const host = await startHost(kind === "sources" ? sources : bundle.app, { ...right, ...env });
	hosts.push(host);
	return host;
}

for (const kind of ["sources", "bundle"] as const) {
	describe(`functions from the ${kind}`, () => {
		const table = `invocation${kind}`;
		let host: Host;
		before(async () => {
			host = await hostOf(kind, { STATE_TABLE: table });
		});

		it("write the journal as one line of JSON per event, each at its level", async () => {
			const invoked = await host.tick();
			assert.equal(invoked.error, null);
			const logs = user(invoked);
			assert.ok(logs.every(({ text }) => !text.includes("\n")));
			const levels = { info: "information", warning: "warning", error: "error" } as Readonly<Record<string, string>>;
			for (const [index, line] of linesOf(invoked).entries()) assert.equal(logs[index]?.level, levels[line.level], line.event);
			const events = linesOf(invoked).map(({ event }) => event);
			assert.deepEqual(events, ["round.started", "tick.failed", "round.ended"]);
			// Nothing was logged after the invocation was over.
			assert.deepEqual(
				invoked.logs.filter(({ category }) => category !== "user"),
				[],
			);
		});

		it("pass on that the timer came late", async () => {
			const late = linesOf(await host.tick(true)).find(({ event }) => event === "round.started");
			assert.equal(late?.late, true);
			const inTime = linesOf(await host.tick(false)).find(({ event }) => event === "round.started");
			assert.equal(inTime?.late, false);
		});

		it("fail the invocation once a cluster could not be looked at five times in a row, and name it", async () => {
			assert.equal((await host.tick()).error, null, "the fourth time");
			const { error } = await host.tick();
			assert.equal(error?.name, "AggregateError");
			assert.match(error?.message ?? "", /^1 cluster could not be looked at 5 times in a row or more: dead: /);
		});

		it("share the round under way with an invocation by hand beside it", async () => {
			const both = await Promise.all([host.tick(), host.tick()]);
			const started = both.flatMap(linesOf).filter(({ event }) => event === "round.started");
			assert.equal(started.length, 1);
			assert.ok(both.every(({ error }) => error?.name === "AggregateError"));
		});

		it("show the page", async () => {
			const { error, http } = await host.status({ accept: "text/html" });
			assert.equal(error, null);
			assert.equal(http?.status, 200);
			assert.equal(http.headers["content-type"], "text/html; charset=utf-8");
			assert.equal(http.headers["cache-control"], "no-store");
			assert.match(http.headers["content-security-policy"] ?? "", /^default-src 'none'/);
			assert.match(http.body, /<details class="cluster" id="cluster-dead" open><summary><h3>dead<\/h3><span class="state bad">could not be looked at/);
			assert.match(http.body, /It could not be looked at \d times in a row: .*ECONNREFUSED.*It was never looked at with success\./s);
			assert.match(http.body, /<dt>Last round<\/dt><dd><b><time [^>]+>\d+ s ago<\/time><\/b>/);
		});

		it("show the same as JSON, by header and by address", async () => {
			for (const { http } of [await host.status({ accept: "application/json" }), await host.status({}, "?format=json")]) {
				assert.equal(http?.headers["content-type"], "application/json; charset=utf-8");
				const { version, totals, clusters } = JSON.parse(http?.body ?? "") as Record<string, unknown>;
				assert.equal(version, 1);
				const { clusters: all, waiting, notSeen } = totals as Record<string, unknown>;
				assert.deepEqual({ all, waiting, notSeen }, { all: 1, waiting: 0, notSeen: 1 });
				assert.equal((clusters as unknown[]).length, 1);
			}
		});

		it("fail the invocation with every problem of the settings, after a round that brings back what is in flight", async () => {
			const wrong = await hostOf(kind, {
				// Of its own: in the other one the cluster is still held by the worker above.
				STATE_TABLE: `wrong${kind}`,
				MAINTENANCE_WINDOWS: "sometimes",
				DRAIN_TIMEOUT: "soon",
				AZURE_RESOURCE_MANAGER_URL: "http://arm.test",
			});
			const { error, logs } = await wrong.tick();
			assert.match(error?.message ?? "", /^3 problems in the settings: /);
			for (const part of [
				'MAINTENANCE_WINDOWS: "sometimes", expected',
				'DRAIN_TIMEOUT: "soon", expected',
				'AZURE_RESOURCE_MANAGER_URL: "http://arm.test", expected',
			])
				assert.ok(error?.message.includes(part), `${part} in ${error?.message}`);
			const events = logs.map(({ text }) => (JSON.parse(text) as Line).event);
			assert.deepEqual(events, ["settings.wrong", "settings.wrong", "settings.wrong", "round.started", "tick.failed", "round.ended"]);
			const { http } = await wrong.status();
			assert.equal(http?.status, 200);
			assert.match(http.body, /The settings are wrong/);
		});

		it("keep the token of a cluster and the key of the account out of rows, logs and pages", async () => {
			const rows: string[] = [];
			for await (const entity of TableClient.fromConnectionString(azurite.connectionString, table, { allowInsecureConnection: true }).listEntities())
				rows.push(JSON.stringify(entity));
			assert.ok(rows.length > 0);
			const said = JSON.stringify([rows, await host.tick(), await host.status(), hosts.map((each) => each.output())]);
			for (const secret of ["token-of-the-dead-cluster", devKey]) assert.ok(!said.includes(secret));
		});
	});
}

describe("functions without a table that they can use", () => {
	it("name what is wrong where there is no table to work with, and never a key", async () => {
		const key = devKey.slice(0, 40);
		const cases = [
			{ env: { AzureWebJobsStorage: "" }, message: /^AzureWebJobsStorage is not set: expected a connection string/ },
			{ env: { AzureWebJobsStorage: `AccountName=a;AccountKey=${key}` }, message: /^AzureWebJobsStorage: not a connection string/ },
			{
				env: { STATE_TABLE: "1", DRAIN_TIMEOUT: "soon" },
				message: /^2 problems in the settings: (?=.*STATE_TABLE: "1", expected)(?=.*DRAIN_TIMEOUT: "soon", expected)/,
			},
			{
				env: {
					AzureWebJobsStorage: `DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=${devKey};TableEndpoint=http://127.0.0.1:${deadPort}/devstoreaccount1;`,
				},
				message: /^reading partition fleet of table reboots: no answer \(ECONNREFUSED\)$/,
			},
		];
		for (const { env, message } of cases) {
			const broken = await hostOf("bundle", env);
			const tick = await broken.tick();
			assert.match(tick.error?.message ?? "", message);
			const { http, error, logs } = await broken.status();
			assert.equal(error, null);
			assert.equal(http?.status, 503);
			assert.match(http.body, /The state table cannot be read, so nothing is known of the fleet/);
			assert.equal(logs[0]?.level, "error");
			assert.ok(!JSON.stringify([tick, http, logs]).includes(key));
			await broken.stop();
		}
	});

	it("show a page that is not known, and never an empty fleet, to a key that is refused", async () => {
		const { connectionString } = azurite;
		const otherKey = Buffer.from("another key than the account's").toString("base64");
		const refused = await hostOf("bundle", { AzureWebJobsStorage: connectionString.replace(devKey, otherKey) });
		const { http } = await refused.status({}, "?format=json");
		assert.equal(http?.status, 503);
		assert.match(http.body, /answered 403/);
		assert.ok(!http.body.includes(otherKey));
	});
});
