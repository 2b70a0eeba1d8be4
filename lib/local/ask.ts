// `npm run hold`, `release`, `reboot`: asks something of a running scheduler, by the table that it reads.
import { hostname, userInfo } from "node:os";
import { configurationOf, wire } from "../../functions/world.ts";
import type { Environment } from "../azure/identity.ts";
import { explainProblem } from "../plan/explain.ts";
import { CallError, messageOf } from "../tick/call-error.ts";
import { carryOut, takesEffect } from "../tick/control.ts";
import type { Refusal } from "../tick/order.ts";
import { addressed } from "./addressed.ts";
import { askUsage, parseAsk } from "./ask-arguments.ts";
import { useEnvironment } from "./environment.ts";
import { alive } from "./processes.ts";

const couldNot = 1;
const wrongArguments = 2;

/** Who sits here, as this machine knows them. */
function who(): string {
	try {
		return `${userInfo().username}@${hostname()}`;
	} catch {
		// A user id without a name, as in some containers.
		return `somebody at ${hostname()}`;
	}
}

function tell(lines: readonly string[], write: (line: string) => void): void {
	for (const line of lines) write(line);
}

async function main(argv: readonly string[], given: Environment): Promise<number> {
	const parsed = parseAsk(argv, who());
	if ("help" in parsed) {
		console.log(askUsage);
		return 0;
	}
	if ("problems" in parsed) {
		tell([...parsed.problems, "", askUsage], console.error);
		return wrongArguments;
	}
	const scheduler = addressed(given);
	if (scheduler === null) {
		console.error("which scheduler? The environment does not name one (CLUSTERS, AzureWebJobsStorage), and none runs in this folder (npm start).");
		return wrongArguments;
	}
	const { env, note } = scheduler;
	const { kubeconfig, caPem } = note ?? { kubeconfig: null, caPem: null };
	useEnvironment(env);
	const { stateTable, clusters, problems } = configurationOf(env);
	if (stateTable === null) {
		tell(problems.map(explainProblem), console.error);
		return couldNot;
	}
	const { world } = wire(env, stateTable, {
		journal: { write() {} },
		...(kubeconfig === null ? {} : { kubeconfig }),
		...(caPem === null ? {} : { arm: { armCaPem: caPem } }),
	});
	const result = await carryOut(world, clusters, parsed.order);
	if (result.kind === "refused") {
		tell(result.why, console.error);
		return exitCodeOf(result);
	}
	const ended = note !== null && !alive(note.process);
	const when = ended ? `once the scheduler of this folder is started again (npm start): process ${note.process} has ended` : takesEffect;
	tell([`${result.cluster}: ${result.told}`, ...result.notes.map((each) => `note: ${each}`), `It takes effect ${when}.`], console.log);
	return 0;
}

function exitCodeOf({ refusal }: Refusal): number {
	return refusal === "wrong" ? wrongArguments : couldNot;
}

try {
	process.exit(await main(process.argv.slice(2), process.env));
} catch (error) {
	const unsure = error instanceof CallError && error.mayHaveApplied ? "it may have been written: " : "it was not written: ";
	console.error(`${unsure}${messageOf(error)}`);
	process.exit(couldNot);
}
