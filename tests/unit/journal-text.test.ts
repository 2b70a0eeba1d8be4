import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Journal } from "../../lib/tick/journal.ts";
import { journalText } from "../../lib/tick/journal-text.ts";
import type { JournalLine } from "../../lib/tick/world.ts";

function lineWith(packages: readonly string[], why: string): JournalLine {
	const lines: JournalLine[] = [];
	const reasons = [{ kind: "nodeUnknown", why } as const];
	new Journal({ write: (line) => lines.push(line) }).write("node.waiting", {
		...{ cluster: "prod", node: "n1", pool: "np1", since: 1, requestedBy: null },
		packages,
		reasons,
	});
	assert.ok(lines[0]);
	return lines[0];
}

describe("a line of the journal as a text", () => {
	test("is its JSON, the event first, where queries look for it", () => {
		const line = lineWith(["libc6"], "no answer");
		assert.deepEqual(JSON.parse(journalText(line)), line);
		assert.ok(journalText(line).startsWith('{"event":"node.waiting",'));
	});

	test("is never longer than Application Insights keeps, and can still be read then", () => {
		const many = Array.from({ length: 5_000 }, (_, index) => `linux-image-${index}`);
		for (const line of [lineWith(many, "no answer"), lineWith([], "x".repeat(100_000)), lineWith(many, "\u0001".repeat(100_000))]) {
			const text = journalText(line);
			assert.ok(text.length <= 32_768, String(text.length));
			const { cluster, node, cut } = JSON.parse(text) as Record<string, unknown>;
			assert.deepEqual([cluster, node, cut], ["prod", "n1", true]);
			assert.ok(text.startsWith('{"event":"node.waiting",'));
		}
	});
});
