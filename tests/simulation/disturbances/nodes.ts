// What people, other tools, Azure and the machines themselves do to a node.
import { fieldManager, type Mark } from "../../../lib/plan/model.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { NodeEvent } from "./events.ts";

export function disturbNode(cluster: Cluster, node: ApiNode, event: NodeEvent): void {
	const { machine } = node;
	const { now } = cluster.calls;
	switch (event.kind) {
		case "needsReboot":
			machine.needsReboot = true;
			machine.needsSince ??= now;
			cluster.sentinels.lookSoon(machine);
			return;
		case "needGone":
			machine.needsReboot = false;
			machine.needsSince = null;
			cluster.sentinels.lookSoon(machine);
			return;
		case "operatorCordons":
			cluster.nodes.setUnschedulable(node, true, now);
			return;
		case "operatorUncordons":
			uncordon(cluster, node);
			return;
		case "operatorRecordons":
			uncordon(cluster, node);
			cluster.nodes.setUnschedulable(node, true, now);
			return;
		case "appliedCordon":
			applyCordon(cluster, node);
			return;
		case "markRemoved":
			touch(cluster, node, { mark: { kind: "none" } });
			return;
		case "markGarbled":
			garble(cluster, node);
			return;
		case "managersFolded":
			foldManagers(cluster, node);
			return;
		case "nodeTouched":
			cluster.nodes.change(node, {});
			return;
		case "nodeDeleted":
			cluster.removeNode(node);
			return;
		case "nodeReimaged":
			reimage(cluster, node);
			return;
		case "machineCrashes":
		case "rebootedByOthers":
			cluster.kubelets.reboot(machine, "others");
			return;
		case "autoscalerTaint":
			leave(cluster, node);
			return;
		case "podLands":
			land(cluster, node);
			return;
		case "held":
			node.heldSince = now;
			cluster.nodes.change(node, { hold: event.reason });
			return;
		case "holdRemoved":
			node.heldSince = null;
			cluster.nodes.change(node, { hold: null });
			return;
		case "markCopied":
			copyMark(cluster, node, event.to);
			return;
		case "cutOff":
			cluster.kubelets.partition(machine, event.forMs);
			return;
		case "reportGarbled":
			cluster.sentinels.garble(machine);
			return;
		case "sentinelSilent":
			cluster.sentinels.silence(machine, event.forMs);
			return;
		default:
			event satisfies never;
	}
}

function uncordon(cluster: Cluster, node: ApiNode): void {
	cluster.nodes.setUnschedulable(node, false, cluster.calls.now);
	cluster.controllers.roomChanged();
}

/** By a person: what we hold is no longer ours. */
function touch(cluster: Cluster, node: ApiNode, changes: Partial<ApiNode["facts"]>): void {
	if (node.facts.mark.kind === "none") return;
	node.touchedByOthersAt = cluster.calls.now;
	if (changes.mark?.kind === "none" && node.cordon !== null) node.cordon = { by: "others", at: cluster.calls.now };
	cluster.nodes.change(node, changes);
}

/**
 * A mark that cannot be read says no more that the cordon had been found. Where no other manager holds it, whoever has no record takes it for
 * ours (docs/how-it-works.md), and whoever has one knows better.
 */
function garble(cluster: Cluster, node: ApiNode): void {
	const { mark, unschedulableManagers } = node.facts;
	if (mark.kind !== "mark") return;
	const othersHold = unschedulableManagers.some((each) => each !== fieldManager && each !== "ancient-changes");
	if (mark.mark.foundCordoned && node.cordon?.by === "others" && !othersHold) node.cordon = { by: "nobodyKnows", at: node.cordon.at };
	touch(cluster, node, { mark: { kind: "garbled", text: "{" } });
}

/** Server-side apply of `unschedulable: true` by another tool: it holds the field, beside whoever did. */
function applyCordon(cluster: Cluster, node: ApiNode): void {
	const { now } = cluster.calls;
	node.touchedByOthersAt = now;
	node.cordon = { by: "others", at: now };
	const managers = [...new Set([...node.facts.unschedulableManagers, "gitops"])];
	cluster.nodes.change(node, { unschedulable: true, unschedulableManagers: managers });
}

/** The API server folds old entries together. A marked cordon that nobody in particular holds is ours (docs/how-it-works.md), whoever set it. */
function foldManagers(cluster: Cluster, node: ApiNode): void {
	if (node.facts.unschedulableManagers.length === 0) return;
	const { mark } = node.facts;
	const saysOurs = mark.kind === "garbled" || (mark.kind === "mark" && !mark.mark.foundCordoned);
	if (saysOurs && node.cordon !== null) node.cordon = { by: "us", at: node.cordon.at };
	cluster.nodes.change(node, { unschedulableManagers: ["ancient-changes"] });
}

/** The same name, another machine: a reimage that made a new node object. */
function reimage(cluster: Cluster, node: ApiNode): void {
	const { facts, machine } = node;
	cluster.removeNode(node);
	const shape = { name: facts.name, pool: facts.pool, systemPool: facts.systemPool, temperament: machine.temperament, clockOffsetMs: machine.clockOffsetMs };
	cluster.calls.after(60_000, () => cluster.addNode({ ...shape, needsReboot: false, cordoned: false, hold: null }));
}

/** The autoscaler taints a node, and a minute later it is gone. */
function leave(cluster: Cluster, node: ApiNode): void {
	cluster.nodes.change(node, { taints: [...node.facts.taints, "ToBeDeletedByClusterAutoscaler"] });
	cluster.calls.after(60_000, () => {
		if (cluster.nodes.get(node.facts.name) === node) cluster.removeNode(node);
	});
}

/** A pod with `nodeName` in its spec: no scheduler was asked, and no cordon kept it away. */
function land(cluster: Cluster, node: ApiNode): void {
	const workload = cluster.workloads.find((each) => each.shape.kind === "none") ?? cluster.workloads[0];
	if (workload === undefined) return;
	const { shape } = workload;
	const facts = {
		namespace: shape.namespace,
		name: `${shape.name}-${cluster.controllers.uid("direct")}`,
		controller: null,
		emptyDir: false,
		toleratesCordon: false,
	};
	workload.pods.add(cluster.controllers.bind(facts, node, { kind: "workload", workload }, { running: false, labelled: shape.labelled }));
}

function copyMark(cluster: Cluster, node: ApiNode, to: string): void {
	const other = cluster.nodes.get(to);
	if (other === undefined || node.facts.mark.kind !== "mark" || other.facts.mark.kind !== "none") return;
	const mark: Mark = node.facts.mark.mark;
	other.touchedByOthersAt = cluster.calls.now;
	cluster.nodes.change(other, { mark: { kind: "mark", mark } });
}
