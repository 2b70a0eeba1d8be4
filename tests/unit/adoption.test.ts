import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adopt } from "../../lib/plan/adoption.ts";
import { known, type Mark, type NodeFacts, unknown, type View } from "../../lib/plan/model.ts";
import { plan, toAdopt } from "../../lib/plan/plan.ts";
import type { Limit } from "../../lib/plan/policy.ts";
import {
	closedWindow,
	defaultPolicy,
	defaultSettings,
	deploymentPod,
	drainingRecord,
	everywhere,
	hour,
	lookAtCluster,
	minute,
	never,
	newBoot,
	nodeBootedAnew,
	nodeCordonedByOperator,
	nodeHandedOver,
	nodeHeldByUs,
	nodeUncordonedByOperator,
	now,
	oldBoot,
	other,
	planInput,
	rebootingRecord,
	us,
} from "./states.ts";

const policy = defaultPolicy();
const adopted = (node: NodeFacts) => adopt({ at: now, node, cluster: { name: "prod", id: "kubeconfig:prod", uid: "uid-kube-system" }, policy, newId: "fresh" });

describe("a marked node without a record", () => {
	test("goes on draining, with today's policy and a whole drain timeout", () => {
		const reboot = adopted(nodeHeldByUs());
		assert.deepEqual(
			[reboot.phase, reboot.id, reboot.bootId, reboot.adopted, reboot.deadlineAt],
			["draining", "reboot-a", oldBoot, true, now + policy.drainTimeoutMs],
		);
	});

	test("goes on rebooting where it was asked for, its deadline counted from there", () => {
		const reboot = adopted(nodeHeldByUs({}, { askedAt: now - 5 * minute }));
		assert.deepEqual([reboot.phase, reboot.deadlineAt], ["rebooting", now - 5 * minute + policy.rebootTimeoutMs]);
		assert.deepEqual(reboot.asks, [{ number: 1, at: now - 5 * minute, notBefore: now - 6 * minute, notAfter: now, pod: "unseen" }]);
	});

	test("goes on rejoining under another boot, as our reboot only where it was asked for", () => {
		const ours = adopted(nodeBootedAnew());
		assert.deepEqual([ours.phase, ours.rebooted?.bootId, ours.deadlineAt], ["rejoining", newBoot, now - 5 * minute + policy.rebootTimeoutMs]);
		const theirs = adopted(nodeHeldByUs({ bootId: newBoot }));
		assert.deepEqual([theirs.phase, theirs.asks], ["rejoining", []]);
	});

	test("keeps whose cordon it is", () => {
		assert.equal(adopted(nodeHeldByUs({}, { foundCordoned: true })).foundCordoned, true);
		assert.equal(adopted(nodeHeldByUs()).foundCordoned, false);
	});

	test("that somebody cordoned again is let go, with its cordon", () => {
		assert.equal(adopted(nodeHandedOver()).ending?.end, "released");
	});

	test("whose mark cannot be read is brought back: the mark still says that the cordon was ours", () => {
		const reboot = adopted(nodeHeldByUs({ mark: { kind: "garbled", text: "{" } }));
		assert.deepEqual([reboot.phase, reboot.id, reboot.ending?.end, reboot.foundCordoned], ["uncordoning", "fresh", "cancelled", false]);
	});

	test("whose mark was copied from another node loses the mark, and nothing else of it is believed", () => {
		const copied = adopted(nodeHeldByUs({}, { nodeUid: "uid-of-another" }));
		assert.deepEqual(copied.ending, { end: "replaced", cause: { kind: "markCopied" } });
		assert.equal(copied.id, "fresh", "the record that it names is that node's, and must not be written over");
	});
});

describe("who adopts", () => {
	const marked = nodeHeldByUs();
	const theirs = nodeHeldByUs({}, { owner: other });
	const garbled = nodeHeldByUs({ mark: { kind: "garbled", text: "{" } });
	const names = (nodes: readonly NodeFacts[], owner: Parameters<typeof toAdopt>[0]["owner"]) =>
		toAdopt(lookAtCluster(nodes, [], { owner }), [], us).map((node) => node.name);

	test("whom the Lease names adopts every mark, whoever wrote it", () => {
		for (const node of [marked, theirs, garbled]) assert.deepEqual(names([node], known({ kind: "named", holder: us })), ["node-1"]);
	});

	test("whom it does not name adopts nothing, not even its own", () => {
		for (const node of [marked, theirs, garbled]) assert.deepEqual(names([node], known({ kind: "named", holder: other })), []);
	});

	test("where it is nobody's, each adopts its own", () => {
		const owner = known({ kind: "absent" } as const);
		assert.deepEqual(names([marked], owner), ["node-1"]);
		assert.deepEqual(names([theirs], owner), []);
		assert.deepEqual(names([garbled], owner), []);
	});

	test("while it cannot be read, nobody does: a mark names who wrote it, and another may work there by now", () => {
		for (const node of [marked, theirs, garbled]) assert.deepEqual(names([node], unknown("503")), []);
	});

	test("a cordon without a mark, and a node in flight, are not adopted", () => {
		assert.deepEqual(names([nodeCordonedByOperator()], known({ kind: "named", holder: us })), []);
		assert.deepEqual(toAdopt(lookAtCluster([marked]), [drainingRecord()], us), []);
	});

	test("a mark that is left on an uncordoned node is adopted when it is seen, or the node could never be admitted again", () => {
		assert.deepEqual(names([nodeUncordonedByOperator()], known({ kind: "named", holder: us })), ["node-1"]);
	});

	test("an absent Lease and a mark that cannot be read: the Lease is claimed, so that the cordon does not stay for ever", () => {
		const owner = known({ kind: "absent" } as const);
		assert.equal(plan(planInput(lookAtCluster([garbled], [], { owner }))).claim, true);
		assert.equal(plan(planInput(lookAtCluster([nodeCordonedByOperator()], [], { owner }))).claim, false);
	});
});

describe("the look that adopts", () => {
	const pods = new Map([["node-1", known([deploymentPod()])]]);
	const acts = (changes: Parameters<typeof planInput>[1], node = nodeHeldByUs()) =>
		plan(planInput(lookAtCluster([node], [], { pods }), changes)).actions.map((each) => each.kind);

	test("goes on with what was under way", () => {
		assert.deepEqual(acts({}), ["evict"]);
	});

	test("evicts nothing where a dry run, a hold, wrong settings or a closed window would bring the node back", () => {
		assert.deepEqual(acts({ settings: defaultSettings({ dryRun: true }) }), []);
		assert.deepEqual(acts({ settings: defaultSettings({ hold: everywhere("freeze") }) }), []);
		assert.deepEqual(acts({ settings: null, problems: [{ setting: "HOLD", part: "x", expected: "y" }] }), []);
		assert.deepEqual(acts({ settings: defaultSettings({ maintenanceWindows: everywhere([never]) }) }), []);
		assert.deepEqual(acts({ configured: false }), []);
		assert.equal(closedWindow.open, false);
	});

	test("makes no reboot pod under a hold, though the ask is adopted", () => {
		const asked = nodeHeldByUs({}, { askedAt: now - minute });
		assert.deepEqual(plan(planInput(lookAtCluster([asked]), { settings: defaultSettings({ hold: everywhere("freeze") }) })).actions, []);
	});

	test("keeps the adopted node's room", () => {
		const next = { ...nodeCordonedByOperator(), name: "node-2", uid: "uid-node-2" };
		const { admitted, waiting } = plan(planInput(lookAtCluster([nodeHeldByUs(), next], [next])));
		assert.deepEqual(admitted, []);
		assert.deepEqual(
			waiting.map((each) => each.reasons.map((reason) => reason.kind)),
			[["clusterFull"]],
		);
	});

	describe("where others have the room by then", () => {
		const one = nodeHeldByUs();
		const held = (number: number, mark: Partial<Mark> = {}, changes: Partial<NodeFacts> = {}) =>
			nodeHeldByUs({ ...changes, name: `node-${number}`, uid: `uid-node-${number}` }, { nodeUid: `uid-node-${number}`, record: `reboot-${number}`, ...mark });
		const away = rebootingRecord({ id: "reboot-9", node: { name: "node-9", uid: "uid-node-9", pool: "np1" } });
		const looked = (nodes: readonly NodeFacts[], changes: Parameters<typeof planInput>[1] = {}, view: Partial<View> = {}) => {
			const looks = lookAtCluster(nodes, [], { pods: new Map(nodes.map((node) => [node.name, known([deploymentPod()])])), ...view });
			const first = plan(planInput(looks, changes));
			const records = [...(changes.records ?? []), ...first.adopted];
			const second = plan(planInput(looks, { ...changes, records }));
			const fate = second.steps.map(({ reboot }) => `${reboot.node.name} ${reboot.phase}`);
			return { fate, acts: first.actions.filter((each) => each.record === "reboot-a").map((each) => each.kind), second };
		};

		test("it does nothing to the node, and the next one brings it back: its cordon was applied long after its reboot had ended", () => {
			const { fate, acts, second } = looked([one, held(9)], { records: [away] });
			assert.deepEqual(acts, []);
			assert.deepEqual(fate, ["node-9 rebooting", "node-1 uncordoning"]);
			const ending = second.steps[1]?.reboot.ending;
			assert.equal(ending?.end, "cancelled");
			assert.deepEqual(ending?.cause, { kind: "forbidden", reason: { kind: "clusterFull", limit: 1, nodes: ["node-9"] } });
		});

		test("also where the room is that of its pool", () => {
			const settings = defaultSettings({
				maxConcurrent: [...everywhere<Limit>({ kind: "number", nodes: 5 }), { scope: { cluster: "prod", pool: "np1" }, value: { kind: "number", nodes: 1 } }],
			});
			const { fate } = looked([one, held(9)], { records: [away], settings });
			assert.deepEqual(fate, ["node-9 rebooting", "node-1 uncordoning"]);
		});

		test("of several, those that were taken first stay", () => {
			const settings = defaultSettings({ maxConcurrent: everywhere<Limit>({ kind: "number", nodes: 2 }) });
			const { fate } = looked([held(3, { since: now - 3 * minute }), held(2, { since: now - 5 * minute }), held(1, { since: now - 4 * minute })], { settings });
			assert.deepEqual(fate.sort(), ["node-1 draining", "node-2 draining", "node-3 uncordoning"]);
		});

		test("what was asked for goes on, and what was admitted here too, however much room there is now", () => {
			const asked = held(1, { askedAt: now - minute });
			assert.deepEqual(looked([asked, held(9)], { records: [away] }).fate, ["node-9 rebooting", "node-1 rebooting"]);
			const ours = drainingRecord();
			assert.deepEqual(looked([one, held(9)], { records: [away, ours] }).fate, ["node-9 rebooting", "node-1 draining"]);
		});

		test("a room that is a share of what could not be read brings nothing back", () => {
			const settings = defaultSettings({ maxConcurrent: everywhere<Limit>({ kind: "percent", percent: 50 }) });
			const { fate } = looked([one, held(9)], { records: [away], settings }, { sentinel: unknown("503") });
			assert.deepEqual(fate, ["node-9 rebooting", "node-1 draining"]);
		});
	});

	test("adopts once, and not again when the record is there", () => {
		const first = plan(planInput(lookAtCluster([nodeHeldByUs()])));
		assert.equal(first.adopted.length, 1);
		const second = plan(planInput(lookAtCluster([nodeHeldByUs()]), { records: first.adopted }));
		assert.deepEqual(second.adopted, []);
		assert.equal(second.steps[0]?.reboot.admittedAt, now - 10 * minute);
	});

	test("a node that stayed away longer than its time is stuck at the next look, and finished when it comes back", () => {
		const away = nodeHeldByUs({ ready: false }, { askedAt: now - hour });
		const records = plan(planInput(lookAtCluster([away]))).adopted;
		const stuck = plan(planInput(lookAtCluster([away]), { records })).steps[0]?.reboot;
		assert.equal(stuck?.phase, "stuck");
	});
});
