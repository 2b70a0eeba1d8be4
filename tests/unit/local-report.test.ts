import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Outcomes } from "../../lib/local/outcomes.ts";
import { reportLines } from "../../lib/local/report.ts";
import type { End } from "../../lib/plan/model.ts";
import { Journal } from "../../lib/tick/journal.ts";
import type { ClusterSummary } from "../../lib/tick/summary.ts";
import { cut, draining, outOfReach, quiet, stuckAndHeld } from "./local-summaries.ts";

function outcomesOf(...ended: readonly (readonly [node: string, end: End])[]): Outcomes {
	const outcomes = new Outcomes();
	const journal = new Journal(outcomes.sink({ write() {} }));
	for (const [node, end] of ended) {
		const of = { cluster: "west", node, pool: "apps", reboot: `r-${node}` };
		const phasesMs = { cordoning: 1_000, draining: 2_000, rebooting: 9_000 };
		journal.write("reboot.ended", {
			...of,
			end,
			cause: { kind: "windowClosed" },
			blockedBy: [],
			tookMs: 12_000,
			phasesMs,
			foundCordoned: node === "node-10",
			kernelBefore: "5.15.0-1",
			kernelAfter: end === "done" ? "5.15.0-2" : null,
		});
	}
	return outcomes;
}

function said(outcomes: Outcomes, clusters: Readonly<Record<string, ClusterSummary>>, columns: number | null = null): readonly string[] {
	return reportLines(outcomes.all, new Map(Object.entries(clusters)), columns, (_, text) => text);
}

describe("what a run says last", () => {
	test("kernels before and after, and how long each phase took", () => {
		assert.deepEqual(said(outcomesOf(["n-1", "done"], ["node-10", "done"]), { west: quiet() }), [
			"",
			"Rebooted",
			"  west/n-1      kernel 5.15.0-1 → 5.15.0-2 in 12 s: cordoning 1 s, draining 2 s, rebooting 9 s",
			"  west/node-10  kernel 5.15.0-1 → 5.15.0-2 in 12 s: cordoning 1 s, draining 2 s, rebooting 9 s; left cordoned as it was found",
		]);
	});

	test("every node that was not rebooted has its reason, by what became of it", () => {
		const lines = said(outcomesOf(["n-9", "gaveUp"]), { west: draining(), north: stuckAndHeld() });
		assert.deepEqual(lines, [
			"",
			"Not rebooted",
			"  west/n-9   given up: not rebooted, back in service after 12 s: its window closed before the reboot was asked for (WINDOW_CLOSES=give-up)",
			"",
			"Needs a person",
			"  north/n-3  stuck: not Ready 60 s after the reboot was asked for",
			"",
			"Still in flight, and gone on with by the next run",
			"  west/n-1   draining: web/web-1: needs 2 healthy pods and has 2",
			"",
			"On hold",
			"  north/n-5  on hold by its annotation: load test",
			"",
			"Waiting",
			"  west/n-2   the cluster has room for 1 (MAX_CONCURRENT), taken by n-1",
			"  north/n-4  node n-3 did not come back well from its reboot and needs a person: nothing begins beside it",
		]);
	});

	test("a cluster that could not be looked at is not passed over in silence", () => {
		assert.deepEqual(said(outcomesOf(), { west: outOfReach() }).slice(1), [
			"Clusters",
			"  west  it could not be looked at (3 in a row): listing cordoned nodes: no answer within 10000 ms",
		]);
	});

	test("what is not listed is counted", () => {
		assert.deepEqual(said(outcomesOf(), { west: cut() }).slice(1), ["On hold", "  and 3 more", "", "Waiting", "  west/n-1  it backs off", "  and 3996 more"]);
		const many = Array.from({ length: 100 }, (_, i) => [`n-${i}`, "done"] as const);
		assert.equal(said(outcomesOf(...many), {}).at(-1), "  and 60 more");
	});

	test("nothing happened and nobody waits: nothing is said", () => {
		assert.deepEqual(said(outcomesOf(), { west: quiet() }), []);
	});

	test("on a terminal sentences go on below themselves, and break between words", () => {
		const line = said(outcomesOf(["n-9", "gaveUp"]), {}, 60).at(-1) ?? "";
		const [first = "", ...rest] = line.split("\n");
		assert.ok(rest.length > 0);
		for (const each of [first, ...rest]) assert.ok(each.length <= 60, each);
		for (const each of rest) assert.match(each, /^ {12}\S/);
	});
});
