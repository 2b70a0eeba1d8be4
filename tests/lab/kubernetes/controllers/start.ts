// The controllers of a cluster, on the API server's own store: no requests of theirs are on the wire.
import type { Registry } from "../registry.ts";
import { budgetController } from "./budgets.ts";
import { daemonSetController } from "./daemon-sets.ts";
import { namespaceController, orphanController, ownerController } from "./garbage.ts";
import { Loop } from "./loop.ts";
import { nodeLifecycleController, taintEvictionController } from "./node-lifecycle.ts";
import { deploymentController, replicaSetController, statefulSetController } from "./replicas.ts";
import { schedulerController } from "./scheduler.ts";

export interface ControllerOptions {
	/** Of a kubelet's silence, before its node's state is Unknown. 40 s unless told, as AKS has it. */
	readonly nodeMonitorGraceMs?: number;
	/** Before the pods of a node that is gone are removed. 40 s unless told. */
	readonly orphanQuarantineMs?: number;
}

export interface Controllers {
	/** Looks that failed. */
	readonly problems: readonly string[];
	stop(): void;
}

export function startControllers(registry: Registry, options: ControllerOptions): Controllers {
	const { nodeMonitorGraceMs = 40_000, orphanQuarantineMs = 40_000 } = options;
	return new Loop(registry.store, [
		deploymentController(registry),
		replicaSetController(registry),
		statefulSetController(registry),
		daemonSetController(registry),
		budgetController(registry),
		nodeLifecycleController(registry, nodeMonitorGraceMs),
		taintEvictionController(registry),
		schedulerController(registry),
		ownerController(registry),
		orphanController(registry, orphanQuarantineMs),
		namespaceController(registry),
	]);
}
