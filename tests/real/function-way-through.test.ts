// The whole way of the deployed app: the bundle, invoked as the host does it; a token of the managed identity, taken by the real library;
// credentials from ARM over HTTPS; the state in Azurite; and a node of a real control plane that is rebooted.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { aksScope } from "../../lib/azure/credentials.ts";
import { createAuthority, type IssuedCertificate } from "../arm/certificates.ts";
import { type IdentityEndpoint, startIdentityEndpoint } from "../arm/identity-endpoint.ts";
import { entraKubeconfig, localAccountKubeconfig } from "../arm/kubeconfigs.ts";
import { type Arm, type ArmCluster, resourceIdOf, startArm } from "../arm/server.ts";
import { buildBundle, type Host, startHost } from "../functions/host.ts";
import type { Invoked } from "../functions/worker.ts";
import { assertTidy, nodeOf, waitsFor } from "./expectations.ts";
import { quickSettings, type Scenario, startScenario } from "./scenario.ts";
import { deployment } from "./workloads.ts";

const armToken = "token-for-the-resource-manager-alone";
const unknownToken = "token-that-no-api-server-accepts";
const aksApplication = aksScope.replace(/\/\.default$/, "");
const localAdmin = "local-admin";
/** A whole reboot with everything, on a slow machine. */
const patienceMs = 180_000;

interface StatusJson {
	readonly clusters: readonly {
		readonly name: string;
		readonly waiting: readonly { readonly node: string; readonly why: string; readonly packages: readonly string[] }[];
		readonly inFlight: readonly { readonly node: string; readonly phase: string; readonly deadline: string | null }[];
		readonly ended: readonly { readonly node: string; readonly end: string; readonly kernelBefore: string; readonly kernelAfter: string | null }[];
	}[];
}

describe("the deployed app", () => {
	let scenario: Scenario;
	let arm: Arm;
	let identity: IdentityEndpoint;
	let bundle: Awaited<ReturnType<typeof buildBundle>>;
	let dir: string;
	let clientCertificate: IssuedCertificate;
	const hosts: Host[] = [];
	/** Everything that functions said and answered. */
	const said: Invoked[] = [];

	const cluster = (resourceName: string, kubeconfig: string): ArmCluster => {
		const agentPoolProfiles = [{ name: "nodes", provisioningState: "Succeeded", powerState: { code: "Running" } }];
		const managed = { provisioningState: "Succeeded", powerState: { code: "Running" }, agentPoolProfiles };
		return { subscriptionId: "00000000-0000-0000-0000-000000000001", resourceGroup: "rg-fleet", resourceName, managed, kubeconfig };
	};

	before(async () => {
		bundle = await buildBundle();
		dir = mkdtempSync(join(tmpdir(), "way-through-"));
		const clients = createAuthority("client CA");
		clientCertificate = clients.issue({ commonName: localAdmin, organization: "system:masters" });
		writeFileSync(join(dir, "client-ca.pem"), clients.certPem);
		const node = { kernelVersion: "5.15.0-1081-azure" } as const;
		scenario = await startScenario({
			nodes: [
				{ name: "node-1", ...node, needsReboot: waitsFor(60), settings: { bootMs: 8_000 } },
				{ name: "node-2", ...node },
			],
			workloads: [deployment("web", 2, { budget: { maxUnavailable: 1 } })],
			controlPlane: { apiServerFlags: [`--client-ca-file=${join(dir, "client-ca.pem")}`] },
		});
		const { url: server, caPem } = scenario.controlPlane;
		arm = await startArm({
			tokens: [armToken],
			clusters: [
				cluster("aks-entra", entraKubeconfig({ name: "aks-entra", server, caPem })),
				// As AKS makes them: a certificate and a token of one user. The token is wrong, so that it is known which one was used.
				cluster("aks-local", localAccountKubeconfig({ name: "aks-local", server, caPem }, clientCertificate, unknownToken)),
			],
		});
		writeFileSync(join(dir, "arm-ca.pem"), arm.caPem);
		identity = await startIdentityEndpoint({ [arm.url]: armToken, [aksApplication]: scenario.controlPlane.token("scheduler") });
	});

	after(async () => {
		await Promise.all(hosts.map((host) => host.stop()));
		await Promise.all([identity?.stop(), arm?.stop(), scenario?.stop()]);
		bundle?.remove();
		if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
	});

	/** A new instance of the app, as the platform would start it. */
	async function instance(env: Readonly<Record<string, string>> = {}): Promise<Host> {
		const host = await startHost(bundle.app, {
			...quickSettings,
			CLUSTERS: [...arm.clusters.values()]
				.filter(({ resourceName }) => resourceName === "aks-entra")
				.map(resourceIdOf)
				.join(";"),
			AzureWebJobsStorage: scenario.azurite.connectionString,
			AZURE_RESOURCE_MANAGER_URL: arm.url,
			NODE_EXTRA_CA_CERTS: join(dir, "arm-ca.pem"),
			...identity.env,
			...env,
		});
		hosts.push(host);
		return host;
	}

	async function statusOf(host: Host): Promise<StatusJson> {
		const invoked = await host.status({ accept: "application/json" });
		said.push(invoked);
		assert.equal(invoked.http?.status, 200);
		return JSON.parse(invoked.http.body) as StatusJson;
	}

	/** The timer, due again and again, until the page says so; every invocation must succeed. */
	async function ticksUntil(host: Host, what: string, holds: (status: StatusJson) => boolean): Promise<void> {
		const endsAt = Date.now() + patienceMs;
		for (;;) {
			const invoked = await host.tick();
			said.push(invoked);
			assert.equal(invoked.error, null);
			if (holds(await statusOf(host))) return;
			if (Date.now() > endsAt) throw new Error(`waiting until ${what}: not so; the last round said:\n${invoked.logs.map(({ text }) => text).join("\n")}`);
			await delay(1_000);
		}
	}

	const ended = (status: StatusJson, node: string) => status.clusters.flatMap((each) => each.ended).find((each) => each.node === node);
	const callsOf = (operation: string, resourceName: string) =>
		arm.calls.filter((call) => call.operation === operation && call.resourceName === resourceName).length;

	it("reboots a node of an Entra cluster, though the instance that began it is lost half way", async () => {
		const timer = await instance();
		const page = await instance();
		const round = timer.tick().catch((error: unknown) => error);
		let phase = "";
		const endsAt = Date.now() + patienceMs;
		while (phase !== "rebooting" && Date.now() < endsAt) {
			const [seen] = (await statusOf(page)).clusters.flatMap((each) => each.inFlight);
			phase = seen?.phase ?? "";
			if (seen !== undefined) assert.equal(seen.node, "node-1");
			await delay(100);
		}
		assert.equal(phase, "rebooting");
		await timer.stop();
		assert.ok((await round) instanceof Error, "the round was cut off");
		assert.equal((await nodeOf(scenario, "node-1")).spec.unschedulable, true);
		await ticksUntil(await instance(), "node-1 has ended", (status) => ended(status, "node-1") !== undefined);
		await page.stop();

		const { fleet } = scenario;
		assert.deepEqual(
			fleet.reboots().map(({ node, cause }) => [node, cause]),
			[["node-1", "pod"]],
		);
		assert.equal(fleet.node("node-1").signals, 1);
		assert.equal((await nodeOf(scenario, "node-1")).status?.nodeInfo?.kernelVersion, "5.15.0-1082-azure");
		await assertTidy(scenario);
	});

	it("shows people that reboot", async () => {
		const host = hosts.at(-1);
		assert.ok(host);
		const { end, kernelBefore, kernelAfter } = ended(await statusOf(host), "node-1") ?? {};
		assert.deepEqual([end, kernelBefore, kernelAfter], ["done", "5.15.0-1081-azure", "5.15.0-1082-azure"]);
		const page = await host.status({ accept: "text/html" });
		said.push(page);
		assert.match(page.http?.body ?? "", /<b>node-1<\/b>.*rebooted and in service.*5\.15\.0-1081-azure → 5\.15\.0-1082-azure/);
	});

	it("asks for a token of each resource by its own name, and ARM for credentials once: the next instance remembers the way", () => {
		assert.deepEqual([...new Set(identity.asked)].sort(), [aksApplication, arm.url].sort());
		assert.equal(callsOf("credentials", "aks-entra"), 1);
		assert.ok(callsOf("get", "aks-entra") >= 1);
	});

	it("acts in the cluster as its identity alone", () => {
		const since = Date.parse(scenario.controlPlane.requests({ user: "scheduler" })[0]?.requestReceivedTimestamp ?? "");
		assert.ok(scenario.controlPlane.requests({ user: "scheduler", verb: "patch", resource: "nodes", name: "node-1", writes: true }).length > 0);
		assert.deepEqual(scenario.controlPlane.requests({ user: localAdmin, since }), []);
	});

	it("reboots a node of a cluster with local accounts by the certificate that ARM hands out, and stores nothing of it", async () => {
		const since = Date.now();
		await hosts.at(-1)?.stop();
		scenario.fleet.node("node-2").needReboot(waitsFor(30));
		const local = [...arm.clusters.values()].filter(({ resourceName }) => resourceName === "aks-local").map(resourceIdOf);
		const host = await instance({ CLUSTERS: local.join(";") });
		await ticksUntil(host, "node-2 has ended", (status) => ended(status, "node-2") !== undefined);
		assert.equal(ended(await statusOf(host), "node-2")?.end, "done");
		assert.deepEqual(
			scenario.fleet.reboots().map(({ node }) => node),
			["node-1", "node-2"],
		);
		await assertTidy(scenario);
		assert.ok(scenario.controlPlane.requests({ user: localAdmin, since, verb: "patch", resource: "nodes", name: "node-2" }).length >= 2);
		assert.deepEqual(scenario.controlPlane.requests({ user: "scheduler", since }), []);
		const fleetRow = [...(await scenario.rows())].find(([key]) => key.endsWith("/fleet/aks-local"))?.[1] ?? "";
		assert.match(fleetRow, /"clusterUid"/);
		assert.doesNotMatch(fleetRow, /"server"|"caData"/);
	});

	it("tells no token, key or certificate in a log, a page or a row", async () => {
		const keyLines = clientCertificate.keyPem.split("\n").filter((line) => line.length > 40 && !line.startsWith("---"));
		const secrets = [
			armToken,
			unknownToken,
			identity.env.IDENTITY_HEADER,
			...keyLines,
			...keyLines.map((line) => Buffer.from(line).toString("base64").slice(4, -4)),
		];
		assert.deepEqual(await scenario.leaks(secrets), []);
		const texts = JSON.stringify([said, hosts.map((host) => host.output())]);
		assert.ok(said.length > 5 && texts.includes("reboot.ended"));
		for (const secret of [...secrets, ...scenario.controlPlane.secrets()]) assert.ok(!texts.includes(secret));
	});
});
