// The promise that requests and bytes grow with the nodes that wait, never with the cluster: a cluster of a real API server and one ten times
// as large, each with the same nodes that wait and the same reboots in flight.
import type { ControlPlane } from "../real/control-plane.ts";
import { kubeconfigOf, type Reached } from "./clusters.ts";
import { type Figure, median, told } from "./figures.ts";
import { assertLooked, bytesOf } from "./look-figures.ts";
import { askForReboots, endPods, startCluster } from "./scale-cluster.ts";
import { always, type Place, Scheduler } from "./scheduler.ts";
import type { Looked, Memory } from "./scheduler-process.ts";
import { ServerMetrics } from "./server-metrics.ts";

const smallNodes = 500;
const largeNodes = 5000;
const waitingNodes = 50;
const nodesInFlight = 10;
/** Of those in flight, as many have lost their pods and been asked to reboot. */
const rebootingNodes = 5;
const looksEach = 7;
/** Each sends the events of ten nodes that wait. */
const looksUntilTold = 8;

/** Looks of one kind, with what the API server counted meanwhile. */
interface Phase {
	readonly looks: readonly Looked[];
	/** `VERB RESOURCE`, a look. */
	readonly counted: ReadonlyMap<string, number>;
	readonly bodyBytes: number;
	/** Objects that it went through to find those that were asked for. */
	readonly examined: number;
	readonly readFromEtcd: number;
	readonly serverMs: number;
}

interface Measured {
	readonly nodes: number;
	readonly idle: Phase;
	readonly described: Phase;
	readonly waiting: Phase;
	readonly inFlight: Phase;
	readonly memory: Memory;
	readonly serverMemoryBytes: number;
}

/** The small cluster and the large one. */
type Both = readonly [Measured, Measured];

/** What the scheduler asks for; the API server itself reads leases, namespaces and the like. */
const resources = ["nodes", "pods", "daemonsets", "poddisruptionbudgets"];

function difference(before: ServerMetrics, after: ServerMetrics, name: string, labels: Readonly<Record<string, string>> = {}): number {
	return after.sum(name, labels) - before.sum(name, labels);
}

/** Watches are the API server's own. */
function countedBetween(before: ServerMetrics, after: ServerMetrics): ReadonlyMap<string, number> {
	const counted = resources.flatMap((resource) =>
		["GET", "LIST", "POST", "PATCH", "DELETE"].map((verb): [string, number] => [
			`${verb} ${resource}`,
			difference(before, after, "apiserver_request_total", { resource, verb }),
		]),
	);
	return new Map(counted.filter(([, count]) => count > 0));
}

function sumOverResources(measure: (labels: Readonly<Record<string, string>>) => number): number {
	return resources.reduce((sum, resource) => sum + measure({ resource }), 0);
}

/** The same requests by the client's count: both have to agree, or one of them counts something else. */
function assertAgreed(looks: readonly Looked[], counted: ReadonlyMap<string, number>): void {
	const asked = new RegExp(`/(${resources.join("|")})(/|\\?|$)`);
	const sent = looks.flatMap(({ traffic }) => traffic.kubernetes).filter((line) => asked.test(line)).length;
	const seen = [...counted.values()].reduce((sum, count) => sum + count, 0);
	if (sent !== seen) throw new Error(`the scheduler sent ${sent} requests for ${resources.join(", ")}, and the API server counted ${seen}`);
}

async function phaseOf({ api }: ControlPlane, look: () => Promise<readonly Looked[]>): Promise<Phase> {
	const before = await ServerMetrics.of(api);
	const looks = await look();
	const after = await ServerMetrics.of(api);
	assertLooked(looks);
	const counted = countedBetween(before, after);
	assertAgreed(looks, counted);
	const each = (name: string) => sumOverResources((labels) => difference(before, after, name, labels)) / looks.length;
	return {
		looks,
		counted: new Map([...counted].map(([what, count]) => [what, count / looks.length])),
		bodyBytes: each("apiserver_response_sizes_sum"),
		examined: each("apiserver_cache_list_fetched_objects_total"),
		readFromEtcd: each("apiserver_storage_list_fetched_objects_total"),
		serverMs: each("apiserver_request_duration_seconds_sum") * 1000,
	};
}

/** Until so many reboots are in a phase. */
async function until(scheduler: Scheduler, phase: string, count: number): Promise<void> {
	let last: Looked | undefined;
	for (let each = 0; each < 3 * nodesInFlight; each++) {
		last = await scheduler.look();
		assertLooked([last]);
		if (last.phases.filter((one) => one === phase).length >= count) return;
	}
	throw new Error(`not ${count} reboots came to be ${phase}, but ${last?.phases.join(", ")}: ${last?.reasons.join("; ")}`);
}

async function bringInFlight(controlPlane: ControlPlane, scheduler: Scheduler): Promise<void> {
	await scheduler.windows({ ...always, MAX_CONCURRENT: String(nodesInFlight), REBOOT_TIMEOUT: "24h" });
	await until(scheduler, "draining", nodesInFlight);
	// The first look at a node that drains evicts its pods.
	await scheduler.looks(2);
	await endPods(controlPlane, rebootingNodes);
	await until(scheduler, "rebooting", rebootingNodes);
	await scheduler.looks(2);
}

async function looksAt(controlPlane: ControlPlane, nodes: number, place: Place): Promise<Omit<Measured, "nodes">> {
	const reached: Reached = { url: controlPlane.url, caPem: controlPlane.caPem, token: controlPlane.token("scheduler") };
	const kubeconfig = kubeconfigOf(reached);
	const scheduler = new Scheduler(place, `scale${nodes}`);
	try {
		await scheduler.open(kubeconfig.file);
		await scheduler.looks(3);
		const idle = await phaseOf(controlPlane, () => scheduler.looks(looksEach));
		await askForReboots(controlPlane, waitingNodes);
		const described = await phaseOf(controlPlane, () => scheduler.looks(1));
		// Meanwhile the nodes get their events, some in each look.
		await scheduler.looks(looksUntilTold);
		const waiting = await phaseOf(controlPlane, () => scheduler.looks(looksEach));
		const [look] = waiting.looks;
		if (look?.waiting !== waitingNodes) throw new Error(`${look?.waiting} of ${waitingNodes} nodes wait: ${look?.reasons.join("; ")}`);
		await bringInFlight(controlPlane, scheduler);
		const inFlight = await phaseOf(controlPlane, () => scheduler.looks(looksEach));
		const serverMemoryBytes = (await ServerMetrics.of(controlPlane.api)).sum("process_resident_memory_bytes");
		return { idle, described, waiting, inFlight, memory: await scheduler.memory(), serverMemoryBytes };
	} finally {
		await scheduler.remote.stop();
		kubeconfig.remove();
	}
}

async function measure(nodes: number, place: Place): Promise<Measured> {
	const controlPlane = await startCluster(nodes, waitingNodes);
	try {
		return { nodes, ...(await looksAt(controlPlane, nodes, place)) };
	} finally {
		await controlPlane.stop();
	}
}

function toldCounts(counted: ReadonlyMap<string, number>): string {
	return [...counted].map(([what, count]) => `${told(count, "count")} ${what}`).join(", ");
}

/** Of bytes and memory: lengths of names, revisions and TLS records differ by a little from one look to the next, garbage by more. */
const tolerance = 1.15;

/** What a look at the large cluster may ask for at most. */
interface Limits {
	readonly requests: number;
	readonly bytes: number;
}

/** Its sentinels and its nodes are looked through once each; and a little for the pods of the nodes in flight. */
const examinedEachNode = 2.1;

/** As much as a look at the small cluster, unless told otherwise. */
function figuresOf(title: string, id: string, of: (measured: Measured) => Phase, [one, other]: Both, limits?: Limits): Figure[] {
	const [less, more] = [of(one), of(other)];
	const who = `with ${one.nodes} nodes`;
	const requests = ({ looks }: Phase) => looks.map(({ traffic }) => traffic.kubernetes.length);
	const bytes = ({ looks }: Phase) => looks.map(bytesOf);
	const ms = ({ looks }: Phase) => looks.map((look) => look.ms);
	const figure = (what: string, name: string, rest: Omit<Figure, "id" | "what">): Figure => ({ id: `scale.${id}.${name}`, what: `${title}: ${what}`, ...rest });
	const fewer = median(requests(less));
	const fewerBytes = median(bytes(less));
	return [
		figure("requests", "requests", {
			unit: "count",
			values: requests(more),
			atMost: limits?.requests ?? fewer,
			peer: { value: fewer, who },
			note: `counted by the API server: ${toldCounts(more.counted)}`,
		}),
		figure("bytes on the wire", "bytes", {
			unit: "bytes",
			values: bytes(more),
			atMost: limits?.bytes ?? tolerance * fewerBytes,
			peer: { value: fewerBytes, who },
			note: `bodies by the API server's count: ${told(more.bodyBytes, "bytes")}, ${told(less.bodyBytes, "bytes")} ${who}`,
		}),
		figure("time", "ms", { unit: "ms", values: ms(more), peer: { value: median(ms(less)), who } }),
		figure("time that the API server takes", "server.ms", { unit: "ms", values: [more.serverMs], peer: { value: less.serverMs, who } }),
		figure("objects that the API server examines in its cache", "examined", {
			unit: "count",
			values: [more.examined],
			atMost: examinedEachNode * other.nodes,
			peer: { value: less.examined, who },
			note: `${told(more.readFromEtcd, "count")} read from etcd`,
		}),
	];
}

function memoryFigures([one, other]: Both): Figure[] {
	const who = `with ${one.nodes} nodes`;
	return [
		{
			id: "scale.memory",
			what: "largest resident memory of the scheduler",
			unit: "bytes",
			values: [other.memory.rssPeakBytes],
			atMost: tolerance * one.memory.rssPeakBytes,
			peer: { value: one.memory.rssPeakBytes, who },
			note: `heap ${told(other.memory.heapPeakBytes, "bytes")}`,
		},
		{
			id: "scale.server.memory",
			what: "resident memory of the API server",
			unit: "bytes",
			values: [other.serverMemoryBytes],
			peer: { value: one.serverMemoryBytes, who },
		},
	];
}

/** Pool and hold of each that waits, and the events that tell why it does not begin: of so many nodes in a look. */
const eventsEachLook = 10;
const firstLook: Limits = { requests: waitingNodes + eventsEachLook + 6, bytes: waitingNodes * 16_000 };

export async function scale(place: Place): Promise<Figure[]> {
	const both: Both = [await measure(smallNodes, place), await measure(largeNodes, place)];
	return [
		...figuresOf("idle look", "idle", ({ idle }) => idle, both),
		...figuresOf(`first look at ${waitingNodes} that wait`, "described", ({ described }) => described, both, firstLook),
		...figuresOf(`${waitingNodes} wait, window closed`, "waiting", ({ waiting }) => waiting, both),
		...figuresOf(`${nodesInFlight} in flight`, "flight", ({ inFlight }) => inFlight, both),
		...memoryFigures(both),
	];
}
