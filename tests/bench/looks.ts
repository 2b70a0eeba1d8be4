// Looks at one cluster, by its size: what they ask for, how much that is on the wire, how long it takes, how much memory it needs.
import { type BenchCluster, kubeconfigOf } from "./clusters.ts";
import { type Figure, median, told } from "./figures.ts";
import { assertLooked, bytesOf, last, transactions } from "./look-figures.ts";
import { always, type Place, Scheduler } from "./scheduler.ts";
import type { Looked, Memory } from "./scheduler-process.ts";
import { type Bytes, CountingProxy, curl } from "./wire.ts";

const looksEach = 7;

interface ByHand {
	readonly ms: readonly number[];
	readonly cold: Bytes;
	/** On a connection that is open already. */
	readonly open: Bytes;
	readonly compressed: Bytes;
}

/** The very requests of a look, by curl on one connection. */
async function byHand({ reached }: BenchCluster, asked: readonly string[]): Promise<ByHand> {
	const paths = asked.map((line) => line.replace(/^GET /, ""));
	const proxy = await new CountingProxy(reached.url).listen();
	try {
		const bytesOf = async (all: readonly string[], compressed = false) => {
			await curl(reached, proxy.url, all, compressed);
			return proxy.take();
		};
		const cold = await bytesOf(paths);
		const twice = await bytesOf([...paths, ...paths]);
		const compressed = await bytesOf(paths, true);
		const ms: number[] = [];
		for (let each = 0; each < looksEach; each++) ms.push((await curl(reached, reached.url, paths)).ms);
		return { ms, cold, open: { received: twice.received - cold.received, sent: twice.sent - cold.sent }, compressed };
	} finally {
		proxy.close();
	}
}

function wire({ received, sent }: Bytes): number {
	return received + sent;
}

interface Measured {
	readonly first: Looked;
	readonly idle: readonly Looked[];
	readonly firstWaiting: Looked;
	readonly waiting: readonly Looked[];
	readonly inFlight: readonly Looked[];
	readonly memory: Memory;
	/** The requests of an idle look; those of one where nodes wait. */
	readonly idleByHand: ByHand;
	readonly waitingByHand: ByHand;
}

/** Nodes that wait are told so by an event, some in each look: once. */
async function untilAllAreTold(scheduler: Scheduler): Promise<void> {
	for (let each = 0; each < 20; each++) {
		const look = await scheduler.look();
		if (!look.traffic.kubernetes.some((line) => line.includes("/events"))) return;
	}
	throw new Error("events of nodes that wait go on after twenty looks");
}

/** Until a reboot drains; the pods stay, since there are no kubelets. */
async function untilItDrains(scheduler: Scheduler): Promise<void> {
	for (let each = 0; each < 8; each++) {
		const look = await scheduler.look();
		assertLooked([look]);
		// One more: the first look at a node that drains evicts its pods.
		if (look.phases.includes("draining")) return void (await scheduler.looks(2));
	}
	throw new Error("no reboot came to drain its node");
}

async function measure(cluster: BenchCluster, nodes: number, place: Place): Promise<Measured> {
	const kubeconfig = kubeconfigOf(cluster.reached);
	const scheduler = new Scheduler(place, `${cluster.kind}${nodes}`);
	try {
		await scheduler.open(kubeconfig.file);
		const first = await scheduler.look();
		await scheduler.looks(2);
		const idle = await scheduler.looks(looksEach);
		const idleByHand = await byHand(cluster, last(idle).traffic.kubernetes);
		await cluster.ask(Math.ceil(nodes / 100), true);
		const firstWaiting = await scheduler.look();
		await untilAllAreTold(scheduler);
		const waiting = await scheduler.looks(looksEach);
		const waitingByHand = await byHand(cluster, last(waiting).traffic.kubernetes);
		await scheduler.windows(always);
		await untilItDrains(scheduler);
		const inFlight = await scheduler.looks(looksEach);
		assertLooked([first, ...idle, firstWaiting, ...waiting, ...inFlight]);
		const memory = await scheduler.memory();
		return { first, idle, firstWaiting, waiting, inFlight, memory, idleByHand, waitingByHand };
	} finally {
		await scheduler.remote.stop();
		kubeconfig.remove();
	}
}

/** `by hand`: the same requests as the look that they are compared with. */
function figuresOf(place: string, { first, idle, firstWaiting, waiting, inFlight, memory, idleByHand, waitingByHand }: Measured): Figure[] {
	const named = (what: string, rest: Omit<Figure, "id" | "what">, id: string): Figure => ({ id: `looks.${place}.${id}`, what, ...rest });
	const requests = (looks: readonly Looked[]) => looks.map(({ traffic }) => traffic.kubernetes.length);
	const byHandBytes = wire(idleByHand.open);
	const waitingBytes = wire(waitingByHand.open);
	return [
		named("idle look: requests to the Kubernetes API", { unit: "count", values: requests(idle), atMost: 3 }, "idle.requests"),
		named("idle look: transactions of the table", { unit: "count", values: idle.map(transactions), atMost: 2, note: "and one query" }, "idle.transactions"),
		named(
			"idle look: bytes on the wire",
			{ unit: "bytes", values: idle.map(bytesOf), atMost: 1.5 * byHandBytes, peer: { value: byHandBytes, who: "the same requests by curl" } },
			"idle.bytes",
		),
		named(
			"idle look",
			{ unit: "ms", values: idle.map(({ ms }) => ms), peer: { value: median(idleByHand.ms), who: "the same requests by curl, one after the other, with TLS" } },
			"idle.ms",
		),
		named(
			"first look of a process: bytes on the wire",
			{
				unit: "bytes",
				values: [bytesOf(first)],
				peer: { value: wire(idleByHand.cold), who: "by curl with its one connection" },
				note: `${first.traffic.connections} TLS connections`,
			},
			"first.bytes",
		),
		named("1 % wait, window closed: requests", { unit: "count", values: requests(waiting), note: "the owner Lease too" }, "waiting.requests"),
		named(
			"1 % wait, window closed: bytes on the wire",
			{
				unit: "bytes",
				values: waiting.map(bytesOf),
				atMost: 1.5 * waitingBytes,
				peer: { value: waitingBytes, who: `by curl (${toldBytes(wire(waitingByHand.compressed))} with --compressed)` },
			},
			"waiting.bytes",
		),
		named(
			"1 % wait, window closed",
			{ unit: "ms", values: waiting.map(({ ms }) => ms), peer: { value: median(waitingByHand.ms), who: "by curl" } },
			"waiting.ms",
		),
		named(
			"first look at those that wait: bytes on the wire",
			{ unit: "bytes", values: [bytesOf(firstWaiting)], note: `${firstWaiting.traffic.kubernetes.length} requests; every 10 minutes` },
			"described.bytes",
		),
		named("first look at those that wait", { unit: "ms", values: [firstWaiting.ms] }, "described.ms"),
		named("one reboot in flight: requests", { unit: "count", values: requests(inFlight) }, "flight.requests"),
		named("one reboot in flight: bytes on the wire", { unit: "bytes", values: inFlight.map(bytesOf) }, "flight.bytes"),
		named("one reboot in flight", { unit: "ms", values: inFlight.map(({ ms }) => ms) }, "flight.ms"),
		named(
			"largest resident memory of the process",
			{ unit: "bytes", values: [memory.rssPeakBytes], atMost: 180e6, note: `heap ${toldBytes(memory.heapPeakBytes)}` },
			"memory",
		),
	];
}

function toldBytes(value: number): string {
	return told(value, "bytes");
}

/** Leaves a node behind that is cordoned, marked and drained. */
export async function looksAt(cluster: BenchCluster, nodes: number, place: Place): Promise<Figure[]> {
	return figuresOf(`${cluster.kind}.${nodes}`, await measure(cluster, nodes, place));
}
