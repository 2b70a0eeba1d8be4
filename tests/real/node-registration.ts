// The kubelet's side of a Node object: registers it, renews its Lease, keeps its status true.
import { ApiError } from "./api-client.ts";
import type { NodeSettings, NodeSpec } from "./kubelet-settings.ts";
import { conditionStatus, type Node, type Taint } from "./objects.ts";
import { now } from "./pod-worker.ts";
import type { NodeHost } from "./simulated-node.ts";
import type { Timers } from "./timers.ts";

/** The machine as its kubelet sees it. */
export interface Machine {
	readonly name: string;
	readonly settings: NodeSettings;
	readonly kubeletTimers: Timers;
	readonly bootId: string;
	readonly kernelVersion: string;
	canReachApi(): boolean;
}

type Readiness = { readonly ready: boolean; readonly reason: string; readonly message: string };

const isReady: Readiness = { ready: true, reason: "KubeletReady", message: "kubelet is posting ready status" };
const isStarting: Readiness = { ready: false, reason: "KubeletNotReady", message: "container runtime network not ready" };
const isShuttingDown: Readiness = { ready: false, reason: "KubeletNotReady", message: "node is shutting down" };
const retryMs = 500;

export class NodeRegistration {
	taints: readonly Taint[] = [];
	readonly #spec: NodeSpec;
	readonly #machine: Machine;
	readonly #host: NodeHost;
	#readiness: Readiness = isStarting;
	#readinessSince = now();
	/** Null while the kubelet is stopped, or has not found its Node object yet. */
	#nodeUid: string | null = null;
	#running = false;
	/** Counts starts of the kubelet: what an earlier one has under way no longer counts. */
	#start = 0;
	#posting = false;
	#again = false;
	#onReady: () => void = () => {};

	constructor(spec: NodeSpec, machine: Machine, host: NodeHost) {
		this.#spec = spec;
		this.#machine = machine;
		this.#host = host;
	}

	/** `onReady` is called once, when Ready was posted: after `notReadyMs`. */
	start(notReadyMs: number, onReady: () => void): void {
		this.#running = true;
		this.#start++;
		this.#nodeUid = null;
		this.#onReady = onReady;
		this.#become(notReadyMs === 0 ? isReady : isStarting);
		if (notReadyMs > 0) this.#machine.kubeletTimers.after(notReadyMs, () => this.#become(isReady));
		this.#renewRegularly();
	}

	stop(): void {
		this.#running = false;
		this.#nodeUid = null;
	}

	/** The API server can be reached again. */
	poke(): void {
		if (!this.#running) return;
		this.#post();
		void this.#renewLease();
	}

	announceShutdown(): void {
		this.#become(isShuttingDown);
	}

	seen(node: Node): void {
		this.taints = node.spec.taints ?? [];
		if (!this.#running || this.#nodeUid !== node.metadata.uid) return;
		// The node lifecycle controller had its own view of us: say it again.
		const said = conditionStatus(node, "Ready");
		if (said !== (this.#readiness.ready ? "True" : "False")) this.#post();
	}

	#become(readiness: Readiness): void {
		this.#readiness = readiness;
		this.#readinessSince = now();
		this.#post();
	}

	#post(): void {
		if (this.#posting) {
			this.#again = true;
			return;
		}
		this.#posting = true;
		void this.#postUntilSaid().finally(() => {
			this.#posting = false;
			if (this.#again) this.#post();
		});
	}

	async #postUntilSaid(): Promise<void> {
		this.#again = false;
		if (!this.#running || !this.#machine.canReachApi()) return;
		const start = this.#start;
		const readiness = this.#readiness;
		try {
			this.#nodeUid ??= await this.#register();
			await this.#host.client.patch(
				`/api/v1/nodes/${this.#spec.name}/status`,
				{ metadata: { uid: this.#nodeUid }, status: this.#status(readiness) },
				"strategic",
			);
			if (readiness.ready && start === this.#start && this.#running) this.#toldReady();
		} catch (error) {
			// Somebody deleted the Node object, or made another (422: the UID is another): a kubelet makes a new one only when it starts again.
			if (error instanceof ApiError && [404, 409, 422].includes(error.status)) return;
			this.#host.problem(`node ${this.#spec.name}, status`, error);
			this.#machine.kubeletTimers.after(retryMs, () => this.#post());
		}
	}

	#toldReady(): void {
		const tell = this.#onReady;
		this.#onReady = () => {};
		tell();
	}

	async #register(): Promise<string> {
		const path = `/api/v1/nodes/${this.#spec.name}`;
		const found = await this.#host.client.find<Node>(path);
		const node = found ?? (await this.#host.client.post<Node>("/api/v1/nodes", nodeObject(this.#spec)));
		this.taints = node.spec.taints ?? [];
		void this.#renewLease();
		return node.metadata.uid;
	}

	#renewRegularly(): void {
		this.#machine.kubeletTimers.after(this.#machine.settings.leaseMs, () => {
			void this.#renewLease();
			this.#renewRegularly();
		});
	}

	async #renewLease(): Promise<void> {
		if (!this.#running || !this.#machine.canReachApi()) return;
		const leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
		const spec = { holderIdentity: this.#spec.name, leaseDurationSeconds: 40, renewTime: new Date().toISOString().replace("Z", "000Z") };
		try {
			await this.#host.client.patch(`${leases}/${this.#spec.name}`, { spec });
		} catch (error) {
			if (!(error instanceof ApiError && error.status === 404)) return this.#host.problem(`node ${this.#spec.name}, lease`, error);
			await this.#host.client.post(leases, { metadata: { name: this.#spec.name }, spec }).catch(() => {});
		}
	}

	#status(readiness: Readiness): unknown {
		const condition = (type: string, status: boolean, reason: string, message: string): unknown => ({
			type,
			status: status ? "True" : "False",
			reason,
			message,
			lastHeartbeatTime: now(),
			lastTransitionTime: this.#readinessSince,
		});
		return {
			capacity: { cpu: "8", memory: "32Gi", pods: String(this.#machine.settings.maxPods) },
			allocatable: { cpu: "8", memory: "32Gi", pods: String(this.#machine.settings.maxPods) },
			addresses: [{ type: "Hostname", address: this.#spec.name }],
			conditions: [
				condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
				condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
				condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
				condition("Ready", readiness.ready, readiness.reason, readiness.message),
			],
			nodeInfo: {
				bootID: this.#machine.bootId,
				kernelVersion: this.#machine.kernelVersion,
				machineID: this.#spec.name,
				systemUUID: this.#spec.name,
				osImage: "Ubuntu 22.04.5 LTS",
				containerRuntimeVersion: "containerd://2.0.0",
				kubeletVersion: "v1.36.3",
				kubeProxyVersion: "",
				operatingSystem: this.#spec.os ?? "linux",
				architecture: "amd64",
			},
		};
	}
}

function nodeObject(spec: NodeSpec): unknown {
	const { name, zone } = spec;
	const os = spec.os ?? "linux";
	const pool = spec.pool === undefined ? "nodes" : spec.pool;
	return {
		metadata: {
			name,
			labels: {
				"kubernetes.io/hostname": name,
				"kubernetes.io/os": os,
				"kubernetes.io/arch": "amd64",
				"node.kubernetes.io/instance-type": "Standard_D8s_v5",
				"topology.kubernetes.io/region": "westeurope",
				"topology.kubernetes.io/zone": zone ?? "0",
				"kubernetes.azure.com/mode": spec.mode ?? "user",
				...(pool === null ? {} : { "kubernetes.azure.com/agentpool": pool, agentpool: pool }),
				...spec.labels,
			},
			annotations: spec.annotations ?? {},
		},
		spec: {
			providerID: spec.providerId ?? defaultProviderId(name, pool ?? "default"),
			...(spec.taints === undefined ? {} : { taints: spec.taints }),
			...(spec.cordoned === true ? { unschedulable: true } : {}),
		},
	};
}

function defaultProviderId(name: string, pool: string): string {
	const group = "azure:///subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/mc_group_cluster_westeurope";
	return `${group}/providers/Microsoft.Compute/virtualMachineScaleSets/aks-${pool}-vmss/virtualMachines/${name}`;
}
