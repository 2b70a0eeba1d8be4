// AZURE_RESOURCE_MANAGER_URL: where ARM is asked, with a token for whom, and what keeps the token from going elsewhere.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { configurationOf } from "../../functions/world.ts";
import { readArmUrl } from "../../lib/azure/arm-url.ts";
import { aksScope } from "../../lib/azure/credentials.ts";
import { createAuthority } from "../arm/certificates.ts";
import { type IdentityEndpoint, startIdentityEndpoint } from "../arm/identity-endpoint.ts";
import { entraKubeconfig } from "../arm/kubeconfigs.ts";
import { type Arm, resourceIdOf, startArm } from "../arm/server.ts";
import { type Azurite, startAzurite } from "../azurite.ts";
import { freePort } from "../ports.ts";
import { buildBundle, type Host, startHost } from "./host.ts";

describe("the address of a Resource Manager", () => {
	it("is the public cloud's where the setting is left out", () => {
		assert.deepEqual(readArmUrl({}), { url: undefined });
	});

	it("is read with and without a slash at its end", () => {
		for (const text of ["https://management.usgovcloudapi.net", "https://management.usgovcloudapi.net/", "HTTPS://Management.usgovcloudapi.net"])
			assert.deepEqual(readArmUrl({ AZURE_RESOURCE_MANAGER_URL: text }), { url: "https://management.usgovcloudapi.net" }, text);
	});

	it("is never one to which a token would be sent in the clear, or one that is more than a host", () => {
		for (const text of [
			"",
			"http://127.0.0.1:1234",
			"management.azure.com",
			"https://user@arm.test",
			"https://arm.test/path",
			"https://arm.test/?sig=x",
			"ftp://arm.test",
		])
			assert.ok("problem" in readArmUrl({ AZURE_RESOURCE_MANAGER_URL: text }), text);
	});

	it("is a problem among the others, and quotes no credential", () => {
		const { settings, problems } = configurationOf({
			AZURE_RESOURCE_MANAGER_URL: "https://me:my-password@arm.test",
			CLUSTERS: "kubeconfig:c",
			MAINTENANCE_WINDOWS: "always",
		});
		assert.equal(settings, null);
		assert.deepEqual(
			problems.map(({ setting }) => setting),
			["AZURE_RESOURCE_MANAGER_URL"],
		);
		assert.doesNotMatch(JSON.stringify(problems), /my-password/);
	});
});

describe("the deployed app in another cloud", () => {
	const armToken = "token-for-this-resource-manager";
	const aksApplication = aksScope.replace(/\/\.default$/, "");
	let dir: string;
	let arm: Arm;
	let azurite: Azurite;
	let identity: IdentityEndpoint;
	let bundle: Awaited<ReturnType<typeof buildBundle>>;
	const hosts: Host[] = [];

	before(async () => {
		bundle = await buildBundle();
		dir = mkdtempSync(join(tmpdir(), "other-cloud-"));
		azurite = await startAzurite();
		const cluster = { name: "aks", server: `https://127.0.0.1:${await freePort()}`, caPem: createAuthority().certPem };
		const managed = { provisioningState: "Succeeded", powerState: { code: "Running" } };
		const subscriptionId = "00000000-0000-0000-0000-000000000001";
		arm = await startArm({
			tokens: [armToken],
			clusters: [{ subscriptionId, resourceGroup: "rg", resourceName: "aks", managed, kubeconfig: entraKubeconfig(cluster) }],
		});
		writeFileSync(join(dir, "ca.pem"), arm.caPem);
		identity = await startIdentityEndpoint({ [arm.url]: armToken, [aksApplication]: "token-for-clusters" });
	});
	after(async () => {
		await Promise.all([...hosts.map((host) => host.stop()), identity?.stop(), arm?.stop(), azurite?.stop()]);
		bundle?.remove();
		if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
	});

	async function whyFailed(env: Readonly<Record<string, string>>): Promise<string> {
		const settings = { CLUSTERS: [...arm.clusters.values()].map(resourceIdOf).join(";"), MAINTENANCE_WINDOWS: "always" };
		const connection = { AzureWebJobsStorage: azurite.connectionString, AZURE_RESOURCE_MANAGER_URL: arm.url };
		const host = await startHost(bundle.app, { ...settings, ...connection, ...identity.env, ...env });
		hosts.push(host);
		const { logs } = await host.tick();
		const failed = logs.map(({ text }) => JSON.parse(text) as { event: string; why?: string }).find(({ event }) => event === "tick.failed");
		return failed?.why ?? "";
	}

	it("sends no token to a Resource Manager whose certificate is not trusted", async () => {
		const why = await whyFailed({ STATE_TABLE: "untrusted" });
		assert.match(why, /^getting credentials of cluster aks from ARM: the server's certificate is not accepted \(\w+\)$/);
		assert.deepEqual(arm.calls, []);
	});

	it("asks for a token for this Resource Manager and no other, and then for one for the clusters", async () => {
		const before = identity.asked.length;
		const why = await whyFailed({ STATE_TABLE: "trusted", NODE_EXTRA_CA_CERTS: join(dir, "ca.pem") });
		assert.ok(arm.calls.some(({ operation }) => operation === "credentials"));
		assert.deepEqual([...new Set(identity.asked.slice(before))], [arm.url, aksApplication]);
		// The way led to the cluster itself, which is not there.
		assert.match(why, /ECONNREFUSED/);
	});
});
