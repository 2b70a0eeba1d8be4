// One pod on a simulated node: what its containers do, what the kubelet does about them, and what it tells the API server.
import { randomBytes } from "node:crypto";
import { type ApiClient, ApiError } from "./api-client.ts";
import { type NodeSettings, podBehaviour } from "./kubelet-settings.ts";
import { conditionStatus, type Pod } from "./objects.ts";
import { type ExitedContainers, type LocalPod, podStatus, type Stage } from "./pod-status.ts";
import { isRebootPod, type RebootPodRun } from "./reboot-pod.ts";
import { isSentinelPod, Sentinel, type SentinelHost } from "./sentinel.ts";
import type { Timers } from "./timers.ts";

/** What a pod needs of the node it is on. */
export interface PodHost extends SentinelHost {
	readonly settings: NodeSettings;
	readonly client: ApiClient;
	/** End when the machine loses its power. */
	readonly machineTimers: Timers;
	/** End when the kubelet stops. */
	readonly kubeletTimers: Timers;
	/** The kubelet is up and past the moments after a boot in which it reports nothing yet. */
	syncsPods(): boolean;
	canReachApi(): boolean;
	/** Why this kubelet does not admit a pod. */
	rejects(pod: Pod): { readonly reason: string; readonly message: string } | null;
	runRebootPod(pod: Pod): Promise<RebootPodRun>;
	/** Whether containers that the API server tells of, and that this process has not started, run here. */
	keptContainers(startedAt: string): boolean;
	/** PID 1 got the signal from this pod. */
	signalled(pod: Pod): void;
	problem(what: string, error: unknown): void;
}

/** How long a reboot pod's script takes. */
const rebootScriptMs = 50;
const pullRetryMs = 1_000;
const apiRetryMs = 500;

export class PodWorker {
	pod: Pod;
	readonly #host: PodHost;
	readonly #sentinel: Sentinel | null;
	#stage: Stage = { kind: "new" };
	#containerIds: string[] = [];
	#restartCount = 0;
	#lastExit: ExitedContainers | null = null;
	#readySince = now();
	#firstStartAt: string | null = null;
	/** Counts starts: a timer of an earlier run must not touch this one. */
	#run = 0;
	#restartPending = false;
	#killAt: number | null = null;
	#reported = "";
	#wantsDelete = false;
	#flushing = false;
	#gone = false;

	constructor(host: PodHost, pod: Pod) {
		this.#host = host;
		this.pod = pod;
		this.#sentinel = isSentinelPod(pod)
			? new Sentinel(
					host,
					() => this.pod,
					(ready) => this.#setReady(ready),
				)
			: null;
		this.#adoptContainers();
	}

	/** An earlier process of the simulation started them: they run on, unless their machine went down. */
	#adoptContainers(): void {
		const found = (this.pod.status.containerStatuses ?? []).filter((each) => each.state.running !== undefined);
		if (found.length === 0) return;
		const startedAt = found[0]?.state.running?.startedAt ?? now();
		this.#containerIds = found.flatMap((each) => each.containerID ?? []);
		this.#restartCount = found[0]?.restartCount ?? 0;
		this.#firstStartAt = startedAt;
		if (!this.#host.keptContainers(startedAt)) {
			this.#stage = { kind: "exited", exit: exitOf(255, "Unknown", "", startedAt), byMachine: true };
			return;
		}
		this.#stage = { kind: "running", startedAt, ready: conditionStatus(this.pod, "Ready") === "True" };
		this.#runContainers();
	}

	/** Its containers run, whatever the API server was told. */
	get running(): boolean {
		return this.#stage.kind === "running";
	}

	get ready(): boolean {
		return this.#stage.kind === "running" && this.#stage.ready;
	}

	/** A newer version of the pod was seen. */
	seen(pod: Pod): void {
		this.pod = pod;
		const ready = this.#stage.kind === "running" && this.#stage.ready;
		// The node lifecycle controller took its readiness away while we were silent: say it again.
		if ((conditionStatus(pod, "Ready") === "True") !== ready) this.#reported = "";
		this.sync();
	}

	/** The pod is gone from the API: its containers are killed. */
	removed(): void {
		this.#gone = true;
		this.#run++;
		this.#sentinel?.stop();
		this.#stage = { kind: "new" };
	}

	machineDied(): void {
		this.#run++;
		this.#sentinel?.stop();
		if (this.#stage.kind === "running") this.#stage = { kind: "exited", exit: exitOf(255, "Unknown", "", this.#stage.startedAt), byMachine: true };
	}

	/** Timers of an earlier kubelet are gone; `sync` follows. */
	kubeletStarted(): void {
		this.#killAt = null;
		this.#restartPending = false;
		if (this.#stage.kind === "starting" || this.#stage.kind === "pulling") this.#stage = { kind: "new" };
		if (this.#stage.kind === "running" && !this.#stage.ready) this.#armReadiness();
	}

	/** What the sentinel's script looks at has changed. */
	sentinelChanged(): void {
		this.#sentinel?.changed();
	}

	/** Takes the next step that is due; may be called at any time. */
	sync(): void {
		if (this.#gone || !this.#host.syncsPods()) return;
		if (this.pod.metadata.deletionTimestamp !== undefined) {
			this.#terminate();
			return;
		}
		if (this.#stage.kind === "new") {
			if (this.pod.status.phase === "Succeeded" || this.pod.status.phase === "Failed") return;
			this.#admit();
		} else if (this.#stage.kind === "exited") this.#afterExit(this.#stage);
		this.#flush();
	}

	#admit(): void {
		const rejection = this.#host.rejects(this.pod);
		if (rejection !== null) {
			this.#stage = { kind: "rejected", ...rejection };
			return;
		}
		this.#stage = { kind: "starting" };
		this.#host.kubeletTimers.after(podBehaviour(this.pod, this.#host.settings).startMs, () => this.#start());
	}

	#start(): void {
		if (this.#gone || this.running || this.pod.metadata.deletionTimestamp !== undefined) return;
		const image = this.pod.spec.containers.map((container) => container.image).find((name) => this.#host.settings.unpullable(name));
		if (image !== undefined) {
			const reason = this.#stage.kind === "pulling" ? "ImagePullBackOff" : "ErrImagePull";
			this.#stage = { kind: "pulling", reason, message: `failed to pull and unpack image "${image}": not found` };
			this.#host.kubeletTimers.after(pullRetryMs, () => this.#start());
			this.#flush();
			return;
		}
		this.#run++;
		if (this.#containerIds.length > 0) this.#restartCount++;
		this.#containerIds = this.pod.spec.containers.map(() => `containerd://${randomBytes(32).toString("hex")}`);
		this.#firstStartAt ??= now();
		this.#stage = { kind: "running", startedAt: now(), ready: false };
		this.#readySince = now();
		this.#runContainers();
		this.#flush();
	}

	#runContainers(): void {
		const run = this.#run;
		if (isRebootPod(this.pod)) {
			this.#host.machineTimers.after(rebootScriptMs, () => {
				if (this.#run !== run) return;
				this.#runRebootScript(run).catch((error: unknown) => this.#host.problem("running a reboot pod", error));
			});
			return;
		}
		if (this.#sentinel !== null) this.#sentinel.start();
		else this.#armReadiness();
		const { exit } = podBehaviour(this.pod, this.#host.settings);
		if (exit === null) return;
		this.#host.machineTimers.after(exit.ms, () => {
			if (this.#run === run && this.running) this.#exited(exit.code, "");
		});
	}

	async #runRebootScript(run: number): Promise<void> {
		const { exitCode, message, signalled } = await this.#host.runRebootPod(this.pod);
		// The machine it ran on may have gone down meanwhile.
		if (this.#run !== run || !this.running) return;
		// First the signal: where the machine goes down at once, nobody hears how the container ended.
		if (signalled) this.#host.signalled(this.pod);
		this.#exited(exitCode, message);
	}

	#armReadiness(): void {
		const run = this.#run;
		this.#host.kubeletTimers.after(podBehaviour(this.pod, this.#host.settings).readyMs, () => {
			if (this.#run === run && this.#sentinel === null) this.#setReady(true);
		});
	}

	#setReady(ready: boolean): void {
		if (this.#stage.kind !== "running" || this.#stage.ready === ready) return;
		this.#stage = { ...this.#stage, ready };
		this.#readySince = now();
		this.#flush();
	}

	/** The containers ended by themselves. */
	#exited(code: number, message: string): void {
		const startedAt = this.#stage.kind === "running" ? this.#stage.startedAt : now();
		this.#stage = { kind: "exited", exit: exitOf(code, code === 0 ? "Completed" : "Error", message, startedAt), byMachine: false };
		this.#readySince = now();
		this.sync();
	}

	#afterExit(stage: Stage & { kind: "exited" }): void {
		const policy = this.pod.spec.restartPolicy ?? "Always";
		const restarts = policy === "Always" || (policy === "OnFailure" && stage.exit.exitCode !== 0);
		if (!restarts) {
			this.#stage = { kind: "finished", exit: stage.exit };
			return;
		}
		this.#lastExit = stage.exit;
		if (this.#restartPending) return;
		this.#restartPending = true;
		const { settings } = this.#host;
		this.#host.kubeletTimers.after(stage.byMachine ? podBehaviour(this.pod, settings).startMs : settings.crashBackOffMs, () => {
			this.#restartPending = false;
			this.#start();
		});
	}

	#terminate(): void {
		if (this.#stage.kind !== "running") {
			this.#wantsDelete = true;
			this.#flush();
			return;
		}
		const { stopMs } = podBehaviour(this.pod, this.#host.settings);
		if (stopMs === "never") return;
		const graceMs = (this.pod.metadata.deletionGracePeriodSeconds ?? 30) * 1000;
		const killAt = Date.now() + Math.min(stopMs, graceMs);
		if (this.#killAt !== null && this.#killAt <= killAt) return;
		this.#killAt = killAt;
		this.#host.kubeletTimers.after(killAt - Date.now(), () => {
			if (this.#killAt === killAt) this.#stopped(stopMs <= graceMs ? 0 : 137);
		});
	}

	#stopped(code: number): void {
		if (this.#stage.kind !== "running") return;
		// It was made to hang in the meantime.
		if (podBehaviour(this.pod, this.#host.settings).stopMs === "never") {
			this.#killAt = null;
			return;
		}
		this.#run++;
		this.#sentinel?.stop();
		this.#stage = { kind: "finished", exit: exitOf(code, code === 0 ? "Completed" : "Error", "", this.#stage.startedAt) };
		this.#readySince = now();
		this.#wantsDelete = true;
		this.#flush();
	}

	#status(): unknown {
		const local: LocalPod = {
			stage: this.#stage,
			containerIds: this.#containerIds,
			restartCount: this.#restartCount,
			lastExit: this.#lastExit,
			readySince: this.#readySince,
			firstStartAt: this.#firstStartAt,
		};
		return podStatus(this.pod, local);
	}

	/** Posts what changed, then deletes what is over; tries again until it is done or can't be now. */
	#flush(): void {
		if (this.#flushing || this.#gone) return;
		this.#flushing = true;
		void this.#tell();
	}

	async #tell(): Promise<void> {
		const { namespace, name, uid } = this.pod.metadata;
		const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
		try {
			while (!this.#gone && this.#host.syncsPods() && this.#host.canReachApi()) {
				const status = this.#status();
				const text = JSON.stringify(status);
				// A pod that never started has no status of its own.
				if (text !== this.#reported && this.#stage.kind !== "new") {
					// Before the answer: a change that is seen before it must not be forgotten.
					this.#reported = text;
					await this.#host.client.patch(`${path}/status`, { metadata: { uid }, status }, "strategic");
				} else if (this.#wantsDelete) {
					await this.#host.client.delete(path, { gracePeriodSeconds: 0, preconditions: { uid } });
					return;
				} else return;
			}
		} catch (error) {
			this.#reported = "";
			// Gone, or another one of that name: the watch will say so.
			if (error instanceof ApiError && error.status === 404) return;
			this.#host.problem(`pod ${namespace}/${name}`, error);
			this.#host.kubeletTimers.after(apiRetryMs, () => this.#flush());
		} finally {
			// At the same instant as the last look at what is to be told: a change right after it must not find us busy.
			this.#flushing = false;
		}
	}
}

function exitOf(exitCode: number, reason: string, message: string, startedAt: string): ExitedContainers {
	return { exitCode, reason, message, startedAt, finishedAt: now() };
}

/** As Kubernetes writes instants: whole seconds. */
export function now(): string {
	return `${new Date().toISOString().slice(0, 19)}Z`;
}
