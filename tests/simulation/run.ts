// One scenario from beginning to end: weather, then calm, then the question whether all has come to a good end.

import type { Change } from "./changes.ts";
import { settled, unsettled } from "./checkers/convergence.ts";
import { seenIn } from "./coverage.ts";
import { disturb } from "./disturbances/disturb.ts";
import type { Fired } from "./faults.ts";
import { Judge } from "./judge.ts";
import type { Scenario } from "./scenario.ts";
import { Universe } from "./universe.ts";

export type Verdict = "ok" | "unsafe" | "notConverged" | "crashed";

export interface Result {
	readonly verdict: Verdict;
	/** Which promise was broken, or `L1` to `L3`, or `bug`; empty when all is well. */
	readonly id: string;
	readonly what: string;
	readonly atMs: number;
	readonly hash: string;
	readonly lines: readonly string[];
	readonly calls: number;
	readonly events: number;
	readonly virtualMs: number;
	/** Faults that befell calls, for a replay that needs no seed. */
	readonly fired: readonly Fired[];
	/** How often what happened, for the coverage table. */
	readonly seen: ReadonlyMap<string, number>;
}

export interface RunOptions {
	readonly trace?: boolean;
	/** Sees every change too. */
	readonly watch?: (change: Change, universe: Universe) => void;
}

export async function run(scenario: Scenario, options: RunOptions = {}): Promise<Result> {
	const seen = new Map<string, number>();
	let judge: Judge | null = null;
	const universe: Universe = new Universe(scenario, {
		trace: options.trace ?? false,
		see(change) {
			judge?.see(change);
			count(seen, change);
			if (change.kind === "journal") universe.trace.note(universe.now, change.by.id, `journal ${change.line.event} ${change.line.message}`);
			options.watch?.(change, universe);
		},
	});
	judge = new Judge(universe);
	let crash: unknown = null;
	let wrong: { readonly id: string; readonly what: string } | null = null;
	try {
		await weather(universe, judge);
		if (judge.finding === null) await calm(universe, judge);
		if (judge.finding === null) wrong = unsettled(universe);
	} catch (error) {
		crash = error;
	}
	for (const [name, times] of universe.fates.counts) seen.set(`fault ${name}`, times);
	const common = {
		hash: universe.trace.hash,
		lines: universe.trace.lines,
		calls: universe.calls.count,
		events: universe.trace.events,
		virtualMs: universe.elapsedMs,
		fired: universe.fates.fired,
		seen,
	};
	if (crash !== null)
		return {
			verdict: "crashed",
			id: "crash",
			what: crash instanceof Error ? (crash.stack ?? crash.message) : String(crash),
			atMs: universe.elapsedMs,
			...common,
		};
	const { finding } = judge;
	if (finding !== null) return { verdict: finding.id === "bug" ? "crashed" : "unsafe", ...finding, ...common };
	if (wrong !== null) return { verdict: "notConverged", ...wrong, atMs: universe.elapsedMs, ...common };
	return { verdict: "ok", id: "", what: "", atMs: universe.elapsedMs, ...common };
}

async function weather(universe: Universe, judge: Judge): Promise<void> {
	const { scenario } = universe;
	for (const event of scenario.events) universe.calls.at(scenario.startAt + event.atMs, () => disturb(universe, event));
	await universe.calls.run(() => judge.finding !== null || universe.elapsedMs >= scenario.weatherMs);
}

async function calm(universe: Universe, judge: Judge): Promise<void> {
	const { scenario } = universe;
	universe.becomeCalm();
	const until = universe.elapsedMs + scenario.calmMs;
	// What came to rest must stay so, and be told: the next looks write it down.
	const quietMs = 10 * 60_000;
	let quietSince = Number.POSITIVE_INFINITY;
	let lookAt = universe.elapsedMs;
	await universe.calls.run(() => {
		const { elapsedMs } = universe;
		if (judge.finding !== null || elapsedMs >= until) return true;
		if (elapsedMs < lookAt) return false;
		lookAt = elapsedMs + 30_000;
		quietSince = settled(universe) ? Math.min(quietSince, elapsedMs) : Number.POSITIVE_INFINITY;
		return elapsedMs - quietSince >= quietMs;
	});
}

/** What happened how often: names and the list of what must be seen are in coverage.ts. */
function count(seen: Map<string, number>, change: Change): void {
	for (const name of seenIn(change)) seen.set(name, (seen.get(name) ?? 0) + 1);
}
