// One bug as one textual edit of lib/.

export type Promised = "S1" | "S2" | "S3" | "S4" | "S5" | "S6" | "S7" | "S8" | "S9" | "S10" | "S11" | "L1" | "L2" | "L3";
export const safety: readonly Promised[] = ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11"];

export interface Edit {
	/** What is lost by it, as a name for the command line. */
	readonly name: string;
	/** What it breaks. (Which checker sees it first is another matter: one look later the same bug may break something else.) */
	readonly breaks: Promised;
	/** Below lib/. */
	readonly file: string;
	/** Stands in the file exactly once. */
	readonly old: string;
	readonly new: string;
}

/** @throws Error unless the old text stands in the file exactly once: a list that has rotted proves nothing. */
export function applied({ name, file, old, new: planted }: Edit, text: string): string {
	const times = text.split(old).length - 1;
	if (times !== 1) throw new Error(`planting ${name} in lib/${file}: its text stands there ${times} times, expected once: ${JSON.stringify(old)}`);
	return text.replace(old, () => planted);
}
