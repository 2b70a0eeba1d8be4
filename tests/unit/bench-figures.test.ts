import assert from "node:assert/strict";
import { test } from "node:test";
import { asMarkdown, type Figure, isKept, measured, median, told } from "../bench/figures.ts";
import { sections } from "../bench/sections.ts";

const looks: Figure = { id: "looks.ms", what: "a look", unit: "ms", values: [30, 10, 20] };

test("the median is the middle one, or between the two in the middle, in whatever order they came; of nothing there is none", () => {
	assert.deepEqual([median([30, 10, 20]), median([4, 1, 3, 2]), median([7])], [20, 2.5, 7]);
	assert.throws(() => median([]));
});

test("a figure is told as its median with the least and the most, and once where they are the same", () => {
	assert.equal(measured(looks), "20 ms (10 ms – 30 ms)");
	assert.equal(measured({ ...looks, unit: "count", values: [3, 3, 3] }), "3");
});

test("bytes are told in powers of ten", () => {
	assert.deepEqual([told(999, "bytes"), told(19_650, "bytes"), told(180e6, "bytes")], ["999 B", "19.6 kB", "180 MB"]);
});

test("a promise is kept by the median, at the limit too; where nothing is promised nothing is kept", () => {
	assert.deepEqual([isKept({ ...looks, atMost: 20 }), isKept({ ...looks, atMost: 19.9 }), isKept(looks)], [true, false, null]);
});

test("a promise that is missed says so where people read it, and a bar in a text breaks no table", () => {
	const text = asMarkdown({ name: "a", title: "A", about: "b", figures: [{ ...looks, what: "a|b", atMost: 5 }] });
	assert.match(text, /\| a\\\|b \| 20 ms \(10 ms – 30 ms\) \| at most 5 ms: MISSED \|/);
});

test("every section has a name of its own that can be typed after `npm run bench --`", () => {
	const names = sections.map(({ name }) => name);
	assert.equal(new Set(names).size, names.length);
	for (const name of names) assert.match(name, /^[a-z0-9-]+$/);
});
