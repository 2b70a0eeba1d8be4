// What a run in a folder tells other commands in that folder, so that they speak of the same fleet: a file in its data folder.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../azure/identity.ts";

export interface RunNote {
	readonly process: number;
	/** Where its pages are. */
	readonly url: string;
	/** What it runs with beyond the environment of whoever reads this: clusters, table, how ARM is reached. Only this machine's own secrets. */
	readonly environment: Environment;
	/** A kubeconfig file, if it was given one. */
	readonly kubeconfig: string | null;
	/** Of a table of its own, by which its scheduler is named; null: the environment names the table. */
	readonly dataFolder: string | null;
	/** PEM of a CA that only this run's parts are signed by. */
	readonly caPem: string | null;
}

function fileOf(folder: string): string {
	return join(folder, "run.json");
}

export function writeRunNote(folder: string, note: RunNote): void {
	mkdirSync(folder, { recursive: true });
	writeFileSync(fileOf(folder), JSON.stringify(note), { mode: 0o600 });
}

/** Null: no run has noted itself there, or the note cannot be read. */
export function readRunNote(folder: string): RunNote | null {
	try {
		const note = JSON.parse(readFileSync(fileOf(folder), "utf8")) as Partial<RunNote>;
		return typeof note.process === "number" && typeof note.url === "string" && typeof note.environment === "object" ? (note as RunNote) : null;
	} catch {
		return null;
	}
}

/** Removes the note of this very process: a later run may have written its own. */
export function removeRunNote(folder: string): void {
	if (readRunNote(folder)?.process === process.pid) rmSync(fileOf(folder), { force: true });
}
