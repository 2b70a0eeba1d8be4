// L1: once faults stop, every node that may be rebooted is rebooted, Ready and schedulable again.
// L2: every node that is not, carries a reason that is true and that a person can act on.
// L3: no cordon of ours outlives the next look of a scheduler of its owner.
import { fleetOf, fleetPartition } from "../../../lib/tick/rows.ts";
import { type ClusterSummary, parseSummary } from "../../../lib/tick/summary.ts";
import type { Scheduler } from "../processes.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { Universe } from "../universe.ts";
import { isStuck, obstacles, ownerOf } from "./obstacles.ts";
import { falseReason } from "./reasons.ts";

export interface Unsettled {
	readonly id: "L1" | "L2" | "L3";
	readonly what: string;
}

/** Nothing is under way, and nothing more will come about by itself. */
export function settled(universe: Universe): boolean {
	return universe.clusters.every(
		(cluster) =>
			podLeft(universe, cluster) === null &&
			cluster.nodes.all().every((node) => cordonLeft(universe, cluster, node) === null && notRebooted(universe, cluster, node) === null),
	);
}

export function unsettled(universe: Universe): Unsettled | null {
	for (const cluster of universe.clusters) {
		for (const node of cluster.nodes.all()) {
			const cordon = cordonLeft(universe, cluster, node);
			if (cordon !== null) return { id: "L3", what: cordon };
			const waiting = notRebooted(universe, cluster, node);
			if (waiting !== null) return { id: "L1", what: waiting };
			const untold = reasonless(universe, cluster, node);
			if (untold !== null) return { id: "L2", what: untold };
		}
		const pod = podLeft(universe, cluster);
		if (pod !== null) return { id: "L3", what: pod };
	}
	return null;
}

/** Whether a scheduler of its owner looks at the cluster: a cluster that was dropped with nothing in flight is looked at by nobody. */
function looked(universe: Universe, cluster: Cluster): Scheduler | null {
	const owner = ownerOf(universe, cluster);
	if (owner === undefined) return null;
	// One that was dropped from CLUSTERS is known by its row of the fleet alone: with the table that is gone, and no look comes.
	const configured = owner.current.clusters.some((each) => each.name === cluster.name);
	// And one that was given to another owner meanwhile has nothing in flight here: given back, it is seen by nobody.
	return configured || (owner.rows.losses.length === 0 && !cluster.owner.everWritten) ? owner : null;
}

function cordonLeft(universe: Universe, cluster: Cluster, node: ApiNode): string | null {
	const { facts } = node;
	// A mark alone keeps nobody from anything: it goes when the node is next in line (docs/how-it-works.md). A cordon that we found stays,
	// whatever became of the names of those who hold it.
	if (!facts.unschedulable || (facts.mark.kind === "none" && (node.cordon?.by !== "us" || node.lastMark?.mark.foundCordoned === true))) return null;
	const owner = looked(universe, cluster);
	if (owner === null || isStuck(node)) return null;
	// A mark that somebody garbled names no owner; where the Lease is nobody's either, a dry run claims nothing.
	if (facts.mark.kind === "garbled" && cluster.owner.seen().kind === "absent" && owner.current.settings?.dryRun === true) return null;
	return `${facts.name} is still cordoned by us${facts.mark.kind === "none" ? ", without our mark" : " and marked"}`;
}

function notRebooted(universe: Universe, cluster: Cluster, node: ApiNode): string | null {
	if (!node.machine.needsReboot || obstacles(universe, cluster, node).length > 0) return null;
	return `${node.facts.name} needs a reboot, and nothing stands in its way`;
}

/** No privileged pod stands on any node between reboots. */
function podLeft(universe: Universe, cluster: Cluster): string | null {
	if (looked(universe, cluster) === null) return null;
	for (const pod of cluster.pods.all()) {
		const node = cluster.nodes.get(pod.facts.node);
		if (pod.owner.kind === "reboot" && (node === undefined || node.facts.mark.kind === "none"))
			return `reboot pod ${pod.facts.name} is left on ${pod.facts.node}, which we do not hold`;
	}
	return null;
}

function summaryFor(scheduler: Scheduler, cluster: Cluster): ClusterSummary | null {
	const row = scheduler.rows.rows(fleetPartition).get(cluster.name);
	const read = row === undefined ? null : fleetOf(row);
	return read === null ? null : parseSummary(read.summary);
}

function reasonless(universe: Universe, cluster: Cluster, node: ApiNode): string | null {
	const owner = ownerOf(universe, cluster);
	if (owner === undefined || !node.machine.needsReboot || node.facts.mark.kind !== "none") return null;
	if (!owner.current.clusters.some((each) => each.name === cluster.name)) return null;
	const summary = summaryFor(owner, cluster);
	if (summary === null || summary.at === null) return `${cluster.name} was never looked at`;
	const { name } = node.facts;
	if (summary.inFlight.some((each) => each.node === name)) return null;
	const asks = node.saidNeed?.bootId === node.facts.bootId && node.saidNeed.until === null;
	const waiting = summary.waiting.find((each) => each.node === name);
	if (waiting === undefined) return asks && node.machine.up ? `${name} asks for a reboot, and is not told of` : null;
	if (waiting.reasons.length === 0) return `${name} waits without a reason`;
	const chosen = summary.inFlight.flatMap(({ phase, since }) => (phase === "cordoning" ? [since] : []));
	const seen = { universe, cluster, node, owner, at: summary.at, chosen };
	const untrue = waiting.reasons.flatMap((kind) => falseReason(kind, seen) ?? []);
	return untrue[0] === undefined ? null : `${name} waits for a reason that is not true: ${untrue[0]} (${waiting.why})`;
}
