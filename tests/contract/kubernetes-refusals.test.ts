// Every way in which the API server refuses a call, and what the adapter tells of it: who may what, what is too old, too much or not admitted.
import assert from "node:assert/strict";
import { openCluster } from "../../lib/kubernetes/client.ts";
import type { Credential } from "../../lib/kubernetes/credentials.ts";
import { namespace } from "../../lib/plan/model.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import type { ClusterApi, RebootPodSpec } from "../../lib/tick/world.ts";
import { pageSize } from "../../lib/tick/world.ts";
import { type Authority, createAuthority } from "../arm/certificates.ts";
import { shippedImage } from "../lab/manifests.ts";
import type { ApiError, WatchEvent } from "../real/api-client.ts";
import type { ControlPlane } from "../real/control-plane.ts";
import { until } from "../waiting.ts";
import { credentialOf, eventOfNode, failureOf, fresh, makeMany, node, openAs, pod, TestSource } from "./kubernetes-fixtures.ts";
import { contract, type Subject } from "./kubernetes-implementations.ts";
import { type Answer, type Asked, recording } from "./kubernetes-server.ts";

const ask: RebootPodSpec = {
	node: "node-of-nobody",
	bootId: "0f0e0d0c-1111-4222-8333-000000000001",
	ask: 1,
	notBefore: 0,
	notAfter: 1_000,
	image: shippedImage,
	imagePullPolicy: "IfNotPresent",
	imagePullSecrets: [],
};
const web = { namespace: "default", name: "web-1", uid: "uid-1" };
const forReal = { gracePeriodSeconds: null, dryRun: false };
const lookFirst = { gracePeriodSeconds: null, dryRun: true };
const ours = `in the namespace "${namespace}"`;
const everywhere = "at the cluster scope";

/** Every call of the adapter, and the right that it takes as the server names it. */
const calls: readonly (readonly [name: string, call: (api: ClusterApi) => Promise<unknown>, right: string])[] = [
	["listWaiting", (api) => api.listWaiting(), `list resource "pods" in API group "" ${ours}`],
	["sentinelDaemonSet", (api) => api.sentinelDaemonSet(), `get resource "daemonsets" in API group "apps" ${ours}`],
	["listCordoned", (api) => api.listCordoned(), `list resource "nodes" in API group "" ${everywhere}`],
	["clusterUid", (api) => api.clusterUid(), 'get resource "namespaces" in API group "" in the namespace "kube-system"'],
	["owner", (api) => api.owner(), `get resource "leases" in API group "coordination.k8s.io" ${ours}`],
	["claim", (api) => api.claim("us"), `create resource "leases" in API group "coordination.k8s.io" ${ours}`],
	["listNodeMetadata", (api) => api.listNodeMetadata(), `list resource "nodes" in API group "" ${everywhere}`],
	["node", (api) => api.node("n"), `get resource "nodes" in API group "" ${everywhere}`],
	["podsOn", (api) => api.podsOn("n", null), `list resource "pods" in API group "" ${everywhere}`],
	["listDaemonSets", (api) => api.listDaemonSets(), `list resource "daemonsets" in API group "apps" ${everywhere}`],
	["patchNode", (api) => api.patchNode({ name: "n", resourceVersion: "1", unschedulable: true }), `patch resource "nodes" in API group "" ${everywhere}`],
	["evict", (api) => api.evict(web, forReal), 'create resource "pods/eviction" in API group "" in the namespace "default"'],
	["evict, dry run", (api) => api.evict(web, lookFirst), 'create resource "pods/eviction" in API group "" in the namespace "default"'],
	["deletePod", (api) => api.deletePod(web, { gracePeriodSeconds: 0 }), 'delete resource "pods" in API group "" in the namespace "default"'],
	["createRebootPod", (api) => api.createRebootPod(ask, { dryRun: false }), `create resource "pods" in API group "" ${ours}`],
	["createRebootPod, dry run", (api) => api.createRebootPod(ask, { dryRun: true }), `create resource "pods" in API group "" ${ours}`],
	["deleteRebootPod", (api) => api.deleteRebootPod({ name: "reboot-x-1", uid: "u" }), `delete resource "pods" in API group "" ${ours}`],
	[
		"createEvent",
		(api) => api.createEvent(eventOfNode("n", "u"), AbortSignal.timeout(20_000)),
		'create resource "events" in API group "events.k8s.io" in the namespace "default"',
	],
];

function withToken({ server }: Subject, token: string): Credential {
	return { ...credentialOf(server), auth: { kind: "token", token } };
}

function withCertificate({ server }: Subject, authority: Authority, commonName: string, organization?: string): Credential {
	const { certPem, keyPem } = authority.issue({ commonName, ...(organization === undefined ? {} : { organization }) });
	const base64 = (pem: string): string => Buffer.from(pem).toString("base64");
	return { ...credentialOf(server), auth: { kind: "certificate", certData: base64(certPem), keyData: base64(keyPem) } };
}

function opened(source: TestSource): ClusterApi {
	return openCluster(source, { version: "0.0.0-test", callTimeoutMs: 20_000 });
}

function tellsNoSecret({ server }: Subject, error: CallError): void {
	for (const secret of server.secrets()) assert.ok(!`${error.message} ${JSON.stringify(error)}`.includes(secret), "a message holds a secret");
}

/** The status and reason of a raw call that is refused. */
async function refusalOf(call: Promise<unknown>): Promise<string> {
	const { status, reason } = await call.then(
		() => assert.fail("expected the call to be refused"),
		(error: ApiError) => error,
	);
	return `${status} ${reason}`;
}

async function patchNamespace({ server }: Subject, labels: object): Promise<void> {
	await server.api.patch(`/api/v1/namespaces/${namespace}`, { metadata: { labels } });
}

/** Refused by dry run in such words, once the server knows of what refuses. */
async function refusedDryRun({ api }: Subject, words: RegExp, spec: RebootPodSpec = ask): Promise<CallError> {
	let error: unknown;
	await until(`the reboot pod is refused: ${words}`, async () => {
		error = await api.createRebootPod(spec, { dryRun: true }).catch((reason: unknown) => reason);
		return error instanceof CallError && words.test(error.message);
	});
	return error as CallError;
}

function continueToken({ url }: Asked): string | null {
	return new URL(url, "https://api").searchParams.get("continue");
}

async function watchedFrom(subject: Subject, resourceVersion: string): Promise<WatchEvent<unknown>[]> {
	const events: WatchEvent<unknown>[] = [];
	const path = `/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=${resourceVersion}`;
	await subject.server.api.watch<unknown>(path, (event) => events.push(event), new AbortController().signal);
	return events;
}

contract(
	(subject) => {
		for (const [name, call, right] of calls) {
			subject.test(`403: ${name} without the right to it names verb, resource and group, and was not applied`, async () => {
				const error = await failureOf(call(openAs(subject.server, "stranger")));
				assert.deepEqual([error.failure, error.status, error.mayHaveApplied], ["forbidden", 403, false]);
				assert.ok(error.message.includes(`User "stranger" cannot ${right}`), error.message);
				tellsNoSecret(subject, error);
			});

			subject.test(`401: ${name} with a token that is not accepted was not applied`, async () => {
				const error = await failureOf(call(opened(new TestSource(withToken(subject, "not-a-token")))), ["not-a-token"]);
				assert.deepEqual([error.failure, error.status, error.mayHaveApplied], ["unauthorized", 401, false]);
			});
		}

		subject.test("401: a token that was refused is made anew once, and the call goes through", async () => {
			const name = await node(subject.server);
			const { resourceVersion } = (await subject.server.api.get(`/api/v1/nodes/${name}`)).metadata;
			for (const call of [calls[2]?.[1], (api: ClusterApi) => api.patchNode({ name, resourceVersion, mark: null })]) {
				const source = new TestSource(withToken(subject, "expired-token"));
				source.next = credentialOf(subject.server);
				await call?.(opened(source));
				assert.equal(source.invalidations, 1);
			}
		});

		subject.test("a client certificate makes the caller whom it names, of the groups of its organization", async () => {
			const scheduler = opened(new TestSource(withCertificate(subject, subject.clientAuthority, "scheduler")));
			assert.ok(Array.isArray(await scheduler.listCordoned()));
			const forbidden = await failureOf(scheduler.deletePod(web, { gracePeriodSeconds: 0 }));
			assert.match(forbidden.message, /User "scheduler" cannot delete resource "pods"/);
			const stranger = await failureOf(opened(new TestSource(withCertificate(subject, subject.clientAuthority, "nobody-known"))).listCordoned());
			assert.match(stranger.message, /User "nobody-known" cannot list resource "nodes"/);
			const admin = opened(new TestSource(withCertificate(subject, subject.clientAuthority, "local-account", "system:masters")));
			await admin.deletePod(web, { gracePeriodSeconds: 0 });
		});

		subject.test("401: a client certificate of another authority is not accepted", async () => {
			const error = await failureOf(opened(new TestSource(withCertificate(subject, createAuthority(), "scheduler", "system:masters"))).listCordoned());
			assert.deepEqual([error.failure, error.status], ["unauthorized", 401]);
		});

		subject.test("403: the shipped rights reach no other Lease, no other namespace and no node's end", async () => {
			const scheduler = subject.server.client("scheduler");
			for (const path of [`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/other`, "/api/v1/namespaces/default", "/api/v1/namespaces"])
				assert.equal(await refusalOf(scheduler.get(path)), "403 Forbidden", path);
			for (const path of ["/api/v1/nodes/n", "/api/v1/namespaces/default/pods/p", `/apis/apps/v1/namespaces/${namespace}/daemonsets/sentinel`])
				assert.equal(await refusalOf(scheduler.delete(path)), "403 Forbidden", path);
			await scheduler.close();
		});

		subject.test("403: a reboot pod that Pod Security forbids is refused with what it violates", async () => {
			await patchNamespace(subject, { "pod-security.kubernetes.io/enforce": "baseline" });
			const violations = [
				'forbidden AppArmor profile \\(container "reboot" must not set AppArmor profile type to "Unconfined"\\)',
				"host namespaces \\(hostPID=true\\)",
			];
			const error = await refusedDryRun(subject, new RegExp(`violates PodSecurity "baseline:latest": ${violations.join(", ")}`));
			assert.deepEqual([error.failure, error.status], ["forbidden", 403]);
			await patchNamespace(subject, { "pod-security.kubernetes.io/enforce": "privileged" });
			await until("the reboot pod is admitted", () =>
				subject.api.createRebootPod(ask, { dryRun: true }).then(
					() => true,
					() => false,
				),
			);
		});

		subject.test("422: a reboot pod whose name is none is invalid", async () => {
			const error = await failureOf(subject.api.createRebootPod({ ...ask, bootId: "Not A Name" }, { dryRun: true }));
			assert.deepEqual([error.failure, error.status], ["invalid", 422]);
			assert.match(error.message, /422 Invalid: Pod "reboot-Not A Name-1" is invalid: metadata\.name: Invalid value/);
		});

		subject.test("400: a continue token that is none is not taken for one that is too old", async () => {
			for (const token of ["abc", Buffer.from("{}").toString("base64url")])
				assert.equal(await refusalOf(subject.server.api.get(`/api/v1/nodes?limit=2&continue=${token}`)), "400 BadRequest");
		});

		subject.test("pages of a list are of one moment, whatever is made and deleted in between, and may be asked for again", async () => {
			const prefix = fresh("page");
			const labels = { suite: prefix };
			for (const letter of "acegi") await subject.server.api.post("/api/v1/nodes", { metadata: { name: `${prefix}-${letter}`, labels } });
			type List = {
				readonly metadata: { readonly continue?: string; readonly resourceVersion: string };
				readonly items: { readonly metadata: { readonly name: string } }[];
			};
			const page = (token = "") => subject.server.api.get<List>(`/api/v1/nodes?labelSelector=suite%3D${prefix}&limit=2&continue=${encodeURIComponent(token)}`);
			const first = await page();
			await subject.server.api.post("/api/v1/nodes", { metadata: { name: `${prefix}-d`, labels } });
			await subject.server.api.delete(`/api/v1/nodes/${prefix}-g`);
			const second = await page(first.metadata.continue);
			const third = await page(second.metadata.continue);
			const again = await page(first.metadata.continue);
			const letters = (list: List) => list.items.map((each) => each.metadata.name.at(-1)).join("");
			assert.deepEqual([first, second, third, again].map(letters), ["ac", "eg", "i", "eg"]);
			assert.deepEqual(new Set([first, second, third].map((each) => each.metadata.resourceVersion)).size, 1);
			assert.ok(!third.metadata.continue);
		});

		subject.test("410: a list whose continue token grew too old between two pages begins anew, without what it had read", async (context) => {
			const prefix = fresh("old");
			const linux = { "kubernetes.io/os": "linux" };
			await makeMany(pageSize + 5, (index) => subject.server.api.post("/api/v1/nodes", { metadata: { name: `${prefix}-${index}`, labels: linux } }));
			const { api, recorder } = await recording(subject.server, context);
			const pass = recorder.answer;
			let held = false;
			const holdSecondPage: Answer = (asked, response, request) => {
				const token = continueToken(asked);
				if (held || token === null) return pass(asked, response, request);
				held = true;
				const tooOld = async (): Promise<boolean> => {
					await subject.forgetOld();
					return (await refusalOf(subject.server.api.get(`/api/v1/nodes?limit=1&continue=${encodeURIComponent(token)}`)).catch(() => "")) === "410 Expired";
				};
				until("the token is too old", tooOld).then(
					() => pass(asked, response, request),
					() => response.destroy(),
				);
			};
			recorder.answer = holdSecondPage;
			const names = (await api.listNodeMetadata()).map((each) => each.name);
			assert.equal(new Set(names).size, names.length, "a node is listed twice");
			assert.equal(names.filter((name) => name.startsWith(`${prefix}-`)).length, pageSize + 5);
			const pages = recorder.asked.map((asked) => (continueToken(asked) === null ? "first" : "next"));
			assert.deepEqual(pages, ["first", "next", "first", "next"]);
		});

		subject.test("410: a watch from a version that is too old is told so by its only event", async () => {
			const { resourceVersion } = (await subject.server.api.get(`/api/v1/nodes/${await node(subject.server)}`)).metadata;
			let events: WatchEvent<unknown>[] = [];
			await until("the version is too old", async () => {
				await node(subject.server);
				await subject.forgetOld();
				events = await watchedFrom(subject, resourceVersion);
				return events[0]?.type === "ERROR";
			});
			assert.deepEqual(events, [{ type: "ERROR", object: events[0]?.object }]);
			assert.partialDeepStrictEqual(events[0], { object: { kind: "Status", code: 410, reason: "Expired" } });
		});

		subject.test("429: flow control is a failure with its time, also of an eviction, and nothing was applied", async () => {
			const ref = await pod(subject.server);
			const release = await subject.throttle("scheduler");
			try {
				for (const call of [(api: ClusterApi) => api.listCordoned(), (api: ClusterApi) => api.evict(ref, lookFirst)]) {
					const error = await throttled(subject, call);
					assert.deepEqual([error.failure, error.status, error.mayHaveApplied], ["throttled", 429, false]);
					// The more it has dropped, the later a real server wants to be asked again.
					assert.ok((error.retryAfterMs ?? 0) >= 1_000, `${error.retryAfterMs} ms`);
				}
			} finally {
				await release();
			}
		});

		subject.realTest("403: a reboot pod past a quota is refused with its figures", async (controlPlane) => {
			const collection = `/api/v1/namespaces/${namespace}/resourcequotas`;
			await controlPlane.api.post(collection, { metadata: { name: "none" }, spec: { hard: { pods: "0" } } });
			await controlPlane.api.patch(`${collection}/none/status`, { status: { hard: { pods: "0" }, used: { pods: "0" } } });
			const error = await refusedDryRun(subject, /exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0/);
			assert.equal(error.failure, "forbidden");
			await controlPlane.api.delete(`${collection}/none`);
		});

		subject.realTest("422 and 403: an admission policy's refusal is told in its words, by the reason that it gives", async (controlPlane) => {
			const lift = await refuseByPolicy(controlPlane);
			const words = /ValidatingAdmissionPolicy 'tests' with binding 'tests' denied request: not on a Tuesday/;
			const failures = [await refusedDryRun(subject, words), await refusedDryRun(subject, words, { ...ask, ask: 2 })];
			assert.deepEqual(
				failures.map(({ failure, status }) => [failure, status]),
				[
					["invalid", 422],
					["forbidden", 403],
				],
			);
			await lift();
		});

		subject.realTest("500: a webhook that cannot be reached is no refusal, and no answer about the pod that was to be evicted", async (controlPlane) => {
			const ref = await pod(subject.server);
			const lift = await brokenWebhook(controlPlane);
			const words = /500 InternalError: .*failed calling webhook "tests\.example\.com"/;
			for (const error of [await refusedDryRun(subject, words), await failureOf(subject.api.evict(ref, forReal))]) {
				assert.deepEqual([error.failure, error.status], ["serverError", 500]);
				assert.match(error.message, words);
			}
			await lift();
		});

		subject.test("403 and 404: nothing is made in our namespace while it is being deleted, nor when it is gone", async () => {
			await subject.server.api.delete(`/api/v1/namespaces/${namespace}`);
			const words = /unable to create new content in namespace aks-reboot-scheduler because it is being terminated/;
			for (const error of [await refusedDryRun(subject, words), await failureOf(subject.api.claim("us"))]) {
				assert.deepEqual([error.failure, error.status, error.mayHaveApplied], ["forbidden", 403, false]);
				assert.match(error.message, words);
			}
			const nowhere = subject.server.api.post("/api/v1/namespaces/nowhere/pods", {
				metadata: { name: "p" },
				spec: { containers: [{ name: "m", image: "i" }] },
			});
			assert.equal(await refusalOf(nowhere), "404 NotFound");
		});
	},
	{ strangers: ["stranger"], forgetsQuickly: true },
);

/** Many at once, until one is refused for being too many. */
async function throttled(subject: Subject, call: (api: ClusterApi) => Promise<unknown>): Promise<CallError> {
	const apis = Array.from({ length: 8 }, () => openAs(subject.server));
	let refused: CallError | undefined;
	await until("a call is throttled", async () => {
		const results = await Promise.allSettled(apis.flatMap((api) => Array.from({ length: 4 }, () => call(api))));
		refused = results.find((each) => each.status === "rejected")?.reason as CallError | undefined;
		return refused !== undefined;
	});
	return refused ?? assert.fail("no call was throttled");
}

const createsPods = { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods", "pods/eviction"] };
const admission = "/apis/admissionregistration.k8s.io/v1";

/** Refuses the first ask as invalid and the second as forbidden, until the returned function is called. */
async function refuseByPolicy({ api }: ControlPlane): Promise<() => Promise<void>> {
	const validations = ["Invalid", "Forbidden"].map((reason, index) => ({
		expression: `!object.metadata.name.startsWith('reboot-') || !object.metadata.name.endsWith('-${index + 1}')`,
		message: "not on a Tuesday",
		reason,
	}));
	await api.post(`${admission}/validatingadmissionpolicies`, {
		metadata: { name: "tests" },
		spec: { failurePolicy: "Fail", matchConstraints: { resourceRules: [{ ...createsPods, resources: ["pods"] }] }, validations },
	});
	await api.post(`${admission}/validatingadmissionpolicybindings`, {
		metadata: { name: "tests" },
		spec: { policyName: "tests", validationActions: ["Deny"] },
	});
	return async () => {
		await api.delete(`${admission}/validatingadmissionpolicybindings/tests`);
		await api.delete(`${admission}/validatingadmissionpolicies/tests`);
	};
}

async function brokenWebhook({ api }: ControlPlane): Promise<() => Promise<void>> {
	const webhook = {
		name: "tests.example.com",
		admissionReviewVersions: ["v1"],
		sideEffects: "None",
		failurePolicy: "Fail",
		timeoutSeconds: 1,
		// Nothing listens there.
		clientConfig: { url: "https://127.0.0.1:1/" },
		rules: [createsPods],
	};
	await api.post(`${admission}/validatingwebhookconfigurations`, { metadata: { name: "tests" }, webhooks: [webhook] });
	return async () => {
		await api.delete(`${admission}/validatingwebhookconfigurations/tests`);
	};
}
