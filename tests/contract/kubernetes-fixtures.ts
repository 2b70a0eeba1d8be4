// What the suites on the Kubernetes API share: the adapter as the shipped rights let it be, and states of nodes and pods by name.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openCluster } from "../../lib/kubernetes/client.ts";
import type { Credential, CredentialSource } from "../../lib/kubernetes/credentials.ts";
import type { NodeFacts } from "../../lib/plan/model.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import type { ClusterApi, PodRef } from "../../lib/tick/world.ts";
import type { KubeObject } from "../real/api-client.ts";
import type { ControlPlane } from "../real/control-plane.ts";

const skip = process.env.KUBEBUILDER_ASSETS ? false : "KUBEBUILDER_ASSETS is not set: a real kube-apiserver and etcd are needed";
export const hasControlPlane = skip === false;

/** A test that needs a real API server, and is skipped by its name where there is none. */
export function realTest(name: string, body: (context: TestContext) => Promise<void>): void {
	test(name, { skip }, body);
}

/** A source whose credential a test changes under way; what was asked of it is counted. */
export class TestSource implements CredentialSource {
	current: Credential;
	/** Takes effect at the next invalidation. */
	next: Credential | null = null;
	invalidations = 0;

	constructor(current: Credential) {
		this.current = current;
	}

	async credential(): Promise<Credential> {
		return this.current;
	}

	invalidate(): void {
		this.invalidations++;
		this.current = this.next ?? this.current;
	}

	connection(): undefined {
		return undefined;
	}
}

export function credentialOf(plane: ControlPlane, user = "scheduler"): Credential {
	return { server: plane.url, caData: plane.caData, auth: { kind: "token", token: plane.token(user) } };
}

export function openAs(plane: ControlPlane, user = "scheduler"): ClusterApi {
	return openCluster(new TestSource(credentialOf(plane, user)), { version: "0.0.0-test", callTimeoutMs: 10_000 });
}

/** Fails unless the call fails as a CallError; no message ever holds one of the secrets. */
export async function failureOf(call: Promise<unknown>, secrets: readonly string[] = []): Promise<CallError> {
	const error = await call.then(
		() => assert.fail("expected the call to fail"),
		(reason: unknown) => reason,
	);
	assert.ok(error instanceof CallError, `expected a CallError, got ${error}`);
	for (const secret of secrets) assert.ok(!`${error.message} ${JSON.stringify(error)}`.includes(secret), "a message holds a secret");
	return error;
}

let made = 0;

/** A name that no other test uses. */
export function fresh(prefix: string): string {
	return `${prefix}-${++made}`;
}

const nodeInfo = {
	architecture: "amd64",
	containerRuntimeVersion: "",
	kubeProxyVersion: "",
	kubeletVersion: "v1.36.0",
	machineID: "",
	operatingSystem: "linux",
	osImage: "",
	systemUUID: "",
};

export interface NodeState {
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	readonly unschedulable?: boolean;
	readonly ready?: boolean;
}

/** A Linux node of pool blue that is Ready unless told otherwise; its name. */
export async function node(plane: ControlPlane, { labels = {}, annotations = {}, unschedulable = false, ready = true }: NodeState = {}): Promise<string> {
	const name = fresh("node");
	await plane.api.post("/api/v1/nodes", {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name, labels: { "kubernetes.io/os": "linux", "kubernetes.azure.com/agentpool": "blue", ...labels }, annotations },
		...(unschedulable ? { spec: { unschedulable } } : {}),
	});
	const conditions = [{ type: "Ready", status: ready ? "True" : "Unknown", reason: "Test" }];
	const status = { conditions, nodeInfo: { ...nodeInfo, bootID: `boot-of-${name}`, kernelVersion: "6.8.0-1" } };
	await plane.api.patch(`/api/v1/nodes/${name}/status`, { status });
	return name;
}

export async function factsOf(api: ClusterApi, name: string): Promise<NodeFacts> {
	const found = await api.node(name);
	assert.ok(found !== "absent", `node ${name} is absent`);
	return found;
}

export interface PodState {
	readonly name?: string;
	readonly namespace?: string;
	readonly node?: string;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	readonly ownerReferences?: readonly object[];
	readonly finalizers?: readonly string[];
	readonly spec?: object;
	/** Null: as it is created, without a status of its own. */
	readonly status?: object | null;
}

export const runningAndReady = {
	phase: "Running",
	conditions: [{ type: "Ready", status: "True" }],
	containerStatuses: [{ name: "main", image: "i", imageID: "", ready: true, restartCount: 0, containerID: "containerd://1", state: { running: {} } }],
};

export const pending = { phase: "Pending" };

export const runningUnready = { phase: "Running", conditions: [{ type: "Ready", status: "False" }] };

/** A pod that runs and is ready, on a node, unless told otherwise. */
export async function pod(plane: ControlPlane, state: PodState = {}): Promise<PodRef> {
	const { name = fresh("pod"), namespace = "default", labels = {}, annotations = {}, ownerReferences = [], finalizers = [], status = runningAndReady } = state;
	const created = await plane.api.post<KubeObject>(`/api/v1/namespaces/${namespace}/pods`, {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, namespace, labels, annotations, ownerReferences, finalizers },
		spec: { nodeName: state.node ?? "node-of-nobody", containers: [{ name: "main", image: "registry.test/app:1" }], ...state.spec },
	});
	if (status !== null) await plane.api.patch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, { status });
	return { namespace, name, uid: created.metadata.uid };
}

export function exists(plane: ControlPlane, ref: PodRef): Promise<KubeObject | null> {
	return plane.api.find(`/api/v1/namespaces/${ref.namespace}/pods/${ref.name}`);
}
