// `npm run doctor`: what is missing before nodes can be rebooted.
import { resolve } from "node:path";
import { configurationOf, doctorWorldOf, wire } from "../../functions/world.ts";
import type { Environment } from "../azure/identity.ts";
import { examine } from "../doctor/doctor.ts";
import { type Diagnosis, jsonOf, standingOf } from "../doctor/findings.ts";
import { messageOf } from "../tick/call-error.ts";
import { addressed } from "./addressed.ts";
import { localTable } from "./azurite.ts";
import { type DoctorArguments, doctorUsage, parseDoctorArguments } from "./doctor-arguments.ts";
import { doctorLines } from "./doctor-lines.ts";
import { Ending } from "./ending.ts";
import { isTableGiven, useEnvironment } from "./environment.ts";
import { stoppedExitCode } from "./run.ts";
import { paintOf, Screen } from "./screen.ts";

/** All is good. */
const allGood = 0;
const notAllGood = 1;
/** Also of the arguments. */
const wrongSettings = 2;

/** Where `npm start` in this folder keeps its table. */
const ownFolder = resolve(".local");

interface Patient {
	readonly env: Environment;
	readonly kubeconfig: string | null;
	/** By which a scheduler with a table of this machine is named; null: it has none. */
	readonly dataFolder: string | null;
	/** Of the Resource Manager, where it is one of this machine. */
	readonly caPem: string | null;
}

/** Null: no scheduler is known. */
function patientOf({ kubeconfig, contexts }: DoctorArguments, given: Environment): Patient | null {
	if (contexts.length > 0)
		return { env: { ...given, CLUSTERS: contexts.map((each) => `kubeconfig:${each}`).join(";") }, kubeconfig, dataFolder: null, caPem: null };
	const found = addressed(given);
	if (found !== null) {
		const { kubeconfig: noted = null, dataFolder = null, caPem = null } = found.note ?? {};
		return { env: found.env, kubeconfig: kubeconfig ?? noted, dataFolder, caPem };
	}
	return given.CLUSTERS?.trim() ? { env: given, kubeconfig, dataFolder: null, caPem: null } : null;
}

async function diagnosed({ env: given, kubeconfig, dataFolder: noted, caPem }: Patient, cluster: string | null, ending: Ending): Promise<Diagnosis | null> {
	useEnvironment(given);
	const configuration = configurationOf(given);
	const { stateTable } = configuration;
	const table = isTableGiven(given) ? null : ending.add(await localTable(ownFolder, ending.signal));
	const dataFolder = table === null ? noted : ownFolder;
	const env = table === null ? given : { ...given, AzureWebJobsStorage: table.connectionString };
	const wired = () => {
		if (stateTable === null) throw new Error("STATE_TABLE is wrong: there is no table to work with");
		return wire(env, stateTable, {
			journal: { write() {} },
			...(dataFolder === null ? {} : { dataFolder }),
			...(kubeconfig === null ? {} : { kubeconfig }),
			...(caPem === null ? {} : { arm: { armCaPem: caPem } }),
		});
	};
	return await examine({ configuration, world: () => doctorWorldOf(wired()), cluster });
}

function exitCodeOf(diagnosis: Diagnosis): number {
	if (diagnosis.scheduler.some(({ check, standing }) => check === "settings" && standing === "bad")) return wrongSettings;
	return standingOf(diagnosis) === "good" ? allGood : notAllGood;
}

async function main(argv: readonly string[], given: Environment, screen: Screen, ending: Ending): Promise<number> {
	const args = parseDoctorArguments(argv);
	if ("help" in args) {
		screen.line(doctorUsage);
		return allGood;
	}
	if ("problem" in args) {
		screen.error(`${args.problem}\n\n${doctorUsage}`);
		return wrongSettings;
	}
	const patient = patientOf(args, given);
	if (patient === null) {
		screen.error("which scheduler? The environment does not name one (CLUSTERS), --context names no cluster, and none runs in this folder (npm start).");
		return wrongSettings;
	}
	const diagnosis = await diagnosed(patient, args.cluster, ending);
	if (diagnosis === null) {
		screen.error(`--cluster: ${args.cluster}, expected the name of a cluster of CLUSTERS`);
		return wrongSettings;
	}
	const lines = args.json ? [jsonOf(diagnosis)] : doctorLines(diagnosis, screen.columns, paintOf(given, screen.isTerminal));
	for (const line of lines) screen.line(line);
	return exitCodeOf(diagnosis);
}

const screen = new Screen(process.stdout, process.stderr);
const ending = new Ending(() => process.exit(stoppedExitCode));
ending.signal.addEventListener("abort", () => ending.stopAll().finally(() => process.exit(stoppedExitCode)));
let exitCode = notAllGood;
try {
	exitCode = await main(process.argv.slice(2), process.env, screen, ending);
} catch (error) {
	screen.error(messageOf(error));
} finally {
	await ending.stopAll();
}
process.exit(exitCode);
