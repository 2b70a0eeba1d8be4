// Azurite as the local table: started for a data folder, joined when a killed run left one behind, stopped by the last that uses it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The emulator's account and key are public: https://learn.microsoft.com/azure/storage/common/storage-use-azurite */
const account = "devstoreaccount1";
export const devKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const usualPort = 10_002;
const startMs = 60_000;
/** For one that is there and does not answer: it is still starting, or on its way out. */
const joinMs = 20_000;
/** It writes its data every 5 s, and at SIGINT (not at SIGTERM: https://github.com/Azure/Azurite, src/table/main.ts). */
const stopMs = 20_000;

export interface LocalTable {
	readonly connectionString: string;
	/** What a person should know of how it was found. */
	readonly note: string;
	/** Resolves once its data is written, so that the next run finds all of it. */
	stop(): Promise<void>;
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

function alive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
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

/** The table of a data folder. Two schedulers in one folder share one Azurite: the data can be opened once only. */
export async function localTable(folder: string): Promise<LocalTable> {
	mkdirSync(folder, { recursive: true });
	const file = join(folder, "azurite.json");
	const found = readNote(file);
	if (found !== null && (await answers(found))) return joined(file, found);
	const port = (await free(usualPort)) ? usualPort : await anyPort();
	const child = launch(folder, port);
	if (child.pid === undefined) throw new Error(`starting Azurite with ${process.execPath}: it could not be started`);
	const note: Note = { azurite: child.pid, port, schedulers: [process.pid] };
	// Before it answers: a run that is killed now leaves it behind, and the data can be opened once only.
	writeFileSync(file, JSON.stringify(note));
	await untilItAnswers(child, port, folder);
	const moved = port === usualPort ? "" : ` (port ${usualPort} is taken)`;
	return { connectionString: connectionStringOf(port), note: `table: Azurite on port ${port}${moved}, its data in ${folder}`, stop: () => stop(file, note) };
}

function joined(file: string, found: Note): LocalTable {
	const others = found.schedulers.filter(alive);
	writeFileSync(file, JSON.stringify({ ...found, schedulers: [...others, process.pid] }));
	const whose = others.length === 0 ? "left behind by a killed run" : `shared with process ${others.join(", ")}`;
	return { connectionString: connectionStringOf(found.port), note: `table: Azurite on port ${found.port}, ${whose}`, stop: () => stop(file, found) };
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

/** The last scheduler that the note names stops it: others may still be using it. */
async function stop(file: string, note: Note): Promise<void> {
	const others = (readNote(file)?.schedulers ?? []).filter((pid) => pid !== process.pid && alive(pid));
	if (others.length > 0) {
		writeFileSync(file, JSON.stringify({ ...note, schedulers: others }));
		return;
	}
	const endsAt = Date.now() + stopMs;
	if (alive(note.azurite)) process.kill(note.azurite, "SIGINT");
	while (alive(note.azurite) && Date.now() < endsAt) await wait(20);
	if (alive(note.azurite)) process.kill(note.azurite, "SIGKILL");
	// Only now: a run that begins meanwhile waits for its end.
	rmSync(file, { force: true });
}

function launch(folder: string, port: number): ChildProcess {
	const main = fileURLToPath(new URL("../../node_modules/azurite/dist/src/table/main.js", import.meta.url));
	const place = ["--location", join(folder, "azurite"), "--tableHost", "127.0.0.1", "--tablePort", String(port)];
	// A group of its own: Ctrl-C in the terminal must not take the table away before the last write.
	const child = spawn(process.execPath, [main, ...place, "--skipApiVersionCheck", "--disableTelemetry", "--silent"], { detached: true, stdio: "ignore" });
	child.unref();
	return child;
}

async function untilItAnswers(child: ChildProcess, port: number, folder: string): Promise<void> {
	const endsAt = Date.now() + startMs;
	while (Date.now() < endsAt && child.exitCode === null) {
		if (await isAzurite(port)) return;
		await wait(50);
	}
	throw new Error(`starting Azurite on port ${port} with its data in ${folder}: it does not answer`);
}
