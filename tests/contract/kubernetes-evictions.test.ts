// Every answer of a real API server to an eviction, and what we take it for. Without controllers: budgets have the status that a test gives them.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { ClusterApi, EvictionAnswer, PodRef } from "../../lib/tick/world.ts";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import { applyShipped } from "../real/scenario.ts";
import {
	credentialOf,
	exists,
	failureOf,
	fresh,
	hasControlPlane,
	openAs,
	type PodState,
	pending,
	pod,
	realTest,
	runningUnready,
} from "./kubernetes-fixtures.ts";

let plane: ControlPlane;
let api: ClusterApi;

before(async () => {
	if (!hasControlPlane) return;
	plane = await startControlPlane({ controllers: false, scheduler: false });
	await applyShipped(plane, { deletePods: true });
	api = openAs(plane);
});
after(() => plane?.stop());

const forReal = { gracePeriodSeconds: null, dryRun: false };
const dryRun = { gracePeriodSeconds: null, dryRun: true };

interface BudgetState {
	readonly allowed: number;
	readonly healthy?: number;
	/** As it is just after its creation: no controller has looked at it. */
	readonly unprocessed?: boolean;
	readonly selector?: object;
	readonly unhealthyPodEvictionPolicy?: string;
}

async function budget(app: string, { allowed, healthy = 1, unprocessed, selector, unhealthyPodEvictionPolicy }: BudgetState): Promise<string> {
	const name = fresh("budget");
	const path = `/apis/policy/v1/namespaces/default/poddisruptionbudgets/${name}`;
	await plane.api.post("/apis/policy/v1/namespaces/default/poddisruptionbudgets", {
		apiVersion: "policy/v1",
		kind: "PodDisruptionBudget",
		metadata: { name },
		spec: { minAvailable: 1, selector: selector ?? { matchLabels: { app } }, ...(unhealthyPodEvictionPolicy ? { unhealthyPodEvictionPolicy } : {}) },
	});
	if (unprocessed !== true) {
		const status = { observedGeneration: 1, disruptionsAllowed: allowed, currentHealthy: healthy, desiredHealthy: 1, expectedPods: 1 };
		await plane.api.patch(`${path}/status`, { status });
	}
	return name;
}

/** A pod and a budget that leaves it no room. */
async function blockedPod(state: PodState = {}, budgetState: Partial<BudgetState> = {}): Promise<{ ref: PodRef; name: string }> {
	const app = fresh("app");
	const name = await budget(app, { allowed: 0, ...budgetState });
	return { ref: await pod(plane, { labels: { app }, ...state }), name };
}

function assertBlocked(answer: EvictionAnswer, budgetName: string): void {
	assert.equal(answer.kind, "blocked");
	assert.deepEqual(answer.kind === "blocked" && answer.budgets, [budgetName]);
}

realTest("a pod without a budget is evicted, with the grace period that was asked for", async () => {
	const ref = await pod(plane);
	assert.deepEqual(await api.evict(ref, { gracePeriodSeconds: 77, dryRun: false }), { kind: "evicted" });
	const left = await exists(plane, ref);
	assert.equal(left?.metadata.deletionGracePeriodSeconds, 77);
	assert.deepEqual(await api.evict(ref, forReal), { kind: "evicted" }, "a pod that is terminating already");
});

realTest("a dry run of an eviction deletes nothing, and is no write in the audit log", async () => {
	const ref = await pod(plane);
	const since = Date.now();
	assert.deepEqual(await api.evict(ref, dryRun), { kind: "evicted" });
	assert.equal((await exists(plane, ref))?.metadata.deletionTimestamp, undefined);
	assert.deepEqual(plane.requests({ user: "scheduler", since, writes: true }), []);
	assert.equal(plane.requests({ user: "scheduler", since, subresource: "eviction" }).length, 1);
});

realTest("a budget that leaves no room blocks, by name, in a dry run as well", async () => {
	const { ref, name } = await blockedPod();
	for (const options of [forReal, dryRun]) {
		const answer = await api.evict(ref, options);
		assertBlocked(answer, name);
		assert.ok(answer.kind === "blocked");
		assert.match(answer.message, /needs 1 healthy pods and has 1 currently/);
		assert.equal(answer.retryAfterMs, null);
	}
	assert.equal((await exists(plane, ref))?.metadata.deletionTimestamp, undefined);
});

realTest("a budget that was just made blocks with the time after which to come back", async () => {
	const { ref, name } = await blockedPod({}, { unprocessed: true });
	const answer = await api.evict(ref, forReal);
	assertBlocked(answer, name);
	assert.equal(answer.kind === "blocked" && answer.retryAfterMs, 10_000);
});

realTest("a pod that is not ready is blocked by a budget that is not met, unless the budget lets such pods go", async () => {
	const { ref, name } = await blockedPod({ status: runningUnready }, { healthy: 0 });
	assertBlocked(await api.evict(ref, forReal), name);
	const always = await blockedPod({ status: runningUnready }, { healthy: 0, unhealthyPodEvictionPolicy: "AlwaysAllow" });
	assert.deepEqual(await api.evict(always.ref, forReal), { kind: "evicted" });
});

realTest("a pending pod is not the budget's matter", async () => {
	const { ref } = await blockedPod({ status: pending });
	assert.deepEqual(await api.evict(ref, forReal), { kind: "evicted" });
});

realTest("two budgets are told by their names, those with expressions included, and others of the namespace are not", async () => {
	const app = fresh("app");
	const names = [
		await budget(app, { allowed: 1 }),
		await budget(app, { allowed: 1, selector: { matchExpressions: [{ key: "app", operator: "In", values: [app] }] } }),
	];
	await budget(fresh("other"), { allowed: 1 });
	const answer = await api.evict(await pod(plane, { labels: { app } }), forReal);
	assert.ok(answer.kind === "twoBudgets", JSON.stringify(answer));
	assert.deepEqual(answer.budgets, names.sort());
	assert.match(answer.message, /more than one PodDisruptionBudget/);
});

realTest("a pod that is gone, or followed by another of its name, is gone and its successor stays", async () => {
	const ref = { ...(await pod(plane)), uid: "11111111-2222-3333-4444-555555555555" };
	assert.deepEqual(await api.evict(ref, forReal), { kind: "gone" });
	assert.equal((await exists(plane, ref))?.metadata.deletionTimestamp, undefined);
	assert.deepEqual(await api.evict({ ...ref, name: fresh("never") }, forReal), { kind: "gone" });
});

realTest("a successor that its budget blocks is not waited for: the budget is asked before the UID", async () => {
	const { ref } = await blockedPod();
	assert.deepEqual(await api.evict({ ...ref, uid: "11111111-2222-3333-4444-555555555555" }, forReal), { kind: "gone" });
});

realTest("a successor under two budgets is not waited for either", async () => {
	const app = fresh("app");
	await budget(app, { allowed: 1 });
	await budget(app, { allowed: 1 });
	const ref = await pod(plane, { labels: { app } });
	assert.deepEqual(await api.evict({ ...ref, uid: "11111111-2222-3333-4444-555555555555" }, forReal), { kind: "gone" });
});

realTest("a namespace that is being deleted is told: its pods go by themselves", async () => {
	const namespace = fresh("ending");
	await plane.api.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
	const ref = await pod(plane, { namespace });
	await plane.api.delete(`/api/v1/namespaces/${namespace}`);
	const answer = await api.evict(ref, forReal);
	assert.equal(answer.kind, "namespaceEnding", JSON.stringify(answer));
});

realTest("missing rights are a failure that names verb and resource, and no answer about the pod", async () => {
	const { ref } = await blockedPod();
	const secret = plane.token("kubelets");
	const stranger = openAs({ ...plane, url: plane.url, caData: plane.caData, token: () => "not-a-token" } as unknown as ControlPlane);
	assert.equal((await failureOf(stranger.evict(ref, forReal), ["not-a-token"])).failure, "unauthorized");
	await plane.kubectl("delete", "clusterrolebinding", "aks-reboot-scheduler");
	try {
		const error = await failureOf(api.evict(ref, forReal), [secret, plane.token("scheduler")]);
		assert.deepEqual([error.failure, error.status, error.mayHaveApplied], ["forbidden", 403, false]);
		assert.match(error.message, /cannot create resource "pods\/eviction"/);
	} finally {
		await applyShipped(plane, { deletePods: true });
	}
});

realTest("a pod is deleted past its budget by its UID, and neither another of its name nor one that is gone is an error", async () => {
	const { ref } = await blockedPod();
	await api.deletePod({ ...ref, uid: "11111111-2222-3333-4444-555555555555" }, { gracePeriodSeconds: 0 });
	assert.notEqual(await exists(plane, ref), null);
	await api.deletePod(ref, { gracePeriodSeconds: 44 });
	assert.equal((await exists(plane, ref))?.metadata.deletionGracePeriodSeconds, 44);
	await api.deletePod(ref, { gracePeriodSeconds: 0 });
	assert.equal(await exists(plane, ref), null);
	await api.deletePod(ref, { gracePeriodSeconds: null });
});

realTest("the shipped rights do not let the scheduler delete a pod past its budget unless its component was applied", async () => {
	assert.equal(credentialOf(plane).auth.kind, "token");
	await plane.kubectl("delete", "clusterrole,clusterrolebinding,role,rolebinding", "-A", "-l", "app.kubernetes.io/component=scheduler");
	await applyShipped(plane);
	const ref = await pod(plane);
	const error = await failureOf(api.deletePod(ref, { gracePeriodSeconds: 0 }));
	assert.equal(error.failure, "forbidden");
	assert.notEqual(await exists(plane, ref), null);
});
