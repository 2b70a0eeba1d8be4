// When a round was due: what tells a scheduler that has stopped from one that has nothing to do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { schedule } from "../../lib/settings/values.ts";
import { lastDue } from "../../lib/status/schedule.ts";
import { statusOf } from "../../lib/status/status.ts";
import { minutesAgo, now, rowOf, settingsOf } from "../functions/fleet-rows.ts";

function due(text: string, before: number): number | null {
	const read = schedule(text);
	assert.ok("ok" in read, text);
	return lastDue(read.ok, before);
}

test("the last minute in which a timer was due, by every form of its fields", () => {
	// A Tuesday.
	const before = Date.parse("2026-11-24T12:07:30Z");
	for (const [text, expected] of [
		["0 * * * * *", "2026-11-24T12:07"],
		["0 */5 * * * *", "2026-11-24T12:05"],
		["30 10,20 * * * *", "2026-11-24T11:20"],
		["0 5/20 * * * *", "2026-11-24T12:05"],
		["0 0 2-6 * * Sat,Sun", "2026-11-22T06:00"],
		["0 0 2-6 * * 0,6", "2026-11-22T06:00"],
		["0 0 6-2 * * Sat-Sun", "2026-11-24T06:00"],
		["0 30 9 24 Nov *", "2026-11-24T09:30"],
		["0 0 0 * * mon-fri", "2026-11-24T00:00"],
		["0 0 0/12 * 11 2", "2026-11-24T12:00"],
	] as const)
		assert.equal(new Date(due(text, before) ?? 0).toISOString().slice(0, 16), expected, text);
	assert.equal(due("0 0 0 1 1 *", before), null);
});

function stoppedBy(schedule: string, endedAt: number | null): boolean {
	const rows = [rowOf("c", {})];
	const round = endedAt === null ? null : { endedAt, worker: "w", clusters: 1, failed: 0, tookMs: 1 };
	const settings = settingsOf(["c"], { TICK_SCHEDULE: schedule });
	return statusOf({ rows, round, at: now, unreadable: [] }, { clusters: ["c"], problems: [], dryRun: false, settings }).stopped;
}

test("rounds have stopped once one was due for three minutes and has not ended", () => {
	assert.deepEqual([stoppedBy("0 * * * * *", minutesAgo(3)), stoppedBy("0 * * * * *", minutesAgo(3.1))], [false, true]);
});

test("a timer that is due every quarter of an hour has not stopped in between", () => {
	assert.equal(stoppedBy("0 10/15 * * * *", minutesAgo(4)), false);
	assert.equal(stoppedBy("0 10/15 * * * *", minutesAgo(6)), true, "11:55 was due");
	assert.equal(stoppedBy("0 0 2-6 * * Sat,Sun", minutesAgo(60 * 24 * 2)), false);
});

test("a table that was filled by a release that wrote no row for rounds is no alarm before one was due", () => {
	assert.equal(stoppedBy("0 * * * * *", null), false);
});
