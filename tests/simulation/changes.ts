// What happens in the universe, as the checkers see it: every change, with who made it.
import type { NodeFacts } from "../../lib/plan/model.ts";
import type { JournalLine, NodeEvent, NodePatch, RebootPodSpec, Row, RowWrite } from "../../lib/tick/world.ts";
import type { Port } from "./faults.ts";
import type { SchedulerProcess } from "./processes.ts";
import type { Cluster } from "./universe/cluster.ts";
import type { ApiNode, Cordon } from "./universe/nodes.ts";
import type { ApiPod } from "./universe/pods.ts";
import type { MemoryRows } from "./universe/table.ts";

/** An act of a process of ours. `late`: it was sent long before. */
interface Act {
	readonly by: SchedulerProcess;
	readonly late: boolean;
}

/** A node as it was before a patch of ours. */
export interface NodeBefore {
	readonly facts: NodeFacts;
	readonly cordon: Cordon | null;
}

interface OfCluster {
	readonly cluster: Cluster;
}

export type Change =
	| (Act & OfCluster & { readonly kind: "nodePatched"; readonly node: ApiNode; readonly before: NodeBefore; readonly patch: NodePatch })
	| (Act & OfCluster & { readonly kind: "podEvicted"; readonly pod: ApiPod })
	| (Act & OfCluster & { readonly kind: "podDeleted"; readonly pod: ApiPod })
	| (Act & OfCluster & { readonly kind: "rebootPodCreated"; readonly spec: RebootPodSpec; readonly node: ApiNode | null })
	/** A call that changes something in a cluster is sent now. */
	| (OfCluster & { readonly kind: "sent"; readonly by: SchedulerProcess; readonly method: string })
	| (OfCluster & { readonly kind: "eventCreated"; readonly by: SchedulerProcess; readonly event: NodeEvent })
	| (Act & OfCluster & { readonly kind: "claimed"; readonly holder: string })
	| (Act & {
			readonly kind: "rowsWritten";
			readonly table: MemoryRows;
			readonly partition: string;
			readonly writes: readonly RowWrite[];
			/** Each row as it was before. */
			readonly before: ReadonlyMap<string, Row | null>;
			/** The lease row before. */
			readonly leaseBefore: { readonly holder: string; readonly fence: number; readonly writtenAt: number } | null;
	  })
	/** A reboot pod sent its signal to PID 1 of the node's machine. */
	| (OfCluster & { readonly kind: "signalled"; readonly node: ApiNode; readonly pod: ApiPod; readonly spec: RebootPodSpec })
	| { readonly kind: "journal"; readonly by: SchedulerProcess; readonly line: JournalLine }
	/** A process is told how a call went. `error`: null where it went well. */
	| { readonly kind: "answered"; readonly by: SchedulerProcess; readonly port: Port; readonly method: string; readonly error: unknown }
	| { readonly kind: "roundEnded"; readonly by: SchedulerProcess; readonly tookMs: number; readonly calls: number; readonly bugs: readonly string[] };
