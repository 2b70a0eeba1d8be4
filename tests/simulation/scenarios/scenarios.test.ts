// What is known to go wrong in the field, by name.
import assert from "node:assert/strict";
import { test } from "node:test";
import { stories } from "./stories.ts";
import { tell } from "./story.ts";

for (const story of stories) {
	test(story.scenario.name, async () => {
		const { result } = await tell(story);
		assert.deepEqual([result.verdict, result.id, result.what], ["ok", "", ""]);
	});
}
