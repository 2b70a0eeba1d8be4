// A fleet of simulated nodes on an API server. They are ordinary API clients: everything else (Deployments, DaemonSets, budgets, node
// lifecycle, namespaces) is the controllers' doing.
import type { ApiServer } from "../api-server.ts";
import type { ApiClient } from "./api-client.ts";
import { defaultSettings, type NodeSettings, type NodeSpec } from "./kubelet-settings.ts";
import { type Budget, conditionStatus, type Node, type Pod } from "./objects.ts";
import { AwayLog, BudgetObserver, type BudgetWatch, marked, unavailable } from "./observers.ts";
import { type RebootPodSeen, type RebootSeen, SimulatedNode } from "./simulated-node.ts";
import { WatchCache } from "./watch-cache.ts";

/** Resolves once every node is Ready by the API server's word. */
export async function startKubelets(apiServer: ApiServer, specs: readonly NodeSpec[], defaults: Partial<NodeSettings> = {}): Promise<Fleet> {
	const fleet = new Fleet(apiServer, defaults);
	await fleet.start(specs);
	return fleet;
}

export class Fleet {
	/** Machines that were down at once: from the signal until Ready was posted again. */
	readonly down = new AwayLog();
	/** Nodes cordoned or not Ready at once, by the API server's word. */
	readonly unavailable = new AwayLog();
	/** Nodes that carried our mark at once. */
	readonly marked = new AwayLog();
	/** Calls of kubelets that failed, for a look when a test fails. */
	readonly problems: string[] = [];
	readonly #apiServer: ApiServer;
	readonly #defaults: Partial<NodeSettings>;
	readonly #nodes = new Map<string, SimulatedNode>();
	readonly #pods: WatchCache<Pod>;
	readonly #nodeObjects: WatchCache<Node>;
	readonly #budgets: WatchCache<Budget>;
	readonly #budgetObservers = new Set<BudgetObserver>();
	readonly #waiters = new Set<() => void>();
	#client: ApiClient | null = null;
	#clientCa = "";

	constructor(apiServer: ApiServer, defaults: Partial<NodeSettings>) {
		this.#apiServer = apiServer;
		this.#defaults = defaults;
		const client = (): ApiClient => this.client;
		this.#pods = new WatchCache<Pod>(client, `/api/v1/pods?fieldSelector=${encodeURIComponent("spec.nodeName!=")}`);
		this.#nodeObjects = new WatchCache<Node>(client, "/api/v1/nodes");
		this.#budgets = new WatchCache<Budget>(client, "/apis/policy/v1/poddisruptionbudgets");
	}

	get client(): ApiClient {
		// After a change of CA the old one can reach nothing.
		if (this.#client === null || this.#clientCa !== this.#apiServer.caPem) {
			void this.#client?.close();
			this.#client = this.#apiServer.client("kubelets", { timeoutMs: 10_000 });
			this.#clientCa = this.#apiServer.caPem;
		}
		return this.#client;
	}

	async start(specs: readonly NodeSpec[]): Promise<void> {
		this.#pods.onChange(({ kind, object }) => {
			const node = this.#nodes.get(object.spec.nodeName ?? "");
			if (kind === "set") node?.podSeen(object);
			else node?.podGone(object.metadata.uid);
			this.#changed(object.metadata.namespace);
		});
		this.#nodeObjects.onChange(({ kind, object }) => {
			if (kind === "set") this.#nodes.get(object.metadata.name)?.nodeSeen(object);
			const nodes = [...this.#nodeObjects.items.values()];
			this.unavailable.note(nodes.filter(unavailable).map((node) => node.metadata.name));
			this.marked.note(nodes.filter(marked).map((node) => node.metadata.name));
			this.#changed(null);
		});
		this.#budgets.onChange(({ object }) => this.#changed(object.metadata.namespace));
		await Promise.all([this.#pods.start(), this.#nodeObjects.start(), this.#budgets.start()]);
		await Promise.all(specs.map((spec) => this.add(spec)));
		// What was cordoned or not Ready while they came up is not what is watched for.
		this.down.moments.length = 0;
		this.unavailable.moments.length = 0;
		this.#noteAway();
	}

	/** Another node; resolves once it is Ready, or at once where it is left off. */
	async add(spec: NodeSpec): Promise<SimulatedNode> {
		const settings = { ...defaultSettings, ...this.#defaults, ...spec.settings };
		const clientNow = (): ApiClient => this.client;
		const node = new SimulatedNode(spec, settings, {
			get client() {
				return clientNow();
			},
			podsOf: (name) => [...this.#pods.items.values()].filter((pod) => pod.spec.nodeName === name),
			changed: () => this.#noteAway(),
			problem: (what, error) => this.problems.push(`${new Date().toISOString()} ${what}: ${String(error)}`),
		});
		this.#nodes.set(spec.name, node);
		node.startMachine();
		if (node.up) await this.until(`node ${spec.name} is Ready`, () => this.#ready(spec.name));
		return node;
	}

	node(name: string): SimulatedNode {
		const node = this.#nodes.get(name);
		if (node === undefined) throw new Error(`no simulated node ${name}: expected one of ${this.names().join(", ")}`);
		return node;
	}

	names(): string[] {
		return [...this.#nodes.keys()];
	}

	/** The machine is gone for good, and its Node object with it (as when a pool is scaled down). */
	async remove(name: string): Promise<void> {
		this.node(name).stop();
		this.#nodes.delete(name);
		this.#noteAway();
		await this.client.delete(`/api/v1/nodes/${name}`);
	}

	/** All boots that were ended, in order. */
	reboots(): RebootSeen[] {
		return [...this.#nodes.values()].flatMap((node) => node.reboots).sort((one, other) => one.at - other.at);
	}

	/** All reboot pods whose script ran, in order, with how it ended. */
	rebootPods(): RebootPodSeen[] {
		return [...this.#nodes.values()].flatMap((node) => node.rebootPods).sort((one, other) => one.at - other.at);
	}

	maxDown(): number {
		return this.down.max();
	}

	/** Pods on nodes, as last seen. */
	pods(): Pod[] {
		return [...this.#pods.items.values()];
	}

	nodeObjects(): Node[] {
		return [...this.#nodeObjects.items.values()];
	}

	watchBudgets(): BudgetWatch {
		const observer = new BudgetObserver(
			this.#budgets,
			this.#pods,
			(name) => this.#nodes.get(name),
			(stopped) => this.#budgetObservers.delete(stopped),
		);
		this.#budgetObservers.add(observer);
		observer.look(null);
		return observer;
	}

	/** Waits until something that nodes and pods show is so; looked at again whenever anything changes. */
	async until(what: string, holds: () => boolean, timeoutMs = 180_000): Promise<void> {
		if (holds()) return;
		await new Promise<void>((resolve, reject) => {
			const deadline = setTimeout(() => end(() => reject(new Error(`waiting until ${what}: not so after ${timeoutMs} ms`))), timeoutMs);
			// What only a simulated machine knows changes without an event.
			const poll = setInterval(() => look(), 100);
			const look = (): void => {
				if (holds()) end(resolve);
			};
			const end = (settle: () => void): void => {
				clearTimeout(deadline);
				clearInterval(poll);
				this.#waiters.delete(look);
				settle();
			};
			this.#waiters.add(look);
		});
	}

	async stop(): Promise<void> {
		for (const node of this.#nodes.values()) node.stop();
		await Promise.all([this.#pods.stop(), this.#nodeObjects.stop(), this.#budgets.stop()]);
		await this.#client?.close();
	}

	#ready(name: string): boolean {
		return this.nodeObjects().some((node) => node.metadata.name === name && conditionStatus(node, "Ready") === "True");
	}

	#noteAway(): void {
		this.down.note([...this.#nodes.values()].filter((node) => node.down).map((node) => node.name));
		this.#changed(null);
	}

	#changed(namespace: string | null): void {
		for (const observer of this.#budgetObservers) observer.look(namespace);
		for (const look of [...this.#waiters]) look();
	}
}
