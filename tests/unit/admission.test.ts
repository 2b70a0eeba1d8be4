import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { admit, probationToRead } from "../../lib/plan/admission.ts";
import { reconsidered } from "../../lib/plan/memory.ts";
import { known, type NodeFacts, nothingAsked, type Obstacle, type Reading, type Reboot, unknown, type View } from "../../lib/plan/model.ts";
import type { Limit, Settings } from "../../lib/plan/policy.ts";
import {
	budgetObstacle,
	cordoningRecord,
	defaultSettings,
	drainingRecord,
	everywhere,
	givenUpMemory,
	hour,
	lookAtCluster,
	minute,
	never,
	newBoot,
	nodeCordonedByOperator,
	nodeHeldByUs,
	nodeInService,
	now,
	oldBoot,
	openWindow,
	rebootedMemory,
	rebootingRecord,
	saturdayNight,
	sentinelDaemonSet,
	sentinelPod,
	sentinelThatAsks,
	sentinelThatAsksNothing,
	soakingRecord,
	stuckRecord,
} from "./states.ts";

type Input = Parameters<typeof admit>[0];

function nodeCalled(name: string, changes: Partial<NodeFacts> = {}): NodeFacts {
	return nodeInService({ name, uid: `uid-${name}`, ...changes });
}

function recordOn(name: string, pool = "np1", record: Reboot = drainingRecord()): Reboot {
	return { ...record, id: `reboot-${name}`, node: { name, uid: `uid-${name}`, pool } };
}

const a = nodeCalled("a");
const b = nodeCalled("b");
const c = nodeCalled("c");

function admission(nodes: readonly NodeFacts[], changes: Partial<Input> = {}, view: Partial<View> = {}) {
	const input = { cluster: "prod", view: lookAtCluster(nodes, nodes, view), inFlight: [], memory: [], control: nothingAsked, clusterReasons: [] };
	return admit({ ...input, settings: defaultSettings(), ...changes });
}

/** Reasons by node; "admit" where there is none. */
function verdicts(result: ReturnType<typeof admit>): Record<string, string> {
	return Object.fromEntries(result.waiting.map((each) => [each.node, each.reasons.map((reason) => reason.kind).join(" ") || "admit"]));
}

function asksSince(node: NodeFacts, since: number) {
	return sentinelThatAsks({
		node: node.name,
		report: { kind: "report", report: { bootId: node.bootId, since, kernelVersion: node.kernelVersion, packages: [] } },
	});
}

const limits = (...entries: readonly (readonly [string | null, Limit])[]): Partial<Settings> => ({
	maxConcurrent: entries.map(([pool, value]) => ({ scope: { cluster: "*", pool }, value })),
});
const nodes = (count: number): Limit => ({ kind: "number", nodes: count });
const percent = (value: number): Limit => ({ kind: "percent", percent: value });

describe("room", () => {
	test("one at a time unless told otherwise", () => {
		assert.deepEqual(verdicts(admission([a, b])), { a: "admit", b: "clusterFull behind" });
	});

	test("every reboot in flight keeps its room, in every phase: soaking and stuck too", () => {
		for (const record of [cordoningRecord(), drainingRecord(), rebootingRecord(), soakingRecord()]) {
			const result = admission([b], { inFlight: [recordOn("a", "np1", record)] }, { nodes: new Map([a, b].map((node) => [node.name, known(node)])) });
			assert.deepEqual(verdicts(result), { b: "clusterFull" }, record.phase);
		}
	});

	test("a cluster's and a pool's limits are resolved apart, and both hold", () => {
		const gpu = nodeCalled("g", { pool: "gpu" });
		const settings = defaultSettings(limits([null, nodes(3)], ["gpu", nodes(1)]));
		const inFlight = [recordOn("h", "gpu")];
		assert.deepEqual(verdicts(admission([a, b, c, gpu], { settings, inFlight })), { a: "admit", b: "admit", c: "clusterFull behind", g: "clusterFull behind" });
		assert.deepEqual(verdicts(admission([a, gpu], { settings, inFlight })), { a: "admit", g: "poolFull behind" });
	});

	test("a pool without room does not hold the other pools up", () => {
		const gpu = nodeCalled("0", { pool: "gpu" });
		const settings = defaultSettings(limits([null, nodes(2)], ["gpu", nodes(1)]));
		assert.deepEqual(verdicts(admission([gpu, a], { settings, inFlight: [recordOn("h", "gpu")] })), { "0": "poolFull", a: "admit" });
	});

	test("a percentage is of the sentinel's nodes, rounded down, and at least 1", () => {
		const admitted = (desired: number, share: number) =>
			admission(
				[a, b, c],
				{ settings: defaultSettings(limits([null, percent(share)])) },
				{ sentinel: known({ ...sentinelDaemonSet, desired, ready: desired }) },
			).admitted.length;
		assert.deepEqual([admitted(5, 1), admitted(5, 39), admitted(5, 40), admitted(5, 99)], [1, 1, 2, 3]);
	});

	test("a pool's percentage is of its own nodes, and a size that is not known admits nothing of it", () => {
		const settings = defaultSettings(limits([null, nodes(9)], ["np1", percent(50)]));
		assert.deepEqual(verdicts(admission([a, b, c], { settings }, { poolSizes: known(new Map([["np1", 4]])) })), {
			a: "admit",
			b: "admit",
			c: "poolFull behind",
		});
		assert.equal(verdicts(admission([a], { settings }, { poolSizes: unknown("403") })).a, "poolSizeUnknown");
	});

	test("nobody is said to take room that only waits for it", () => {
		const unread = { nodes: new Map(), preflights: new Map() };
		assert.deepEqual(verdicts(admission([a, b], {}, unread)), { a: "next", b: "behind" });
	});
});

describe("order", () => {
	test("longest waiting first, system pools last, names decide the rest", () => {
		const system = nodeCalled("0", { systemPool: true, pool: "system" });
		const waiting = known([asksSince(system, now - 99 * hour), asksSince(b, now - 2 * hour), asksSince(a, now - hour), asksSince(c, now - hour)]);
		assert.deepEqual(
			admission([system, a, b, c], {}, { waiting }).waiting.map((each) => each.node),
			["b", "a", "c", "0"],
		);
	});

	test("the earliest time that the table remembers counts, and only for the same boot", () => {
		const waiting = known([asksSince(a, now - 2 * hour), asksSince(b, now - hour)]);
		const memory = (bootId: string) => [givenUpMemory(0, { node: "b", bootId, waitingSince: now - 9 * hour, attempts: 0, lastEnd: null })];
		assert.equal(admission([a, b], { memory: memory(oldBoot) }, { waiting }).waiting[0]?.node, "b");
		assert.equal(admission([a, b], { memory: memory(newBoot) }, { waiting }).waiting[0]?.node, "a");
	});

	test("those that failed come after all others, also once a window has ended their back-off: else a few would keep the rest from it for ever", () => {
		const system = nodeCalled("0", { systemPool: true, pool: "system" });
		const waiting = known([asksSince(a, now - 9 * hour), asksSince(b, now - 8 * hour), asksSince(c, now - hour), asksSince(system, now - hour)]);
		const failed = (node: string, agoMs: number) => givenUpMemory(agoMs, { node });
		for (const memory of [
			[failed("a", hour), failed("b", 2 * hour)],
			reconsidered([failed("a", hour), failed("b", 2 * hour)], () => ({ ...openWindow, openedAt: now - minute })),
		])
			assert.deepEqual(
				admission([a, b, c, system], { memory }, { waiting }).waiting.map((each) => each.node),
				["c", "0", "b", "a"],
			);
	});

	test("one that may not begin does not hold the others up", () => {
		const held = nodeCalled("a", { hold: "debugging" });
		assert.deepEqual(verdicts(admission([held, b])), { a: "held", b: "admit" });
	});

	test("the next in line are read, and a few more behind them, but not all", () => {
		const many = ["a", "b", "c", "d", "e"].map((name) => nodeCalled(name));
		assert.deepEqual(admission(many, {}, { nodes: new Map(), preflights: new Map() }).toRead, ["a", "b", "c"]);
	});

	test("of two sentinel pods on a node the one that is ready and stays speaks", () => {
		const stale = sentinelThatAsks({ node: "a", deleting: true, report: { kind: "none" } });
		assert.deepEqual(verdicts(admission([a], {}, { waiting: known([stale, asksSince(a, now - hour), stale]) })), { a: "admit" });
	});
});

describe("windows", () => {
	const windowed = (windows: Settings["maintenanceWindows"], more: Partial<Settings> = {}) =>
		verdicts(admission([a], { settings: defaultSettings({ maintenanceWindows: windows, ...more }) })).a;

	test("nothing begins outside an open one, and none at all never means always", () => {
		assert.equal(windowed(everywhere([saturdayNight])), "admit");
		assert.equal(windowed(everywhere([never])), "windowClosed");
		assert.equal(windowed([]), "noWindow");
		assert.equal(windowed([{ scope: { cluster: "*", pool: "gpu" }, value: [saturdayNight] }]), "noWindow");
	});

	test("nothing begins with less than EXPECTED_DURATION left of it", () => {
		assert.equal(windowed(everywhere([saturdayNight]), { expectedDurationMs: everywhere(210 * minute) }), "admit");
		assert.equal(windowed(everywhere([saturdayNight]), { expectedDurationMs: everywhere(210 * minute + 1) }), "windowTooShort");
	});
});

describe("holds", () => {
	const held = (changes: Partial<Input>, node = a) => {
		const reason = admission([node], changes).waiting[0]?.reasons.find((each) => each.kind === "held");
		return reason?.kind === "held" ? `${reason.by}: ${reason.reason}` : "no";
	};

	test("of the settings, of the node and of people, each with its reason and who asked", () => {
		assert.equal(held({ settings: defaultSettings({ hold: everywhere("CHG0042") }) }), "setting HOLD: CHG0042");
		assert.equal(held({}, nodeCalled("a", { hold: "debugging" })), "its annotation: debugging");
		assert.equal(held({}, nodeCalled("a", { hold: "" })), "its annotation: no reason given");
		const hold = { pool: null, node: null, reason: "freeze", by: "ana", at: now, until: null };
		assert.equal(held({ control: { holds: [hold], requests: [] } }), "ana: freeze");
	});

	test("cover what they name and end when they say", () => {
		const hold = { pool: null, node: null, reason: "freeze", by: "ana", at: now, until: null };
		const covers = (changes: Partial<typeof hold> | { node: string } | { pool: string } | { until: number }) =>
			held({ control: { holds: [{ ...hold, ...changes }], requests: [] } }) !== "no";
		assert.deepEqual([covers({ pool: "np1" }), covers({ pool: "gpu" }), covers({ node: "a" }), covers({ node: "b" })], [true, false, true, false]);
		assert.deepEqual([covers({ until: now + 1 }), covers({ until: now })], [true, false]);
	});

	test("a hold that came since the metadata was read is seen in the fresh look", () => {
		const view = lookAtCluster([nodeCalled("a", { hold: "just now" })], [a]);
		const stale = { ...view, metadata: lookAtCluster([a]).metadata };
		assert.equal(verdicts(admission([a], { view: stale })).a, "held");
	});
});

describe("what the fresh look must show", () => {
	const reasonOf = (node: NodeFacts, view: Partial<View> = {}) => verdicts(admission([node], {}, view)).a;

	test("a node that is Ready, stays, and is not in other hands", () => {
		assert.equal(reasonOf(a), "admit");
		assert.equal(reasonOf(nodeCalled("a", { ready: false })), "nodeNotReady");
		assert.equal(reasonOf(nodeCalled("a", { deleting: true })), "nodeLeaving");
		assert.equal(reasonOf(nodeCalled("a", { taints: ["ToBeDeletedByClusterAutoscaler"] })), "nodeLeaving");
		assert.equal(reasonOf(nodeHeldByUs({ name: "a", uid: "uid-a" })), "nodeMarked");
	});

	test("a node that an operator cordoned before we came is rebooted, and stays cordoned", () => {
		assert.equal(reasonOf(nodeCordonedByOperator({ name: "a", uid: "uid-a" })), "admit");
	});

	test("a node that is gone or could not be read is not admitted", () => {
		assert.equal(reasonOf(a, { nodes: new Map([["a", known("absent" as const)]]) }), "nodeGone");
		assert.equal(reasonOf(a, { nodes: new Map([["a", unknown("503")]]) }), "nodeUnknown");
		assert.equal(reasonOf(a, { metadata: new Map() }), "nodeUnknown");
	});

	test("a report about another boot, or one that cannot be read, asks for nothing", () => {
		const other = sentinelThatAsks({ node: "a", report: { kind: "report", report: { bootId: newBoot, since: now, kernelVersion: "6", packages: [] } } });
		assert.equal(reasonOf(a, { waiting: known([other]) }), "reportStale");
		assert.equal(reasonOf(a, { waiting: known([sentinelThatAsks({ node: "a", report: { kind: "none" } })]) }), "reportUnreadable");
		assert.equal(reasonOf(a, { waiting: known([sentinelThatAsks({ node: "a", report: { kind: "garbled", why: "no JSON" } })]) }), "reportUnreadable");
	});

	test("a reboot pod that would be refused, or could not be tried, is a reason before anything is touched", () => {
		const tried = (rebootPod: { kind: "refused" | "unknown"; why: string }) => reasonOf(a, { preflights: new Map([["a", { rebootPod, blocked: [] }]]) });
		assert.equal(tried({ kind: "refused", why: "policy" }), "rebootPodRefused");
		assert.equal(tried({ kind: "unknown", why: "503" }), "rebootPodUnknown");
	});

	test("a node given up because of a budget waits until dry runs say that its pods may go", () => {
		const blocked: readonly Obstacle[] = [budgetObstacle()];
		assert.equal(reasonOf(a, { preflights: new Map([["a", { rebootPod: { kind: "accepted" }, blocked }]]) }), "stillBlocked");
	});

	test("a node given up because of a budget is admitted once the settings go past budgets", () => {
		const view = { preflights: new Map([["a", { rebootPod: { kind: "accepted" } as const, blocked: [budgetObstacle()] }]]) };
		const settings = defaultSettings({ drainTimeoutAction: everywhere("delete") });
		assert.deepEqual(verdicts(admission([a], { settings }, view)), { a: "admit" });
	});

	test("nothing is admitted that was not tried", () => {
		const result = admission([a], {}, { preflights: new Map() });
		assert.deepEqual([verdicts(result), result.admitted, result.toRead], [{ a: "next" }, [], ["a"]]);
	});
});

describe("memory", () => {
	const own = (memory: ReturnType<typeof givenUpMemory>, node = a) => verdicts(admission([node], { memory: [{ ...memory, node: "a", nodeUid: "uid-a" }] })).a;

	test("a node that backs off waits, and under another boot it does not", () => {
		assert.equal(own(givenUpMemory(minute)), "backingOff");
		assert.equal(own(givenUpMemory(16 * minute)), "admit");
		assert.equal(own(givenUpMemory(minute), nodeCalled("a", { bootId: newBoot })), "admit");
	});

	test("a node whose sentinel is silent since our reboot does not ask again: its report is that of the boot that was ended", () => {
		const memory = [rebootedMemory(minute, { node: "a", nodeUid: "uid-a" })];
		const silent = sentinelThatAsks({ node: "a", ready: false });
		const waiting = known([silent]);
		const result = admission([nodeCalled("a", { bootId: newBoot })], { memory }, { waiting });
		assert.deepEqual(result.waiting[0]?.reasons, [{ kind: "reportStale", reported: oldBoot, running: newBoot }]);
	});

	test("a node that asks again after a reboot of ours is not rebooted before REBOOT_INTERVAL is over: never a loop", () => {
		const again = nodeCalled("a", { bootId: newBoot });
		assert.equal(own(rebootedMemory(20 * hour - 1), again), "rebootedRecently");
		assert.equal(own(rebootedMemory(20 * hour), again), "admit");
	});

	test("a node that somebody took over and keeps cordoned is left alone under that boot", () => {
		const lastEnd = { end: "released", why: "", at: now - hour, backOffUntil: null, blocked: [] } as const;
		const released = givenUpMemory(hour, { attempts: 0, lastEnd });
		assert.equal(own(released, nodeCordonedByOperator({ name: "a", uid: "uid-a" })), "takenOver");
		assert.equal(own(released), "admit");
		assert.equal(own({ ...released, bootId: newBoot }, nodeCordonedByOperator({ name: "a", uid: "uid-a" })), "admit");
	});
});

describe("a reboot that went wrong stops the cluster", () => {
	const roomForAll = defaultSettings(limits([null, nodes(9)]));
	const beside = (changes: Partial<Input>, view: Partial<View> = {}) => verdicts(admission([b], { settings: roomForAll, ...changes }, view)).b;
	const seen = (node: NodeFacts, pods: View["pods"] = new Map()) => ({ nodes: new Map([node, b].map((each) => [each.name, known(each)])), pods });
	const memory = [rebootedMemory(minute, { node: "a", nodeUid: "uid-a" })];
	const someSilent = { sentinel: known({ ...sentinelDaemonSet, ready: 4 }) };

	test("a stuck node: nothing begins beside it, however much room there is", () => {
		assert.equal(beside({ inFlight: [recordOn("a", "np1", stuckRecord())] }), "stuck");
	});

	test("a node that soaks and is not Ready", () => {
		const inFlight = [recordOn("a", "np1", soakingRecord())];
		assert.equal(beside({ inFlight }, seen(nodeCalled("a", { ready: false }))), "probation");
		assert.equal(beside({ inFlight }, seen(a)), "admit");
		assert.equal(beside({ inFlight: [recordOn("a", "np1", soakingRecord({ alarmed: true }))] }, seen(nodeCalled("a", { ready: false }))), "stuck");
	});

	test("a node on probation that is not Ready, is silent, or could not be looked at", () => {
		const answering = new Map([["a", known([sentinelPod(sentinelThatAsksNothing(oldBoot))])]]);
		assert.equal(beside({ memory }, seen(a)), "admit");
		assert.equal(beside({ memory }, seen(nodeCalled("a", { ready: false }))), "probation");
		assert.equal(beside({ memory }, { nodes: new Map([["b", known(b)]]) }), "probation");
		assert.equal(beside({ memory }, { ...seen(a, new Map([["a", known([])]])), ...someSilent }), "probation");
		assert.equal(beside({ memory }, { ...seen(a, answering), ...someSilent }), "admit");
	});

	test("a node on probation that reboots once more because somebody asked for it is not held against the others", () => {
		const down = seen(nodeCalled("a", { ready: false }));
		assert.equal(beside({ memory, inFlight: [recordOn("a", "np1", rebootingRecord())] }, down), "admit");
		assert.equal(beside({ memory, inFlight: [recordOn("a", "np1", drainingRecord())] }, down), "probation", "it fell over by itself");
	});

	test("a silent sentinel and one that could not be looked at are told apart", () => {
		const what = (pods: View["pods"]) => {
			const reason = admission([b], { settings: roomForAll, memory }, { ...seen(a, pods), ...someSilent }).waiting[0]?.reasons[0];
			return reason?.kind === "probation" ? reason.what : reason?.kind;
		};
		assert.equal(what(new Map([["a", known([])]])), "silent");
		assert.equal(what(new Map([["a", unknown("503")]])), "unknown");
		assert.equal(what(new Map()), "unknown");
	});

	test("a node that is gone since, or whose probation is over, stops nobody", () => {
		const gone: View["nodes"] = new Map<string, Reading<NodeFacts | "absent">>([
			["a", known("absent")],
			["b", known(b)],
		]);
		assert.equal(beside({ memory }, { nodes: gone }), "admit");
		assert.equal(beside({ memory }, seen(nodeCalled("a", { uid: "uid-of-another", ready: false }))), "admit");
		assert.equal(beside({ memory: [rebootedMemory(hour, { node: "a", nodeUid: "uid-a" })] }, seen(nodeCalled("a", { ready: false }))), "admit");
	});

	test("whose pods are read only where the DaemonSet counts silent ones", () => {
		assert.deepEqual(probationToRead(memory, { at: now, sentinel: known(sentinelDaemonSet) }), { nodes: ["a"], pods: false });
		assert.deepEqual(probationToRead(memory, { at: now, ...someSilent }), { nodes: ["a"], pods: true });
		assert.deepEqual(probationToRead(memory, { at: now, sentinel: unknown("503") }), { nodes: ["a"], pods: true });
	});
});

describe("reasons of the cluster", () => {
	test("stand before all others and admit nobody", () => {
		const result = admission([a, b], { clusterReasons: [{ kind: "sentinelAbsent" }] });
		assert.deepEqual([verdicts(result), result.toRead], [{ a: "sentinelAbsent", b: "sentinelAbsent" }, []]);
	});

	test("a pool that changes in Azure waits, and the others do not", () => {
		const aks = (provisioningState: string, powerState: string) =>
			known({ kind: "managed", provisioningState: "Succeeded", powerState: "Running", pools: [{ name: "np1", provisioningState, powerState }] } as const);
		assert.equal(verdicts(admission([a], {}, { aks: aks("Succeeded", "Running") })).a, "admit");
		assert.equal(verdicts(admission([a], {}, { aks: aks("Upgrading", "Running") })).a, "poolState");
		assert.equal(verdicts(admission([a], {}, { aks: aks("Succeeded", "Stopped") })).a, "poolState");
		assert.equal(verdicts(admission([nodeCalled("a", { pool: "np2" })], {}, { aks: aks("Upgrading", "Running") })).a, "admit");
	});

	test("a dry run says what would begin and what else is in the way, and begins nothing", () => {
		const held = nodeCalled("c", { hold: "debugging" });
		const result = admission([a, b, held], { clusterReasons: [{ kind: "dryRun" }] });
		assert.deepEqual([verdicts(result), result.admitted], [{ a: "wouldBegin", b: "behind dryRun", c: "held dryRun" }, []]);
	});
});
