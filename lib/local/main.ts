// `npm start`: the same scheduler on this machine.
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { configurationOf, type Wiring, wire } from "../../functions/world.ts";
import type { Environment } from "../azure/identity.ts";
import { CallError, messageOf } from "../tick/call-error.ts";
import { readFleet } from "../tick/fleet.ts";
import { type Round, round, roundLimits } from "../tick/round.ts";
import type { ClusterSummary } from "../tick/summary.ts";
import type { Configuration } from "../tick/tick.ts";
import type { JournalSink } from "../tick/world.ts";
import { type Arguments, parseArguments, usage } from "./arguments.ts";
import { type LocalTable, localTable } from "./azurite.ts";
import { lastLine, pauseMs, Watch } from "./settled.ts";
import { terminalJournal } from "./terminal.ts";

/** What a shell says of a process that Ctrl-C ended. */
const stoppedExitCode = 130;
/** Before the table is tried again. */
const tableRetryMs = 2_000;
const lookEveryMs = 1_000;

/** Ended reboots of this run, by how. */
class Tally {
	rebooted = 0;
	gaveUp = 0;
	sink(inner: JournalSink): JournalSink {
		return {
			write: (line) => {
				if (line.event === "reboot.ended" && line.end === "done") this.rebooted++;
				if (line.event === "reboot.ended" && line.end === "gaveUp") this.gaveUp++;
				inner.write(line);
			},
		};
	}
}

function environmentOf(args: Arguments, env: Environment): Environment {
	if (args.contexts.length === 0) return env;
	return { ...env, CLUSTERS: args.contexts.map((context) => `kubeconfig:${context}`).join(";") };
}

async function tableOf(env: Environment): Promise<{ readonly env: Environment; readonly table: LocalTable | null; readonly dataFolder: string | null }> {
	const given = Object.entries(env).some(([name, value]) => (name === "AzureWebJobsStorage" || name.startsWith("AzureWebJobsStorage__")) && value?.trim());
	if (given) return { env, table: null, dataFolder: null };
	const dataFolder = resolve(".local");
	const table = await localTable(dataFolder);
	return { env: { ...env, AzureWebJobsStorage: table.connectionString }, table, dataFolder };
}

function printProblems(configuration: Configuration): void {
	console.error(configuration.problems.length === 1 ? "1 problem in the settings:" : `${configuration.problems.length} problems in the settings:`);
	for (const { setting, part, expected } of configuration.problems) console.error(`  ${setting}: ${JSON.stringify(part)}, expected ${expected}`);
}

/** What a round left to do before the next one: nothing moves, something is waited for, or all is settled. */
interface Verdict {
	readonly exitCode: number | null;
	readonly pauseMs: number;
}

class Run {
	readonly #args: Arguments;
	readonly #configuration: Configuration;
	readonly #wiring: Wiring;
	readonly #watch = new Watch();
	readonly #stopped = new AbortController();
	readonly #looked = new Set<string>();

	constructor(args: Arguments, configuration: Configuration, wiring: Wiring) {
		this.#args = args;
		this.#configuration = configuration;
		this.#wiring = wiring;
	}

	stop(): void {
		this.#stopped.abort();
	}

	/** Runs until settled, or until it is stopped; the exit code. */
	async run(): Promise<number> {
		while (!this.#stopped.signal.aborted) {
			const verdict = await this.#round();
			if (verdict.exitCode !== null) return verdict.exitCode;
			await sleep(verdict.pauseMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
		}
		return stoppedExitCode;
	}

	async #round(): Promise<Verdict> {
		const { world, worker } = this.#wiring;
		try {
			const limits = { ...roundLimits, inFlightEveryMs: lookEveryMs, roundMs: this.#args.untilSettled ? 20_000 : roundLimits.roundMs };
			return this.#judge(await round(world, worker, this.#configuration, limits, this.#stopped.signal));
		} catch (error) {
			if (!(error instanceof CallError)) throw error;
			return this.#tableFailed(error);
		}
	}

	#tableFailedSince: number | null = null;

	#tableFailed(error: CallError): Verdict {
		if (this.#tableFailedSince === null) console.error(`the table cannot be read: ${error.message}`);
		this.#tableFailedSince ??= performance.now();
		const tooLong = this.#args.untilSettled && performance.now() - this.#tableFailedSince >= 60_000;
		return { exitCode: tooLong ? 1 : null, pauseMs: tableRetryMs };
	}

	#judge({ results }: Round): Verdict {
		this.#tableFailedSince = null;
		for (const name of results.keys()) this.#looked.add(name);
		const { settings } = this.#configuration;
		const inFlight = [...results.values()].some((each) => each.kind === "looked" && each.inFlight.length > 0);
		if (settings === null && !inFlight && [...results.values()].every((each) => each.kind === "looked")) return { exitCode: 2, pauseMs: 0 };
		const next = { exitCode: null, pauseMs: pauseMs(results.values(), this.#args.untilSettled) };
		if (!this.#args.untilSettled) return next;
		const targets = [...results.keys()].map(
			(name) => this.#configuration.clusters.find((each) => each.name === name) ?? { name, kind: "kubeconfig" as const, context: "" },
		);
		const verdict = this.#watch.judge(targets, results, performance.now());
		if (verdict.kind === "notYet") return next;
		for (const note of verdict.notes) console.error(note);
		return { exitCode: settings === null ? 2 : verdict.exitCode, pauseMs: 0 };
	}

	/** What was last seen of the clusters that this run looked at; the table may hold rows of others. */
	get summaries(): readonly ClusterSummary[] {
		return [...this.#looked].map((name) => this.#wiring.worker.stateOf(name).summary);
	}
}

/** Wrong settings with nothing in flight: said, and nothing is touched. */
async function nothingInFlight(wiring: Wiring): Promise<boolean> {
	return [...(await readFleet(wiring.world.table)).values()].every((row) => !row.inFlight);
}

async function main(argv: readonly string[], given: Environment): Promise<number> {
	console.log(`aks-reboot-scheduler: process ${process.pid}`);
	const args = parseArguments(argv);
	if ("problem" in args) {
		console.error(`${args.problem}\n\n${usage}`);
		return 2;
	}
	if (args.contexts.length === 0 && !given.CLUSTERS) {
		console.error(`which clusters? Neither --context nor CLUSTERS names one.\n\n${usage}`);
		return 2;
	}
	const startedAt = performance.now();
	const configuration = configurationOf(environmentOf(args, given));
	if (configuration.settings === null) printProblems(configuration);
	if (configuration.stateTable === null) return 2;
	const { env, table, dataFolder } = await tableOf(given);
	try {
		if (table !== null) console.log(table.note);
		const tally = new Tally();
		const journal = tally.sink(terminalJournal(args.json, (line) => process.stdout.write(`${line}\n`)));
		const wiring = wire(env, configuration.stateTable, {
			journal,
			...(dataFolder === null ? {} : { dataFolder }),
			...(args.kubeconfig === null ? {} : { kubeconfig: args.kubeconfig }),
		});
		if (configuration.settings === null && (await nothingInFlight(wiring))) return 2;
		const run = new Run(args, configuration, wiring);
		for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => run.stop());
		const exitCode = await run.run();
		console.log(lastLine(exitCode === stoppedExitCode ? "stopped" : "settled", tally, run.summaries, performance.now() - startedAt));
		return exitCode;
	} finally {
		await table?.stop();
	}
}

try {
	process.exit(await main(process.argv.slice(2), process.env));
} catch (error) {
	console.error(error instanceof CallError ? error.message : `${messageOf(error)}`);
	process.exit(1);
}
