// Watches from outside what the promise is about: how many nodes are away at once, and whether a budget is ever broken.
import { type Budget, conditionStatus, type LabelSelector, type Node, type Pod } from "./objects.ts";
import type { SimulatedNode } from "./simulated-node.ts";
import type { WatchCache } from "./watch-cache.ts";

/** A set of nodes at a moment; noted when it changes. */
export interface NodesAway {
	readonly at: number;
	readonly nodes: readonly string[];
}

/** Notes each change of a set of names. */
export class AwayLog {
	readonly moments: NodesAway[] = [];

	note(nodes: readonly string[]): void {
		const sorted = [...nodes].sort();
		const last = this.moments.at(-1)?.nodes ?? [];
		if (last.length === sorted.length && last.every((name, index) => name === sorted[index])) return;
		this.moments.push({ at: Date.now(), nodes: sorted });
	}

	/** Most at once, without those named. */
	max(without: readonly string[] = []): number {
		return Math.max(0, ...this.moments.map((moment) => moment.nodes.filter((name) => !without.includes(name)).length));
	}
}

/** Cordoned, or not Ready, by the API server's word. */
export function unavailable(node: Node): boolean {
	return node.spec.unschedulable === true || conditionStatus(node, "Ready") !== "True";
}

/** Carries the scheduler's mark. */
export function marked(node: Node): boolean {
	return node.metadata.annotations?.["aks-reboot-scheduler/reboot"] !== undefined;
}

export interface BudgetBroken {
	readonly at: number;
	readonly budget: string;
	readonly healthy: number;
	readonly minimum: number;
}

export interface BudgetWatch {
	/** Every moment at which fewer pods were healthy than a budget wants, after it had once been kept. */
	readonly broken: readonly BudgetBroken[];
	/** Fewest healthy pods seen of a budget (`namespace/name`) after it had once been kept; null if it never was. */
	lowest(budget: string): number | null;
	stop(): void;
}

interface BudgetSeen {
	/** Most healthy pods at once: what the budget's percentages and `maxUnavailable` are of. */
	most: number;
	lowest: number | null;
	brokenNow: boolean;
}

/** Judges budgets by their pods: Ready, not being deleted, and really running on a machine that is up. */
export class BudgetObserver implements BudgetWatch {
	readonly broken: BudgetBroken[] = [];
	readonly #budgets: WatchCache<Budget>;
	readonly #pods: WatchCache<Pod>;
	readonly #node: (name: string) => SimulatedNode | undefined;
	readonly #seen = new Map<string, BudgetSeen>();
	readonly #onStop: (observer: BudgetObserver) => void;

	constructor(
		budgets: WatchCache<Budget>,
		pods: WatchCache<Pod>,
		node: (name: string) => SimulatedNode | undefined,
		onStop: (observer: BudgetObserver) => void,
	) {
		this.#budgets = budgets;
		this.#pods = pods;
		this.#node = node;
		this.#onStop = onStop;
	}

	lowest(budget: string): number | null {
		return this.#seen.get(budget)?.lowest ?? null;
	}

	stop(): void {
		this.#onStop(this);
	}

	/** `namespace`: only budgets there may have changed. */
	look(namespace: string | null): void {
		for (const budget of this.#budgets.items.values()) if (namespace === null || budget.metadata.namespace === namespace) this.#judge(budget);
	}

	#judge(budget: Budget): void {
		const key = `${budget.metadata.namespace}/${budget.metadata.name}`;
		const seen = this.#seen.get(key) ?? { most: 0, lowest: null, brokenNow: false };
		this.#seen.set(key, seen);
		const healthy = [...this.#pods.items.values()].filter((pod) => this.#matches(budget, pod) && this.#healthy(pod)).length;
		seen.most = Math.max(seen.most, healthy);
		const minimum = minimumOf(budget, seen.most);
		// Until its pods have come up for the first time there is nothing to protect.
		if (seen.lowest === null && (healthy < minimum || minimum === 0)) return;
		seen.lowest = Math.min(seen.lowest ?? healthy, healthy);
		const brokenNow = healthy < minimum;
		if (brokenNow && !seen.brokenNow) this.broken.push({ at: Date.now(), budget: key, healthy, minimum });
		seen.brokenNow = brokenNow;
	}

	#matches(budget: Budget, pod: Pod): boolean {
		return pod.metadata.namespace === budget.metadata.namespace && selects(budget.spec.selector, pod.metadata.labels ?? {});
	}

	#healthy(pod: Pod): boolean {
		if (pod.metadata.deletionTimestamp !== undefined || conditionStatus(pod, "Ready") !== "True") return false;
		return this.#node(pod.spec.nodeName ?? "")?.serves(pod.metadata.uid) === true;
	}
}

function minimumOf(budget: Budget, expected: number): number {
	const { minAvailable, maxUnavailable } = budget.spec;
	if (minAvailable !== undefined) return scaled(minAvailable, expected);
	return Math.max(0, expected - scaled(maxUnavailable ?? 0, expected));
}

/** Percentages are rounded up, as the disruption controller does. */
function scaled(value: number | string, of: number): number {
	return typeof value === "number" ? value : Math.ceil((Number.parseInt(value, 10) / 100) * of);
}

function selects(selector: LabelSelector | undefined, labels: Readonly<Record<string, string>>): boolean {
	const wanted = Object.entries(selector?.matchLabels ?? {});
	return wanted.every(([key, value]) => labels[key] === value);
}
