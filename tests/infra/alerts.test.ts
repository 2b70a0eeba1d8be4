// Every alert is run over the journal of simulated fleets: it fires where it must, for whom it must, ends by itself, and no other fires.
import assert from "node:assert/strict";
import { test } from "node:test";
import { rulesOf, watch } from "./alerts/rules.ts";
import { simulated } from "./alerts/simulated.ts";
import { alertStories, type Expected } from "./alerts/stories.ts";

const rules = rulesOf("one-cluster");

function within(value: number | null, range: Expected["untilMs"]): boolean {
	if (value === null || range === null) return value === range;
	return range[0] <= value && value <= range[1];
}

for (const { scenario, alerts, prepare } of alertStories) {
	const named = alerts.length === 0 ? "wakes nobody" : alerts.map(({ rule }) => rule).join(", ");
	test(`${scenario.name}: ${named}`, async () => {
		const { telemetry, startAt, endAt } = await simulated(scenario, prepare === undefined ? {} : { prepare });
		// Before that no rule has a window full of lines.
		const found = rules.flatMap((rule) => watch(rule, telemetry, startAt + 15 * 60_000, endAt).map((alert) => ({ rule: rule.name, ...alert })));
		const told = found.map(({ rule, of, fromMs, untilMs }) => ({ rule, of, fromMs: fromMs - startAt, untilMs: untilMs === null ? null : untilMs - startAt }));
		assert.deepEqual(
			told.map(({ rule, of }) => ({ rule, of })),
			alerts.map(({ rule, of }) => ({ rule, of })),
		);
		for (const [index, expected] of alerts.entries()) {
			const { fromMs = Number.NaN, untilMs = null } = told[index] ?? {};
			assert.ok(
				within(fromMs, expected.fromMs) && within(untilMs, expected.untilMs),
				`from ${fromMs / 60_000} to ${untilMs === null ? "the end" : untilMs / 60_000} minutes`,
			);
		}
	});
}

test("each alert fires in one of them", () => {
	const fired = new Set(alertStories.flatMap(({ alerts }) => alerts.map(({ rule }) => rule)));
	// Its rows are not the journal's: tests/infra/alerts-app.test.ts.
	assert.deepEqual([...fired, "app-failing"].sort(), rules.map(({ name }) => name).sort());
});
