// What the suites on ARM share.
import assert from "node:assert/strict";
import type { AccessToken, TokenCredential } from "@azure/identity";
import { AksClusters, type AksClustersOptions } from "../../lib/azure/clusters.ts";
import type { ClusterTarget } from "../../lib/plan/policy.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import { createAuthority } from "../arm/certificates.ts";
import { entraKubeconfig } from "../arm/kubeconfigs.ts";
import { type Arm, type ArmCluster, type ArmOptions, type ArmTrouble, resourceIdOf, startArm } from "../arm/server.ts";

export const subscriptionId = "00000000-0000-0000-0000-000000000001";
export const authority = createAuthority("cluster CA");
export const caData = Buffer.from(authority.certPem).toString("base64");
export const armToken = "arm-token-that-must-stay-secret";
export const staticToken = "static-token-that-must-stay-secret";
export const dayMs = 24 * 60 * 60_000;

export function endpointOf(name: string) {
	return { name, server: `https://${name}.hcp.westeurope.azmk8s.io:443`, caPem: authority.certPem };
}

export function aCluster(name: string, kubeconfig = entraKubeconfig(endpointOf(name))): ArmCluster {
	const agentPoolProfiles = [
		{ name: "system", provisioningState: "Succeeded", powerState: { code: "Running" } },
		{ name: "batch", provisioningState: "Upgrading", powerState: { code: "Stopped" } },
	];
	return {
		subscriptionId,
		resourceGroup: "rg-fleet",
		resourceName: name,
		managed: { provisioningState: "Succeeded", powerState: { code: "Running" }, agentPoolProfiles },
		kubeconfig,
	};
}

export function targetOf(cluster: ArmCluster): ClusterTarget {
	const { resourceGroup, resourceName } = cluster;
	return { name: resourceName, kind: "aks", resourceId: resourceIdOf(cluster), subscriptionId: cluster.subscriptionId, resourceGroup, resourceName };
}

/** An identity that counts how often it was asked. */
export function identity(next: () => AccessToken | null | Promise<AccessToken | null> = () => ({ token: armToken, expiresOnTimestamp: Date.now() + dayMs })) {
	const scopes: string[] = [];
	const credential: TokenCredential = {
		async getToken(scope) {
			scopes.push(String(scope));
			return await next();
		},
	};
	return { credential, scopes };
}

export async function withArm(options: ArmOptions, run: (arm: Arm, open: (more?: Partial<AksClustersOptions>) => AksClusters) => Promise<void>): Promise<void> {
	const arm = await startArm({ tokens: [armToken], ...options });
	try {
		await run(arm, (more = {}) => new AksClusters({ credential: identity().credential, armUrl: arm.url, armCaPem: arm.caPem, limitMs: 5_000, ...more }));
	} finally {
		await arm.stop();
	}
}

/** Every secret that a message could hold. */
export const secrets = [armToken, staticToken, caData, authority.keyPem, "BEGIN", "kubeconfig-secret"];

export async function failureOf(call: Promise<unknown>): Promise<CallError> {
	const error = await call.then(
		() => assert.fail("expected the call to fail"),
		(reason: unknown) => reason,
	);
	assert.ok(error instanceof CallError, `expected a CallError, got ${error}`);
	for (const secret of secrets) assert.ok(!error.message.includes(secret), `a message holds a secret: ${secret}`);
	assert.equal(error.cause, undefined);
	assert.equal(error.mayHaveApplied, false);
	return error;
}

/** Troubles in the order given, then none. */
export function first(...troubles: ArmTrouble[]): () => ArmTrouble | undefined {
	return () => troubles.shift();
}
