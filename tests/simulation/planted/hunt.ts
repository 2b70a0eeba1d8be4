// Runs in a tree with a bug planted, until a checker catches it: node hunt.ts ORIGINAL SEEDS. What fails in the original tree too is no catch.
// The last line of its output is what it found, as JSON.
import { pathToFileURL } from "node:url";
import { deaths, storyOfDropped, storyOfOne, storyOfTwo } from "../crash-points.ts";
import { regressions } from "../regressions.ts";
import { run } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import { stories } from "../scenarios/stories.ts";
import { tell } from "../scenarios/story.ts";
import { scenarioOf } from "../weather.ts";

/** `seeds`: how many were run before it was caught, or in all. */
export type Hunted =
	| { readonly caught: true; readonly id: string; readonly what: string; readonly by: string; readonly seeds: number; readonly ms: number }
	| { readonly caught: false; readonly seeds: number; readonly ms: number };

/** Seeds before the scenarios have their turn: they are few, and some bugs only they find. */
const firstSeeds = 200;

/** What a trial showed: the promise that was broken, and how. */
interface Broken {
	readonly id: string;
	readonly what: string;
}

interface Trial {
	readonly name: string;
	run(): Promise<Broken | null>;
}

function broken({ verdict, id, what }: { readonly verdict: string; readonly id: string; readonly what: string }): Broken | null {
	if (verdict === "ok") return null;
	return { id: id === "bug" && what.includes("would have been violated") ? "invariant.violated" : id, what: what.split("\n")[0] ?? "" };
}

async function anyDeath(scenario: Scenario, alike: boolean): Promise<Broken | null> {
	try {
		for await (const { call, at, wrong } of deaths(scenario, alike))
			if (wrong !== null) return { id: "crash point", what: `dead after call ${call} (${at}): ${wrong}` };
		return null;
	} catch (error) {
		return { id: "crash point", what: error instanceof Error ? error.message : String(error) };
	}
}

/** What is run in the tree with the bug, and, where that fails, in the original. */
export const trials = {
	async seed(seed: number): Promise<Broken | null> {
		return broken(await run(scenarioOf(seed)));
	},
	named: [
		...regressions().map((scenario): Trial => ({ name: scenario.name, run: async () => broken(await run(scenario)) })),
		...stories.map((story): Trial => ({ name: story.scenario.name, run: async () => broken((await tell(story)).result) })),
		...[storyOfDropped, storyOfOne, storyOfTwo].map(
			(scenario): Trial => ({ name: `crash points of ${scenario.name}`, run: () => anyDeath(scenario, scenario !== storyOfDropped) }),
		),
	] as readonly Trial[],
};
export type Trials = typeof trials;

async function hunt(original: Trials, seeds: number): Promise<Hunted> {
	const startedAt = performance.now();
	const ms = () => Math.round(performance.now() - startedAt);
	const bySeeds = async (from: number, until: number): Promise<Hunted | null> => {
		for (let seed = from; seed <= until; seed++) {
			const found = await trials.seed(seed);
			if (found !== null && (await original.seed(seed)) === null) return { caught: true, ...found, by: `seed ${seed}`, seeds: seed, ms: ms() };
		}
		return null;
	};
	const early = await bySeeds(1, Math.min(seeds, firstSeeds));
	if (early !== null) return early;
	for (const [i, trial] of trials.named.entries()) {
		const found = await trial.run();
		if (found !== null && (await original.named[i]?.run()) === null)
			return { caught: true, ...found, by: trial.name, seeds: Math.min(seeds, firstSeeds), ms: ms() };
	}
	return (await bySeeds(firstSeeds + 1, seeds)) ?? { caught: false, seeds, ms: ms() };
}

if (import.meta.main) {
	const [folder = "", seeds = ""] = process.argv.slice(2);
	// Errors are made by the thousand here, and nobody reads their stacks.
	Error.stackTraceLimit = 0;
	const original = (await import(pathToFileURL(`${folder}/tests/simulation/planted/hunt.ts`).href)) as { readonly trials: Trials };
	console.log(JSON.stringify(await hunt(original.trials, Number(seeds))));
}
