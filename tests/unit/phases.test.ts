import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { actionsFor } from "../../lib/plan/actions.ts";
import { type End, ends, known, type NodeFacts, type PodFacts, phases, type Reading, type Reboot, unknown } from "../../lib/plan/model.ts";
import { handedOver } from "../../lib/plan/ownership.ts";
import { phaseRules, phaseTimeoutMs, putOffMs, ruleOf } from "../../lib/plan/phases.ts";
import { plan } from "../../lib/plan/plan.ts";
import type { Cause, Reason } from "../../lib/plan/reasons.ts";
import { type RebootView, type Stepped, step } from "../../lib/plan/step.ts";
import type { WindowState } from "../../lib/plan/windows.ts";
import {
	closedWindow,
	cordoningRecord,
	daemonPod,
	defaultPolicy,
	deploymentPod,
	drainingRecord,
	lookAt,
	lookAtCluster,
	minute,
	newBoot,
	nodeBootedAnew,
	nodeCordonedByOperator,
	nodeHandedOver,
	nodeHeldByUs,
	nodeInService,
	nodeWithoutMark,
	now,
	oldBoot,
	openWindow,
	other,
	ourMark,
	planInput,
	rebootingRecord,
	rebootPod,
	recordOf,
	rejoiningRecord,
	second,
	sentinelDaemonSet,
	sentinelPod,
	sentinelThatAsks,
	sentinelThatAsksNothing,
	soakingRecord,
	stuckRecord,
	uncordoningRecord,
	us,
} from "./states.ts";

/** "draining → rebooting" for every move of a step. */
function edgesOf({ moves }: Stepped): readonly string[] {
	return moves.flatMap((move) => (move.to === null ? [] : [`${move.from} → ${move.to}`]));
}

const legal = new Set(phaseRules.flatMap((rule) => [...rule.next, ...rule.ends].map((to) => `${rule.phase} → ${to}`)));

describe("the table of phases", () => {
	test("has every phase once, in the order of the model", () => {
		assert.deepEqual(
			phaseRules.map((rule) => rule.phase),
			phases,
		);
	});

	test("is the one that docs/how-it-works.md shows", () => {
		const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ") || "—";
		const rows = phaseRules.map(
			(rule) => `| \`${rule.phase}\` | ${rule.meaning} | ${rule.leavesWhen} | ${rule.onDeadline} | ${code(rule.next)} | ${code(rule.ends)} |`,
		);
		const head =
			"| phase | what is true of the node | leaves when a later look shows | when its deadline passes | phases that may follow | ends that may follow |";
		const table = [head, "| --- | --- | --- | --- | --- | --- |", ...rows].join("\n");
		const docs = readFileSync(new URL("../../docs/how-it-works.md", import.meta.url), "utf8");
		assert.ok(docs.includes(table), `docs/how-it-works.md must contain:\n${table}`);
	});

	test("every end is named and told in docs/how-it-works.md", () => {
		const docs = readFileSync(new URL("../../docs/how-it-works.md", import.meta.url), "utf8");
		for (const end of ends) assert.ok(docs.includes(`| \`${end}\` |`), end);
	});

	test("every phase but stuck has a time limit, so that none is silent for ever", () => {
		const policy = defaultPolicy();
		assert.deepEqual(
			phases.filter((phase) => phaseTimeoutMs(phase, policy) === null),
			["stuck"],
		);
	});
});

/** One step for every edge; what the table allows and nothing here reaches would be untested. */
const onePod = { pods: known([deploymentPod()]) };
const endingAs = (ending: NonNullable<Reboot["ending"]>) => uncordoningRecord({ ending, asks: [], rebooted: null });
const steps: readonly (readonly [Reboot, RebootView])[] = [
	[cordoningRecord(), lookAt(nodeHeldByUs())],
	[cordoningRecord(), lookAt(nodeInService(), { window: closedWindow })],
	[drainingRecord(), lookAt(nodeHeldByUs())],
	[drainingRecord(), lookAt(nodeWithoutMark(), onePod)],
	[rebootingRecord(), lookAt(nodeBootedAnew({ ready: false }))],
	[rebootingRecord(), lookAt(nodeHandedOver())],
	[rebootingRecord({ deadlineAt: now }), lookAt(nodeHeldByUs({ ready: false }))],
	[rejoiningRecord(), lookAt(nodeBootedAnew())],
	[rejoiningRecord({ deadlineAt: now }), lookAt(nodeBootedAnew({ ready: false }))],
	[uncordoningRecord({ policy: defaultPolicy({ soakMs: minute }) }), lookAt(nodeInService({ bootId: newBoot }))],
	[endingAs({ end: "gaveUp", cause: { kind: "windowClosed" } }), lookAt(nodeInService())],
	[endingAs({ end: "notNeeded", cause: { kind: "noLongerAsked" } }), lookAt(nodeInService())],
	[endingAs({ end: "cancelled", cause: { kind: "forbidden", reason: { kind: "dryRun" } } }), lookAt(nodeInService())],
	[endingAs({ end: "released", cause: { kind: "markRemoved" } }), lookAt(nodeCordonedByOperator())],
	[soakingRecord({ deadlineAt: now }), lookAt(nodeInService({ bootId: newBoot }))],
	[stuckRecord(), lookAt(nodeBootedAnew(), { pods: known([rebootPod(1)]) })],
	[stuckRecord(), lookAt(nodeHeldByUs())],
	...phases.map((phase) => [recordOf[phase](), lookAt("absent")] as const),
];

describe("the edges", () => {
	const reached = steps.flatMap(([reboot, view]) => edgesOf(step(reboot, view)));
	const letGo = phases.flatMap((phase) => {
		const view = lookAtCluster([nodeHeldByUs()], [], { owner: known({ kind: "named", holder: other }) });
		return plan(planInput(view, { records: [recordOf[phase]()] })).steps.flatMap(edgesOf);
	});

	test("each of the table is reached by a test, and no other is taken", () => {
		assert.deepEqual([...new Set([...reached, ...letGo])].sort(), [...legal].sort());
	});
});

/** Anything that a node may look like to a record of node-1. */
const anyNode: fc.Arbitrary<NodeFacts> = fc
	.record({
		uid: fc.constantFrom("uid-node-1", "uid-node-1", "uid-node-1", "uid-of-another"),
		bootId: fc.constantFrom(oldBoot, oldBoot, newBoot, ""),
		ready: fc.boolean(),
		unschedulable: fc.constantFrom(true, true, false),
		unschedulableManagers: fc.subarray(["aks-reboot-scheduler", "ancient-changes", "kubectl-cordon"]),
		mark: fc.oneof(
			{ weight: 5, arbitrary: fc.boolean().map((foundCordoned): NodeFacts["mark"] => ({ kind: "mark", mark: ourMark({ foundCordoned }) })) },
			fc.constantFrom<NodeFacts["mark"]>({ kind: "none" }, { kind: "garbled", text: "{" }, { kind: "mark", mark: ourMark({ record: "reboot-b" }) }),
		),
	})
	.map((changes) => nodeInService(changes));

const anyPods: fc.Arbitrary<Reading<readonly PodFacts[]>> = fc.oneof(
	{ weight: 1, arbitrary: fc.constant(unknown("503")) },
	{
		weight: 6,
		arbitrary: fc
			.subarray([
				deploymentPod(),
				deploymentPod({ uid: "uid-returns", toleratesCordon: true, createdAt: now + 100 * minute }),
				daemonPod(),
				daemonPod({ uid: "uid-after", containerIds: ["containerd://logs-after"] }),
				rebootPod(1),
				rebootPod(2, { phase: "Failed", trouble: "the clock is off" }),
				sentinelPod(sentinelThatAsks()),
				sentinelPod(sentinelThatAsksNothing(newBoot)),
				sentinelPod(sentinelThatAsksNothing(oldBoot)),
			])
			.map((pods) => known(pods)),
	},
);

const anyView: fc.Arbitrary<Omit<RebootView, "at" | "lastLookAt"> & { readonly afterMs: number; readonly gap: boolean }> = fc.record({
	node: fc.oneof(
		{ weight: 12, arbitrary: anyNode.map((node): RebootView["node"] => known(node)) },
		{ weight: 1, arbitrary: fc.constantFrom<RebootView["node"]>(known("absent"), unknown("503")) },
	),
	pods: anyPods,
	daemonSets: fc.constantFrom(known([{ namespace: "logging", name: "logs", uid: "uid-ds-logs" }]), known([]), unknown("503")),
	forbidden: fc.constantFrom<Reason | null>(null, null, null, { kind: "dryRun" }),
	dropped: fc.boolean(),
	impediments: fc.constantFrom<readonly Reason[]>([], [], [{ kind: "sentinelUnknown", why: "503" }]),
	window: fc.constantFrom<WindowState | null>(openWindow, openWindow, { ...openWindow, closesAt: null }, closedWindow, null),
	afterMs: fc.constantFrom(1, 5 * second, 2 * minute, 5 * minute, 20 * minute),
	gap: fc.boolean(),
});

const anyRecord: fc.Arbitrary<Reboot> = fc
	.record({
		phase: fc.constantFrom(...phases),
		foundCordoned: fc.boolean(),
		policy: fc
			.record({
				windowCloses: fc.constantFrom("give-up" as const, "finish" as const),
				drainTimeoutAction: fc.constantFrom("give-up" as const, "delete" as const, "reboot" as const),
				soakMs: fc.constantFrom(0, minute),
				beforeRebootMs: fc.constantFrom(0, minute),
				rebootTimeoutMs: fc.constantFrom(12 * second, 16 * minute),
			})
			.map(defaultPolicy),
	})
	.map(({ phase, ...changes }) => recordOf[phase](changes));

/** Every rule that a single step has to keep. */
function check(before: Reboot, view: RebootView): Stepped {
	const stepped = step(before, view);
	const { reboot, moves } = stepped;
	for (const edge of edgesOf(stepped)) assert.ok(legal.has(edge), `${edge} is not in the table`);
	const put = moves.some((move) => move.kind === "deadlinePutOff");
	if (!view.node.known) assert.deepEqual({ ...reboot, deadlineAt: 0, deadlinePutOff: false }, { ...before, deadlineAt: 0, deadlinePutOff: false });
	const sameLimit = reboot.phase === before.phase || (before.phase === "rebooting" && reboot.phase === "rejoining" && moves.length <= (put ? 2 : 1));
	if (sameLimit && (reboot.deadlineAt ?? 0) > (before.deadlineAt ?? 0) && !moves.some((move) => move.kind === "harsher")) {
		assert.ok(put && !before.deadlinePutOff && reboot.deadlinePutOff, "a deadline was put off twice, or silently");
		assert.equal(reboot.deadlineAt, view.at + putOffMs);
	}
	assert.ok(reboot.asks.length <= 2, "asked for a third time");
	for (const ask of reboot.asks.slice(before.asks.length)) {
		const latest = Math.min(ask.at + 5 * minute, (reboot.asks[0]?.at ?? 0) + reboot.policy.rebootTimeoutMs / 2);
		assert.ok(ask.notAfter <= latest, "an ask is good for too long");
	}
	assert.deepEqual(step(before, view), stepped, "the same view gives another step");
	return stepped;
}

function checkActions({ reboot, ended }: Stepped, view: RebootView): void {
	if (ended !== null) return;
	const node = view.node.known && view.node.value !== "absent" ? view.node.value : null;
	for (const action of actionsFor(reboot, view, us, sentinelDaemonSet)) {
		if (action.kind !== "deleteRebootPod") assert.ok(node !== null && node.uid === reboot.node.uid, `${action.kind} of a node that was not seen`);
		if (action.kind === "uncordon" && action.removeCordon) {
			assert.ok(node !== null && !handedOver(node) && !reboot.foundCordoned, "another's cordon would be removed");
			assert.ok(node.mark.kind !== "mark" || !node.mark.mark.foundCordoned, "a cordon that the mark calls found would be removed");
			assert.ok(node.mark.kind !== "none", "an unmarked node would be uncordoned");
		}
		if (action.kind === "ask") {
			assert.ok(node?.unschedulable && node.bootId === reboot.bootId && view.forbidden === null, "a reboot would be asked for that must not be");
			assert.ok(reboot.policy.windowCloses === "finish" || view.window?.open === true, "a reboot would be asked for outside its window");
		}
		if (action.kind === "delete") assert.equal(reboot.policy.drainTimeoutAction, "delete");
	}
}

describe("whatever is seen, in any order", () => {
	test("only edges of the table are taken, deadlines hold, other people's cordons stay, and no reboot is asked for that must not be", () => {
		fc.assert(
			fc.property(anyRecord, fc.array(anyView, { minLength: 1, maxLength: 12 }), (record, views) => {
				let reboot = record;
				let at = now;
				for (const { afterMs, gap, ...seen } of views) {
					const lastLookAt = gap ? at - 4 * minute : at;
					at += afterMs;
					const view = { ...seen, at, lastLookAt };
					const stepped = check(reboot, view);
					checkActions(stepped, view);
					if (stepped.ended !== null) return;
					reboot = stepped.reboot;
				}
			}),
			{ numRuns: 20_000 },
		);
	});

	test("a node that is well and left alone always comes to an end, in service", () => {
		fc.assert(
			fc.property(anyRecord, fc.array(anyView, { maxLength: 6 }), (record, views) => {
				let reboot = record;
				let at = now;
				for (const { afterMs, gap: _, ...seen } of views) {
					at += afterMs;
					const stepped = step(reboot, { ...seen, at, lastLookAt: at - second });
					if (stepped.ended !== null) return;
					reboot = stepped.reboot;
				}
				const { last, end, node } = settle(reboot, at);
				assert.notEqual(end, null, `still ${last.phase}`);
				assert.equal(node.mark.kind, "none");
				if (end !== "released" && end !== "replaced") assert.equal(node.unschedulable, last.foundCordoned);
			}),
			{ numRuns: 10_000 },
		);
	});
});

/** Looks at a node that does as it is told, until its reboot has ended; nothing is in the way any more. */
function settle(start: Reboot, from: number): { readonly last: Reboot; readonly end: End | null; readonly node: NodeFacts } {
	let reboot = start;
	let node = nodeHeldByUs({ bootId: reboot.rebooted?.bootId ?? oldBoot, uid: reboot.node.uid }, { foundCordoned: reboot.foundCordoned });
	if (reboot.phase === "soaking") node = { ...node, mark: { kind: "none" }, unschedulable: reboot.foundCordoned };
	for (let i = 0; i < 60; i++) {
		const at = from + i * minute;
		const view = lookAt(node, { at, lastLookAt: at - minute, pods: known([daemonPod({ containerIds: [`containerd://logs-${node.bootId}`] })]) });
		const stepped = check(reboot, view);
		if (stepped.ended !== null) return { last: stepped.reboot, end: stepped.ended.end, node };
		reboot = stepped.reboot;
		for (const action of actionsFor(reboot, view, us, sentinelDaemonSet)) {
			if (action.kind === "cordon") node = { ...node, unschedulable: true, mark: { kind: "mark", mark: action.mark } };
			if (action.kind === "ask") node = { ...node, bootId: newBoot };
			if (action.kind === "uncordon") node = { ...node, mark: { kind: "none" }, unschedulable: node.unschedulable && !action.removeCordon };
		}
	}
	return { last: reboot, end: null, node };
}

describe("the table's own check", () => {
	test("fails for an edge that is not in it", () => {
		const cause: Cause = { kind: "cordoned" };
		const edges = edgesOf({ reboot: drainingRecord(), ended: null, moves: [{ kind: "moved", from: "draining", to: "soaking", cause }] });
		assert.deepEqual(
			edges.filter((edge) => !legal.has(edge)),
			["draining → soaking"],
		);
		assert.equal(ruleOf("draining").next.includes("soaking"), false);
	});
});
