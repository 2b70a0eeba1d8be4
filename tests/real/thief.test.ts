// What the shipped rights and policies leave to somebody who has got hold of an identity: every attempt is made, and refused by whom it says.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Agent, fetch } from "undici";
import { namespace } from "../../lib/plan/model.ts";
import { until } from "../waiting.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import type { Node } from "./objects.ts";
import { applyShipped } from "./scenario.ts";
import { type Attempt, accepted, attempts, type Call, type Thief, world } from "./thief-attempts.ts";
import { apply, barePod, type Manifest, namespaceNamed } from "./workloads.ts";

const owner = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/owner`;
const contentTypes = { merge: "merge-patch+json", strategic: "strategic-merge-patch+json", json: "json-patch+json", apply: "apply-patch+yaml" } as const;

let plane: ControlPlane;
let agent: Agent;
const tokens = { scheduler: "", sentinel: "", unbound: "" };

before(async () => {
	plane = await startControlPlane({ controllers: false, scheduler: false, audit: false });
	agent = new Agent({ connect: { ca: plane.caPem } });
	await applyShipped(plane, ["spare-namespaces"]);
	await makeWorld();
	const { uid } = (await plane.api.get(`/api/v1/namespaces/${namespace}/pods/${world.own}`)).metadata;
	tokens.scheduler = plane.token("scheduler");
	tokens.sentinel = await plane.serviceAccountToken(namespace, "sentinel", { name: world.own, uid });
	tokens.unbound = await plane.serviceAccountToken(namespace, "sentinel");
	await policiesInForce();
});
after(async () => {
	await agent?.close();
	await plane?.stop();
});

function podOf(name: string, app: string, fields: object = {}): Manifest {
	const metadata = { name, namespace, labels: { app }, annotations: { "team-a/note": "keep" } };
	return { apiVersion: "v1", kind: "Pod", metadata, spec: { nodeName: world.node, containers: [{ name: app, image: "registry.test/app:1" }], ...fields } };
}

/** The API server copies those of the topology to every pod that names the node. */
const nodeLabels = { "kubernetes.azure.com/agentpool": "a", "topology.kubernetes.io/region": "westeurope", "topology.kubernetes.io/zone": "1" };

function nodeNamed(name: string, spec: object): Manifest {
	const metadata = { name, labels: nodeLabels, annotations: { "aks-reboot-scheduler/hold": "INC-7" } };
	return { apiVersion: "v1", kind: "Node", metadata, spec };
}

async function makeWorld(): Promise<void> {
	const ofSentinel = { serviceAccountName: "sentinel" };
	await apply(
		plane.api,
		namespaceNamed(world.team),
		nodeNamed(world.node, {}),
		nodeNamed(world.cordonedByOthers, { unschedulable: true, taints: [{ key: "theirs", effect: "NoSchedule" }] }),
		podOf(world.own, "sentinel", ofSentinel),
		podOf(world.other, "sentinel", ofSentinel),
		podOf(world.reboot, "reboot"),
		podOf("reboot-in-name-only", "other"),
		barePod("web", { namespace: world.team }),
		barePod("dns", { namespace: "kube-system" }),
	);
}

async function send(token: string, call: Call): Promise<{ readonly status: number; readonly message: string }> {
	const headers: Record<string, string> = { authorization: `Bearer ${token}`, accept: "application/json" };
	if (call.body !== undefined) headers["content-type"] = call.patch === undefined ? "application/json" : `application/${contentTypes[call.patch]}`;
	if (call.as !== undefined) headers["impersonate-user"] = call.as;
	const body = call.body === undefined ? null : JSON.stringify(call.body);
	const response = await fetch(plane.url + call.path, { method: call.method, dispatcher: agent, headers, body, signal: AbortSignal.timeout(60_000) });
	const text = await response.text();
	return { status: response.status, message: text.startsWith("{") ? String((JSON.parse(text) as { message?: string }).message ?? "") : text };
}

/** The call of an attempt; a Lease is replaced by itself with what the thief changes. */
async function callOf({ call }: Pick<Attempt, "call">): Promise<Call> {
	if (call.method !== "PUT" || call.path !== owner) return call;
	const lease = await plane.api.get(owner);
	const { metadata, spec } = call.body as { metadata?: object; spec?: object };
	return { ...call, body: { ...lease, metadata: { ...lease.metadata, ...metadata }, spec: { ...(lease.spec as object), ...spec } } };
}

function policyNames(): readonly string[] {
	return [...new Set(attempts.flatMap(({ refusedBy }) => ("policy" in refusedBy ? [refusedBy.policy] : [])))];
}

/** A policy holds a moment after it was made: one attempt at each until it is refused, those of the Lease once there is one. */
async function policiesInForce(): Promise<void> {
	for (const policy of policyNames()) {
		const first = attempts.find(({ refusedBy }) => "policy" in refusedBy && refusedBy.policy === policy);
		assert.ok(first);
		// The attempt itself must leave nothing behind where it is let through.
		const call = { ...first.call, path: `${first.call.path}${first.call.path.includes("?") ? "&" : "?"}dryRun=All` };
		await until(`policy ${policy} is in force`, async () => (await send(tokens[first.thief], call)).message.includes("ValidatingAdmissionPolicy"));
	}
}

test("what the scheduler and the sentinel do send is accepted: no attempt is refused for another reason than its own", async () => {
	for (const [thief, call] of accepted) {
		const { status, message } = await send(tokens[thief], call);
		assert.ok(status < 300, `${thief}: ${call.method} ${call.path}: ${status} ${message}`);
	}
});

describe("a thief", () => {
	for (const attempt of attempts) {
		const { thief, tries, refusedBy, says } = attempt;
		const by = "right" in refusedBy ? `without the right to ${refusedBy.right}` : `by policy ${refusedBy.policy}`;
		test(`with the ${thief}'s identity: ${tries}: is refused ${by}`, async () => {
			const call = await callOf(attempt);
			const { status, message } = await send(call.unbound ? tokens.unbound : tokens[thief], call);
			assert.equal(status, 403, message);
			assert.ok(message.includes(says), message);
			if ("policy" in refusedBy) assert.ok(message.includes(`ValidatingAdmissionPolicy 'aks-reboot-scheduler-${refusedBy.policy}'`), message);
			else assert.ok(!message.includes("ValidatingAdmissionPolicy"), message);
		});
	}

	test("has changed nothing", async () => {
		const { metadata, spec } = await plane.api.get<Node>(`/api/v1/nodes/${world.node}`);
		assert.deepEqual([metadata.labels, metadata.annotations], [nodeLabels, { "aks-reboot-scheduler/hold": "INC-7" }]);
		// Given by the API server to every new node.
		assert.deepEqual(spec, { taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] });
		const pods = await plane.api.list(`/api/v1/namespaces/${namespace}/pods`);
		assert.deepEqual(pods.map((each) => each.metadata.name).sort(), [world.reboot, "reboot-in-name-only", world.other, world.own].sort());
		assert.equal(((await plane.api.get(owner)).spec as { holderIdentity: string }).holderIdentity, "us");
	});
});

test("without the sentinel DaemonSet no reboot pod is made, and one that is there is deleted all the same", async () => {
	await plane.api.delete(`/apis/apps/v1/namespaces/${namespace}/daemonsets/sentinel`);
	const [, create] = accepted.find(([, call]) => call.method === "POST" && call.path.endsWith("/pods")) ?? assert.fail("no creation of the reboot pod");
	const dryRun = { ...create, path: `${create.path}?dryRun=All` };
	await until("the policy misses its parameter", async () => (await send(tokens.scheduler, dryRun)).message.includes("no params found"));
	const path = `/api/v1/namespaces/${namespace}/pods/${world.reboot}?gracePeriodSeconds=0`;
	assert.equal((await send(tokens.scheduler, { method: "DELETE", path })).status, 200);
});

/** What every authenticated user may do: who am I, and what may I. */
const everybody = ["selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"];
/** Verbs that stand for no request of their own, by the resource that they are about; nobody can discover whom one may impersonate. */
const specialVerbs: Readonly<Record<string, readonly string[]>> = {
	users: ["impersonate"],
	groups: ["impersonate"],
	serviceaccounts: ["impersonate"],
	roles: ["bind", "escalate"],
	clusterroles: ["bind", "escalate"],
	signers: ["approve", "sign", "attest"],
};

interface Question {
	readonly verb: string;
	readonly group: string;
	readonly resource: string;
	readonly namespaced: boolean;
}

interface Discovered {
	readonly resources: readonly { readonly name: string; readonly verbs: readonly string[]; readonly namespaced: boolean }[];
}

/** Every verb on every resource, in every version of its group. */
async function questions(): Promise<readonly Question[]> {
	const { groups } = await plane.api.get<{ groups: { versions: { groupVersion: string }[] }[] }>("/apis");
	const versions = groups.flatMap((each) => each.versions.map(({ groupVersion }) => groupVersion));
	const lists = await Promise.all(["/api/v1", ...versions.map((each) => `/apis/${each}`)].map((path) => plane.api.get<Discovered>(path)));
	const found = new Map<string, Question>();
	const add = (question: Question) => found.set(rightText(question), question);
	for (const [index, { resources }] of lists.entries()) {
		const group = index === 0 ? "" : (versions[index - 1]?.split("/")[0] ?? "");
		for (const { name, verbs, namespaced } of resources)
			for (const verb of [...verbs, ...(specialVerbs[name] ?? [])]) add({ verb, group, resource: name, namespaced });
	}
	for (const resource of ["users", "groups"]) add({ verb: "impersonate", group: "", resource, namespaced: false });
	for (const verb of specialVerbs.signers ?? []) add({ verb, group: "certificates.k8s.io", resource: "signers", namespaced: false });
	return [...found.values()];
}

function rightText({ verb, resource, group }: Pick<Question, "verb" | "resource" | "group">): string {
	return `${verb} ${resource}${group === "" ? "" : `.${group}`}`;
}

interface Rules {
	readonly metadata: { readonly name: string; readonly namespace?: string };
	readonly rules: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[]; readonly resourceNames?: string[] }[];
}

/** What the roles that are bound to a thief list, in a namespace or (empty) at the cluster's scope, without what they list by name. */
async function listed(thief: Thief, where: string): Promise<readonly string[]> {
	const name = thief === "sentinel" ? "sentinel" : "aks-reboot-scheduler";
	const rbac = "/apis/rbac.authorization.k8s.io/v1";
	const label = "?labelSelector=app.kubernetes.io%2Fpart-of%3Daks-reboot-scheduler";
	const [roles, clusterRoles] = await Promise.all(["roles", "clusterroles"].map((each) => plane.api.list<Rules>(`${rbac}/${each}${label}`)));
	assert.deepEqual([roles?.length, clusterRoles?.length], [4, 1], "the shipped roles");
	const bound = [...(clusterRoles ?? []), ...(roles ?? []).filter((each) => each.metadata.namespace === where)];
	const rules = bound.filter((each) => each.metadata.name === name).flatMap((each) => each.rules);
	return rules
		.filter((rule) => rule.resourceNames === undefined)
		.flatMap(({ apiGroups, resources, verbs }) =>
			verbs.flatMap((verb) => resources.flatMap((resource) => apiGroups.map((group) => rightText({ verb, resource, group })))),
		);
}

async function may(thief: Thief, { verb, group, resource }: Question, where: string): Promise<boolean> {
	const [name, subresource] = resource.split("/");
	const user = thief === "scheduler" ? "scheduler" : `system:serviceaccount:${namespace}:sentinel`;
	const groups = ["system:authenticated", ...(thief === "scheduler" ? [] : ["system:serviceaccounts", `system:serviceaccounts:${namespace}`])];
	const resourceAttributes = { verb, group, resource: name, subresource, namespace: where };
	const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec: { user, groups, resourceAttributes } };
	const answer = await plane.api.post<{ status: { allowed: boolean } }>("/apis/authorization.k8s.io/v1/subjectaccessreviews", review);
	return answer.status.allowed;
}

describe("every verb on every resource that the API server has, and that the roles do not list, is denied", () => {
	for (const thief of ["scheduler", "sentinel"] as const)
		for (const where of ["", namespace, "default", "kube-system"])
			test(`to the ${thief} ${where === "" ? "in all namespaces and beside them" : `in ${where}`}`, async () => {
				const asked = (await questions()).filter(({ namespaced }) => where === "" || namespaced);
				assert.ok(asked.length > 250, `${asked.length} questions`);
				const allowed: string[] = [];
				for (let first = 0; first < asked.length; first += 32) {
					const some = asked.slice(first, first + 32);
					const answers = await Promise.all(some.map((question) => may(thief, question, where)));
					allowed.push(...some.filter(({ resource }, index) => answers[index] === true && !everybody.includes(resource)).map(rightText));
				}
				const texts = new Set(asked.map(rightText));
				const expected = new Set((await listed(thief, where)).filter((each) => texts.has(each)));
				assert.deepEqual(allowed.sort(), [...expected].sort());
			});
});
