import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { liveLine, type Now, nextWindow } from "../../lib/local/live-line.ts";
import { paintOf } from "../../lib/local/screen.ts";
import { parseWindow } from "../../lib/plan/windows.ts";
import type { ClusterSummary } from "../../lib/tick/summary.ts";
import { cut, draining, now, outOfReach, quiet, rebooting, stuckAndHeld, waitingForWindows } from "./local-summaries.ts";
import { defaultSettings } from "./states.ts";

function fleet(clusters: Readonly<Record<string, ClusterSummary>>, changes: Partial<Now> = {}): Now {
	return { clusters: new Map(Object.entries(clusters)), rebooted: 0, nextWindow: null, at: now, ...changes };
}

function shown(clusters: Readonly<Record<string, ClusterSummary>>, columns = 200, changes: Partial<Now> = {}): string {
	return liveLine(fleet(clusters, changes), columns, (_, text) => text);
}

describe("the live line", () => {
	test("counts who waits, is in flight, rebooted, stuck and held, and names the next window", () => {
		assert.equal(shown({ west: quiet() }), "waiting 0 · in flight 0 · rebooted 0 · stuck 0 · held 0");
		assert.equal(
			shown({ west: draining(), north: stuckAndHeld() }, 200, { rebooted: 3, nextWindow: { at: now + 37_000, scope: "west/batch" } }),
			"waiting 2 · in flight 1: west/n-1 draining 12 s · rebooted 3 · stuck 1 · held 1 · next window west/batch in 37 s",
		);
	});

	test("one that is held is not counted as waiting too, also of lists that were cut", () => {
		assert.match(shown({ west: cut() }), /^waiting 3997 · .* · held 3$/);
	});

	test("a cluster that is not seen is told of: its numbers are old", () => {
		assert.match(shown({ west: outOfReach(), north: quiet() }), / · 1 cluster not seen$/);
	});

	test("where nodes do not fit it names clusters, then phases alone", () => {
		const clusters = { "prod-west": draining(), "prod-north": rebooting() };
		assert.match(shown(clusters, 140), /in flight 2: prod-west\/n-1 draining 12 s, prod-north\/aks-shop-31415926-vmss000000 rebooting 3 s · /);
		assert.match(shown(clusters, 110), /in flight 2: prod-west draining 12 s, prod-north rebooting 3 s · /);
		assert.match(shown(clusters, 80), /in flight 2: draining 1, rebooting 1 · /);
	});

	test("it is one line that never reaches the edge, whatever the terminal and the names are", () => {
		const clusters = { "prod-west": draining(), "prod-north": rebooting(), dev: stuckAndHeld(), "x\u001b[2J\n": rebooting(), far: outOfReach() };
		fc.assert(
			fc.property(fc.integer({ min: 12, max: 300 }), (columns) => {
				const bare = stripVTControlCharacters(liveLine(fleet(clusters), columns, paintOf({ FORCE_COLOR: "1" }, false)));
				assert.ok(bare.length < columns, bare);
				assert.ok(!bare.includes("\n"));
			}),
		);
	});
});

describe("the next window", () => {
	const spec = (text: string) => {
		const parsed = parseWindow(text);
		return "ok" in parsed ? parsed.ok : assert.fail(`${text} is no window`);
	};
	const windows = (entries: Readonly<Record<string, string>>) =>
		defaultSettings({
			maintenanceWindows: Object.entries(entries).map(([pool, text]) => ({ scope: { cluster: "*", pool }, value: [spec(text)] })),
		});

	test("is the first that a waiting node waits for, not the first of all", () => {
		const settings = windows({ apps: "daily 12:00-13:00 UTC", batch: "daily 11:00-13:00 UTC", empty: "daily 10:50-13:00 UTC" });
		const clusters = new Map([["west", waitingForWindows("apps", "batch")]]);
		assert.deepEqual(nextWindow(settings, clusters, now), { at: Date.parse("2026-11-24T11:00:00Z"), scope: "west/batch" });
	});

	test("is none where nobody waits for one, it never opens, or the settings are wrong", () => {
		const clusters = new Map([["west", waitingForWindows("apps")]]);
		assert.equal(nextWindow(windows({ apps: "never" }), clusters, now), null);
		assert.equal(nextWindow(windows({ apps: "daily 12:00-13:00 UTC" }), new Map([["west", draining()]]), now), null);
		assert.equal(nextWindow(null, clusters, now), null);
	});
});
