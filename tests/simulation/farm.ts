// Many seeds on all cores: worker threads that each take the next seed. What they send back is small.
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { type Result, run } from "./run.ts";
import { scenarioOf } from "./weather.ts";

/** One seed in so many is run twice, and must give the same trace. */
const twiceEvery = 20;

export interface Harvest {
	readonly seed: number;
	readonly verdict: Result["verdict"];
	readonly id: string;
	readonly what: string;
	readonly calls: number;
	readonly virtualMs: number;
	readonly seen: ReadonlyMap<string, number>;
}

/** One seed; two runs that differ are a crash: nothing else of it would mean anything. */
export async function harvest(seed: number): Promise<Harvest> {
	const result = await run(scenarioOf(seed));
	const { verdict, id, what, calls, virtualMs, seen } = result;
	if (seed % twiceEvery === 0) {
		const again = await run(scenarioOf(seed));
		if (again.hash !== result.hash)
			return { seed, verdict: "crashed", id: "twice", what: `two runs differ: ${result.hash}, ${again.hash}`, calls, virtualMs, seen };
	}
	return { seed, verdict, id, what, calls, virtualMs, seen };
}

/** Runs all seeds; `each` is told as they come in, in no order. */
export async function harvestAll(seeds: readonly number[], each: (harvest: Harvest) => void, threads = availableParallelism()): Promise<void> {
	// A world is garbage as soon as it has ended: threads with a large nursery collect it in passing, and copy little of it.
	setFlagsFromString("--max-semi-space-size=64");
	setFlagsFromString("--min-semi-space-size=64");
	const left = [...seeds].reverse();
	const thread = () =>
		new Promise<void>((resolve, reject) => {
			const worker = new Worker(fileURLToPath(import.meta.url));
			const next = () => {
				const seed = left.pop();
				if (seed !== undefined) worker.postMessage(seed);
				else worker.terminate().then(() => resolve(), reject);
			};
			worker.on("message", (harvested: Harvest) => {
				each(harvested);
				next();
			});
			worker.on("error", reject);
			next();
		});
	await Promise.all(Array.from({ length: Math.min(threads, seeds.length) }, thread));
}

if (!isMainThread && parentPort !== null) {
	const port = parentPort;
	// Stacks of errors that are made by the thousand cost more than all else.
	Error.stackTraceLimit = 0;
	port.on("message", (seed: number) => {
		harvest(seed).then(
			(harvested) => port.postMessage(harvested),
			(error: unknown) =>
				port.postMessage({ seed, verdict: "crashed", id: "harness", what: String(error), calls: 0, virtualMs: 0, seen: new Map() } satisfies Harvest),
		);
	});
}
