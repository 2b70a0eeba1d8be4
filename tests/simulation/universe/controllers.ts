// Controllers of workloads and DaemonSets, and the scheduler that places their pods.
import type { Instant, PodFacts } from "../../../lib/plan/model.ts";
import type { Cluster } from "./cluster.ts";
import type { ApiNode } from "./nodes.ts";
import type { ApiPod } from "./pods.ts";

export interface Budget {
	readonly minAvailable: number;
	/** Two budgets select the same pods. */
	readonly twice: boolean;
	/** unhealthyPodEvictionPolicy: AlwaysAllow. */
	readonly unhealthyMayGo: boolean;
	/** It leaves no room while it is calm, either: a person has to see to it. */
	readonly forGood: boolean;
}

export interface WorkloadShape {
	readonly name: string;
	readonly namespace: string;
	/** `none`: pods without a controller, which nobody makes again. */
	readonly kind: "ReplicaSet" | "StatefulSet" | "Job" | "none";
	readonly replicas: number;
	readonly budget: Budget | null;
	readonly toleratesCordon: boolean;
	readonly emptyDir: boolean;
	readonly labelled: boolean;
	readonly startMs: number;
	readonly stopMs: number;
	readonly graceSeconds: number;
	/** A finalizer holds its pods when they are deleted, until it is calm; for good: until a person sees to it. */
	readonly lingers: "no" | "weather" | "forGood";
}

export class Workload {
	readonly shape: WorkloadShape;
	readonly uid: string;
	readonly pods = new Set<ApiPod>();
	/** Names that are taken or to be made, for pods with names of their own. */
	made = 0;
	/** Pods that no node takes. */
	unplaced = 0;
	/** What the budget asks for now: a disturbance may tighten it. */
	leastHealthy: number;

	constructor(shape: WorkloadShape, uid: string) {
		this.shape = shape;
		this.uid = uid;
		this.leastHealthy = shape.budget?.minAvailable ?? 0;
	}
}

export interface DaemonSet {
	readonly namespace: string;
	readonly name: string;
	readonly uid: string;
	readonly sentinel: boolean;
	there: boolean;
	goneAt: Instant | null;
}

export class Controllers {
	readonly #cluster: Cluster;
	#uids = 0;
	#retrying = false;

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
	}

	get #now(): Instant {
		return this.#cluster.calls.now;
	}

	uid(what: string): string {
		return `${this.#cluster.name}-${what}-${++this.#uids}`;
	}

	/** Every pod that is to be there at the start, running. */
	fill(): void {
		for (const workload of this.#cluster.workloads) for (let i = 0; i < workload.shape.replicas; i++) this.#make(workload, true);
		for (const node of this.#cluster.nodes.values()) this.daemonPods(node, true);
	}

	/** A pod became ready, unready, terminating or gone. */
	changed(pod: ApiPod): void {
		if (pod.owner.kind === "daemonSet") {
			if (pod.gone) this.#cluster.calls.after(1_000, () => this.#daemonPodAgain(pod));
			return;
		}
		if (pod.owner.kind !== "workload") return;
		const { workload } = pod.owner;
		if (pod.gone) workload.pods.delete(pod);
		this.#cluster.calls.after(this.#cluster.chance.between(`reconcile ${workload.shape.name}`, 300, 2_000), () => this.reconcile(workload));
	}

	reconcile(workload: Workload): void {
		const { kind, replicas } = workload.shape;
		if (kind === "none" || this.#cluster.pods.endingNamespaces.has(workload.shape.namespace)) return;
		// A StatefulSet waits until the old pod is gone; the others until it is going.
		const counted = [...workload.pods].filter((pod) => !isFinished(pod.facts) && (kind === "StatefulSet" || pod.facts.deletionAt === null));
		const missing = replicas - counted.length;
		workload.unplaced = 0;
		for (let i = 0; i < missing; i++) if (!this.#make(workload, false)) workload.unplaced++;
		if (workload.unplaced > 0) this.#retry();
	}

	/** Some node takes pods again. */
	roomChanged(): void {
		for (const workload of this.#cluster.workloads) if (workload.unplaced > 0) this.reconcile(workload);
	}

	#retry(): void {
		if (this.#retrying) return;
		this.#retrying = true;
		this.#cluster.calls.after(15_000, () => {
			this.#retrying = false;
			this.roomChanged();
		});
	}

	#make(workload: Workload, running: boolean): boolean {
		const { shape } = workload;
		const node = this.#place(workload);
		if (node === undefined) return false;
		const name = shape.kind === "StatefulSet" ? this.#freeName(workload) : `${shape.name}-${++workload.made}`;
		const controller =
			shape.kind === "none" ? null : { kind: shape.kind, apiVersion: shape.kind === "Job" ? "batch/v1" : "apps/v1", name: shape.name, uid: workload.uid };
		const facts = { namespace: shape.namespace, name, controller, emptyDir: shape.emptyDir, toleratesCordon: shape.toleratesCordon };
		const pod = this.bind(facts, node, { kind: "workload", workload }, { running, labelled: shape.labelled });
		workload.pods.add(pod);
		return true;
	}

	#freeName(workload: Workload): string {
		for (let i = 0; ; i++) {
			const name = `${workload.shape.name}-${i}`;
			if (this.#cluster.pods.named(workload.shape.namespace, name) === undefined) return name;
		}
	}

	#place(workload: Workload): ApiNode | undefined {
		const fit = this.#cluster.nodes
			.all()
			.filter(({ facts }) => facts.ready && !facts.deleting && !facts.virtual && (!facts.unschedulable || workload.shape.toleratesCordon));
		return this.#cluster.chance.pick(`place ${workload.shape.name}`, fit);
	}

	/** A pod on a node: placed by the scheduler, or set there directly. */
	bind(
		facts: Pick<PodFacts, "namespace" | "name" | "controller" | "emptyDir" | "toleratesCordon"> & Partial<PodFacts>,
		node: ApiNode,
		owner: ApiPod["owner"],
		{ running, labelled }: { readonly running: boolean; readonly labelled: boolean },
	): ApiPod {
		const uid = this.uid("pod");
		const { machine } = node;
		const pod: ApiPod = {
			facts: {
				uid,
				node: node.facts.name,
				phase: running ? "Running" : "Pending",
				ready: running,
				// To the second, as the API keeps it.
				createdAt: Math.floor(this.#now / 1000) * 1000,
				deletionAt: null,
				mirror: false,
				selected: true,
				ours: null,
				sentinel: null,
				containerIds: running ? [`containerd://${uid}-${machine.boots}`] : [],
				trouble: null,
				...facts,
			},
			owner,
			labelled,
			boundAt: this.#now,
			learned: running,
			runsIn: running ? machine.bootId : null,
			gone: false,
		};
		this.#cluster.pods.add(pod);
		if (!running) this.#cluster.kubelets.bound(pod, machine);
		return pod;
	}

	/** The pods that every node has. */
	daemonPods(node: ApiNode, running: boolean): void {
		if (node.facts.virtual) return;
		for (const daemonSet of this.#cluster.daemonSets) if (daemonSet.there) this.#daemonPod(daemonSet, node, running);
	}

	#daemonPod(daemonSet: DaemonSet, node: ApiNode, running: boolean): void {
		const { namespace, name, uid } = daemonSet;
		if (this.#cluster.pods.on(node.facts.name).some((pod) => pod.owner.kind === "daemonSet" && pod.owner.daemonSet === daemonSet)) return;
		const controller = { kind: "DaemonSet", apiVersion: "apps/v1", name, uid };
		const podName = `${name}-${this.uid("d")}`;
		const sentinel = daemonSet.sentinel ? this.#cluster.sentinels.firstWord(node, podName, running) : null;
		const facts = {
			namespace,
			name: podName,
			controller,
			emptyDir: false,
			toleratesCordon: true,
			sentinel,
			ours: daemonSet.sentinel ? ("sentinel" as const) : null,
		};
		this.bind(facts, node, { kind: "daemonSet", daemonSet }, { running, labelled: false });
		if (daemonSet.sentinel) this.#cluster.sentinels.lookSoon(node.machine);
	}

	#daemonPodAgain(pod: ApiPod): void {
		const node = this.#cluster.nodes.get(pod.facts.node);
		if (node === undefined || pod.owner.kind !== "daemonSet" || !pod.owner.daemonSet.there) return;
		this.#daemonPod(pod.owner.daemonSet, node, false);
	}
}

function isFinished({ phase }: PodFacts): boolean {
	return phase === "Succeeded" || phase === "Failed";
}
