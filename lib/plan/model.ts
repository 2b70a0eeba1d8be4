// The nouns: what is seen of a cluster, what is remembered of it, and what is written on a node.
// Facts are closed unions; "not known" is a value of its own and never a default.
import type { Policy } from "./policy.ts";
import type { Cause } from "./reasons.ts";

/** Milliseconds since the epoch, by the table service's clock. */
export type Instant = number;

/** Something that was asked for and either seen or not. A failed read is never an empty answer. */
export type Reading<T> = { readonly known: true; readonly value: T } | { readonly known: false; readonly why: string };

export function known<T>(value: T): Reading<T> {
	return { known: true, value };
}

export function unknown(why: string): { readonly known: false; readonly why: string } {
	return { known: false, why };
}

/** The namespace of everything of ours in a cluster. */
export const namespace = "aks-reboot-scheduler";
/** The field manager of every patch that we send (at most 128 characters). */
export const fieldManager = "aks-reboot-scheduler";

/** Our mark on a node that we hold: annotation `aks-reboot-scheduler/reboot`. Written and read by the scheduler only. */
export interface Mark {
	/** Id of the record of this reboot. */
	readonly record: string;
	/** Name of the scheduler that wrote it (the owner Lease decides, not this). */
	readonly owner: string;
	/** The node object that was marked: a mark that was copied to another object is void. */
	readonly nodeUid: string;
	/** The boot that is to be ended. */
	readonly bootId: string;
	/** The node was cordoned before we came: the cordon is theirs throughout. */
	readonly foundCordoned: boolean;
	readonly since: Instant;
	/** Set before the first ask: from here on the node may go down at any moment. */
	readonly askedAt?: Instant;
}

/** `garbled`: the annotation is there and cannot be read; it still says that the cordon was ours. */
export type MarkSeen = { kind: "none" } | { kind: "mark"; mark: Mark } | { kind: "garbled"; text: string };

export interface NodeFacts {
	readonly name: string;
	readonly uid: string;
	readonly resourceVersion: string;
	/** Label `kubernetes.azure.com/agentpool`, else `default`. */
	readonly pool: string;
	/** Label `kubernetes.azure.com/mode` is `system`. */
	readonly systemPool: boolean;
	/** `status.nodeInfo.bootID`; empty when the node never reported. */
	readonly bootId: string;
	readonly kernelVersion: string;
	/** Condition Ready is `True`. `False`, `Unknown` and a missing condition are all not ready. */
	readonly ready: boolean;
	readonly unschedulable: boolean;
	/** Managers that `metadata.managedFields` gives `f:spec.f:unschedulable` to. */
	readonly unschedulableManagers: readonly string[];
	readonly mark: MarkSeen;
	/** Annotation `aks-reboot-scheduler/hold`: the operator's reason. */
	readonly hold: string | null;
	/** A virtual node (`type=virtual-kubelet`): nothing of ours runs there. */
	readonly virtual: boolean;
	/** Taint keys, for reasons (an autoscaler or AKS that is removing the node). */
	readonly taints: readonly string[];
	/** `metadata.deletionTimestamp` is set. */
	readonly deleting: boolean;
}

/** What is known cheaply of every node (metadata only). */
export interface NodeMetadata {
	readonly name: string;
	readonly uid: string;
	readonly pool: string;
	readonly systemPool: boolean;
	readonly hold: string | null;
	readonly virtual: boolean;
}

/** The sentinel's annotation `aks-reboot-scheduler/report` on its own pod. */
export interface Report {
	readonly bootId: string;
	/** When the reboot-required file was first seen in this boot; null while no reboot is needed. */
	readonly since: Instant | null;
	readonly kernelVersion: string;
	readonly packages: readonly string[];
}

/** A sentinel pod, reduced. `asks`: its label `reboot-required` is there. */
export interface SentinelPod {
	readonly node: string;
	readonly podName: string;
	readonly ready: boolean;
	readonly deleting: boolean;
	readonly asks: boolean;
	readonly report: { kind: "report"; report: Report } | { kind: "none" } | { kind: "garbled"; why: string };
}

/** The sentinel DaemonSet: its own status counts silent nodes for free. */
export interface SentinelDaemonSet {
	readonly uid: string;
	readonly image: string;
	readonly imagePullPolicy: string;
	readonly imagePullSecrets: readonly string[];
	readonly desired: number;
	readonly ready: number;
}

export interface DaemonSetRef {
	readonly namespace: string;
	readonly name: string;
	readonly uid: string;
}

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";

/** A pod on a node, reduced to what the verdicts and the state machine need. */
export interface PodFacts {
	readonly namespace: string;
	readonly name: string;
	readonly uid: string;
	readonly node: string;
	readonly phase: PodPhase;
	readonly ready: boolean;
	readonly createdAt: Instant;
	/** `metadata.deletionTimestamp`: the planned end, grace period included. Null while it is not being deleted. */
	readonly deletionAt: Instant | null;
	/** The controlling owner reference. */
	readonly controller: { readonly kind: string; readonly apiVersion: string; readonly name: string; readonly uid: string } | null;
	/** Annotation `kubernetes.io/config.mirror`: a static pod, which only its file can remove. */
	readonly mirror: boolean;
	readonly emptyDir: boolean;
	/** Tolerates taint `node.kubernetes.io/unschedulable:NoSchedule`: the cordon does not keep it away. */
	readonly toleratesCordon: boolean;
	/** Matches `DRAIN_POD_SELECTOR` (true when there is none). */
	readonly selected: boolean;
	/** What of ours it is, if anything. */
	readonly ours: "sentinel" | "reboot" | null;
	readonly sentinel: SentinelPod | null;
	readonly containerIds: readonly string[];
	/** Why it does not run or ended: reasons of waiting and terminated containers, of the pod, and its termination message. */
	readonly trouble: string | null;
}

/** A reboot pod, as a list of them tells it. */
export interface RebootPodRef {
	readonly name: string;
	readonly uid: string;
	readonly node: string;
}

/** State of the managed cluster in ARM. `notManaged`: reached by a kubeconfig, ARM knows nothing of it. */
export type AksFacts =
	| { readonly kind: "notManaged" }
	| {
			readonly kind: "managed";
			readonly provisioningState: string;
			readonly powerState: string;
			readonly pools: readonly { readonly name: string; readonly provisioningState: string; readonly powerState: string }[];
	  }
	| { readonly kind: "absent" };

/** The owner Lease of a cluster (`owner` in our namespace). */
export type OwnerSeen = { kind: "absent" } | { kind: "named"; holder: string };

/** Everything that one look saw. A look that could not read what recovery needs is no view at all: it fails. */
export interface View {
	readonly at: Instant;
	/** `metadata.uid` of namespace kube-system. */
	readonly clusterUid: Reading<string>;
	readonly owner: Reading<OwnerSeen>;
	/** Null: nothing could begin or be asked for, so Azure was not asked (it answers about one question a second for all clusters of a subscription). */
	readonly aks: Reading<AksFacts> | null;
	readonly sentinel: Reading<SentinelDaemonSet | "absent">;
	/** Sentinel pods that carry the label. */
	readonly waiting: Reading<readonly SentinelPod[]>;
	/** Every reboot pod that there is, as far as it could be read. */
	readonly rebootPods: readonly RebootPodRef[];
	/** Pool and hold of nodes, at most 10 minutes old; absent names are not known (yet). */
	readonly metadata: ReadonlyMap<string, NodeMetadata>;
	/** Linux nodes by pool, where a percentage needs them. */
	readonly poolSizes: Reading<ReadonlyMap<string, number>>;
	/** Every node with `spec.unschedulable`, and so every mark of ours. */
	readonly cordoned: readonly NodeFacts[];
	/** Nodes read by themselves in this look: in flight, marked, under probation, next candidates. A name that is not here was not read. */
	readonly nodes: ReadonlyMap<string, Reading<NodeFacts | "absent">>;
	/** Pods of the nodes in flight, listed after the node was read. */
	readonly pods: ReadonlyMap<string, Reading<readonly PodFacts[]>>;
	/** DaemonSets that exist, where a node drains. */
	readonly daemonSets: Reading<readonly DaemonSetRef[]>;
	/** What dry runs said of the next candidates. */
	readonly preflights: ReadonlyMap<string, Preflight>;
}

/** What was tried by dry run for a node before it is cordoned. */
export interface Preflight {
	readonly rebootPod: { kind: "accepted" } | { kind: "refused"; why: string } | { kind: "unknown"; why: string };
	/** Pods that blocked the last drain and still would. */
	readonly blocked: readonly Obstacle[];
}

/** A pod that has not left, and why. */
export interface Obstacle {
	readonly namespace: string;
	readonly name: string;
	readonly uid: string;
	readonly kind: "budget" | "twoBudgets" | "namespaceEnding" | "throttled" | "refused" | "unknown" | "terminating" | "unmanaged";
	/** Names of the budgets, where there are any. */
	readonly budgets: readonly string[];
	readonly message: string;
	/** No further eviction before this. */
	readonly retryAt: Instant;
}

export type Phase = "cordoning" | "draining" | "rebooting" | "rejoining" | "uncordoning" | "soaking" | "stuck";
export const phases: readonly Phase[] = ["cordoning", "draining", "rebooting", "rejoining", "uncordoning", "soaking", "stuck"];

export type End = "done" | "gaveUp" | "notNeeded" | "cancelled" | "replaced" | "released";
export const ends: readonly End[] = ["done", "gaveUp", "notNeeded", "cancelled", "replaced", "released"];

/** One ask of a reboot. The interval is stored with it and never computed at the act. */
export interface Ask {
	readonly number: number;
	readonly at: Instant;
	/** The node's own clock must lie in [notBefore, notAfter]. */
	readonly notBefore: Instant;
	readonly notAfter: Instant;
	/** `seen`: its pod was there in some look; `over`: its pod ended, and is not made again. */
	readonly pod: "unseen" | "seen" | "over";
}

/** A DaemonSet pod that was ready before the reboot. */
export interface DaemonPod {
	readonly daemonSetUid: string;
	readonly namespace: string;
	readonly name: string;
	readonly containerIds: readonly string[];
}

/** A reboot in flight: one row of the table. Carries all that recovery needs, whatever today's settings say. */
export interface Reboot {
	readonly schema: 1;
	readonly id: string;
	readonly cluster: { readonly name: string; readonly id: string; readonly uid: string };
	readonly node: { readonly name: string; readonly uid: string; readonly pool: string };
	/** The boot that is to be ended. */
	readonly bootId: string;
	readonly kernelVersion: string;
	readonly packages: readonly string[];
	/** Since when the node asks. */
	readonly waitingSince: Instant | null;
	readonly foundCordoned: boolean;
	/** Found marked on the node and without a record. */
	readonly adopted: boolean;
	/** What somebody asked for by hand, where this is the reboot of it. */
	readonly request: ControlRequest | null;
	readonly policy: Policy;
	readonly admittedAt: Instant;
	readonly phase: Phase;
	readonly phaseSince: Instant;
	/** A stored instant, judged only in a look that succeeded, after progress. Null: this phase waits for a person. */
	readonly deadlineAt: Instant | null;
	/** The deadline of this phase was put off once after a gap without looks. */
	readonly deadlinePutOff: boolean;
	/** A wait (`BEFORE_DRAIN`, `BEFORE_REBOOT`, `SOAK`) that is over at this instant. */
	readonly notBefore: Instant | null;
	/** How it will end, once `uncordoning` is through; null while a reboot is still meant. */
	readonly ending: { readonly end: End; readonly cause: Cause } | null;
	readonly asks: readonly Ask[];
	readonly daemonPods: readonly DaemonPod[];
	readonly obstacles: readonly Obstacle[];
	/** When no pod was left that had to leave, first seen. */
	readonly drainedAt: Instant | null;
	/** What `DRAIN_TIMEOUT_ACTION` made of the passed drain deadline. */
	readonly harsher: "delete" | "reboot" | null;
	/** The alarm of this phase (an uncordon that does not come about, a node that soaks and is not Ready) was raised. */
	readonly alarmed: boolean;
	/** What went wrong last in this phase: an act that was refused, a reboot pod that did not start or send. */
	readonly trouble: string | null;
	readonly rebooted: { readonly at: Instant; readonly bootId: string; readonly kernelVersion: string } | null;
	/** Every phase entered, for the time axis. */
	readonly timeline: readonly { readonly phase: Phase; readonly at: Instant }[];
}

/** A reboot that ended: a history row. */
export interface EndedReboot {
	readonly reboot: Reboot;
	readonly end: End;
	readonly cause: Cause;
	readonly endedAt: Instant;
}

/** What is remembered of a node beyond one reboot; forgotten when it no longer matters. */
export interface NodeMemory {
	readonly node: string;
	readonly nodeUid: string;
	/** The boot that this is about. */
	readonly bootId: string;
	/** Earliest `since` seen for this boot while the node waits. */
	readonly waitingSince: Instant | null;
	/** Our last reboot of it that brought this boot about. */
	readonly rebootedAt: Instant | null;
	/** The pool and time limits it was rebooted under. */
	readonly rebootIntervalMs: number;
	readonly probationMs: number;
	/** How often in a row it was given up or cancelled under this boot. */
	readonly attempts: number;
	readonly lastEnd: {
		readonly end: End;
		/** One sentence. */
		readonly why: string;
		readonly at: Instant;
		/** Null: no back-off (what forbade it is itself the reason while it lasts). */
		readonly backOffUntil: Instant | null;
		/** Pods that a budget kept from leaving: it is admitted again only when dry runs say that they may. */
		readonly blocked: readonly Obstacle[];
	} | null;
}

/** A hold that somebody asked of the running scheduler (row `control`). */
export interface ControlHold {
	/** `pool` and `node` null: the whole cluster. */
	readonly pool: string | null;
	readonly node: string | null;
	readonly reason: string;
	readonly by: string;
	readonly at: Instant;
	readonly until: Instant | null;
}

/** "Reboot this node now", asked of the running scheduler (row `control`): one try, over when its reboot ended. */
export interface ControlRequest {
	readonly node: string;
	/** The boot that is to be ended: once the node runs another one, nothing is left to do. */
	readonly bootId: string;
	readonly reason: string;
	readonly by: string;
	readonly at: Instant;
	/** Nothing begins for it from then on. */
	readonly until: Instant;
	/** It may begin, and be asked for, outside the maintenance window. */
	readonly ignoreWindow: boolean;
}

/** What people asked of the running scheduler: row `control` of the cluster's partition. */
export interface Control {
	readonly holds: readonly ControlHold[];
	/** One of a node at most. */
	readonly requests: readonly ControlRequest[];
}

export const nothingAsked: Control = { holds: [], requests: [] };
