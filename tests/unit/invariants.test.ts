import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Action } from "../../lib/plan/actions.ts";
import { violations } from "../../lib/plan/invariants.ts";
import { known, type NodeFacts, type Reboot } from "../../lib/plan/model.ts";
import { type Plan, type PlanInput, plan } from "../../lib/plan/plan.ts";
import {
	cordoningRecord,
	defaultPolicy,
	defaultSettings,
	deploymentPod,
	drainingRecord,
	everywhere,
	lookAtCluster,
	minute,
	never,
	newBoot,
	nodeHandedOver,
	nodeHeldByUs,
	nodeInService,
	nodeUncordonedByOperator,
	now,
	oldBoot,
	planInput,
	rebootingRecord,
	sentinelDaemonSet,
	uncordoningRecord,
} from "./states.ts";

/** A plan that some bug changed after the fact. */
function broken(input: PlanInput, changes: Partial<Plan>): readonly string[] {
	return violations(input, { ...plan(input), ...changes }).map((each) => `${each.id} ${each.record}`);
}

function admittedOn(name: string, pool = "np1"): Reboot {
	return { ...cordoningRecord(), id: `new-${name}`, node: { name, uid: `uid-${name}`, pool } };
}

const ask: Action = {
	kind: "ask",
	record: "reboot-a",
	node: "node-1",
	bootId: oldBoot,
	ask: 1,
	notBefore: now - minute,
	notAfter: now + minute,
	sentinel: sentinelDaemonSet,
};

function withAsk(node: NodeFacts, record: Reboot, changes: Partial<PlanInput> = {}): readonly string[] {
	const input = planInput(lookAtCluster([node]), { records: [record], ...changes });
	return broken(input, { steps: [{ before: record, reboot: record, ended: null, moves: [] }], ended: [], actions: [ask] });
}

test("a sound plan violates nothing: an admission, a drain, an ask, an uncordon", () => {
	const a = nodeInService();
	assert.deepEqual(broken(planInput(lookAtCluster([a], [a])), {}), []);
	const pods = new Map([["node-1", known([deploymentPod()])]]);
	for (const record of [drainingRecord(), rebootingRecord(), uncordoningRecord()])
		assert.deepEqual(broken(planInput(lookAtCluster([nodeHeldByUs()], [], { pods }), { records: [record] }), {}), []);
	assert.deepEqual(broken(planInput(lookAtCluster([nodeHeldByUs()]), { records: [drainingRecord()] }), {}), []);
	assert.deepEqual(withAsk(nodeHeldByUs(), rebootingRecord()), []);
});

describe("S1, room", () => {
	test("every admission beyond the cluster's room is dropped, and those within it are not", () => {
		const admitted = [admittedOn("a"), admittedOn("b"), admittedOn("c")];
		assert.deepEqual(broken(planInput(lookAtCluster([])), { admitted }), ["S1 new-b", "S1 new-c"]);
	});

	test("what is in flight takes room, and what ended does not", () => {
		const record = uncordoningRecord();
		const step = { before: record, reboot: record, ended: null, moves: [] };
		const input = planInput(lookAtCluster([nodeHeldByUs()]), { records: [record] });
		assert.deepEqual(broken(input, { admitted: [admittedOn("b")], steps: [step], ended: [], actions: [] }), ["S1 new-b"]);
		const ended = [{ reboot: record, end: "done", cause: { kind: "soaked" }, endedAt: now } as const];
		assert.deepEqual(broken(input, { admitted: [admittedOn("b")], steps: [step], ended, actions: [] }), []);
	});

	test("a pool's room is checked too, as a number and as a percentage", () => {
		const limited = (limit: { kind: "number"; nodes: number } | { kind: "percent"; percent: number }) =>
			defaultSettings({
				maxConcurrent: [
					{ scope: { cluster: "*", pool: null }, value: { kind: "number", nodes: 9 } },
					{ scope: { cluster: "*", pool: "np1" }, value: limit },
				],
			});
		const admitted = [admittedOn("a"), admittedOn("b"), admittedOn("c", "np2")];
		const view = lookAtCluster([], [], { poolSizes: known(new Map([["np1", 4]])) });
		assert.deepEqual(broken(planInput(view, { settings: limited({ kind: "number", nodes: 1 }) }), { admitted }), ["S1 new-b"]);
		assert.deepEqual(broken(planInput(view, { settings: limited({ kind: "percent", percent: 25 }) }), { admitted }), ["S1 new-b"]);
		assert.deepEqual(broken(planInput(view, { settings: limited({ kind: "percent", percent: 50 }) }), { admitted }), []);
	});
});

describe("S2 and S5, the ask", () => {
	test("only of a node that is cordoned, in the phase that asks, under the boot that is to end", () => {
		assert.deepEqual(withAsk(nodeUncordonedByOperator(), rebootingRecord()), ["S2 reboot-a"]);
		assert.deepEqual(withAsk(nodeHeldByUs(), drainingRecord()), ["S2 reboot-a"]);
		assert.deepEqual(withAsk(nodeHeldByUs({ bootId: newBoot }), rebootingRecord()), ["S5 reboot-a"]);
	});
});

describe("S3, windows", () => {
	const closed = { settings: defaultSettings({ maintenanceWindows: everywhere([never]) }) };

	test("nothing is admitted or first asked for outside one, unless WINDOW_CLOSES=finish", () => {
		assert.deepEqual(broken(planInput(lookAtCluster([]), closed), { admitted: [admittedOn("a")] }), ["S3 new-a"]);
		const asked = (record: Reboot) =>
			broken(planInput(lookAtCluster([nodeHeldByUs()]), { ...closed, records: [record] }), {
				steps: [{ before: drainingRecord({ policy: record.policy }), reboot: record, ended: null, moves: [] }],
				ended: [],
				actions: [],
			});
		assert.deepEqual(asked(rebootingRecord()), ["S3 reboot-a"]);
		assert.deepEqual(asked(rebootingRecord({ policy: defaultPolicy({ windowCloses: "finish" }) })), []);
	});
});

describe("S4, other people's cordons", () => {
	const uncordon: Action = { kind: "uncordon", record: "reboot-a", node: "node-1", resourceVersion: "100", removeCordon: true };
	const uncordoned = (node: NodeFacts, record: Reboot, action = uncordon) =>
		broken(planInput(lookAtCluster([node]), { records: [record] }), {
			steps: [{ before: record, reboot: record, ended: null, moves: [] }],
			ended: [],
			actions: [action],
		});

	test("a cordon that was found, or that is another manager's, is not removed", () => {
		assert.deepEqual(uncordoned(nodeHeldByUs(), uncordoningRecord()), []);
		assert.deepEqual(uncordoned(nodeHeldByUs(), uncordoningRecord({ foundCordoned: true })), ["S4 reboot-a"]);
		assert.deepEqual(uncordoned(nodeHandedOver(), uncordoningRecord()), ["S4 reboot-a"]);
		assert.deepEqual(uncordoned(nodeHandedOver(), uncordoningRecord(), { ...uncordon, removeCordon: false }), []);
	});
});

test("S6: an action without a record is nobody's", () => {
	assert.deepEqual(broken(planInput(lookAtCluster([])), { actions: [ask] }), ["S6 reboot-a"]);
});

test("S7: a pod is deleted past its budgets only where DRAIN_TIMEOUT_ACTION says so", () => {
	const remove: Action = { kind: "delete", record: "reboot-a", pod: deploymentPod(), gracePeriodSeconds: null };
	const deleted = (record: Reboot) => {
		const input = planInput(lookAtCluster([nodeHeldByUs()]), { records: [record] });
		return broken(input, { steps: [{ before: record, reboot: record, ended: null, moves: [] }], ended: [], actions: [remove] });
	};
	assert.deepEqual(deleted(drainingRecord()), ["S7 reboot-a"]);
	assert.deepEqual(deleted(drainingRecord({ policy: defaultPolicy({ drainTimeoutAction: "delete" }) })), ["S7 reboot-a"]);
	assert.deepEqual(deleted(drainingRecord({ policy: defaultPolicy({ drainTimeoutAction: "delete" }), harsher: "delete" })), []);
});

describe("S9, holds", () => {
	const held = { settings: defaultSettings({ hold: everywhere("freeze") }) };

	test("nothing is admitted under a hold, a dry run, wrong settings, or of a cluster that was dropped", () => {
		const admitted = [admittedOn("a")];
		const view = lookAtCluster([]);
		assert.deepEqual(broken(planInput(view, held), { admitted }), ["S9 new-a"]);
		assert.deepEqual(broken(planInput(view, { settings: defaultSettings({ dryRun: true }) }), { admitted }), ["S9 new-a"]);
		assert.deepEqual(broken(planInput(view, { settings: null }), { admitted }).includes("S9 new-a"), true);
		assert.deepEqual(broken(planInput(view, { configured: false }), { admitted }), ["S9 new-a"]);
	});

	test("nor asked for", () => {
		assert.deepEqual(withAsk(nodeHeldByUs(), rebootingRecord(), held), ["S9 reboot-a"]);
		assert.deepEqual(withAsk(nodeHeldByUs({ hold: "debugging" }), rebootingRecord()), ["S9 reboot-a"]);
	});
});
