// `npm start`: the same scheduler on this machine, for a demonstration fleet or for clusters of one's own.
import { resolve } from "node:path";
import { configurationOf, type Wiring, wire } from "../../functions/world.ts";
import type { Environment } from "../azure/identity.ts";
import { explainProblem } from "../plan/explain.ts";
import { messageOf } from "../tick/call-error.ts";
import { readFleet } from "../tick/fleet.ts";
import type { Configuration } from "../tick/tick.ts";
import { type Arguments, parseArguments, usage, usualPort } from "./arguments.ts";
import { localTable } from "./azurite.ts";
import { labFolder, startDemonstration } from "./demonstration.ts";
import { Ending } from "./ending.ts";
import { demonstrationEnvironment, isTableGiven, sharedEnvironment, useEnvironment } from "./environment.ts";
import { keepLive, nextWindow } from "./live-line.ts";
import { Outcomes } from "./outcomes.ts";
import { pagesOf, type Shown } from "./pages.ts";
import { reportLines } from "./report.ts";
import { Run, stoppedExitCode } from "./run.ts";
import { removeRunNote, writeRunNote } from "./run-note.ts";
import { paintOf, Screen } from "./screen.ts";
import { lastLine } from "./settled.ts";
import { jsonJournal, PeopleLines, peopleJournal } from "./terminal.ts";
import { serve, type WebServer } from "./web.ts";

/** What other commands in this folder read (`npm run hold`), and the data of what runs beside. */
const folder = resolve(".local");

/** Everything that a run has around it. */
interface Stage {
	readonly args: Arguments;
	readonly screen: Screen;
	readonly ending: Ending;
	readonly web: WebServer;
	/** From here on the pages have something to show. */
	readonly show: (shown: Shown) => void;
	readonly startedAt: number;
}

/** What it is run on. */
interface Ground {
	readonly env: Environment;
	/** Where a local table keeps its data. */
	readonly dataFolder: string;
	readonly kubeconfig: string | null;
	/** Of the Resource Manager, where it is one of this machine. */
	readonly caPem: string | null;
}

/** Null: no cluster is named. */
async function groundOf({ args, screen, ending }: Stage, given: Environment): Promise<Ground | null> {
	const { fleet } = args;
	if (fleet.kind === "own") {
		const { kubeconfig, contexts } = fleet;
		const env = contexts.length === 0 ? given : { ...given, CLUSTERS: contexts.map((context) => `kubeconfig:${context}`).join(";") };
		return env.CLUSTERS ? { env, dataFolder: folder, kubeconfig, caPem: null } : null;
	}
	if (given.CLUSTERS) screen.line("CLUSTERS is left aside, this is the demonstration fleet; for clusters of your own: --kubeconfig FILE, --context NAME");
	const dataFolder = resolve(folder, labFolder(fleet.shape));
	const demonstration = ending.add(await startDemonstration(dataFolder, fleet.shape, (line) => screen.line(line), ending.signal));
	for (const note of demonstration.notes) screen.line(note);
	const { environment, kubeconfig, caPem } = demonstration;
	return { env: demonstrationEnvironment(environment, given), dataFolder, kubeconfig, caPem };
}

function printProblems(screen: Screen, { problems }: Configuration): void {
	screen.error(problems.length === 1 ? "1 problem in the settings:" : `${problems.length} problems in the settings:`);
	for (const each of problems) screen.error(`  ${explainProblem(each)}`);
}

/** Wrong settings with nothing in flight: said, and nothing is touched. */
async function nothingInFlight(wiring: Wiring): Promise<boolean> {
	return [...(await readFleet(wiring.world.table)).rows.values()].every((row) => !row.inFlight);
}

/** From the settings on; the exit code. */
async function runOn(ground: Ground, stage: Stage): Promise<number> {
	const { args, screen, ending } = stage;
	useEnvironment(ground.env);
	const configuration = configurationOf(ground.env);
	if (configuration.settings === null) printProblems(screen, configuration);
	if (configuration.stateTable === null) return 2;
	const table = isTableGiven(ground.env) ? null : ending.add(await localTable(ground.dataFolder, ending.signal));
	if (table !== null) screen.line(table.note);
	const env = table === null ? ground.env : { ...ground.env, AzureWebJobsStorage: table.connectionString };
	const outcomes = new Outcomes();
	const paint = paintOf(ground.env, screen.isTerminal);
	const write = (line: string) => screen.line(line);
	const { clusters } = configuration;
	const journal = args.json ? jsonJournal(write) : peopleJournal(new PeopleLines({ columns: () => screen.columns, paint, clusters }), write);
	const wiring = wire(env, configuration.stateTable, {
		journal: outcomes.sink(journal),
		...(table === null ? {} : { dataFolder: ground.dataFolder }),
		...(ground.kubeconfig === null ? {} : { kubeconfig: ground.kubeconfig }),
		...(ground.caPem === null ? {} : { arm: { armCaPem: ground.caPem } }),
	});
	if (configuration.settings === null && (await nothingInFlight(wiring))) return 2;
	stage.show({ wiring, configuration });
	const { kubeconfig, caPem } = ground;
	const environment = sharedEnvironment(env, table?.connectionString ?? null, args.fleet.kind !== "own");
	const dataFolder = table === null ? null : ground.dataFolder;
	writeRunNote(folder, { process: process.pid, url: stage.web.url, environment, kubeconfig, dataFolder, caPem });
	const run = new Run({ untilSettled: args.untilSettled, configuration, wiring, error: (text) => screen.error(text), stop: ending.signal });
	const now = () => {
		const at = Date.now();
		return { clusters: run.known, rebooted: outcomes.count("done"), nextWindow: nextWindow(configuration.settings, run.known, at), at };
	};
	const gone = args.json ? () => {} : keepLive(screen, paint, now);
	try {
		const exitCode = await run.run();
		gone();
		if (!args.json) for (const line of reportLines(outcomes.all, run.summaries, screen.columns, paint)) screen.line(line);
		const tally = { rebooted: outcomes.count("done"), gaveUp: outcomes.count("gaveUp") };
		screen.line(lastLine(exitCode === stoppedExitCode ? "stopped" : "settled", tally, [...run.summaries.values()], performance.now() - stage.startedAt));
		return exitCode;
	} finally {
		gone();
		removeRunNote(folder);
	}
}

/** The usual port, or another where that is taken; one that was asked for, or none. */
async function servePages({ port }: Arguments, screen: Screen, shown: () => Shown | null): Promise<WebServer | null> {
	const failed = (why: string) => screen.error(why);
	const web = await serve(pagesOf(shown), port ?? usualPort, failed);
	if (web === null && port !== null) {
		screen.error(`--port: ${port}, expected a port that is free: somebody listens there`);
		return null;
	}
	const other = web ?? (await serve(pagesOf(shown), 0, failed));
	if (other === null) screen.error("serving the status page: no port is free");
	else screen.line(`status page: ${other.url}${web === null ? ` (port ${usualPort} is taken)` : ""}`);
	return other;
}

async function main(argv: readonly string[], given: Environment, screen: Screen, ending: Ending): Promise<number> {
	screen.line(`aks-reboot-scheduler: process ${process.pid}`);
	const args = parseArguments(argv);
	if ("help" in args) {
		screen.line(usage);
		return 0;
	}
	if ("problem" in args) {
		screen.error(`${args.problem}\n\n${usage}`);
		return 2;
	}
	const startedAt = performance.now();
	let shown: Shown | null = null;
	const web = await servePages(args, screen, () => shown);
	if (web === null) return 2;
	const show = (what: Shown) => {
		shown = what;
	};
	const stage: Stage = { args, screen, ending, web, show, startedAt };
	try {
		const ground = await groundOf(stage, given);
		if (ground !== null) return await runOn(ground, stage);
		screen.error(`which clusters? Neither --context nor CLUSTERS names one.\n\n${usage}`);
		return 2;
	} catch (error) {
		if (ending.signal.aborted && error === ending.signal.reason) return stoppedExitCode;
		throw error;
	} finally {
		web.stop();
		await ending.stopAll();
	}
}

const screen = new Screen(process.stdout, process.stderr);
const ending = new Ending(() => {
	screen.live("");
	process.exit(stoppedExitCode);
});
ending.signal.addEventListener("abort", () => {
	if (screen.isTerminal) screen.line("it ends after the looks that are under way; once more: at once");
});
try {
	process.exit(await main(process.argv.slice(2), process.env, screen, ending));
} catch (error) {
	screen.error(messageOf(error));
	process.exit(1);
}
