// How acts go wrong: each outcome once, and what comes of it.
import type { Disturbance } from "../disturbances/events.ts";
import type { Fired, Outage } from "../faults.ts";
import { type Story, unless } from "./story.ts";
import { cluster, minute, node, second, spareNode, workload, world } from "./worlds.ts";

/** The nth call of a label reaches its service only after the caller stood still for a while. */
function standsStill(label: string, nth: number, ms: number): Fired {
	return { label, nth, fault: "stalls", fate: { kind: "stalls", ms, sent: false, clockStops: false } };
}

/** The cordon of n1 is under way for eight seconds, and something happens to the node meanwhile. */
function whileCordoning(name: string, kind: "nodeDeleted" | "nodeTouched", wrong: Story["wrong"]): Story {
	const event: Disturbance = { atMs: 70 * second, kind, cluster: "prod", node: "n1" };
	const faults = { kind: "listed" as const, fired: [standsStill("one1 patchNode prod/n1", 0, 8 * second)] };
	return { scenario: world(name, [cluster([node("n1")])], { faults, events: [event] }), wrong };
}

/** Every patch of a node fails alike from the beginning of the drain on, for some minutes. */
function patchesFail(failure: Outage["failure"], outcome: string): Story {
	return {
		scenario: world(`every patch of a node answers ${failure} for two minutes: the cordon is repeated until it is there`, [cluster([node("n1")])], {
			outages: [{ fromMs: 0, untilMs: 2 * minute, port: "kubernetes", cluster: null, method: "patchNode", failure }],
		}),
		wrong: (seen) =>
			unless(
				[
					seen.events("act.failed", "n1").some((line) => line.act === "cordon" && line.outcome === outcome),
					`a cordon that was ${outcome}`,
					seen.events("act.failed"),
				],
				[seen.ends("n1").at(-1) === "done", "done in the end", seen.ended],
			),
	};
}

export const outcomeStories: readonly Story[] = [
	whileCordoning("a node is deleted while its cordon is under way: not found is an end, not a failure", "nodeDeleted", (seen) =>
		unless(
			[seen.events("act.failed", "n1").some((line) => line.outcome === "notFound"), "an act that found no node", seen.events("act.failed")],
			[seen.ends("n1").join() === "replaced", "replaced", seen.ended],
		),
	),
	whileCordoning("a node changes while its cordon is under way: the next look decides anew", "nodeTouched", (seen) =>
		unless(
			[seen.begun.length === 1 && (seen.begun[0]?.atMs ?? 0) > 74 * second, "cordoned by a later look", seen.begun],
			[seen.ends("n1").join() === "done", "done", seen.ended],
		),
	),
	patchesFail("throttled", "throttled"),
	patchesFail("unreachable", "notDone"),
	patchesFail("serverError", "unknown"),
	patchesFail("forbidden", "refused"),
	{
		scenario: world(
			"a worker stands still amid its evictions until another has taken over: it does nothing more",
			[cluster([node("n1"), spareNode("n9")], [workload("many", { replicas: 40, stopMs: 90 * second, graceSeconds: 120 })])],
			{
				faults: { kind: "listed", fired: Array.from({ length: 40 }, (_, i) => standsStill(`one1 evict prod/ns-many/many-${i + 1}`, 0, 70 * second)) },
				events: [{ atMs: 100 * second, kind: "timerTwice" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.events("lease.lost").some((line) => typeof line.notDone === "number" && line.notDone > 0), "acts that were not done", seen.events("lease.lost")],
				[seen.ends("n1").join() === "done", "done once", seen.ended],
			),
	},
	{
		scenario: world("a hold arrives between the look and the admission that it decides: the hold wins", [cluster([node("n1")])], {
			faults: { kind: "listed", fired: [standsStill("one1 createRebootPodDryRun prod/n1", 1, 8 * second)] },
			events: [
				// The row is there, and says nothing any more.
				{ atMs: 10 * second, kind: "controlHold", cluster: "prod", node: null, reason: "over soon", forMs: 5 * second },
				{ atMs: 68 * second, kind: "controlHold", cluster: "prod", node: null, reason: "wait", forMs: 10 * minute },
			],
		}),
		wrong: (seen) =>
			unless(
				[seen.lines.some((line) => line.includes("transact cluster-prod → precondition")), "an admission that came too late"],
				[seen.begun.every((each) => each.atMs > 11 * minute), "nothing begins while it is held", seen.begun],
				[seen.ends("n1").join() === "done", "done after that", seen.ended],
			),
	},
	{
		scenario: world(
			"somebody deletes the lock's row after many workers have had it: the next one is not taken for an old one",
			[cluster([node("n1"), spareNode("n2")])],
			{
				events: [
					...[100, 130, 190].map((s) => ({ atMs: s * second, kind: "workerDies" as const })),
					{ atMs: 8 * minute, kind: "leaseRowDeleted", cluster: "prod" },
					{ atMs: 9 * minute, kind: "needsReboot", cluster: "prod", node: "n2" },
				],
				weatherMs: 12 * minute,
			},
		),
		wrong: (seen) => {
			const fences = seen.events("tick.ended").map((line) => Number(line.fence));
			return unless(
				[Math.max(...fences) > 3, "several fences", fences],
				[fences.every((fence, i) => fence >= (fences[i - 1] ?? 0)), "fences that never go back", fences],
				[seen.ends("n2").join() === "done", "n2 done", seen.ended],
			);
		},
	},
	{
		scenario: world("an uncordon is under way while a person uncordons the node and cordons it again: that cordon stays", [cluster([node("n1")])], {
			faults: { kind: "listed", fired: [standsStill("one1 patchNode prod/n1", 2, 40 * second)] },
			events: [{ atMs: 160 * second, kind: "operatorRecordons", cluster: "prod", node: "n1" }],
		}),
		wrong: (seen) =>
			unless(
				[seen.reboots("n1") === 1, "rebooted", seen.ended],
				[seen.lines.some((line) => line.includes("patchNode prod/n1 → conflict")), "an uncordon that came too late"],
				[seen.node("n1")?.facts.unschedulable === true && seen.node("n1")?.facts.mark.kind === "none", "cordoned still", seen.node("n1")?.facts],
			),
	},
	{
		scenario: world("a worker stands still in the look that asks until the ask is over: no pod is made for it", [cluster([node("n1")])], {
			environments: [{ REBOOT_TIMEOUT: "4m" }],
			faults: { kind: "listed", fired: [standsStill("one1 podsOn prod/n1", 1, 80 * second)] },
		}),
		wrong: (seen) => {
			const failed = seen.events("act.failed", "n1");
			return unless(
				[failed.some((line) => line.act === "ask" && line.outcome === "notDone"), "an ask that came too late", failed],
				[!seen.lines.some((line) => /createRebootPod prod\/n1 .* ask 1$/.test(line)), "no pod of the first ask"],
				[seen.ends("n1").join() === "done", "done by the second", seen.ended],
			);
		},
	},
	{
		scenario: world("a cordon is under way while a person holds the node: it does not come about", [cluster([node("n1")])], {
			faults: { kind: "listed", fired: [standsStill("one1 patchNode prod/n1", 0, 40 * second)] },
			events: [
				{ atMs: 80 * second, kind: "held", cluster: "prod", node: "n1", reason: "investigating" },
				{ atMs: 10 * minute, kind: "holdRemoved", cluster: "prod", node: "n1" },
			],
		}),
		wrong: (seen) =>
			unless(
				[seen.begun.length === 1 && seen.begun.every((each) => each.atMs > 10 * minute), "cordoned once the hold is gone", seen.begun],
				[seen.lines.some((line) => line.includes("patchNode prod/n1 → conflict")), "a cordon that came too late"],
			),
	},
	{
		scenario: world(
			"an eviction is under way until the pod's successor of the same name runs elsewhere: that one stays",
			[cluster([node("n1"), spareNode("n9")], [workload("db", { kind: "StatefulSet", replicas: 6 })])],
			{
				faults: { kind: "listed", fired: Array.from({ length: 6 }, (_, i) => standsStill(`one1 evict prod/ns-db/db-${i}`, 0, 80 * second)) },
				events: [{ atMs: 95 * second, kind: "timerTwice" }],
			},
		),
		wrong: (seen) =>
			unless(
				[seen.lines.some((line) => /one1 .*evict prod.*→ gone/.test(line)), "an eviction that came too late"],
				[seen.ends("n1").join() === "done", "done", seen.ended],
			),
	},
];
