// Every answer of the API server to an eviction, and what we take it for.
import assert from "node:assert/strict";
import { describe } from "node:test";
import type { EvictionAnswer, PodRef } from "../../lib/tick/world.ts";
import { until } from "../waiting.ts";
import { type BudgetSituation, type EvictionRow, endingNamespace, evictionRows, type PodSituation, podName } from "./eviction-rows.ts";
import { anotherUid, exists, failureOf, fresh, pod } from "./kubernetes-fixtures.ts";
import { contract, type Subject } from "./kubernetes-implementations.ts";
import { recording } from "./kubernetes-server.ts";

const forReal = { gracePeriodSeconds: null, dryRun: false };
const labels = { app: "web" };

async function makeBudget({ server }: Subject, namespace: string, state: BudgetSituation): Promise<void> {
	const collection = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;
	await server.api.post(collection, {
		apiVersion: "policy/v1",
		kind: "PodDisruptionBudget",
		metadata: { name: state.name },
		spec: { minAvailable: 1, selector: { matchLabels: labels }, ...(state.alwaysAllow ? { unhealthyPodEvictionPolicy: "AlwaysAllow" } : {}) },
	});
	// As it is just after its creation: no controller has looked at it.
	if (!state.observed && state.disruptionsAllowed === 0) return;
	const { disruptionsAllowed, currentHealthy, desiredHealthy, observed } = state;
	const status = { observedGeneration: observed ? 1 : 0, disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods: 2 };
	await server.api.patch(`${collection}/${state.name}/status`, { status });
}

async function allowedBy({ server }: Subject, namespace: string, name: string): Promise<number> {
	const found = await server.api.get<{ status?: { disruptionsAllowed?: number } }>(`/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/${name}`);
	return found.status?.disruptionsAllowed ?? 0;
}

async function makePod({ server }: Subject, namespace: string, { phase, ready, terminating }: PodSituation): Promise<PodRef> {
	const status = { phase, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] };
	const ref = await pod(server, { namespace, name: podName, labels, status });
	if (terminating) await server.api.delete(`/api/v1/namespaces/${namespace}/pods/${podName}`);
	return ref;
}

/** Makes what the row says in a namespace of its own. */
async function situate(subject: Subject, { situation }: EvictionRow): Promise<PodRef> {
	const namespace = fresh("row");
	const { api } = subject.server;
	await api.post("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
	for (const budget of situation.budgets) await makeBudget(subject, namespace, budget);
	const there = situation.pod === null ? null : await makePod(subject, namespace, situation.pod);
	if (situation.namespaceEnding) await api.delete(`/api/v1/namespaces/${namespace}`);
	return { namespace, name: podName, uid: situation.pod?.uidMatches === false ? anotherUid : (there?.uid ?? anotherUid) };
}

async function leftOf({ server }: Subject, ref: PodRef): Promise<EvictionRow["left"]> {
	const found = await exists(server, ref);
	if (found === null) return "nothing";
	return found.metadata.deletionTimestamp === undefined ? "untouched" : "terminating";
}

function inNamespace(answer: EvictionAnswer, namespace: string): EvictionAnswer {
	return "message" in answer ? { ...answer, message: answer.message.replace(`namespace ${endingNamespace} `, `namespace ${namespace} `) } : answer;
}

contract((subject) => {
	// Side by side: a real server takes 10 s for a UID that differs where no budget is asked (it tries again by itself).
	describe("evictions", { concurrency: 8 }, () => {
		for (const row of evictionRows)
			subject.test(`eviction: ${row.name}`, async (context) => {
				const statuses: number[] = [];
				const { api } = await recording(subject.server, context, ({ url }, status) => url.includes("/eviction") && statuses.push(status));
				const ref = await situate(subject, row);
				const { dryRun, gracePeriodSeconds, budgets } = row.situation;
				assert.deepEqual(await api.evict(ref, { dryRun, gracePeriodSeconds }), inNamespace(row.answer, ref.namespace));
				assert.deepEqual(statuses, [row.status]);
				assert.equal(await leftOf(subject, ref), row.left);
				assert.deepEqual(await Promise.all(budgets.map(({ name }) => allowedBy(subject, ref.namespace, name))), row.allowedAfter);
			});
	});

	subject.test("a pod is evicted with the grace period that was asked for, and a later eviction does not lengthen it", async () => {
		const ref = await pod(subject.server);
		const graceOf = async () => (await exists(subject.server, ref))?.metadata.deletionGracePeriodSeconds;
		await subject.api.evict(ref, { gracePeriodSeconds: 77, dryRun: false });
		assert.equal(await graceOf(), 77);
		await subject.api.evict(ref, { gracePeriodSeconds: 99, dryRun: false });
		assert.equal(await graceOf(), 77);
		await subject.api.evict(ref, { gracePeriodSeconds: 11, dryRun: false });
		assert.equal(await graceOf(), 11);
	});

	subject.test("a pod that somebody's finalizer holds is evicted and stays, terminating", async () => {
		const ref = await pod(subject.server, { finalizers: ["tests/stays"] });
		assert.deepEqual(await subject.api.evict(ref, { gracePeriodSeconds: 0, dryRun: false }), { kind: "evicted" });
		assert.equal(await leftOf(subject, ref), "terminating");
		await subject.server.api.patch(`/api/v1/namespaces/${ref.namespace}/pods/${ref.name}`, { metadata: { finalizers: null } });
		assert.equal(await leftOf(subject, ref), "nothing");
	});

	subject.test("a pod that is on no node yet goes at once", async () => {
		const ref = await pod(subject.server, { spec: { nodeName: "" }, status: null });
		assert.deepEqual(await subject.api.evict(ref, forReal), { kind: "evicted" });
		assert.equal(await leftOf(subject, ref), "nothing");
	});

	subject.test("a namespace that is not there has no pod: it is gone", async () => {
		assert.deepEqual(await subject.api.evict({ namespace: fresh("nowhere"), name: podName, uid: anotherUid }, forReal), { kind: "gone" });
	});

	subject.test("two budgets are told by their names, those with expressions included, and others of the namespace are not", async () => {
		const app = fresh("app");
		const budget = async (selector: object): Promise<string> => {
			const name = fresh("budget");
			await subject.server.api.post("/apis/policy/v1/namespaces/default/poddisruptionbudgets", { metadata: { name }, spec: { minAvailable: 1, selector } });
			return name;
		};
		const names = [await budget({ matchLabels: { app } }), await budget({ matchExpressions: [{ key: "app", operator: "In", values: [app] }] })];
		await budget({ matchLabels: { app: fresh("other") } });
		const answer = await subject.api.evict(await pod(subject.server, { labels: { app } }), forReal);
		assert.deepEqual(answer.kind === "twoBudgets" && answer.budgets, names.sort());
	});

	subject.test("a budget whose controller does not keep up is a failure, and no answer about the pod", async () => {
		const app = fresh("app");
		const collection = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
		await subject.server.api.post(collection, { metadata: { name: app }, spec: { minAvailable: 1, selector: { matchLabels: { app } } } });
		const disruptedPods = Object.fromEntries(Array.from({ length: 2001 }, (_, index) => [`gone-${index}`, "2026-11-24T02:00:00Z"]));
		const status = { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, disruptedPods };
		await subject.server.api.patch(`${collection}/${app}/status`, { status });
		const ref = await pod(subject.server, { labels: { app } });
		const error = await failureOf(subject.api.evict(ref, forReal));
		assert.deepEqual([error.failure, error.status, error.mayHaveApplied], ["forbidden", 403, false]);
		assert.match(error.message, new RegExp(`403 Forbidden: poddisruptionbudget\\.policy "${app}" is forbidden: DisruptedPods map too big`));
		assert.equal(await leftOf(subject, ref), "untouched");
	});

	subject.test("the shipped rights do not let the scheduler delete a pod past its budget unless its component was applied", async () => {
		const ref = await pod(subject.server);
		assert.equal((await failureOf(subject.api.deletePod(ref, { gracePeriodSeconds: 0 }))).failure, "forbidden");
		assert.equal(await leftOf(subject, ref), "untouched");
		await subject.applyShipped({ deletePods: true });
		// The server takes a moment to know of new rights.
		await until("the scheduler may delete pods", async () => {
			await subject.api.deletePod(ref, { gracePeriodSeconds: 0 }).catch(() => {});
			return (await leftOf(subject, ref)) === "nothing";
		});
	});

	subject.test("a pod is deleted past its budget by its UID, and neither another of its name nor one that is gone is an error", async () => {
		const ref = await pod(subject.server);
		await subject.api.deletePod({ ...ref, uid: anotherUid }, { gracePeriodSeconds: 0 });
		assert.equal(await leftOf(subject, ref), "untouched");
		await subject.api.deletePod(ref, { gracePeriodSeconds: 44 });
		assert.equal((await exists(subject.server, ref))?.metadata.deletionGracePeriodSeconds, 44);
		await subject.api.deletePod(ref, { gracePeriodSeconds: 0 });
		assert.equal(await exists(subject.server, ref), null);
		await subject.api.deletePod(ref, { gracePeriodSeconds: null });
	});
});
