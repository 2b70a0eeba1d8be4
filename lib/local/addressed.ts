// Which scheduler a command of its own speaks to or about.
import { resolve } from "node:path";
import type { Environment } from "../azure/identity.ts";
import { isTableGiven } from "./environment.ts";
import { type RunNote, readRunNote } from "./run-note.ts";

export interface Addressed {
	readonly env: Environment;
	/** The run in this folder; null: the environment names a scheduler by itself. */
	readonly note: RunNote | null;
}

/** The one that the environment names, else the one that runs in this folder. Null: no scheduler is known. */
export function addressed(given: Environment): Addressed | null {
	if (given.CLUSTERS?.trim() && isTableGiven(given)) return { env: given, note: null };
	const note = readRunNote(resolve(".local"));
	return note === null ? null : { env: { ...given, ...note.environment }, note };
}
