// A round of the real wiring over a cluster that ARM does not know: said clearly, and nothing else is touched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configurationOf, wire } from "../../functions/world.ts";
import { round } from "../../lib/tick/round.ts";
import type { JournalLine } from "../../lib/tick/world.ts";
import { resourceIdOf, startArm } from "../arm/server.ts";
import { startAzurite } from "../azurite.ts";
import { aCluster, authority } from "./azure-clusters-fixtures.ts";

test("a cluster that ARM does not know is told by its resource id, as a reason and no failure, and nothing else is touched", async () => {
	const missing = resourceIdOf(aCluster("gone"));
	const [arm, azurite] = await Promise.all([startArm({ clusters: [], authority }), startAzurite()]);
	try {
		const env = { AzureWebJobsStorage: azurite.connectionString, CLUSTERS: `west=${missing}`, MAINTENANCE_WINDOWS: "always" };
		const lines: JournalLine[] = [];
		const { world, worker } = wire(env, "reboots", {
			journal: { write: (line) => lines.push(line) },
			arm: {
				credential: { getToken: async () => ({ token: "token-of-the-test", expiresOnTimestamp: Date.now() + 3_600_000 }) },
				armUrl: arm.url,
				armCaPem: arm.caPem,
			},
		});
		const { results, failing } = await round(world, worker, configurationOf(env));
		assert.deepEqual([results.get("west")?.kind, failing], ["excused", []]);
		const [told] = lines.filter((line) => line.event === "cluster.notLooked");
		assert.match(String(told?.message), /does not exist in Azure/);
		assert.ok(String(told?.message).toLowerCase().includes(missing.toLowerCase()), String(told?.message));
		assert.deepEqual([...new Set(arm.calls.map((call) => call.method))].sort(), ["GET", "POST"]);
		assert.equal(JSON.stringify(lines).includes("token-of-the-test"), false);
	} finally {
		await Promise.all([arm.stop(), azurite.stop()]);
	}
});
