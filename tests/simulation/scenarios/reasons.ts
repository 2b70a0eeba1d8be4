// Why not yet: a world for every reason that the others do not show.
import type { Disturbance } from "../disturbances/events.ts";
import type { Outage } from "../faults.ts";
import { type Story, unless } from "./story.ts";
import { aksCluster, cluster, minute, node, second, spareNode, workload, world } from "./worlds.ts";

const prod = { cluster: "prod" };

/** Something cannot be read, or is refused, for five minutes. */
function failing(reason: string, method: string, failure: Outage["failure"] = "serverError", port: Outage["port"] = "kubernetes"): Story {
	return {
		scenario: world(`${method} answers ${failure} for five minutes: ${reason}, and nothing begins meanwhile`, [aksCluster([node("n1"), node("n2")])], {
			outages: [{ fromMs: 0, untilMs: 5 * minute, port, cluster: null, method, failure }],
			environments: [{ MAX_CONCURRENT: "2;*/np1=50%" }],
		}),
		wrong: (seen) => {
			const told = new Set([...seen.reasons("n1"), ...seen.clusterReasons()]);
			return unless(
				[told.has(reason), `the reason ${reason}`, [...told]],
				[seen.begun.every((each) => each.atMs > 5 * minute), "nothing begins meanwhile", seen.begun],
				[["n1", "n2"].every((each) => seen.ends(each).join() === "done"), "both done in the end", seen.ended],
			);
		},
	};
}

/** Something is so with node n2 when the first look comes, a minute after the beginning. */
function ofWaiting(reason: string, name: string, events: readonly Disturbance[], ends: string): Story {
	return {
		scenario: world(name, [aksCluster([node("n2"), spareNode("n9")])], { events, environments: [{ REBOOT_INTERVAL: "30m" }] }),
		wrong: (seen) =>
			unless(
				[seen.reasons("n2").has(reason), `the reason ${reason}`, [...seen.reasons("n2")]],
				[seen.ends("n2").join() === ends, `n2 ends as ${ends}`, seen.ended],
			),
	};
}

const n2 = { ...prod, node: "n2" };

export const reasonStories: readonly Story[] = [
	failing("waitingUnknown", "listWaiting"),
	failing("sentinelUnknown", "sentinelDaemonSet"),
	failing("ownerUnknown", "owner"),
	failing("clusterUnknown", "clusterUid"),
	failing("clusterStateUnknown", "aks", "serverError", "arm"),
	failing("nodeUnknown", "node"),
	failing("poolSizeUnknown", "listNodeMetadata"),
	failing("rebootPodRefused", "createRebootPodDryRun", "forbidden"),
	failing("rebootPodUnknown", "createRebootPodDryRun"),
	failing("notClaimable", "claim", "forbidden"),
	ofWaiting("nodeNotReady", "a node that waits is not Ready: it begins once it is", [{ ...n2, atMs: second, kind: "cutOff", forMs: 6 * minute }], "done"),
	ofWaiting("nodeLeaving", "the autoscaler has tainted the node that is next: it is left to it", [{ ...n2, atMs: 30 * second, kind: "autoscalerTaint" }], ""),
	ofWaiting(
		"reportUnreadable",
		"what the sentinel of a node says cannot be read: the node waits",
		[
			{ ...n2, atMs: 50 * second, kind: "reportGarbled" },
			{ ...n2, atMs: 8 * minute, kind: "needsReboot" },
		],
		"done",
	),
	ofWaiting(
		"reportStale",
		"somebody reboots a node whose sentinel is silent: its old report counts for nothing",
		[
			{ ...n2, atMs: second, kind: "sentinelSilent", forMs: 9 * minute },
			{ ...n2, atMs: 2 * second, kind: "rebootedByOthers" },
		],
		"",
	),
	{
		scenario: world(
			"windows: closed, too short, and none at all for a pool",
			[cluster([node("n1"), node("n2", { needsReboot: false }), node("n3", { pool: "np2" })])],
			{
				environments: [{ MAINTENANCE_WINDOWS: "prod/np1=daily 00:00+20m UTC; prod/np1=daily 01:00+3h UTC" }, { MAINTENANCE_WINDOWS: "always" }],
				events: [
					{ ...n2, atMs: 8 * minute, kind: "needsReboot" },
					{ atMs: 90 * minute, kind: "deployed", settings: 1, killed: false },
				],
				weatherMs: 95 * minute,
			},
		),
		wrong: (seen) =>
			unless(
				[["windowTooShort", "windowClosed"].every((each) => seen.reasons("n2").has(each)), "n2: too short, then closed", [...seen.reasons("n2")]],
				[seen.reasons("n3").has("noWindow"), "n3: no window", [...seen.reasons("n3")]],
				[seen.begun.every((each) => each.node !== "n2" || each.atMs >= 60 * minute), "n2 begins in the next window", seen.begun],
			),
	},
	{
		scenario: world("settings: a dry run, then wrong, then a typing error in a pool's name, then right", [cluster([node("n1"), node("n2")])], {
			environments: [{ DRY_RUN: "true" }, { SOAK: "three minutes" }, { MAINTENANCE_WINDOWS: "always; prod/nq1=always" }, {}],
			events: [1, 2, 3].map((settings) => ({ atMs: settings * 4 * minute, kind: "deployed" as const, settings, killed: false })),
		}),
		wrong: (seen) => {
			const told = [...seen.reasons("n1"), ...seen.clusterReasons()];
			return unless(
				[["wouldBegin", "dryRun", "settingsWrong", "poolScopeUnmatched"].every((each) => told.includes(each)), "all four reasons", told],
				[seen.begun.every((each) => each.atMs > 12 * minute), "nothing begins before the settings are right", seen.begun],
			);
		},
	},
	{
		scenario: world(
			"a cluster is dropped from CLUSTERS while a node drains: it is brought back, and nothing more begins there",
			[
				cluster([node("n1"), node("n2"), spareNode("n9")], [workload("slow", { replicas: 9, stopMs: 100 * second, graceSeconds: 120 })]),
				cluster([spareNode("m1")], [], "test"),
			],
			{
				environments: [{}, { CLUSTERS: "test=kubeconfig:test" }],
				events: [{ atMs: 80 * second, kind: "deployed", settings: 1, killed: true }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.ended.length === 1 && seen.ended[0]?.end === "cancelled", "one cancelled", seen.ended],
				[seen.clusterReasons().has("removed"), "the reason removed", [...seen.clusterReasons()]],
			),
	},
	{
		scenario: world(
			"one cluster under two names: the second name begins nothing",
			[cluster([node("n1")]), { ...cluster([node("m1")], [], "test"), uid: "uid-prod" }],
			{
				events: [{ atMs: 15 * minute, kind: "needGone", cluster: "test", node: "m1" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.clusterReasons().has("sameCluster"), "the reason sameCluster", [...seen.clusterReasons()]],
				[seen.begun.every((each) => each.node === "n1"), "nothing begins under the second name", seen.begun],
			),
	},
	{
		scenario: world(
			"the sentinel is deleted, the cluster upgraded, and a pool of it: each is a reason",
			[aksCluster([node("n1", { needsReboot: false }), node("n2", { needsReboot: false }), spareNode("n9")])],
			{
				events: [
					{ ...prod, atMs: 2 * minute, kind: "clusterUpgrading", forMs: 3 * minute },
					{ ...prod, node: "n1", atMs: 2 * minute, kind: "needsReboot" },
					{ ...prod, atMs: 4 * minute, kind: "poolUpgraded", pool: "np1", forMs: 40 * minute },
					{ ...prod, atMs: 8 * minute, kind: "sentinelDeleted", forMs: 3 * minute },
				],
				weatherMs: 50 * minute,
			},
		),
		wrong: (seen) => {
			const told = [...seen.reasons("n1"), ...seen.clusterReasons()];
			return unless([["clusterState", "poolState", "sentinelAbsent"].every((each) => told.includes(each)), "all three reasons", told]);
		},
	},
	{
		scenario: world(
			"a person asks for a reboot and takes that back while the node drains: it is given back",
			[cluster([node("n1"), spareNode("n9")], [workload("slow", { replicas: 8, stopMs: 100 * second, graceSeconds: 120 })])],
			{
				events: [
					{ ...prod, node: "n1", atMs: 30 * second, kind: "rebootRequested", forMs: 60 * minute, ignoreWindow: false },
					{ ...prod, node: "n1", atMs: 85 * second, kind: "requestWithdrawn" },
				],
			},
		),
		wrong: (seen) => unless([seen.ended[0]?.end === "cancelled" && seen.ended[0].cause === "forbidden", "cancelled", seen.ended]),
	},
	{
		scenario: world(
			"a person asks for the reboot of a virtual node: it is told why that is none",
			[cluster([node("v1", { virtual: true, needsReboot: false }), spareNode("n9")])],
			{
				events: [{ ...prod, node: "v1", atMs: 30 * second, kind: "rebootRequested", forMs: 10 * minute, ignoreWindow: false }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.reasons("v1").has("virtualNode"), "the reason virtualNode", [...seen.reasons("v1")]],
				[seen.begun.length === 0, "nothing begins", seen.begun],
			),
	},
	{
		scenario: world("a secret in the wrong setting is not quoted in the problem that it is", [cluster([node("n1")])], {
			environments: [{ NOTIFY_URLS: "https://hooks.example/secret-5ecre7", STATE_TABLE: "https://hooks.example/secret-5ecre7" }, {}],
			events: [{ atMs: 4 * minute, kind: "deployed", settings: 1, killed: false }],
		}),
		wrong: (seen) => unless([seen.events("settings.wrong").length > 0, "the problem is told", seen.events("settings.wrong")]),
	},
	{
		scenario: world(
			"sixteen nodes in the line are not Ready: the one behind them is next, and begins",
			[cluster(Array.from({ length: 17 }, (_, i) => node(`n${String(i + 1).padStart(2, "0")}`)))],
			{
				events: Array.from({ length: 16 }, (_, i) => ({
					...prod,
					atMs: second,
					kind: "cutOff" as const,
					node: `n${String(i + 1).padStart(2, "0")}`,
					forMs: 8 * minute,
				})),
			},
		),
		wrong: (seen) => {
			const told = [...seen.reasons("n17"), ...seen.reasons("n16")];
			return unless(
				[told.includes("next"), "the reason next", told],
				[seen.ended.length === 17 && seen.ended.every((each) => each.end === "done"), "all done", seen.ended],
			);
		},
	},
	{
		scenario: world(
			"a cluster that nobody owns any more, with a mark of another scheduler: that node is left alone until the Lease says whose it is",
			[cluster([node("n1"), node("n2"), spareNode("n9")], [workload("slow", { replicas: 9, stopMs: 100 * second, graceSeconds: 120 })])],
			{
				events: [
					{ atMs: 75 * second, kind: "workerDies" },
					{ atMs: 75 * second, kind: "timerSilent", forMs: 10 * minute },
					{ ...prod, atMs: 76 * second, kind: "ownerLeaseDeleted" },
					{ atMs: 77 * second, kind: "secondScheduler" },
				],
			},
		),
		wrong: (seen) => {
			const held = seen.begun[0]?.node ?? "";
			return unless(
				[seen.reasons(held).has("nodeMarked"), "the reason nodeMarked", [...seen.reasons(held)]],
				[["n1", "n2"].every((each) => seen.reboots(each) === 1), "each rebooted once", seen.ended],
			);
		},
	},
];
