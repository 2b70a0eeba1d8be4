// One cluster: its objects, and what runs behind them.
import { namespace } from "../../../lib/plan/model.ts";
import type { ClusterTarget } from "../../../lib/plan/policy.ts";
import type { Calls } from "../calls.ts";
import type { Chance } from "../chance.ts";
import type { Change } from "../changes.ts";
import type { Trace } from "../trace.ts";
import { type ArmState, healthyInArm } from "./arm.ts";
import { Controllers, type DaemonSet, Workload, type WorkloadShape } from "./controllers.ts";
import { Kubelets, type Machine, type Temperament } from "./kubelets.ts";
import { type ApiNode, Nodes } from "./nodes.ts";
import { OwnerLease } from "./owner.ts";
import { type ApiPod, Pods } from "./pods.ts";
import { Sentinels } from "./sentinels.ts";

export interface NodeShape {
	readonly name: string;
	readonly pool: string;
	readonly systemPool: boolean;
	readonly temperament: Temperament;
	/** Its clock minus the true time. */
	readonly clockOffsetMs: number;
	readonly needsReboot: boolean;
	readonly cordoned: boolean;
	readonly hold: string | null;
	/** A virtual kubelet's. */
	readonly virtual?: boolean;
}

export interface ClusterShape {
	readonly target: ClusterTarget;
	/** Of namespace kube-system; its own unless told. */
	readonly uid?: string;
	readonly nodes: readonly NodeShape[];
	readonly workloads: readonly WorkloadShape[];
}

export interface Surroundings {
	readonly calls: Calls;
	readonly chance: Chance;
	readonly trace: Trace;
	readonly emit: (change: Change) => void;
}

export class Cluster {
	readonly name: string;
	readonly target: ClusterTarget;
	readonly shape: ClusterShape;
	readonly calls: Calls;
	readonly chance: Chance;
	readonly emit: (change: Change) => void;
	readonly #trace: Trace;
	/** UID of namespace kube-system. */
	readonly uid: string;
	readonly nodes = new Nodes();
	readonly pods = new Pods();
	readonly workloads: readonly Workload[];
	readonly daemonSets: readonly DaemonSet[];
	readonly owner = new OwnerLease();
	readonly kubelets: Kubelets;
	readonly controllers: Controllers;
	readonly sentinels: Sentinels;
	arm: ArmState = healthyInArm();
	/** Disturbances are over. */
	calm = false;
	/** The highest number of Linux nodes so far. */
	mostNodes = 0;
	#machines = 0;

	constructor(shape: ClusterShape, surroundings: Surroundings) {
		const { calls, chance, trace, emit } = surroundings;
		this.shape = shape;
		this.target = shape.target;
		this.name = shape.target.name;
		this.uid = shape.uid ?? `uid-${this.name}`;
		this.calls = calls;
		this.chance = chance;
		this.emit = emit;
		this.#trace = trace;
		this.kubelets = new Kubelets(this);
		this.controllers = new Controllers(this);
		this.sentinels = new Sentinels(this);
		this.workloads = shape.workloads.map((each) => new Workload(each, this.controllers.uid("workload")));
		this.daemonSets = [
			{ namespace, name: "sentinel", uid: this.controllers.uid("ds"), sentinel: true, there: true, goneAt: null },
			{ namespace: "kube-system", name: "proxy", uid: this.controllers.uid("ds"), sentinel: false, there: true, goneAt: null },
		];
		for (const node of shape.nodes) this.#newNode(node);
		this.controllers.fill();
	}

	note(who: string, what: string): void {
		this.#trace.note(this.calls.now, `${this.name}/${who}`, what);
	}

	#newNode(shape: NodeShape): ApiNode {
		const { name, pool, systemPool, temperament, clockOffsetMs, needsReboot, cordoned, hold } = shape;
		const uid = `${this.name}-${name}-${++this.#machines}`;
		const { now } = this.calls;
		const machine: Machine = {
			node: name,
			uid,
			temperament,
			clockOffsetMs,
			bootId: `${uid}-boot-1`,
			boots: 1,
			bootedBy: "start",
			bootedAt: now,
			up: true,
			partitionedUntil: 0,
			needsReboot,
			needsSince: needsReboot ? now : null,
			silentUntil: 0,
			rebootedByUsAt: [],
			shuttingDown: false,
			gone: false,
		};
		const facts = {
			name,
			uid,
			pool,
			systemPool,
			bootId: machine.bootId,
			kernelVersion: "6.8.1",
			ready: true,
			unschedulable: cordoned,
			unschedulableManagers: cordoned ? ["kubectl-cordon"] : [],
			mark: { kind: "none" } as const,
			hold,
			virtual: shape.virtual ?? false,
			taints: [],
			deleting: false,
		};
		const node = this.nodes.add(facts, machine);
		this.mostNodes = Math.max(this.mostNodes, this.nodes.size);
		return node;
	}

	/** A node that comes to a running cluster. */
	addNode(shape: NodeShape): void {
		if (this.nodes.get(shape.name) !== undefined) return;
		const node = this.#newNode(shape);
		this.note(shape.name, "joins");
		this.controllers.daemonPods(node, false);
		this.controllers.roomChanged();
	}

	/** The machine and its node object go; its pods follow after a while (pod garbage collection). */
	removeNode(node: ApiNode): void {
		const { machine } = node;
		machine.gone = true;
		machine.up = false;
		this.nodes.remove(node);
		this.note(machine.node, "is gone");
		const left = this.pods.on(machine.node);
		this.calls.after(this.chance.between(`collect ${machine.node}`, 5_000, 60_000), () => {
			for (const pod of left) {
				if (pod.gone) continue;
				this.pods.remove(pod);
				this.controllers.changed(pod);
			}
		});
	}

	/** A deletion: planned end after its grace period. A grace period of 0 takes the pod out of the API at once. */
	terminate(pod: ApiPod, graceSeconds: number | null): void {
		const grace = (graceSeconds ?? this.#graceSeconds(pod)) * 1000;
		const node = this.nodes.get(pod.facts.node);
		if (pod.facts.ours === "sentinel") this.sentinels.fellSilent(node);
		if (grace === 0) {
			this.pods.remove(pod);
			this.controllers.changed(pod);
			return;
		}
		if (pod.facts.deletionAt !== null) return;
		const { sentinel } = pod.facts;
		this.pods.change(pod, { deletionAt: this.calls.now + grace, ...(sentinel === null ? {} : { sentinel: { ...sentinel, deleting: true } }) });
		this.controllers.changed(pod);
		if (node !== undefined) this.kubelets.stopping(pod, node.machine, grace);
	}

	#graceSeconds(pod: ApiPod): number {
		return pod.owner.kind === "workload" ? pod.owner.workload.shape.graceSeconds : 30;
	}

	startMs(pod: ApiPod): number {
		return pod.owner.kind === "workload" ? pod.owner.workload.shape.startMs : 2_000;
	}

	stopMs(pod: ApiPod): number {
		return pod.owner.kind === "workload" ? pod.owner.workload.shape.stopMs : 1_000;
	}

	/** A finalizer holds it. */
	lingers(pod: ApiPod): boolean {
		if (pod.owner.kind !== "workload") return false;
		const { lingers } = pod.owner.workload.shape;
		return lingers === "forGood" || (lingers === "weather" && !this.calm);
	}

	/** The sentinel DaemonSet's own count. */
	sentinelCounts(): { readonly desired: number; readonly ready: number } {
		let [desired, ready] = [0, 0];
		for (const node of this.nodes.values()) {
			if (node.facts.virtual) continue;
			desired++;
			if (this.pods.on(node.facts.name).some((pod) => pod.facts.sentinel?.ready === true && pod.facts.deletionAt === null)) ready++;
		}
		return { desired, ready };
	}
}
