// Five hundred clusters in a table, shown by the server of a local run, in a real browser.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import { configurationOf, wire } from "../../functions/world.ts";
import { pagesOf } from "../../lib/local/pages.ts";
import { serve, type WebServer } from "../../lib/local/web.ts";
import { type FleetRow, fleetPartition, fleetValues, roundKey, roundValues } from "../../lib/tick/rows.ts";
import type { RowWrite, Table } from "../../lib/tick/world.ts";
import { type Azurite, startAzurite } from "../azurite.ts";
import {
	drainingCluster,
	finishedCluster,
	heldCluster,
	idleCluster,
	now,
	rowOf,
	stuckCluster,
	unreachableCluster,
	waitingNode,
} from "../functions/fleet-rows.ts";
import { launch, openPage, violations } from "./open-page.ts";
import { shoot } from "./screenshots.ts";

const names = Array.from({ length: 500 }, (_, i) => `aks-${["prod", "test", "dev"][i % 3]}-${String(i).padStart(3, "0")}`);

function patchDay(name: string): FleetRow {
	const waiting = Array.from({ length: 5 }, (_, i) => waitingNode(`aks-work-${name.slice(-3)}77777-vmss00000${i}`));
	return rowOf(name, { waiting, waitingCount: waiting.length });
}

function stateOf(name: string, index: number): FleetRow {
	if (index % 10 !== 9) return patchDay(name);
	const states = [stuckCluster, drainingCluster, finishedCluster, heldCluster, idleCluster, drainingCluster, unreachableCluster, finishedCluster, idleCluster];
	return (states[Math.floor(index / 10) % states.length] ?? idleCluster)(name);
}

/** The fixtures' instants, moved to the present. */
function today(row: FleetRow): FleetRow {
	const laterMs = Date.now() - now;
	const moved = JSON.parse(row.summary, (_, value) => (typeof value === "number" && value > 1e12 ? value + laterMs : value));
	return { ...row, summary: JSON.stringify(moved) };
}

async function fill(table: Table): Promise<void> {
	const writes: RowWrite[] = names.map((name, index) => ({ kind: "insert", key: name, values: fleetValues(today(stateOf(name, index))) }));
	writes.push({ kind: "insert", key: roundKey, values: roundValues({ worker: "w", clusters: names.length, failed: 5, tookMs: 21_000 }) });
	for (let from = 0; from < writes.length; from += 100) await table.transact(fleetPartition, writes.slice(from, from + 100));
}

describe("the page of five hundred clusters", { timeout: 300_000 }, () => {
	let azurite: Azurite;
	let web: WebServer | null;
	let browser: Browser;

	before(async () => {
		[azurite, browser] = await Promise.all([startAzurite(), launch()]);
		const env = {
			CLUSTERS: names.map((name) => `${name}=kubeconfig:${name}`).join(";"),
			MAINTENANCE_WINDOWS: "aks-dev-*=always; aks-prod-*=Sat 02:00-06:00 Europe/Paris; aks-test-*=daily 22:00-04:00",
			AzureWebJobsStorage: azurite.connectionString,
		};
		const configuration = configurationOf(env);
		assert.deepEqual(configuration.problems, []);
		const wiring = wire(env, "reboots", { journal: { write() {} } });
		await fill(wiring.world.table);
		web = await serve(
			pagesOf(() => ({ wiring, configuration })),
			0,
			(why) => assert.fail(why),
		);
	});
	after(async () => {
		await browser?.close();
		web?.stop();
		await azurite?.stop();
	});

	for (const [look, options] of [
		["wide", {}],
		["dark", { colorScheme: "dark" }],
		["phone", { viewport: { width: 375, height: 812 } }],
	] as const)
		it(`shows what needs attention first and finds a cluster by its name, ${look}`, async (context) => {
			const { page, wrong, close } = await openPage(browser, web?.url ?? "", options);
			assert.match((await page.locator("main h2").nth(1).textContent()) ?? "", /^Needs attention/);
			context.diagnostic(await shoot(page, `large-${look}`));
			assert.deepEqual(await violations(page), []);
			assert.equal(await page.evaluate("document.documentElement.scrollWidth > innerWidth"), false);
			await page.getByLabel("Filter").fill("aks-prod-333");
			assert.equal(await page.locator("details.cluster:visible").count(), 1);
			context.diagnostic(await shoot(page, `large-found-${look}`));
			assert.deepEqual(wrong, []);
			await close();
		});
});
