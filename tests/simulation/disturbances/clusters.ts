// What befalls a cluster as a whole, and the rows that are about it.
import { namespace } from "../../../lib/plan/model.ts";
import { fleetPartition, leaseKey, partitionOf } from "../../../lib/tick/rows.ts";
import type { Cluster } from "../universe/cluster.ts";
import { first, type Universe } from "../universe.ts";
import type { ClusterEvent } from "./events.ts";

export function disturbCluster(universe: Universe, cluster: Cluster, event: ClusterEvent): void {
	const { calls } = cluster;
	cluster.note("", `event: ${event.kind}`);
	switch (event.kind) {
		case "nodeAdded":
			cluster.addNode(event.shape);
			return;
		case "poolUpgraded":
			upgradePool(cluster, event.pool, event.forMs);
			return;
		case "clusterStopped":
			if (cluster.target.kind === "kubeconfig") return;
			cluster.arm.powerState = "Stopped";
			calls.after(event.forMs, () => {
				cluster.arm.powerState = "Running";
			});
			return;
		case "clusterUpgrading":
			cluster.arm.provisioningState = "Upgrading";
			calls.after(event.forMs, () => {
				cluster.arm.provisioningState = "Succeeded";
			});
			return;
		case "namespaceDeleted":
			deleteNamespace(cluster);
			calls.after(event.forMs, () => restoreNamespace(cluster));
			return;
		case "sentinelDeleted":
			deleteDaemonSet(cluster, true);
			calls.after(event.forMs, () => restoreNamespace(cluster));
			return;
		case "daemonSetDeleted":
			deleteDaemonSet(cluster, false);
			return;
		case "ownerLeaseDeleted":
			cluster.owner.write(null);
			return;
		case "ownerLeaseWritten":
			cluster.owner.write(event.to);
			return;
		case "leaseRowDeleted":
			universe.scheduler(first)?.rows.drop(partitionOf(cluster.name), leaseKey, calls.now);
			return;
		case "fleetRowDeleted":
			universe.scheduler(first)?.rows.drop(fleetPartition, cluster.name, calls.now);
			return;
		case "budgetTightened":
			tighten(cluster, event.workload, event.forMs);
			return;
		case "workloadNamespaceEnding":
			endNamespace(cluster, event.workload, event.forMs);
			return;
		default:
			event satisfies never;
	}
}

/** AKS takes the nodes of a pool one after the other and brings new machines under new names. */
function upgradePool(cluster: Cluster, pool: string, forMs: number): void {
	cluster.arm.pools.set(pool, "Upgrading");
	const nodes = cluster.nodes.all().filter((node) => node.facts.pool === pool);
	for (const [i, node] of nodes.entries()) {
		cluster.calls.after((forMs * (i + 1)) / (nodes.length + 1), () => {
			if (cluster.nodes.get(node.facts.name) !== node) return;
			const { facts, machine } = node;
			cluster.removeNode(node);
			const shape = { pool: facts.pool, systemPool: facts.systemPool, temperament: machine.temperament, clockOffsetMs: machine.clockOffsetMs };
			cluster.addNode({ ...shape, name: `${facts.name}u`, needsReboot: false, cordoned: false, hold: null });
		});
	}
	cluster.calls.after(forMs, () => cluster.arm.pools.delete(pool));
}

function deleteNamespace(cluster: Cluster): void {
	cluster.owner.namespaceThere = false;
	cluster.owner.write(null);
	deleteDaemonSet(cluster, true);
	for (const pod of [...cluster.pods.all()]) if (pod.facts.namespace === namespace && pod.owner.kind === "reboot") cluster.terminate(pod, 0);
}

function deleteDaemonSet(cluster: Cluster, sentinel: boolean): void {
	for (const each of cluster.daemonSets) if (each.sentinel === sentinel) Object.assign(each, { there: false, goneAt: cluster.calls.now });
	for (const pod of [...cluster.pods.all()]) if (pod.owner.kind === "daemonSet" && !pod.owner.daemonSet.there) cluster.terminate(pod, null);
}

/** Somebody applies our manifests again. */
export function restoreNamespace(cluster: Cluster): void {
	cluster.owner.namespaceThere = true;
	for (const each of cluster.daemonSets) if (each.sentinel) each.there = true;
	for (const node of cluster.nodes.all()) cluster.controllers.daemonPods(node, false);
}

/** The budget leaves no room for a while. */
function tighten(cluster: Cluster, name: string, forMs: number): void {
	const workload = cluster.workloads.find((each) => each.shape.name === name);
	if (workload?.shape.budget == null) return;
	const { budget } = workload.shape;
	workload.leastHealthy = workload.shape.replicas;
	cluster.calls.after(forMs, () => {
		workload.leastHealthy = budget.minAvailable;
	});
}

function endNamespace(cluster: Cluster, name: string, forMs: number): void {
	const workload = cluster.workloads.find((each) => each.shape.name === name);
	if (workload === undefined) return;
	cluster.pods.endingNamespaces.add(workload.shape.namespace);
	for (const pod of workload.pods) cluster.terminate(pod, null);
	cluster.calls.after(forMs, () => {
		cluster.pods.endingNamespaces.delete(workload.shape.namespace);
		cluster.controllers.reconcile(workload);
	});
}

/** It is calm: everything that was away for a while is back. */
export function clearUp(cluster: Cluster): void {
	const { now } = cluster.calls;
	cluster.calm = true;
	cluster.arm.powerState = "Running";
	cluster.arm.provisioningState = "Succeeded";
	cluster.arm.pools.clear();
	cluster.pods.endingNamespaces.clear();
	restoreNamespace(cluster);
	for (const node of cluster.nodes.all()) {
		node.machine.silentUntil = Math.min(node.machine.silentUntil, now);
		cluster.kubelets.repair(node.machine);
		cluster.sentinels.lookSoon(node.machine);
	}
	for (const workload of cluster.workloads) {
		workload.leastHealthy = workload.shape.budget?.minAvailable ?? 0;
		cluster.controllers.reconcile(workload);
	}
}
