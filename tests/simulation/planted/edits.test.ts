// The list of planted bugs must not rot: each is still one edit of the code as it is. (That each is caught shows `npm run planted`.)
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { test } from "node:test";
import { applied, type Edit, safety } from "./edit.ts";
import { edits } from "./edits.ts";

function planted(edit: Edit): string {
	return applied(edit, readFileSync(new URL(`../../../lib/${edit.file}`, import.meta.url), "utf8"));
}

test("every planted bug is one edit of lib/ as it is now, and what results is still a program", () => {
	for (const edit of edits) assert.ok(stripTypeScriptTypes(planted(edit)).length > 0, edit.name);
});

test("an edit whose text is not there, or is there twice, fails by name", () => {
	const edit: Edit = { name: "some bug", breaks: "S1", file: "plan/plan.ts", old: "b", new: "c" };
	assert.throws(() => applied(edit, "a"), /some bug.*0 times/);
	assert.throws(() => applied(edit, "b b"), /some bug.*2 times/);
});

test("every promise of the design has a bug that breaks it, and no two bugs have one name", () => {
	const broken = new Set(edits.map((each) => each.breaks));
	assert.deepEqual(
		safety.filter((each) => !broken.has(each)),
		[],
	);
	assert.equal(new Set(edits.map((each) => each.name)).size, edits.length);
});
