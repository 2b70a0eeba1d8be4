// What goes wrong with kured, one scenario for each defect (E1 to E17: read in its source at 1.23.0, numbers of its issues where there are any).
import { type Story, unless } from "./story.ts";
import { cluster, minute, node, second, spareNode, tightBudget, workload, world } from "./worlds.ts";

/** With the timer's first firing at 1:00 a node without pods is asked to reboot some 20 s later, and boots within a minute. */
const asked = 85 * second;
const draining = 75 * second;

/** Two pods that take long to leave, and a node for them to go to. */
const slowToLeave = workload("slow", { stopMs: 110 * second, graceSeconds: 120, replicas: 4 });
const blocked = workload("blocked", { replicas: 4, budget: tightBudget(4) });

export const kuredStories: readonly Story[] = [
	{
		scenario: world(
			"E1: the API is unreachable for eight minutes while the node comes up: it is given back by the first look that succeeds",
			[cluster([node("n1")])],
			{
				outages: [{ fromMs: asked + 20 * second, untilMs: asked + 8 * minute, port: "kubernetes", cluster: null, method: null, failure: "unreachable" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").join() === "done", "n1 done once", seen.ended],
				[seen.givenBack.some((each) => each.atMs > asked + 8 * minute), "given back after the outage", seen.givenBack],
			),
	},
	{
		scenario: world(
			"E2: the lock runs out during drain and reboot, and nobody looks for 20 minutes: the next worker goes on with the same reboot",
			[cluster([node("n1"), node("n2")])],
			{
				events: [
					{ atMs: draining, kind: "timerSilent", forMs: 20 * minute },
					{ atMs: asked, kind: "workerDies" },
				],
				weatherMs: 30 * minute,
			},
		),
		wrong: (seen) => unless([seen.ends("n1").join() === "done" && seen.ends("n2").join() === "done", "n1 and n2 done once each", seen.ended]),
	},
	{
		scenario: world(
			"E3: workers die again and again while a node drains: none of them takes that for a reboot",
			[cluster([node("n1"), spareNode("n2")], [slowToLeave])],
			{
				events: [draining, 125 * second, 182 * second].map((atMs) => ({ atMs, kind: "workerDies" as const })),
			},
		),
		wrong: (seen) =>
			unless(
				[new Set(seen.events("round.started").map((line) => line.worker)).size > 3, "four workers at least"],
				[seen.ends("n1").join() === "done", "n1 done once", seen.ended],
				[seen.givenBack.every((each) => each.bootId !== "prod-n1-1-boot-1"), "given back in its new boot only", seen.givenBack],
			),
	},
	{
		scenario: world(
			"E4: a drain fails: the next node begins only once this one is in service again",
			[cluster([node("n1"), node("n2"), spareNode("n3")], [blocked])],
			{
				environments: [{ DRAIN_TIMEOUT: "2m", REBOOT_INTERVAL: "20h" }],
				seed: 3,
			},
		),
		wrong: (seen) => {
			const first = seen.begun[0];
			const back = seen.givenBack.find((each) => each.node === first?.node);
			const next = seen.begun.find((each) => each.node !== first?.node);
			return unless(
				[seen.ended.some((each) => each.end === "gaveUp" && each.cause === "drainTimedOut"), "a drain that timed out", seen.ended],
				[back !== undefined && (next === undefined || next.atMs >= back.atMs), "the next begins after the first is given back", seen.begun],
			);
		},
	},
	{
		scenario: world(
			"E5: the drain of a node that a person had cordoned fails: its cordon stays",
			[cluster([node("n1", { cordoned: true }), spareNode("n2")], [{ ...blocked, toleratesCordon: true }])],
			{
				environments: [{ DRAIN_TIMEOUT: "2m" }],
				seed: 2,
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").includes("gaveUp"), "n1 given up", seen.ended],
				[
					seen.node("n1")?.facts.unschedulable === true && seen.node("n1")?.facts.mark.kind === "none",
					"n1 cordoned as it was, without a mark",
					seen.node("n1")?.facts,
				],
			),
	},
	{
		scenario: world(
			"E6: with room for two, one that vanishes while it holds its place gives it up once",
			[cluster(["n1", "n2", "n3", "n4"].map((each) => node(each)))],
			{
				environments: [{ MAX_CONCURRENT: "2" }],
				events: [{ atMs: draining, kind: "nodeDeleted", cluster: "prod", node: "n1" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").every((each) => each === "replaced"), "n1 replaced, if begun", seen.ended],
				[["n2", "n3", "n4"].every((each) => seen.ends(each).join() === "done"), "the others done once each", seen.ended],
			),
	},
	{
		scenario: world(
			"E7: MAX_CONCURRENT goes from 1 to 2 and back with reboots in flight, and the pause holds under both",
			[cluster(["n1", "n2", "n3", "n4"].map((each) => node(each)))],
			{
				environments: [{ MAX_CONCURRENT: "1" }, { MAX_CONCURRENT: "2", HOLD: "*=pause" }, { MAX_CONCURRENT: "2" }, { MAX_CONCURRENT: "1" }],
				events: [
					{ atMs: 100 * second, kind: "deployed", settings: 1, killed: true },
					{ atMs: 6 * minute, kind: "deployed", settings: 2, killed: true },
					{ atMs: 6 * minute + 50 * second, kind: "deployed", settings: 3, killed: false },
				],
			},
		),
		wrong: (seen) =>
			unless(
				[["n1", "n2", "n3", "n4"].every((each) => seen.ends(each).at(-1) === "done"), "all done", seen.ended],
				[seen.begun.every((each) => each.atMs < 110 * second || each.atMs > 6 * minute), "nothing begins in the pause", seen.begun],
			),
	},
	{
		scenario: world("E8: an eviction that a budget refuses is not sent again within five seconds", [cluster([node("n1"), spareNode("n2")], [blocked])], {
			environments: [{ DRAIN_TIMEOUT: "3m" }],
			seed: 3,
		}),
		wrong: (seen) => {
			const atMs = refusals(seen.lines);
			const soonest = Math.min(...[...atMs.values()].flatMap((each) => each.slice(1).map((at, i) => at - (each[i] ?? 0))));
			return unless([atMs.size > 0, "evictions that were refused"], [soonest >= 4_900, "five seconds between two evictions of one pod", soonest]);
		},
	},
	{
		scenario: world(
			"E9: the signal is sent and nothing happens: the node is given back after REBOOT_TIMEOUT, and the next one begins",
			[cluster([node("n1", { machine: { onSignal: "ignores" } }), node("n2")])],
			{
				environments: [{ REBOOT_TIMEOUT: "5m" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ends("n1")[0] === "gaveUp" && seen.reboots("n1") === 0, "n1 given up, not rebooted", seen.ended],
				[seen.ends("n2").join() === "done", "n2 done", seen.ended],
				[seen.events("reboot.ended", "n1").every((line) => line.end !== "done"), "nothing tells of a success", seen.events("reboot.ended", "n1")],
			),
	},
	{
		scenario: world(
			"E10: the reboot itself fails: it is told with its reason, and tried again after a back-off only",
			[cluster([node("n1", { machine: { pullMs: null } })])],
			{
				environments: [{ REBOOT_TIMEOUT: "4m" }],
				weatherMs: 40 * minute,
				calmMs: 20 * minute,
			},
		),
		wrong: (seen) => {
			const gaps = seen.begun.slice(1).map((each, i) => each.atMs - (seen.ended[i]?.atMs ?? 0));
			return unless(
				[seen.ends("n1").length > 0 && seen.ends("n1").every((each) => each === "gaveUp"), "given up each time", seen.ended],
				[seen.events("reboot.podTrouble", "n1").length > 0, "the pod's trouble is told"],
				[gaps.every((each) => each >= 15 * minute - second), "15 minutes between two tries", gaps],
			);
		},
	},
	{
		scenario: world(
			"E11: the sentinel asks again after every boot: the node is rebooted once, in service, and told of",
			[cluster([node("n1", { machine: { alwaysNeeds: true } })])],
			{
				weatherMs: 60 * minute,
			},
		),
		wrong: (seen) =>
			unless(
				[seen.reboots("n1") === 1, "one reboot", seen.reboots("n1")],
				[seen.reasons("n1").has("rebootedRecently"), "the reason rebootedRecently", [...seen.reasons("n1")]],
				[seen.node("n1")?.facts.unschedulable === false, "in service"],
			),
	},
	{
		scenario: world(
			"E12: a node that does not come back is told as stuck, and no second one is risked",
			[cluster([node("n1", { machine: { onSignal: "hangs" } }), spareNode("n2")])],
			{
				environments: [{ REBOOT_TIMEOUT: "4m", MAX_CONCURRENT: "2" }],
				events: [{ atMs: 8 * minute, kind: "needsReboot", cluster: "prod", node: "n2" }],
				weatherMs: 40 * minute,
			},
		),
		wrong: (seen) =>
			unless(
				[seen.events("reboot.stuck", "n1").length === 1, "told as stuck once", seen.events("reboot.stuck")],
				[seen.begun.every((each) => each.node === "n1" || each.atMs > 40 * minute), "n2 does not begin while n1 is down", seen.begun],
				[seen.reasons("n2").has("stuck"), "n2 is told why", [...seen.reasons("n2")]],
			),
	},
	{
		scenario: world("E12: a node that is deleted while it is down frees its room", [cluster([node("n1", { machine: { onSignal: "hangs" } }), node("n2")])], {
			environments: [{ REBOOT_TIMEOUT: "4m" }],
			events: [{ atMs: 10 * minute, kind: "nodeDeleted", cluster: "prod", node: "n1" }],
		}),
		wrong: (seen) => unless([seen.ends("n1").join() === "replaced" && seen.ends("n2").join() === "done", "n1 replaced, n2 done", seen.ended]),
	},
	{
		scenario: world("E13: the machine is up and its node not Ready yet: it is given back once it is", [
			cluster([node("n1", { machine: { readyMs: 150 * second, servicesMs: 60 * second } })]),
		]),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").join() === "done", "n1 done", seen.ended],
				[seen.givenBack.length === 1 && seen.givenBack.every((each) => each.ready), "given back Ready", seen.givenBack],
			),
	},
	{
		scenario: world("E14: a node that we rebooted is not Ready: nothing begins beside it while it is on probation", [cluster([node("n1"), spareNode("n2")])], {
			environments: [{ PROBATION: "30m" }],
			events: [
				{ atMs: 4 * minute, kind: "cutOff", cluster: "prod", node: "n1", forMs: 12 * minute },
				{ atMs: 6 * minute, kind: "needsReboot", cluster: "prod", node: "n2" },
			],
			weatherMs: 30 * minute,
		}),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").join() === "done" && seen.ends("n2").join() === "done", "both done", seen.ended],
				[seen.begun.every((each) => each.node === "n1" || each.atMs > 16 * minute), "n2 begins once n1 is back", seen.begun],
				[seen.reasons("n2").has("probation"), "n2 is told why", [...seen.reasons("n2")]],
			),
	},
	{
		scenario: world(
			"E15: the autoscaler takes the cordoned node away: that is its end, and the next one begins",
			[cluster([node("n1"), node("n2"), spareNode("n3")], [slowToLeave])],
			{
				events: [{ atMs: draining, kind: "autoscalerTaint", cluster: "prod", node: "n1" }],
			},
		),
		wrong: (seen) => unless([seen.ends("n1").join() === "replaced" && seen.ends("n2").join() === "done", "n1 replaced, n2 done", seen.ended]),
	},
	{
		scenario: world("E16: a node that was cordoned is rebooted and stays cordoned", [cluster([node("n1", { cordoned: true })])]),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").join() === "done" && seen.reboots("n1") === 1, "n1 done", seen.ended],
				[
					seen.node("n1")?.facts.unschedulable === true && seen.node("n1")?.facts.mark.kind === "none",
					"still cordoned, without a mark",
					seen.node("n1")?.facts,
				],
			),
	},
	{
		scenario: world(
			"E17: UNMANAGED_PODS=block: a pod that nobody would make again keeps its node in service",
			[cluster([node("n1")], [workload("bare", { kind: "none", replicas: 1 })])],
			{
				environments: [{ UNMANAGED_PODS: "block", DRAIN_TIMEOUT: "2m" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").length > 0 && seen.ends("n1").every((each) => each === "gaveUp"), "n1 given up", seen.ended],
				[[...(seen.universe?.clusters[0]?.workloads[0]?.pods ?? [])].length === 1, "the pod is there still"],
			),
	},
	{
		scenario: world("E17: UNMANAGED_PODS=delete: it is evicted as kured does", [cluster([node("n1")], [workload("bare", { kind: "none", replicas: 1 })])]),
		wrong: (seen) => unless([seen.ends("n1").join() === "done", "n1 done", seen.ended]),
	},
];

/** When each pod's eviction was refused, by the lines of the trace. */
function refusals(lines: readonly string[]): ReadonlyMap<string, readonly number[]> {
	const atMs = new Map<string, number[]>();
	for (const line of lines) {
		const found = /^(\d+):(\d+):(\d+)\.(\d+) .* evict (\S+) → blocked/.exec(line);
		if (found === null) continue;
		const [, h, m, s, ms, pod = ""] = found;
		const at = ((Number(h) * 60 + Number(m)) * 60 + Number(s)) * 1000 + Number(ms);
		atMs.set(pod, [...(atMs.get(pod) ?? []), at]);
	}
	return atMs;
}
