// Evictions, and what the API server's answers to them mean (each was measured on a real one).
import type { V1Eviction, V1Pod, V1PodDisruptionBudget } from "@kubernetes/client-node";
import { CallError } from "../tick/call-error.ts";
import type { EvictionAnswer, PodRef } from "../tick/world.ts";
import { ofKind, type StatusBody, shortened, statusOf } from "./errors.ts";
import { listPages } from "./pages.ts";
import { budgetsOf } from "./selectors.ts";
import type { Session } from "./session.ts";

export interface EvictionOptions {
	readonly gracePeriodSeconds: number | null;
	readonly dryRun: boolean;
}

export async function evict(session: Session, pod: PodRef, options: EvictionOptions): Promise<EvictionAnswer> {
	const doing = `evicting pod ${pod.namespace}/${pod.name}${options.dryRun ? " (dry run)" : ""}`;
	const refusal = await post(session, doing, pod, options);
	if (refusal === null) return { kind: "evicted" };
	const answer = meaning(refusal.status);
	switch (answer.kind) {
		case "gone":
		case "namespaceEnding":
			return answer;
		case "blocked":
			// The budget is asked before the UID: what is blocked may be a successor of our pod.
			if ((await successor(session, pod)).kind === "gone") return { kind: "gone" };
			return { ...answer, retryAfterMs: refusal.error.retryAfterMs };
		case "twoBudgets":
			return twoBudgets(session, pod, answer.message);
		case "failed":
			throw refusal.error;
		default:
			return answer satisfies never;
	}
}

interface Refusal {
	readonly error: CallError;
	readonly status: StatusBody;
}

/** Null: accepted. An answer that carries no Status has no meaning of its own: it is thrown. */
async function post(session: Session, doing: string, pod: PodRef, options: EvictionOptions): Promise<Refusal | null> {
	let status: StatusBody | null = null;
	try {
		await session.write(doing, async ({ core }) => {
			try {
				const { name, namespace } = pod;
				const request = { name, namespace, body: evictionOf(pod, options), ...(options.dryRun ? { dryRun: "All" } : {}) };
				ofKind(await core.createNamespacedPodEviction(request), "Status", "Eviction");
			} catch (error) {
				status = statusOf(error);
				throw error;
			}
		});
		return null;
	} catch (error) {
		if (status === null || !(error instanceof CallError)) throw error;
		return { error, status };
	}
}

function evictionOf(pod: PodRef, { gracePeriodSeconds, dryRun }: EvictionOptions): V1Eviction {
	return {
		apiVersion: "policy/v1",
		kind: "Eviction",
		metadata: { name: pod.name, namespace: pod.namespace },
		deleteOptions: {
			// A pod that follows under the same name is not ours to evict.
			preconditions: { uid: pod.uid },
			...(gracePeriodSeconds === null ? {} : { gracePeriodSeconds }),
			// Here as well as in the query, where audit logs and proxies look for it.
			...(dryRun ? { dryRun: ["All"] } : {}),
		},
	};
}

type Meaning = Exclude<EvictionAnswer, { kind: "evicted" }> | { readonly kind: "failed" };

/** What a Status that refuses an eviction means; `failed` for all that says nothing about this pod. */
export function meaning(status: StatusBody): Meaning {
	const budgetCauses = status.causes.filter((cause) => cause.reason === "DisruptionBudget");
	if (budgetCauses.length > 0) {
		const message = shortened(budgetCauses.map((cause) => cause.message).join(" "));
		return { kind: "blocked", budgets: budgetCauses.flatMap((cause) => budgetName(cause.message)), message, retryAfterMs: null };
	}
	if (status.causes.some((cause) => cause.reason === "NamespaceTerminating")) return { kind: "namespaceEnding", message: shortened(status.message) };
	// Known by its message alone: this 500 has neither reason nor details.
	if (status.message.includes("more than one PodDisruptionBudget")) return { kind: "twoBudgets", budgets: [], message: shortened(status.message) };
	if (status.reason === "NotFound") return { kind: "gone" };
	if (status.reason === "Conflict" && status.message.includes("UID in the precondition")) return { kind: "gone" };
	return { kind: "failed" };
}

/** "The disruption budget NAME needs …" */
function budgetName(message: string): readonly string[] {
	const name = /^The disruption budget (\S+) /.exec(message)?.[1];
	return name === undefined ? [] : [name];
}

type Successor = { readonly kind: "gone" } | { readonly kind: "there"; readonly pod: V1Pod } | { readonly kind: "unknown"; readonly why: string };

/** Our pod as it is now. `unknown`: it could not be read, which never counts as gone. */
async function successor(session: Session, pod: PodRef): Promise<Successor> {
	try {
		const found = await session.read(`reading pod ${pod.namespace}/${pod.name}`, async ({ core }) =>
			ofKind(await core.readNamespacedPod({ name: pod.name, namespace: pod.namespace }), "Pod"),
		);
		return found.metadata?.uid === pod.uid ? { kind: "there", pod: found } : { kind: "gone" };
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		return error.failure === "notFound" ? { kind: "gone" } : { kind: "unknown", why: error.message };
	}
}

/** The names of the budgets help a person; that they cannot be read does not make the answer another, and is said instead. */
async function twoBudgets(session: Session, pod: PodRef, message: string): Promise<EvictionAnswer> {
	const found = await successor(session, pod);
	switch (found.kind) {
		case "gone":
			return found;
		case "unknown":
			return { kind: "twoBudgets", budgets: [], message: `which they are is not known: ${found.why}` };
		case "there":
			try {
				return { kind: "twoBudgets", budgets: await budgetNames(session, pod.namespace, found.pod.metadata?.labels ?? {}), message };
			} catch (error) {
				if (!(error instanceof CallError)) throw error;
				return { kind: "twoBudgets", budgets: [], message: `which they are is not known: ${error.message}` };
			}
		default:
			return found satisfies never;
	}
}

async function budgetNames(session: Session, namespace: string, labels: Readonly<Record<string, string>>): Promise<readonly string[]> {
	const budgets = await listPages<V1PodDisruptionBudget, V1PodDisruptionBudget>(session, {
		doing: `listing disruption budgets of namespace ${namespace}`,
		kinds: ["PodDisruptionBudgetList"],
		fetchPage: ({ policy }, page) => policy.listNamespacedPodDisruptionBudget({ namespace, ...page }),
		reduce: (budget) => budget,
	});
	return budgetsOf(budgets, labels);
}
