// Faults of this field's tools that their users reported in public, each as a scenario that must come to a good end here.
import { type Story, unless } from "./story.ts";
import { cluster, minute, node, second, spareNode, tightBudget, workload, world } from "./worlds.ts";

const asked = 85 * second;
const draining = 75 * second;
const wherePodsGo = spareNode("n9");
const web = workload("web", { replicas: 4, stopMs: 40 * second, graceSeconds: 60 });

export const publicFaultStories: readonly Story[] = [
	{
		scenario: world(
			"kured#137: the node that holds the lock does not exist any more: its room is free, and nobody unlocks anything by hand",
			[cluster([node("n1"), node("n2")])],
			{
				events: [
					{ atMs: asked, kind: "workerDies" },
					{ atMs: asked + second, kind: "nodeDeleted", cluster: "prod", node: "n1" },
				],
			},
		),
		wrong: (seen) => unless([seen.ends("n1").join() === "replaced" && seen.ends("n2").join() === "done", "n1 replaced, n2 done", seen.ended]),
	},
	{
		scenario: world(
			"kured#63: the lock and all records are lost while a node is cordoned: it does not stay SchedulingDisabled",
			[cluster([node("n1"), wherePodsGo], [web])],
			{
				events: [
					{ atMs: draining, kind: "workerDies" },
					{ atMs: draining + second, kind: "tableDeleted", forMs: 60 * second },
				],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.events("reboot.adopted", "n1").length === 1, "adopted once", seen.events("reboot.adopted")],
				[seen.node("n1")?.facts.unschedulable === false && seen.reboots("n1") === 1, "rebooted once and in service", seen.node("n1")?.facts],
			),
	},
	{
		scenario: world(
			"kured#1129: a drain fails and the uncordon does not come about for minutes: the room is kept until it does",
			[cluster([node("n1"), node("n2"), wherePodsGo], [workload("blocked", { replicas: 6, budget: tightBudget(6) })])],
			{
				environments: [{ DRAIN_TIMEOUT: "2m" }],
				outages: [{ fromMs: 150 * second, untilMs: 8 * minute, port: "kubernetes", cluster: null, method: "patchNode", failure: "serverError" }],
				weatherMs: 12 * minute,
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ended.some((each) => each.end === "gaveUp"), "a drain given up", seen.ended],
				[seen.begun.filter((each) => each.atMs < 8 * minute).length === 1, "none begins while the cordon stays", seen.begun],
				[seen.events("reboot.alarm").length > 0, "the alarm is raised"],
			),
	},
	{
		scenario: world("kured, start-up: the lock cannot be read: that is not the same as not holding it", [cluster([node("n1"), node("n2")])], {
			events: [{ atMs: asked, kind: "workerDies" }],
			outages: [{ fromMs: asked, untilMs: asked + 10 * minute, port: "table", cluster: null, method: null, failure: "unreachable" }],
		}),
		wrong: (seen) =>
			unless(
				[seen.begun.every((each) => each.node === "n1" || each.atMs > asked + 10 * minute), "nothing begins meanwhile", seen.begun],
				[seen.ends("n1").join() === "done" && seen.ends("n2").join() === "done", "both done once each", seen.ended],
			),
	},
	{
		scenario: world("brupop: every eviction fails: the node does not count as drained", [cluster([node("n1"), wherePodsGo], [{ ...web, replicas: 8 }])], {
			environments: [{ DRAIN_TIMEOUT: "3m" }],
			outages: [{ fromMs: 0, untilMs: 20 * minute, port: "kubernetes", cluster: null, method: "evict", failure: "serverError" }],
		}),
		wrong: (seen) =>
			unless(
				[seen.ended[0]?.end === "gaveUp" && seen.ended[0].cause === "drainTimedOut", "given up for its drain", seen.ended],
				[seen.events("pod.blocked", "n1").length > 0, "the pods are named"],
				[seen.ended.every((each) => each.end === "gaveUp" || each.atMs > 20 * minute), "not rebooted while evictions fail", seen.ended],
			),
	},
	{
		scenario: world(
			"kured#314: another tool cordons the node that we hold: the cordon is that tool's from then on",
			[cluster([node("n1"), wherePodsGo], [web])],
			{
				events: [{ atMs: draining, kind: "appliedCordon", cluster: "prod", node: "n1" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").join() === "released", "released", seen.ended],
				[
					seen.node("n1")?.facts.unschedulable === true && seen.node("n1")?.facts.mark.kind === "none",
					"cordoned still, without our mark",
					seen.node("n1")?.facts,
				],
			),
	},
	{
		scenario: world(
			"kured#314: a person uncordons the node that drains, and cordons it again at once: it is theirs",
			[cluster([node("n1"), wherePodsGo], [web])],
			{
				events: [{ atMs: draining, kind: "operatorRecordons", cluster: "prod", node: "n1" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ends("n1").join() === "released", "released", seen.ended],
				[seen.node("n1")?.facts.unschedulable === true, "cordoned still", seen.node("n1")?.facts],
			),
	},
	{
		scenario: world(
			"FLUO: less room than nodes in flight: capacity below zero admits nobody, and those in flight are carried to their end",
			[cluster(["n1", "n2", "n3", "n4"].map((each) => node(each)))],
			{
				environments: [{ MAX_CONCURRENT: "3" }, { MAX_CONCURRENT: "1" }],
				events: [{ atMs: 70 * second, kind: "deployed", settings: 1, killed: true }],
			},
		),
		wrong: (seen) => {
			const fourth = seen.begun[3]?.atMs ?? 0;
			return unless(
				[seen.begun.filter((each) => each.atMs < 70 * second).length === 3, "three at once in the beginning", seen.begun],
				[
					seen.ended.filter((each) => each.atMs <= fourth).length === 3,
					"the fourth begins when all three have ended",
					{ begun: seen.begun, ended: seen.ended },
				],
				[seen.ended.every((each) => each.end === "done") && seen.ended.length === 4, "four done", seen.ended],
			);
		},
	},
];
