// The life of a reboot, slowly: each phase lasts long enough for something to befall the node in it.
import type { Phase } from "../../../lib/plan/model.ts";
import type { Disturbance } from "../disturbances/events.ts";
import type { Environment } from "../scenario.ts";
import { type Story, unless } from "./story.ts";
import { aksCluster, cluster, minute, node, second, spareNode, tightBudget, workload, world } from "./worlds.ts";

/** Some time in the middle of each phase of `slowly`. */
const amid: Readonly<Record<Exclude<Phase, "stuck">, number>> = {
	cordoning: 95 * second,
	draining: 165 * second,
	rebooting: 4 * minute,
	rejoining: 6 * minute,
	uncordoning: 9 * minute,
	soaking: 14 * minute,
};

/** A node that goes through every phase within 16 minutes, and stays in each for a while. */
function slowly(name: string, events: readonly Disturbance[], environments: readonly Environment[] = [{}]) {
	const machine = { shutdownMs: 30 * second, bootMs: 60 * second, readyMs: 20 * second, servicesMs: 100 * second };
	const shape = cluster([node("n1", { machine }), spareNode("n9")], [workload("slow", { replicas: 8, stopMs: 55 * second, graceSeconds: 60 })]);
	return world(name, [shape], {
		environments: environments.map((each) => ({ BEFORE_DRAIN: "60s", BEFORE_REBOOT: "20s", SOAK: "4m", ...each })),
		outages: [{ fromMs: 5 * minute, untilMs: 11 * minute, port: "kubernetes", cluster: null, method: "patchNode", failure: "serverError" }],
		events,
		weatherMs: 20 * minute,
	});
}

const inPhases = Object.keys(amid) as (keyof typeof amid)[];

const goneIn = inPhases.map(
	(phase): Story => ({
		scenario: slowly(`a node is deleted while it is ${phase}: its reboot ends as replaced`, [
			{ atMs: amid[phase], kind: "nodeDeleted", cluster: "prod", node: "n1" },
		]),
		wrong: (seen) =>
			unless([seen.ended.length === 1 && seen.ended[0]?.end === "replaced" && seen.ended[0].from === phase, `replaced out of ${phase}`, seen.ended]),
	}),
);

const handedOverIn = inPhases.map(
	(phase): Story => ({
		scenario: slowly(`the cluster is given to another owner while a node is ${phase}: ours lets go without touching it`, [
			{ atMs: amid[phase], kind: "ownerLeaseWritten", cluster: "prod", to: "stranger" },
		]),
		wrong: (seen) => {
			const released = seen.ended[0];
			return unless(
				[released?.end === "released" && released.cause === "ownerChanged" && released.from === phase, `released out of ${phase}`, seen.ended],
				[seen.givenBack.every((each) => each.atMs <= amid[phase] || each.atMs > 20 * minute), "the node is left as it was", seen.givenBack],
			);
		},
	}),
);

const uncordonedIn = (["cordoning", "draining", "rebooting", "rejoining"] as const).map(
	(phase): Story => ({
		scenario: slowly(`a person uncordons a node while it is ${phase}: before the ask that is a veto, after it the reboot goes on`, [
			{ atMs: amid[phase] + (phase === "cordoning" ? 32 * second : 0), kind: "operatorUncordons", cluster: "prod", node: "n1" },
		]),
		wrong: (seen) => {
			const first = seen.ended[0];
			const veto = phase === "draining" || (phase === "cordoning" && first?.end === "cancelled");
			return unless([first?.end === (veto ? "cancelled" : "done"), veto ? "cancelled" : "done", seen.ended]);
		},
	}),
);

const takenIn = (["draining", "rebooting", "rejoining"] as const).map(
	(phase): Story => ({
		scenario: slowly(`a person takes the mark away while a node is ${phase}: it is theirs, and stays cordoned`, [
			{ atMs: amid[phase], kind: "markRemoved", cluster: "prod", node: "n1" },
		]),
		wrong: (seen) =>
			unless(
				[seen.ended[0]?.end === "released" && seen.ended[0].cause === "markRemoved", "released", seen.ended],
				[seen.node("n1")?.facts.unschedulable === true && seen.node("n1")?.facts.mark.kind === "none", "cordoned, without a mark", seen.node("n1")?.facts],
			),
	}),
);

const never = { onSignal: "hangs" } as const;

const markGone = slowly("a person takes the mark away while the uncordon does not come about, and the pods cannot be read: the cordon is theirs", [
	{ atMs: amid.uncordoning, kind: "markRemoved", cluster: "prod", node: "n1" },
]);

const others: readonly Story[] = [
	{
		scenario: {
			...markGone,
			outages: [...markGone.outages, { fromMs: 8 * minute, untilMs: 14 * minute, port: "kubernetes", cluster: null, method: "podsOn", failure: "serverError" }],
		},
		wrong: (seen) =>
			unless(
				[seen.edges("n1").at(-1) === "rejoining → uncordoning" && seen.ends("n1").join() === "released", "released out of uncordoning", seen.ended],
				[seen.node("n1")?.facts.unschedulable === true && seen.node("n1")?.facts.mark.kind === "none", "cordoned, without a mark", seen.node("n1")?.facts],
			),
	},
	{
		scenario: slowly("a node goes through its whole life slowly, with an uncordon that takes minutes", []),
		wrong: (seen) =>
			unless(
				[
					seen.edges("n1").join() === "cordoning → draining,draining → rebooting,rebooting → rejoining,rejoining → uncordoning,uncordoning → soaking" &&
						seen.ended[0]?.atMs !== undefined,
					"every phase in its order",
					seen.edges("n1"),
				],
				[seen.events("reboot.alarm", "n1").length === 1, "the alarm of the uncordon"],
			),
	},
	{
		scenario: world("a node that hangs is stuck, and given to another owner: ours lets go of it", [cluster([node("n1", { machine: never })])], {
			environments: [{ REBOOT_TIMEOUT: "4m" }],
			events: [{ atMs: 10 * minute, kind: "ownerLeaseWritten", cluster: "prod", to: "stranger" }],
		}),
		wrong: (seen) => unless([seen.ended[0]?.end === "released" && seen.ended[0].from === "stuck", "released out of stuck", seen.ended]),
	},
	{
		scenario: world("a node that hangs is stuck, and deleted: replaced", [cluster([node("n1", { machine: never })])], {
			environments: [{ REBOOT_TIMEOUT: "4m" }],
			events: [{ atMs: 10 * minute, kind: "nodeDeleted", cluster: "prod", node: "n1" }],
		}),
		wrong: (seen) => unless([seen.ended[0]?.end === "replaced" && seen.ended[0].from === "stuck", "replaced out of stuck", seen.ended]),
	},
	{
		scenario: world(
			"a node is cut off before the reboot pod starts and comes back under its old boot: from stuck it is given back, not rebooted",
			[cluster([node("n1", { machine: { pullMs: 20 * second } })])],
			{
				environments: [{ REBOOT_TIMEOUT: "4m" }],
				events: [{ atMs: 74 * second, kind: "cutOff", cluster: "prod", node: "n1", forMs: 8 * minute }],
				weatherMs: 12 * minute,
			},
		),
		wrong: (seen) => unless([seen.edges("n1").includes("rebooting → stuck") || seen.edges("n1").includes("rejoining → stuck"), "stuck", seen.edges("n1")]),
	},
	{
		scenario: world(
			"a kubelet never hears of the reboot pod: stuck while it is away, and given back with its old boot",
			[cluster([node("n1", { machine: { pullMs: 20 * second } })])],
			{
				environments: [{ REBOOT_TIMEOUT: "4m", BEFORE_REBOOT: "20s" }],
				events: [{ atMs: 85 * second, kind: "cutOff", cluster: "prod", node: "n1", forMs: 8 * minute }],
				weatherMs: 12 * minute,
			},
		),
		wrong: (seen) =>
			unless(
				[seen.edges("n1").slice(0, 4).join().includes("rebooting → stuck,stuck → uncordoning"), "stuck, then given back", seen.edges("n1")],
				[seen.ended[0]?.end === "gaveUp", "given up", seen.ended],
			),
	},
	{
		scenario: world(
			"a node shows its new boot and is not Ready before its deadline: stuck, and rejoining once it is",
			[cluster([node("n1", { machine: { readyMs: 6 * minute } })])],
			{
				environments: [{ REBOOT_TIMEOUT: "4m" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.edges("n1").join().includes("rejoining → stuck,stuck → rejoining,rejoining → uncordoning"), "stuck and back", seen.edges("n1")],
				[seen.ends("n1").join() === "done", "done", seen.ended],
			),
	},
	{
		scenario: world("a cordon that does not come about is given up", [cluster([node("n1")])], {
			outages: [{ fromMs: 0, untilMs: 6 * minute, port: "kubernetes", cluster: null, method: "patchNode", failure: "forbidden" }],
			events: [],
			weatherMs: 10 * minute,
		}),
		wrong: (seen) =>
			unless(
				[seen.edges("n1")[0] === "cordoning → uncordoning", "given up out of cordoning", seen.edges("n1")],
				[seen.ended[0]?.end === "gaveUp" && seen.ended[0].cause === "cordonTimedOut", "gaveUp for the cordon", seen.ended],
			),
	},
	{
		scenario: world(
			"the need goes away while a node drains: it is given back",
			[cluster([node("n1"), spareNode("n9")], [workload("slow", { replicas: 8, stopMs: 100 * second, graceSeconds: 120 })])],
			{
				events: [{ atMs: 75 * second, kind: "needGone", cluster: "prod", node: "n1" }],
			},
		),
		wrong: (seen) => unless([seen.ends("n1").join() === "notNeeded" && seen.reboots("n1") === 0, "notNeeded, not rebooted", seen.ended]),
	},
	{
		scenario: world(
			"nobody looks for six minutes while a node drains: its deadline that has passed meanwhile is put off, and the pods that were leaving are waited for",
			[cluster([node("n1"), spareNode("n9")], [workload("slow", { replicas: 8, stopMs: 7 * minute, graceSeconds: 600 })])],
			{
				environments: [{ DRAIN_TIMEOUT: "4m" }],
				events: [{ atMs: 90 * second, kind: "timerSilent", forMs: 390 * second }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.events("reboot.deadlinePutOff", "n1").length === 1, "put off once", seen.edges("n1")],
				[seen.ends("n1").join() === "done", "done", seen.ended],
			),
	},
	{
		scenario: world(
			"DRAIN_TIMEOUT_ACTION=delete goes past the budgets once the time is over, and not before",
			[aksCluster([node("n1"), spareNode("n9")], [workload("tight", { replicas: 8, budget: tightBudget(8) })])],
			{
				environments: [{ DRAIN_TIMEOUT: "2m", DRAIN_TIMEOUT_ACTION: "delete" }],
			},
		),
		wrong: (seen) =>
			unless([seen.events("pod.deleted", "n1").length > 0, "pods deleted past their budgets"], [seen.ends("n1").join() === "done", "done", seen.ended]),
	},
];

/** What a window or a lost table does to a reboot that was asked for. */
const asked: readonly Story[] = [
	{
		scenario: world(
			"the window closes while the image of the reboot pod is pulled: it does not fire any more",
			[cluster([node("n1", { machine: { pullMs: 40 * second } })])],
			{
				environments: [{ MAINTENANCE_WINDOWS: "daily 00:00+3m UTC; daily 01:00+2h UTC", EXPECTED_DURATION: "1m", BEFORE_REBOOT: "75s" }],
				weatherMs: 10 * minute,
			},
		),
		wrong: (seen) =>
			unless(
				[seen.edges("n1").includes("draining → rebooting"), "asked once", seen.edges("n1")],
				[seen.ended[0]?.end === "gaveUp", "given up", seen.ended],
				[
					(seen.node("n1")?.machine.rebootedByUsAt ?? []).every((at) => at - (seen.universe?.scenario.startAt ?? 0) > 60 * minute),
					"rebooted in the next window",
				],
			),
	},
	{
		scenario: world(
			"the table is lost after the ask: the node is adopted as one that may go down at any moment, and its reboot was ours",
			[cluster([node("n1", { machine: { pullMs: 30 * second, bootMs: 60 * second } })])],
			{
				events: [{ atMs: 77 * second, kind: "tableDeleted", forMs: 20 * second }],
			},
		),
		wrong: (seen) =>
			unless(
				[
					seen.events("reboot.adopted", "n1").some((line) => line.phase === "rebooting" || line.phase === "rejoining"),
					"adopted after the ask",
					seen.events("reboot.adopted"),
				],
				[seen.ends("n1").join() === "done" && seen.reboots("n1") === 1, "done once", seen.ended],
			),
	},
	{
		scenario: world(
			"the mark is taken away after the ask, while the image of the reboot pod is pulled: the pod is deleted, and nothing reboots",
			[cluster([node("n1", { machine: { pullMs: 40 * second } })])],
			{ events: [{ atMs: 76 * second, kind: "markRemoved", cluster: "prod", node: "n1" }] },
		),
		wrong: (seen) =>
			unless(
				[seen.edges("n1").includes("rebooting → uncordoning"), "taken away after the ask", seen.edges("n1")],
				[seen.ended[0]?.end === "released", "released", seen.ended],
				[seen.reboots("n1") === 0 && seen.node("n1")?.facts.unschedulable === true, "not rebooted, and cordoned still", seen.node("n1")?.facts],
			),
	},
	{
		scenario: world(
			"a person uncordons a node between its two asks: it takes pods again, and is not asked a second time",
			[cluster([node("n1", { machine: { onSignal: "ignores" } })])],
			{ environments: [{ REBOOT_TIMEOUT: "8m" }], events: [{ atMs: 2 * minute, kind: "operatorUncordons", cluster: "prod", node: "n1" }] },
		),
		wrong: (seen) =>
			unless(
				[seen.edges("n1").includes("draining → rebooting"), "asked once", seen.edges("n1")],
				[seen.events("reboot.askedAgain", "n1").every((line) => line.reboot !== seen.events("reboot.admitted", "n1")[0]?.reboot), "not asked again"],
				[seen.ended[0]?.end === "gaveUp", "given up", seen.ended],
			),
	},
];

export const phaseStories: readonly Story[] = [...asked, ...goneIn, ...handedOverIn, ...uncordonedIn, ...takenIn, ...others];
