// One cluster of the fleet: its API server, its machines, and what runs on them.

import type { NodeSettings, NodeSpec } from "../real/kubelet-settings.ts";
import type { Fleet as Machines } from "../real/kubelets.ts";
import { startKubelets } from "../real/kubelets.ts";
import type { Node } from "../real/objects.ts";
import { apply } from "../real/workloads.ts";
import type { FleetServer, ServerOptions } from "./api-servers.ts";
import { schedulerObjectId } from "./azure.ts";
import type { ClusterSpec } from "./fleet.ts";
import { shippedManifests } from "./manifests.ts";
import { type ClusterState, type MachineState, needOf } from "./state.ts";

export interface Member {
	readonly spec: ClusterSpec;
	readonly apiServer: FleetServer;
	readonly machines: Machines;
	/** For another start, all of one instant. */
	state(): ClusterState;
}

export interface MemberOptions {
	readonly startServer: (options: ServerOptions) => Promise<FleetServer>;
	readonly server: Omit<ServerOptions, "objects">;
	/** What all machines of the fleet are like. */
	readonly machines: Partial<NodeSettings>;
	/** Null: a new cluster. */
	readonly left: ClusterState | null;
}

/** Resolves once its machines are Ready, but for those that were left off, and the sentinels of a new cluster report. */
export async function startMember(spec: ClusterSpec, options: MemberOptions): Promise<Member> {
	const { left } = options;
	const apiServer = await options.startServer({ ...options.server, objects: left?.objects ?? null });
	let machines: Machines;
	if (left === null) {
		await apply(apiServer.api, shippedManifests(schedulerObjectId));
		machines = await startKubelets(apiServer, spec.nodes, options.machines);
		await furnish(spec, apiServer, machines);
	} else {
		const nodes = await apiServer.api.list<Node>("/api/v1/nodes");
		machines = await startKubelets(
			apiServer,
			spec.nodes.map((node) => asLeft(spec.name, node, left, nodes)),
			options.machines,
		);
	}
	return { spec, apiServer, machines, state: () => ({ machines: machineStates(spec, machines), objects: apiServer.objects() }) };
}

async function furnish(spec: ClusterSpec, { api }: FleetServer, machines: Machines): Promise<void> {
	await apply(api, spec.workloads);
	await machines.until(
		`the pods of ${spec.name} are placed and its sentinels report`,
		() => reporting(machines) === spec.nodes.length && placed(spec, machines),
	);
	for (const name of spec.cordoned ?? []) await api.patch(`/api/v1/nodes/${name}?fieldManager=kubectl`, { spec: { unschedulable: true } }, "strategic");
}

function reporting(machines: Machines): number {
	return machines.pods().filter((pod) => pod.metadata.annotations?.["aks-reboot-scheduler/report"] !== undefined).length;
}

function placed({ workloads }: ClusterSpec, machines: Machines): boolean {
	return workloads.every(({ kind, metadata, spec }) => {
		if (kind !== "Deployment") return true;
		const pods = machines.pods().filter((pod) => pod.metadata.namespace === metadata.namespace && pod.metadata.labels?.app === metadata.name);
		return pods.length >= (spec as { readonly replicas: number }).replicas;
	});
}

function machineStates(spec: ClusterSpec, machines: Machines): MachineState[] {
	return spec.nodes.map(({ name }) => {
		const { bootId, earlierBootId, bootedAt, up, kernelVersion, rebootNeed } = machines.node(name);
		const needs = rebootNeed === null ? null : { ...rebootNeed, since: rebootNeed.since.toISOString() };
		return { name, bootId, earlierBootId, bootedAt, up, kernelVersion, needs };
	});
}

/** The node as it was left. `objects`: of the API server, which may have kept more than we did before we were killed. */
function asLeft(cluster: string, node: NodeSpec, left: ClusterState, objects: readonly Node[]): NodeSpec {
	const machine = left.machines.find((each) => each.name === node.name);
	if (machine === undefined) throw new Error(`going on with cluster ${cluster}: its node ${node.name} was never saved; remove the saved fleet to begin anew`);
	const info = objects.find((each) => each.metadata.name === node.name)?.status.nodeInfo;
	const { needsReboot: _atFirst, ...rest } = node;
	if (info !== undefined && ![machine.bootId, machine.earlierBootId].includes(info.bootID)) {
		// It has booted since: a boot that the API server knows must not come to an end by our forgetting it.
		// When, nobody has noted: what its pods tell of may have run before.
		return { ...rest, kernelVersion: info.kernelVersion, left: { bootId: info.bootID, earlierBootId: machine.bootId, bootedAt: Date.now(), up: true } };
	}
	const { bootId, earlierBootId, bootedAt, up, kernelVersion } = machine;
	const need = needOf(machine);
	return { ...rest, kernelVersion, left: { bootId, earlierBootId, bootedAt, up }, ...(need === null ? {} : { needsReboot: need }) };
}
