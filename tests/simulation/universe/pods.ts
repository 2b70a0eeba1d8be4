// Pod objects, by node and by name.
import type { Instant, PodFacts } from "../../../lib/plan/model.ts";
import type { PodRef, RebootPodSpec } from "../../../lib/tick/world.ts";
import type { BudgetSituation, EvictionSituation } from "../../contract/eviction-rows.ts";
import type { DaemonSet, Workload } from "./controllers.ts";
import { evictionOf } from "./evictions.ts";

export interface ApiPod {
	facts: PodFacts;
	readonly owner:
		| { readonly kind: "workload"; readonly workload: Workload }
		| { readonly kind: "daemonSet"; readonly daemonSet: DaemonSet }
		| { readonly kind: "reboot"; readonly spec: RebootPodSpec };
	/** Has the label that `DRAIN_POD_SELECTOR` asks for. */
	readonly labelled: boolean;
	readonly boundAt: Instant;
	/** Its kubelet has heard of it: it may run even when the API does not reach the node any more. */
	learned: boolean;
	/** The boot its containers run in; null: they do not. */
	runsIn: string | null;
	/** Deleted from the API. */
	gone: boolean;
}

export class Pods {
	readonly #byNode = new Map<string, Map<string, ApiPod>>();
	readonly #byName = new Map<string, ApiPod>();
	/** Namespaces that are being deleted. */
	readonly endingNamespaces = new Set<string>();

	on(node: string): readonly ApiPod[] {
		const pods = this.#byNode.get(node);
		return pods === undefined ? [] : [...pods.values()];
	}

	*all(): Iterable<ApiPod> {
		yield* this.#byName.values();
	}

	named(namespace: string, name: string): ApiPod | undefined {
		return this.#byName.get(`${namespace}/${name}`);
	}

	add(pod: ApiPod): void {
		const { namespace, name, uid, node } = pod.facts;
		this.#byName.set(`${namespace}/${name}`, pod);
		const onNode = this.#byNode.get(node) ?? new Map<string, ApiPod>();
		this.#byNode.set(node, onNode);
		onNode.set(uid, pod);
	}

	change(pod: ApiPod, changes: Partial<PodFacts>): void {
		pod.facts = { ...pod.facts, ...changes };
	}

	remove(pod: ApiPod): void {
		const { namespace, name, uid, node } = pod.facts;
		pod.gone = true;
		if (this.#byName.get(`${namespace}/${name}`) === pod) this.#byName.delete(`${namespace}/${name}`);
		this.#byNode.get(node)?.delete(uid);
	}

	/** The answer to an eviction, and what becomes of the pod by it. */
	eviction(ref: PodRef, { gracePeriodSeconds, dryRun }: { readonly gracePeriodSeconds: number | null; readonly dryRun: boolean }) {
		const pod = this.named(ref.namespace, ref.name) ?? null;
		// An empty UID is no precondition: whatever has that name now is evicted.
		const uidMatches = ref.uid === "" || pod?.facts.uid === ref.uid;
		const situation: EvictionSituation = {
			pod: pod === null ? null : { ...pod.facts, terminating: pod.facts.deletionAt !== null, uidMatches },
			budgets: pod?.owner.kind === "workload" ? this.#budgets(pod.owner.workload) : [],
			namespaceEnding: this.endingNamespaces.has(ref.namespace),
			dryRun,
			gracePeriodSeconds,
		};
		return { pod, ...evictionOf(situation, ref.name, ref.namespace) };
	}

	/** As the disruption controller has them, without its delay. */
	#budgets(workload: Workload): readonly BudgetSituation[] {
		const { budget, name } = workload.shape;
		if (budget === null) return [];
		const currentHealthy = this.healthy(workload);
		const desiredHealthy = workload.leastHealthy;
		const status = { currentHealthy, desiredHealthy, disruptionsAllowed: Math.max(0, currentHealthy - desiredHealthy), observed: true };
		const one = { name, ...status, alwaysAllow: budget.unhealthyMayGo };
		return budget.twice ? [one, { ...one, name: `${name}-b` }] : [one];
	}

	healthy(workload: Workload): number {
		let healthy = 0;
		for (const pod of workload.pods) if (pod.facts.ready && pod.facts.deletionAt === null) healthy++;
		return healthy;
	}
}
