// Names, reasons, packages and kernels are written by people and machines outside: whatever they say, the page only shows it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answerStatus, type FleetRead } from "../../lib/status/answer.ts";
import { script } from "../../lib/status/script.ts";
import { style } from "../../lib/status/style.ts";
import type { FleetRow } from "../../lib/tick/rows.ts";
import { drainingNode, endedNode, minutesAgo, now, rowOf, waitingNode } from "../functions/fleet-rows.ts";
import { benchStatus, largeFleet } from "../functions/status-bench.ts";

/** Every text of a row that does not come from us. */
function rowSaying(text: string): FleetRow {
	const asked = { node: text, reason: text, by: text, at: minutesAgo(1), until: now + 60_000 };
	return rowOf(
		text,
		{
			waiting: [waitingNode(text, { pool: text, packages: [text, text], kernel: text, why: text })],
			waitingCount: 2,
			inFlight: [drainingNode(text, { pool: text, why: text, kernel: text })],
			reasons: [text],
			failure: text,
			ended: [endedNode(text, { end: "gaveUp", pool: text, why: text, kernelBefore: text, kernelAfter: text })],
			holds: [{ ...asked, pool: text, node: null }],
			requests: [{ ...asked, bootId: text, ignoreWindow: false }],
		},
		true,
	);
}

function pageSaying(text: string): string {
	const problems = [{ setting: text, part: text, expected: text }];
	const fleet: FleetRead = { kind: "read", rows: [rowSaying(text)], round: null, at: now, unreadable: [text] };
	const query = new URLSearchParams({ told: text, code: text, "typed-cluster": text, "typed-reason": text, "typed-by": text });
	return answerStatus({ method: "GET", query, header: () => null, body: "" }, fleet, { clusters: [text], problems, dryRun: true, settings: null }).body;
}

/** Tags and the names of their attributes, style sheet and script as they were written. */
function structureOf(page: string): readonly string[] {
	const bare = page.replace(`<style>${style}</style>`, "").replace(`<script>${script}</script>`, "");
	return [...bare.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replaceAll(/="[^"]*"/g, "="));
}

describe("whatever stands in a cluster", () => {
	const attacks = [
		"</script><script>alert(1)</script>",
		'"><img src=x onerror=alert(1)>',
		"' onfocus='alert(1)",
		"</style>",
		"<!--",
		"&lt;b&gt;",
		"</svg>",
		"]]>",
	];

	test("changes no tag and no attribute of the page", () => {
		const plain = structureOf(pageSaying("x"));
		assert.ok(plain.length > 100);
		const text = fc.oneof(
			fc.constantFrom(...attacks),
			fc.string({ minLength: 1, unit: "binary" }),
			fc.string({ minLength: 1, unit: fc.constantFrom(..."<>\"'&;/=! a") }),
		);
		fc.assert(fc.property(text, (each) => assert.deepEqual(structureOf(pageSaying(each)), plain)));
	});

	test("is never made into markup by the script, and never into code", () => {
		assert.doesNotMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|setAttribute|srcdoc/);
	});

	test("cannot end the page's own script or style sheet", () => {
		for (const text of [script, style]) assert.doesNotMatch(text, /<\/|<!--/);
	});
});

describe("the page of a large fleet", () => {
	test("is less than 1 MB for 500 clusters with 2,000 nodes that wait", (context) => {
		const figures = benchStatus(500, 4, 1);
		context.diagnostic(`${(figures.htmlBytes / 1_000_000).toFixed(2)} MB of HTML in ${figures.htmlMs} ms`);
		assert.ok(figures.htmlBytes < 1_000_000, `${figures.htmlBytes} bytes`);
	});

	test("does not grow with the nodes that wait: what is cut is said, and is a link away", () => {
		const { fleet, about } = largeFleet(500, 60);
		const ask = (query: string) => answerStatus({ method: "GET", query: new URLSearchParams(query), header: () => null, body: "" }, fleet, about).body;
		const page = ask("code=k");
		assert.ok(page.length < 1_600_000, `${page.length} characters`);
		assert.match(page, /55 more nodes wait and are not listed here/);
		assert.match(page, /<a href="\?cluster=prod-100&amp;code=k">All of prod-100/);
		assert.equal(ask("cluster=prod-101").match(/<b>aks-/g)?.length, 62, "all that wait, and the two that ended");
	});
});
