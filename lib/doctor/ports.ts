// What only the doctor asks of the world. Everything else it shares with a tick.
import type { AksFacts, Instant, NodeFacts } from "../plan/model.ts";
import type { ClusterTarget } from "../plan/policy.ts";
import type { Clusters, Ids, Table } from "../tick/world.ts";

export interface DoctorWorld {
	readonly table: Table;
	readonly clusters: Clusters;
	readonly probes: Probes;
	readonly ids: Ids;
	/** Name of this scheduler: what the owner Lease of its clusters says. */
	readonly us: string;
	/** This machine's clock, in milliseconds since the epoch. */
	readonly now: () => Instant;
}

export interface Probes {
	/** What ARM says of a cluster; null: it is reached by a kubeconfig. */
	inArm(target: ClusterTarget): Promise<ClusterInArm | null>;
	of(target: ClusterTarget): ClusterProbe;
}

export interface ClusterInArm {
	readonly facts: AksFacts;
	/** `autoUpgradeProfile.nodeOSUpgradeChannel`; null: ARM does not say. */
	readonly nodeOsChannel: string | null;
}

/** `entra`: a token of the identity. `local`: the certificate or token that AKS hands out to everybody. The others are of a kubeconfig. */
export type CredentialKind = "entra" | "local" | "plugin" | "token" | "certificate" | "none";

/** What a policy has to refuse the scheduler: to label the node, to delete the sentinel pod, to make a Lease of that name, an event about a pod of that name. */
export interface ForbiddenAct {
	readonly kind: "labelNode" | "deleteSentinelPod" | "createLease" | "createEventOfPod";
	readonly name: string;
}

/** Questions to one API server, none of which changes anything. Fail with CallError. */
export interface ClusterProbe {
	/** Obtains one, and says of what kind it is. */
	credential(): Promise<CredentialKind>;
	/** `at`: the API server's own clock, to the second; null: its answer carries no date. */
	version(): Promise<{ readonly version: string; readonly at: Instant | null }>;
	/** As whom the API server knows us; null: it is too old to say. */
	user(): Promise<string | null>;
	allows(right: Right): Promise<boolean>;
	hasAdmissionPolicy(name: string): Promise<boolean>;
	/** A few Linux nodes. */
	someNodes(): Promise<readonly NodeFacts[]>;
	/** The name of one; null: there is none. */
	someSentinelPod(): Promise<string | null>;
	/** By dry run; fails where it is refused. */
	tryForbidden(act: ForbiddenAct): Promise<void>;
}

/** As RBAC counts them. */
export interface Right {
	readonly verb: string;
	/** Empty: the core group. */
	readonly group: string;
	/** With its subresource, as in a rule: `pods/eviction`. */
	readonly resource: string;
	/** Null: in the whole cluster. */
	readonly namespace: string | null;
	/** Null: whatever its name. */
	readonly name: string | null;
}
