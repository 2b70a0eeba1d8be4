// Lets an event happen.
import type { Universe } from "../universe.ts";
import { disturbCluster } from "./clusters.ts";
import { ask } from "./controls.ts";
import type { Disturbance } from "./events.ts";
import { disturbNode } from "./nodes.ts";
import { disturbScheduler } from "./schedulers.ts";

export function disturb(universe: Universe, event: Disturbance): void {
	if (!("cluster" in event)) {
		disturbScheduler(universe, event);
		return;
	}
	const cluster = universe.cluster(event.cluster);
	if (cluster === undefined) return;
	if (event.kind === "controlHold" || event.kind === "rebootRequested" || event.kind === "requestWithdrawn") {
		ask(universe, cluster, event);
		return;
	}
	if (!("node" in event)) {
		disturbCluster(universe, cluster, event);
		return;
	}
	const node = cluster.nodes.get(event.node);
	if (node === undefined) return;
	cluster.note(event.node, `event: ${event.kind}`);
	disturbNode(cluster, node, event);
}
