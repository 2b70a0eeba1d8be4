import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Action } from "../../lib/plan/actions.ts";
import { violations } from "../../lib/plan/invariants.ts";
import { known, type NodeFacts, phases, type Reboot, unknown, type View } from "../../lib/plan/model.ts";
import { type Plan, type PlanInput, plan } from "../../lib/plan/plan.ts";
import { type Limit, policyFor } from "../../lib/plan/policy.ts";
import {
	always,
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
	nodeBootedAnew,
	nodeCordonedByOperator,
	nodeHandedOver,
	nodeHeldByUs,
	nodeInService,
	nodeUncordonedByOperator,
	nodeWithoutMark,
	now,
	oldBoot,
	other,
	planInput,
	rebootingRecord,
	rebootPod,
	recordOf,
	saturdayNight,
	sentinelDaemonSet,
	uncordoningRecord,
	us,
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

/** A node in any state that a look may find, with or without a record, waiting or not. */
const anyNode = fc.record({
	state: fc.oneof(
		{ weight: 3, arbitrary: fc.constant(nodeInService) },
		{
			weight: 1,
			arbitrary: fc.constantFrom(nodeHeldByUs, nodeHandedOver, nodeUncordonedByOperator, nodeCordonedByOperator, nodeWithoutMark, nodeBootedAnew),
		},
	),
	ready: fc.constantFrom(true, true, true, true, true, false),
	hold: fc.constantFrom(null, null, null, null, null, "debugging"),
	phase: fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...phases) }),
	foundCordoned: fc.boolean(),
	waits: fc.constantFrom(true, true, false),
	pool: fc.constantFrom("np1", "gpu"),
	pods: fc.subarray([deploymentPod(), rebootPod(1), rebootPod(2)]),
	read: fc.constantFrom(true, true, true, false),
	late: fc.boolean(),
});

const anySettings = fc
	.record({
		cluster: fc.constantFrom<Limit>({ kind: "number", nodes: 1 }, { kind: "number", nodes: 2 }, { kind: "percent", percent: 40 }),
		pool: fc.constantFrom<Limit>({ kind: "number", nodes: 1 }, { kind: "percent", percent: 50 }),
		windows: fc.constantFrom([always], [saturdayNight], [saturdayNight], [never]),
		dryRun: fc.constantFrom(false, false, false, true),
		hold: fc.constantFrom([], [], [], [], everywhere("freeze")),
		drainTimeoutAction: fc.constantFrom("give-up" as const, "delete" as const, "reboot" as const),
		windowCloses: fc.constantFrom("give-up" as const, "finish" as const),
	})
	.map(({ cluster, pool, windows, dryRun, hold, drainTimeoutAction, windowCloses }) =>
		defaultSettings({
			maxConcurrent: [
				{ scope: { cluster: "*", pool: null }, value: cluster },
				{ scope: { cluster: "*", pool: "gpu" }, value: pool },
			],
			maintenanceWindows: everywhere(windows),
			dryRun,
			hold,
			drainTimeoutAction: everywhere(drainTimeoutAction),
			windowCloses: everywhere(windowCloses),
		}),
	);

const anyInput = fc
	.record({
		nodes: fc.array(anyNode, { minLength: 1, maxLength: 5 }),
		settings: fc.oneof({ weight: 8, arbitrary: anySettings }, { weight: 1, arbitrary: fc.constant(null) }),
		owner: fc.constantFrom<View["owner"]>(
			...Array.from({ length: 6 }, () => known({ kind: "named", holder: us } as const)),
			known({ kind: "absent" }),
			known({ kind: "named", holder: other }),
			unknown("503"),
		),
		sentinel: fc.constantFrom<View["sentinel"]>(...Array.from({ length: 6 }, () => known(sentinelDaemonSet)), known("absent"), unknown("503")),
		configured: fc.constantFrom(true, true, true, false),
	})
	.map(({ nodes, settings, owner, sentinel, configured }): PlanInput => {
		const named = nodes.map((each, i) => {
			const name = `node-${i}`;
			const facts = each.state({ name, uid: `uid-${name}`, ready: each.ready, hold: each.hold, pool: each.pool });
			const mark: NodeFacts["mark"] =
				facts.mark.kind === "mark"
					? { kind: "mark", mark: { ...facts.mark.mark, record: `reboot-${i}`, nodeUid: facts.uid, foundCordoned: each.foundCordoned } }
					: facts.mark;
			return { ...each, facts: { ...facts, mark }, i };
		});
		const records = named.flatMap(({ phase, facts, i, late }) => {
			if (phase === null) return [];
			const policy = settings === null ? defaultPolicy() : policyFor(settings, "prod", facts.pool);
			const record = recordOf[phase]({ id: `reboot-${i}`, node: { name: facts.name, uid: facts.uid, pool: facts.pool }, policy });
			return [late ? { ...record, deadlineAt: now } : record];
		});
		const facts = named.map((each) => each.facts);
		const view = lookAtCluster(
			facts,
			named.flatMap((each) => (each.waits ? [each.facts] : [])),
			{
				owner,
				sentinel,
				nodes: new Map(named.flatMap((each) => (each.read ? [[each.facts.name, known(each.facts)] as const] : []))),
				pods: new Map(named.map((each) => [each.facts.name, known(each.pods)])),
				poolSizes: known(new Map([["gpu", 3]])),
			},
		);
		return planInput(view, { records, settings, configured });
	});

test("whatever is seen of a cluster, no plan breaks the promise, and every node that waits begins or has a reason", () => {
	let begun = 0;
	fc.assert(
		fc.property(anyInput, (input) => {
			const result = plan(input);
			assert.deepEqual(violations(input, result), []);
			const admitted = new Set(result.admitted.map((each) => each.node.name));
			begun += admitted.size;
			for (const { node, reasons } of result.waiting) assert.equal(reasons.length === 0, admitted.has(node), `${node} neither begins nor has a reason`);
			const ids = [...result.steps.map((each) => each.reboot.id), ...result.adopted.map((each) => each.id), ...result.admitted.map((each) => each.id)];
			assert.equal(new Set(ids).size, ids.length, "two records with one id");
			const inHands = [...result.steps, ...result.adopted.map((reboot) => ({ reboot })), ...result.admitted.map((reboot) => ({ reboot }))];
			const going = inHands.filter((each) => !("ended" in each) || each.ended === null).map((each) => each.reboot.node.name);
			assert.equal(new Set(going).size, going.length, "two reboots of one node");
			assert.deepEqual(plan(input), result);
		}),
		{ numRuns: 8000 },
	);
	assert.ok(begun > 100, `only ${begun} admissions: the views are not worth testing`);
});
