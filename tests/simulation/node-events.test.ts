// Whatever becomes of events about nodes, every reboot comes to the same end, and hardly any later.
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventsTimeoutMs } from "../../lib/tick/node-events.ts";
import { storyOfTwo } from "./crash-points.ts";
import type { Outage } from "./faults.ts";
import type { Seen } from "./scenarios/story.ts";
import { tell } from "./scenarios/story.ts";

const hour = 3_600_000;

async function told(failure: Outage["failure"] | null): Promise<Seen> {
	const outage = { fromMs: 0, untilMs: 24 * hour, port: "kubernetes", cluster: null, method: "createEvent" } as const;
	const outages = failure === null ? [] : [{ ...outage, failure }];
	const { result, seen } = await tell({ scenario: { ...storyOfTwo, outages }, wrong: () => null });
	assert.deepEqual([result.verdict, result.what], ["ok", ""]);
	return seen;
}

function endsOf(seen: Seen): readonly string[] {
	return seen.ended.map(({ node, end, cause, from }) => `${node}: ${end} (${cause}) from ${from}`);
}

test("refused, unreachable, busy or without an answer: no look fails, and every reboot ends as it does with events", async () => {
	const undisturbed = await told(null);
	assert.deepEqual(undisturbed.events("events.lost"), []);
	assert.ok(undisturbed.ended.length >= 2);
	const lastMs = undisturbed.ended.at(-1)?.atMs ?? 0;
	for (const failure of ["forbidden", "unreachable", "throttled", "serverError", "unauthorized", "timedOut"] as const) {
		const seen = await told(failure);
		assert.deepEqual(endsOf(seen), endsOf(undisturbed), failure);
		assert.deepEqual(seen.events("tick.failed"), [], failure);
		assert.equal(seen.events("events.lost").length, 1, failure);
		// A look in which something happened is longer by the time limit at most; the next one begins so much later.
		const looks = seen.events("tick.ended").length;
		const laterMs = (seen.ended.at(-1)?.atMs ?? 0) - lastMs;
		assert.ok(laterMs <= looks * eventsTimeoutMs, `${failure}: ${laterMs} ms later`);
	}
});
