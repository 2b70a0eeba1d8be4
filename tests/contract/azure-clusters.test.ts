// Clusters through ARM: the real SDK over TLS against an ARM of our own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionOf } from "../../lib/azure/credentials.ts";
import type { ClusterTarget } from "../../lib/plan/policy.ts";
import { authProviderKubeconfig, entraKubeconfig, localAccountKubeconfig, tokenKubeconfig } from "../arm/kubeconfigs.ts";
import { type ArmTrouble, resourceIdOf } from "../arm/server.ts";
import { aCluster, authority, caData, dayMs, endpointOf, failureOf, first, staticToken, targetOf, withArm } from "./azure-clusters-fixtures.ts";

test("a cluster and its pools are told as ARM has them", async () => {
	const cluster = aCluster("prod-1");
	await withArm({ clusters: [cluster] }, async (_, open) => {
		assert.deepEqual(await open().aks(targetOf(cluster)), {
			kind: "managed",
			provisioningState: "Succeeded",
			powerState: "Running",
			pools: [
				{ name: "system", provisioningState: "Succeeded", powerState: "Running" },
				{ name: "batch", provisioningState: "Upgrading", powerState: "Stopped" },
			],
		});
	});
});

test("what ARM leaves out is unknown, never running", async () => {
	const cluster = aCluster("prod-1");
	cluster.managed = { provisioningState: "Creating", agentPoolProfiles: [{ name: "new" }] };
	await withArm({ clusters: [cluster] }, async (_, open) => {
		const expected = {
			kind: "managed",
			provisioningState: "Creating",
			powerState: "unknown",
			pools: [{ name: "new", provisioningState: "unknown", powerState: "unknown" }],
		};
		assert.deepEqual(await open().aks(targetOf(cluster)), expected);
	});
});

test("a cluster that ARM does not know is absent; its credentials fail by its resource id", async () => {
	const cluster = aCluster("gone");
	await withArm({ clusters: [] }, async (_, open) => {
		const clusters = open();
		assert.deepEqual(await clusters.aks(targetOf(cluster)), { kind: "absent" });
		const failed = await failureOf(clusters.credentials(targetOf(cluster)));
		assert.equal(failed.failure, "notFound");
		assert.match(failed.message, /ResourceNotFound/);
		assert.ok(failed.message.includes(resourceIdOf(cluster)));
	});
});

test("a cluster that is reached by a kubeconfig is none of ARM's", async () => {
	await withArm({ clusters: [] }, async (arm, open) => {
		const target: ClusterTarget = { name: "kind", kind: "kubeconfig", context: "kind" };
		assert.deepEqual(await open().aks(target), { kind: "notManaged" });
		assert.equal((await failureOf(open().credentials(target))).failure, "invalid");
		assert.equal(arm.calls.length, 0);
	});
});

for (const [form, kubeconfig] of [
	["exec kubelogin", entraKubeconfig(endpointOf("prod-1"))],
	["auth-provider azure", authProviderKubeconfig(endpointOf("prod-1"))],
] as const) {
	test(`a cluster with Entra ID gives its server and CA, to be remembered (${form})`, async () => {
		const cluster = aCluster("prod-1", kubeconfig);
		await withArm({ clusters: [cluster] }, async (arm, open) => {
			const credential = await open().credentials(targetOf(cluster));
			assert.deepEqual(credential, { server: endpointOf("prod-1").server, caData, auth: { kind: "entra" } });
			assert.deepEqual(connectionOf(credential), { server: credential.server, caData });
			assert.deepEqual(
				arm.calls.map((call) => call.operation),
				["credentials"],
			);
		});
	});
}

test("a cluster without Entra ID gives the client certificate of its current user, and nothing to remember", async () => {
	const certificate = authority.issue({ commonName: "masterclient", organization: "system:masters" });
	const cluster = aCluster("prod-1", localAccountKubeconfig(endpointOf("prod-1"), certificate, staticToken));
	await withArm({ clusters: [cluster] }, async (_, open) => {
		const credential = await open().credentials(targetOf(cluster));
		assert.ok(credential.auth.kind === "certificate");
		assert.equal(Buffer.from(credential.auth.certData, "base64").toString(), certificate.certPem);
		assert.equal(Buffer.from(credential.auth.keyData, "base64").toString(), certificate.keyPem);
		assert.equal(connectionOf(credential), undefined);
	});
});

test("a user with a token alone is used by its token", async () => {
	const cluster = aCluster("prod-1", tokenKubeconfig(endpointOf("prod-1"), staticToken));
	await withArm({ clusters: [cluster] }, async (_, open) => {
		assert.deepEqual((await open().credentials(targetOf(cluster))).auth, { kind: "token", token: staticToken });
	});
});

test("credentials are asked for once, until they are said to be wrong", async () => {
	const cluster = aCluster("prod-1");
	await withArm({ clusters: [cluster] }, async (arm, open) => {
		const clusters = open();
		const target = targetOf(cluster);
		const [used] = await Promise.all([clusters.credentials(target), clusters.credentials(target), clusters.credentials(target)]);
		await clusters.credentials(target);
		assert.equal(arm.calls.length, 1);
		cluster.kubeconfig = entraKubeconfig(endpointOf("prod-1-made-anew"));
		clusters.invalidate(target, used);
		assert.equal((await clusters.credentials(target)).server, endpointOf("prod-1-made-anew").server);
		// A second request that had used the old one comes back late with its 401.
		clusters.invalidate(target, used);
		await clusters.credentials(target);
		assert.equal(arm.calls.length, 2);
	});
});

test("what an earlier instance remembered needs no ARM, until it is said to be wrong", async () => {
	const cluster = aCluster("prod-1");
	await withArm({ clusters: [cluster] }, async (arm, open) => {
		const clusters = open();
		const target = targetOf(cluster);
		const remembered = { server: "https://remembered.invalid", caData };
		assert.deepEqual(await clusters.credentials(target, remembered), { ...remembered, auth: { kind: "entra" } });
		assert.equal(arm.calls.length, 0);
		clusters.invalidate(target);
		assert.equal((await clusters.credentials(target, remembered)).server, endpointOf("prod-1").server);
		assert.equal(arm.calls.length, 1);
	});
});

test("a client certificate is renewed before it ends; while ARM is away the one that still holds is used", async () => {
	const now = Date.now();
	const certificate = authority.issue({ commonName: "masterclient", notAfter: new Date(now + 10 * dayMs) });
	const cluster = aCluster("prod-1", localAccountKubeconfig(endpointOf("prod-1"), certificate, staticToken));
	let passedMs = 0;
	let away = false;
	const trouble = (): ArmTrouble | undefined => (away ? { kind: "error", status: 403, code: "AuthorizationFailed" } : undefined);
	await withArm({ clusters: [cluster], trouble }, async (arm, open) => {
		const clusters = open({ now: () => now + passedMs });
		const target = targetOf(cluster);
		const old = await clusters.credentials(target);
		passedMs = 9 * dayMs;
		await clusters.credentials(target);
		assert.equal(arm.calls.length, 1);
		passedMs = 10 * dayMs - 30 * 60_000;
		away = true;
		assert.equal(await clusters.credentials(target), old);
		assert.equal(arm.calls.length, 2);
		away = false;
		cluster.kubeconfig = localAccountKubeconfig(
			endpointOf("prod-1"),
			authority.issue({ commonName: "masterclient", notAfter: new Date(now + 20 * dayMs) }),
			staticToken,
		);
		assert.notDeepEqual(await clusters.credentials(target), old);
	});
});

test("the state of a cluster is read once a minute, and a failure is not remembered", async () => {
	const cluster = aCluster("prod-1");
	const now = Date.now();
	let passedMs = 0;
	const trouble = first({ kind: "error", status: 403, code: "AuthorizationFailed" });
	await withArm({ clusters: [cluster], trouble }, async (arm, open) => {
		const clusters = open({ now: () => now + passedMs });
		const target = targetOf(cluster);
		await failureOf(clusters.aks(target));
		await Promise.all([clusters.aks(target), clusters.aks(target)]);
		passedMs = 59_000;
		await clusters.aks(target);
		assert.equal(arm.calls.length, 2);
		cluster.managed = { ...cluster.managed, provisioningState: "Upgrading" };
		passedMs = 60_000;
		const facts = await clusters.aks(target);
		assert.equal(facts.kind === "managed" && facts.provisioningState, "Upgrading");
	});
});
