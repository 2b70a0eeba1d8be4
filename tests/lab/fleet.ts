// The demonstration: three clusters as a company has them, on the morning after a night of updates.
import type { NodeSettings, NodeSpec, RebootNeed } from "../real/kubelet-settings.ts";
import { nextKernel } from "../real/simulated-node.ts";
import { barePod, daemonSet, deployment, type Manifest, namespaceNamed, type PodOptions } from "../real/workloads.ts";

export interface ClusterSpec {
	readonly name: string;
	readonly resourceGroup: string;
	/** How its kubeconfig lets users in. */
	readonly credentials: "entra" | "localAccount" | "token";
	readonly nodes: readonly NodeSpec[];
	/** Cordoned by an operator, by hand, after the pods were placed. */
	readonly cordoned?: readonly string[];
	readonly workloads: readonly Manifest[];
}

export interface FleetSpec {
	readonly clusters: readonly ClusterSpec[];
	/** A pool whose window opens within the next minutes, as `cluster/pool`. */
	readonly opensSoon: string | null;
	/** What the whole fleet's nodes are like, unless a node says otherwise. */
	readonly machines: Partial<NodeSettings>;
}

/** All machines are alike but for their boots, which are given in seconds. */
const machines: Partial<NodeSettings> = { startMs: 300, readyMs: 500, stopMs: 800, shutdownMs: 600, notReadyMs: 800 };

interface NodeOptions {
	readonly zone: 1 | 2 | 3;
	/** From the end of the kubelet to its start. */
	readonly bootSeconds: number;
	/** Asks for a reboot since so many hours. */
	readonly waitsHours?: number;
	readonly hold?: string;
}

interface Pool {
	readonly name: string;
	readonly mode?: "system" | "user";
	readonly size: string;
	/** As AKS draws it, one for each pool. */
	readonly hash: string;
}

export const packagesOfUpdate = (kernel: string): readonly string[] => [`linux-image-${nextKernel(kernel)}`, "linux-base", "libssl3"];
export const firstKernel = "5.15.0-1081-azure";

export function needSince(kernel: string, since: Date): RebootNeed {
	return { packages: packagesOfUpdate(kernel), since };
}

export function nodeName(pool: { readonly name: string; readonly hash: string }, index: number): string {
	return `aks-${pool.name}-${pool.hash}-vmss${index.toString(36).padStart(6, "0")}`;
}

function nodesOf(pool: Pool, now: Date, all: readonly NodeOptions[]): NodeSpec[] {
	return all.map(({ zone, bootSeconds, waitsHours, hold }, index) => ({
		name: nodeName(pool, index),
		pool: pool.name,
		mode: pool.mode ?? "user",
		zone: `westeurope-${zone}`,
		labels: { "node.kubernetes.io/instance-type": pool.size },
		kernelVersion: firstKernel,
		...(hold === undefined ? {} : { annotations: { "aks-reboot-scheduler/hold": hold } }),
		...(waitsHours === undefined ? {} : { needsReboot: needSince(firstKernel, new Date(now.getTime() - waitsHours * 3_600_000)) }),
		settings: { bootMs: bootSeconds * 1000 },
	}));
}

const onPool = (pool: Pool): PodOptions => ({ nodeSelector: { "kubernetes.azure.com/agentpool": pool.name } });

/** In every cluster: what AKS itself and its operators run. */
function platform(systemPool: Pool): Manifest[] {
	return [
		namespaceNamed("monitoring"),
		daemonSet("node-exporter", { namespace: "monitoring" }),
		...deployment("coredns", 2, { namespace: "kube-system", ...onPool(systemPool), budget: { maxUnavailable: 1 } }),
	];
}

/**
 * Where the shop's customers are. A node of pool `shop` takes long to boot: so long that the window of pool `batch` opens meanwhile, whenever
 * it does, and one pass takes in all of it.
 */
function prodWest(now: Date): ClusterSpec {
	const system: Pool = { name: "system", mode: "system", size: "Standard_D4s_v5", hash: "27094512" };
	const shop: Pool = { name: "shop", size: "Standard_D8s_v5", hash: "31415926" };
	const batch: Pool = { name: "batch", size: "Standard_E16s_v5", hash: "14142135" };
	return {
		name: "prod-west",
		resourceGroup: "rg-prod-west",
		credentials: "entra",
		nodes: [
			...nodesOf(system, now, [
				{ zone: 1, bootSeconds: 4 },
				{ zone: 2, bootSeconds: 4 },
			]),
			...nodesOf(shop, now, [
				{ zone: 1, bootSeconds: 5, waitsHours: 9 },
				{ zone: 2, bootSeconds: 32, waitsHours: 8 },
				{ zone: 3, bootSeconds: 5 },
			]),
			...nodesOf(batch, now, [
				{ zone: 1, bootSeconds: 4, waitsHours: 5 },
				{ zone: 2, bootSeconds: 4 },
			]),
		],
		workloads: [
			...platform(system),
			namespaceNamed("shop"),
			...deployment("frontend", 4, { namespace: "shop", ...onPool(shop), readyMs: 1_200, budget: { maxUnavailable: 1 } }),
			...deployment("cart", 3, { namespace: "shop", ...onPool(shop), stopMs: 1_500, emptyDir: true, budget: { minAvailable: 2 } }),
			...deployment("invoices", 2, { namespace: "shop", ...onPool(batch), stopMs: 2_000 }),
		],
	};
}

/** A budget blocks a drain here until a slow replica is ready; an operator keeps one node out of service, and another from being rebooted. */
function prodNorth(now: Date): ClusterSpec {
	const system: Pool = { name: "system", mode: "system", size: "Standard_D4s_v5", hash: "22360679" };
	const web: Pool = { name: "web", size: "Standard_D8s_v5", hash: "17320508" };
	return {
		name: "prod-north",
		resourceGroup: "rg-prod-north",
		credentials: "localAccount",
		nodes: [
			...nodesOf(system, now, [
				{ zone: 1, bootSeconds: 4, waitsHours: 6 },
				{ zone: 3, bootSeconds: 4 },
			]),
			...nodesOf(web, now, [
				{ zone: 1, bootSeconds: 5, waitsHours: 9 },
				{ zone: 2, bootSeconds: 5, waitsHours: 8, hold: "load test until Friday, CHG0042" },
				{ zone: 3, bootSeconds: 4, waitsHours: 7 },
				{ zone: 1, bootSeconds: 4 },
			]),
		],
		cordoned: [nodeName(web, 2)],
		workloads: [
			...platform(system),
			namespaceNamed("checkout"),
			...checkout(web, nodeName(web, 1)),
			...deployment("search", 2, { namespace: "checkout", ...onPool(web), budget: { maxUnavailable: "50%" } }),
		],
	};
}

/** Four replicas and a canary; one budget for all five, without room while the canary warms up. */
function checkout(web: Pool, canaryNode: string): Manifest[] {
	const namespace = "checkout";
	const labels = { service: "checkout" };
	const canary: PodOptions = { nodeSelector: { "kubernetes.io/hostname": canaryNode }, readyMs: 30_000 };
	const budget: Manifest = {
		apiVersion: "policy/v1",
		kind: "PodDisruptionBudget",
		metadata: { name: "checkout", namespace },
		spec: { minAvailable: 4, selector: { matchLabels: labels } },
	};
	return [...deployment("checkout", 4, { namespace, labels, ...onPool(web) }), ...deployment("checkout-canary", 1, { namespace, labels, ...canary }), budget];
}

/** Nothing here is protected but by its controllers; somebody has left a pod of their own behind. */
function dev(now: Date): ClusterSpec {
	const system: Pool = { name: "system", mode: "system", size: "Standard_D2s_v5", hash: "16180339" };
	const spot: Pool = { name: "spot", size: "Standard_D4as_v5", hash: "26457513" };
	return {
		name: "dev",
		resourceGroup: "rg-dev",
		credentials: "token",
		nodes: [
			...nodesOf(system, now, [
				{ zone: 1, bootSeconds: 4 },
				{ zone: 1, bootSeconds: 4 },
			]),
			...nodesOf(spot, now, [
				{ zone: 1, bootSeconds: 3, waitsHours: 4 },
				{ zone: 1, bootSeconds: 3, waitsHours: 3 },
				{ zone: 1, bootSeconds: 3 },
			]),
		],
		workloads: [...platform(system), ...deployment("preview", 3, onPool(spot)), barePod("debug-shell", { node: nodeName(spot, 0) })],
	};
}

/** `now`: what waits has waited for some hours then. */
export function demonstration(now: Date): FleetSpec {
	return { clusters: [prodWest(now), prodNorth(now), dev(now)], opensSoon: "prod-west/batch", machines };
}

/** The same with shorter boots. */
export function faster(fleet: FleetSpec): FleetSpec {
	const quick = (settings: Partial<NodeSettings> = {}): Partial<NodeSettings> =>
		settings.bootMs === undefined ? settings : { ...settings, bootMs: Math.ceil(settings.bootMs / 4) };
	return {
		...fleet,
		machines: quick(fleet.machines),
		clusters: fleet.clusters.map((cluster) => ({ ...cluster, nodes: cluster.nodes.map((node) => ({ ...node, settings: quick(node.settings) })) })),
	};
}
