// What a row remembers of its cluster, from look to look.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type EndedReboot, known, type PodFacts, type Reboot } from "../../lib/plan/model.ts";
import { type Plan, plan } from "../../lib/plan/plan.ts";
import type { Reason } from "../../lib/plan/reasons.ts";
import { type ClusterSummary, emptySummary, parseSummary, sayTheSame, summaryOf } from "../../lib/tick/summary.ts";
import {
	budgetObstacle,
	daemonPod,
	deploymentPod,
	drainingRecord,
	endedAs,
	lookAtCluster,
	minute,
	nodeInService,
	now,
	planInput,
	soakingRecord,
	stuckRecord,
	uncordoningRecord,
} from "./states.ts";

const view = lookAtCluster([nodeInService()]);
const idle = plan(planInput(view));

function after(before: ClusterSummary, over: Partial<Plan>): ClusterSummary {
	return summaryOf(before, view, { ...idle, ...over }, []);
}

function waitingWith(...reasons: readonly Reason[]): Plan["waiting"][number] {
	return {
		node: "n",
		pool: "work",
		systemPool: false,
		since: now,
		bootId: "b",
		kernelVersion: "k",
		packages: [],
		requested: null,
		reasons,
	};
}

const drained: EndedReboot = endedAs(
	"done",
	{ kind: "uncordoned" },
	drainingRecord({
		timeline: [
			{ phase: "cordoning", at: now - 10 * minute },
			{ phase: "draining", at: now - 9 * minute },
		],
	}),
);

describe("the place in line", () => {
	const placeOf = (...reasons: readonly Reason[]) => after(emptySummary, { waiting: [waitingWith(...reasons)] }).waiting[0]?.place;
	const full: Reason = { kind: "clusterFull", limit: 1, nodes: ["a"] };

	test("is that of the line; who stands in it and is behind nobody is first", () => {
		assert.equal(placeOf(full, { kind: "behind", place: 7, first: "a" }), 7);
		assert.equal(placeOf(full), 1);
		assert.equal(placeOf({ kind: "stuck", node: "a" }), 1);
	});

	test("is none for a node that something else keeps out of the line", () => {
		assert.equal(placeOf({ kind: "windowClosed", opensAt: null }), null);
		assert.equal(placeOf({ kind: "held", by: "jo", reason: "r" }, { kind: "dryRun" }), null);
	});
});

describe("what ended", () => {
	test("is remembered with its pool and phases, newest first, and counted for ever", () => {
		let summary = emptySummary;
		for (let i = 0; i < 60; i++) summary = after(summary, { ended: [drained] });
		assert.deepEqual(summary.counts, {
			ends: { done: 60 },
			phases: { cordoning: { count: 60, totalMs: 60 * minute }, draining: { count: 60, totalMs: 60 * 9 * minute } },
		});
		assert.equal(summary.ended.length, 50);
		assert.equal(summary.endedCut, true);
		assert.deepEqual([summary.ended[0]?.pool, summary.ended[0]?.timeline.length], [drained.reboot.node.pool, 2]);
	});

	test("is not said to be cut while all of it is listed", () => {
		assert.equal(after(emptySummary, { ended: [drained] }).endedCut, false);
	});
});

describe("a reboot that needs a person", () => {
	const whyOf = (reboot: Reboot) => summaryOf(emptySummary, view, idle, [reboot]).inFlight[0]?.why ?? "";

	test("says whether the node was booted and does not work, or is gone", () => {
		assert.match(whyOf(stuckRecord()), /^not Ready \d+ \w+ after the reboot was asked for, and no new boot of it was seen$/);
		const rebooted = { at: now, bootId: "anew", kernelVersion: "5.15.0-1082-azure" };
		assert.match(whyOf(stuckRecord({ rebooted })), /, though it was booted anew \(kernel 5\.15\.0-1082-azure\)$/);
		assert.equal(whyOf(stuckRecord({ rebooted, asks: [] })).startsWith("not Ready after a boot by somebody else"), true);
	});

	test("does not repeat that all went well where it no longer is", () => {
		const ending = { end: "done", cause: { kind: "rejoined", tookMs: minute } } as const;
		assert.match(whyOf(soakingRecord({ ending })), /^Ready/);
		assert.equal(whyOf(soakingRecord({ ending, alarmed: true })), "not Ready after its reboot, and in service");
		const trouble = "patching node n: 403 Forbidden";
		assert.equal(whyOf(uncordoningRecord({ ending, alarmed: true, trouble })), `its cordon could not be removed in time; it is tried again: ${trouble}`);
	});
});

describe("a node that drains", () => {
	const whyOf = (reboot: Reboot, pods: readonly PodFacts[]) => {
		const drains = lookAtCluster([nodeInService()], [], { pods: new Map([[reboot.node.name, known(pods)]]) });
		return summaryOf(emptySummary, drains, idle, [reboot]).inFlight[0]?.why;
	};
	const ends = deploymentPod({ deletionAt: now + minute });

	test("says which pods it still waits for, though nothing refuses their eviction", () => {
		assert.equal(whyOf(drainingRecord(), [ends, daemonPod()]), "1 pod has still to leave: shop/web-1");
		const many = ["a", "b", "c", "d"].map((name) => deploymentPod({ name, uid: name }));
		assert.equal(whyOf(drainingRecord(), many), "4 pods have still to leave: shop/a, shop/b, shop/c and 1 more");
		assert.equal(whyOf(drainingRecord(), [daemonPod()]), null);
	});

	test("names a pod once: by what blocks it, or as one that has still to leave", () => {
		const obstacles = [budgetObstacle({ uid: ends.uid, name: ends.name })];
		assert.match(whyOf(drainingRecord({ obstacles }), [ends]) ?? "", /^pod shop\/web-1 is kept by budget [^;]*$/);
		const other = deploymentPod({ name: "web-2", uid: "uid-web-2" });
		assert.match(whyOf(drainingRecord({ obstacles }), [ends, other]) ?? "", /^pod shop\/web-1 is kept by .*; 1 pod has still to leave: shop\/web-2$/);
	});

	test("says until when a setting has it wait, and nothing of a wait that is over", () => {
		assert.match(whyOf(drainingRecord({ drainedAt: now, notBefore: now + minute }), []) ?? "", /^drained; .* at the earliest \(BEFORE_REBOOT\)$/);
		assert.match(whyOf(drainingRecord({ phase: "cordoning", notBefore: now + minute }), []) ?? "", /^it is cordoned at .* \(BEFORE_DRAIN\)$/);
		assert.equal(whyOf(drainingRecord({ drainedAt: now, notBefore: now }), []), null);
	});
});

describe("the row", () => {
	test("is bounded, whatever waits and has ended, and the counts stay whole", () => {
		const waiting = Array.from({ length: 5_000 }, () => waitingWith({ kind: "held", by: "jo", reason: "r".repeat(2_000) }));
		const ended = Array.from({ length: 50 }, () => ({ ...drained, cause: { kind: "ownerChanged", owner: "o".repeat(1_500) } as const }));
		const summary = after(emptySummary, { waiting, ended });
		assert.ok(JSON.stringify(summary).length < 70_000, `${JSON.stringify(summary).length} characters`);
		assert.deepEqual([summary.waitingCount, summary.heldCount, summary.endedCut, summary.counts.ends.done], [5_000, 5_000, true, 50]);
	});

	test("of an earlier release is read: what it lacks counts as none", () => {
		const waiting = [{ node: "n", pool: null, since: null, kernel: null, packages: [], reasons: [], why: "" }];
		const ended = [{ node: "n", end: "done", at: now, why: "", kernelBefore: "a", kernelAfter: "b" }];
		const read = parseSummary(JSON.stringify({ version: 1, at: now, waiting, waitingCount: 1, ended }));
		assert.equal(read.waiting[0]?.place, null);
		assert.deepEqual([read.ended[0]?.pool, read.ended[0]?.timeline, read.ended[0]?.foundCordoned], ["", [], false]);
		assert.deepEqual([read.counts, read.holds, read.requests, read.endedCut], [{ ends: {}, phases: {} }, [], [], false]);
		after(read, { ended: [drained] });
	});

	test("that says the same is not written again, in whatever order its fields were read", () => {
		const summary = after(emptySummary, { ended: [drained] });
		const read = parseSummary(JSON.stringify(Object.fromEntries(Object.entries(summary).reverse())));
		assert.equal(sayTheSame(read, { ...summary, at: now + minute }), true);
		assert.equal(sayTheSame(read, { ...summary, silent: 1 }), false);
	});
});
