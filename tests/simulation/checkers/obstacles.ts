// Why a node that needs a reboot may rightly not get one, for as long as nothing changes: read off the universe, and each one something that
// a person can act on. What is not here must come about once it is calm (L1).
import { controlKey, controlOf, partitionOf } from "../../../lib/tick/rows.ts";
import type { Scheduler } from "../processes.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { Workload } from "../universe/controllers.ts";
import type { ApiNode } from "../universe/nodes.ts";
import { first, type Universe } from "../universe.ts";
import { holds, plainMs, scopedMs, scopedWord } from "./settings-meaning.ts";

/** Whom the cluster belongs to, or who will take it; undefined: a scheduler that is not there. */
export function ownerOf(universe: Universe, cluster: Cluster): Scheduler | undefined {
	const { holder } = cluster.owner;
	if (holder !== null && holder !== "") return universe.scheduler(holder);
	return universe.schedulers.find((each) => each.current.clusters.some((target) => target.name === cluster.name)) ?? universe.scheduler(first);
}

/** It needs a person: down, held by us, and not on its way up. */
export function isStuck(node: ApiNode): boolean {
	return node.facts.mark.kind !== "none" && !node.machine.up;
}

export function obstacles(universe: Universe, cluster: Cluster, node: ApiNode): readonly string[] {
	const owner = ownerOf(universe, cluster);
	if (owner === undefined) return ["notOwner"];
	const standing = [...ofSettings(owner, cluster, node), ...ofPeople(universe, owner, node, cluster), ...ofMachine(universe, owner, cluster, node)];
	return [...standing, ...ofPods(owner, cluster, node)];
}

function ofSettings({ current, environment }: Scheduler, cluster: Cluster, node: ApiNode): readonly string[] {
	if (current.settings === null) return ["settingsWrong"];
	if (!current.clusters.some((each) => each.name === cluster.name)) return ["removed"];
	if (environment.DRY_RUN === "true") return ["dryRun"];
	return holds(environment, cluster.name, node.facts.pool).length > 0 ? ["held"] : [];
}

function ofPeople(universe: Universe, owner: Scheduler, node: ApiNode, cluster: Cluster): readonly string[] {
	const { name, hold, unschedulable } = node.facts;
	const found: string[] = [];
	if (hold !== null) found.push("held");
	const row = owner.rows.rows(partitionOf(cluster.name)).get(controlKey);
	const control = row === undefined ? null : controlOf(row.values);
	if (control?.holds.some((each) => (each.node === null || each.node === name) && (each.until === null || universe.now < each.until))) found.push("held");
	// Taken over, and left cordoned.
	if (unschedulable && node.touchedByOthersAt !== null) found.push("takenOver");
	return found;
}

function ofMachine(universe: Universe, owner: Scheduler, cluster: Cluster, node: ApiNode): readonly string[] {
	const { machine, facts } = node;
	const found: string[] = [];
	const { onSignal, pullMs } = machine.temperament;
	const rebootTimeoutMs = plainMs(owner.environment, "REBOOT_TIMEOUT", "15m");
	if (!machine.up) found.push("down");
	if (onSignal !== "reboots") found.push("machine");
	// The pod has a quarter of REBOOT_TIMEOUT to run, by the node's own clock.
	if (pullMs === null || pullMs + Math.abs(machine.clockOffsetMs) + 15_000 > rebootTimeoutMs / 4) found.push("rebootPod");
	// A boot that ended after we had asked for that counts as ended by us, whoever did it.
	const asked = node.lastMark !== null && node.lastMark.mark.bootId !== machine.bootId ? (node.lastMark.mark.askedAt ?? null) : null;
	const last = asked ?? machine.rebootedByUsAt.at(-1);
	const interval = scopedMs(owner.environment, "REBOOT_INTERVAL", "20h", cluster.name, facts.pool);
	if (last !== undefined && universe.now < last + interval) found.push("rebootedRecently");
	if (cluster.nodes.all().some((each) => each !== node && isStuck(each))) found.push("stuck");
	return found;
}

function ofPods(owner: Scheduler, cluster: Cluster, node: ApiNode): readonly string[] {
	const { environment } = owner;
	const action = scopedWord(environment, "DRAIN_TIMEOUT_ACTION", "give-up", cluster.name, node.facts.pool);
	if (action === "reboot") return [];
	const elsewhere = cluster.nodes.all().some(({ facts }) => facts !== node.facts && facts.ready && !facts.unschedulable);
	const found: string[] = [];
	for (const workload of workloadsOn(cluster, node)) {
		const { shape } = workload;
		if (environment.DRAIN_POD_SELECTOR !== undefined && !shape.labelled) continue;
		if (shape.lingers === "forGood") found.push("terminating");
		if (environment.UNMANAGED_PODS === "block" && [...workload.pods].some(({ facts }) => facts.node === node.facts.name && facts.controller === null))
			found.push("unmanaged");
		if (shape.budget === null || action === "delete") continue;
		if (shape.budget.twice || shape.budget.forGood) found.push("budget");
		// Pods that nobody makes again, or that no other node takes, use the budget up.
		else if (workload.leastHealthy > 0 && (shape.kind === "none" || !elsewhere)) found.push("budget");
	}
	return found;
}

function workloadsOn(cluster: Cluster, node: ApiNode): readonly Workload[] {
	return cluster.workloads.filter((workload) => [...workload.pods].some((pod) => pod.facts.node === node.facts.name));
}
