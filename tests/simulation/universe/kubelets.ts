// The machines behind the nodes: what runs on them, how they take a reboot, and what their kubelets tell the API and when.
import type { Instant } from "../../../lib/plan/model.ts";
import type { RebootPodSpec } from "../../../lib/tick/world.ts";
import type { Cluster } from "./cluster.ts";
import type { ApiNode } from "./nodes.ts";
import type { ApiPod } from "./pods.ts";

/** How a machine takes a reboot. */
export interface Temperament {
	/** `ignores`: the signal does nothing. `hangs`: it goes down and stays down until somebody comes. */
	readonly onSignal: "reboots" | "ignores" | "hangs";
	readonly shutdownMs: number;
	readonly bootMs: number;
	/** From the kubelet's first word to Ready. */
	readonly readyMs: number;
	/** From Ready to its pods running in new containers. */
	readonly servicesMs: number;
	/** It asks for a reboot again after every boot. */
	readonly alwaysNeeds: boolean;
	/** Until a reboot pod runs: its image is pulled. Null: it never can be. */
	readonly pullMs: number | null;
}

export interface Machine {
	readonly node: string;
	readonly uid: string;
	readonly temperament: Temperament;
	readonly clockOffsetMs: number;
	bootId: string;
	boots: number;
	/** Why the running boot began. */
	bootedBy: "start" | "us" | "others";
	bootedAt: Instant;
	up: boolean;
	/** No network between it and the API. */
	partitionedUntil: Instant;
	needsReboot: boolean;
	needsSince: Instant | null;
	/** Its sentinel is silent until then. */
	silentUntil: Instant;
	/** When we ended a boot of it, or somebody else did once we had asked: nobody can tell the two apart. */
	readonly rebootedByUsAt: Instant[];
	shuttingDown: boolean;
	gone: boolean;
}

/** Without a sign of life for so long a node is not Ready any more (node-monitor-grace-period). */
const graceMs = 40_000;
/** After so long its pods are deleted, and stay terminating until the kubelet says that they are gone (taint not-ready, tolerationSeconds). */
const taintMs = 300_000;

export class Kubelets {
	readonly #cluster: Cluster;

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
	}

	get #now(): Instant {
		return this.#cluster.calls.now;
	}

	#after(ms: number, happen: () => void): void {
		this.#cluster.calls.after(ms, happen);
	}

	#note(machine: Machine, what: string): void {
		this.#cluster.note(machine.node, what);
	}

	reaches(machine: Machine): boolean {
		return machine.up && !machine.gone && machine.partitionedUntil <= this.#now;
	}

	nodeOf(machine: Machine): ApiNode | undefined {
		const node = this.#cluster.nodes.get(machine.node);
		return node?.machine === machine ? node : undefined;
	}

	/** A pod was bound to a node: its kubelet hears of it and starts it. */
	bound(pod: ApiPod, machine: Machine): void {
		this.#after(this.#cluster.chance.between(`learn ${pod.facts.name}`, 200, 2_000), () => {
			if (pod.gone || !this.reaches(machine)) return;
			pod.learned = true;
			this.#start(pod, machine);
		});
	}

	#start(pod: ApiPod, machine: Machine): void {
		if (pod.facts.deletionAt !== null || pod.facts.phase !== "Pending") return;
		if (pod.owner.kind === "reboot") {
			this.#startRebootPod(pod, pod.owner.spec, machine);
			return;
		}
		const boot = machine.bootId;
		this.#after(this.#cluster.startMs(pod), () => this.#running(pod, machine, boot));
	}

	#running(pod: ApiPod, machine: Machine, boot: string): void {
		if (pod.gone || machine.bootId !== boot || !machine.up) return;
		pod.runsIn = boot;
		if (!this.reaches(machine)) return;
		// A sentinel is ready once it has looked and reported.
		this.#cluster.pods.change(pod, { phase: "Running", ready: pod.facts.ours !== "sentinel", containerIds: [containerId(pod, machine)] });
		this.#cluster.controllers.changed(pod);
		if (pod.facts.ours === "sentinel") this.#cluster.sentinels.lookSoon(machine);
	}

	#startRebootPod(pod: ApiPod, spec: RebootPodSpec, machine: Machine): void {
		const { pullMs } = machine.temperament;
		if (pullMs === null) {
			this.#cluster.pods.change(pod, { trouble: "ErrImagePull: no such image" });
			return;
		}
		const boot = machine.bootId;
		this.#after(pullMs, () => {
			// A kubelet that was cut off runs what it has heard of, deleted or not; one that is not hears of the deletion.
			if (machine.gone || !machine.up || machine.bootId !== boot || pod.facts.phase !== "Pending") return;
			if (pod.gone && this.reaches(machine)) return;
			this.#fire(pod, spec, machine);
		});
	}

	/** What the reboot pod's script does: boot id and clock are its own last look. */
	#fire(pod: ApiPod, spec: RebootPodSpec, machine: Machine): void {
		const clock = Math.floor((this.#now + machine.clockOffsetMs) / 1000);
		const [notBefore, notAfter] = [Math.ceil(spec.notBefore / 1000), Math.floor(spec.notAfter / 1000)];
		pod.runsIn = machine.bootId;
		if (spec.bootId !== machine.bootId) {
			this.#ended(pod, machine, "not sent: another boot");
			return;
		}
		if (clock < notBefore) {
			this.#ended(pod, machine, "not sent: too early");
			return;
		}
		if (clock > notAfter) {
			this.#ended(pod, machine, "not sent: too late");
			return;
		}
		this.#ended(pod, machine, null);
		const node = this.nodeOf(machine);
		this.#note(machine, `signal to PID 1 by ${pod.facts.name}`);
		if (node !== undefined) this.#cluster.emit({ kind: "signalled", cluster: this.#cluster, node, pod, spec });
		if (machine.temperament.onSignal !== "ignores") this.reboot(machine, "us");
	}

	#ended(pod: ApiPod, machine: Machine, trouble: string | null): void {
		if (trouble !== null) this.#note(machine, `${pod.facts.name} ${trouble}`);
		// What the kubelet cannot tell now, it tells when it is back (or never, when the machine goes down first).
		if (pod.gone || !this.reaches(machine)) return;
		this.#cluster.pods.change(pod, { phase: trouble === null ? "Succeeded" : "Failed", trouble });
	}

	/** The machine goes down and comes up again, if it does. */
	reboot(machine: Machine, by: "us" | "others"): void {
		if (!machine.up || machine.shuttingDown || machine.gone) return;
		machine.shuttingDown = true;
		this.#after(by === "us" ? machine.temperament.shutdownMs : 100, () => this.#down(machine, by));
	}

	#down(machine: Machine, by: "us" | "others"): void {
		if (machine.gone) return;
		machine.up = false;
		machine.shuttingDown = false;
		const mark = this.nodeOf(machine)?.facts.mark;
		const asked = mark?.kind === "mark" && mark.mark.askedAt !== undefined && mark.mark.bootId === machine.bootId;
		if (by === "us" || asked) machine.rebootedByUsAt.push(this.#now);
		this.#note(machine, "down");
		this.#lostSight(machine);
		const { onSignal, bootMs } = machine.temperament;
		if (by === "us" && onSignal === "hangs" && !this.#cluster.calm) return;
		this.#after(bootMs, () => this.boot(machine, by));
	}

	boot(machine: Machine, by: "us" | "others"): void {
		if (machine.up || machine.gone) return;
		machine.up = true;
		machine.boots++;
		machine.bootId = `${machine.uid}-boot-${machine.boots}`;
		machine.bootedBy = by;
		machine.bootedAt = this.#now;
		machine.needsReboot = machine.temperament.alwaysNeeds && !this.#cluster.calm;
		machine.needsSince = machine.needsReboot ? this.#now : null;
		this.#note(machine, `up, boot ${machine.bootId}`);
		if (this.reaches(machine)) this.#register(machine);
	}

	/** No network for a while. */
	partition(machine: Machine, forMs: number): void {
		machine.partitionedUntil = Math.max(machine.partitionedUntil, this.#now + forMs);
		this.#note(machine, `cut off for ${forMs / 1000} s`);
		this.#lostSight(machine);
		this.#after(machine.partitionedUntil - this.#now, () => {
			if (this.reaches(machine)) this.#register(machine);
		});
	}

	/** Its network is back. One that hangs may be started by somebody, or stay as it is. */
	repair(machine: Machine): void {
		const away = machine.partitionedUntil > this.#now;
		machine.partitionedUntil = Math.min(machine.partitionedUntil, this.#now);
		if (away && machine.up) this.#register(machine);
		const hangs = machine.temperament.onSignal === "hangs" && !machine.up;
		if (hangs && this.#cluster.chance.happens(`repair ${machine.node}`, 0.6)) this.#after(120_000, () => this.boot(machine, "us"));
		for (const pod of this.#cluster.pods.on(machine.node)) if (pod.facts.deletionAt !== null) this.#after(1_000, () => this.stopped(pod, machine));
	}

	/** The API hears nothing from it from now on. */
	#lostSight(machine: Machine): void {
		const since = this.#now;
		this.#after(graceMs, () => {
			const node = this.nodeOf(machine);
			if (node === undefined || this.reaches(machine) || !node.facts.ready) return;
			this.#note(machine, "not Ready");
			this.#cluster.nodes.change(node, { ready: false });
			for (const pod of this.#cluster.pods.on(machine.node)) if (pod.facts.ready) this.#unready(pod);
		});
		this.#after(graceMs + taintMs, () => {
			if (this.reaches(machine) || machine.bootedAt > since) return;
			for (const pod of this.#cluster.pods.on(machine.node)) if (pod.owner.kind === "workload") this.#cluster.terminate(pod, null);
		});
	}

	#unready(pod: ApiPod): void {
		this.#cluster.pods.change(pod, { ready: false, ...(pod.facts.sentinel === null ? {} : { sentinel: { ...pod.facts.sentinel, ready: false } }) });
		if (pod.facts.ours === "sentinel") this.#cluster.sentinels.fellSilent(this.#cluster.nodes.get(pod.facts.node));
		this.#cluster.controllers.changed(pod);
	}

	/** The kubelet is in touch with the API (again): the node's status, then its pods'. */
	#register(machine: Machine): void {
		const node = this.nodeOf(machine);
		if (node === undefined) return;
		const boot = machine.bootId;
		const fresh = node.facts.bootId !== boot;
		this.#after(this.#cluster.chance.between(`register ${machine.node}`, 500, 6_000), () => {
			const now = this.nodeOf(machine);
			if (now === undefined || !this.reaches(machine) || machine.bootId !== boot) return;
			// A boot that was quick: the API may never show the node as anything but Ready.
			const ready = now.facts.ready && this.#cluster.chance.happens(`stays ready ${machine.node}`, 0.5);
			if (fresh) now.bootShownAt = this.#now;
			this.#cluster.nodes.change(now, { bootId: boot, kernelVersion: `6.8.${machine.boots}`, ready });
			this.#note(machine, `says boot ${boot}${ready ? ", Ready" : ""}`);
		});
		this.#after(6_000 + machine.temperament.readyMs, () => this.#readyAgain(machine, boot));
		this.#after(6_000 + machine.temperament.readyMs + machine.temperament.servicesMs, () => this.#podsAgain(machine, boot));
	}

	#readyAgain(machine: Machine, boot: string): void {
		const node = this.nodeOf(machine);
		if (node === undefined || !this.reaches(machine) || machine.bootId !== boot || node.facts.ready) return;
		this.#note(machine, "Ready");
		this.#cluster.nodes.change(node, { ready: true });
		this.#cluster.controllers.roomChanged();
	}

	#podsAgain(machine: Machine, boot: string): void {
		if (!this.reaches(machine) || machine.bootId !== boot || this.nodeOf(machine) === undefined) return;
		for (const pod of this.#cluster.pods.on(machine.node)) {
			const { phase, deletionAt } = pod.facts;
			if (deletionAt !== null) this.stopped(pod, machine);
			else if (phase === "Pending") {
				pod.learned = true;
				this.#start(pod, machine);
			} else if (pod.owner.kind === "reboot") {
				// It ran in a boot that is over, and nobody heard how it ended.
				if (phase === "Running") this.#cluster.pods.change(pod, { phase: "Failed", trouble: "ContainerStatusUnknown" });
			} else if (phase === "Running") {
				// Also where the network went before they had come up: this boot started them too.
				const restarted = pod.runsIn !== boot;
				pod.runsIn = boot;
				if (pod.facts.ours === "sentinel") this.#unready(pod);
				this.#cluster.pods.change(pod, { ready: pod.facts.ours !== "sentinel", ...(restarted ? { containerIds: [containerId(pod, machine)] } : {}) });
				this.#cluster.controllers.changed(pod);
			}
		}
		this.#cluster.sentinels.lookSoon(machine);
	}

	/** A pod was deleted: the kubelet ends it, and then it is gone from the API. */
	stopping(pod: ApiPod, machine: Machine, graceMsOfPod: number): void {
		this.#after(Math.min(graceMsOfPod, this.#cluster.stopMs(pod)) + 300, () => this.stopped(pod, machine));
	}

	stopped(pod: ApiPod, machine: Machine): void {
		if (pod.gone || !this.reaches(machine) || this.#cluster.lingers(pod)) return;
		this.#cluster.pods.remove(pod);
		this.#cluster.controllers.changed(pod);
	}
}

/** New with every boot. */
function containerId(pod: ApiPod, machine: Machine): string {
	return `containerd://${pod.facts.uid}-${machine.boots}`;
}
