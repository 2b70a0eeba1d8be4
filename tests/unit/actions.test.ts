import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Action, actionsFor, evictRetryMs, withObstacles } from "../../lib/plan/actions.ts";
import { known, type NodeFacts, phases, type Reboot, unknown } from "../../lib/plan/model.ts";
import type { RebootView } from "../../lib/plan/step.ts";
import {
	budgetObstacle,
	closedWindow,
	cordoningRecord,
	daemonPod,
	defaultPolicy,
	deploymentPod,
	drainingRecord,
	lookAt,
	minute,
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
	ourMark,
	rebootingRecord,
	rebootPod,
	recordOf,
	rejoiningRecord,
	second,
	sentinelDaemonSet,
	stuckRecord,
	uncordoningRecord,
	us,
} from "./states.ts";

function actions(reboot: Reboot, node: NodeFacts | "absent", view: Partial<RebootView> = {}): readonly Action[] {
	return actionsFor(reboot, lookAt(node, view), us, sentinelDaemonSet);
}

function kinds(reboot: Reboot, node: NodeFacts | "absent", view: Partial<RebootView> = {}): readonly string[] {
	return actions(reboot, node, view).map((each) => each.kind);
}

const askedForNow = rebootingRecord({ asks: [{ number: 1, at: now, notBefore: now - minute, notAfter: now + 4 * minute, pod: "unseen" }] });

describe("cordon", () => {
	test("sets mark and cordon in one patch, on the version of the node that was seen", () => {
		assert.deepEqual(actions(cordoningRecord(), nodeInService({ resourceVersion: "7" })), [
			{ kind: "cordon", record: "reboot-a", node: "node-1", resourceVersion: "7", mark: ourMark() },
		]);
	});

	test("a node that an operator cordoned since the admission is marked as found cordoned", () => {
		const [cordon] = actions(cordoningRecord(), nodeCordonedByOperator());
		assert.ok(cordon?.kind === "cordon");
		assert.equal(cordon.mark.foundCordoned, true);
	});

	test("waits for BEFORE_DRAIN, and is not repeated once the mark is there", () => {
		assert.deepEqual(kinds(cordoningRecord({ notBefore: now + second }), nodeInService()), []);
		assert.deepEqual(kinds(cordoningRecord(), nodeHeldByUs()), []);
		assert.deepEqual(kinds(cordoningRecord(), nodeInService({ mark: { kind: "garbled", text: "{" } })), []);
	});
});

describe("drain", () => {
	test("evicts what must leave, by the pod's UID, and nothing else", () => {
		const pods = known([deploymentPod(), daemonPod(), deploymentPod({ uid: "m", mirror: true }), deploymentPod({ uid: "t", deletionAt: now })]);
		const evicted = actions(drainingRecord({ policy: defaultPolicy({ drainGracePeriodSeconds: 10 }) }), nodeHeldByUs(), { pods });
		assert.deepEqual(
			evicted.map((each) => each.kind === "evict" && [each.pod.uid, each.gracePeriodSeconds]),
			[["uid-web-1", 10]],
		);
	});

	test("a pod that was refused is not asked again before its time", () => {
		const record = drainingRecord({ obstacles: [budgetObstacle({ retryAt: now + 1 })] });
		assert.deepEqual(kinds(record, nodeHeldByUs(), { pods: known([deploymentPod()]) }), []);
		assert.deepEqual(kinds(record, nodeHeldByUs(), { pods: known([deploymentPod()]), at: now + 1 }), ["evict"]);
	});

	test("pods are deleted past their budgets only where DRAIN_TIMEOUT_ACTION made the drain harsher so", () => {
		const pods = known([deploymentPod()]);
		assert.deepEqual(kinds(drainingRecord({ harsher: "delete" }), nodeHeldByUs(), { pods }), ["delete"]);
		for (const harsher of [null, "reboot"] as const) assert.deepEqual(kinds(drainingRecord({ harsher }), nodeHeldByUs(), { pods }), ["evict"]);
	});

	test("a pod without a controller that UNMANAGED_PODS=block protects is neither evicted nor deleted", () => {
		const policy = defaultPolicy({ unmanagedPods: "block" });
		const pods = known([deploymentPod({ controller: null })]);
		for (const harsher of [null, "delete"] as const) assert.deepEqual(kinds(drainingRecord({ policy, harsher }), nodeHeldByUs(), { pods }), []);
	});

	test("pods that could not be read are not guessed at", () => {
		assert.deepEqual(kinds(drainingRecord(), nodeHeldByUs(), { pods: unknown("503") }), []);
	});

	test("a node adopted from another owner is marked with our name before anything leaves it", () => {
		const node = nodeHeldByUs({}, { owner: other });
		assert.deepEqual(kinds(drainingRecord(), node, { pods: known([deploymentPod()]) }), ["mark", "evict"]);
	});
});

describe("ask", () => {
	test("the mark says that the reboot was asked for, before it is", () => {
		const [mark, ask] = actions(askedForNow, nodeHeldByUs());
		assert.ok(mark?.kind === "mark" && ask?.kind === "ask");
		assert.equal(mark.mark.askedAt, now);
		const { bootId, notBefore, notAfter, ask: number } = ask;
		assert.deepEqual({ bootId, notBefore, notAfter, number }, { bootId: oldBoot, notBefore: now - minute, notAfter: now + 4 * minute, number: 1 });
	});

	test("a mark that somebody garbled is written anew before the ask, or a lost table would forget the ask", () => {
		assert.deepEqual(kinds(askedForNow, nodeHeldByUs({ mark: { kind: "garbled", text: "{" } })), ["mark", "ask"]);
	});

	test("a mark that says so already is left alone", () => {
		assert.deepEqual(kinds(askedForNow, nodeHeldByUs({}, { askedAt: now })), ["ask"]);
	});

	test("no pod is made for a boot that is over, after its interval, without an image, or beside another", () => {
		const asked = nodeHeldByUs({}, { askedAt: now });
		assert.deepEqual(kinds(askedForNow, nodeBootedAnew()), []);
		assert.deepEqual(kinds(askedForNow, asked, { at: now + 4 * minute }), []);
		assert.deepEqual(actionsFor(askedForNow, lookAt(asked), us, null), []);
		assert.deepEqual(kinds(askedForNow, asked, { pods: known([rebootPod(1)]) }), []);
		assert.deepEqual(kinds(askedForNow, asked, { pods: unknown("503") }), []);
	});

	test("a pod that ended is deleted and not made again, or it would be made for ever", () => {
		const over = rebootingRecord({ asks: rebootingRecord().asks.map((each) => ({ ...each, pod: "over" as const })) });
		const asked = nodeHeldByUs({}, { askedAt: now });
		assert.deepEqual(kinds(over, asked, { pods: known([rebootPod(1, { phase: "Succeeded" })]) }), ["deleteRebootPod"]);
		assert.deepEqual(kinds(over, asked), []);
	});

	test("what came in between the writing of the ask and its pod forbids the pod: a hold, a closed window, a lost owner", () => {
		const asked = nodeHeldByUs({}, { askedAt: now });
		assert.deepEqual(kinds(askedForNow, asked, { forbidden: { kind: "held", by: "setting HOLD", reason: "freeze" } }), []);
		assert.deepEqual(kinds(askedForNow, asked, { forbidden: { kind: "dryRun" } }), []);
		assert.deepEqual(kinds(askedForNow, asked, { window: closedWindow }), []);
		assert.deepEqual(kinds(askedForNow, asked, { impediments: [{ kind: "ownerUnknown", why: "503" }] }), []);
		const finishing = { ...askedForNow, policy: defaultPolicy({ windowCloses: "finish" }) };
		assert.deepEqual(kinds(finishing, asked, { window: closedWindow }), ["ask"]);
	});

	test("a node that somebody uncordoned takes pods again, and is not asked to reboot", () => {
		assert.deepEqual(kinds(askedForNow, nodeUncordonedByOperator({ mark: { kind: "mark", mark: ourMark({ askedAt: now }) } })), []);
	});
});

describe("reboot pods", () => {
	test("the earlier one goes before the next is made", () => {
		const [first] = rebootingRecord().asks;
		assert.ok(first);
		const twice = rebootingRecord({ asks: [first, { ...first, number: 2, at: now, notAfter: now + minute, pod: "unseen" }] });
		const asked = nodeHeldByUs({}, { askedAt: first.at });
		const stale = actions(twice, asked, { pods: known([rebootPod(1)]) });
		assert.deepEqual(
			stale.map((each) => each.kind === "deleteRebootPod" && each.uid),
			["uid-pod-1"],
		);
		assert.deepEqual(kinds(twice, asked), ["ask"]);
		assert.deepEqual(kinds(twice, asked, { pods: known([rebootPod(2)]) }), []);
	});

	test("the last one goes once the time for rebooting is over", () => {
		assert.deepEqual(kinds(rebootingRecord({ deadlineAt: now }), nodeHeldByUs({}, { askedAt: now }), { pods: known([rebootPod(1)]) }), ["deleteRebootPod"]);
	});

	test("in every other phase they all go first, on a node that is gone too", () => {
		for (const phase of phases.filter((each) => each !== "rebooting")) {
			const pods = known([rebootPod(1), rebootPod(2)]);
			assert.deepEqual(kinds(recordOf[phase](), nodeHeldByUs(), { pods }).slice(0, 2), ["deleteRebootPod", "deleteRebootPod"], phase);
			assert.deepEqual(kinds(recordOf[phase](), "absent", { pods }), ["deleteRebootPod", "deleteRebootPod"], phase);
		}
	});
});

describe("uncordon", () => {
	const removes = (reboot: Reboot, node: NodeFacts) => actions(reboot, node).map((each) => each.kind === "uncordon" && each.removeCordon);

	test("removes mark and cordon in one patch", () => {
		assert.deepEqual(removes(uncordoningRecord(), nodeBootedAnew()), [true]);
	});

	test("a cordon of ours that the API server folded into old changes, or lost the trace of, is still ours", () => {
		for (const unschedulableManagers of [[], ["ancient-changes"], ["aks-reboot-scheduler", "ancient-changes"]])
			assert.deepEqual(removes(uncordoningRecord(), nodeBootedAnew({ unschedulableManagers })), [true]);
	});

	test("a node that an operator cordoned is never uncordoned by us: found so, cordoned again since, or beside us", () => {
		assert.deepEqual(removes(uncordoningRecord({ foundCordoned: true }), nodeBootedAnew()), [false]);
		assert.deepEqual(removes(uncordoningRecord(), nodeHandedOver()), [false]);
		assert.deepEqual(removes(uncordoningRecord(), nodeBootedAnew({ unschedulableManagers: ["aks-reboot-scheduler", "kubectl-cordon"] })), [false]);
	});

	test("a node left to somebody else loses the mark alone", () => {
		const released = uncordoningRecord({ ending: { end: "released", cause: { kind: "markRemoved" } } });
		assert.deepEqual(removes(released, nodeHeldByUs()), [false]);
	});

	test("a mark that was copied to another node says nothing of that node's cordon, which stays", () => {
		const copied = uncordoningRecord({ ending: { end: "replaced", cause: { kind: "markCopied" } } });
		assert.deepEqual(removes(copied, nodeHeldByUs({ unschedulableManagers: [] })), [false]);
	});

	test("a copied mark is removed under a record of its own, for it names that of the other node", () => {
		const copied = uncordoningRecord({ id: "fresh", ending: { end: "replaced", cause: { kind: "markCopied" } } });
		assert.deepEqual(removes(copied, nodeHeldByUs({}, { nodeUid: "uid-of-another" })), [false]);
	});

	test("a node without our mark is not touched", () => {
		assert.deepEqual(kinds(uncordoningRecord(), nodeWithoutMark()), []);
		assert.deepEqual(kinds(uncordoningRecord(), nodeHeldByUs({}, { record: "reboot-b" })), []);
	});

	test("another node of the same name, or one that could not be read, is not touched", () => {
		for (const phase of phases) {
			assert.deepEqual(kinds(recordOf[phase](), nodeHeldByUs({ uid: "uid-of-another" })), [], phase);
			assert.deepEqual(kinds(recordOf[phase](), "absent", { node: unknown("503") }), [], phase);
		}
	});
});

test("rejoining and stuck wait and touch nothing", () => {
	assert.deepEqual(kinds(rejoiningRecord(), nodeInService({ bootId: newBoot })), []);
	assert.deepEqual(kinds(stuckRecord(), nodeHeldByUs({ ready: false })), []);
});

describe("what keeps pods from leaving", () => {
	const pods = known([deploymentPod()]);
	const { namespace: _n, name: _m, uid: _u, retryAt: _r, ...obstacle } = budgetObstacle();

	test("is remembered with the time before which it is not asked again", () => {
		const record = withObstacles(drainingRecord(), [{ pod: deploymentPod(), obstacle, retryAfterMs: null }], lookAt(nodeHeldByUs(), { pods }), now);
		assert.deepEqual(record.obstacles, [budgetObstacle({ retryAt: now + evictRetryMs })]);
		const told = withObstacles(drainingRecord(), [{ pod: deploymentPod(), obstacle, retryAfterMs: 10 * second }], lookAt(nodeHeldByUs(), { pods }), now);
		assert.equal(told.obstacles[0]?.retryAt, now + 10 * second);
	});

	test("is forgotten when the pod has left or was evicted after all, and kept when it could not be looked", () => {
		const record = drainingRecord({ obstacles: [budgetObstacle()] });
		assert.deepEqual(withObstacles(record, [], lookAt(nodeHeldByUs()), now).obstacles, []);
		assert.deepEqual(
			withObstacles(record, [{ pod: deploymentPod(), obstacle: null, retryAfterMs: null }], lookAt(nodeHeldByUs(), { pods }), now).obstacles,
			[],
		);
		assert.equal(withObstacles(record, [], lookAt(nodeHeldByUs(), { pods: unknown("503") }), now), record);
	});

	test("costs no write when nothing changed", () => {
		const record = drainingRecord({ obstacles: [budgetObstacle()] });
		assert.equal(withObstacles(record, [], lookAt(nodeHeldByUs(), { pods }), now), record);
	});
});
