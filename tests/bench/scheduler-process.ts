// The scheduler that is measured, alone in its process and bundled as in production.
import { setTimeout as sleep } from "node:timers/promises";
import { getHeapStatistics } from "node:v8";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { configurationOf, type Wiring, wire } from "../../functions/world.ts";
import { type RoundLimits, round, roundLimits } from "../../lib/tick/round.ts";
import { fleetPartition, fleetValues } from "../../lib/tick/rows.ts";
import { emptySummary } from "../../lib/tick/summary.ts";
import { type Configuration, type TickResult, tick } from "../../lib/tick/tick.ts";
import type { Connection, JournalLine, RowWrite } from "../../lib/tick/world.ts";
import { serve } from "./processes.ts";
import { type Totals, Traffic } from "./traffic.ts";

export interface Opening {
	readonly env: Readonly<Record<string, string>>;
	readonly kubeconfig?: string;
	readonly armCaPem?: string;
}

export interface Looked {
	readonly ms: number;
	readonly traffic: Totals;
	/** Kind of result, and what is in flight after it, by phase. */
	readonly result: string;
	readonly phases: readonly string[];
	readonly waiting: number;
	/** Why nothing is begun in the cluster. */
	readonly reasons: readonly string[];
}

export interface RoundMeasured {
	readonly ms: number;
	readonly traffic: Totals;
	readonly looked: number;
	readonly failed: number;
}

export interface Memory {
	readonly rssPeakBytes: number;
	readonly heapPeakBytes: number;
}

export interface TimedLine {
	readonly atMs: number;
	readonly line: JournalLine;
}

const timerMs = 60_000;
const traffic = new Traffic();
let wiring: Wiring;
let configuration: Configuration;
let lines: TimedLine[] = [];
let heapPeakBytes = 0;

setInterval(() => {
	heapPeakBytes = Math.max(heapPeakBytes, getHeapStatistics().used_heap_size);
}, 20).unref();

function configure({ env }: Opening): void {
	configuration = configurationOf(env);
	const [problem] = configuration.problems;
	if (problem !== undefined) throw new Error(`${problem.setting}: ${problem.part}, expected ${problem.expected}`);
}

function open(opening: Opening): void {
	configure(opening);
	const { env, kubeconfig, armCaPem } = opening;
	for (const [name, value] of Object.entries(env)) process.env[name] = value;
	wiring = wire(env, env.STATE_TABLE ?? "reboots", {
		journal: { write: (line) => void lines.push({ atMs: performance.now(), line }) },
		...(kubeconfig === undefined ? {} : { kubeconfig }),
		...(armCaPem === undefined ? {} : { arm: { armCaPem } }),
	});
}

/** One look at the first cluster of the settings. */
async function look(): Promise<Looked> {
	const { world, worker } = wiring;
	const [target] = configuration.clusters;
	if (target === undefined) throw new Error("the settings name no cluster");
	traffic.clear();
	const startedAt = performance.now();
	const state = worker.stateOf(target.name);
	const result = await tick({ world, worker: worker.id, us: worker.us, target, configuration, configured: true, state, names: worker.names });
	return { ms: performance.now() - startedAt, traffic: traffic.totals(), ...toldOf(result) };
}

function toldOf(result: TickResult): Pick<Looked, "result" | "phases" | "waiting" | "reasons"> {
	if (result.kind !== "looked") return { result: "why" in result ? `${result.kind}: ${result.why}` : result.kind, phases: [], waiting: 0, reasons: [] };
	const { waitingCount: waiting, reasons } = result.summary;
	return { result: "looked", phases: result.inFlight.map(({ phase }) => phase), waiting, reasons };
}

/** One round; `onceEach`: each cluster is looked at once. */
async function oneRound({ onceEach = true }: { onceEach?: boolean } = {}): Promise<RoundMeasured> {
	traffic.clear();
	const startedAt = performance.now();
	const limits: RoundLimits = onceEach ? { ...roundLimits, inFlightEveryMs: roundLimits.roundMs } : roundLimits;
	const { results } = await round(wiring.world, wiring.worker, configuration, limits);
	const kinds = [...results.values()].map(({ kind }) => kind);
	const countOf = (kind: TickResult["kind"]) => kinds.filter((each) => each === kind).length;
	return { ms: performance.now() - startedAt, traffic: traffic.totals(), looked: countOf("looked"), failed: countOf("failed") };
}

/** The table as an earlier instance would have left it. */
async function rememberAll(connection: Connection): Promise<void> {
	const summary = JSON.stringify({ ...emptySummary, at: Date.now() });
	const writes = configuration.clusters.map((target): RowWrite => {
		const values = fleetValues({ target, fence: 0, inFlight: false, connection, clusterUid: "", summary });
		return { kind: "insert", key: target.name, values };
	});
	for (let from = 0; from < writes.length; from += 100) await wiring.world.table.transact(fleetPartition, writes.slice(from, from + 100));
}

export interface ColdStart {
	/** Until every cluster was looked at, or the time was over. */
	readonly ms: number;
	readonly looked: number;
	readonly rounds: number;
	readonly longestRoundMs: number;
	/** Between two looks at a cluster that had been looked at. */
	readonly longestGapMs: number;
}

/** Rounds of a timer, from nothing. */
async function coldStart({ mostMs }: { mostMs: number }): Promise<ColdStart> {
	const startedAt = performance.now();
	const lookedAt = new Map<string, number>();
	const result = { rounds: 0, longestRoundMs: 0, longestGapMs: 0 };
	let lastMs = 0;
	for (;;) {
		const begunAt = performance.now();
		await round(wiring.world, wiring.worker, configuration, roundLimits);
		result.rounds++;
		result.longestRoundMs = Math.max(result.longestRoundMs, performance.now() - begunAt);
		for (const { atMs, line } of journal()) {
			if (line.event !== "tick.ended") continue;
			const cluster = String(line.cluster);
			const before = lookedAt.get(cluster);
			if (before === undefined) lastMs = atMs - startedAt;
			else result.longestGapMs = Math.max(result.longestGapMs, atMs - before);
			lookedAt.set(cluster, atMs);
		}
		const passedMs = performance.now() - startedAt;
		const all = lookedAt.size === configuration.clusters.length;
		if (all || passedMs >= mostMs) return { ...result, ms: all ? lastMs : passedMs, looked: lookedAt.size };
		// The timer is due at each full minute.
		await sleep(timerMs - (passedMs % timerMs));
	}
}

/** What others do: every node, whole, with the same client library. */
async function listAllNodes({ kubeconfig }: { kubeconfig: string }): Promise<{ readonly ms: number; readonly nodes: number }> {
	const config = new KubeConfig();
	config.loadFromFile(kubeconfig);
	const startedAt = performance.now();
	const { items } = await config.makeApiClient(CoreV1Api).listNode();
	return { ms: performance.now() - startedAt, nodes: items.length };
}

function memory(): Memory {
	return { rssPeakBytes: process.resourceUsage().maxRSS * 1024, heapPeakBytes };
}

/** The lines of the journal since the last call, by this process' clock. */
function journal(): TimedLine[] {
	const told = lines;
	lines = [];
	return told;
}

serve({ open, configure, look, oneRound, rememberAll, coldStart, listAllNodes, memory, journal, acceptEncoding: () => traffic.acceptEncoding });
