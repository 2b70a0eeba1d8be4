// What befalls a fleet, and which alerts come of it: each of them named once where it fires, and everything else where it does not.
import type { Disturbance } from "../../simulation/disturbances/events.ts";
import type { Scenario } from "../../simulation/scenario.ts";
import { aksCluster, cluster, hour, minute, node, second, spareNode, tightBudget, workload, world } from "../../simulation/scenarios/worlds.ts";
import type { Universe } from "../../simulation/universe.ts";
import type { Row } from "../kql/evaluator.ts";

export interface Expected {
	readonly rule: string;
	readonly of: Row;
	/** Within which it begins. */
	readonly fromMs: readonly [number, number];
	/** Within which it ends; null: it lasts. */
	readonly untilMs: readonly [number, number] | null;
}

export interface AlertStory {
	readonly scenario: Scenario;
	readonly alerts: readonly Expected[];
	readonly prepare?: (universe: Universe) => void;
}

const prod = { cluster: "prod" };
const n1 = { ...prod, node: "n1" };
const quiet = [cluster([spareNode("n1"), spareNode("n9")])];
const day = 24 * hour;

function every(intervalMs: number, fromMs: number, times: number, event: { readonly kind: "timerTwice" }): readonly Disturbance[] {
	return Array.from({ length: times }, (_, index) => ({ ...event, atMs: fromMs + index * intervalMs }));
}

const ticks: readonly AlertStory[] = [
	{
		scenario: world("the timer does not fire for half an hour", quiet, {
			weatherMs: 80 * minute,
			events: [{ atMs: 20 * minute, kind: "timerSilent", forMs: 30 * minute }],
		}),
		alerts: [{ rule: "no-tick", of: {}, fromMs: [25 * minute, 35 * minute], untilMs: [50 * minute, 60 * minute] }],
	},
	{
		scenario: world("the timer does not fire for five minutes", quiet, {
			weatherMs: 60 * minute,
			events: [{ atMs: 20 * minute, kind: "timerSilent", forMs: 5 * minute }],
		}),
		alerts: [],
	},
	{
		scenario: world("nothing can be read of one of two clusters for three quarters of an hour", [...quiet, cluster([spareNode("m1")], [], "test")], {
			weatherMs: 100 * minute,
			outages: [{ fromMs: 5 * minute, untilMs: 50 * minute, port: "kubernetes", cluster: "test", method: null, failure: "timedOut" }],
		}),
		alerts: [{ rule: "cluster-failing", of: { cluster: "test" }, fromMs: [20 * minute, 30 * minute], untilMs: [50 * minute, 60 * minute] }],
	},
	{
		scenario: world("nothing can be read of a cluster for eight minutes", quiet, {
			weatherMs: 60 * minute,
			outages: [{ fromMs: 20 * minute, untilMs: 28 * minute, port: "kubernetes", cluster: null, method: null, failure: "unreachable" }],
		}),
		alerts: [],
	},
	{
		scenario: world("a cluster is stopped in Azure for two hours", [aksCluster([spareNode("n1")])], {
			weatherMs: 3 * hour,
			events: [{ ...prod, atMs: 20 * minute, kind: "clusterStopped", forMs: 2 * hour }],
		}),
		alerts: [],
	},
	{
		scenario: world("settings are deployed that cannot be understood, and mended 40 minutes later", quiet, {
			weatherMs: 90 * minute,
			environments: [{}, { DRAIN_TIMEOUT: "soon" }, {}],
			events: [
				{ atMs: 20 * minute, kind: "deployed", settings: 1, killed: false },
				{ atMs: 60 * minute, kind: "deployed", settings: 2, killed: false },
			],
		}),
		alerts: [{ rule: "settings-wrong", of: { setting: "DRAIN_TIMEOUT" }, fromMs: [20 * minute, 30 * minute], untilMs: [65 * minute, 80 * minute] }],
	},
	{
		scenario: world("a second process comes and goes every two minutes", quiet, {
			weatherMs: 2 * hour,
			events: every(2 * minute, 20 * minute, 20, { kind: "timerTwice" }),
		}),
		alerts: [{ rule: "lease-contested", of: prod, fromMs: [30 * minute, 60 * minute], untilMs: [60 * minute, 105 * minute] }],
	},
	{
		scenario: world("a second process comes and goes three times, as in a deployment", quiet, {
			weatherMs: 2 * hour,
			events: every(2 * minute, 20 * minute, 3, { kind: "timerTwice" }),
		}),
		alerts: [],
	},
];

const sentinelsAndOwners: readonly AlertStory[] = [
	{
		scenario: world("a sentinel is silent for two hours", quiet, {
			weatherMs: 4 * hour,
			events: [{ ...n1, atMs: 10 * minute, kind: "sentinelSilent", forMs: 2 * hour }],
		}),
		alerts: [{ rule: "sentinel-silent", of: prod, fromMs: [40 * minute, 75 * minute], untilMs: [130 * minute, 160 * minute] }],
	},
	{
		scenario: world("a sentinel is silent for twenty minutes", quiet, {
			weatherMs: 2 * hour,
			events: [{ ...n1, atMs: 10 * minute, kind: "sentinelSilent", forMs: 20 * minute }],
		}),
		alerts: [],
	},
	{
		scenario: world("the sentinel is deleted for two hours", quiet, {
			weatherMs: 4 * hour,
			events: [{ ...prod, atMs: 10 * minute, kind: "sentinelDeleted", forMs: 2 * hour }],
		}),
		alerts: [{ rule: "sentinel-silent", of: prod, fromMs: [40 * minute, 75 * minute], untilMs: [130 * minute, 160 * minute] }],
	},
	{
		scenario: world("a cluster with a node that waits is given to another scheduler, and back", [cluster([node("n1"), spareNode("n9")])], {
			weatherMs: 3 * hour,
			environments: [{ HOLD: "*=freeze" }],
			events: [
				{ ...prod, atMs: 20 * minute, kind: "ownerLeaseWritten", to: "stranger" },
				{ ...prod, atMs: 90 * minute, kind: "ownerLeaseWritten", to: "one" },
			],
		}),
		alerts: [{ rule: "owner-lost", of: prod, fromMs: [20 * minute, 45 * minute], untilMs: [90 * minute, 120 * minute] }],
	},
];

const slowLooks = { inFlightEveryMs: 20 * second };

const reboots: readonly AlertStory[] = [
	{
		scenario: world("a node hangs as it reboots, and is deleted an hour later", [cluster([node("n1", { machine: { onSignal: "hangs" } }), spareNode("n9")])], {
			...slowLooks,
			weatherMs: 2 * hour,
			environments: [{ REBOOT_TIMEOUT: "8m" }],
			events: [{ ...n1, atMs: 80 * minute, kind: "nodeDeleted" }],
		}),
		alerts: [{ rule: "node-stuck", of: n1, fromMs: [10 * minute, 20 * minute], untilMs: [80 * minute, 90 * minute] }],
	},
	{
		scenario: world(
			"three nodes are drained and rebooted one after the other",
			[
				cluster(
					["n1", "n2", "n3"].map((name) => node(name)),
					[workload("web")],
				),
			],
			{
				weatherMs: 2 * hour,
			},
		),
		alerts: [],
	},
	{
		scenario: world(
			"a drain may take nine hours, and is given up after them",
			[cluster([node("n1"), spareNode("n9")], [workload("web", { budget: tightBudget(2) })])],
			{ ...slowLooks, weatherMs: 10 * hour, environments: [{ DRAIN_TIMEOUT: "9h" }] },
		),
		alerts: [{ rule: "node-cordoned-long", of: n1, fromMs: [6 * hour, 6.5 * hour], untilMs: [9 * hour, 9.5 * hour] }],
	},
	{
		scenario: world(
			"a node that was cordoned before we came is drained for nine hours",
			[cluster([node("n1", { cordoned: true }), spareNode("n9")], [workload("web", { budget: tightBudget(2) })])],
			{ ...slowLooks, weatherMs: 8 * hour, environments: [{ DRAIN_TIMEOUT: "9h" }] },
		),
		alerts: [],
	},
	{
		scenario: world(
			"a budget keeps a node from being drained for six hours",
			[cluster([node("n1"), spareNode("n9")], [workload("web", { replicas: 2, budget: { ...tightBudget(1), forGood: false } })])],
			{
				...slowLooks,
				weatherMs: 9 * hour,
				environments: [{ DRAIN_TIMEOUT: "10m" }],
				events: [{ ...prod, atMs: 0, kind: "budgetTightened", workload: "web", forMs: 6 * hour }],
			},
		),
		alerts: [{ rule: "drain-given-up", of: { ...n1, blockedBy: "budget ns-web/web" }, fromMs: [1.5 * hour, 5 * hour], untilMs: [6 * hour, 8 * hour] }],
	},
	{
		scenario: world("a node on hold has waited for two weeks less an hour", [cluster([node("n1"), spareNode("n9")])], {
			weatherMs: 4 * hour,
			environments: [{ HOLD: "*=freeze" }],
		}),
		prepare: (universe) => {
			const waits = universe.cluster("prod")?.nodes.get("n1")?.machine;
			if (waits !== undefined) waits.needsSince = universe.now - 14 * day + hour;
		},
		alerts: [{ rule: "node-waiting-long", of: n1, fromMs: [hour, 2 * hour], untilMs: null }],
	},
];

export const alertStories: readonly AlertStory[] = [...ticks, ...sentinelsAndOwners, ...reboots];
