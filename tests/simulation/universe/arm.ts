// What ARM knows of a cluster. A cluster reached by a kubeconfig it knows nothing of.
import type { AksFacts } from "../../../lib/plan/model.ts";
import type { Cluster } from "./cluster.ts";

export interface ArmState {
	provisioningState: string;
	powerState: "Running" | "Stopped";
	/** Pools that are being changed, and their state. */
	readonly pools: Map<string, string>;
	/** Deleted. */
	absent: boolean;
}

export function healthyInArm(): ArmState {
	return { provisioningState: "Succeeded", powerState: "Running", pools: new Map(), absent: false };
}

export function aksFacts(cluster: Cluster): AksFacts {
	const { arm } = cluster;
	if (cluster.target.kind === "kubeconfig") return { kind: "notManaged" };
	if (arm.absent) return { kind: "absent" };
	const pools = new Set([...cluster.nodes.values()].map((node) => node.facts.pool));
	return {
		kind: "managed",
		provisioningState: arm.provisioningState,
		powerState: arm.powerState,
		pools: [...pools].sort().map((name) => ({ name, provisioningState: arm.pools.get(name) ?? "Succeeded", powerState: "Running" })),
	};
}
