// What the suites on the Kubernetes API share: the adapter as the shipped rights let it be, and states of nodes and pods by name.
import assert from "node:assert/strict";
import { openCluster } from "../../lib/kubernetes/client.ts";
import type { Credential, CredentialSource } from "../../lib/kubernetes/credentials.ts";
import type { NodeFacts } from "../../lib/plan/model.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import type { ClusterApi, NodeEvent, PodRef } from "../../lib/tick/world.ts";
import type { ApiServer } from "../api-server.ts";
import type { KubeObject } from "../real/api-client.ts";

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

export function credentialOf(server: ApiServer, user = "scheduler"): Credential {
	return { server: server.url, caData: server.caData, auth: { kind: "token", token: server.token(user) } };
}

export function openAs(server: ApiServer, user = "scheduler"): ClusterApi {
	return openCluster(new TestSource(credentialOf(server, user)), { version: "0.0.0-test", callTimeoutMs: 10_000 });
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

/** The UID of nothing. */
export const anotherUid = "11111111-2222-3333-4444-555555555555";

/** Sixteen at a time. */
export async function makeMany(count: number, make: (index: number) => Promise<unknown>): Promise<void> {
	let next = 0;
	const worker = async (): Promise<void> => {
		while (next < count) await make(next++);
	};
	await Promise.all(Array.from({ length: 16 }, worker));
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
	readonly name?: string;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	readonly unschedulable?: boolean;
	readonly ready?: boolean;
}

/** A Linux node of pool blue that is Ready unless told otherwise; its name. */
export async function node(server: ApiServer, state: NodeState = {}): Promise<string> {
	const { name = fresh("node"), labels = {}, annotations = {}, unschedulable, ready = true } = state;
	await server.api.post("/api/v1/nodes", {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name, labels: { "kubernetes.io/os": "linux", "kubernetes.azure.com/agentpool": "blue", ...labels }, annotations },
		...(unschedulable === undefined ? {} : { spec: { unschedulable } }),
	});
	const conditions = [{ type: "Ready", status: ready ? "True" : "Unknown", reason: "Test" }];
	const status = { conditions, nodeInfo: { ...nodeInfo, bootID: `boot-of-${name}`, kernelVersion: "6.8.0-1" } };
	await server.api.patch(`/api/v1/nodes/${name}/status`, { status });
	return name;
}

export async function factsOf(api: ClusterApi, name: string): Promise<NodeFacts> {
	const found = await api.node(name);
	assert.ok(found !== "absent", `node ${name} is absent`);
	return found;
}

export function eventOfNode(node: string, nodeUid: string, changes: Partial<NodeEvent> = {}): NodeEvent {
	const name = `aks-reboot-scheduler.${fresh("0000")}`;
	return { name, node, nodeUid, type: "Normal", reason: "Cordoned", note: "it is cordoned", at: Date.now(), instance: "worker-1", ...changes };
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

/** A pod that runs and is ready, on a node, unless told otherwise. */
export async function pod(server: ApiServer, state: PodState = {}): Promise<PodRef> {
	const { name = fresh("pod"), namespace = "default", labels = {}, annotations = {}, ownerReferences = [], finalizers = [], status = runningAndReady } = state;
	const created = await server.api.post<KubeObject>(`/api/v1/namespaces/${namespace}/pods`, {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, namespace, labels, annotations, ownerReferences, finalizers },
		spec: { nodeName: state.node ?? "node-of-nobody", containers: [{ name: "main", image: "registry.test/app:1" }], ...state.spec },
	});
	if (status !== null) await server.api.patch(`/api/v1/namespaces/${namespace}/pods/${name}/status`, { status });
	return { namespace, name, uid: created.metadata.uid };
}

export function exists(server: ApiServer, ref: PodRef): Promise<KubeObject | null> {
	return server.api.find(`/api/v1/namespaces/${ref.namespace}/pods/${ref.name}`);
}
