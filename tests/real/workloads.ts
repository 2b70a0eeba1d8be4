// Manifests that tests put on a cluster, and how they get there. What simulated kubelets do with their pods is told by annotations.
import { resolve } from "node:path";
import { rebootCommand } from "../../lib/kubernetes/reboot-pod.ts";
import type { ApiClient } from "./api-client.ts";
import type { ControlPlane } from "./control-plane.ts";
import { podAnnotations } from "./kubelet-settings.ts";

export interface Manifest {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
	readonly [field: string]: unknown;
}

/** How the pods of a workload behave; milliseconds, or `never`. */
export interface PodOptions {
	readonly namespace?: string;
	readonly startMs?: number;
	readonly readyMs?: number | "never";
	readonly stopMs?: number | "never";
	readonly exit?: { readonly ms: number; readonly code: number };
	readonly graceSeconds?: number;
	readonly tolerateAll?: boolean;
	readonly emptyDir?: boolean;
	readonly nodeSelector?: Readonly<Record<string, string>>;
	readonly image?: string;
	/** More labels of the pods. */
	readonly labels?: Readonly<Record<string, string>>;
}

export interface BudgetOptions {
	readonly minAvailable?: number | string;
	readonly maxUnavailable?: number | string;
}

const collections: Readonly<Record<string, { path: string; namespaced: boolean }>> = {
	Namespace: { path: "/api/v1/namespaces", namespaced: false },
	Node: { path: "/api/v1/nodes", namespaced: false },
	Pod: { path: "/api/v1", namespaced: true },
	ServiceAccount: { path: "/api/v1", namespaced: true },
	ConfigMap: { path: "/api/v1", namespaced: true },
	Deployment: { path: "/apis/apps/v1", namespaced: true },
	StatefulSet: { path: "/apis/apps/v1", namespaced: true },
	DaemonSet: { path: "/apis/apps/v1", namespaced: true },
	PodDisruptionBudget: { path: "/apis/policy/v1", namespaced: true },
	ClusterRole: { path: "/apis/rbac.authorization.k8s.io/v1/clusterroles", namespaced: false },
	ClusterRoleBinding: { path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", namespaced: false },
	ValidatingAdmissionPolicy: { path: "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", namespaced: false },
	ValidatingAdmissionPolicyBinding: { path: "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings", namespaced: false },
	Role: { path: "/apis/rbac.authorization.k8s.io/v1", namespaced: true },
	RoleBinding: { path: "/apis/rbac.authorization.k8s.io/v1", namespaced: true },
};

/** Path of the collection that an object belongs to. */
function collectionOf(manifest: Manifest): string {
	const collection = collections[manifest.kind];
	if (collection === undefined) throw new Error(`applying ${manifest.kind} ${manifest.metadata.name}: expected one of ${Object.keys(collections).join(", ")}`);
	if (!collection.namespaced) return collection.path;
	return `${collection.path}/namespaces/${manifest.metadata.namespace ?? "default"}/${manifest.kind.toLowerCase()}s`;
}

/** Server-side apply, in order. */
export async function apply(api: ApiClient, ...manifests: readonly (Manifest | readonly Manifest[])[]): Promise<void> {
	for (const manifest of manifests.flat()) {
		await api.patch(`${collectionOf(manifest as Manifest)}/${(manifest as Manifest).metadata.name}?fieldManager=tests&force=true`, manifest, "apply");
	}
}

export function namespaceNamed(name: string): Manifest {
	return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

/** Stays Terminating after its deletion until somebody removes the finalizer of its config map. */
export function namespaceWithFinalizer(name: string): Manifest[] {
	const stays = { name: "stays", namespace: name, finalizers: ["tests/stays"] };
	return [namespaceNamed(name), { apiVersion: "v1", kind: "ConfigMap", metadata: stays }];
}

/** `budget`: its PodDisruptionBudget of the same name, if any. */
export function deployment(name: string, replicas: number, options: PodOptions & { readonly budget?: BudgetOptions } = {}): Manifest[] {
	const spec = { replicas, selector: { matchLabels: { app: name } }, template: template(name, options) };
	const manifest: Manifest = { apiVersion: "apps/v1", kind: "Deployment", metadata: metadata(name, options), spec };
	return options.budget === undefined ? [manifest] : [manifest, budget(name, options.budget, options.namespace)];
}

export function statefulSet(name: string, replicas: number, options: PodOptions & { readonly budget?: BudgetOptions } = {}): Manifest[] {
	const spec = { replicas, serviceName: name, selector: { matchLabels: { app: name } }, template: template(name, options) };
	const manifest: Manifest = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: metadata(name, options), spec };
	return options.budget === undefined ? [manifest] : [manifest, budget(name, options.budget, options.namespace)];
}

/** Its pods tolerate everything, as those of real node agents do. */
export function daemonSet(name: string, options: PodOptions = {}): Manifest {
	const spec = { selector: { matchLabels: { app: name } }, template: template(name, { tolerateAll: true, ...options }) };
	return { apiVersion: "apps/v1", kind: "DaemonSet", metadata: metadata(name, options), spec };
}

/** Its containers end soon after their start, again and again. */
export function failingDaemonSet(name: string, options: PodOptions = {}): Manifest {
	return daemonSet(name, { readyMs: "never", exit: { ms: 300, code: 1 }, ...options });
}

export function neverReadyDaemonSet(name: string, options: PodOptions = {}): Manifest {
	return daemonSet(name, { readyMs: "never", ...options });
}

/** The cordon does not keep its pods away: evicting one brings a successor to the same node. */
export function deploymentThatToleratesAll(name: string, replicas: number, options: PodOptions & { readonly node?: string } = {}): Manifest[] {
	const nodeSelector = options.node === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": options.node } };
	return deployment(name, replicas, { ...options, ...nodeSelector, tolerateAll: true });
}

export function budget(name: string, options: BudgetOptions, namespace = "default", app = name): Manifest {
	const spec = { ...options, selector: { matchLabels: { app } } };
	return { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name, namespace }, spec };
}

/** A pod without a controller. `node`: bound there at once, past the scheduler. */
export function barePod(name: string, options: PodOptions & { readonly node?: string } = {}): Manifest {
	const { metadata: own, spec } = template(name, options);
	const nodeName = options.node === undefined ? {} : { nodeName: options.node };
	return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata(name, options), ...own }, spec: { ...spec, ...nodeName } };
}

/** Ends soon after its start, Succeeded or Failed, and stays. */
export function finishedPod(name: string, code: number, options: PodOptions & { readonly node?: string } = {}): Manifest {
	const pod = barePod(name, { exit: { ms: 50, code }, ...options });
	return { ...pod, spec: { ...(pod.spec as object), restartPolicy: "Never" } };
}

export interface RebootPodOptions {
	readonly node: string;
	readonly bootId: string;
	/** Seconds since the epoch. */
	readonly notBefore: number;
	readonly notAfter: number;
	readonly name?: string;
	readonly image?: string;
	/** Null: AppArmor's default profile, under which the signal is denied. */
	readonly appArmor?: "Unconfined" | null;
}

/** A reboot pod made by hand, to the scheduler's contract. */
export function rebootPod(options: RebootPodOptions): Manifest {
	const env = { BOOT_ID: options.bootId, NOT_BEFORE: String(options.notBefore), NOT_AFTER: String(options.notAfter) };
	const appArmorProfile = options.appArmor === null ? {} : { appArmorProfile: { type: options.appArmor ?? "Unconfined" } };
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name: options.name ?? `reboot-${options.bootId}-1`,
			namespace: "aks-reboot-scheduler",
			labels: { app: "reboot", "aks-reboot-scheduler/reboot-required": "asked" },
		},
		spec: {
			nodeName: options.node,
			hostPID: true,
			restartPolicy: "Never",
			tolerations: [{ operator: "Exists" }],
			containers: [
				{
					name: "reboot",
					image: options.image ?? "registry.test/sentinel:1",
					command: ["/bin/sh", "-c", rebootCommand],
					env: Object.entries(env).map(([name, value]) => ({ name, value })),
					securityContext: { runAsUser: 0, capabilities: { drop: ["ALL"] }, ...appArmorProfile },
				},
			],
		},
	};
}

const shippedManifests = resolve(import.meta.dirname, "../../infra/cluster");

/** Applies the shipped manifests as a user would; simulated kubelets play the sentinel's script. */
export async function applySentinel(controlPlane: ControlPlane): Promise<void> {
	await controlPlane.kubectl("apply", "-k", shippedManifests);
}

function metadata(name: string, options: PodOptions): { name: string; namespace: string } {
	return { name, namespace: options.namespace ?? "default" };
}

function template(app: string, options: PodOptions): { metadata: Record<string, unknown>; spec: Record<string, unknown> } {
	return {
		metadata: { labels: { app, ...options.labels }, annotations: behaviour(options) },
		spec: {
			terminationGracePeriodSeconds: options.graceSeconds ?? 30,
			...(options.tolerateAll === true ? { tolerations: [{ operator: "Exists" }] } : {}),
			...(options.nodeSelector === undefined ? {} : { nodeSelector: options.nodeSelector }),
			...(options.emptyDir === true ? { volumes: [{ name: "scratch", emptyDir: {} }] } : {}),
			containers: [{ name: "main", image: options.image ?? "registry.test/app:1" }],
		},
	};
}

function behaviour(options: PodOptions): Record<string, string> {
	const values: readonly (readonly [string, number | "never" | undefined])[] = [
		[podAnnotations.startMs, options.startMs],
		[podAnnotations.readyMs, options.readyMs],
		[podAnnotations.stopMs, options.stopMs],
		[podAnnotations.exitMs, options.exit?.ms],
		[podAnnotations.exitCode, options.exit?.code],
	];
	return Object.fromEntries(values.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}
