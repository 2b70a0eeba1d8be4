import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { known, type NodeFacts, type Phase, phases, type Reboot, unknown } from "../../lib/plan/model.ts";
import { underWayMs } from "../../lib/plan/phases.ts";
import { type RebootView, type Stepped, step } from "../../lib/plan/step.ts";
import {
	budgetObstacle,
	closedWindow,
	cordoningRecord,
	daemonPod,
	defaultPolicy,
	deploymentPod,
	drainingRecord,
	hour,
	lookAt,
	minute,
	newBoot,
	nodeBootedAnew,
	nodeCordonedByOperator,
	nodeHeldByUs,
	nodeInService,
	nodeUncordonedByOperator,
	nodeWithoutMark,
	now,
	oldBoot,
	openWindow,
	ourMark,
	rebootingRecord,
	rebootPod,
	recordOf,
	rejoiningRecord,
	second,
	sentinelPod,
	sentinelThatAsks,
	sentinelThatAsksNothing,
	soakingRecord,
	stuckRecord,
	uncordoningRecord,
} from "./states.ts";

/** "draining", "uncordoning → gaveUp", "ended done". */
function outcome({ reboot, ended }: Stepped): string {
	if (ended !== null) return `ended ${ended.end}`;
	return reboot.ending === null ? reboot.phase : `${reboot.phase} → ${reboot.ending.end}`;
}

function causeOf(stepped: Stepped) {
	return stepped.ended?.cause ?? stepped.reboot.ending?.cause ?? stepped.moves.at(-1)?.cause ?? null;
}

const onePod = known([deploymentPod()]);

describe("every phase, whatever becomes of the node", () => {
	/** What the node is like while the phase goes as it should. */
	const usual: Readonly<Record<Phase, NodeFacts>> = {
		cordoning: nodeHeldByUs(),
		draining: nodeHeldByUs(),
		rebooting: nodeHeldByUs(),
		rejoining: nodeBootedAnew(),
		uncordoning: nodeBootedAnew(),
		soaking: nodeInService({ bootId: newBoot }),
		stuck: nodeHeldByUs({ ready: false }),
	};
	const troubles: Readonly<Record<string, (node: NodeFacts) => RebootView>> = {
		absent: () => lookAt("absent", { pods: onePod }),
		replaced: (node) => lookAt({ ...node, uid: "uid-of-another" }, { pods: onePod }),
		unmarked: (node) => lookAt({ ...node, mark: { kind: "none" } }, { pods: onePod }),
		"marked by another": (node) => lookAt({ ...node, mark: { kind: "mark", mark: ourMark({ record: "reboot-b" }) } }, { pods: onePod }),
		uncordoned: (node) => lookAt({ ...node, unschedulable: false, unschedulableManagers: [] }, { pods: onePod }),
		"handed over": (node) => lookAt({ ...node, unschedulable: true, unschedulableManagers: ["kubectl-cordon"] }, { pods: onePod }),
		"another boot": (node) => lookAt({ ...node, bootId: newBoot, ready: true }, { pods: onePod }),
		"not ready": (node) => lookAt({ ...node, ready: false }, { pods: onePod }),
		unknown: () => ({ ...lookAt("absent", { pods: onePod }), node: unknown("reading node node-1: 503") }),
	};
	const expected: Readonly<Record<Phase, Readonly<Record<string, string>>>> = {
		cordoning: {
			absent: "ended replaced",
			replaced: "ended replaced",
			unmarked: "cordoning",
			"marked by another": "cordoning",
			uncordoned: "uncordoning → cancelled",
			"handed over": "uncordoning → released",
			"another boot": "uncordoning → notNeeded",
			"not ready": "draining",
			unknown: "cordoning",
		},
		draining: {
			absent: "ended replaced",
			replaced: "ended replaced",
			unmarked: "uncordoning → released",
			"marked by another": "uncordoning → released",
			uncordoned: "uncordoning → cancelled",
			"handed over": "uncordoning → released",
			"another boot": "uncordoning → notNeeded",
			"not ready": "draining",
			unknown: "draining",
		},
		rebooting: {
			absent: "ended replaced",
			replaced: "ended replaced",
			unmarked: "uncordoning → released",
			"marked by another": "uncordoning → released",
			uncordoned: "rebooting",
			"handed over": "uncordoning → released",
			"another boot": "uncordoning → done",
			"not ready": "rebooting",
			unknown: "rebooting",
		},
		rejoining: {
			absent: "ended replaced",
			replaced: "ended replaced",
			unmarked: "uncordoning → released",
			"marked by another": "uncordoning → released",
			uncordoned: "uncordoning → done",
			"handed over": "uncordoning → released",
			"another boot": "uncordoning → done",
			"not ready": "rejoining",
			unknown: "rejoining",
		},
		uncordoning: {
			absent: "ended replaced",
			replaced: "ended replaced",
			unmarked: "ended released",
			"marked by another": "ended released",
			uncordoned: "uncordoning → done",
			"handed over": "uncordoning → released",
			"another boot": "uncordoning → done",
			"not ready": "uncordoning → done",
			unknown: "uncordoning → done",
		},
		soaking: {
			absent: "ended replaced",
			replaced: "ended replaced",
			unmarked: "soaking",
			"marked by another": "soaking",
			uncordoned: "soaking",
			"handed over": "soaking",
			"another boot": "soaking",
			"not ready": "soaking",
			unknown: "soaking",
		},
		stuck: {
			absent: "ended replaced",
			replaced: "ended replaced",
			unmarked: "uncordoning → released",
			"marked by another": "uncordoning → released",
			uncordoned: "uncordoning → released",
			"handed over": "uncordoning → released",
			"another boot": "uncordoning → done",
			"not ready": "stuck",
			unknown: "stuck",
		},
	};
	for (const phase of phases) {
		for (const [trouble, view] of Object.entries(troubles)) {
			test(`${phase}, the node ${trouble}: ${expected[phase][trouble]}`, () => {
				assert.equal(outcome(step(recordOf[phase](), view(usual[phase]))), expected[phase][trouble]);
			});
		}
	}

	test("a phase that could not be looked at does not move even when its deadline is over", () => {
		for (const phase of phases) {
			const record = recordOf[phase]({ deadlineAt: now - hour });
			const { reboot, moves } = step(record, { ...lookAt("absent"), node: unknown("503") });
			assert.deepEqual([reboot, moves], [record, []], phase);
		}
	});
});

describe("cordoning", () => {
	test("goes on when mark and cordon are both seen, and not before", () => {
		assert.equal(outcome(step(cordoningRecord(), lookAt(nodeInService()))), "cordoning");
		assert.equal(outcome(step(cordoningRecord(), lookAt(nodeHeldByUs()))), "draining");
	});

	test("a cordon that does not come about in time is given up, with what was in the way", () => {
		const stepped = step(cordoningRecord({ deadlineAt: now, trouble: "403 patching node" }), lookAt(nodeInService()));
		assert.equal(outcome(stepped), "uncordoning → gaveUp");
		assert.deepEqual(causeOf(stepped), { kind: "cordonTimedOut", trouble: "403 patching node" });
	});

	test("what the mark says of the cordon wins over what the admission saw, even when the node is brought back at once", () => {
		const held = { forbidden: { kind: "dryRun" } as const };
		const theirs = nodeHeldByUs({ unschedulableManagers: ["ancient-changes"] }, { foundCordoned: true });
		assert.equal(step(cordoningRecord(), lookAt(theirs, held)).reboot.foundCordoned, true);
		assert.equal(step(cordoningRecord({ foundCordoned: true }), lookAt(nodeHeldByUs(), held)).reboot.foundCordoned, false);
		assert.equal(step(cordoningRecord(), lookAt(theirs)).reboot.foundCordoned, true);
	});
});

describe("before the ask", () => {
	for (const [phase, record] of [
		["cordoning", cordoningRecord()],
		["draining", drainingRecord()],
	] as const) {
		const node = phase === "cordoning" ? nodeInService() : nodeHeldByUs();
		test(`${phase}: what forbids the reboot brings the node back as cancelled`, () => {
			const reason = { kind: "held", by: "setting HOLD", reason: "freeze" } as const;
			const stepped = step(record, lookAt(node, { forbidden: reason, pods: onePod }));
			assert.equal(outcome(stepped), "uncordoning → cancelled");
			assert.deepEqual(causeOf(stepped), { kind: "forbidden", reason });
		});

		test(`${phase}: a window that closes gives the node back, and with WINDOW_CLOSES=finish it does not`, () => {
			const closed = lookAt(node, { window: closedWindow, pods: onePod });
			assert.equal(outcome(step(record, closed)), "uncordoning → gaveUp");
			const finishing = { ...record, policy: defaultPolicy({ windowCloses: "finish" }) };
			assert.equal(outcome(step(finishing, closed)), phase);
		});

		test(`${phase}: only a ready sentinel that reports this boot without asking means "no longer asked"`, () => {
			const says = (sentinel: Parameters<typeof sentinelPod>[0]) =>
				outcome(step(record, lookAt(node, { pods: known([sentinelPod(sentinel), deploymentPod()]) })));
			assert.equal(says(sentinelThatAsksNothing(oldBoot)), "uncordoning → notNeeded");
			assert.equal(says(sentinelThatAsksNothing(oldBoot, { ready: false })), phase);
			assert.equal(says(sentinelThatAsksNothing(oldBoot, { deleting: true })), phase);
			assert.equal(says(sentinelThatAsksNothing(newBoot)), phase);
			assert.equal(says(sentinelThatAsks({ asks: false, report: { kind: "none" } })), phase);
			assert.equal(says(sentinelThatAsks({ asks: false, report: { kind: "garbled", why: "no JSON" } })), phase);
			assert.equal(says(sentinelThatAsks()), phase);
		});
	}

	test("no sentinel, or pods that could not be read, do not mean that nobody asks any more", () => {
		assert.equal(outcome(step(drainingRecord(), lookAt(nodeHeldByUs(), { pods: onePod }))), "draining");
		assert.equal(outcome(step(drainingRecord(), lookAt(nodeHeldByUs(), { pods: unknown("503") }))), "draining");
	});
});

describe("draining", () => {
	const drained = lookAt(nodeHeldByUs());

	test("ends when no pod is left that must leave; what stays does not hold it up", () => {
		const stays = known([
			daemonPod(),
			deploymentPod({ mirror: true }),
			deploymentPod({ toleratesCordon: true, createdAt: now }),
			sentinelPod(sentinelThatAsks()),
		]);
		assert.equal(outcome(step(drainingRecord(), lookAt(nodeHeldByUs(), { pods: stays }))), "rebooting");
		assert.equal(outcome(step(drainingRecord(), lookAt(nodeHeldByUs(), { pods: onePod }))), "draining");
	});

	test("an empty answer and a failed one are not the same: unread pods are no drained node", () => {
		assert.equal(outcome(step(drainingRecord(), lookAt(nodeHeldByUs(), { pods: unknown("listing pods: 503") }))), "draining");
	});

	test("a pod that came after the cordon that it tolerates is not chased, and one that came before the cordon is", () => {
		// BEFORE_DRAIN: admitted long before the cordon.
		const record = drainingRecord({ admittedAt: now - hour });
		const between = known([deploymentPod({ toleratesCordon: true, createdAt: now - 30 * minute })]);
		assert.equal(outcome(step(record, lookAt(nodeHeldByUs(), { pods: between }))), "draining");
	});

	test("BEFORE_REBOOT is waited for after the last pod has left, once", () => {
		const record = drainingRecord({ policy: defaultPolicy({ beforeRebootMs: 5 * minute }) });
		const first = step(record, drained);
		assert.equal(outcome(first), "draining");
		assert.equal(first.reboot.notBefore, now + 5 * minute);
		const second_ = step(first.reboot, { ...drained, at: now + 4 * minute });
		assert.equal(second_.reboot.notBefore, now + 5 * minute);
		assert.equal(outcome(step(second_.reboot, { ...drained, at: now + 5 * minute })), "rebooting");
	});

	test("a wait that the policy asks for is no reason to give up, though it outlasts DRAIN_TIMEOUT", () => {
		const record = drainingRecord({
			policy: defaultPolicy({ beforeRebootMs: 2 * hour }),
			notBefore: now + hour,
			drainedAt: now - hour,
			deadlineAt: now - minute,
		});
		assert.equal(outcome(step(record, drained)), "draining");
		assert.equal(outcome(step(record, { ...drained, at: now + hour })), "rebooting");
	});

	test("what only the ask needs makes it wait, until the deadline names it", () => {
		const impediments = [{ kind: "sentinelUnknown", why: "503" } as const];
		const waiting = step(drainingRecord(), { ...drained, impediments });
		assert.equal(outcome(waiting), "draining");
		const late = step(drainingRecord({ deadlineAt: now }), { ...drained, impediments });
		assert.equal(outcome(late), "uncordoning → gaveUp");
		assert.deepEqual(causeOf(late), { kind: "drainTimedOut", afterMs: 4 * minute, obstacles: [], waitedFor: impediments });
	});

	test("a drain that a budget blocks is given up at its deadline, and the cause names the budget", () => {
		const stepped = step(drainingRecord({ deadlineAt: now, obstacles: [budgetObstacle()] }), lookAt(nodeHeldByUs(), { pods: onePod }));
		assert.equal(outcome(stepped), "uncordoning → gaveUp");
		const cause = causeOf(stepped);
		assert.ok(cause?.kind === "drainTimedOut");
		assert.deepEqual(
			cause.obstacles.map((each) => each.budgets),
			[["web"]],
		);
	});

	test("a pod that left in time is not named as an obstacle, and one that nobody blocked is", () => {
		const terminating = deploymentPod({ uid: "uid-web-2", name: "web-2", deletionAt: now - minute });
		const stepped = step(drainingRecord({ deadlineAt: now, obstacles: [budgetObstacle()] }), lookAt(nodeHeldByUs(), { pods: known([terminating]) }));
		const cause = causeOf(stepped);
		assert.ok(cause?.kind === "drainTimedOut");
		assert.deepEqual(
			cause.obstacles.map((each) => [each.uid, each.kind]),
			[["uid-web-2", "terminating"]],
		);
	});

	test("a pod that only waits to know whether its DaemonSet still exists says so", () => {
		const view = lookAt(nodeHeldByUs(), { pods: known([daemonPod()]), daemonSets: unknown("403 list daemonsets") });
		assert.equal(outcome(step(drainingRecord(), view)), "draining");
		const cause = causeOf(step(drainingRecord({ deadlineAt: now }), view));
		assert.ok(cause?.kind === "drainTimedOut");
		assert.match(cause.obstacles[0]?.message ?? "", /403 list daemonsets/);
	});

	test("progress is judged before the deadline: drained in the very look in which it is over", () => {
		assert.equal(outcome(step(drainingRecord({ deadlineAt: now }), drained)), "rebooting");
	});

	for (const action of ["delete", "reboot"] as const) {
		test(`DRAIN_TIMEOUT_ACTION=${action} becomes harsher once, in the journal, and then gives up`, () => {
			const policy = defaultPolicy({ drainTimeoutAction: action });
			const record = drainingRecord({ policy, deadlineAt: now });
			const resisting = lookAt(nodeHeldByUs(), { pods: onePod });
			const harsher = step(record, resisting);
			assert.deepEqual([outcome(harsher), harsher.reboot.harsher, harsher.reboot.deadlineAt], ["draining", action, now + policy.drainTimeoutMs]);
			assert.deepEqual(
				harsher.moves.map((move) => [move.kind, move.cause?.kind]),
				[["harsher", "drainTimedOut"]],
			);
			const next = step(harsher.reboot, { ...resisting, at: now + 5 * second });
			assert.equal(outcome(next), action === "reboot" ? "rebooting" : "draining");
			const later = step({ ...harsher.reboot, deadlineAt: now }, { ...resisting, impediments: [{ kind: "sentinelAbsent" }] });
			assert.equal(outcome(later), "uncordoning → gaveUp");
		});
	}

	test("pods that could not be read are nothing to be harsh against", () => {
		const record = drainingRecord({ policy: defaultPolicy({ drainTimeoutAction: "reboot" }), deadlineAt: now });
		assert.equal(outcome(step(record, lookAt(nodeHeldByUs(), { pods: unknown("503") }))), "uncordoning → gaveUp");
	});

	test("of a node found cordoned the cordon is theirs throughout: it drains on under another manager's cordon", () => {
		const node = nodeCordonedByOperator({ mark: { kind: "mark", mark: ourMark({ foundCordoned: true }) } });
		assert.equal(outcome(step(drainingRecord({ foundCordoned: true }), lookAt(node))), "rebooting");
	});
});

describe("the ask", () => {
	const ask = (policy: Parameters<typeof defaultPolicy>[0], view: Partial<RebootView> = {}) =>
		step(drainingRecord({ policy: defaultPolicy(policy) }), lookAt(nodeHeldByUs(), view)).reboot.asks[0];

	test("its interval begins a minute early and ends 5 minutes later at most", () => {
		assert.deepEqual(ask({ rebootTimeoutMs: hour }), { number: 1, at: now, notBefore: now - minute, notAfter: now + 5 * minute, pod: "unseen" });
	});

	test("its interval ends with the next ask, at a quarter of REBOOT_TIMEOUT", () => {
		assert.equal(ask({ rebootTimeoutMs: 12 * minute })?.notAfter, now + 3 * minute);
	});

	test("its interval ends with the window, unless WINDOW_CLOSES=finish", () => {
		const window = { ...openWindow, closesAt: now + minute };
		assert.equal(ask({}, { window })?.notAfter, now + minute);
		assert.equal(ask({ windowCloses: "finish" }, { window })?.notAfter, now + 4 * minute);
	});

	test("a window that is closed or not known is asked in only with WINDOW_CLOSES=finish", () => {
		for (const window of [closedWindow, null]) {
			assert.equal(ask({}, { window }), undefined);
			assert.notEqual(ask({ windowCloses: "finish" }, { window }), undefined);
		}
	});

	test("DaemonSet pods that are ready are remembered, with their containers", () => {
		const pods = known([daemonPod(), daemonPod({ uid: "b", ready: false }), daemonPod({ uid: "c", deletionAt: now })]);
		const { reboot } = step(drainingRecord(), lookAt(nodeHeldByUs(), { pods }));
		assert.deepEqual(reboot.daemonPods, [{ daemonSetUid: "uid-ds-logs", namespace: "logging", name: "logs", containerIds: ["containerd://logs-before"] }]);
	});
});

describe("rebooting", () => {
	const asked = now - 4 * minute;
	const atQuarter = rebootingRecord({
		asks: [{ number: 1, at: asked, notBefore: asked - minute, notAfter: now, pod: "over" }],
		deadlineAt: asked + 16 * minute,
	});
	const asks = (view: Partial<RebootView>, record: Reboot = atQuarter, node: NodeFacts = nodeHeldByUs()) => step(record, lookAt(node, view)).reboot.asks.length;

	test("is asked for again at a quarter of REBOOT_TIMEOUT, good until half of it, and never a third time", () => {
		const again = step(atQuarter, lookAt(nodeHeldByUs()));
		assert.deepEqual(again.reboot.asks[1], { number: 2, at: now, notBefore: now - minute, notAfter: asked + 8 * minute, pod: "unseen" });
		assert.equal(again.reboot.deadlineAt, atQuarter.deadlineAt);
		assert.equal(asks({ at: now + minute }, again.reboot), 2);
	});

	test("is not asked for again before a quarter, nor in the quiet half, so that no node is given back while it goes down", () => {
		assert.equal(asks({ at: now - 1 }), 1);
		assert.equal(asks({ at: asked + 8 * minute }), 1);
	});

	test("is not asked for again while forbidden, impeded, outside the window, or on a node that takes pods again", () => {
		assert.equal(asks({ forbidden: { kind: "dryRun" } }), 1);
		assert.equal(asks({ impediments: [{ kind: "ownerUnknown", why: "503" }] }), 1);
		assert.equal(asks({ window: closedWindow }), 1);
		assert.equal(asks({}, atQuarter, nodeUncordonedByOperator()), 1);
	});

	test("what forbids new work does not bring a node back that may be going down", () => {
		assert.equal(outcome(step(rebootingRecord(), lookAt(nodeHeldByUs(), { forbidden: { kind: "dryRun" }, window: closedWindow }))), "rebooting");
	});

	test("another boot id is the proof, whether or not NotReady was ever seen", () => {
		const { reboot, moves } = step(rebootingRecord(), lookAt(nodeBootedAnew({ ready: false })));
		assert.equal(reboot.phase, "rejoining");
		assert.deepEqual(reboot.rebooted, { at: now, bootId: newBoot, kernelVersion: "6.8.0-2" });
		assert.deepEqual(moves[0]?.cause, { kind: "booted", tookMs: 3 * minute, kernelBefore: "6.8.0-1", kernelAfter: "6.8.0-2" });
	});

	test("from the first ask to Ready is one time limit: rejoining goes on with it", () => {
		const record = rebootingRecord();
		assert.equal(step(record, lookAt(nodeBootedAnew({ ready: false }))).reboot.deadlineAt, record.deadlineAt);
	});

	test("at its deadline, not Ready is stuck, and Ready is given up once its reboot pods are seen gone", () => {
		const late = rebootingRecord({ deadlineAt: now });
		assert.equal(outcome(step(late, lookAt(nodeHeldByUs({ ready: false })))), "stuck");
		assert.equal(outcome(step(late, lookAt(nodeHeldByUs()))), "uncordoning → gaveUp");
		assert.equal(outcome(step(late, lookAt(nodeHeldByUs(), { pods: known([rebootPod(1)]) }))), "rebooting");
		assert.equal(outcome(step(late, lookAt(nodeHeldByUs(), { pods: unknown("503") }))), "rebooting");
	});

	test("why its pod did not start is in the cause", () => {
		const seen = step(rebootingRecord(), lookAt(nodeHeldByUs(), { pods: known([rebootPod(1, { phase: "Pending", trouble: "ErrImagePull" })]) }));
		assert.deepEqual([seen.reboot.trouble, seen.moves[0]?.kind], ["ErrImagePull", "podTrouble"]);
		assert.deepEqual(causeOf(step({ ...seen.reboot, deadlineAt: now }, lookAt(nodeHeldByUs()))), {
			kind: "rebootTimedOut",
			afterMs: 3 * minute,
			trouble: "ErrImagePull",
		});
	});

	test("a pod that somebody else deleted is trouble, and one that made way for the next ask is not", () => {
		assert.equal(step(rebootingRecord(), lookAt(nodeHeldByUs())).reboot.trouble, "it was deleted before it ended");
		const twice = step({ ...atQuarter, asks: rebootingRecord().asks }, lookAt(nodeHeldByUs(), { at: now + 2 * minute, pods: known([rebootPod(1)]) }));
		assert.equal(twice.reboot.asks.length, 2);
		assert.equal(step(twice.reboot, lookAt(nodeHeldByUs(), { at: now + 3 * minute })).reboot.trouble, null);
	});

	test("a pod that is still there a minute after its interval is over: on a node whose clock is far behind it would still send its signal", () => {
		const record = rebootingRecord();
		const notAfter = record.asks[0]?.notAfter ?? assert.fail("no ask");
		const podAt = (at: number) => step(record, lookAt(nodeHeldByUs(), { at, pods: known([rebootPod(1, { phase: "Pending" })]) })).reboot.asks[0]?.pod;
		assert.deepEqual([podAt(notAfter + minute - 1), podAt(notAfter + minute)], ["seen", "over"]);
	});

	test("a pod that ended is remembered as over", () => {
		for (const phase of ["Succeeded", "Failed"] as const)
			assert.equal(step(rebootingRecord(), lookAt(nodeHeldByUs(), { pods: known([rebootPod(1, { phase })]) })).reboot.asks[0]?.pod, "over");
	});
});

describe("rejoining", () => {
	const record = rejoiningRecord({
		daemonPods: [{ daemonSetUid: "uid-ds-logs", namespace: "logging", name: "logs", containerIds: ["containerd://logs-before"] }],
	});
	const with_ = (changes: Parameters<typeof daemonPod>[0]) => lookAt(nodeBootedAnew(), { pods: known([daemonPod(changes)]) });

	test("a stale condition proves nothing: the DaemonSet pods of before must be ready in new containers", () => {
		assert.equal(outcome(step(record, with_({}))), "rejoining");
		assert.equal(outcome(step(record, with_({ ready: false, containerIds: ["containerd://logs-after"] }))), "rejoining");
		assert.equal(outcome(step(record, with_({ containerIds: ["containerd://logs-after"] }))), "uncordoning → done");
	});

	test("a DaemonSet that is gone is not waited for, and one that could not be looked up is", () => {
		assert.equal(outcome(step(record, lookAt(nodeBootedAnew(), { daemonSets: known([]) }))), "uncordoning → done");
		assert.equal(outcome(step(record, lookAt(nodeBootedAnew(), { daemonSets: unknown("503") }))), "rejoining");
	});

	test("no privileged pod is left behind", () => {
		assert.equal(outcome(step(rejoiningRecord(), lookAt(nodeBootedAnew(), { pods: known([rebootPod(1)]) }))), "rejoining");
	});

	test("at its deadline, Ready is uncordoned all the same and says what is missing", () => {
		const stepped = step({ ...record, deadlineAt: now }, with_({}));
		assert.equal(outcome(stepped), "uncordoning → done");
		assert.deepEqual(causeOf(stepped), { kind: "rejoinedIncomplete", missing: ["logging/logs"] });
	});

	test("at its deadline, not Ready is stuck, and says how long after the ask that is", () => {
		const stepped = step(rejoiningRecord({ deadlineAt: now }), lookAt(nodeBootedAnew({ ready: false })));
		assert.equal(outcome(stepped), "stuck");
		assert.deepEqual(causeOf(stepped), { kind: "neverCameBack", afterMs: 3 * minute });
	});

	test("a boot that nobody of ours asked for is not told as done by us", () => {
		assert.equal(outcome(step(rejoiningRecord({ asks: [] }), lookAt(nodeBootedAnew()))), "uncordoning → notNeeded");
	});
});

describe("uncordoning", () => {
	const back = nodeInService({ bootId: newBoot });

	test("ends only when mark and cordon are both seen gone", () => {
		assert.equal(outcome(step(uncordoningRecord(), lookAt(nodeBootedAnew()))), "uncordoning → done");
		assert.equal(outcome(step(uncordoningRecord(), lookAt(back))), "ended done");
	});

	test("a node found cordoned ends cordoned, as done", () => {
		const record = uncordoningRecord({ foundCordoned: true });
		assert.equal(outcome(step(record, lookAt(nodeCordonedByOperator({ bootId: newBoot })))), "ended done");
	});

	test("a cordon that is left without our mark is somebody's who took it over", () => {
		const stepped = step(uncordoningRecord(), lookAt(nodeWithoutMark({ bootId: newBoot })));
		assert.deepEqual([outcome(stepped), causeOf(stepped)], ["ended released", { kind: "markRemoved" }]);
	});

	test("does not end while a reboot pod is there or could be", () => {
		assert.equal(outcome(step(uncordoningRecord(), lookAt(back, { pods: known([rebootPod(1)]) }))), "uncordoning → done");
		assert.equal(outcome(step(uncordoningRecord(), lookAt(back, { pods: unknown("403") }))), "uncordoning → done");
	});

	test("in a cluster that was dropped does not end while a cordon that was sent, or a reboot pod, may still come about: nobody else would take it back", () => {
		const dropped = true;
		const ending = { end: "cancelled", cause: { kind: "uncordonedByOthers", phase: "cordoning" } } as const;
		const neverSeen = { ending, asks: [], rebooted: null, timeline: [{ phase: "cordoning", at: now }] } as const;
		const cancelled = uncordoningRecord({ ...neverSeen, phaseSince: now });
		assert.equal(outcome(step(cancelled, lookAt(nodeInService(), { dropped, at: now + underWayMs - 1 }))), "uncordoning → cancelled");
		assert.equal(outcome(step(cancelled, lookAt(nodeInService(), { dropped, at: now + underWayMs }))), "ended cancelled");
		assert.equal(outcome(step(cancelled, lookAt(nodeInService()))), "ended cancelled", "where a later look finds it");
		// What waits for BEFORE_DRAIN has not been sent.
		const waited = uncordoningRecord({ ...neverSeen, phaseSince: now, admittedAt: now, policy: defaultPolicy({ beforeDrainMs: minute }) });
		assert.equal(outcome(step(waited, lookAt(nodeInService(), { dropped }))), "ended cancelled");
		const asks = [{ number: 1, at: now, notBefore: now - minute, notAfter: now + minute, pod: "unseen" }] as const;
		const timeline = [...cancelled.timeline, { phase: "draining", at: now }, { phase: "uncordoning", at: now + minute }] as const;
		const unseen = uncordoningRecord({ asks, timeline });
		assert.equal(outcome(step(unseen, lookAt(back, { dropped, at: now + minute }))), "uncordoning → done");
		assert.equal(outcome(step(unseen, lookAt(back, { dropped, at: now + minute + underWayMs }))), "ended done");
		// One that shows late is deleted, and then nothing is left to wait for.
		const shown = step(unseen, lookAt(back, { dropped, at: now + minute, pods: known([rebootPod(1)]) })).reboot;
		assert.equal(outcome(step(shown, lookAt(back, { dropped, at: now + minute }))), "ended done");
		const unread = lookAt(back, { dropped, node: unknown("503"), at: now + minute, pods: known([rebootPod(1)]) });
		assert.deepEqual(step(unseen, unread).reboot, unseen, "a node that could not be read changes nothing");
	});

	test("at its deadline it goes on, and raises the alarm once", () => {
		const late = step(uncordoningRecord({ deadlineAt: now }), lookAt(nodeBootedAnew()));
		assert.deepEqual([outcome(late), late.moves.map((each) => each.kind)], ["uncordoning → done", ["alarmed"]]);
		assert.deepEqual(step(late.reboot, lookAt(nodeBootedAnew())).moves, []);
	});

	for (const end of ["gaveUp", "notNeeded", "cancelled"] as const) {
		test(`a reboot that was ${end} does not soak`, () => {
			const record = uncordoningRecord({ ending: { end, cause: { kind: "windowClosed" } }, rebooted: null, policy: defaultPolicy({ soakMs: hour }) });
			assert.equal(outcome(step(record, lookAt(nodeInService()))), `ended ${end}`);
		});
	}

	test("a node left to somebody else ends released with its cordon, and why", () => {
		const record = uncordoningRecord({ ending: { end: "released", cause: { kind: "handedOver", managers: ["kubectl-cordon"] } } });
		const stepped = step(record, lookAt(nodeCordonedByOperator()));
		assert.deepEqual([outcome(stepped), causeOf(stepped)?.kind], ["ended released", "handedOver"]);
	});

	test("a reboot that comes about while the node is let go is remembered as ours, or the node would be rebooted again at once", () => {
		const released = { ending: { end: "released", cause: { kind: "markRemoved" } }, rebooted: null } as const;
		const stepped = step(uncordoningRecord(released), lookAt(nodeWithoutMark({ bootId: newBoot })));
		assert.deepEqual([outcome(stepped), stepped.reboot.rebooted?.bootId], ["ended released", newBoot]);
	});

	test("a mark that was copied to another node ends as replaced, whatever is left of its cordon", () => {
		const record = uncordoningRecord({ ending: { end: "replaced", cause: { kind: "markCopied" } }, asks: [], rebooted: null });
		assert.deepEqual(causeOf(step(record, lookAt(nodeWithoutMark()))), { kind: "markCopied" });
	});
});

describe("soaking", () => {
	test("keeps its room until SOAK is over and the node is still Ready", () => {
		const node = nodeInService({ bootId: newBoot });
		assert.equal(outcome(step(soakingRecord(), lookAt(node))), "soaking");
		assert.equal(outcome(step(soakingRecord({ deadlineAt: now }), lookAt(node))), "ended done");
	});

	test("not Ready when SOAK is over: it stays, and raises the alarm once", () => {
		const stepped = step(soakingRecord({ deadlineAt: now }), lookAt(nodeInService({ bootId: newBoot, ready: false })));
		assert.deepEqual([outcome(stepped), stepped.reboot.alarmed, stepped.moves.map((each) => each.kind)], ["soaking", true, ["alarmed"]]);
		assert.deepEqual(step(stepped.reboot, lookAt(nodeInService({ bootId: newBoot, ready: false }))).moves, []);
		assert.equal(outcome(step(stepped.reboot, lookAt(nodeInService({ bootId: newBoot })))), "ended done");
	});
});

describe("stuck", () => {
	test("Ready again under the old boot id is given back, once its reboot pods are seen gone", () => {
		assert.equal(outcome(step(stuckRecord(), lookAt(nodeHeldByUs()))), "uncordoning → gaveUp");
		assert.equal(outcome(step(stuckRecord(), lookAt(nodeHeldByUs(), { pods: known([rebootPod(1)]) }))), "stuck");
		assert.equal(outcome(step(stuckRecord(), lookAt(nodeHeldByUs(), { pods: unknown("503") }))), "stuck");
	});

	test("Ready again under a new boot id is finished without a person, with time to rejoin", () => {
		const pods = known([rebootPod(1)]);
		const { reboot } = step(stuckRecord(), lookAt(nodeBootedAnew(), { pods }));
		assert.deepEqual([reboot.phase, reboot.deadlineAt], ["rejoining", now + reboot.policy.rebootTimeoutMs]);
		assert.equal(outcome(step(reboot, lookAt(nodeBootedAnew()))), "uncordoning → done");
	});

	test("has no deadline: it waits for a person however long that takes", () => {
		assert.equal(outcome(step(stuckRecord(), lookAt(nodeHeldByUs({ ready: false }), { at: now + 1000 * hour }))), "stuck");
	});
});

describe("after a gap without looks", () => {
	const gap = { lastLookAt: now - 4 * minute };
	const late = drainingRecord({ deadlineAt: now - minute });

	test("a deadline that is due is put off by two minutes, once", () => {
		const put = step(late, lookAt(nodeHeldByUs(), { ...gap, pods: onePod }));
		assert.deepEqual([outcome(put), put.reboot.deadlineAt, put.moves[0]?.kind], ["draining", now + 2 * minute, "deadlinePutOff"]);
		const again = step(put.reboot, lookAt(nodeHeldByUs(), { at: now + 10 * minute, lastLookAt: now, pods: onePod }));
		assert.equal(outcome(again), "uncordoning → gaveUp");
	});

	test("three minutes are no gap, and a deadline that is not due stays", () => {
		assert.equal(outcome(step(late, lookAt(nodeHeldByUs(), { lastLookAt: now - 3 * minute, pods: onePod }))), "uncordoning → gaveUp");
		const early = drainingRecord();
		assert.equal(step(early, lookAt(nodeHeldByUs(), { ...gap, pods: onePod })).reboot.deadlineAt, early.deadlineAt);
	});

	test("one time limit is put off once, though it spans two phases", () => {
		const put = step(rebootingRecord({ deadlineAt: now - minute }), lookAt(nodeHeldByUs({ ready: false }), gap));
		const booted = step(put.reboot, lookAt(nodeBootedAnew({ ready: false }), { at: now + minute, lastLookAt: now }));
		assert.equal(booted.reboot.phase, "rejoining");
		const again = step(booted.reboot, lookAt(nodeBootedAnew({ ready: false }), { at: now + 10 * minute, lastLookAt: now + minute }));
		assert.equal(outcome(again), "stuck");
	});

	test("a cordon that is not there in time is given up all the same: the window that let it begin may not be long enough any more", () => {
		const late = cordoningRecord({ deadlineAt: now - minute });
		assert.equal(outcome(step(late, lookAt(nodeInService(), gap))), "uncordoning → gaveUp");
		assert.equal(outcome(step(late, lookAt(nodeHeldByUs(), gap))), "draining");
	});

	test("SOAK is a wait and not a deadline: a gap does not make it longer", () => {
		assert.equal(outcome(step(soakingRecord({ deadlineAt: now - minute }), lookAt(nodeInService({ bootId: newBoot }), gap))), "ended done");
	});
});
