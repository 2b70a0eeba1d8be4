// ARM that refuses, throttles, stumbles, hangs, or answers what it should not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAuthority } from "../arm/certificates.ts";
import { entraKubeconfig, localAccountKubeconfig, tokenKubeconfig } from "../arm/kubeconfigs.ts";
import type { ArmCluster, ArmTrouble } from "../arm/server.ts";
import { aCluster, armToken, authority, endpointOf, failureOf, first, identity, staticToken, targetOf, withArm } from "./azure-clusters-fixtures.ts";

test("a 404 that is not about the cluster does not make it absent", async () => {
	const cluster = aCluster("prod-1");
	const html: ArmTrouble = { kind: "body", status: 404, contentType: "text/html", body: "<html>proxy</html>" };
	const trouble = first({ kind: "error", status: 404, code: "SubscriptionNotFound" }, html);
	await withArm({ clusters: [cluster], trouble }, async (_, open) => {
		const clusters = open();
		const failed = await failureOf(clusters.aks(targetOf(cluster)));
		assert.deepEqual([failed.failure, /SubscriptionNotFound/.test(failed.message)], ["notFound", true]);
		assert.equal((await failureOf(clusters.aks(targetOf(cluster)))).failure, "notFound");
	});
});

test("a missing right is named, for either call", async () => {
	const cluster = aCluster("prod-1");
	const message = `The client '${armToken}' does not have authorization to perform action`;
	await withArm({ clusters: [cluster], trouble: () => ({ kind: "error", status: 403, code: "AuthorizationFailed", message }) }, async (_, open) => {
		const read = await failureOf(open().aks(targetOf(cluster)));
		const credentials = await failureOf(open().credentials(targetOf(cluster)));
		assert.deepEqual([read.failure, credentials.failure], ["forbidden", "forbidden"]);
		assert.match(
			read.message,
			/AuthorizationFailed; .*Microsoft\.ContainerService\/managedClusters\/read on \/subscriptions\/.*Azure Kubernetes Service Cluster User Role/,
		);
		assert.match(credentials.message, /managedClusters\/listClusterUserCredential\/action/);
	});
});

test("a token that ARM does not accept is told as unauthorized", async () => {
	const cluster = aCluster("prod-1");
	await withArm({ clusters: [cluster], tokens: ["another"] }, async (_, open) => {
		const failed = await failureOf(open().aks(targetOf(cluster)));
		assert.deepEqual([failed.failure, failed.status], ["unauthorized", 401]);
	});
});

test("429 is told at once, however short: waiting would keep other clusters from their looks; once its time is over ARM is asked again", async () => {
	const cluster = aCluster("prod-1");
	const trouble = first({ kind: "error", status: 429, code: "TooManyRequests", retryAfterSeconds: 1 });
	let passedMs = 0;
	await withArm({ clusters: [cluster], trouble }, async (arm, open) => {
		const began = Date.now();
		const clusters = open({ now: () => began + passedMs });
		assert.equal((await failureOf(clusters.aks(targetOf(cluster)))).retryAfterMs, 1_000);
		assert.equal((await failureOf(clusters.aks(targetOf(cluster)))).failure, "throttled");
		assert.equal(arm.calls.length, 1);
		passedMs = 1_000;
		assert.equal((await clusters.aks(targetOf(cluster))).kind, "managed");
		assert.equal(arm.calls.length, 2);
	});
});

test("429 for longer than the time limit is told at once, and the subscription is left alone", async () => {
	const [one, other] = [aCluster("prod-1"), aCluster("prod-2")];
	const elsewhere: ArmCluster = { ...aCluster("prod-3"), subscriptionId: "00000000-0000-0000-0000-000000000002" };
	const trouble = first({ kind: "error", status: 429, code: "TooManyRequests", retryAfterSeconds: 60 });
	await withArm({ clusters: [one, other, elsewhere], trouble }, async (arm, open) => {
		const clusters = open();
		const startedAt = performance.now();
		const failed = await failureOf(clusters.aks(targetOf(one)));
		assert.deepEqual([failed.failure, failed.retryAfterMs], ["throttled", 60_000]);
		const next = await failureOf(clusters.credentials(targetOf(other)));
		assert.equal(next.failure, "throttled");
		assert.ok((next.retryAfterMs ?? 0) > 50_000);
		assert.equal(arm.calls.length, 1);
		assert.equal((await clusters.aks(targetOf(elsewhere))).kind, "managed");
		assert.ok(performance.now() - startedAt < 4_000, "waited in vain");
	});
});

test("an ARM that stumbles is asked again; one that stays down is told", async () => {
	const cluster = aCluster("prod-1");
	const down: ArmTrouble = { kind: "error", status: 503, code: "ServiceUnavailable" };
	await withArm({ clusters: [cluster], trouble: first(down, { kind: "cut" }) }, async (arm, open) => {
		assert.equal((await open().aks(targetOf(cluster))).kind, "managed");
		assert.equal(arm.calls.length, 3);
	});
	await withArm({ clusters: [cluster], trouble: () => down }, async (arm, open) => {
		const failed = await failureOf(open().aks(targetOf(cluster)));
		assert.deepEqual([failed.failure, failed.status, arm.calls.length], ["serverError", 503, 4]);
		assert.match(failed.message, /ServiceUnavailable/);
	});
});

test("an ARM that hangs costs the time limit and no more", async () => {
	const cluster = aCluster("prod-1");
	await withArm({ clusters: [cluster], trouble: () => ({ kind: "hang" }) }, async (_, open) => {
		const clusters = open({ limitMs: 300 });
		const startedAt = performance.now();
		const failures = await Promise.all([failureOf(clusters.aks(targetOf(cluster))), failureOf(clusters.credentials(targetOf(cluster)))]);
		assert.deepEqual(
			failures.map((each) => each.failure),
			["timedOut", "timedOut"],
		);
		assert.ok(performance.now() - startedAt < 3_000, "the time limit does not hold");
	});
});

test("an identity that hangs costs the time limit and no more", async () => {
	const cluster = aCluster("prod-1");
	await withArm({ clusters: [cluster] }, async (_, open) => {
		const { credential } = identity(() => new Promise<null>(() => {}));
		assert.equal((await failureOf(open({ limitMs: 300, credential }).aks(targetOf(cluster)))).failure, "timedOut");
	});
});

test("an ARM whose certificate our CA did not sign gets no token", async () => {
	const cluster = aCluster("prod-1");
	await withArm({ clusters: [cluster] }, async (arm, open) => {
		const failed = await failureOf(open({ armCaPem: createAuthority("ARM test authority").certPem }).aks(targetOf(cluster)));
		assert.equal(failed.failure, "untrusted");
		assert.equal(arm.calls.length, 0);
	});
});

const secretYaml = `apiVersion: v1\nclusters: [{name: kubeconfig-secret, cluster: {server: 'http://kubeconfig-secret'}}]\n`;
const garbage: { name: string; body: string; contentType?: string }[] = [
	{ name: "no JSON", body: `{"kubeconfig-secret": ${armToken}` },
	{ name: "a page of a proxy", body: "<html>kubeconfig-secret</html>", contentType: "text/html" },
	{ name: "null", body: "null" },
	{ name: "a list", body: "[1,2]" },
	{ name: "another object", body: '{"hello":"kubeconfig-secret"}' },
	{ name: "no kubeconfig", body: '{"kubeconfigs":[]}' },
	{ name: "a kubeconfig that is no YAML", body: kubeconfigs("a: [kubeconfig-secret\n b: }") },
	{ name: "a kubeconfig without contexts", body: kubeconfigs(secretYaml) },
	{ name: "an http server", body: kubeconfigs(entraKubeconfig({ name: "c", server: "http://kubeconfig-secret", caPem: authority.certPem })) },
	{ name: "a CA that is none", body: kubeconfigs(entraKubeconfig({ name: "c", server: "https://c", caPem: "kubeconfig-secret" })) },
	{
		name: "a certificate that is none",
		body: kubeconfigs(
			localAccountKubeconfig(endpointOf("c"), { certPem: "-----BEGIN CERTIFICATE-----\nkubeconfig-secret\n", keyPem: authority.keyPem }, staticToken),
		),
	},
	{ name: "a user without anything", body: kubeconfigs(tokenKubeconfig(endpointOf("c"), "")) },
];

function kubeconfigs(yaml: string): string {
	return JSON.stringify({ kubeconfigs: [{ name: "clusterUser", value: Buffer.from(yaml).toString("base64") }] });
}

for (const { name, body, contentType = "application/json" } of garbage) {
	test(`garbage is told as garbled and quotes nothing: ${name}`, async () => {
		const cluster = aCluster("prod-1");
		await withArm({ clusters: [cluster], trouble: () => ({ kind: "body", status: 200, contentType, body }) }, async (_, open) => {
			assert.equal((await failureOf(open().aks(targetOf(cluster)))).failure, "garbled");
			assert.equal((await failureOf(open().credentials(targetOf(cluster)))).failure, "garbled");
		});
	});
}

test("a kubeconfig that asks not to verify the server is refused", async () => {
	const unverified = entraKubeconfig(endpointOf("prod-1")).replaceAll(/certificate-authority-data: .*/g, "insecure-skip-tls-verify: true");
	const cluster = aCluster("prod-1", unverified);
	await withArm({ clusters: [cluster] }, async (_, open) => {
		assert.match((await failureOf(open().credentials(targetOf(cluster)))).message, /asks not to verify/);
	});
});

test("a fleet of 200 clusters has at most 60 calls under way, and one per cluster", async () => {
	const fleet = Array.from({ length: 200 }, (_, index) => aCluster(`prod-${index}`));
	const underWay = new Map<string, number>();
	let overlaps = 0;
	const trouble = async ({ resourceName }: { resourceName: string }): Promise<undefined> => {
		const count = (underWay.get(resourceName) ?? 0) + 1;
		underWay.set(resourceName, count);
		if (count > 1) overlaps++;
		await new Promise((resolve) => setTimeout(resolve, 20));
		underWay.set(resourceName, count - 1);
		return undefined;
	};
	await withArm({ clusters: fleet, trouble }, async (arm, open) => {
		const clusters = open({ limitMs: 60_000 });
		await Promise.all(fleet.flatMap((cluster) => [clusters.aks(targetOf(cluster)), clusters.credentials(targetOf(cluster))]));
		assert.equal(arm.calls.length, 400);
		assert.ok(arm.peak() <= 60 && arm.peak() > 20, `${arm.peak()} calls at once`);
		assert.equal(overlaps, 0);
	});
});

test("a cluster that hangs keeps no other waiting", async () => {
	const [hangs, works] = [aCluster("hangs"), aCluster("works")];
	const trouble = ({ resourceName }: { resourceName: string }): ArmTrouble | undefined => (resourceName === "hangs" ? { kind: "hang" } : undefined);
	await withArm({ clusters: [hangs, works], trouble }, async (_, open) => {
		const clusters = open({ limitMs: 1_000 });
		const hanging = failureOf(clusters.aks(targetOf(hangs)));
		assert.equal((await clusters.aks(targetOf(works))).kind, "managed");
		assert.equal((await hanging).failure, "timedOut");
	});
});
