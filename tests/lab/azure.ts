// Azure, as far as the scheduler sees it: the Resource Manager that knows the fleet, and the identity that it speaks as.
import type { Authority } from "../arm/certificates.ts";
import { type IdentityEndpoint, startIdentityEndpoint } from "../arm/identity-endpoint.ts";
import { entraKubeconfig, localAccountKubeconfig, tokenKubeconfig } from "../arm/kubeconfigs.ts";
import { type Arm, type ArmCluster, type ArmOptions, resourceIdOf, startArm } from "../arm/server.ts";
import type { ClusterSpec } from "./fleet.ts";
import { armAuthority, clientAuthority } from "./keys.ts";
import type { LabKeys } from "./state.ts";

/** Object id of the function app's identity: whom the shipped rights are bound to. */
export const schedulerObjectId = "7a3c1f0e-52b4-4d7e-9a61-0c5d2f84b913";
/** In the kubeconfig of a cluster with a token alone. */
export const tokenUser = "cluster-user";
/** The application "Azure Kubernetes Service AAD Server", which tokens for clusters are asked for. */
const aksApplication = "6dae42f8-4368-4678-94ff-3960e28e3630";
const subscriptionId = "00000000-0000-0000-0000-0000000000aa";

interface Reached {
	readonly spec: ClusterSpec;
	readonly url: string;
	readonly caPem: string;
}

export interface Azure {
	readonly arm: Arm;
	readonly identity: IdentityEndpoint;
	/** Resource ids of the fleet, in its order. */
	readonly resourceIds: readonly string[];
}

export async function startAzure(clusters: readonly Reached[], keys: LabKeys, trouble: NonNullable<ArmOptions["trouble"]>): Promise<Azure> {
	const clients = clientAuthority(keys);
	const managed = clusters.map((each) => armCluster(each, keys, clients));
	const { ports, armToken, clusterToken, identityHeader } = keys;
	const arm = await startArm({ clusters: managed, tokens: [armToken], trouble, authority: armAuthority(keys), port: ports.arm });
	const tokens = { [arm.url]: armToken, [aksApplication]: clusterToken };
	const identity = await startIdentityEndpoint(tokens, { port: ports.identity, secret: identityHeader });
	return { arm, identity, resourceIds: managed.map(resourceIdOf) };
}

function armCluster({ spec, url, caPem }: Reached, keys: LabKeys, clients: Authority): ArmCluster {
	const { name, resourceGroup } = spec;
	const running = { provisioningState: "Succeeded", powerState: { code: "Running" } };
	const autoUpgradeProfile = { nodeOSUpgradeChannel: "Unmanaged" };
	const managed = { ...running, autoUpgradeProfile, agentPoolProfiles: poolsOf(spec).map((pool) => ({ ...pool, osType: "Linux", ...running })) };
	return { subscriptionId, resourceGroup, resourceName: name, managed, kubeconfig: kubeconfigOf(spec, { name, server: url, caPem }, keys, clients) };
}

function poolsOf({ nodes }: ClusterSpec): { readonly name: string; readonly count: number; readonly mode: "System" | "User" }[] {
	const byName = Map.groupBy(nodes, (node) => node.pool ?? "default");
	return [...byName].map(([name, members]) => ({ name, count: members.length, mode: members[0]?.mode === "system" ? "System" : "User" }));
}

function kubeconfigOf(spec: ClusterSpec, cluster: Parameters<typeof entraKubeconfig>[0], keys: LabKeys, clients: Authority): string {
	switch (spec.credentials) {
		case "entra":
			return entraKubeconfig(cluster);
		case "localAccount":
			// As AKS makes them: a certificate and a token of one cluster admin.
			return localAccountKubeconfig(cluster, clients.issue({ commonName: "masterclient", organization: "system:masters" }), keys.userToken);
		case "token":
			return tokenKubeconfig(cluster, keys.userToken);
		default:
			return spec.credentials satisfies never;
	}
}
