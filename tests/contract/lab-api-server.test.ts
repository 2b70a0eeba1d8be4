// The lab's API server where no comparison with a real one is possible or needed: what it refuses to simulate, troubles on demand,
// callers of every kind, and an end and a new beginning.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Agent, fetch } from "undici";
import { openCluster } from "../../lib/kubernetes/client.ts";
import type { Credential } from "../../lib/kubernetes/credentials.ts";
import { createAuthority, type IssuedCertificate } from "../arm/certificates.ts";
import { type LabCluster, startLabCluster } from "../lab/kubernetes/cluster.ts";
import { ApiError, type KubeObject, type WatchEvent } from "../real/api-client.ts";
import { apply } from "../real/workloads.ts";
import { failureOf, fresh, TestSource } from "./kubernetes-fixtures.ts";

const foreign = createAuthority("an authority of others");
let cluster: LabCluster;

before(async () => {
	cluster = await startLabCluster({
		controllers: false,
		users: [{ name: "stranger" }],
		clientCaPem: foreign.certPem,
		identity: (token) => (token === "vouched-for" ? { name: "identity-1", groups: ["team"] } : undefined),
	});
});
after(() => cluster?.stop());

function refused(status: number, pattern: RegExp) {
	return (error: unknown) => error instanceof ApiError && error.status === status && pattern.test(error.message);
}

function configMap(name: string, data: Record<string, string> = {}): { apiVersion: string; kind: string; metadata: { name: string }; data: object } {
	return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data };
}

const configMaps = "/api/v1/namespaces/default/configmaps";

test("what nobody calls is refused by its name, never answered by a guess", async () => {
	const { api } = cluster;
	for (const [call, named] of [
		[() => api.get("/api/v1/namespaces/default/secrets"), /secrets/],
		[() => api.get("/apis/apps/v2/deployments"), /apps\/v2/],
		[() => api.put("/api/v1/nodes/n", {}), /update nodes/],
		[() => api.get("/api/v1/namespaces/default/pods/p/log"), /get pods\/log/],
		[() => api.get("/api/v1/nodes?resourceVersion=5"), /list nodes with parameter resourceVersion/],
		[() => api.get("/api/v1/nodes?watch=true&sendInitialEvents=true"), /watch nodes with parameter sendInitialEvents/],
		[() => api.patch("/api/v1/nodes/n", [], "json"), /patch nodes with content type application\/json-patch\+json/],
	] as const) {
		await assert.rejects(call(), refused(501, named));
	}
	await apply(api, configMap("directives"));
	await assert.rejects(api.patch(`${configMaps}/directives`, { $patch: "delete" }, "strategic"), refused(501, /directive \$patch/));
	await assert.rejects(api.delete(`${configMaps}/directives?propagationPolicy=Orphan`), refused(501, /propagationPolicy Orphan/));
});

test("pages are of one moment although objects come and go in between, and a token that is too old ends the list", async () => {
	const { api } = cluster;
	const label = fresh("paged");
	const named = (name: string) => ({ ...configMap(name), metadata: { name, labels: { label } } });
	await Promise.all(["a", "b", "c", "d"].map((name) => api.post(configMaps, named(`${label}-${name}`))));
	const path = `${configMaps}?labelSelector=label%3D${label}&limit=2`;
	type Page = { items: KubeObject[]; metadata: { continue?: string; resourceVersion: string } };
	const first = await api.get<Page>(path);
	await api.delete(`${configMaps}/${label}-d`);
	await api.post(configMaps, named(`${label}-bb`));
	const second = await api.get<Page>(`${path}&continue=${first.metadata.continue}`);
	assert.deepEqual(
		[...first.items, ...second.items].map(({ metadata }) => metadata.name.slice(label.length + 1)),
		["a", "b", "c", "d"],
	);
	assert.deepEqual([second.metadata.resourceVersion, second.metadata.continue], [first.metadata.resourceVersion, undefined]);
	cluster.compact();
	await assert.rejects(api.get(`${path}&continue=${first.metadata.continue}`), refused(410, /Expired/));
});

async function watched(path: string, count: number, act: () => Promise<unknown>): Promise<WatchEvent<KubeObject>[]> {
	const events: WatchEvent<KubeObject>[] = [];
	const ended = new AbortController();
	const watch = cluster.api.watch<KubeObject>(
		path,
		(event) => {
			if (events.push(event) === count) ended.abort();
		},
		ended.signal,
	);
	await act();
	await watch.catch(() => {});
	return events;
}

test("a watch goes on from a version, and tells what begins and what ceases to match as added and deleted", async () => {
	const { api } = cluster;
	const label = fresh("watched");
	await api.post(configMaps, configMap(label));
	const { metadata } = await api.get<{ metadata: { resourceVersion: string } }>(configMaps);
	await api.post("/api/v1/nodes", { metadata: { name: label } });
	const nodes = `/api/v1/nodes?watch=true&labelSelector=wanted%3D${label}&resourceVersion=${metadata.resourceVersion}`;
	const labelled = (value: string | null) => api.patch(`/api/v1/nodes/${label}`, { metadata: { labels: { wanted: value } } });
	const events = await watched(nodes, 4, async () => {
		await labelled(label);
		await api.patch(`/api/v1/nodes/${label}`, { metadata: { annotations: { a: "b" } } });
		await labelled(null);
		await labelled(label);
	});
	assert.deepEqual(
		events.map((event) => event.type),
		["ADDED", "MODIFIED", "DELETED", "ADDED"],
	);
	cluster.compact();
	const [tooOld] = await watched(nodes, 1, async () => {});
	assert.equal(tooOld?.type, "ERROR");
	assert.match(JSON.stringify(tooOld?.object), /"code":410/);
});

test("another process goes on with every object, token and certificate, and no version ever names two states of an object", async () => {
	const first = await startLabCluster({ controllers: false });
	await first.api.post(configMaps, configMap("kept", { a: "1" }));
	const kept = await first.api.get<KubeObject>(`${configMaps}/kept`);
	const saved = JSON.parse(JSON.stringify(first.snapshot()));
	// After the snapshot: what is lost with the process.
	const lost = await first.api.patch<KubeObject>(`${configMaps}/kept`, { data: { a: "2" } });
	const { api } = first;
	await first.stop();
	const second = await startLabCluster({ controllers: false, snapshot: saved });
	try {
		assert.deepEqual([second.url, second.caPem, second.token("scheduler")], [first.url, first.caPem, first.token("scheduler")]);
		assert.deepEqual(await second.api.get(`${configMaps}/kept`), kept);
		const stale = { metadata: { resourceVersion: lost.metadata.resourceVersion }, data: { a: "3" } };
		await assert.rejects(second.api.patch(`${configMaps}/kept`, stale), refused(409, /the object has been modified/));
		const next = await second.api.patch<KubeObject>(`${configMaps}/kept`, { data: { a: "4" } });
		assert.ok(Number(next.metadata.resourceVersion) > Number(lost.metadata.resourceVersion) + 1000);
		const old = `/api/v1/nodes?watch=true&resourceVersion=${lost.metadata.resourceVersion}`;
		const events: WatchEvent<unknown>[] = [];
		await second.api.watch(old, (event) => events.push(event), AbortSignal.timeout(5_000));
		assert.deepEqual(
			events.map((event) => event.type),
			["ERROR"],
		);
	} finally {
		await second.stop();
		await api.close();
	}
});

async function statusWith(certificate: IssuedCertificate | null, token?: string): Promise<{ status: number; message: string }> {
	const connect = { ca: cluster.caPem, ...(certificate === null ? {} : { cert: certificate.certPem, key: certificate.keyPem }) };
	const agent = new Agent({ connect });
	const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
	const response = await fetch(`${cluster.url}/api/v1/nodes`, { dispatcher: agent, headers });
	const { message = "" } = (await response.json()) as { message?: string };
	await agent.destroy();
	return { status: response.status, message };
}

test("a client certificate says user and group, of the cluster's CA and of the one that was told, and of no other", async () => {
	assert.equal((await statusWith(cluster.clientCertificate("clusterAdmin", "system:masters"))).status, 200);
	assert.equal((await statusWith(foreign.issue({ commonName: "clusterUser", organization: "system:masters" }))).status, 200);
	assert.match((await statusWith(cluster.clientCertificate("nobody"))).message, /User "nobody" cannot list/);
	assert.equal((await statusWith(createAuthority().issue({ commonName: "clusterAdmin", organization: "system:masters" }))).status, 401);
});

test("a token is a known user's or one that somebody vouches for; any other is 401, and none at all is anonymous", async () => {
	assert.equal((await statusWith(null, cluster.token("admin"))).status, 200);
	assert.match((await statusWith(null, "vouched-for")).message, /User "identity-1" cannot list/);
	assert.equal((await statusWith(null, "made-up")).status, 401);
	assert.match((await statusWith(null)).message, /User "system:anonymous" cannot list/);
});

test("rights follow roles and bindings from one call to the next, by user, group and service account", async () => {
	const { api } = cluster;
	const client = cluster.client("stranger");
	const rbac = "rbac.authorization.k8s.io";
	const role = {
		apiVersion: `${rbac}/v1`,
		kind: "ClusterRole",
		metadata: { name: "reader" },
		rules: [{ apiGroups: [""], resources: ["nodes"], verbs: ["list"] }],
	};
	const binding = (subject: object) => ({
		apiVersion: `${rbac}/v1`,
		kind: "ClusterRoleBinding",
		metadata: { name: "readers" },
		roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "reader" },
		subjects: [{ apiGroup: rbac, ...subject }],
	});
	await assert.rejects(client.get("/api/v1/nodes"), refused(403, /User "stranger" cannot list resource "nodes" in API group "" at the cluster scope$/));
	await apply(api, binding({ kind: "User", name: "stranger" }));
	await assert.rejects(client.get("/api/v1/nodes"), refused(403, /RBAC: clusterrole.rbac.authorization.k8s.io "reader" not found$/));
	await apply(api, role);
	await client.get("/api/v1/nodes");
	await assert.rejects(client.get("/api/v1/nodes/n"), refused(403, /nodes "n" is forbidden: User "stranger" cannot get/));
	await apply(api, binding({ kind: "Group", name: "team" }));
	await assert.rejects(client.get("/api/v1/nodes"), refused(403, /cannot list/));
	assert.equal((await statusWith(null, "vouched-for")).status, 200);
	await client.close();
});

test("an apply takes no field from another manager unless it is forced, and what is no longer applied goes", async () => {
	const { api } = cluster;
	const path = `${configMaps}/applied`;
	await api.patch(`${path}?fieldManager=one`, configMap("applied", { a: "1", b: "1" }), "apply");
	await api.patch(`${path}?fieldManager=two`, configMap("applied", { c: "1" }), "apply");
	await assert.rejects(api.patch(`${path}?fieldManager=two`, configMap("applied", { a: "2" }), "apply"), refused(409, /conflict with "one": \.data\.a/));
	await api.patch(`${path}?fieldManager=two&force=true`, configMap("applied", { a: "2" }), "apply");
	assert.deepEqual((await api.get<KubeObject>(path)).data, { a: "2", b: "1" });
	await api.patch(`${path}?fieldManager=one`, configMap("applied"), "apply");
	assert.deepEqual((await api.get<KubeObject>(path)).data, { a: "2" });
});

test("troubles on demand: a lost answer had its effect, a cut call had none, and a throttled one says when to come back", async () => {
	const credential: Credential = { server: cluster.url, caData: cluster.caData, auth: { kind: "token", token: cluster.token("admin") } };
	const api = openCluster(new TestSource(credential), { version: "0.0.0-test", callTimeoutMs: 500 });
	const name = fresh("troubled");
	await cluster.api.post("/api/v1/nodes", { metadata: { name } });
	const cordoned = async () => ((await cluster.api.get<KubeObject>(`/api/v1/nodes/${name}`)).spec as { unschedulable?: boolean }).unschedulable === true;
	const patch = async (unschedulable: boolean) => {
		const { resourceVersion } = (await cluster.api.get<KubeObject>(`/api/v1/nodes/${name}`)).metadata;
		return api.patchNode({ name, resourceVersion, unschedulable });
	};
	const trouble = (made: Awaited<ReturnType<LabCluster["trouble"]>>) => {
		cluster.trouble = ({ call }) => (call.verb === "patch" ? made : undefined);
	};
	try {
		trouble({ kind: "lostAnswer" });
		assert.equal((await failureOf(patch(true))).mayHaveApplied, true);
		assert.equal(await cordoned(), true);
		trouble({ kind: "cut" });
		assert.equal((await failureOf(patch(false))).failure, "unreachable");
		trouble({ kind: "hang" });
		assert.equal((await failureOf(patch(false))).failure, "timedOut");
		trouble({ kind: "body", status: 200, contentType: "text/html", body: "<html>" });
		assert.equal((await failureOf(patch(false))).failure, "garbled");
		trouble({ kind: "error", status: 429, reason: "TooManyRequests", retryAfterSeconds: 7 });
		const throttled = await failureOf(patch(false));
		assert.deepEqual([throttled.failure, throttled.retryAfterMs], ["throttled", 7000]);
		assert.equal(await cordoned(), true);
	} finally {
		cluster.trouble = () => undefined;
	}
});

test("every request is told with who made it, what it was answered and how large that was", async () => {
	cluster.clearRequests();
	const body = await cluster.api.get("/api/v1/nodes?limit=1");
	const [line, ...others] = cluster.requests({ user: "admin", verb: "list" });
	assert.deepEqual([line?.pattern, line?.status, line?.bytes, others], ["/api/v1/nodes", 200, JSON.stringify(body).length, []]);
	await assert.rejects(cluster.api.get("/api/v1/namespaces/default/pods/none"), refused(404, /not found/));
	assert.equal(cluster.requests({ resource: "pods", name: "none" })[0]?.pattern, "/api/v1/namespaces/{namespace}/pods/{name}");
});
