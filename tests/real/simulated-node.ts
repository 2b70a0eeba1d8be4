// One simulated node: a machine that boots, a kubelet that registers it and looks after its pods.
import { randomUUID } from "node:crypto";
import type { ApiClient } from "./api-client.ts";
import type { MachineLeft, NodeSettings, NodeSpec, RebootNeed } from "./kubelet-settings.ts";
import { NodeRegistration } from "./node-registration.ts";
import { type Node, type Pod, tolerates } from "./objects.ts";
import { type PodHost, PodWorker } from "./pod-worker.ts";
import { type RebootPodRun, runRebootPod } from "./reboot-pod.ts";
import { Timers } from "./timers.ts";

/** A boot that was ended. */
export interface RebootSeen {
	readonly node: string;
	readonly cause: "pod" | "byHand";
	/** The reboot pod that sent the signal. */
	readonly pod: string | null;
	readonly at: number;
	readonly fromBootId: string;
	/** Null until it is up again. Equal to `fromBootId` where it came back without a boot. */
	readonly toBootId: string | null;
	/** Ready was posted again. */
	readonly readyAt: number | null;
}

/** How a reboot pod's script ended on a node. */
export interface RebootPodSeen extends RebootPodRun {
	readonly node: string;
	readonly pod: string;
	readonly at: number;
}

/** What the fleet gives to each of its nodes. */
export interface NodeHost {
	readonly client: ApiClient;
	/** Pods that are bound to the node, as the fleet's watch sees them. */
	podsOf(node: string): Iterable<Pod>;
	/** The machine went down or is Ready again; or its pods changed. */
	changed(): void;
	problem(what: string, error: unknown): void;
}

export class SimulatedNode implements PodHost {
	readonly name: string;
	readonly settings: NodeSettings;
	readonly machineTimers = new Timers();
	readonly kubeletTimers = new Timers();
	bootId: string;
	earlierBootId: string;
	bootedAt: number;
	kernelVersion: string;
	rebootNeed: RebootNeed | null;
	/** Signals that PID 1 got, the ones that came while it was going down included. */
	signals = 0;
	readonly reboots: RebootSeen[] = [];
	readonly rebootPods: RebootPodSeen[] = [];
	readonly #host: NodeHost;
	readonly #left: MachineLeft | null;
	readonly #registration: NodeRegistration;
	readonly #workers = new Map<string, PodWorker>();
	#power: "up" | "goingDown" | "off" = "off";
	#kubelet = false;
	#cutOff = false;
	#stale = false;
	#ready = false;
	#joined = false;

	constructor(spec: NodeSpec, settings: NodeSettings, host: NodeHost) {
		this.name = spec.name;
		this.settings = settings;
		this.kernelVersion = spec.kernelVersion ?? "5.15.0-1081-azure";
		this.rebootNeed = spec.needsReboot ?? null;
		this.#left = spec.left ?? null;
		this.bootId = spec.left?.bootId ?? randomUUID();
		this.earlierBootId = spec.left?.earlierBootId ?? randomUUID();
		this.bootedAt = spec.left?.bootedAt ?? 0;
		this.#host = host;
		this.#registration = new NodeRegistration(spec, this, host);
	}

	get client(): ApiClient {
		return this.#host.client;
	}

	/** The machine runs (also while it is cut off, or its kubelet is stopped). */
	get up(): boolean {
		return this.#power === "up";
	}

	/** From the signal on until Ready was posted again. Before its first Ready it is not missed. */
	get down(): boolean {
		return this.#joined && (!this.up || !this.#ready);
	}

	/** A pod of this UID is served here: ready, and its machine runs. */
	serves(uid: string): boolean {
		return this.up && this.#workers.get(uid)?.ready === true;
	}

	/** Changes settings while it runs. */
	set(settings: Partial<NodeSettings>): void {
		Object.assign(this.settings, settings);
		for (const worker of this.#workers.values()) worker.sync();
		this.#sentinelChanged();
	}

	/** The files say that a reboot is needed, or (null) they are gone. */
	needReboot(need: RebootNeed | null): void {
		this.rebootNeed = need;
		this.#sentinelChanged();
	}

	/** By hand, as `reboot` on the machine does. */
	reboot(): void {
		this.#endBoot("byHand", null);
	}

	/** Power is lost: nothing is posted, and it stays off until `powerOn`. */
	powerOff(): void {
		if (!this.up) return;
		this.settings.comesBack = "never";
		this.#beginReboot("byHand", null);
		this.#goneDown();
	}

	/** Starts a machine that did not come back. `sameBoot`: it had hung and goes on. */
	powerOn(options: { readonly sameBoot?: boolean } = {}): void {
		if (this.#power !== "off") return;
		// A boot that was due already must not follow this one.
		this.machineTimers.clear();
		this.settings.comesBack = "newBoot";
		if (options.sameBoot === true) this.#resume();
		else this.#boot();
	}

	/** The machine and its containers go on. */
	stopKubelet(): void {
		this.#kubelet = false;
		this.kubeletTimers.clear();
		this.#registration.stop();
	}

	startKubelet(notReadyMs = this.settings.notReadyMs): void {
		if (this.#kubelet || !this.up) return;
		this.#kubelet = true;
		this.#registration.start(notReadyMs, () => {
			this.#becameReady();
		});
		for (const worker of this.#workers.values()) worker.kubeletStarted();
		this.#adoptPods();
		for (const worker of this.#workers.values()) worker.sync();
	}

	/** Neither kubelet nor pods reach the API server; everything goes on otherwise. */
	cutOff(): void {
		this.#cutOff = true;
		this.#sentinelChanged();
	}

	reconnect(): void {
		this.#cutOff = false;
		this.#registration.poke();
		this.#adoptPods();
		for (const worker of this.#workers.values()) worker.sync();
		this.#sentinelChanged();
	}

	/** First start: no boot is counted. */
	startMachine(): void {
		if (this.#left?.up === false) {
			this.#joined = true;
			this.#goneDown();
			return;
		}
		this.#power = "up";
		this.startKubelet(this.#left === null ? this.settings.notReadyMs : 0);
	}

	/**
	 * Its containers of before are still running, though no kubelet of ours has started them: an earlier process left them. Those that were
	 * started before this boot ended with the one before, though nobody has said so yet. (The API tells whole seconds.)
	 */
	keptContainers(startedAt: string): boolean {
		return this.#left?.bootId === this.bootId && Date.parse(startedAt) >= Math.floor(this.bootedAt / 1_000) * 1_000;
	}

	/** Ends the simulation of this node. */
	stop(): void {
		this.stopKubelet();
		this.machineTimers.clear();
		this.#power = "off";
	}

	/** The watch saw this node's object. */
	nodeSeen(node: Node): void {
		this.#registration.seen(node);
	}

	/** The watch saw a pod that is bound to this node. */
	podSeen(pod: Pod): void {
		if (this.#cutOff || !this.#kubelet) return;
		const worker = this.#workers.get(pod.metadata.uid);
		if (worker !== undefined) {
			worker.seen(pod);
			return;
		}
		const added = new PodWorker(this, pod);
		this.#workers.set(pod.metadata.uid, added);
		added.sync();
	}

	podGone(uid: string): void {
		if (this.#cutOff || !this.#kubelet) return;
		this.#workers.get(uid)?.removed();
		this.#workers.delete(uid);
	}

	syncsPods(): boolean {
		return this.#kubelet && !this.#stale;
	}

	canReachApi(): boolean {
		return this.#kubelet && !this.#cutOff;
	}

	hasNetwork(): boolean {
		return this.up && !this.#cutOff;
	}

	rejects(pod: Pod): { readonly reason: string; readonly message: string } | null {
		const refusal = this.settings.refuses(pod);
		if (refusal !== null) return refusal;
		// The kubelet checks NoExecute taints only; everything else is the scheduler's.
		const taint = this.#registration.taints.find((each) => each.effect === "NoExecute" && !tolerates(pod, each));
		if (taint !== undefined) return { reason: "TaintToleration", message: `Pod was rejected: Predicate TaintToleration failed (${taint.key})` };
		const running = [...this.#workers.values()].filter((worker) => worker.running).length;
		if (running >= this.settings.maxPods) return { reason: "OutOfpods", message: `Pod was rejected: Node didn't have enough resource: pods` };
		return null;
	}

	async runRebootPod(pod: Pod): Promise<RebootPodRun> {
		const clock = Date.now() + this.settings.clockOffsetMs;
		const { appArmor, deniesSignal } = this.settings;
		const run = await runRebootPod(pod, { bootId: this.bootId, clock, appArmor, deniesSignal });
		this.rebootPods.push({ node: this.name, pod: pod.metadata.name, at: Date.now(), ...run });
		return run;
	}

	signalled(pod: Pod): void {
		this.signals++;
		if (!this.settings.ignoresSignal) this.#endBoot("pod", pod.metadata.name);
	}

	problem(what: string, error: unknown): void {
		this.#host.problem(`node ${this.name}, ${what}`, error);
	}

	#sentinelChanged(): void {
		for (const worker of this.#workers.values()) worker.sentinelChanged();
	}

	#becameReady(): void {
		const last = this.reboots.at(-1);
		if (last !== undefined && last.readyAt === null) this.reboots[this.reboots.length - 1] = { ...last, readyAt: Date.now() };
		this.#ready = true;
		this.#joined = true;
		this.#host.changed();
	}

	#endBoot(cause: RebootSeen["cause"], pod: string | null): void {
		if (!this.up) return;
		this.#beginReboot(cause, pod);
		if (this.settings.shutdownMs === 0) {
			this.#goneDown();
			return;
		}
		if (this.settings.announcesShutdown && this.#kubelet) this.#registration.announceShutdown();
		this.machineTimers.after(this.settings.shutdownMs, () => this.#goneDown());
	}

	#beginReboot(cause: RebootSeen["cause"], pod: string | null): void {
		this.#power = "goingDown";
		this.#ready = false;
		this.reboots.push({ node: this.name, cause, pod, at: Date.now(), fromBootId: this.bootId, toBootId: null, readyAt: null });
		this.#host.changed();
	}

	#goneDown(): void {
		this.stopKubelet();
		this.machineTimers.clear();
		this.#power = "off";
		if (this.settings.comesBack === "never") return;
		this.machineTimers.after(this.settings.bootMs, () => {
			// Read now: it may have been told otherwise while it was down.
			if (this.settings.comesBack === "newBoot") this.#boot();
			else if (this.settings.comesBack === "sameBoot") this.#resume();
		});
	}

	#boot(): void {
		for (const worker of this.#workers.values()) worker.machineDied();
		this.earlierBootId = this.bootId;
		this.bootId = randomUUID();
		this.bootedAt = Date.now();
		this.kernelVersion = this.settings.nextKernelVersion ?? nextKernel(this.kernelVersion);
		// The files lie in a tmpfs.
		this.rebootNeed = this.settings.stillAsks && this.rebootNeed !== null ? { ...this.rebootNeed, since: new Date() } : null;
		this.settings.sentinel = this.settings.sentinelAfterReboot ?? this.settings.sentinel;
		this.#stale = this.settings.staleStatusMs > 0;
		this.#power = "up";
		this.#cameUp();
		if (!this.#stale) return;
		this.machineTimers.after(this.settings.staleStatusMs, () => {
			this.#stale = false;
			for (const worker of this.#workers.values()) worker.sync();
		});
	}

	#resume(): void {
		this.#power = "up";
		this.#cameUp();
		this.#sentinelChanged();
	}

	#cameUp(): void {
		const last = this.reboots.at(-1);
		if (last !== undefined) this.reboots[this.reboots.length - 1] = { ...last, toBootId: this.bootId };
		this.startKubelet();
	}

	/** What was missed while the kubelet was away: pods that came, changed or went. */
	#adoptPods(): void {
		if (!this.#kubelet || this.#cutOff) return;
		const present = new Set<string>();
		for (const pod of this.#host.podsOf(this.name)) {
			present.add(pod.metadata.uid);
			this.podSeen(pod);
		}
		for (const uid of [...this.#workers.keys()]) if (!present.has(uid)) this.podGone(uid);
	}
}

/** `5.15.0-1081-azure` becomes `5.15.0-1082-azure`. */
export function nextKernel(version: string): string {
	return version.replace(/(\d+)(?!.*\d)/, (number) => String(Number(number) + 1));
}
