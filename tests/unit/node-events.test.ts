// What a node is told of in the cluster itself, and that nothing stands on it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { known, type Obstacle, type Reboot, unknown, type View } from "../../lib/plan/model.ts";
import { type PlanInput, plan } from "../../lib/plan/plan.ts";
import { nodeEventReasons, nodeEvents } from "../../lib/tick/node-events.ts";
import type { Performed } from "../../lib/tick/perform.ts";
import { Teller } from "../../lib/tick/tell.ts";
import type { NodeEvent } from "../../lib/tick/world.ts";
import {
	budgetObstacle,
	cordoningRecord,
	defaultPolicy,
	defaultSettings,
	deploymentPod,
	drainingRecord,
	everywhere,
	logs,
	lookAtCluster,
	metadataOf,
	minute,
	never,
	nodeBootedAnew,
	nodeCordonedByOperator,
	nodeHeldByUs,
	nodeInService,
	nodeWithoutMark,
	now,
	oldBoot,
	other,
	planInput,
	rebootingRecord,
	rebootPod,
	rejoiningRecord,
	sentinelDaemonSet,
	sentinelPod,
	sentinelThatAsksNothing,
	soakingRecord,
	stuckRecord,
	target,
	uncordoningRecord,
	us,
} from "./states.ts";

function aTeller(): Teller {
	return new Teller({ write: () => {} }, target.name, us, new Map());
}

/** The events of one look; whoever is admitted by the plan is. */
function told(view: View, changes: Partial<PlanInput> = {}, performed: readonly Performed[] = [], teller = aTeller()): readonly NodeEvent[] {
	const planned = plan(planInput(view, changes));
	return nodeEvents({ view, plan: planned, admitted: planned.admitted, performed, worker: "worker-1" }, teller);
}

function reasons(events: readonly NodeEvent[]): readonly string[] {
	return events.map((each) => each.reason);
}

function only(events: readonly NodeEvent[]): NodeEvent {
	assert.equal(events.length, 1, reasons(events).join());
	return events[0] as NodeEvent;
}

const held = defaultSettings({ hold: everywhere("freeze") });
const closed = defaultSettings({ maintenanceWindows: everywhere([never]) });
const waiting = nodeInService();
const waits = lookAtCluster([waiting], [waiting]);

describe("a node that waits", () => {
	test("is told why it does not begin, by its own UID, in a sentence with the number in it", () => {
		const { node, nodeUid, reason, type, note, at, instance } = only(told(waits, { settings: held }));
		assert.deepEqual([node, nodeUid, reason, type, at, instance], ["node-1", "uid-node-1", "RebootRequired", "Normal", now, "worker-1"]);
		assert.match(note, /^waits for a reboot since 2026-11-27T02:30:00Z: on hold by setting HOLD: freeze$/);
	});

	test("whose reasons stay the same is told of once, and again when they are others", () => {
		const teller = aTeller();
		assert.equal(told(waits, { settings: held }, [], teller).length, 1);
		assert.equal(told(waits, { settings: held }, [], teller).length, 0);
		assert.match(only(told(waits, { settings: closed }, [], teller)).note, /its window/);
		assert.equal(told(waits, { settings: held }, [], teller).length, 1);
	});

	test("that was replaced under its name is another node, and told of anew", () => {
		const teller = aTeller();
		told(waits, { settings: held }, [], teller);
		const replaced = nodeInService({ uid: "uid-other" });
		assert.equal(only(told(lookAtCluster([replaced], [replaced]), { settings: held }, [], teller)).nodeUid, "uid-other");
	});

	test("is one event, whichever worker tells of it within minutes; the next hour's is another", () => {
		const name = (at: number) => only(told({ ...waits, at }, { settings: held })).name;
		assert.equal(name(now), name(now + 9 * minute));
		assert.notEqual(name(now), name(now + 60 * minute));
		assert.notEqual(name(now), only(told(waits, { settings: closed })).name);
	});

	test("and is next is not told of for that: the next look admits it", () => {
		assert.deepEqual(told({ ...waits, nodes: new Map(), preflights: new Map() }), []);
	});

	test("of 5,000 on patch day ten are told of in a look, the first in line first, and none twice", () => {
		const nodes = Array.from({ length: 5_000 }, (_, i) => nodeInService({ name: `node-${String(i).padStart(4, "0")}`, uid: `uid-${i}` }));
		const view = { ...lookAtCluster(nodes, nodes), preflights: new Map() };
		const teller = aTeller();
		const names = () => told(view, { settings: held }, [], teller).map((each) => each.node);
		assert.deepEqual(
			[names(), names()].map((each) => [each[0], each.at(-1), each.length]),
			[
				["node-0000", "node-0009", 10],
				["node-0010", "node-0019", 10],
			],
		);
	});

	test("whose UID is not known is not told of, for it could be another one's by now; it is once the UID is read", () => {
		const teller = aTeller();
		assert.deepEqual(told({ ...waits, nodes: new Map(), metadata: new Map() }, { settings: held }, [], teller), []);
		assert.equal(told({ ...waits, nodes: new Map(), metadata: new Map([["node-1", metadataOf(waiting)]]) }, { settings: held }, [], teller).length, 1);
	});
});

describe("nobody is told of anything", () => {
	const draining = { records: [cordoningRecord()] };
	const drains = lookAtCluster([nodeHeldByUs()], [nodeInService({ name: "node-2", uid: "uid-node-2" })]);

	test("where the cluster is ours to speak in, both are told of", () => {
		assert.deepEqual(reasons(told({ ...drains, metadata: new Map([["node-2", metadataOf(nodeInService({ uid: "uid-node-2" }))]]) }, draining)), [
			"Cordoned",
			"Draining",
			"RebootRequired",
		]);
	});

	for (const [why, changes, view] of [
		["under DRY_RUN", { settings: defaultSettings({ dryRun: true }) }, {}],
		["while another owns the cluster", {}, { owner: known({ kind: "named", holder: other }) }],
		["while it is not known who owns it", {}, { owner: unknown("403") }],
		["of a cluster that is another name's already", { twin: "prod-again" }, {}],
	] as const satisfies readonly (readonly [string, Partial<PlanInput>, Partial<View>])[]) {
		test(why, () => {
			assert.deepEqual(told({ ...drains, ...view }, { ...draining, ...changes }), []);
		});
	}

	test("while the settings are wrong, for DRY_RUN may be among them: but what is brought back is told of", () => {
		const changes = { settings: null, problems: [{ setting: "HOLD", part: "x", expected: "y" }] };
		assert.deepEqual(told(waits, changes), []);
		assert.deepEqual(reasons(told(lookAtCluster([nodeHeldByUs()]), { ...changes, records: [drainingRecord()] })), ["Cancelled"]);
	});
});

describe("a reboot", () => {
	const inFlight = (record: Reboot, node = nodeHeldByUs()) => told(lookAtCluster([node]), { records: [record] });

	test("that begins says so, and for which kernel", () => {
		assert.match(only(told(waits)).note, /^is next: kernel 6\.8\.0/);
	});

	test("says at the cordon how to take the node over, and then what has to leave and until when", () => {
		const view = lookAtCluster([nodeHeldByUs()], [], { pods: new Map([["node-1", known([deploymentPod()])]]) });
		const [cordoned, draining] = told(view, { records: [cordoningRecord()] });
		assert.deepEqual([cordoned?.reason, draining?.reason], ["Cordoned", "Draining"]);
		assert.match(cordoned?.note ?? "", /kubectl annotate node node-1 aks-reboot-scheduler\/reboot-$/);
		assert.match(draining?.note ?? "", /1 pod has still to leave: .*; time until 2026-11-28T03:00:00Z \(DRAIN_TIMEOUT\)/);
	});

	test("of a node that was found cordoned never claims the cordon, nor to have removed one", () => {
		const found = nodeHeldByUs({}, { foundCordoned: true });
		const [cordoned] = told(lookAtCluster([found]), { records: [cordoningRecord({ foundCordoned: true })] });
		assert.match(cordoned?.note ?? "", /^it was found cordoned/);
		const back = nodeCordonedByOperator({ bootId: nodeBootedAnew().bootId });
		assert.deepEqual(reasons(inFlight(uncordoningRecord({ foundCordoned: true }), back)), ["LeftCordoned"]);
	});

	test("tells the kernel before and after", () => {
		assert.match(inFlight(rebootingRecord(), nodeBootedAnew())[0]?.note ?? "", /kernel 6\.8\.0-1 → 6\.8\.0-2/);
	});

	test("that needs a person says so, and when that is over", () => {
		const late = rebootingRecord({ deadlineAt: now - minute, deadlinePutOff: true });
		const stuck = only(inFlight(late, nodeHeldByUs({ ready: false })));
		assert.deepEqual([stuck.reason, stuck.type], ["Stuck", "Warning"]);
		assert.deepEqual(reasons(inFlight(stuckRecord(), nodeBootedAnew())).slice(0, 1), ["Recovered"]);
		assert.deepEqual(reasons(inFlight(stuckRecord(), nodeHeldByUs())), ["Recovered", "GaveUp"]);
	});

	test("that somebody took over while it was being given back ends as released, and is told as that", () => {
		const cancelled = uncordoningRecord({ ending: { end: "cancelled", cause: { kind: "uncordonedByOthers", phase: "draining" } }, asks: [], rebooted: null });
		assert.deepEqual(reasons(inFlight(cancelled, nodeWithoutMark())), ["Released"]);
	});

	test("tells of every step that a person should know of, each by its name", () => {
		const overdue = { deadlineAt: now - minute, deadlinePutOff: true };
		const asksNothing = new Map([["node-1", known([sentinelPod(sentinelThatAsksNothing(oldBoot))])]]);
		const over = lookAtCluster([nodeHeldByUs()], [], { pods: new Map([["node-1", known([rebootPod(1, { phase: "Failed", trouble: "exit 3" })])]]) });
		const leaving = lookAtCluster([nodeHeldByUs()], [], { pods: new Map([["node-1", known([deploymentPod()])]]) });
		const deletes = { ...overdue, policy: defaultPolicy({ drainTimeoutAction: "delete" }) };
		const rows: readonly (readonly [string, View, readonly Reboot[]])[] = [
			["Adopted", lookAtCluster([nodeHeldByUs()]), []],
			["NotNeeded", lookAtCluster([nodeHeldByUs()], [], { pods: asksNothing }), [drainingRecord()]],
			["Released", lookAtCluster([nodeWithoutMark()]), [drainingRecord()]],
			["DrainTimedOut", leaving, [drainingRecord(deletes)]],
			["GaveUp", leaving, [drainingRecord(overdue)]],
			["RebootPodFailed", over, [rebootingRecord()]],
			[
				"RejoinedIncomplete",
				lookAtCluster([nodeBootedAnew()]),
				[rejoiningRecord({ ...overdue, daemonPods: [{ daemonSetUid: logs.uid, namespace: "kube-system", name: "logs", containerIds: [] }] })],
			],
			["NotUncordoned", lookAtCluster([nodeBootedAnew()]), [uncordoningRecord(overdue)]],
			["NotReady", lookAtCluster([nodeBootedAnew({ ready: false, unschedulable: false, mark: { kind: "none" } })]), [soakingRecord(overdue)]],
		];
		for (const [reason, view, records] of rows) assert.equal(reasons(told(view, { records })).join(), reason);
	});

	test("of a node that is gone tells nobody: the event would be another node's", () => {
		assert.deepEqual(told(lookAtCluster([], [], { nodes: new Map([["node-1", known("absent")]]) }), { records: [drainingRecord()] }), []);
	});
});

describe("an act", () => {
	const view = lookAtCluster([nodeHeldByUs()], [], { pods: new Map([["node-1", known([deploymentPod()])]]) });
	const records = [drainingRecord()];
	const blockedBy = ({ kind, budgets, message }: Obstacle, pod = deploymentPod()): Performed => ({
		action: { kind: "evict", record: "reboot-a", pod, gracePeriodSeconds: null },
		outcome: { kind: "done" },
		leaving: { pod, obstacle: { kind, budgets, message }, retryAfterMs: null },
	});

	test("that a budget blocks names pod and budget, once however often it is tried, and by whomever", () => {
		const teller = aTeller();
		const first = only(told(view, { records }, [blockedBy(budgetObstacle())], teller));
		assert.deepEqual([first.reason, first.type], ["EvictionBlocked", "Warning"]);
		assert.match(first.note, /^pod \S+\/\S+ is kept by budget web: /);
		assert.deepEqual(told(view, { records }, [blockedBy(budgetObstacle())], teller), []);
		assert.equal(only(told({ ...view, at: now + minute }, { records }, [blockedBy(budgetObstacle())])).name, first.name);
	});

	test("that only a busy server kept from being done is none that anybody has to know of", () => {
		for (const kind of ["throttled", "unknown"] as const) assert.deepEqual(told(view, { records }, [blockedBy(budgetObstacle({ kind }))]), []);
	});

	test("that was not done is not told as done", () => {
		const ask = {
			kind: "ask",
			record: "reboot-a",
			node: "node-1",
			bootId: oldBoot,
			ask: 1,
			notBefore: now,
			notAfter: now + minute,
			sentinel: sentinelDaemonSet,
		} as const;
		const uncordon = { kind: "uncordon", record: "reboot-a", node: "node-1", resourceVersion: "1", removeCordon: true } as const;
		const asking = { records: [rebootingRecord({ asks: rebootingRecord().asks.map((each) => ({ ...each, pod: "unseen" })) })] };
		for (const action of [ask, uncordon]) {
			const by = (outcome: Performed["outcome"]) => reasons(told(view, asking, [{ action, outcome, leaving: null }]));
			assert.deepEqual(by({ kind: "done" }), [action === ask ? "RebootRequested" : "Uncordoned"]);
			assert.deepEqual(by({ kind: "refused", why: "403" }), []);
			assert.deepEqual(by({ kind: "unknown", why: "no answer" }), []);
		}
		const left = { action: { ...uncordon, removeCordon: false }, outcome: { kind: "done" }, leaving: null } as const;
		assert.deepEqual(told(view, asking, [left]), []);
	});
});

test("docs/events.md names each of them", () => {
	const page = readFileSync(new URL("../../docs/events.md", import.meta.url), "utf8");
	assert.deepEqual(
		nodeEventReasons.filter((reason) => !page.includes(`\`${reason}\``)),
		[],
	);
});

test("names are what an object may be called, and sort as the story goes", () => {
	const events = [...told(waits), ...told(lookAtCluster([nodeHeldByUs()]), { records: [cordoningRecord()] })];
	for (const { name } of events) assert.match(name, /^aks-reboot-scheduler\.[0-9a-f]{12}\d\d-[0-9a-f]{16}$/);
	const names = events.map((each) => each.name);
	assert.deepEqual([...names].sort(), names);
	assert.ok(nodeEventReasons.length < 100);
	for (const reason of nodeEventReasons) assert.match(reason, /^([A-Z][a-z]+)+$/);
});
