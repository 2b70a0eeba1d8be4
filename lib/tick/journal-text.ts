// A line of the journal as one text.
import type { JournalLine } from "./world.ts";

/** Application Insights keeps 32,768 characters of a message: the rest of a longer line would be lost, and with it all of its JSON. */
const lineChars = 32_000;

/** One line of JSON. Of one that would be too long the lists and texts are cut, and it says so. */
export function journalText(line: JournalLine): string {
	let text = JSON.stringify(line);
	for (let most = 64; text.length > lineChars && most > 0; most /= 2) text = JSON.stringify({ ...line, cut: true }, (_, value: unknown) => cut(value, most));
	return text;
}

function cut(value: unknown, most: number): unknown {
	if (Array.isArray(value)) return value.slice(0, most);
	return typeof value === "string" && value.length > most * 64 ? `${value.slice(0, most * 64)}…` : value;
}
