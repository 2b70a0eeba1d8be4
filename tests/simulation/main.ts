// npm run simulate -- [--seeds N] [--from SEED]      many worlds: one line per failure, a summary last
// npm run simulate -- --seed S [--trace]             one of them; with its story, one line per event
// npm run simulate -- --shrink S                     the smallest that fails alike, written to tests/simulation/regressions/
// npm run simulate -- --regression FILE [--trace]    one that was kept
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { harvestAll } from "./farm.ts";
import { readRegression } from "./regressions.ts";
import { type Result, run, type Verdict } from "./run.ts";
import type { Scenario } from "./scenario.ts";
import { shrink } from "./shrink.ts";
import { scenarioOf } from "./weather.ts";

/** As TigerBeetle's: a promise broken, not converged, crashed. The gravest of a run counts. */
const exitCodes: Readonly<Record<Verdict, number>> = { ok: 0, unsafe: 129, notConverged: 128, crashed: 127 };
const seedsDefault = 300;

async function many(from: number, count: number): Promise<number> {
	const startedAt = performance.now();
	const verdicts = new Map<Verdict, number>();
	let [calls, virtualMs] = [0, 0];
	const seeds = Array.from({ length: count }, (_, i) => from + i);
	await harvestAll(seeds, ({ seed, verdict, id, what, ...of }) => {
		verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
		calls += of.calls;
		virtualMs += of.virtualMs;
		if (verdict !== "ok") console.log(`seed ${seed}: ${verdict} ${id}: ${what}`);
	});
	const s = (performance.now() - startedAt) / 1000;
	const of = (verdict: Verdict) => verdicts.get(verdict) ?? 0;
	const told = `${of("ok")} ok, ${of("unsafe")} unsafe, ${of("notConverged")} not converged, ${of("crashed")} crashed`;
	console.log(`${told}: ${Math.round(virtualMs / 3_600_000)} h of virtual time in ${s.toFixed(1)} s, ${calls} port calls, ${Math.round(calls / s)}/s`);
	return exitCodes[(["unsafe", "crashed", "notConverged"] as const).find((each) => of(each) > 0) ?? "ok"];
}

async function one(scenario: Scenario, trace: boolean): Promise<number> {
	const result = await run(scenario, { trace });
	for (const line of result.lines) console.log(line);
	console.log(summaryOf(scenario, result));
	return exitCodes[result.verdict];
}

function summaryOf({ name }: Scenario, { verdict, id, what, calls, virtualMs, hash }: Result): string {
	const told = verdict === "ok" ? "ok" : `${verdict} ${id}: ${what}`;
	return `${name}: ${told} (${calls} port calls, ${Math.round(virtualMs / 60_000)} min, trace ${hash})`;
}

async function shrunk(seed: number): Promise<number> {
	const small = await shrink(scenarioOf(seed), (size) => console.log(size));
	if (small === null) {
		console.log(`seed ${seed} does not fail`);
		return 0;
	}
	const name = `${small.result.id}: ${small.result.what} (seed ${seed}; give it a name: a sentence that says what must not happen)`;
	const file = fileURLToPath(new URL(`regressions/seed-${seed}.json`, import.meta.url));
	writeFileSync(file, `${JSON.stringify({ ...small.scenario, name }, null, "\t")}\n`);
	console.log(`${summaryOf(small.scenario, small.result)}\nwritten to ${file}`);
	return exitCodes[small.result.verdict];
}

const { values } = parseArgs({
	options: {
		seeds: { type: "string" },
		from: { type: "string" },
		seed: { type: "string" },
		trace: { type: "boolean", default: false },
		shrink: { type: "string" },
		regression: { type: "string" },
	},
});
// Errors are made by the thousand here, and nobody reads their stacks.
Error.stackTraceLimit = values.trace ? 10 : 0;
if (values.shrink !== undefined) process.exitCode = await shrunk(Number(values.shrink));
else if (values.regression !== undefined) process.exitCode = await one(readRegression(values.regression), values.trace);
else if (values.seed !== undefined) process.exitCode = await one(scenarioOf(Number(values.seed)), values.trace);
else process.exitCode = await many(Number(values.from ?? 1), Number(values.seeds ?? seedsDefault));
