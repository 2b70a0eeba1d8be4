// Azurite as the local table: started for a data folder, joined when a killed run left one behind, stopped by the last that uses it.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Started } from "./ending.ts";
import { alone } from "./lock.ts";
import { alive, endProcess, whose } from "./processes.ts";

/** The emulator's account and key are public: https://learn.microsoft.com/azure/storage/common/storage-use-azurite */
const account = "devstoreaccount1";
export const devKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const usualPort = 10_002;
const noteName = "azurite.json";
const startMs = 60_000;
/** For one that is there and does not answer: it is still starting, or on its way out. */
const joinMs = 20_000;
/** It writes its data every 5 s, and at SIGINT (not at SIGTERM: https://github.com/Azure/Azurite, src/table/main.ts). */
const stopMs = 20_000;

export interface LocalTable extends Started {
	readonly connectionString: string;
	/** What a person should know of how it was found. */
	readonly note: string;
}

interface Note {
	readonly azurite: number;
	readonly port: number;
	/** Who uses it; the last one stops it. */
	readonly schedulers: readonly number[];
}

/** Connects to an Azurite on this machine. */
export function connectionStringOf(port: number): string {
	return `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${devKey};TableEndpoint=http://127.0.0.1:${port}/${account};`;
}

async function isAzurite(port: number): Promise<boolean> {
	try {
		const response = await fetch(`http://127.0.0.1:${port}/${account}/Tables`, { signal: AbortSignal.timeout(2_000) });
		return (response.headers.get("server") ?? "").startsWith("Azurite-Table");
	} catch {
		return false;
	}
}

function readNote(file: string): Note | null {
	try {
		const note = JSON.parse(readFileSync(file, "utf8")) as Partial<Note>;
		return typeof note.azurite === "number" && typeof note.port === "number" && Array.isArray(note.schedulers) ? (note as Note) : null;
	} catch {
		return null;
	}
}

async function free(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});
}

async function anyPort(): Promise<number> {
	return new Promise((resolve, reject) => {
		const server = createServer();
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () => {
			const address = server.address();
			server.close(() => (address === null || typeof address === "string" ? reject(new Error("finding a free port: there is none")) : resolve(address.port)));
		});
	});
}

/**
 * The table of a data folder. Two schedulers in one folder share one Azurite: the data can be opened once only. Rejects with the reason of
 * `stop`, and nothing started, when that is aborted before it answers.
 */
export async function localTable(folder: string, stop: AbortSignal): Promise<LocalTable> {
	mkdirSync(folder, { recursive: true });
	return await alone(lockOf(folder), () => startedOrJoined(folder, stop), stop);
}

async function startedOrJoined(folder: string, stop: AbortSignal): Promise<LocalTable> {
	const file = join(folder, noteName);
	const found = readNote(file);
	if (found !== null && (await answers(found))) return joined(file, found);
	const usual = (await free(usualPort)) ? await startOn(usualPort, folder, stop) : null;
	const table = usual ?? (await startOn(await anyPort(), folder, stop));
	if (table === null) throw new Error(`starting Azurite with its data in ${folder}: it ended: ${lastWords(folder)}`);
	return table;
}

/** Null: it ended by itself, as where somebody else took the port in between. */
async function startOn(port: number, folder: string, stop: AbortSignal): Promise<LocalTable | null> {
	const child = launch(folder, port);
	if (child.pid === undefined) throw new Error(`starting Azurite with ${process.execPath}: it could not be started`);
	const file = join(folder, noteName);
	const note: Note = { azurite: child.pid, port, schedulers: [process.pid] };
	// Before it answers: a run that is killed now leaves it behind, and the data can be opened once only.
	writeFileSync(file, JSON.stringify(note));
	const table = tableOf(file, note, `table: Azurite on port ${port}${port === usualPort ? "" : ` (port ${usualPort} is taken)`}, its data in ${folder}`);
	let started = false;
	try {
		started = await hasStarted(child, port, folder, stop);
	} finally {
		// Under the lock already.
		if (!started) await stopAzurite(file, note);
	}
	return started ? table : null;
}

function tableOf(file: string, azurite: Note, note: string): LocalTable {
	return {
		connectionString: connectionStringOf(azurite.port),
		note,
		stop: () => alone(lockOf(dirname(file)), () => stopAzurite(file, azurite)),
		abandon() {
			if (othersOf(file).length === 0 && alive(azurite.azurite)) process.kill(azurite.azurite, "SIGINT");
		},
	};
}

function lockOf(folder: string): string {
	return join(folder, "azurite.lock");
}

function joined(file: string, found: Note): LocalTable {
	const others = found.schedulers.filter(alive);
	writeFileSync(file, JSON.stringify({ ...found, schedulers: [...others, process.pid] }));
	return tableOf(file, found, `table: Azurite on port ${found.port}, ${whose(others)}`);
}

/** Whether the Azurite of a note is there, also one that is still starting. One that is on its way out is waited for. */
async function answers(note: Note): Promise<boolean> {
	const endsAt = Date.now() + joinMs;
	while (alive(note.azurite)) {
		if (await isAzurite(note.port)) return true;
		if (Date.now() > endsAt) return false;
		await wait(50);
	}
	return false;
}

function othersOf(file: string): readonly number[] {
	return (readNote(file)?.schedulers ?? []).filter((pid) => pid !== process.pid && alive(pid));
}

/** The last scheduler that the note names stops it: others may still be using it. */
async function stopAzurite(file: string, note: Note): Promise<void> {
	const others = othersOf(file);
	if (others.length > 0) {
		writeFileSync(file, JSON.stringify({ ...note, schedulers: others }));
		return;
	}
	await endProcess(note.azurite, "SIGINT", stopMs);
	// Only now: a run that begins meanwhile waits for its end.
	rmSync(file, { force: true });
}

function launch(folder: string, port: number): ChildProcess {
	const main = fileURLToPath(new URL("../../node_modules/azurite/dist/src/table/main.js", import.meta.url));
	const place = ["--location", join(folder, "azurite"), "--tableHost", "127.0.0.1", "--tablePort", String(port)];
	// A group of its own: Ctrl-C in the terminal must not take the table away before the last write.
	// A pipe would break when this process is killed, and it goes on.
	const said = openSync(saidIn(folder), "w");
	const args = [main, ...place, "--skipApiVersionCheck", "--disableTelemetry", "--silent"];
	const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", said, said] });
	closeSync(said);
	child.unref();
	return child;
}

function saidIn(folder: string): string {
	return join(folder, "azurite.out");
}

function lastWords(folder: string): string {
	return readFileSync(saidIn(folder), "utf8").trim().split("\n").slice(-3).join(" ");
}

/** By its own word: an Azurite that answers on that port may be another run's, with another fleet's records. False: it ended. */
async function hasStarted(child: ChildProcess, port: number, folder: string, stop: AbortSignal): Promise<boolean> {
	const endsAt = Date.now() + startMs;
	while (child.exitCode === null && child.signalCode === null) {
		stop.throwIfAborted();
		if (readFileSync(saidIn(folder), "utf8").includes("successfully started")) return true;
		if (Date.now() > endsAt) throw new Error(`starting Azurite on port ${port} with its data in ${folder}: it does not answer`);
		await wait(50);
	}
	stop.throwIfAborted();
	return false;
}
