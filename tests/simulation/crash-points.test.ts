// A process of the scheduler dies after each of its calls, enumerated and not sampled; the next one goes on to the same end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { deaths, namedPoints, storyOfDropped, storyOfOne, storyOfTwo } from "./crash-points.ts";

for (const story of [storyOfOne, storyOfTwo]) {
	test(`${story.name} ends alike, after whichever call its worker dies`, async (t) => {
		const hits = new Map(namedPoints.map(([name]) => [name, 0]));
		const wrong: string[] = [];
		let calls = 0;
		for await (const death of deaths(story)) {
			calls++;
			for (const [name, pattern] of namedPoints) if (death.at !== null && pattern.test(death.at)) hits.set(name, (hits.get(name) ?? 0) + 1);
			if (death.wrong !== null) wrong.push(`dead after call ${death.call} (${death.at}): ${death.wrong}`);
		}
		for (const [name, times] of hits) t.diagnostic(`${String(times).padStart(4)}  ${name}`);
		t.diagnostic(`${calls} deaths, one after each call`);
		assert.deepEqual(wrong, []);
		assert.deepEqual(
			[...hits].filter(([, times]) => times === 0).map(([name]) => name),
			[],
		);
	});
}

test(`${storyOfDropped.name}: every node is brought back, after whichever call its worker dies`, async (t) => {
	const wrong: string[] = [];
	let calls = 0;
	for await (const death of deaths(storyOfDropped, false)) {
		calls++;
		if (death.wrong !== null) wrong.push(`dead after call ${death.call} (${death.at}): ${death.wrong}`);
	}
	t.diagnostic(`${calls} deaths, one after each call`);
	assert.deepEqual(wrong, []);
	assert.ok(calls > 40);
});
