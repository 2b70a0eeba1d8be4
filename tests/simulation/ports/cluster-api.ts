// The Kubernetes port over the universe: the answers of the adapter above a real API server.
import { type NodeFacts, namespace, type PodFacts, type RebootPodRef, type SentinelPod } from "../../../lib/plan/model.ts";
import { rebootPodName } from "../../../lib/plan/step.ts";
import { CallError } from "../../../lib/tick/call-error.ts";
import type { ClusterApi, Connection, NodeEvent, NodePatch, PodRef, RebootPodSpec } from "../../../lib/tick/world.ts";
import type { Call } from "../calls.ts";
import type { SchedulerProcess } from "../processes.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { ApiPod } from "../universe/pods.ts";

type Asked<T> = Pick<Call<T>, "apply" | "told"> & { readonly target?: string };

export class SimulatedApi implements ClusterApi {
	readonly #process: SchedulerProcess;
	readonly #cluster: Cluster;
	/** ARM was asked how to reach the cluster, or it was remembered. */
	#connection: Connection | undefined;

	constructor(process: SchedulerProcess, cluster: Cluster, remembered: Connection | undefined) {
		this.#process = process;
		this.#cluster = cluster;
		this.#connection = remembered ?? (cluster.target.kind === "kubeconfig" ? { server: "", caData: "" } : undefined);
	}

	connection(): Connection | undefined {
		return this.#cluster.target.kind === "kubeconfig" ? undefined : this.#connection;
	}

	#read<T>(method: string, doing: string, asked: Asked<T>): Promise<T> {
		return this.#call(method, doing, false, asked);
	}

	#write<T>(method: string, doing: string, asked: Asked<T>): Promise<T> {
		return this.#call(method, doing, true, asked);
	}

	#call<T>(method: string, doing: string, write: boolean, asked: Asked<T>): Promise<T> {
		if (this.#connection !== undefined) return this.#send(method, doing, write, asked);
		return this.#connect(doing).then(() => this.#send(method, doing, write, asked));
	}

	#send<T>(method: string, doing: string, write: boolean, { target, apply, told }: Asked<T>): Promise<T> {
		const cluster = this.#cluster;
		if (write && !method.endsWith("DryRun")) cluster.emit({ kind: "sent", by: this.#process, cluster, method });
		return this.#process.calls.call(this.#process, {
			port: "kubernetes",
			method,
			target: target === undefined ? cluster.name : `${cluster.name}/${target}`,
			cluster: cluster.name,
			write,
			doing,
			apply: (late) => {
				const { powerState, absent } = cluster.arm;
				if (powerState !== "Running" || absent) throw new CallError({ failure: "unreachable", doing, answer: "no connection (ENOTFOUND)" });
				return apply(late);
			},
			told: told ?? fine,
		});
	}

	async #connect(doing: string): Promise<void> {
		const { name, arm } = this.#cluster;
		const asking = `asking ARM for a credential for ${doing}`;
		const apply = (): Connection => {
			if (arm.absent) throw new CallError({ failure: "notFound", doing: asking, answer: "404 ResourceNotFound", status: 404 });
			return { server: `https://${name}.example`, caData: "Y2E=" };
		};
		this.#connection = await this.#process.calls.call(this.#process, {
			port: "arm",
			method: "credential",
			target: name,
			cluster: name,
			write: false,
			doing: asking,
			apply,
			told: () => "a connection",
		});
	}

	listWaiting() {
		return this.#read("listWaiting", "listing waiting sentinels", {
			apply: () => {
				const sentinels: SentinelPod[] = [];
				const rebootPods: RebootPodRef[] = [];
				for (const { facts } of this.#cluster.pods.all()) {
					if (facts.sentinel?.asks === true) sentinels.push(facts.sentinel);
					if (facts.ours === "reboot") rebootPods.push({ name: facts.name, uid: facts.uid, node: facts.node });
				}
				return { sentinels, rebootPods };
			},
			told: ({ sentinels, rebootPods }) => [...sentinels.map((pod) => pod.node), ...rebootPods.map((pod) => pod.name)].join(" ") || "none",
		});
	}

	sentinelDaemonSet() {
		return this.#read("sentinelDaemonSet", "reading DaemonSet sentinel", {
			apply: () => {
				const found = this.#cluster.daemonSets.find((each) => each.sentinel && each.there);
				if (found === undefined) return "absent" as const;
				return { uid: found.uid, image: "sentinel@sha256:1", imagePullPolicy: "IfNotPresent", imagePullSecrets: [], ...this.#cluster.sentinelCounts() };
			},
			told: (found) => (found === "absent" ? "absent" : `${found.ready}/${found.desired}`),
		});
	}

	listCordoned() {
		return this.#read("listCordoned", "listing cordoned nodes", {
			apply: (): readonly NodeFacts[] => this.#cluster.nodes.all().flatMap((node) => (node.facts.unschedulable ? [node.facts] : [])),
			told: (nodes) => nodes.map((node) => node.name).join(" ") || "none",
		});
	}

	clusterUid() {
		return this.#read("clusterUid", "reading namespace kube-system", { apply: () => this.#cluster.uid });
	}

	owner() {
		return this.#read("owner", "reading Lease owner", {
			apply: () => this.#cluster.owner.seen(),
			told: (seen) => (seen.kind === "named" ? seen.holder : "absent"),
		});
	}

	claim(holder: string) {
		return this.#write("claim", "claiming Lease owner", {
			apply: (late) => {
				this.#cluster.owner.claim(holder);
				this.#cluster.emit({ kind: "claimed", by: this.#process, late, cluster: this.#cluster, holder });
			},
		});
	}

	listNodeMetadata() {
		return this.#read("listNodeMetadata", "listing the metadata of Linux nodes", {
			apply: () =>
				this.#cluster.nodes.all().map(({ facts: { name, uid, pool, systemPool, hold, virtual } }) => ({ name, uid, pool, systemPool, hold, virtual })),
			told: (nodes) => `${nodes.length} nodes`,
		});
	}

	node(name: string) {
		return this.#read("node", `reading node ${name}`, {
			target: name,
			apply: () => this.#cluster.nodes.get(name)?.facts ?? ("absent" as const),
			told: nodeTold,
		});
	}

	podsOn(node: string, selector: string | null) {
		return this.#read("podsOn", `listing pods on node ${node}`, {
			target: node,
			apply: (): readonly PodFacts[] =>
				this.#cluster.pods.on(node).map((pod) => (selector === null || pod.labelled ? pod.facts : { ...pod.facts, selected: false })),
			told: (pods) => `${pods.length} pods`,
		});
	}

	listDaemonSets() {
		return this.#read("listDaemonSets", "listing DaemonSets", {
			apply: () => this.#cluster.daemonSets.flatMap(({ there, namespace: of, name, uid }) => (there ? [{ namespace: of, name, uid }] : [])),
			told: (found) => String(found.length),
		});
	}

	patchNode(patch: NodePatch) {
		return this.#write("patchNode", `patching node ${patch.name}`, {
			target: patch.name,
			apply: (late) => {
				const { node, before } = this.#cluster.nodes.patch(patch, this.#cluster.calls.now, this.#process.us);
				if (before.facts.unschedulable && !node.facts.unschedulable) this.#cluster.controllers.roomChanged();
				this.#cluster.emit({ kind: "nodePatched", by: this.#process, late, cluster: this.#cluster, node, before, patch });
			},
			told: () => patchTold(patch),
		});
	}

	evict(pod: PodRef, { gracePeriodSeconds, dryRun }: { readonly gracePeriodSeconds: number | null; readonly dryRun: boolean }) {
		return this.#write(dryRun ? "evictDryRun" : "evict", `evicting pod ${pod.namespace}/${pod.name}`, {
			target: `${pod.namespace}/${pod.name}`,
			apply: (late) => {
				const { answer, pod: found, deletes } = this.#cluster.pods.eviction(pod, { gracePeriodSeconds, dryRun });
				if (found !== null && deletes !== "no") {
					this.#cluster.terminate(found, deletes === "atOnce" ? 0 : gracePeriodSeconds);
					this.#cluster.emit({ kind: "podEvicted", by: this.#process, late, cluster: this.#cluster, pod: found });
				}
				return answer;
			},
			told: (answer) => answer.kind,
		});
	}

	deletePod(ref: PodRef, { gracePeriodSeconds }: { readonly gracePeriodSeconds: number | null }) {
		return this.#write("deletePod", `deleting pod ${ref.namespace}/${ref.name}`, {
			target: `${ref.namespace}/${ref.name}`,
			apply: (late) => this.#delete(ref, gracePeriodSeconds, late),
		});
	}

	deleteRebootPod(pod: { readonly name: string; readonly uid: string }) {
		return this.#write("deleteRebootPod", `deleting pod ${namespace}/${pod.name}`, {
			target: pod.name,
			apply: (late) => this.#delete({ namespace, ...pod }, 0, late),
		});
	}

	/** By UID: one that is gone, or another of that name, is no error. */
	#delete(ref: PodRef, gracePeriodSeconds: number | null, late: boolean): void {
		const pod = this.#cluster.pods.named(ref.namespace, ref.name);
		if (pod === undefined || pod.facts.uid !== ref.uid) return;
		this.#cluster.terminate(pod, gracePeriodSeconds);
		this.#cluster.emit({ kind: "podDeleted", by: this.#process, late, cluster: this.#cluster, pod });
	}

	createRebootPod(spec: RebootPodSpec, { dryRun }: { readonly dryRun: boolean }) {
		const name = rebootPodName(spec.bootId, spec.ask);
		const doing = `creating reboot pod ${name} on node ${spec.node}`;
		return this.#write(dryRun ? "createRebootPodDryRun" : "createRebootPod", doing, {
			target: spec.node,
			apply: (late) => {
				if (!this.#cluster.owner.namespaceThere) throw new CallError({ failure: "notFound", doing, answer: "404 NotFound: namespaces not found", status: 404 });
				const found = this.#cluster.pods.named(namespace, name);
				if (found !== undefined && !dryRun && !asksTheSame(found, spec)) {
					throw new CallError({
						failure: "conflict",
						doing,
						answer: "a pod of that name exists for another node, boot or interval, or is being deleted",
						status: 409,
					});
				}
				if (dryRun || found !== undefined) return;
				this.#create(name, spec, late);
			},
			told: () => `boot ${spec.bootId} ask ${spec.ask}`,
		});
	}

	/** Given up by its caller after its time limit: what hangs here hangs on. */
	createEvent(event: NodeEvent) {
		return this.#write("createEvent", `creating an event about node ${event.node}`, {
			target: event.node,
			apply: () => this.#cluster.emit({ kind: "eventCreated", by: this.#process, cluster: this.#cluster, event }),
			told: () => event.reason,
		});
	}

	#create(name: string, spec: RebootPodSpec, late: boolean): void {
		const cluster = this.#cluster;
		const node = cluster.nodes.get(spec.node) ?? null;
		cluster.emit({ kind: "rebootPodCreated", by: this.#process, late, cluster, spec, node });
		// A pod for a node that is not there stays Pending until the garbage collector finds it.
		if (node === null) return;
		const facts = { namespace, name, controller: null, emptyDir: false, toleratesCordon: true, ours: "reboot" as const };
		cluster.controllers.bind(facts, node, { kind: "reboot", spec }, { running: false, labelled: false });
	}
}

function fine(): string {
	return "ok";
}

function asksTheSame(pod: ApiPod, spec: RebootPodSpec): boolean {
	if (pod.owner.kind !== "reboot" || pod.facts.deletionAt !== null) return false;
	const { node, bootId, notBefore, notAfter } = pod.owner.spec;
	return node === spec.node && bootId === spec.bootId && notBefore === spec.notBefore && notAfter === spec.notAfter;
}

function nodeTold(node: NodeFacts | "absent"): string {
	if (node === "absent") return node;
	const { ready, unschedulable, mark, bootId, resourceVersion } = node;
	return `v${resourceVersion} ${bootId.slice(-7)}${ready ? "" : " notReady"}${unschedulable ? " cordoned" : ""}${mark.kind === "none" ? "" : ` ${mark.kind}`}`;
}

function patchTold({ unschedulable, mark, resourceVersion }: NodePatch): string {
	const parts = [
		`v${resourceVersion}`,
		unschedulable === undefined ? "" : unschedulable ? "cordon" : "uncordon",
		mark === undefined ? "" : mark === null ? "unmark" : `mark ${mark.record}${mark.askedAt === undefined ? "" : " asked"}`,
	];
	return parts.filter((part) => part !== "").join(" ");
}
