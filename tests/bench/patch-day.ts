// Every node waits at once, and what a list of all nodes costs those who read it.
import { type BenchCluster, kubeconfigOf } from "./clusters.ts";
import { type Figure, told } from "./figures.ts";
import { assertLooked, bytesOf } from "./look-figures.ts";
import { startRemote } from "./processes.ts";
import { type Place, Scheduler } from "./scheduler.ts";
import type { Memory } from "./scheduler-process.ts";
import { CountingProxy, curl } from "./wire.ts";

const looks = 3;

/** The window is closed, so nothing is left behind. */
export async function everyNodeWaits(cluster: BenchCluster, nodes: number, place: Place): Promise<Figure[]> {
	const { kind, reached } = cluster;
	const kubeconfig = kubeconfigOf(reached);
	const scheduler = new Scheduler(place, `${kind}${nodes}all`);
	try {
		await cluster.ask(nodes, true);
		await scheduler.open(kubeconfig.file);
		const [first, ...next] = await scheduler.looks(1 + looks);
		if (first === undefined) throw new Error("no look was made");
		assertLooked([first, ...next]);
		if (first.waiting !== nodes) throw new Error(`${first.waiting} of ${nodes} nodes wait: ${first.reasons.join("; ")}`);
		const memory = await scheduler.memory();
		await cluster.ask(nodes, false);
		const id = (what: string) => `looks.${kind}.${nodes}.all.${what}`;
		const written = `${first.traffic.kubernetes.length} requests, ${told(bytesOf(first), "bytes")}; the table takes ${first.traffic.table.length} requests`;
		return [
			{ id: id("first"), what: "all wait: first look", unit: "s", values: [first.ms / 1000], atMost: 10, note: written },
			{ id: id("ms"), what: "all wait: next looks", unit: "s", values: next.map(({ ms }) => ms / 1000), atMost: 10 },
			{ id: id("requests"), what: "all wait: next looks, requests", unit: "count", values: next.map(({ traffic }) => traffic.kubernetes.length) },
			{ id: id("bytes"), what: "all wait: next looks, bytes on the wire", unit: "bytes", values: next.map(bytesOf) },
			{
				id: id("memory"),
				what: "all wait: largest resident memory",
				unit: "bytes",
				values: [memory.rssPeakBytes],
				atMost: 300e6,
				note: `heap ${told(memory.heapPeakBytes, "bytes")}`,
			},
		];
	} finally {
		await scheduler.remote.stop();
		kubeconfig.remove();
	}
}

/** What others do to learn which nodes wait: the list of all nodes, whole. */
export async function fullList({ kind, reached }: BenchCluster, nodes: number, place: Place): Promise<Figure[]> {
	const kubeconfig = kubeconfigOf(reached);
	const proxy = await new CountingProxy(reached.url).listen();
	const other = startRemote(place.program);
	try {
		const path = ["/api/v1/nodes"];
		await curl(reached, proxy.url, path);
		const plain = proxy.take().received;
		await curl(reached, proxy.url, path, true);
		const compressed = proxy.take().received;
		const ms: number[] = [];
		for (let each = 0; each < looks; each++) ms.push((await curl(reached, reached.url, path)).ms);
		const library: number[] = [];
		for (let each = 0; each < looks; each++) library.push((await other.call<{ ms: number }>("listAllNodes", { kubeconfig: kubeconfig.file })).ms);
		const { rssPeakBytes } = await other.call<Memory>("memory");
		const id = (what: string) => `looks.${kind}.${nodes}.list.${what}`;
		return [
			{
				id: id("bytes"),
				what: "others: list of all nodes, bytes on the wire",
				unit: "bytes",
				values: [plain],
				note: `${told(compressed, "bytes")} with --compressed`,
			},
			{ id: id("ms"), what: "others: list of all nodes by curl", unit: "ms", values: ms },
			{ id: id("library"), what: "others: list of all nodes with the library that we use", unit: "ms", values: library },
			{ id: id("memory"), what: "others: largest resident memory with that", unit: "bytes", values: [rssPeakBytes] },
		];
	} finally {
		await other.stop();
		proxy.close();
		kubeconfig.remove();
	}
}
