// What befalls a world beside faults of calls, as data: each is one event at a virtual time. One whose node or cluster is not there (any more)
// does nothing, so that events can be taken out of a scenario one by one.
import type { NodeShape } from "../universe/cluster.ts";

export interface OfCluster {
	readonly cluster: string;
}
export interface OfNode extends OfCluster {
	readonly node: string;
}
type For = { readonly forMs: number };

export type Disturbance = { readonly atMs: number } & (
	| (OfNode & {
			readonly kind:
				| "needsReboot"
				| "needGone"
				| "operatorCordons"
				| "operatorUncordons"
				| "operatorRecordons"
				| "appliedCordon"
				| "markRemoved"
				| "markGarbled"
				| "managersFolded"
				| "nodeTouched"
				| "nodeDeleted"
				| "nodeReimaged"
				| "machineCrashes"
				| "rebootedByOthers"
				| "autoscalerTaint"
				| "podLands";
	  })
	| (OfNode & { readonly kind: "held"; readonly reason: string })
	| (OfNode & { readonly kind: "holdRemoved" | "reportGarbled" })
	| (OfNode & { readonly kind: "markCopied"; readonly to: string })
	| (OfNode & For & { readonly kind: "cutOff" | "sentinelSilent" })
	| (OfCluster & { readonly kind: "nodeAdded"; readonly shape: NodeShape })
	| (OfCluster & For & { readonly kind: "poolUpgraded"; readonly pool: string })
	| (OfCluster & For & { readonly kind: "clusterStopped" | "clusterUpgrading" | "namespaceDeleted" | "sentinelDeleted" })
	| (OfCluster & { readonly kind: "daemonSetDeleted" | "ownerLeaseDeleted" | "leaseRowDeleted" | "fleetRowDeleted" })
	| (OfCluster & { readonly kind: "ownerLeaseWritten"; readonly to: "one" | "two" | "stranger" })
	| (OfCluster & For & { readonly kind: "budgetTightened" | "workloadNamespaceEnding"; readonly workload: string })
	| (OfCluster & For & { readonly kind: "controlHold"; readonly node: string | null; readonly reason: string })
	| (OfNode & For & { readonly kind: "rebootRequested"; readonly ignoreWindow: boolean })
	| (OfNode & { readonly kind: "requestWithdrawn" })
	| { readonly kind: "deployed"; readonly settings: number; readonly killed: boolean }
	| (For & { readonly kind: "tableDeleted" })
	| { readonly kind: "secondScheduler" }
	/** An earlier release was there for a while: its rows lack what was added since. */
	| { readonly kind: "rowsOfBefore" }
	| { readonly kind: "workerDies" | "timerTwice" }
	| (For & { readonly kind: "timerSilent" })
	| (For & { readonly kind: "workerStalls"; readonly clockStops: boolean })
);

/** What is asked of the running scheduler, about a node or not. */
export type ControlEvent = Extract<Disturbance, { readonly kind: "controlHold" | "rebootRequested" | "requestWithdrawn" }>;
export type NodeEvent = Exclude<Extract<Disturbance, { readonly node: string }>, ControlEvent>;
export type ClusterEvent = Exclude<Extract<Disturbance, OfCluster>, NodeEvent | ControlEvent>;
export type SchedulerEvent = Exclude<Disturbance, OfCluster>;
