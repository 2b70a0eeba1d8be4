// A fleet of any size, for those who want to see how it goes then.

import type { NodeSettings, NodeSpec } from "../real/kubelet-settings.ts";
import { daemonSet, deployment } from "../real/workloads.ts";
import { type ClusterSpec, type FleetSpec, firstKernel, needSince, nodeName } from "./fleet.ts";

/** So many nodes are in one pool; each fifth waits at the start. */
const poolNodes = 25;
const waitsEach = 5;

const machines: Partial<NodeSettings> = { startMs: 300, readyMs: 500, stopMs: 800, shutdownMs: 500, bootMs: 4_000, notReadyMs: 500, leaseMs: 15_000 };

export function generatedFleet(clusters: number, nodes: number, now: Date): FleetSpec {
	return { clusters: Array.from({ length: clusters }, (_, index) => generatedCluster(index, nodes, now)), opensSoon: null, machines };
}

function generatedCluster(index: number, nodes: number, now: Date): ClusterSpec {
	const name = `aks-${String(index + 1).padStart(3, "0")}`;
	return {
		name,
		resourceGroup: `rg-${name}`,
		credentials: index % 2 === 0 ? "entra" : "localAccount",
		nodes: Array.from({ length: nodes }, (_, each) => generatedNode(index, each, now)),
		workloads: [daemonSet("node-exporter", { namespace: "kube-system" }), ...deployment("app", nodes, { budget: { maxUnavailable: "25%" } })],
	};
}

function generatedNode(cluster: number, index: number, now: Date): NodeSpec {
	const number = Math.floor(index / poolNodes);
	const pool = number === 0 ? "system" : `pool${number}`;
	const waits = index % waitsEach === 0;
	return {
		name: nodeName({ name: pool, hash: String(10_000_000 + cluster * 1_000 + number) }, index % poolNodes),
		pool,
		mode: number === 0 ? "system" : "user",
		zone: `westeurope-${(index % 3) + 1}`,
		kernelVersion: firstKernel,
		...(waits ? { needsReboot: needSince(firstKernel, new Date(now.getTime() - (1 + (index % 12)) * 3_600_000)) } : {}),
	};
}
