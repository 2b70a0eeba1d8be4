// The Kubernetes API of one cluster, as the port wants it: bounded calls, answers reduced to facts, failures as CallError.
import { setHeaderOptions, type V1Lease, type V1Node, type V1ObjectMeta, type V1Pod } from "@kubernetes/client-node";
import { type DaemonSetRef, fieldManager, type NodeFacts, namespace, type OwnerSeen, type PodFacts, type SentinelDaemonSet } from "../plan/model.ts";
import { rebootPodName } from "../plan/step.ts";
import { CallError } from "../tick/call-error.ts";
import type { ClusterApi, Connection, EvictionAnswer, NodeEvent, NodePatch, PodRef, RebootPodSpec } from "../tick/world.ts";
import type { CredentialSource } from "./credentials.ts";
import { ofKind, required } from "./errors.ts";
import { eventOf, eventsNamespace } from "./events.ts";
import { type EvictionOptions, evict } from "./evictions.ts";
import { nodeFacts, nodeMetadata, nodePatchBody } from "./nodes.ts";
import { listPages } from "./pages.ts";
import { podFacts, waitingPod, waitingSelector } from "./pods.ts";
import { asksTheSame, rebootPod } from "./reboot-pod.ts";
import { sentinelDaemonSet, sentinelName } from "./sentinel.ts";
import { mergePatch, Session, type SessionOptions } from "./session.ts";

const ownerLease = "owner";

/** Connects when first used. */
export function openCluster(source: CredentialSource, options: SessionOptions): ClusterApi {
	return new Cluster(source, options);
}

/** Objects without spec and status (an API server that cannot leave them out sends them whole). */
const metadataOnly = () => setHeaderOptions("Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json");

class Cluster implements ClusterApi {
	readonly #source: CredentialSource;
	readonly #session: Session;

	constructor(source: CredentialSource, options: SessionOptions) {
		this.#source = source;
		this.#session = new Session(source, options);
	}

	connection(): Connection | undefined {
		return this.#source.connection();
	}

	async listWaiting() {
		const found = await listPages(this.#session, {
			doing: "listing sentinel pods that wait",
			kinds: ["PodList"],
			fetchPage: ({ core }, page) => core.listNamespacedPod({ namespace, labelSelector: waitingSelector, ...page }),
			reduce: waitingPod,
		});
		return {
			sentinels: found.flatMap((each) => (each.kind === "sentinel" ? [each.pod] : [])),
			rebootPods: found.flatMap((each) => (each.kind === "reboot" ? [each.pod] : [])),
		};
	}

	async sentinelDaemonSet(): Promise<SentinelDaemonSet | "absent"> {
		return orAbsent(
			this.#session.read("reading the sentinel DaemonSet", async ({ apps }) =>
				sentinelDaemonSet(ofKind(await apps.readNamespacedDaemonSet({ name: sentinelName, namespace }), "DaemonSet")),
			),
		);
	}

	listCordoned(): Promise<readonly NodeFacts[]> {
		return listPages<V1Node, NodeFacts>(this.#session, {
			doing: "listing cordoned nodes",
			kinds: ["NodeList"],
			fetchPage: ({ core }, page) => core.listNode({ fieldSelector: "spec.unschedulable=true", ...page }),
			reduce: nodeFacts,
		});
	}

	clusterUid(): Promise<string> {
		return this.#session.read("reading namespace kube-system", async ({ core }) => {
			const found = ofKind(await core.readNamespace({ name: "kube-system" }), "Namespace");
			return required(found.metadata?.uid, "the UID of namespace kube-system");
		});
	}

	async owner(): Promise<OwnerSeen> {
		const lease = await this.#lease();
		const holder = lease === "absent" ? "" : holderOf(lease);
		return holder === "" ? { kind: "absent" } : { kind: "named", holder };
	}

	async claim(holder: string): Promise<void> {
		const doing = `claiming Lease ${namespace}/${ownerLease}`;
		const body: V1Lease = {
			apiVersion: "coordination.k8s.io/v1",
			kind: "Lease",
			metadata: { name: ownerLease, namespace },
			spec: { holderIdentity: holder },
		};
		try {
			await this.#session.write(doing, async ({ coordination }) =>
				ofKind(await coordination.createNamespacedLease({ namespace, body, fieldManager }), "Lease"),
			);
		} catch (error) {
			if (!hasFailure(error, "conflict") || !(await this.#claimUnowned(doing, holder))) throw error;
		}
	}

	/** A Lease that names nobody is nobody's: it is taken over as it was read. False when it names somebody. */
	async #claimUnowned(doing: string, holder: string): Promise<boolean> {
		const lease = await this.#lease();
		// Ours already: an answer that was lost on the way.
		if (lease !== "absent" && holderOf(lease) === holder) return true;
		if (lease === "absent" || holderOf(lease) !== "") return false;
		const body: V1Lease = { ...lease, spec: { ...lease.spec, holderIdentity: holder } };
		await this.#session.write(doing, async ({ coordination }) =>
			ofKind(await coordination.replaceNamespacedLease({ name: ownerLease, namespace, body, fieldManager }), "Lease"),
		);
		return true;
	}

	#lease(): Promise<V1Lease | "absent"> {
		return orAbsent(
			this.#session.read(`reading Lease ${namespace}/${ownerLease}`, async ({ coordination }) =>
				ofKind(await coordination.readNamespacedLease({ name: ownerLease, namespace }), "Lease"),
			),
		);
	}

	listNodeMetadata() {
		return listPages<{ metadata?: V1ObjectMeta }, ReturnType<typeof nodeMetadata>>(this.#session, {
			doing: "listing the metadata of Linux nodes",
			kinds: ["PartialObjectMetadataList", "NodeList"],
			fetchPage: ({ core }, page) => core.listNode({ labelSelector: "kubernetes.io/os=linux", ...page }, metadataOnly()),
			reduce: (node) => nodeMetadata(required(node.metadata, "a node's metadata")),
		});
	}

	node(name: string): Promise<NodeFacts | "absent"> {
		return orAbsent(this.#session.read(`reading node ${name}`, async ({ core }) => nodeFacts(ofKind(await core.readNode({ name }), "Node"))));
	}

	async podsOn(node: string, selector: string | null): Promise<readonly PodFacts[]> {
		const fieldSelector = `spec.nodeName=${node}`;
		const pods = await listPages<V1Pod, PodFacts>(this.#session, {
			doing: `listing pods on node ${node}`,
			kinds: ["PodList"],
			fetchPage: ({ core }, page) => core.listPodForAllNamespaces({ fieldSelector, ...page }),
			reduce: (pod) => podFacts(pod, selector === null),
		});
		if (selector === null) return pods;
		// Listed after the pods: one that comes in between must not count as not selected.
		const selected = new Set(await this.#uidsOf(node, fieldSelector, selector));
		return pods.map((pod) => ({ ...pod, selected: selected.has(pod.uid) }));
	}

	#uidsOf(node: string, fieldSelector: string, labelSelector: string): Promise<readonly string[]> {
		return listPages<{ metadata?: V1ObjectMeta }, string>(this.#session, {
			doing: `listing pods on node ${node} that match ${labelSelector}`,
			kinds: ["PartialObjectMetadataList", "PodList"],
			fetchPage: ({ core }, page) => core.listPodForAllNamespaces({ fieldSelector, labelSelector, ...page }, metadataOnly()),
			reduce: (pod) => required(pod.metadata?.uid, "a pod's UID"),
		});
	}

	listDaemonSets(): Promise<readonly DaemonSetRef[]> {
		return listPages<{ metadata?: V1ObjectMeta }, DaemonSetRef>(this.#session, {
			doing: "listing DaemonSets",
			kinds: ["PartialObjectMetadataList", "DaemonSetList"],
			fetchPage: ({ apps }, page) => apps.listDaemonSetForAllNamespaces(page, metadataOnly()),
			reduce: ({ metadata }) => ({
				namespace: required(metadata?.namespace, "a DaemonSet's namespace"),
				name: required(metadata?.name, "a DaemonSet's name"),
				uid: required(metadata?.uid, "a DaemonSet's UID"),
			}),
		});
	}

	async patchNode(patch: NodePatch): Promise<void> {
		await this.#session.write(`patching node ${patch.name}`, async ({ core }) =>
			ofKind(await core.patchNode({ name: patch.name, body: nodePatchBody(patch), fieldManager }, mergePatch()), "Node"),
		);
	}

	evict(pod: PodRef, options: EvictionOptions): Promise<EvictionAnswer> {
		return evict(this.#session, pod, options);
	}

	deletePod(pod: PodRef, options: { readonly gracePeriodSeconds: number | null }): Promise<void> {
		const { gracePeriodSeconds } = options;
		return this.#delete(pod, gracePeriodSeconds === null ? {} : { gracePeriodSeconds });
	}

	/** With the default grace it would linger while its kubelet is away, and run when that comes back. */
	deleteRebootPod(pod: { readonly name: string; readonly uid: string }): Promise<void> {
		return this.#delete({ namespace, ...pod }, { gracePeriodSeconds: 0 });
	}

	/** By UID; one that is gone, or another of that name, is no error: ours has left. */
	async #delete(pod: PodRef, options: { readonly gracePeriodSeconds?: number }): Promise<void> {
		try {
			await this.#session.write(`deleting pod ${pod.namespace}/${pod.name}`, async ({ core }) =>
				ofKind(
					await core.deleteNamespacedPod({ name: pod.name, namespace: pod.namespace, body: { preconditions: { uid: pod.uid }, ...options } }),
					"Pod",
					"Status",
				),
			);
		} catch (error) {
			if (!hasFailure(error, "notFound") && !hasFailure(error, "conflict")) throw error;
		}
	}

	async createRebootPod(spec: RebootPodSpec, options: { readonly dryRun: boolean }): Promise<void> {
		const body = rebootPod(spec);
		const doing = `creating reboot pod ${rebootPodName(spec.bootId, spec.ask)} on node ${spec.node}${options.dryRun ? " (dry run)" : ""}`;
		try {
			await this.#session.write(doing, async ({ core }) =>
				ofKind(await core.createNamespacedPod({ namespace, body, fieldManager, ...(options.dryRun ? { dryRun: "All" } : {}) }), "Pod"),
			);
		} catch (error) {
			if (!hasFailure(error, "conflict")) throw error;
			await this.#assertSameAsk(doing, spec, error);
		}
	}

	async createEvent(event: NodeEvent, aborted: AbortSignal): Promise<void> {
		const request = { namespace: eventsNamespace, body: eventOf(event), fieldManager };
		try {
			await this.#session.write(`creating an event about node ${event.node}`, async ({ eventsUntil }) =>
				ofKind(await eventsUntil(aborted).createNamespacedEvent(request), "Event"),
			);
		} catch (error) {
			if (!hasFailure(error, "conflict")) throw error;
		}
	}

	/** A pod of that name that asks for something else must not pass for this ask. */
	async #assertSameAsk(doing: string, spec: RebootPodSpec, conflict: CallError): Promise<void> {
		const name = rebootPodName(spec.bootId, spec.ask);
		const found = await orAbsent(this.#session.read(doing, async ({ core }) => ofKind(await core.readNamespacedPod({ name, namespace }), "Pod")));
		// Gone again since: the refusal stands, and the next look asks anew.
		if (found === "absent") throw conflict;
		if (asksTheSame(found, spec)) return;
		const answer = "a pod of that name exists for another node, boot or interval, or is being deleted";
		throw new CallError({ failure: "conflict", doing, answer, status: conflict.status });
	}
}

function holderOf(lease: V1Lease): string {
	return lease.spec?.holderIdentity ?? "";
}

function hasFailure(error: unknown, failure: CallError["failure"]): error is CallError {
	return error instanceof CallError && error.failure === failure;
}

/** The API server's own 404, and nothing else, says that the object is not there. */
async function orAbsent<T>(promise: Promise<T>): Promise<T | "absent"> {
	try {
		return await promise;
	} catch (error) {
		if (hasFailure(error, "notFound")) return "absent";
		throw error;
	}
}
