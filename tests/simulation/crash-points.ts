// Dying after every single call of a story, one by one: whoever comes next must bring it to the same end.
import { isRecordKey } from "../../lib/tick/rows.ts";
import type { Result } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { type Seen, tell } from "./scenarios/story.ts";
import { aksCluster, cluster, minute, node, second, spareNode, workload, world } from "./scenarios/worlds.ts";

export const storyOfOne: Scenario = world("the story of one node", [aksCluster([node("n1"), spareNode("n9")], [workload("web", { replicas: 4 })])], {
	environments: [{ SOAK: "20s" }],
	inFlightEveryMs: 10 * second,
	weatherMs: 5 * minute,
});

export const storyOfTwo: Scenario = world("the story of two nodes in one pool", [aksCluster([node("n1"), node("n2")], [workload("web", { replicas: 4 })])], {
	environments: [{ SOAK: "20s", MAX_CONCURRENT: "2;*/np1=1", REBOOT_TIMEOUT: "6m" }],
	inFlightEveryMs: 10 * second,
	weatherMs: 8 * minute,
});

/** The cluster is taken out of CLUSTERS right after the death: what was begun there is brought back all the same, and nobody asks how far it was. */
export const storyOfDropped: Scenario = world(
	"the story of a cluster that is dropped",
	[aksCluster([node("n1"), node("n2")], [workload("web", { replicas: 4 })]), cluster([spareNode("m1")], [], "other")],
	{
		environments: [{ BEFORE_REBOOT: "60s" }, { CLUSTERS: "other=kubeconfig:other" }],
		events: [{ atMs: 80 * second, kind: "deployed", settings: 1, killed: true }],
		weatherMs: 5 * minute,
	},
);

/** The places in a story that a death must have been tried at, by what the trace says of the call. */
export const namedPoints: readonly (readonly [string, RegExp])[] = [
	["the lease is made", /^transact \S+ → insert lease$/],
	["the lease is renewed", /^transact \S+ → replace lease$/],
	["the cluster is claimed", /^claim /],
	["in flight is told", /^transact fleet → (?:insert|replace) prod$/],
	["the reboot pod is tried", /^createRebootPodDryRun /],
	["the admission is written", /^transact .*insert reboot-/],
	["the node is cordoned and marked", /^patchNode .* cordon mark /],
	["a move is written", /^transact .* → replace lease, (?:delete memory, |replace memory, )?replace reboot-/],
	["a pod is evicted", /^evict .* → evicted/],
	["the ask is written", /^transact .*replace control, replace reboot-/],
	["the mark says that it was asked", /^patchNode .* mark .* asked$/],
	["the reboot pod is made", /^createRebootPod /],
	["the reboot pod is deleted", /^deleteRebootPod /],
	["mark and cordon are removed", /^patchNode .* uncordon unmark$/],
	["the end is written", /^transact .*insert z-ended-/],
	["the round is written", /^transact fleet → (?:insert|replace) !round$/],
];

export interface Death {
	/** After which of the story's calls. */
	readonly call: number;
	/** What that call was, and what it answered; null: no call was the nth any more. */
	readonly at: string | null;
	/** What is wrong with what came of it; null: it ended as it does without a death. */
	readonly wrong: string | null;
}

/** What is left when all is over. Ids, times and the order of nodes may differ. */
function endOf(seen: Seen): string {
	const clusters = seen.universe?.clusters ?? [];
	const nodes = clusters.flatMap((cluster) =>
		cluster.nodes.all().map(({ facts, machine }) => {
			const { name, unschedulable, mark } = facts;
			const reboots = machine.rebootedByUsAt.length;
			return `${name}: ${seen.ends(name).join() || "no end"}, ${reboots} reboots${unschedulable ? ", cordoned" : ""}${mark.kind === "none" ? "" : ", marked"}`;
		}),
	);
	const partitions = [...(seen.universe?.schedulers[0]?.rows.partitions() ?? [])];
	const records = partitions.flatMap((each) => [...(seen.universe?.schedulers[0]?.rows.rows(each).keys() ?? [])].filter(isRecordKey));
	return [...nodes.sort(), `${records.length} records left`].join("; ");
}

function broken({ verdict, id, what }: Result): string | null {
	return verdict === "ok" ? null : `${verdict} ${id}: ${what}`;
}

/** The death's own line of the trace: what was done though nobody heard of it. */
function deathOf(lines: readonly string[]): string | null {
	const line = lines.find((each) => each.endsWith("(and the worker dies)"));
	return line === undefined ? null : line.replace(/^\S+\s+\S+\s+/, "").replace(/ \(and the worker dies\)$/, "");
}

/** `alike`: it must end as it does without a death, and not only well. */
export async function* deaths(scenario: Scenario, alike = true): AsyncGenerator<Death> {
	const undisturbed = await tell({ scenario, wrong: () => null });
	const expected = endOf(undisturbed.seen);
	const wrong = broken(undisturbed.result);
	if (wrong !== null) throw new Error(`${scenario.name}, undisturbed: ${wrong}`);
	const lastCall = alike ? callsUntil(undisturbed.seen) : undisturbed.result.calls;
	for (let call = 1; call <= lastCall; call++) {
		const { result, seen } = await tell({ scenario: { ...scenario, crashes: [{ call, when: "after" }] }, wrong: () => null });
		const end = endOf(seen);
		yield { call, at: deathOf(seen.lines), wrong: broken(result) ?? (end === expected || !alike ? null : `ended as "${end}", expected "${expected}"`) };
	}
}

/** Calls until the round ended in which the last reboot ended: after that looks are idle, and all alike. */
function callsUntil(seen: Seen): number {
	const last = seen.lines.findLastIndex((each) => each.includes("insert z-ended-"));
	const over = seen.lines.findIndex((each, i) => i > last && each.includes("!round"));
	return seen.lines.slice(0, over + 1).filter((each) => each.includes(" → ") && !each.includes("journal ")).length;
}
