// Pods of a node that drains, each with its traits: every combination of those that kubectl's filters look at, and seeded ones. No kubelet
// and no controller has a hand in them: what they are is what was written.
import fc from "fast-check";
import type { ApiServer } from "../api-server.ts";
import type { KubeObject } from "./api-client.ts";

/** Who controls a pod. Those of a DaemonSet: there; of that name, but made anew since; gone; there in another namespace only. */
export const owners = [
	"none",
	"replicaSet",
	"statefulSet",
	"job",
	"customKind",
	"daemonSet",
	"daemonSetMadeAnew",
	"daemonSetGone",
	"daemonSetElsewhere",
	"daemonSetOfAnotherGroup",
	"ownerThatIsNoController",
] as const;
export type Owner = (typeof owners)[number];

export const phases = ["Pending", "Running", "Succeeded", "Failed", "Unknown"] as const;
/** Whether it is terminating: no; until an hour from now; since some seconds, kept by a finalizer. */
export const endings = ["no", "soon", "longAgo"] as const;

export interface Traits {
	readonly owner: Owner;
	readonly phase: (typeof phases)[number];
	readonly ends: (typeof endings)[number];
	readonly mirror: boolean;
	readonly volume: "none" | "emptyDir" | "memory" | "hostPath";
	readonly tier: "web" | "db" | null;
	readonly toleratesCordon: boolean;
	readonly critical: boolean;
}

export interface Population {
	/** Of its namespace and its node. */
	readonly name: string;
	/** In the order of their names: `pod-0`, `pod-1` … */
	readonly pods: readonly Traits[];
}

export function podName(index: number): string {
	return `pod-${index}`;
}

/** Every owner beside the others, in each phase, terminating or not, and as mirror pods. What decides nothing under our flags goes round. */
export const chosenPopulations: readonly Population[] = phases.flatMap((phase) =>
	endings.flatMap((ends) =>
		(phase === "Running" ? [false, true] : [false]).map((mirror) => ({
			name: `${phase.toLowerCase()}-ends-${ends.toLowerCase()}${mirror ? "-mirror" : ""}`,
			pods: owners.map((owner, i) => {
				const volume = (["none", "emptyDir", "memory", "hostPath"] as const)[(i + endings.indexOf(ends)) % 4] ?? "none";
				return { owner, phase, ends, mirror, volume, tier: i % 2 === 0 ? "web" : "db", toleratesCordon: i % 3 === 0, critical: i % 5 === 0 } as const;
			}),
		})),
	),
);

export const traits: fc.Arbitrary<Traits> = fc.record({
	owner: fc.constantFrom(...owners),
	phase: fc.constantFrom(...phases),
	ends: fc.constantFrom(...endings, "no", "no"),
	mirror: fc.constantFrom(false, false, false, false, true),
	volume: fc.constantFrom("none", "emptyDir", "memory", "hostPath"),
	tier: fc.constantFrom("web", "db", null),
	toleratesCordon: fc.boolean(),
	critical: fc.boolean(),
});

/** By fast-check's seed, so the same ones for the same commit. */
export function seededPopulations(count: number): readonly Population[] {
	const samples = fc.sample(fc.array(traits, { minLength: 0, maxLength: 8 }), count);
	return samples.map((pods, i) => ({ name: `seeded-${i}`, pods }));
}

/** Node, namespace and pods of a population, as a cluster would have them. */
export async function create(server: ApiServer, { name, pods }: Population): Promise<void> {
	const { api } = server;
	const node = { apiVersion: "v1", kind: "Node", metadata: { name, labels: { "kubernetes.io/os": "linux" } } };
	const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
	await Promise.all([api.post("/api/v1/nodes", node), api.post("/api/v1/namespaces", namespace)]);
	const { metadata } = await createDaemonSet(server, name, "agent");
	for (const [index, each] of pods.entries()) await createPod(server, { namespace: name, node: name, name: podName(index) }, each, metadata.uid);
}

/** No node is one of its own: its pods are written here, and by nobody else. */
export function createDaemonSet(server: ApiServer, namespace: string, name: string): Promise<KubeObject> {
	const labels = { app: name };
	const template = { metadata: { labels }, spec: { containers: [container], nodeSelector: { "tests/none": "" } } };
	const body = { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name, namespace }, spec: { selector: { matchLabels: labels }, template } };
	return server.api.post(`/apis/apps/v1/namespaces/${namespace}/daemonsets`, body);
}

const container = { name: "main", image: "registry.test/app:1" };

export interface PodPlace {
	readonly namespace: string;
	readonly node: string;
	readonly name: string;
}

/** `daemonSetUid`: of the DaemonSet `agent` of its namespace. */
export async function createPod({ api }: ApiServer, place: PodPlace, each: Traits, daemonSetUid: string): Promise<void> {
	const path = `/api/v1/namespaces/${place.namespace}/pods`;
	await api.post(path, podManifest(place, each, daemonSetUid));
	// Before it has its phase: a pod that finished would be given no grace.
	if (each.ends !== "no") await api.delete(`${path}/${place.name}`, { gracePeriodSeconds: each.ends === "soon" ? 3_600 : 0 });
	if (each.phase !== "Pending") await api.patch(`${path}/${place.name}/status`, { status: { phase: each.phase } });
}

/** `ends` and `phase` are not of it: what happens to a pod makes them. */
export function podManifest({ namespace, node, name }: PodPlace, each: Traits, daemonSetUid: string) {
	const volumes = { none: [], emptyDir: [{ emptyDir: {} }], memory: [{ emptyDir: { medium: "Memory" } }], hostPath: [{ hostPath: { path: "/var/run" } }] };
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name,
			namespace,
			labels: each.tier === null ? {} : { tier: each.tier },
			annotations: each.mirror ? { "kubernetes.io/config.mirror": "b5e2" } : {},
			ownerReferences: ownerReferences(each.owner, daemonSetUid),
			finalizers: each.ends === "no" ? [] : ["tests/stays"],
		},
		spec: {
			nodeName: node,
			containers: [container],
			volumes: volumes[each.volume].map((volume) => ({ name: "data", ...volume })),
			...(each.toleratesCordon ? { tolerations: [{ key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" }] } : {}),
			...(each.critical ? { priorityClassName: "system-node-critical" } : {}),
		},
	};
}

/** A DaemonSet of this name is in namespace `default` alone. */
export const daemonSetElsewhere = "elsewhere";

function ownerReferences(owner: Owner, daemonSetUid: string): readonly object[] {
	const reference = (apiVersion: string, kind: string, name: string, uid = "00000000-0000-4000-8000-000000000000", controller = true) => {
		return [{ apiVersion, kind, name, uid, controller }];
	};
	switch (owner) {
		case "none":
			return [];
		case "replicaSet":
			return reference("apps/v1", "ReplicaSet", "web-5d9c");
		case "statefulSet":
			return reference("apps/v1", "StatefulSet", "db");
		case "job":
			return reference("batch/v1", "Job", "nightly");
		case "customKind":
			return reference("example.com/v1", "Game", "lobby");
		case "daemonSet":
			return reference("apps/v1", "DaemonSet", "agent", daemonSetUid);
		case "daemonSetMadeAnew":
			return reference("apps/v1", "DaemonSet", "agent");
		case "daemonSetGone":
			return reference("apps/v1", "DaemonSet", "gone");
		case "daemonSetElsewhere":
			return reference("apps/v1", "DaemonSet", daemonSetElsewhere);
		case "daemonSetOfAnotherGroup":
			return reference("apps.kruise.io/v1alpha1", "DaemonSet", "agent");
		case "ownerThatIsNoController":
			return reference("apps/v1", "ReplicaSet", "web-5d9c", undefined, false);
	}
}
