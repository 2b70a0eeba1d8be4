// The scheduler's rounds one after the other, until all is settled or the run is stopped.
import { setTimeout as sleep } from "node:timers/promises";
import type { Wiring } from "../../functions/world.ts";
import { CallError } from "../tick/call-error.ts";
import { type Round, round, roundLimits } from "../tick/round.ts";
import type { ClusterSummary } from "../tick/summary.ts";
import type { Configuration } from "../tick/tick.ts";
import { pauseMs, unreachableMs, Watch } from "./settled.ts";

/** What a shell says of a process that Ctrl-C ended. */
export const stoppedExitCode = 130;
/** Before the table is tried again. */
const tableRetryMs = 2_000;
const lookEveryMs = 1_000;
/** Where one cluster keeps a round going, the others are looked at again after this. */
const roundMs = 10_000;

export interface RunOptions {
	readonly untilSettled: boolean;
	readonly configuration: Configuration;
	readonly wiring: Wiring;
	/** Tells what went wrong outside of any cluster. */
	readonly error: (text: string) => void;
	/** Ends it after the looks that are under way. */
	readonly stop: AbortSignal;
}

/** What a round left to do before the next one: nothing moves, something is waited for, or all is settled. */
interface Verdict {
	readonly exitCode: number | null;
	readonly pauseMs: number;
}

export class Run {
	readonly #options: RunOptions;
	readonly #watch = new Watch();
	readonly #looked = new Set<string>();
	#tableFailedSince: number | null = null;

	constructor(options: RunOptions) {
		this.#options = options;
	}

	/** Runs until settled, or until it is stopped; the exit code. */
	async run(): Promise<number> {
		const { stop } = this.#options;
		while (!stop.aborted) {
			const verdict = await this.#round();
			if (verdict.exitCode !== null) return verdict.exitCode;
			await sleep(verdict.pauseMs, undefined, { signal: stop }).catch(() => undefined);
		}
		return stoppedExitCode;
	}

	/** What was last seen of the clusters that this run has looked at, by name; the table may hold rows of others. */
	get summaries(): ReadonlyMap<string, ClusterSummary> {
		return this.#summariesOf(this.#looked);
	}

	/** The same while the first round goes on: what an earlier run saw is there until it is seen again. */
	get known(): ReadonlyMap<string, ClusterSummary> {
		return this.#summariesOf(new Set([...this.#options.configuration.clusters.map(({ name }) => name), ...this.#looked]));
	}

	#summariesOf(names: ReadonlySet<string>): ReadonlyMap<string, ClusterSummary> {
		return new Map([...names].map((name) => [name, this.#options.wiring.worker.stateOf(name).summary]));
	}

	async #round(): Promise<Verdict> {
		const { wiring, configuration, stop } = this.#options;
		try {
			const limits = { ...roundLimits, inFlightEveryMs: lookEveryMs, roundMs };
			return this.#judge(await round(wiring.world, wiring.worker, configuration, limits, stop));
		} catch (error) {
			if (!(error instanceof CallError)) throw error;
			return this.#tableFailed(error);
		}
	}

	#tableFailed(error: CallError): Verdict {
		if (this.#tableFailedSince === null) this.#options.error(`the table cannot be read: ${error.message}`);
		this.#tableFailedSince ??= performance.now();
		const tooLong = this.#options.untilSettled && performance.now() - this.#tableFailedSince >= unreachableMs;
		return { exitCode: tooLong ? 1 : null, pauseMs: tableRetryMs };
	}

	#judge({ results }: Round): Verdict {
		this.#tableFailedSince = null;
		for (const name of results.keys()) this.#looked.add(name);
		const { configuration, untilSettled, error } = this.#options;
		const { settings, clusters } = configuration;
		const inFlight = [...results.values()].some((each) => each.kind === "looked" && each.inFlight.length > 0);
		if (settings === null && !inFlight && [...results.values()].every((each) => each.kind === "looked")) return { exitCode: 2, pauseMs: 0 };
		const next = { exitCode: null, pauseMs: pauseMs(results.values(), untilSettled) };
		if (!untilSettled) return next;
		const targets = [...results.keys()].map((name) => clusters.find((each) => each.name === name) ?? { name, kind: "kubeconfig" as const, context: "" });
		const verdict = this.#watch.judge(targets, results, performance.now());
		if (verdict.kind === "notYet") return next;
		for (const note of verdict.notes) error(note);
		return { exitCode: settings === null ? 2 : verdict.exitCode, pauseMs: 0 };
	}
}
