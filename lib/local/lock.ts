// What one process of a folder may do at a time: starting what runs beside it, joining it, and stopping it.
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { alive } from "./processes.ts";

/** Longer than anything that is done under a lock: its process may be gone, and its id another's. */
const longestMs = 6 * 60_000;
const retryMs = 50;

/**
 * Does something while no other process does anything under that file. Who holds it is waited for; from a process that is gone it is taken.
 * Rejects with the reason of `stop` when that is aborted before.
 */
export async function alone<T>(file: string, work: () => Promise<T>, stop?: AbortSignal): Promise<T> {
	while (!isTaken(file)) {
		stop?.throwIfAborted();
		await wait(retryMs);
	}
	try {
		return await work();
	} finally {
		rmSync(file, { force: true });
	}
}

/** By a link: the file is there with its content, or not at all. */
function isTaken(file: string): boolean {
	const own = `${file}.${process.pid}`;
	writeFileSync(own, String(process.pid));
	try {
		linkSync(own, file);
		return true;
	} catch (error) {
		if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
		if (isForsaken(file)) takeAway(file);
		return false;
	} finally {
		rmSync(own, { force: true });
	}
}

function isForsaken(file: string): boolean {
	try {
		return !alive(Number(readFileSync(file, "utf8"))) || Date.now() - statSync(file).mtimeMs > longestMs;
	} catch {
		// It has just been given back.
		return false;
	}
}

/** Two may come to take it from the same dead process: the later of them must not take it from the earlier. */
function takeAway(file: string): void {
	const taken = `${file}.${process.pid}.taken`;
	try {
		renameSync(file, taken);
		if (!isForsaken(taken)) linkSync(taken, file);
	} catch {
		// Somebody else was faster.
	}
	rmSync(taken, { force: true });
}
