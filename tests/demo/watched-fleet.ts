// The demonstration fleet seen from outside, as an operator with kubectl sees it: by watches on the nodes of each cluster, as its admin.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { adminOf } from "../contract/lab-process.ts";
import { demonstration } from "../lab/fleet.ts";
import type { Ready } from "../lab/lab.ts";
import type { Place } from "../local/local-run.ts";
import type { ApiClient } from "../real/api-client.ts";
import { conditionStatus, type Node, type Pod } from "../real/objects.ts";
import { AwayLog, marked } from "../real/observers.ts";
import { WatchCache } from "../real/watch-cache.ts";
import { until } from "../waiting.ts";

const { clusters } = demonstration(new Date());
const holdAnnotation = "aks-reboot-scheduler/hold";

/** Nodes are named `cluster/node` here. */
export const operatorsCordons: readonly string[] = clusters.flatMap(({ name, cordoned = [] }) => cordoned.map((node) => `${name}/${node}`));
const waitsAtFirst = clusters.flatMap(({ name, nodes }) => nodes.filter((node) => node.needsReboot).map((node) => ({ key: `${name}/${node.name}`, node })));
export const onHold: readonly string[] = waitsAtFirst.flatMap(({ key, node }) => (node.annotations?.[holdAnnotation] === undefined ? [] : [key]));
/** Nodes that one pass over the fleet reboots. */
export const toBeRebooted: readonly string[] = waitsAtFirst.map(({ key }) => key).filter((key) => !onHold.includes(key));

interface Watched {
	readonly cluster: string;
	readonly admin: ApiClient;
	readonly nodes: WatchCache<Node>;
	readonly pods: WatchCache<Pod>;
	/** Nodes that carry our mark or are not Ready. */
	readonly down: AwayLog;
}

export class WatchedFleet {
	readonly ready: Ready;
	readonly #watched: readonly Watched[];
	/** Boot ids in the order in which the API server told them. */
	readonly #boots = new Map<string, string[]>();
	/** Every moment at which an operator's cordon was not there. */
	readonly cordonsLost: string[] = [];

	private constructor(ready: Ready) {
		this.ready = ready;
		this.#watched = clusters.map(({ name: cluster }) => {
			const admin = adminOf(ready, cluster);
			const nodes = new WatchCache<Node>(() => admin, "/api/v1/nodes");
			const pods = new WatchCache<Pod>(() => admin, "/api/v1/namespaces/aks-reboot-scheduler/pods");
			const watched = { cluster, admin, nodes, pods, down: new AwayLog() };
			nodes.onChange(({ object }) => this.#see(watched, object));
			return watched;
		});
	}

	/** Of the lab that a run in this place has started; resolves once every node was seen. */
	static async of(place: Place): Promise<WatchedFleet> {
		await place.isUp();
		const ready = JSON.parse(readFileSync(join(place.folder, ".local/lab/lab.json"), "utf8")) as Ready;
		const fleet = new WatchedFleet(ready);
		await Promise.all(fleet.#watched.flatMap(({ nodes, pods }) => [nodes.start(), pods.start()]));
		return fleet;
	}

	#see({ cluster, nodes, down }: Watched, node: Node): void {
		const key = `${cluster}/${node.metadata.name}`;
		const boots = this.#boots.get(key) ?? [];
		const { bootID } = node.status.nodeInfo;
		if (boots.at(-1) !== bootID) this.#boots.set(key, [...boots, bootID]);
		if (operatorsCordons.includes(key) && node.spec.unschedulable !== true) this.cordonsLost.push(`${key} at ${new Date().toISOString()}`);
		const away = [...nodes.items.values()].filter((each) => marked(each) || conditionStatus(each, "Ready") !== "True");
		down.note(away.map((each) => each.metadata.name));
	}

	/** Addresses of the API servers. */
	servers(): readonly string[] {
		const { clusters: all } = JSON.parse(readFileSync(this.ready.kubeconfig, "utf8")) as {
			readonly clusters: readonly { readonly cluster: { readonly server: string } }[];
		};
		return all.map(({ cluster }) => cluster.server);
	}

	admin(cluster: string): ApiClient {
		return this.#of(cluster).admin;
	}

	#of(cluster: string): Watched {
		const watched = this.#watched.find((each) => each.cluster === cluster);
		if (watched === undefined) throw new Error(`no cluster ${cluster} in the demonstration`);
		return watched;
	}

	node(key: string): Node {
		const [cluster = "", name] = key.split("/");
		const node = [...this.#of(cluster).nodes.items.values()].find(({ metadata }) => metadata.name === name);
		if (node === undefined) throw new Error(`no node ${key} in the demonstration`);
		return node;
	}

	/** In service, and nobody's mark on it. */
	inService(key: string): boolean {
		const node = this.node(key);
		return !marked(node) && node.spec.unschedulable !== true && conditionStatus(node, "Ready") === "True";
	}

	async until(what: string, holds: () => boolean): Promise<void> {
		await until(what, holds);
	}

	/** Of nodes that were booted, how often, sorted by name. */
	reboots(): Readonly<Record<string, number>> {
		const all = [...this.#boots].flatMap(([key, boots]) => (boots.length > 1 ? [[key, boots.length - 1] as const] : []));
		return Object.fromEntries(all.sort());
	}

	/** Most nodes of one cluster that were down at once. */
	mostDown(): number {
		return Math.max(...this.#watched.map(({ down }) => down.max()));
	}

	cordoned(): readonly string[] {
		return this.#named((node) => node.spec.unschedulable === true);
	}

	marked(): readonly string[] {
		return this.#named(marked);
	}

	#named(holds: (node: Node) => boolean): readonly string[] {
		return this.#watched.flatMap(({ cluster, nodes }) => [...nodes.items.values()].filter(holds).map(({ metadata }) => `${cluster}/${metadata.name}`)).sort();
	}

	/** Privileged pods, which stand on no node between reboots. */
	rebootPods(): readonly string[] {
		return this.#watched.flatMap(({ pods }) => [...pods.items.values()].filter(({ spec }) => spec.hostPID === true).map(({ metadata }) => metadata.name));
	}

	/** Also once the lab has ended. */
	async stop(): Promise<void> {
		await Promise.all(this.#watched.flatMap(({ nodes, pods }) => [nodes.stop(), pods.stop()]));
		await Promise.all(this.#watched.map(({ admin }) => admin.close()));
	}
}

/** How an undisturbed pass ends, and every other: what waited was rebooted, once; the rest and the operators' cordons are as they were. */
export function endOf(fleet: WatchedFleet): object {
	return { reboots: fleet.reboots(), cordoned: fleet.cordoned(), marked: fleet.marked(), rebootPods: fleet.rebootPods() };
}

export const rightEnd: object = {
	reboots: Object.fromEntries([...toBeRebooted].sort().map((key) => [key, 1])),
	cordoned: operatorsCordons,
	marked: [],
	rebootPods: [],
};
