import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { violations } from "../../lib/plan/invariants.ts";
import { known, type NodeFacts, phases, type Reading, type Reboot, unknown, type View } from "../../lib/plan/model.ts";
import { type PlanInput, plan } from "../../lib/plan/plan.ts";
import type { Settings } from "../../lib/plan/policy.ts";
import {
	daemonPod,
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
	nodeHeldByUs,
	nodeInService,
	now,
	oldBoot,
	other,
	planInput,
	rebootedMemory,
	rebootingRecord,
	rebootPod,
	recordOf,
	saturdayNight,
	soakingRecord,
	stuckRecord,
	uncordoningRecord,
	us,
} from "./states.ts";

const waiting = nodeInService();
const draining = { nodes: [nodeHeldByUs()], records: [drainingRecord()] };
const leaving: Partial<View> = { pods: new Map([["node-1", known([deploymentPod()])]]) };

function planned(nodes: readonly NodeFacts[], asking: readonly NodeFacts[], changes: Partial<PlanInput> = {}, view: Partial<View> = {}) {
	const input = planInput(lookAtCluster(nodes, asking, view), changes);
	const result = plan(input);
	assert.deepEqual(violations(input, result), []);
	return result;
}

function phaseOf(result: ReturnType<typeof plan>): string {
	const [only] = result.steps;
	if (only === undefined) return "none";
	if (only.ended !== null) return `ended ${only.ended.end}`;
	return only.reboot.ending === null ? only.reboot.phase : `${only.reboot.phase} → ${only.reboot.ending.end}`;
}

function reasonsOf(result: ReturnType<typeof plan>): readonly string[] {
	return result.waiting.flatMap((each) => each.reasons.map((reason) => reason.kind));
}

describe("an admission", () => {
	test("carries all that recovery needs, whatever the settings say later", () => {
		const settings = defaultSettings({ drainTimeoutMs: everywhere(7 * minute), beforeDrainMs: minute, rebootTimeoutMs: 9 * minute });
		const [reboot] = planned([waiting], [waiting], { settings }).admitted;
		assert.ok(reboot);
		assert.deepEqual(
			[reboot.phase, reboot.bootId, reboot.cluster, reboot.node],
			["cordoning", oldBoot, { name: "prod", id: "kubeconfig:prod", uid: "uid-kube-system" }, { name: "node-1", uid: "uid-node-1", pool: "np1" }],
		);
		assert.deepEqual([reboot.policy.drainTimeoutMs, reboot.policy.rebootTimeoutMs], [7 * minute, 9 * minute]);
		assert.deepEqual([reboot.notBefore, reboot.deadlineAt], [now + minute, now + 3 * minute]);
	});

	test("cordons in the same pass, and with BEFORE_DRAIN only after it", () => {
		const kinds = (settings: Settings) => planned([waiting], [waiting], { settings }).actions.map((each) => each.kind);
		assert.deepEqual(kinds(defaultSettings()), ["cordon"]);
		assert.deepEqual(kinds(defaultSettings({ beforeDrainMs: minute })), []);
	});

	test("comes after recovery: the room of a reboot that ends in this look is free in it", () => {
		const next = nodeInService({ name: "node-2", uid: "uid-node-2" });
		const result = planned([nodeInService({ bootId: newBoot }), next], [next], { records: [uncordoningRecord()] });
		assert.deepEqual([phaseOf(result), result.admitted.map((each) => each.node.name)], ["ended done", ["node-2"]]);
	});

	test("SOAK keeps the room, and the next one waits", () => {
		const next = nodeInService({ name: "node-2", uid: "uid-node-2" });
		assert.deepEqual(reasonsOf(planned([nodeInService({ bootId: newBoot }), next], [next], { records: [soakingRecord()] })), ["clusterFull"]);
	});
});

test("a node that bore a copy of another's mark still remembers our reboot of it", () => {
	const records = [uncordoningRecord({ ending: { end: "replaced", cause: { kind: "markCopied" } }, asks: [], rebooted: null })];
	const result = planned([nodeInService({ bootId: newBoot })], [], { records, memory: [rebootedMemory(hour)] });
	assert.deepEqual([phaseOf(result), result.memory[0]?.rebootedAt], ["ended replaced", now - hour]);
});

describe("whatever forbids new work", () => {
	const forbidding: Readonly<Record<string, Partial<PlanInput>>> = {
		"a dry run": { settings: defaultSettings({ dryRun: true }) },
		"a hold in the settings": { settings: defaultSettings({ hold: everywhere("freeze") }) },
		"a hold that somebody asked for": { control: { holds: [{ pool: null, node: null, reason: "freeze", by: "ana", at: now, until: null }], requests: [] } },
		"wrong settings": { settings: null, problems: [{ setting: "HOLD", part: "x", expected: "y" }] },
		"removal from CLUSTERS": { configured: false },
		"another name of the same cluster": { twin: "prod-2" },
	};
	for (const [what, changes] of Object.entries(forbidding)) {
		test(`${what}: admits nothing and says why`, () => {
			const result = planned([waiting], [waiting], changes);
			assert.deepEqual([result.admitted, result.actions], [[], []]);
			assert.notDeepEqual(reasonsOf(result), []);
		});

		test(`${what}: brings back what was not yet asked for, and does not make it back off`, () => {
			const result = planned(draining.nodes, [], { ...changes, records: draining.records }, leaving);
			assert.deepEqual([phaseOf(result), result.actions.map((each) => each.kind)], ["uncordoning → cancelled", ["uncordon"]]);
			const records = result.steps.map((each) => each.reboot);
			const ended = planned([nodeInService()], [], { ...changes, records });
			assert.equal(phaseOf(ended), "ended cancelled");
			assert.equal(ended.memory[0]?.lastEnd?.backOffUntil, null);
		});

		test(`${what}: carries what was asked for to its end`, () => {
			const asked = planned([nodeHeldByUs({}, { askedAt: now })], [], { ...changes, records: [rebootingRecord()] });
			assert.deepEqual([phaseOf(asked), asked.actions], ["rebooting", []]);
			const back = planned([nodeBootedAnew()], [], { ...changes, records: [rebootingRecord()] });
			assert.deepEqual([phaseOf(back), back.actions.map((each) => each.kind)], ["uncordoning → done", ["uncordon"]]);
		});
	}

	test("wrong settings say nothing of windows: that of the fallback, which never opens, is no reason", () => {
		const fallback = defaultSettings({ maintenanceWindows: everywhere([never]) });
		assert.deepEqual(reasonsOf(planned([waiting], [waiting], { settings: null, fallback })), ["settingsWrong"]);
	});

	test("a hold on the node itself brings it back", () => {
		assert.equal(phaseOf(planned([nodeHeldByUs({ hold: "debugging" })], [], { records: draining.records }, leaving)), "uncordoning → cancelled");
	});

	test("a window that closes gives a drain up, without back-off, and WINDOW_CLOSES=finish lets it go on", () => {
		const settings = defaultSettings({ maintenanceWindows: everywhere([never]) });
		assert.equal(phaseOf(planned(draining.nodes, [], { settings, records: draining.records }, leaving)), "uncordoning → gaveUp");
		const finish = [drainingRecord({ policy: { ...drainingRecord().policy, windowCloses: "finish" } })];
		assert.equal(phaseOf(planned(draining.nodes, [], { settings, records: finish }, leaving)), "draining");
	});

	test("a sentinel DaemonSet that is gone brings back what was not asked for; one that could not be read does not", () => {
		assert.equal(phaseOf(planned(draining.nodes, [], { records: draining.records }, { ...leaving, sentinel: known("absent") })), "uncordoning → cancelled");
		assert.equal(phaseOf(planned(draining.nodes, [], { records: draining.records }, { ...leaving, sentinel: unknown("503") })), "draining");
	});
});

describe("what only new work needs", () => {
	const poolThat = (provisioningState: string, powerState: string): Partial<View> => {
		const pools = [{ name: waiting.pool, provisioningState, powerState }];
		return { aks: known({ kind: "managed", provisioningState: "Succeeded", powerState: "Running", pools }) };
	};
	const missing: Readonly<Record<string, Partial<View>>> = {
		clusterUnknown: { clusterUid: unknown("403") },
		ownerUnknown: { owner: unknown("403") },
		sentinelUnknown: { sentinel: unknown("403") },
		sentinelAbsent: { sentinel: known("absent") },
		clusterStateUnknown: { aks: unknown("503") },
		clusterState: { aks: known({ kind: "managed", provisioningState: "Upgrading", powerState: "Running", pools: [] }) },
		poolState: poolThat("Succeeded", "Stopped"),
	};
	for (const [reason, view] of Object.entries(missing)) {
		test(`${reason}: admits nothing and asks nothing, and is no obstacle to an uncordon`, () => {
			const result = planned([waiting], [waiting], {}, view);
			assert.deepEqual([result.admitted, reasonsOf(result)], [[], [reason]]);
			assert.notEqual(phaseOf(planned(draining.nodes, [], { records: draining.records }, view)), "rebooting");
			const back = planned([nodeBootedAnew()], [], { records: [uncordoningRecord()] }, view);
			assert.deepEqual(
				back.actions.map((each) => each.kind),
				["uncordon"],
			);
		});
	}

	test("not knowing who waits is not that nobody waits", () => {
		const result = planned([waiting], [waiting], { memory: [rebootedMemory(0, { rebootedAt: null, waitingSince: now - hour })] }, { waiting: unknown("503") });
		assert.deepEqual(
			result.clusterReasons.map((each) => each.kind),
			["waitingUnknown"],
		);
		assert.equal(result.memory[0]?.waitingSince, now - hour);
	});

	test("nobody begins before Azure was asked, and what is in flight asks for no reboot", () => {
		const result = planned([waiting], [waiting], {}, { aks: null });
		assert.deepEqual([result.admitted, result.toRead, result.clusterReasons], [[], [waiting.name], []]);
		assert.deepEqual(phaseOf(planned(draining.nodes, [], { records: draining.records }, { aks: null })), "draining");
	});

	test("an idle cluster has no reasons: what was not looked at because nobody waits is not missing", () => {
		const unread = { clusterUid: unknown("it was not needed"), aks: null, poolSizes: unknown("they were not needed") };
		assert.deepEqual(planned([waiting], [], {}, unread).clusterReasons, []);
	});
});

describe("a pool scope that matches no pool", () => {
	const scoped = (cluster: string, pool: string) => defaultSettings({ maxConcurrent: [{ scope: { cluster, pool }, value: { kind: "number", nodes: 1 } }] });

	test("stops a cluster that it names, until it is mended", () => {
		assert.deepEqual(reasonsOf(planned([waiting], [waiting], { settings: scoped("prod", "typo") })), ["poolScopeUnmatched"]);
		assert.deepEqual(reasonsOf(planned([waiting], [waiting], { settings: scoped("prod", "np*") })), []);
	});

	test("under a wildcard is meant for the clusters that have such a pool", () => {
		assert.deepEqual(reasonsOf(planned([waiting], [waiting], { settings: scoped("*", "gpu") })), []);
	});

	test("is no typing error while Azure was not asked: a pool may have no node", () => {
		assert.deepEqual(planned([waiting], [waiting], { settings: scoped("prod", "typo") }, { aks: null }).clusterReasons, []);
	});

	test("a pool that Azure knows and that has no node is one", () => {
		const pools = [{ name: "empty", provisioningState: "Succeeded", powerState: "Running" }];
		const aks = known({ kind: "managed", provisioningState: "Succeeded", powerState: "Running", pools } as const);
		assert.deepEqual(reasonsOf(planned([waiting], [waiting], { settings: scoped("prod", "empty") }, { aks })), []);
	});
});

describe("one owner per cluster", () => {
	const owner = known({ kind: "named", holder: other } as const);

	for (const phase of phases) {
		test(`${phase}: whom the Lease does not name ends its record as released and touches nothing`, () => {
			const result = planned([nodeHeldByUs()], [], { records: [recordOf[phase]()] }, { owner, pods: new Map([["node-1", known([rebootPod(1)])]]) });
			assert.deepEqual([phaseOf(result), result.actions, result.adopted], ["ended released", [], []]);
		});
	}

	test("nothing is admitted in another's cluster, and the reason names both", () => {
		const [reason] = planned([waiting], [waiting], {}, { owner }).waiting[0]?.reasons ?? [];
		assert.deepEqual(reason, { kind: "notOwner", owner: other, us });
	});

	test("nobody's cluster is claimed by who has work there, and begun in only when that was seen", () => {
		const absent = { owner: known({ kind: "absent" } as const) };
		const result = planned([waiting], [waiting], {}, absent);
		assert.deepEqual([result.claim, result.admitted, reasonsOf(result)], [true, [], ["claiming"]]);
		assert.equal(planned([waiting], [], {}, absent).claim, false);
		assert.equal(planned(draining.nodes, [], { records: draining.records }, absent).claim, true);
	});

	test("a dry run, a cluster that was dropped, or a second name of it claims nothing", () => {
		const absent = { owner: known({ kind: "absent" } as const) };
		for (const changes of [{ settings: defaultSettings({ dryRun: true }) }, { configured: false }, { twin: "prod-2" }])
			assert.equal(planned([waiting], [waiting], changes, absent).claim, false);
	});
});

describe("a reboot pod that no record knows of", () => {
	const pod = { name: "reboot-b-1", uid: "uid-pod", node: "node-1" };
	const seen = { rebootPods: [pod] };
	const deletes = (result: ReturnType<typeof plan>) => result.actions.flatMap((each) => (each.kind === "deleteRebootPod" ? [each.uid] : []));

	test("was made by a call that came late, or outlived the table: it is deleted, also where the node is gone, by whom the Lease names", () => {
		assert.deepEqual(deletes(planned([nodeInService()], [], {}, seen)), ["uid-pod"]);
		assert.deepEqual(deletes(planned([], [], { settings: null, configured: false }, seen)), ["uid-pod"]);
		assert.deepEqual(deletes(planned([nodeInService()], [], {}, { ...seen, owner: known({ kind: "named", holder: other }) })), []);
		assert.deepEqual(deletes(planned([nodeInService()], [], {}, { ...seen, owner: unknown("503") })), []);
		const nobodys = planned([nodeInService()], [], {}, { ...seen, owner: known({ kind: "absent" }) });
		assert.deepEqual([nobodys.claim, deletes(nobodys)], [true, []]);
	});

	test("is left alone where a record or a mark may still mean it: also one that is worked on under another name of the cluster", () => {
		const records = [rebootingRecord()];
		const pods = new Map([["node-1", known([rebootPod(1)])]]);
		for (const unschedulable of [true, false])
			assert.deepEqual(deletes(planned([nodeHeldByUs({ unschedulable }, { askedAt: now })], [], { records }, { ...seen, pods })), []);
		assert.deepEqual(deletes(planned([nodeHeldByUs()], [], { twin: "prod-2" }, seen)), []);
		assert.deepEqual(deletes(planned([nodeInService()], [], { twin: "prod-2" }, seen)), []);
	});
});

describe("ends", () => {
	test("are remembered, with the sentence that people read", () => {
		const record = drainingRecord({ deadlineAt: now });
		const gaveUp = planned([nodeHeldByUs()], [], { records: [record] }, leaving);
		const result = planned([nodeInService()], [], { records: gaveUp.steps.map((each) => each.reboot) });
		assert.deepEqual([result.ended[0]?.end, result.memory[0]?.lastEnd?.end], ["gaveUp", "gaveUp"]);
		assert.match(result.memory[0]?.lastEnd?.why ?? "", /^not drained after 4 min: pod shop\/web-1/);
	});

	test("a node that is gone keeps its record until its reboot pod is gone: nobody else would delete it", () => {
		const view = { nodes: new Map([["node-1", known("absent" as const)]]), pods: new Map([["node-1", known([rebootPod(1)])]]) };
		const first = planned([], [], { records: [rebootingRecord()] }, view);
		assert.deepEqual([phaseOf(first), first.actions.map((each) => each.kind)], ["uncordoning → replaced", ["deleteRebootPod"]]);
		const record = first.steps[0]?.reboot ?? assert.fail("no step");
		assert.equal(phaseOf(planned([], [], { records: [record] }, view)), "uncordoning → replaced");
		assert.equal(phaseOf(planned([], [], { records: [record] }, { ...view, pods: new Map([["node-1", known([])]]) })), "ended replaced");
	});

	test("a node that is gone is forgotten, and its room is free", () => {
		const next = nodeInService({ name: "node-2", uid: "uid-node-2" });
		const view = {
			nodes: new Map<string, Reading<NodeFacts | "absent">>([
				["node-1", known("absent")],
				["node-2", known(next)],
			]),
			pods: new Map([["node-1", known([])]]),
		};
		const result = planned([next], [next], { records: [rebootingRecord()], memory: [rebootedMemory(hour)] }, view);
		assert.deepEqual([phaseOf(result), result.admitted.length], ["ended replaced", 1]);
		assert.deepEqual(
			result.memory.map((each) => each.node),
			["node-2"],
		);
		assert.deepEqual(
			result.actions.map((each) => each.kind),
			["cordon"],
		);
	});

	test("a node that is rebooted is not rebooted again, though its old report still stands", () => {
		const back = nodeInService({ bootId: newBoot });
		const result = planned([back], [], { records: [uncordoningRecord()] });
		const again = planned([back], [back], { memory: result.memory });
		assert.deepEqual(reasonsOf(again), ["rebootedRecently"]);
	});

	test("a night of failures is forgotten at the next opening", () => {
		const settings = defaultSettings({ maintenanceWindows: everywhere([saturdayNight]) });
		const lastEnd = { end: "gaveUp", why: "", at: now - 24 * hour, backOffUntil: now + hour, blocked: [] } as const;
		const memory = [rebootedMemory(0, { bootId: oldBoot, rebootedAt: null, attempts: 6, lastEnd })];
		const result = planned([waiting], [waiting], { settings, memory });
		assert.deepEqual([reasonsOf(result), result.memory[0]?.attempts], [[], 0]);
	});
});

describe("a stuck node", () => {
	test("stops the cluster, and lets it go on when it is well again", () => {
		const next = nodeInService({ name: "node-2", uid: "uid-node-2" });
		const settings = defaultSettings({ maxConcurrent: everywhere({ kind: "number", nodes: 3 } as const) });
		const stuck = planned([nodeHeldByUs({ ready: false }), next], [next], { settings, records: [stuckRecord()] });
		assert.deepEqual(reasonsOf(stuck), ["stuck"]);
		const back = planned([nodeHeldByUs(), next], [next], { settings, records: [stuckRecord()] });
		assert.deepEqual([phaseOf(back), reasonsOf(back)], ["uncordoning → gaveUp", []]);
	});
});

describe("one reboot from beginning to end", () => {
	/** The node as it would be after what was done. */
	function afterActs(node: NodeFacts, result: ReturnType<typeof plan>): NodeFacts {
		let after = node;
		for (const action of result.actions) {
			if (action.kind === "cordon" || action.kind === "mark") after = { ...after, mark: { kind: "mark", mark: action.mark } };
			if (action.kind === "cordon") after = { ...after, unschedulable: true, unschedulableManagers: ["aks-reboot-scheduler"] };
			if (action.kind === "uncordon") after = { ...after, mark: { kind: "none" }, unschedulable: after.unschedulable && !action.removeCordon };
		}
		return after;
	}

	test("cordon, drain, ask, boot, rejoin, uncordon: each phase in its own look, and every look may be the last of its worker", () => {
		let node = waiting;
		let records: readonly Reboot[] = [];
		let pods = [deploymentPod(), daemonPod()];
		const way: string[] = [];
		for (let look = 0; look < 12; look++) {
			const asking = node.bootId === oldBoot ? [node] : [];
			const view = lookAtCluster([node], asking, { at: now + look * 5_000, pods: new Map([["node-1", known(pods)]]) });
			const result = plan(planInput(view, { records }));
			// A worker that dies after the write plans the same again, and does no more than it would have done.
			const again = plan(planInput(view, { records: [...result.steps.map((each) => each.reboot), ...result.admitted] }));
			assert.deepEqual(again.admitted, []);
			records = [...result.steps.filter((each) => each.ended === null).map((each) => each.reboot), ...result.admitted];
			way.push(`${records[0]?.phase ?? result.ended[0]?.end ?? "idle"}: ${result.actions.map((each) => each.kind).join(" ")}`);
			node = afterActs(node, result);
			if (result.actions.some((each) => each.kind === "evict")) pods = [daemonPod()];
			if (result.actions.some((each) => each.kind === "ask")) {
				node = { ...node, bootId: newBoot, kernelVersion: "6.8.0-2" };
				pods = [daemonPod({ containerIds: ["containerd://logs-after"] }), rebootPod(1, { phase: "Succeeded" })];
			}
			if (result.actions.some((each) => each.kind === "deleteRebootPod")) pods = pods.slice(0, 1);
		}
		const toTheAsk = ["cordoning: cordon", "draining: evict", "rebooting: mark ask"];
		assert.deepEqual(way.slice(0, 7), [...toTheAsk, "rejoining: deleteRebootPod", "uncordoning: uncordon", "done: ", "idle: "]);
		assert.deepEqual([node.unschedulable, node.mark.kind, node.bootId], [false, "none", newBoot]);
	});
});
