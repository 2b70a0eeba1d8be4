// The controls invoked as the host does it, with Azurite as the table and a cluster that nobody answers for: the emergency brake works.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TableClient } from "@azure/data-tables";
import { type Azurite, startAzurite } from "../azurite.ts";
import { type Host, sources, startHost } from "./host.ts";
import type { Invoked } from "./worker.ts";

const form = "application/x-www-form-urlencoded";

describe("the controls of a cluster that cannot be reached", () => {
	let azurite: Azurite;
	let host: Host;
	let home: string;
	before(async () => {
		home = mkdtempSync(join(tmpdir(), "function-home-"));
		azurite = await startAzurite();
		// No kubeconfig: nothing of the cluster can be known.
		host = await startHost(sources, {
			CLUSTERS: "prod=kubeconfig:prod",
			MAINTENANCE_WINDOWS: "sometimes",
			AzureWebJobsStorage: azurite.connectionString,
			HOME: home,
		});
	});
	after(async () => {
		await host?.stop();
		await azurite?.stop();
		rmSync(home, { recursive: true, force: true });
	});

	function post(body: string, headers: Readonly<Record<string, string>>): Promise<Invoked> {
		return host.invoke("controls", {
			http: { method: "POST", url: "https://app.azurewebsites.net/api/controls?code=k", query: { code: "k" }, headers, body: { string: body } },
		});
	}

	function ask(fields: object): Promise<Invoked> {
		return post(JSON.stringify(fields), { "content-type": "application/json" });
	}

	async function controlRow(): Promise<{ readonly holds: readonly object[] }> {
		const table = TableClient.fromConnectionString(azurite.connectionString, "reboots", { allowInsecureConnection: true });
		const { json } = await table.getEntity<{ json: string }>("cluster-prod", "control");
		return JSON.parse(json) as { holds: object[] };
	}

	it("hold it, whatever is wrong with the settings, and the journal of the invocation says who and why", async () => {
		const { http, logs, error } = await ask({ command: "hold", cluster: "prod", reason: "CHG0042", by: "ana" });
		assert.deepEqual([error, http?.status], [null, 202], http?.body);
		assert.equal((await controlRow()).holds.length, 1);
		const [line] = logs.filter(({ category }) => category === "user").map(({ text }) => JSON.parse(text) as Record<string, unknown>);
		assert.deepEqual([line?.event, line?.by, line?.reason], ["control.asked", "ana", "CHG0042"]);
	});

	it("hold a node of it that cannot be checked, and say so; ask for no reboot of one", async () => {
		const held = await ask({ command: "hold", cluster: "prod", node: "node-1", reason: "debugging" });
		assert.equal(held.http?.status, 202);
		assert.match(held.http?.body ?? "", /could not be asked whether it has a node node-1/);
		assert.equal((await ask({ command: "reboot", cluster: "prod", node: "node-1", reason: "leaks" })).http?.status, 503);
	});

	it("lead the page's own form back to the page, and no other site's anywhere", async () => {
		const fields = new URLSearchParams({ command: "release", cluster: "prod", name: "node-1", reason: "over" }).toString();
		assert.equal((await post(fields, { "content-type": form, "sec-fetch-site": "cross-site" })).http?.status, 403);
		assert.equal((await controlRow()).holds.length, 2);
		const { http } = await post(fields, { "content-type": form, "sec-fetch-site": "same-origin" });
		assert.equal(http?.status, 303);
		assert.match(http?.headers.location ?? "", /^status\?code=k&told=released/);
		assert.equal((await controlRow()).holds.length, 1);
	});
});
