// Thousands of hostile worlds, those of the commit, and every scenario that ever failed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed as from } from "../property-seed.ts";
import { type Counts, shownByScenarios, sum, table, unseen } from "./coverage.ts";
import { type Harvest, harvestAll } from "./farm.ts";
import { regressions } from "./regressions.ts";
import { run } from "./run.ts";

const count = 2_000;
let seen: Counts = new Map();

test(`${count} seeded worlds: nothing unsafe, nothing stuck without a true reason, and the same seed gives the same story`, async (t) => {
	const failed: Harvest[] = [];
	let calls = 0;
	const startedAt = performance.now();
	await harvestAll(
		Array.from({ length: count }, (_, i) => from + i),
		(harvest) => {
			calls += harvest.calls;
			seen = sum([seen, harvest.seen]);
			if (harvest.verdict !== "ok") failed.push(harvest);
		},
	);
	t.diagnostic(`seeds ${from} to ${from + count - 1}: ${calls} port calls in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
	assert.deepEqual(
		failed.map(({ seed, verdict, id, what }) => `npm run simulate -- --seed ${seed} --trace: ${verdict} ${id}: ${what}`),
		[],
	);
});

test("every fault has befallen every port in them", (t) => {
	for (const line of table(seen)) t.diagnostic(line);
	assert.deepEqual(
		unseen(seen).filter((name) => !shownByScenarios(name)),
		[],
	);
});

for (const scenario of regressions()) {
	test(scenario.name, async () => {
		const { verdict, id, what } = await run(scenario);
		assert.deepEqual([verdict, id, what], ["ok", "", ""]);
	});
}
