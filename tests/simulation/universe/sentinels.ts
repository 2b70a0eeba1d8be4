// Sentinels: each looks at its machine once a minute and says what it saw on its own pod.
import type { SentinelPod } from "../../../lib/plan/model.ts";
import type { Cluster } from "./cluster.ts";
import type { Machine } from "./kubelets.ts";
import type { ApiNode } from "./nodes.ts";
import type { ApiPod } from "./pods.ts";

const everyMs = 60_000;

export class Sentinels {
	readonly #cluster: Cluster;
	readonly #due = new Set<Machine>();

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
	}

	/** What a new pod says: nothing, unless it has been there for long. */
	firstWord(node: ApiNode, podName: string, running: boolean): SentinelPod {
		const { machine } = node;
		const base = { node: node.facts.name, podName, deleting: false };
		if (!running) return { ...base, ready: false, asks: false, report: { kind: "none" } };
		this.#said(node, machine.needsReboot);
		return { ...base, ready: true, asks: machine.needsReboot, report: { kind: "report", report: this.#report(machine) } };
	}

	#report(machine: Machine) {
		const packages = machine.needsReboot ? ["linux-image-generic"] : [];
		return {
			bootId: machine.bootId,
			since: machine.needsSince === null ? null : Math.floor(machine.needsSince / 1000) * 1000,
			kernelVersion: `6.8.${machine.boots}`,
			packages,
		};
	}

	/** Something has changed that its next look will find. */
	lookSoon(machine: Machine): void {
		if (this.#due.has(machine)) return;
		this.#due.add(machine);
		this.#cluster.calls.after(this.#cluster.chance.between(`sentinel ${machine.node}`, 1_000, everyMs), () => {
			this.#due.delete(machine);
			this.#look(machine);
		});
	}

	/** It falls silent for a while: its pod is not ready, and what it said last stays written there. */
	silence(machine: Machine, forMs: number): void {
		machine.silentUntil = Math.max(machine.silentUntil, this.#cluster.calls.now + forMs);
		const pod = this.#podOf(machine);
		if (pod?.facts.sentinel) {
			this.#say(pod, { ...pod.facts.sentinel, ready: false });
			this.fellSilent(this.#cluster.kubelets.nodeOf(machine));
		}
		this.#cluster.calls.at(machine.silentUntil, () => this.lookSoon(machine));
	}

	/** What it said last is not its word any more. */
	fellSilent(node: ApiNode | undefined): void {
		if (node?.saidNoNeed) node.saidNoNeed = { ...node.saidNoNeed, until: node.saidNoNeed.until ?? this.#cluster.calls.now };
	}

	/** What it says cannot be read, until it looks again. */
	garble(machine: Machine): void {
		const pod = this.#podOf(machine);
		if (pod?.facts.sentinel) this.#say(pod, { ...pod.facts.sentinel, report: { kind: "garbled", why: "no JSON" } });
	}

	#look(machine: Machine): void {
		const pod = this.#podOf(machine);
		if (pod === undefined || !pod.facts.sentinel || machine.gone) return;
		const { now } = this.#cluster.calls;
		const runs = pod.facts.phase === "Running" && pod.runsIn === machine.bootId;
		if (!runs || machine.silentUntil > now || !this.#cluster.kubelets.reaches(machine)) {
			this.lookSoon(machine);
			return;
		}
		const node = this.#cluster.kubelets.nodeOf(machine);
		if (node !== undefined) this.#said(node, machine.needsReboot);
		this.#say(pod, { ...pod.facts.sentinel, ready: true, asks: machine.needsReboot, report: { kind: "report", report: this.#report(machine) } });
	}

	#said(node: ApiNode, needed: boolean): void {
		const { bootId } = node.machine;
		const { now } = this.#cluster.calls;
		if (needed) {
			node.saidNeed = { bootId, until: null };
			this.fellSilent(node);
		} else {
			node.saidNoNeed = { bootId, at: now, until: null };
			if (node.saidNeed !== null) node.saidNeed = { bootId: node.saidNeed.bootId, until: node.saidNeed.until ?? now };
		}
	}

	#say(pod: ApiPod, sentinel: SentinelPod): void {
		this.#cluster.pods.change(pod, { sentinel, ready: sentinel.ready });
		this.#cluster.note(sentinel.node, `sentinel ${sentinel.ready ? (sentinel.asks ? "asks for a reboot" : "does not ask") : "is silent"}`);
	}

	#podOf(machine: Machine): ApiPod | undefined {
		if (this.#cluster.kubelets.nodeOf(machine) === undefined) return undefined;
		return this.#cluster.pods.on(machine.node).find((pod) => pod.facts.ours === "sentinel" && pod.facts.deletionAt === null);
	}
}
