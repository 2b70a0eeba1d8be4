// The clusters that are looked at: on the lab's API server, in a process of its own, or on a real one, whose objects go into etcd directly.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import { applyShipped } from "../real/scenario.ts";
import { nodesWithPods, type SeedObject, sentinel } from "./cluster-objects.ts";
import { startRemote } from "./processes.ts";

/** How a client reaches a cluster as the scheduler. */
export interface Reached {
	readonly url: string;
	readonly caPem: string;
	readonly token: string;
}

/** Clusters behind an ARM API. */
export interface FleetReached {
	/** Settings of a scheduler of these clusters. */
	readonly env: Readonly<Record<string, string>>;
	readonly armCaPem: string;
}

export interface BenchCluster {
	readonly kind: "lab" | "real";
	readonly reached: Reached;
	/** Grows to so many nodes with their pods; nobody asks for a reboot. */
	grow(nodes: number): Promise<void>;
	/** From now on the first so many nodes ask for a reboot, or do not. */
	ask(nodes: number, asking: boolean): Promise<void>;
	/** Null for the lab's. */
	readonly controlPlane: ControlPlane | null;
	stop(): Promise<void>;
}

export const labProgram = join(import.meta.dirname, "lab-process.ts");

export async function startLab(): Promise<BenchCluster> {
	const lab = startRemote(labProgram);
	const reached = await lab.call<Reached>("start");
	let nodes = 0;
	return {
		kind: "lab",
		reached,
		controlPlane: null,
		async grow(to) {
			await lab.call("grow", { from: nodes, before: to });
			await lab.call("count", { nodes: to });
			nodes = to;
		},
		ask: (of, asking) => lab.call("ask", { nodes: of, asking }),
		stop: () => lab.stop(),
	};
}

export const daemonSetPath = "/apis/apps/v1/namespaces/aks-reboot-scheduler/daemonsets/sentinel";

export async function startReal(): Promise<BenchCluster> {
	const controlPlane = await startControlPlane({ controllers: false, scheduler: false, audit: false });
	const { api } = controlPlane;
	await applyShipped(controlPlane);
	const { metadata } = await api.get<{ metadata: { uid: string } }>(daemonSetPath);
	let nodes = 0;
	return {
		kind: "real",
		reached: { url: controlPlane.url, caPem: controlPlane.caPem, token: controlPlane.token("scheduler") },
		controlPlane,
		async grow(to) {
			await store(controlPlane.etcdUrl, nodesWithPods(nodes, to, metadata.uid));
			const status = { desiredNumberScheduled: to, currentNumberScheduled: to, numberReady: to, numberMisscheduled: 0 };
			await api.patch(`${daemonSetPath}/status`, { status });
			await untilCached(api);
			nodes = to;
		},
		async ask(of, asking) {
			const pods = Array.from({ length: of }, (_, index) => sentinel(index, metadata.uid, asking));
			await store(controlPlane.etcdUrl, pods);
			await untilCached(api);
		},
		stop: () => controlPlane.stop(),
	};
}

/** Until the API server has seen in etcd what it did not store itself: before that it answers lists past its cache, and late. */
export async function untilCached(api: ControlPlane["api"]): Promise<void> {
	const quickMs = 500;
	for (let quick = 0, tries = 0; quick < 3; tries++) {
		const startedAt = performance.now();
		await api.get("/api/v1/namespaces/aks-reboot-scheduler/pods?labelSelector=app%3Dnobody&limit=1");
		await api.get("/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue&limit=1");
		quick = performance.now() - startedAt < quickMs ? quick + 1 : 0;
		if (tries > 100) throw new Error(`the API server takes more than ${quickMs} ms for empty lists`);
	}
}

/** etcd takes 128 operations and 1.5 MB in one transaction. */
const objectsAtOnce = 60;

/** Past admission, which takes minutes for so many. The API server reads JSON from etcd as it reads its own protobuf. */
export async function store(etcdUrl: string, objects: Iterable<SeedObject>): Promise<void> {
	const base64 = (text: string) => Buffer.from(text).toString("base64");
	let success: object[] = [];
	const send = async () => {
		if (success.length === 0) return;
		const answer = await fetch(`${etcdUrl}/v3/kv/txn`, { method: "POST", body: JSON.stringify({ success }) });
		if (!answer.ok) throw new Error(`storing ${success.length} objects in etcd: ${answer.status} ${(await answer.text()).slice(0, 200)}`);
		await answer.arrayBuffer();
		success = [];
	};
	for (const object of objects) {
		const { kind, metadata } = object;
		const key = kind === "Node" ? `/registry/minions/${metadata.name}` : `/registry/pods/${metadata.namespace}/${metadata.name}`;
		success.push({ requestPut: { key: base64(key), value: base64(JSON.stringify(object)) } });
		if (success.length >= objectsAtOnce) await send();
	}
	await send();
}

/** A kubeconfig file with one context `bench`, in a directory that is removed at `remove`. */
export function kubeconfigOf({ url, caPem, token }: Reached): { readonly file: string; remove(): void } {
	const dir = mkdtempSync(join(tmpdir(), "bench-"));
	const file = join(dir, "kubeconfig");
	const cluster = { server: url, "certificate-authority-data": Buffer.from(caPem).toString("base64") };
	const config = {
		apiVersion: "v1",
		kind: "Config",
		clusters: [{ name: "bench", cluster }],
		users: [{ name: "bench", user: { token } }],
		contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
		"current-context": "bench",
	};
	writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
	return { file, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
