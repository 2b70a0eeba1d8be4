import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adopt } from "../../lib/plan/adoption.ts";
import { known, type NodeFacts, unknown } from "../../lib/plan/model.ts";
import { plan, toAdopt } from "../../lib/plan/plan.ts";
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

	test("where it is nobody's or could not be read, each adopts its own", () => {
		for (const owner of [known({ kind: "absent" } as const), unknown("503")]) {
			assert.deepEqual(names([marked], owner), ["node-1"]);
			assert.deepEqual(names([theirs], owner), []);
			assert.deepEqual(names([garbled], owner), []);
		}
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
