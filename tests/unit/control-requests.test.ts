// "Reboot this node now": what it may pass, what it never passes, and when it is over.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { violations } from "../../lib/plan/invariants.ts";
import { type ControlHold, type ControlRequest, known, type NodeFacts, type Reboot, type View } from "../../lib/plan/model.ts";
import { type Plan, type PlanInput, plan } from "../../lib/plan/plan.ts";
import type { ReasonKind } from "../../lib/plan/reasons.ts";
import {
	budgetObstacle,
	defaultPolicy,
	defaultSettings,
	deploymentPod,
	drainingRecord,
	everywhere,
	givenUpMemory,
	holdOf,
	hour,
	lookAtCluster,
	minute,
	never,
	newBoot,
	nodeHeldByUs,
	nodeInService,
	now,
	oldBoot,
	ourMark,
	planInput,
	rebootedMemory,
	rebootingRecord,
	requestOfNode,
	saturdayNight,
	sentinelPod,
	sentinelThatAsksNothing,
	soakingRecord,
	stuckRecord,
	uncordoningRecord,
} from "./states.ts";

const node = nodeInService();
const other = nodeInService({ name: "node-2", uid: "uid-node-2" });
const accepted = { rebootPod: { kind: "accepted" } as const, blocked: [] };

/** A look at nodes that were read and passed their dry runs; only those in `waiting` ask by their sentinels. */
function look(nodes: readonly NodeFacts[], waiting: readonly NodeFacts[] = [], changes: Partial<View> = {}): View {
	return lookAtCluster(nodes, waiting, { preflights: new Map(nodes.map((each) => [each.name, accepted])), ...changes });
}

function asked(requests: readonly ControlRequest[], holds: readonly ControlHold[] = []): Pick<PlanInput, "control"> {
	return { control: { holds, requests } };
}

/** The plan, which must keep the promise. */
function planned(view: View, changes: Partial<PlanInput> = {}): Plan {
	const input = planInput(view, changes);
	const result = plan(input);
	assert.deepEqual(violations(input, result), []);
	return result;
}

function admittedNames(result: Plan): readonly string[] {
	return result.admitted.map((each) => each.node.name);
}

function reasonsOf(result: Plan, name = "node-1"): readonly ReasonKind[] {
	const waiting = result.waiting.find((each) => each.node === name);
	assert.ok(waiting, `${name} is not in line`);
	return waiting.reasons.map((each) => each.kind);
}

const closed = defaultSettings({ maintenanceWindows: everywhere([never]) });

describe("a node whose reboot somebody asked for", () => {
	test("is admitted though no sentinel says a word, under the boot that it runs, and the record says who asked", () => {
		const result = planned(look([node]), asked([requestOfNode()]));
		assert.deepEqual(admittedNames(result), ["node-1"]);
		assert.equal(result.admitted[0]?.bootId, oldBoot);
		assert.deepEqual(result.admitted[0]?.request, requestOfNode());
		assert.equal(result.admitted[0]?.policy.windowCloses, "give-up", "the policy of its pool");
	});

	test("goes first, before those that wait longer", () => {
		const result = planned(look([node, other], [other]), asked([requestOfNode({ node: "node-1" })]));
		assert.deepEqual(admittedNames(result), ["node-1"]);
		assert.deepEqual(reasonsOf(result, "node-2"), ["clusterFull", "behind"]);
	});

	test("is not kept waiting by REBOOT_INTERVAL or by a back-off", () => {
		const ofThisBoot = { bootId: oldBoot, probationMs: 0 };
		for (const memory of [rebootedMemory(hour, ofThisBoot), givenUpMemory(minute)]) {
			const view = look([node], [node]);
			assert.deepEqual(admittedNames(planned(view, { memory: [memory] })), [], "it waits by itself");
			assert.deepEqual(admittedNames(planned(view, { memory: [memory], ...asked([requestOfNode()]) })), ["node-1"]);
		}
	});

	test("needs no report that can be read, nor one of this boot", () => {
		const stale = look([node], [nodeInService({ bootId: newBoot })]);
		assert.deepEqual(reasonsOf(planned(stale)), ["reportStale"]);
		assert.deepEqual(admittedNames(planned(stale, asked([requestOfNode()]))), ["node-1"]);
	});

	const unfit: Readonly<Record<string, readonly [ReasonKind, View, Partial<PlanInput>?]>> = {
		"its window is closed": ["windowClosed", look([node]), { settings: closed }],
		"its pool has no window": ["noWindow", look([node]), { settings: defaultSettings({ maintenanceWindows: [] }) }],
		"it is not Ready": ["nodeNotReady", look([nodeInService({ ready: false })])],
		"the autoscaler takes it away": ["nodeLeaving", look([nodeInService({ taints: ["ToBeDeletedByClusterAutoscaler"] })])],
		"a reboot pod would be refused there": [
			"rebootPodRefused",
			look([node], [], { preflights: new Map([["node-1", { rebootPod: { kind: "refused", why: "policy" }, blocked: [] }]]) }),
		],
		"a budget that blocked its last drain still would": [
			"stillBlocked",
			look([node], [], { preflights: new Map([["node-1", { rebootPod: { kind: "accepted" }, blocked: [budgetObstacle()] }]]) }),
		],
		"the cluster is another scheduler's": ["notOwner", look([node], [], { owner: known({ kind: "named", holder: "other" }) })],
		"the sentinel DaemonSet, whose image it takes, is gone": ["sentinelAbsent", look([node], [], { sentinel: known("absent") })],
		"a node beside it is stuck": [
			"stuck",
			look([node, nodeHeldByUs({ name: "node-2", uid: "uid-node-2", ready: false })]),
			{
				records: [stuckRecord({ node: { name: "node-2", uid: "uid-node-2", pool: "np1" } })],
				settings: defaultSettings({ maxConcurrent: everywhere({ kind: "number", nodes: 5 }) }),
			},
		],
		"one rebooted lately beside it is not well": [
			"probation",
			look([node, nodeInService({ name: "node-2", uid: "uid-node-2", ready: false, bootId: newBoot })]),
			{ memory: [rebootedMemory(minute, { node: "node-2", nodeUid: "uid-node-2" })] },
		],
		"the settings are wrong": ["settingsWrong", look([node]), { settings: null }],
		"the cluster was dropped from CLUSTERS": ["removed", look([node]), { configured: false }],
	};
	for (const [what, [kind, view, changes]] of Object.entries(unfit))
		test(`waits where ${what}, and says so`, () => {
			const result = planned(view, { ...changes, ...asked([requestOfNode()]) });
			assert.deepEqual(admittedNames(result), []);
			assert.ok(reasonsOf(result).includes(kind), reasonsOf(result).join());
			assert.deepEqual(result.waiting.find((each) => each.node === "node-1")?.requested, requestOfNode());
		});

	test("waits under every hold that covers it, asked for before or after, and says so", () => {
		for (const hold of [holdOf(), holdOf({ pool: "np1" }), holdOf({ node: "node-1" }), holdOf({ at: now })]) {
			const result = planned(look([node]), asked([requestOfNode({ ignoreWindow: true })], [hold]));
			assert.deepEqual(admittedNames(result), []);
			assert.deepEqual(reasonsOf(result), ["held"]);
		}
	});

	test("in a dry run would begin, and does not", () => {
		const result = planned(look([node]), { settings: defaultSettings({ dryRun: true }), ...asked([requestOfNode({ ignoreWindow: true })]) });
		assert.deepEqual([admittedNames(result), reasonsOf(result)], [[], ["wouldBegin"]]);
	});

	test("does not take a second node down: two requests begin one after the other, the earlier first", () => {
		const requests = [requestOfNode({ at: now - minute }), requestOfNode({ node: "node-2", at: now - 2 * minute })];
		const result = planned(look([node, other]), asked(requests));
		assert.deepEqual(admittedNames(result), ["node-2"]);
		assert.deepEqual(reasonsOf(result), ["clusterFull", "behind"]);
	});

	test("does not begin beside one that is in flight where there is room for one", () => {
		const soaking = soakingRecord({ node: { name: "node-2", uid: "uid-node-2", pool: "np1" } });
		const result = planned(look([node, nodeInService({ name: "node-2", uid: "uid-node-2", bootId: newBoot })]), {
			records: [soaking],
			...asked([requestOfNode({ ignoreWindow: true })]),
		});
		assert.deepEqual([admittedNames(result), reasonsOf(result)], [[], ["clusterFull"]]);
	});

	test("is not admitted while it reports no boot id: a reboot is asked of a boot", () => {
		const result = planned(look([nodeInService({ bootId: "" })]), asked([requestOfNode()]));
		assert.deepEqual([admittedNames(result), reasonsOf(result)], [[], ["nodeUnknown"]]);
	});
});

describe("a request that ignores the window", () => {
	const ignoring = asked([requestOfNode({ ignoreWindow: true })]);
	const draining = drainingRecord({ request: requestOfNode({ ignoreWindow: true }), policy: defaultPolicy({ windowCloses: "finish" }) });

	test("begins while it is closed, too short, or not named at all, and carries that to the ask", () => {
		const tooShort = defaultSettings({ maintenanceWindows: everywhere([saturdayNight]), expectedDurationMs: everywhere(5 * hour) });
		for (const settings of [closed, tooShort, defaultSettings({ maintenanceWindows: [] })]) {
			const result = planned(look([node]), { settings, ...ignoring });
			assert.deepEqual(admittedNames(result), ["node-1"]);
			assert.equal(result.admitted[0]?.policy.windowCloses, "finish");
		}
	});

	test("alone does: the promise is broken where no such request stands behind it", () => {
		const input = planInput(look([node]), { settings: closed, ...ignoring });
		const result = plan(input);
		for (const requests of [
			[],
			[requestOfNode()],
			[requestOfNode({ ignoreWindow: true, node: "node-2" })],
			[requestOfNode({ ignoreWindow: true, until: now })],
		])
			assert.deepEqual(
				violations({ ...input, ...asked(requests) }, result).map(({ id }) => id),
				["S3"],
			);
	});

	test("is asked for outside it once the node is drained, and no longer than usual", () => {
		const result = planned(look([nodeHeldByUs()]), { settings: closed, records: [draining], ...ignoring });
		assert.equal(result.steps[0]?.reboot.phase, "rebooting");
		assert.equal(result.steps[0]?.reboot.asks[0]?.notAfter, now + 4 * minute, "a quarter of REBOOT_TIMEOUT");
	});

	test("one that does not ignore it is brought back when it closes, like any other", () => {
		const record = drainingRecord({ request: requestOfNode() });
		const result = planned(look([nodeHeldByUs()]), { settings: closed, records: [record], ...asked([requestOfNode()]) });
		assert.deepEqual(result.steps[0]?.reboot.ending, { end: "gaveUp", cause: { kind: "windowClosed" } });
	});
});

describe("a reboot by request in flight", () => {
	const request = requestOfNode();
	const record = drainingRecord({ request });
	const silent = look([nodeHeldByUs()], [], { pods: new Map([["node-1", known([sentinelPod(sentinelThatAsksNothing(oldBoot))])]]) });
	const pods = new Map([["node-1", known([deploymentPod()])]]);

	test("goes on though its sentinel says that none is needed; one that nobody asked for does not", () => {
		assert.equal(planned(silent, { records: [record], ...asked([request]) }).steps[0]?.reboot.phase, "rebooting");
		assert.deepEqual(planned(silent, { records: [drainingRecord()], ...asked([request]) }).steps[0]?.reboot.ending?.cause, { kind: "noLongerAsked" });
	});

	test("is brought back by a hold before the ask", () => {
		const result = planned(silent, { records: [record], ...asked([request], [holdOf({ node: "node-1" })]) });
		assert.equal(result.steps[0]?.reboot.ending?.end, "cancelled");
	});

	test("is brought back when the request is withdrawn before the ask", () => {
		const result = planned(silent, { records: [record], ...asked([]) });
		assert.deepEqual(result.steps[0]?.reboot.ending, { end: "cancelled", cause: { kind: "forbidden", reason: { kind: "requestWithdrawn" } } });
	});

	test("goes on when the request expires meanwhile: nothing begins then, and this has begun", () => {
		const old = requestOfNode({ until: now - minute });
		const view = look([nodeHeldByUs()], [], { pods });
		for (const requests of [[old], []]) {
			const result = planned(view, { records: [drainingRecord({ request: old })], ...asked(requests) });
			assert.equal(result.steps[0]?.reboot.phase, "draining");
			assert.deepEqual(result.control.requests, requests, "it stays until the reboot has ended");
		}
	});
});

describe("a request is over", () => {
	const request = requestOfNode();
	const drainTimedOut = { kind: "drainTimedOut", afterMs: 1, obstacles: [], waitedFor: [] } as const;
	function overAfter(view: View, changes: Partial<PlanInput> = {}, requests = [request]) {
		const result = planned(view, { ...asked(requests), ...changes });
		return { kinds: result.finished.map(({ why }) => why.kind), left: result.control.requests, result };
	}

	for (const [how, record] of [
		["done", soakingRecord({ request, deadlineAt: now })],
		["given up", uncordoningRecord({ request, rebooted: null, ending: { end: "gaveUp", cause: drainTimedOut } })],
		["vetoed", uncordoningRecord({ request, rebooted: null, ending: { end: "cancelled", cause: { kind: "uncordonedByOthers", phase: "draining" } } })],
	] as const satisfies readonly (readonly [string, Reboot])[])
		test(`when its reboot has ended, here ${how}: it is one try`, () => {
			const { kinds, left, result } = overAfter(look([node]), { records: [record] });
			assert.deepEqual(result.ended.length, 1);
			assert.deepEqual([kinds, left, admittedNames(result)], [["rebootEnded"], [], []]);
		});

	test("not with a try that was being brought back already when it was asked for: that was the one before", () => {
		const again = requestOfNode({ at: now - minute });
		const back = { rebooted: null, asks: [], ending: { end: "gaveUp", cause: drainTimedOut } } as const;
		for (const [phaseSince, kinds] of [
			[now - 2 * minute, []],
			[now - minute, ["rebootEnded"]],
		] as const)
			assert.deepEqual(overAfter(look([node]), { records: [uncordoningRecord({ request, phaseSince, ...back })] }, [again]).kinds, kinds);
	});

	test("when the node has been booted since, by whomever: nothing is rebooted twice", () => {
		const { kinds, left, result } = overAfter(look([nodeInService({ bootId: newBoot })]));
		assert.deepEqual([kinds, left, admittedNames(result)], [["bootedSince"], [], []]);
	});

	test("when the node is gone", () => {
		const { kinds, left } = overAfter(look([], [], { nodes: new Map([["node-1", known("absent" as const)]]) }));
		assert.deepEqual([kinds, left], [["nodeGone"], []]);
	});

	test("when it has expired: it begins nothing", () => {
		const { kinds, left, result } = overAfter(look([node]), {}, [requestOfNode({ until: now })]);
		assert.deepEqual([kinds, left, admittedNames(result)], [["expired"], [], []]);
	});

	test("not while its reboot is in flight, and not because the node could not be read", () => {
		for (const record of [drainingRecord({ request }), rebootingRecord({ request })])
			assert.deepEqual(overAfter(look([nodeHeldByUs({}, ourMark())]), { records: [record] }).left, [request]);
		assert.deepEqual(overAfter(look([], [], { nodes: new Map([["node-1", { known: false, why: "503" }]]) })).left, [request]);
	});

	test("and holds that have expired go with it, others stay", () => {
		const holds = [holdOf({ node: "node-9", until: now }), holdOf({ node: "node-8", until: now + 1 })];
		assert.deepEqual(planned(look([node]), asked([], holds)).control.holds, [holds[1]]);
	});

	test("the node that was given up backs off as after any try, unless it is asked for again", () => {
		const record = uncordoningRecord({ request, rebooted: null, asks: [], ending: { end: "gaveUp", cause: drainTimedOut } });
		const { memory } = planned(look([node], [node]), { records: [record], ...asked([request]) });
		assert.deepEqual(reasonsOf(planned(look([node], [node]), { memory })), ["backingOff"]);
		assert.deepEqual(admittedNames(planned(look([node], [node]), { memory, ...asked([requestOfNode({ at: now })]) })), ["node-1"]);
	});
});
