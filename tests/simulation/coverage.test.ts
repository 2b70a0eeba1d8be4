// The table of what has been seen: a zero is found, and what is counted is what it says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { required, seenIn, shownByScenarios, sum, table, unseen } from "./coverage.ts";
import { stories } from "./scenarios/stories.ts";
import { tell } from "./scenarios/story.ts";

/** Everything once. */
function all(): ReadonlyMap<string, number> {
	return new Map(Object.entries(required).flatMap(([kind, names]) => names.map((name) => [`${kind} ${name}`, 1] as const)));
}

test("what was never seen is found by name, whatever it is; nothing is found where all was seen", () => {
	assert.deepEqual(unseen(all()), []);
	for (const [kind, names] of Object.entries(required)) {
		for (const name of names) {
			const but = new Map(all());
			but.delete(`${kind} ${name}`);
			assert.deepEqual(unseen(but), [`${kind} ${name}`]);
		}
	}
});

test("counts of several runs add up, and the table shows them all", () => {
	const counts = sum([all(), all(), new Map([["end done", 5]])]);
	assert.ok(table(counts).includes("       7  end done"));
	assert.equal(table(counts).length, all().size);
});

test("the named scenarios alone show every edge between phases, every end, every reason, every action and every outcome", async () => {
	const seen = [];
	for (const story of stories) seen.push((await tell(story)).result.seen);
	assert.deepEqual(unseen(sum(seen)).filter(shownByScenarios), []);
});

test("a journal line that tells of no move, end or reason counts as itself alone", () => {
	const line = { event: "round.ended", level: "info", message: "" } as const;
	assert.deepEqual(seenIn({ kind: "journal", by: undefined as never, line }), ["journal round.ended"]);
});
