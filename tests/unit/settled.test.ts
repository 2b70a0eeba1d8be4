import assert from "node:assert/strict";
import { test } from "node:test";
import { lastLine, pauseMs, unreachableMs, Watch } from "../../lib/local/settled.ts";
import type { Reboot } from "../../lib/plan/model.ts";
import { emptySummary } from "../../lib/tick/summary.ts";
import type { TickResult } from "../../lib/tick/tick.ts";
import { drainingRecord, stuckRecord } from "./states.ts";

const clusters = ["a", "b"].map((name) => ({ name, kind: "kubeconfig" as const, context: name }));

function looked(inFlight: readonly Reboot[] = [], unsure: string | null = null, toBegin = false): TickResult {
	return { kind: "looked", summary: emptySummary, inFlight, toBegin, unsure };
}

const failed: TickResult = { kind: "failed", why: "no answer", bug: false };

function results(a: TickResult, b: TickResult): ReadonlyMap<string, TickResult> {
	return new Map([
		["a", a],
		["b", b],
	]);
}

test("who waits could not be read: that is not settled, and a cluster that could not be looked at when it lasts", () => {
	const watch = new Watch();
	const unsure = results(looked(), looked([], "listing sentinel pods that wait: 500"));
	assert.equal(watch.judge(clusters, unsure, 0).kind, "notYet");
	assert.equal(watch.judge(clusters, results(looked(), looked()), 1_000).kind, "settled");
	assert.equal(watch.judge(clusters, unsure, 2_000).kind, "notYet");
	const verdict = watch.judge(clusters, unsure, 2_000 + unreachableMs);
	assert.deepEqual(verdict, { kind: "settled", exitCode: 1, notes: ["b: could not be looked at for 60 s: listing sentinel pods that wait: 500"] });
});

test("a cluster that cannot be claimed is not waited for without end, though a node of it would begin", () => {
	const watch = new Watch();
	const unclaimed = results(looked(), looked([], "claiming the cluster: 500", true));
	assert.equal(watch.judge(clusters, unclaimed, 0).kind, "notYet");
	assert.equal(watch.judge(clusters, results(looked(), looked([], null, true)), 500_000).kind, "notYet", "what begins at the next look is waited for");
	assert.equal(watch.judge(clusters, unclaimed, 600_000).kind, "notYet");
	const verdict = watch.judge(clusters, unclaimed, 600_000 + unreachableMs);
	assert.deepEqual(verdict, { kind: "settled", exitCode: 1, notes: ["b: could not be looked at for 60 s: claiming the cluster: 500"] });
});

test("a failure beside a reboot that goes on is not counted against what comes after it", () => {
	const watch = new Watch();
	const why = "listing sentinel pods that wait: 500";
	assert.equal(watch.judge(clusters, results(looked(), looked([], why)), 0).kind, "notYet");
	assert.equal(watch.judge(clusters, results(looked(), looked([drainingRecord()], why)), 90_000).kind, "notYet");
	assert.equal(watch.judge(clusters, results(looked(), looked([], why)), 91_000).kind, "notYet");
});

test("a failure long ago and one of now are not a failure that lasts, also where another cluster was at work meanwhile", () => {
	const watch = new Watch();
	assert.equal(watch.judge(clusters, results(looked(), failed), 0).kind, "notYet");
	assert.equal(watch.judge(clusters, results(looked([drainingRecord()]), looked()), 30_000).kind, "notYet");
	assert.equal(watch.judge(clusters, results(looked(), failed), 600_000).kind, "notYet");
});

test("a cluster that cannot be looked at is given up after a minute, beside one that is at work from the first moment on", () => {
	const watch = new Watch();
	assert.equal(watch.judge(clusters, results(looked([drainingRecord()]), failed), 0).kind, "notYet");
	assert.equal(watch.judge(clusters, results(looked(), failed), unreachableMs).kind, "settled");
});

test("a node that is stuck settles, with 1", () => {
	assert.deepEqual(new Watch().judge(clusters, results(looked(), looked([stuckRecord()])), 0), { kind: "settled", exitCode: 1, notes: ["b: stuck: node-1"] });
});

test("a node that is stuck is not looked at without a pause", () => {
	assert.ok(pauseMs([looked([stuckRecord()]), looked()], false) >= 1_000);
	assert.ok(pauseMs([looked([stuckRecord()]), failed], true) >= 1_000);
	assert.equal(pauseMs([looked([stuckRecord()]), looked([drainingRecord()])], false), 0, "its round took its time");
});

test("a lease that a killed run left behind is asked for again within seconds", () => {
	assert.ok(pauseMs([{ kind: "heldByOther", holder: "w" }, looked()], false) <= 2_000);
	assert.ok(pauseMs([looked(), looked()], false) > 2_000, "where nothing is waited for, clusters are left in peace");
});

test("the last line counts every node on hold, also those that the summary no longer lists", () => {
	const summary = { ...emptySummary, waitingCount: 5_000, heldCount: 4_990 };
	assert.equal(lastLine("settled", { rebooted: 1, gaveUp: 0 }, [summary], 1_000), "settled rebooted=1 gave-up=0 stuck=0 waiting=10 held=4990 in 1 s");
});
