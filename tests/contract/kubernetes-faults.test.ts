// What the adapter makes of servers, networks and credentials that fail. No API server is needed.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { CallFailure } from "../../lib/tick/call-error.ts";
import type { ClusterApi, RebootPodSpec } from "../../lib/tick/world.ts";
import { createAuthority } from "../arm/certificates.ts";
import { failureOf, TestSource } from "./kubernetes-fixtures.ts";
import {
	type Answer,
	emptyNodes,
	firstToken,
	hang,
	inOrder,
	json,
	nodeNamed,
	opened,
	raw,
	refusal,
	type StandIn,
	secondToken,
	standIn,
} from "./kubernetes-server.ts";

let server: StandIn;
let source: TestSource;
let api: ClusterApi;
const secrets = [firstToken, secondToken, "Bearer"];

before(async () => {
	server = await standIn();
});
beforeEach(() => {
	server.answer = emptyNodes;
	server.asked.length = 0;
	source = new TestSource(server.credential());
	api = opened(source);
});
after(() => server.close());

const pod = { namespace: "default", name: "web-1", uid: "uid-1" };
const forReal = { gracePeriodSeconds: null, dryRun: false };
const ask: RebootPodSpec = { node: "n", bootId: "b", ask: 1, notBefore: 0, notAfter: 1000, image: "i", imagePullPolicy: "Always", imagePullSecrets: [] };

const reads: readonly [string, () => Promise<unknown>][] = [
	["listWaiting", () => api.listWaiting()],
	["sentinelDaemonSet", () => api.sentinelDaemonSet()],
	["listCordoned", () => api.listCordoned()],
	["clusterUid", () => api.clusterUid()],
	["owner", () => api.owner()],
	["listNodeMetadata", () => api.listNodeMetadata()],
	["node", () => api.node("n")],
	["podsOn", () => api.podsOn("n", null)],
	["podsOn with a selector", () => api.podsOn("n", "a=b")],
	["listDaemonSets", () => api.listDaemonSets()],
];
const writes: readonly [string, () => Promise<unknown>][] = [
	["claim", () => api.claim("us")],
	["patchNode", () => api.patchNode({ name: "n", resourceVersion: "1", unschedulable: true })],
	["evict", () => api.evict(pod, forReal)],
	["deletePod", () => api.deletePod(pod, { gracePeriodSeconds: null })],
	["createRebootPod", () => api.createRebootPod(ask, { dryRun: false })],
	["deleteRebootPod", () => api.deleteRebootPod({ name: "reboot-b-1", uid: "u" })],
];

async function assertAll(answer: Answer, failure: CallFailure): Promise<void> {
	server.answer = answer;
	for (const [name, call] of [...reads, ...writes]) assert.equal((await failureOf(call(), secrets)).failure, failure, name);
}

async function assertApplied(mayHaveApplied: boolean): Promise<void> {
	for (const [name, call] of reads) assert.equal((await failureOf(call())).mayHaveApplied, false, name);
	for (const [name, call] of writes) assert.equal((await failureOf(call())).mayHaveApplied, mayHaveApplied, name);
}

test("an answer that is not the API's is garbled, whatever its status says: it is neither empty nor absent nor done", async () => {
	const page = "<html><body>Sign in</body></html>";
	for (const answer of [
		raw(200, "text/html", page),
		raw(200, "text/plain", page),
		raw(200, "application/json", page),
		raw(200, "application/json", ""),
		raw(200, "application/json", "null"),
		json(200, {}),
		json(200, { kind: "Thing", items: [] }),
		raw(404, "text/html", page),
		raw(200, "application/octet-stream", "?"),
	]) {
		await assertAll(answer, "garbled");
	}
	await assertApplied(true);
});

test("a list without items, or with items that are no objects of their kind, is garbled and not empty", async () => {
	for (const list of [
		{ kind: "NodeList" },
		{ kind: "NodeList", items: null },
		{ kind: "NodeList", items: {} },
		{ kind: "NodeList", items: [{}] },
		{ kind: "NodeList", items: [null] },
	]) {
		server.answer = json(200, list);
		assert.equal((await failureOf(api.listCordoned())).failure, "garbled", JSON.stringify(list));
	}
});

test("a server that does not answer in time, or stops within its answer, is told within the time limit", async () => {
	api = opened(source, 150);
	server.answer = hang;
	for (const [name, call] of [...reads.slice(0, 2), ...writes]) assert.equal((await failureOf(call(), secrets)).failure, "timedOut", name);
	assert.equal((await failureOf(api.listCordoned())).message, "listing cordoned nodes: no answer within 150 ms");
	server.answer = (_asked, response) => response.writeHead(200, { "content-type": "application/json" }).write('{"kind":"NodeList","items":[');
	assert.equal((await failureOf(api.listCordoned())).failure, "timedOut");
	await assertApplied(true);
});

test("a connection that breaks is told, and a write over it may have been applied", async () => {
	await assertAll((_asked, _response, request) => request.socket.destroy(), "unreachable");
	await assertApplied(true);
	server.answer = (_asked, response, request) => {
		response.writeHead(200, { "content-type": "application/json", "content-length": "1000" }).write('{"kind":"NodeList","items":[]');
		response.once("drain", () => {});
		setImmediate(() => request.socket.destroy());
	};
	assert.equal((await failureOf(api.listCordoned())).failure, "unreachable");
});

test("a credential that is refused is made anew once, for reads and writes alike", async () => {
	server.answer = (asked, response, request) =>
		(asked.authorization === `Bearer ${secondToken}` ? json(200, nodeNamed("n")) : refusal(401, "Unauthorized"))(asked, response, request);
	for (const [name, call] of [reads[6], writes[1]] as typeof reads) {
		source = new TestSource(server.credential());
		source.next = server.credential({ kind: "token", token: secondToken });
		api = opened(source);
		await call();
		assert.equal(source.invalidations, 1, name);
	}
	assert.equal(server.asked.length, 4);
});

test("a credential that stays refused is not asked for again and again: ARM's limits are shared by the fleet", async () => {
	server.answer = refusal(401, "Unauthorized");
	const error = await failureOf(api.listCordoned(), secrets);
	assert.deepEqual([error.failure, error.message], ["unauthorized", "listing cordoned nodes: 401 Unauthorized"]);
	for (let i = 0; i < 5; i++) await failureOf(api.listCordoned(), secrets);
	assert.deepEqual([source.invalidations, server.asked.length], [1, 7]);
});

test("calls that are refused side by side cause one new credential", async () => {
	const token = secondToken;
	source.next = server.credential({ kind: "token", token });
	const waiting: (() => void)[] = [];
	server.answer = (asked, response, request) => {
		if (asked.authorization === `Bearer ${token}`) return emptyNodes(asked, response, request);
		// All of them are asked before any is answered.
		waiting.push(() => refusal(401, "Unauthorized")(asked, response, request));
		if (waiting.length === 3) for (const answer of waiting) answer();
	};
	await Promise.all([api.listCordoned(), api.listCordoned(), api.listCordoned()]);
	assert.equal(source.invalidations, 1);
});

test("a cluster that got a new CA is reached with it, and nothing is sent to a server that is not trusted", async () => {
	source = new TestSource({ ...server.credential(), caData: Buffer.from(createAuthority().certPem).toString("base64") });
	api = opened(source);
	for (const [name, call] of [...reads, ...writes]) {
		const error = await failureOf(call(), secrets);
		assert.deepEqual([error.failure, error.mayHaveApplied], ["untrusted", false], name);
	}
	assert.deepEqual([server.asked.length, source.invalidations], [0, 1]);
	const renewed = new TestSource(source.current);
	renewed.next = server.credential();
	assert.deepEqual(await opened(renewed).listCordoned(), []);
});

test("a CA that cannot be read, and a certificate for another host, are not trusted", async () => {
	for (const credential of [
		{ ...server.credential(), caData: Buffer.from("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").toString("base64") },
		{ ...server.credential(), caData: null },
		{ ...server.credential(), tlsServerName: "another.test" },
	]) {
		assert.equal((await failureOf(opened(new TestSource(credential)).listCordoned())).failure, "untrusted");
	}
	assert.deepEqual(await opened(new TestSource({ ...server.credential(), tlsServerName: "localhost" })).listCordoned(), []);
	assert.deepEqual(await opened(new TestSource({ ...server.credential(), caData: null, skipTlsVerify: true })).listCordoned(), []);
});

test("a name that does not resolve asks for a new address once; a refused connection does not", async () => {
	source = new TestSource({ ...server.credential(), server: "https://no-such-cluster.invalid" });
	source.next = server.credential();
	try {
		await opened(source).listCordoned();
		assert.equal(source.invalidations, 1);
	} catch (error) {
		// A machine without a resolver cannot say that a name is not there.
		assert.match(String(error), /EAI_AGAIN/);
	}
	const closed = await standIn(server.authority);
	source = new TestSource(closed.credential());
	closed.close();
	const error = await failureOf(opened(source).patchNode({ name: "n", resourceVersion: "1" }));
	assert.deepEqual([error.failure, error.mayHaveApplied, source.invalidations], ["unreachable", false, 0]);
});

test("a client certificate is presented, and a changed one replaces the connection", async () => {
	const certificate = (commonName: string) => {
		const { certPem, keyPem } = server.authority.issue({ commonName });
		return { kind: "certificate", certData: Buffer.from(certPem).toString("base64"), keyData: Buffer.from(keyPem).toString("base64") } as const;
	};
	source = new TestSource(server.credential(certificate("one")));
	api = opened(source);
	await api.listCordoned();
	source.current = server.credential(certificate("two"));
	await api.listCordoned();
	assert.deepEqual(
		server.asked.map((each) => [each.client, each.authorization]),
		[
			["one", undefined],
			["two", undefined],
		],
	);
});

function pages(...answers: readonly Answer[]): Answer {
	return (asked, response, request) => {
		const token = new URL(asked.url, "https://x").searchParams.get("continue");
		answers[token === null ? 0 : Number(token)]?.(asked, response, request);
	};
}

function page(name: string, next = ""): Answer {
	return json(200, { kind: "NodeList", metadata: { continue: next }, items: [nodeNamed(name)] });
}

test("pages are asked for with a limit and followed to the end", async () => {
	server.answer = pages(page("a", "1"), page("b", "2"), page("c"));
	assert.deepEqual(
		(await api.listCordoned()).map((each) => each.name),
		["a", "b", "c"],
	);
	assert.ok(server.asked.every((each) => each.url.includes("limit=100") && each.url.includes("fieldSelector=spec.unschedulable%3Dtrue")));
});

test("a list whose continue token grew too old begins anew once, without what it had read", async () => {
	const expired = refusal(410, "Expired");
	server.answer = pages(inOrder(page("old", "1"), page("a", "1")), inOrder(expired, page("b")));
	assert.deepEqual(
		(await api.listCordoned()).map((each) => each.name),
		["a", "b"],
	);
	server.answer = pages(page("a", "1"), expired);
	assert.equal((await failureOf(api.listCordoned())).failure, "expired");
});

test("a page that fails fails the list: half a list is not a list", async () => {
	server.answer = pages(page("a", "1"), refusal(500, "InternalError"));
	assert.equal((await failureOf(api.listCordoned())).failure, "serverError");
});

const budgetCause = { causes: [{ reason: "DisruptionBudget", message: "The disruption budget web needs 1 healthy pods and has 1 currently" }] };

test("flow control's 429 is a failure with its time, not a budget", async () => {
	server.answer = json(429, { kind: "Status", reason: "TooManyRequests", message: "too many requests" }, { "retry-after": "7" });
	const error = await failureOf(api.evict(pod, forReal));
	assert.deepEqual([error.failure, error.retryAfterMs, error.mayHaveApplied], ["throttled", 7000, false]);
});

test("a blocked pod that cannot be read again stays blocked: not known is not gone", async () => {
	for (const answer of [refusal(403, "Forbidden"), raw(404, "text/html", "<html>"), json(200, {})]) {
		server.answer = inOrder(refusal(429, "TooManyRequests", "Cannot evict pod", budgetCause), answer);
		assert.equal((await api.evict(pod, forReal)).kind, "blocked");
	}
	server.answer = inOrder(refusal(429, "TooManyRequests", "Cannot evict pod", budgetCause), refusal(404, "NotFound"));
	assert.equal((await api.evict(pod, forReal)).kind, "gone");
});

test("two budgets whose names cannot be listed are two budgets all the same", async () => {
	const podOf = json(200, { kind: "Pod", metadata: { name: "web-1", namespace: "default", uid: "uid-1", labels: { app: "web" } } });
	server.answer = inOrder(
		json(500, { kind: "Status", message: "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support." }),
		podOf,
		refusal(403, "Forbidden"),
	);
	const answer = await api.evict(pod, forReal);
	assert.deepEqual([answer.kind, "budgets" in answer && answer.budgets], ["twoBudgets", []]);
	assert.match("message" in answer ? answer.message : "", /^which they are is not known: listing disruption budgets of namespace default: 403 Forbidden/);
});

test("an owner Lease that came in between is a conflict, also when it cannot be read", async () => {
	server.answer = inOrder(refusal(409, "AlreadyExists"), refusal(404, "NotFound"));
	assert.equal((await failureOf(api.claim("us"))).failure, "conflict");
	const empty = json(200, { kind: "Lease", metadata: { name: "owner", resourceVersion: "1" }, spec: {} });
	server.answer = inOrder(refusal(409, "AlreadyExists"), empty, refusal(409, "Conflict"));
	assert.equal((await failureOf(api.claim("us"))).failure, "conflict");
});

test("a source that never gives a credential is told within the time limit", async () => {
	source.credential = () => new Promise(() => {});
	const error = await failureOf(opened(source, 100).listCordoned());
	assert.deepEqual([error.failure, error.message], ["timedOut", "obtaining a credential for listing cordoned nodes: no answer within 100 ms"]);
});
