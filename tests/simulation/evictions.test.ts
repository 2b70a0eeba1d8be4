// The universe answers evictions as a real API server was measured to.
import assert from "node:assert/strict";
import { test } from "node:test";
import { endingNamespace, evictionRows, podName } from "../contract/eviction-rows.ts";
import { evictionOf } from "./universe/evictions.ts";

for (const { name, situation, answer, left, allowedAfter } of evictionRows) {
	test(name, () => {
		const eviction = evictionOf(situation, podName, endingNamespace);
		assert.deepEqual(eviction.answer, answer);
		const before = situation.pod === null ? "nothing" : situation.pod.terminating ? "terminating" : "untouched";
		assert.equal(eviction.deletes === "no" ? before : eviction.deletes === "atOnce" ? "nothing" : "terminating", left);
		assert.deepEqual(
			situation.budgets.map((each) => each.disruptionsAllowed - (eviction.takes ? 1 : 0)),
			allowedAfter,
		);
	});
}
