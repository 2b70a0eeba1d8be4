// Many clusters at once: one round over a thousand, and the first rounds of a new instance.
import { startAzurite } from "../azurite.ts";
import { type FleetReached, labProgram, type Reached } from "./clusters.ts";
import { type Figure, told } from "./figures.ts";
import { type Remote, startRemote } from "./processes.ts";
import type { Place } from "./scheduler.ts";
import type { ColdStart, Memory, RoundMeasured } from "./scheduler-process.ts";

/** Calls at once and each second after them, by which ARM throttles each subscription. */
const armBurst = 60;

interface Fleet {
	readonly lab: Remote;
	readonly opening: { readonly env: Readonly<Record<string, string>>; readonly armCaPem: string };
	readonly connection: { readonly server: string; readonly caData: string };
	stop(): Promise<void>;
}

/** A table and an API server of its own: what is under way elsewhere shares only the cores. */
async function startFleet(clusters: number): Promise<Fleet> {
	const lab = startRemote(labProgram);
	const azurite = await startAzurite();
	const { url, caPem } = await lab.call<Reached>("start");
	const { env, armCaPem } = await lab.call<FleetReached>("startFleet", { clusters });
	return {
		lab,
		opening: { env: { ...env, AzureWebJobsStorage: azurite.connectionString }, armCaPem },
		connection: { server: url, caData: Buffer.from(caPem).toString("base64") },
		async stop() {
			await lab.stop();
			await azurite.stop();
		},
	};
}

/** By an instance that ended since. */
async function remember({ program }: Place, { opening, connection }: Fleet): Promise<void> {
	const earlier = startRemote(program);
	await earlier.call("open", opening);
	await earlier.call("rememberAll", connection);
	await earlier.stop();
}

export async function idleRound(clusters: number, place: Place): Promise<Figure[]> {
	const fleet = await startFleet(clusters);
	const scheduler = startRemote(place.program);
	try {
		await remember(place, fleet);
		await scheduler.call("open", fleet.opening);
		const first = await scheduler.call<RoundMeasured>("oneRound");
		const next: RoundMeasured[] = [];
		for (let each = 0; each < 3; each++) next.push(await scheduler.call<RoundMeasured>("oneRound"));
		const bad = [first, ...next].find(({ looked }) => looked !== clusters);
		if (bad !== undefined) throw new Error(`${bad.looked} of ${clusters} clusters were looked at`);
		const memory = await scheduler.call<Memory>("memory");
		const id = (what: string) => `round.${clusters}.${what}`;
		const writes = ({ traffic }: RoundMeasured) => traffic.table.filter((line) => line.startsWith("POST")).length;
		const note = `${first.traffic.connections} TLS connections, ${told(first.traffic.receivedBytes + first.traffic.sentBytes, "bytes")} to the API servers`;
		const steadyNote = `${next[0]?.traffic.connections ?? 0} TLS connections; ${next[0]?.traffic.kubernetes.length ?? 0} requests to the API servers`;
		return [
			{ id: id("first"), what: "first round of an instance", unit: "s", values: [first.ms / 1000], atMost: 30, note },
			{ id: id("first.writes"), what: "first round: transactions of the table", unit: "count", values: [writes(first)] },
			{ id: id("next"), what: "next rounds", unit: "s", values: next.map(({ ms }) => ms / 1000), atMost: 30, note: steadyNote },
			{
				id: id("next.writes"),
				what: "next rounds: transactions of the table",
				unit: "count",
				values: next.map(writes),
				atMost: 2 * clusters,
				note: `and ${(next[0]?.traffic.table.length ?? 0) - (next[0] === undefined ? 0 : writes(next[0]))} queries`,
			},
			{ id: id("memory"), what: "largest resident memory", unit: "bytes", values: [memory.rssPeakBytes], note: `heap ${told(memory.heapPeakBytes, "bytes")}` },
		];
	} finally {
		await scheduler.stop();
		await fleet.stop();
	}
}

function figuresOf(place: "empty" | "known", clusters: number, { ms, looked, rounds, longestRoundMs, longestGapMs }: ColdStart, calls: number): Figure[] {
	const id = (what: string) => `cold.${clusters}.${place}.${what}`;
	const table = place === "empty" ? "an empty table" : "a table that knows them";
	const all = looked === clusters ? `${rounds} rounds` : `${looked} of ${clusters} then, after ${rounds} rounds`;
	const peer = place === "empty" ? { peer: { value: clusters - armBurst, who: "is what ARM needs to hand out so many credentials" } } : { atMost: 60 };
	return [
		{ id: id("s"), what: `${table}: until every cluster was looked at`, unit: "s", values: [ms / 1000], note: all, ...peer },
		{ id: id("calls"), what: `${table}: calls of ARM`, unit: "count", values: [calls], ...(place === "known" ? { atMost: 0 } : {}) },
		...(place === "known"
			? []
			: [
					{ id: id("round"), what: `${table}: longest round`, unit: "s" as const, values: [longestRoundMs / 1000] },
					{ id: id("gap"), what: `${table}: longest time without a look at a cluster that is reached`, unit: "s" as const, values: [longestGapMs / 1000] },
				]),
	];
}

export async function coldStart(table: "empty" | "known", clusters: number, mostMs: number, place: Place): Promise<Figure[]> {
	const fleet = await startFleet(clusters);
	const scheduler = startRemote(place.program);
	try {
		if (table === "known") await remember(place, fleet);
		await scheduler.call("open", fleet.opening);
		const seen = await scheduler.call<ColdStart>("coldStart", { mostMs });
		return figuresOf(table, clusters, seen, await fleet.lab.call<number>("armCalls"));
	} finally {
		await scheduler.stop();
		await fleet.stop();
	}
}
