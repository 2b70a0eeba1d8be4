// The lab's side of a bench in a process of its own: one API server with seeded nodes and pods, and an ARM API whose clusters all lead to it.
import { createAuthority } from "../arm/certificates.ts";
import { type IdentityEndpoint, startIdentityEndpoint } from "../arm/identity-endpoint.ts";
import { entraKubeconfig } from "../arm/kubeconfigs.ts";
import { type Arm, type ArmCluster, resourceIdOf, startArm } from "../arm/server.ts";
import { aksThrottling, throttledAs } from "../arm/throttling.ts";
import { type LabCluster, startLabCluster } from "../lab/kubernetes/cluster.ts";
import { shippedManifests } from "../lab/manifests.ts";
import { apply } from "../real/workloads.ts";
import { nodesWithPods, sentinel } from "./cluster-objects.ts";
import type { FleetReached, Reached } from "./clusters.ts";
import { serve } from "./processes.ts";

/** The application that tokens for clusters are asked for (AKS' own). */
const aksApplication = "6dae42f8-4368-4678-94ff-3960e28e3630";
const subscriptionId = "00000000-0000-0000-0000-0000000000bb";
const armToken = "token-for-arm";
const clusterToken = "token-for-clusters";

let cluster: LabCluster;
let arm: Arm;
let identity: IdentityEndpoint;
let daemonSetUid = "";

async function start(): Promise<Reached> {
	cluster = await startLabCluster({ controllers: false, users: [{ name: "entra", token: clusterToken }] });
	await apply(cluster.api, shippedManifests("entra"));
	const daemonSet = await cluster.api.get<{ metadata: { uid: string } }>("/apis/apps/v1/namespaces/aks-reboot-scheduler/daemonsets/sentinel");
	daemonSetUid = daemonSet.metadata.uid;
	return { url: cluster.url, caPem: cluster.caPem, token: clusterToken };
}

function grow({ from, before }: { from: number; before: number }): void {
	for (const object of nodesWithPods(from, before, daemonSetUid)) cluster.seed(object);
}

function ask({ nodes, asking }: { nodes: number; asking: boolean }): void {
	for (let index = 0; index < nodes; index++) cluster.seed(sentinel(index, daemonSetUid, asking));
}

async function count({ nodes }: { nodes: number }): Promise<void> {
	const status = { desiredNumberScheduled: nodes, currentNumberScheduled: nodes, numberReady: nodes, numberMisscheduled: 0 };
	await cluster.api.patch("/apis/apps/v1/namespaces/aks-reboot-scheduler/daemonsets/sentinel/status", { status });
}

function armCluster(index: number): ArmCluster {
	const name = `prod-${String(index).padStart(4, "0")}`;
	const running = { provisioningState: "Succeeded", powerState: { code: "Running" } } as const;
	const kubeconfig = entraKubeconfig({ name, server: cluster.url, caPem: cluster.caPem });
	return { subscriptionId, resourceGroup: `rg-${name}`, resourceName: name, managed: { ...running, agentPoolProfiles: [] }, kubeconfig };
}

/** All clusters are this one: none of them has anything to do, so none asks who it is. */
async function startFleet({ clusters }: { clusters: number }): Promise<FleetReached> {
	const managed = Array.from({ length: clusters }, (_, index) => armCluster(index));
	arm = await startArm({ clusters: managed, tokens: [armToken], trouble: throttledAs(aksThrottling), authority: createAuthority("ARM of the bench") });
	identity = await startIdentityEndpoint({ [arm.url]: armToken, [aksApplication]: clusterToken });
	const env = { CLUSTERS: managed.map(resourceIdOf).join(";"), MAINTENANCE_WINDOWS: "always", AZURE_RESOURCE_MANAGER_URL: arm.url, ...identity.env };
	return { env, armCaPem: arm.caPem };
}

serve({ start, grow, ask, count, startFleet, armCalls: () => arm.calls.length });
