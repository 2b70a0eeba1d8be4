// Worlds for named scenarios: small, healthy, and without faults unless a scenario says otherwise.
import type { Environment, Scenario } from "../scenario.ts";
import type { ClusterShape, NodeShape } from "../universe/cluster.ts";
import type { Budget, WorkloadShape } from "../universe/controllers.ts";
import type { Temperament } from "../universe/kubelets.ts";

export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;
/** A Saturday, 00:00 UTC. */
const startAt = Date.UTC(2026, 10, 28);

const soundMachine: Temperament = {
	onSignal: "reboots",
	shutdownMs: 5 * second,
	bootMs: 30 * second,
	readyMs: 5 * second,
	servicesMs: 5 * second,
	alwaysNeeds: false,
	pullMs: 2 * second,
};

/** A node that waits for a reboot, on a machine in order. */
export function node(
	name: string,
	{ machine = {}, ...changes }: Partial<Omit<NodeShape, "temperament">> & { readonly machine?: Partial<Temperament> } = {},
): NodeShape {
	const temperament = { ...soundMachine, ...machine };
	return { name, pool: "np1", systemPool: false, temperament, clockOffsetMs: 0, needsReboot: true, cordoned: false, hold: null, ...changes };
}

/** A node that needs nothing, where pods of others find room. */
export function spareNode(name: string): NodeShape {
	return node(name, { needsReboot: false });
}

export function workload(name: string, changes: Partial<WorkloadShape> = {}): WorkloadShape {
	const shape = { kind: "ReplicaSet" as const, replicas: 2, budget: null, toleratesCordon: false, emptyDir: false, labelled: true, lingers: "no" as const };
	return { name, namespace: `ns-${name}`, ...shape, startMs: 2 * second, stopMs: 2 * second, graceSeconds: 30, ...changes };
}

/** A budget that leaves room for none, for good: a person has to see to it. */
export function tightBudget(replicas: number): Budget {
	return { minAvailable: replicas, twice: false, unhealthyMayGo: false, forGood: true };
}

export function cluster(nodes: readonly NodeShape[], workloads: readonly WorkloadShape[] = [], name = "prod"): ClusterShape {
	return { target: { name, kind: "kubeconfig", context: name }, nodes, workloads };
}

export function aksCluster(nodes: readonly NodeShape[], workloads: readonly WorkloadShape[] = [], name = "prod"): ClusterShape {
	const resourceId = `/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/${name}`;
	return { target: { name, kind: "aks", resourceId, subscriptionId: "s", resourceGroup: "g", resourceName: name }, nodes, workloads };
}

/** Settings for one cluster or more: every window open. */
export function settings(clusters: readonly ClusterShape[], changes: Environment = {}): Environment {
	const named = clusters.map(({ target }) => `${target.name}=${target.kind === "aks" ? target.resourceId : `kubeconfig:${target.context}`}`);
	return { CLUSTERS: named.join(";"), MAINTENANCE_WINDOWS: "always", PROBATION: "0s", ...changes };
}

export function world(
	name: string,
	clusters: readonly ClusterShape[],
	{ environments = [{}], ...changes }: Partial<Omit<Scenario, "name" | "clusters" | "settings">> & { readonly environments?: readonly Environment[] } = {},
): Scenario {
	const [first = settings(clusters), ...later] = environments.map((each) => settings(clusters, each));
	return {
		name,
		seed: 1,
		startAt,
		weatherMs: 20 * minute,
		calmMs: 4 * hour,
		inFlightEveryMs: 3 * second,
		clusters,
		settings: [first, ...later],
		faults: { kind: "seeded", rates: {} },
		outages: [],
		events: [],
		...changes,
	};
}
