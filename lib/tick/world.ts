// The ports: everything outside that a tick touches. Adapters implement them, the simulation replaces them, nothing else is replaced.
// Every method is one bounded call or one bounded sequence of pages. Failures are thrown as CallError; answers that are part of the
// job (an eviction that a budget blocks, a node that is gone) are values.
import type {
	AksFacts,
	DaemonSetRef,
	Instant,
	Mark,
	NodeFacts,
	NodeMetadata,
	OwnerSeen,
	PodFacts,
	RebootPodRef,
	SentinelDaemonSet,
	SentinelPod,
} from "../plan/model.ts";
import type { ClusterTarget } from "../plan/policy.ts";

export interface World {
	readonly clock: Clock;
	readonly ids: Ids;
	readonly table: Table;
	readonly clusters: Clusters;
	readonly journal: JournalSink;
}

export interface Clock {
	/** This machine's clock. Used for elapsed time only: instants come from the table service. */
	now(): number;
	/** Resolves after `ms`, or at once when the signal is aborted. */
	wait(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Ids {
	/** A new id: letters, digits and `-`, unique for ever. */
	next(): string;
}

export type Scalar = string | number | boolean;

export interface Row {
	readonly key: string;
	readonly etag: string;
	/** When the service last wrote it. */
	readonly writtenAt: Instant;
	readonly values: Readonly<Record<string, Scalar>>;
}

export type RowWrite =
	| { readonly kind: "insert"; readonly key: string; readonly values: Readonly<Record<string, Scalar>> }
	| { readonly kind: "replace"; readonly key: string; readonly values: Readonly<Record<string, Scalar>>; readonly etag: string }
	| { readonly kind: "delete"; readonly key: string; readonly etag: string };

/** Table Storage. A missing table is made. */
export interface Table {
	/** Rows of a partition with `from <= key < before`, in the order of their keys, and the service's clock. */
	query(partition: string, range?: { readonly from?: string; readonly before?: string }): Promise<{ readonly rows: readonly Row[]; readonly at: Instant }>;
	/**
	 * All of the writes or none; at most 100 to one partition. A stale ETag is `precondition`, an insert of a row that exists `conflict`,
	 * a replace or delete of a missing one `notFound`. Never retried inside: a retry would turn success into a conflict.
	 * Returns the new ETag of each write (empty for deletes) and the service's clock.
	 */
	transact(partition: string, writes: readonly RowWrite[]): Promise<{ readonly etags: readonly string[]; readonly at: Instant }>;
}

/** Server and CA of a cluster: no secret, kept in the `fleet` row so that a new instance need not ask ARM. */
export interface Connection {
	readonly server: string;
	/** PEM, base64. */
	readonly caData: string;
}

export interface Clusters {
	/** The API of a cluster; connects when first used. `remembered`: what an earlier instance learned. */
	open(target: ClusterTarget, remembered?: Connection): ClusterApi;
	/** State of the cluster and its pools in ARM. */
	aks(target: ClusterTarget): Promise<AksFacts>;
}

/** What a patch of a node changes; what is absent stays. */
export interface NodePatch {
	readonly name: string;
	/** Of the view that the patch was decided on: a node that changed since answers `conflict`. */
	readonly resourceVersion: string;
	readonly unschedulable?: boolean;
	/** Null removes it. */
	readonly mark?: Mark | null;
}

export interface PodRef {
	readonly namespace: string;
	readonly name: string;
	readonly uid: string;
}

/** What an eviction was answered, as measured on a real API server. */
export type EvictionAnswer =
	/** Accepted (also of a pod that is terminating already). */
	| { readonly kind: "evicted" }
	/** No such pod, or another one of that name: ours has left. */
	| { readonly kind: "gone" }
	/** A budget leaves no room. */
	| { readonly kind: "blocked"; readonly budgets: readonly string[]; readonly message: string; readonly retryAfterMs: number | null }
	/** More than one budget matches: the API will never evict it. */
	| { readonly kind: "twoBudgets"; readonly budgets: readonly string[]; readonly message: string }
	/** Its namespace is being deleted: it will go by itself. */
	| { readonly kind: "namespaceEnding"; readonly message: string };

/** All that a reboot pod is made of; the adapter knows the rest by heart. */
export interface RebootPodSpec {
	readonly node: string;
	readonly bootId: string;
	readonly ask: number;
	readonly notBefore: Instant;
	readonly notAfter: Instant;
	readonly image: string;
	readonly imagePullPolicy: string;
	readonly imagePullSecrets: readonly string[];
}

/** What people read of a node in the cluster itself (`kubectl describe node`). */
export interface NodeEvent {
	/** The same for the same step, whoever tells of it and how often. Letters, digits, `-` and `.`. */
	readonly name: string;
	readonly node: string;
	readonly nodeUid: string;
	readonly type: "Normal" | "Warning";
	/** CamelCase. */
	readonly reason: string;
	/** One sentence; cut where the API demands it. */
	readonly note: string;
	readonly at: Instant;
	/** Id of the process that tells of it. */
	readonly instance: string;
}

/** Objects that a list of a cluster asks for in one request. */
export const pageSize = 100;

export interface ClusterApi {
	/** What should be remembered of the connection, once there is one that needs ARM to find. */
	connection(): Connection | undefined;

	/** Sentinel pods whose nodes wait, and all reboot pods: one list by one label, read in pages and reduced at once. */
	listWaiting(): Promise<{ readonly sentinels: readonly SentinelPod[]; readonly rebootPods: readonly RebootPodRef[] }>;
	sentinelDaemonSet(): Promise<SentinelDaemonSet | "absent">;
	/** Nodes with `spec.unschedulable`. */
	listCordoned(): Promise<readonly NodeFacts[]>;

	clusterUid(): Promise<string>;
	owner(): Promise<OwnerSeen>;
	/** Creates the owner Lease. One that exists already is `conflict`. */
	claim(holder: string): Promise<void>;
	/** Linux nodes, metadata only, in pages. */
	listNodeMetadata(): Promise<readonly NodeMetadata[]>;
	node(name: string): Promise<NodeFacts | "absent">;
	/** All pods on a node, in pages. `selector`: which of them count as `selected`. */
	podsOn(node: string, selector: string | null): Promise<readonly PodFacts[]>;
	listDaemonSets(): Promise<readonly DaemonSetRef[]>;

	patchNode(patch: NodePatch): Promise<void>;
	evict(pod: PodRef, options: { readonly gracePeriodSeconds: number | null; readonly dryRun: boolean }): Promise<EvictionAnswer>;
	/** Deletes a pod by UID, past its budgets. */
	deletePod(pod: PodRef, options: { readonly gracePeriodSeconds: number | null }): Promise<void>;
	/** Creates the reboot pod; one that exists already is no error. */
	createRebootPod(spec: RebootPodSpec, options: { readonly dryRun: boolean }): Promise<void>;
	/** Deletes a reboot pod by UID at once; one that is gone is no error. */
	deleteRebootPod(pod: { readonly name: string; readonly uid: string }): Promise<void>;
	/** Creates an event about a node; one of that name that exists already is no error. Given up when the signal is aborted. */
	createEvent(event: NodeEvent, signal: AbortSignal): Promise<void>;
}

/** One line of the journal, already flat. Ids and fields are defined in `journal.ts`. */
export interface JournalLine {
	readonly event: string;
	/** `debug`: told every look, for who debugs; the function app keeps it only where its logging is set so. */
	readonly level: "debug" | "info" | "warning" | "error";
	readonly message: string;
	readonly [field: string]: unknown;
}

export interface JournalSink {
	/** Never fails and never waits. */
	write(line: JournalLine): void;
}
