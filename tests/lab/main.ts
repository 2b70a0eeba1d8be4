// A fleet on one machine, as a process of its own: the scheduler is another, and either can be killed alone.
//   node tests/lab/main.ts --folder DIR [--clusters N] [--nodes N] [--fast] [--real]
// Prints one line of JSON once all is up (see `Ready`), and keeps it in DIR/lab.json while it runs.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type LabArguments, readArguments } from "./arguments.ts";
import { whenForsaken } from "./forsaken.ts";
import { type Lab, type Ready, startLab } from "./lab.ts";
import { writePrivately } from "./state.ts";

/** What happened since is lost when we are killed: to a scheduler the fleet goes back in time, so it had better be little. */
const saveEveryMs = 250;
/** Of a large fleet it takes long to write everything: at most so much of the time. */
const savingShare = 0.05;
/** Without a request of a scheduler to Azure: each asks it every minute while a node waits, and updates come again and again. */
const forsakenMs = 10 * 60_000;

function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

function tell(line: string): void {
	process.stderr.write(`lab: ${line.replaceAll(/\s+/g, " ")}\n`);
}

function alive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

function refuseSecond(file: string): void {
	if (!existsSync(file)) return;
	const running = JSON.parse(readFileSync(file, "utf8")) as Ready;
	if (running.process !== process.pid && alive(running.process)) throw new Error(`${file}: a lab is running there already, process ${running.process}`);
}

function save(lab: Lab): void {
	try {
		lab.save();
	} catch (error) {
		tell(`saving the fleet: ${messageOf(error)}`);
	}
}

function saveRegularly(lab: Lab): void {
	const startedAt = performance.now();
	save(lab);
	const tookMs = performance.now() - startedAt;
	setTimeout(() => saveRegularly(lab), Math.max(saveEveryMs, tookMs / savingShare));
}

async function main(args: LabArguments): Promise<void> {
	const note = join(args.folder, "lab.json");
	refuseSecond(note);
	let lab: Lab | null = null;
	const end = (): never => {
		if (lab !== null) {
			save(lab);
			rmSync(note, { force: true });
		}
		// Servers, machines and real control planes end with the process.
		process.exit(0);
	};
	process.once("SIGTERM", end).once("SIGINT", end);
	const started = await startLab(args, tell);
	lab = started;
	saveRegularly(lab);
	const ready = JSON.stringify(lab.ready);
	writePrivately(note, ready);
	process.stdout.write(`${ready}\n`);
	whenForsaken(() => started.requests(), forsakenMs, end);
}

// Whoever started it may be gone: nobody reads then, and the fleet goes on.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
process.on("uncaughtException", (error) => {
	tell(messageOf(error));
	process.exit(1);
});

try {
	await main(readArguments(process.argv.slice(2)));
} catch (error) {
	tell(messageOf(error));
	process.exit(1);
}
