// The journal in a terminal: as JSON lines, or as people read it.
import type { JournalLine, JournalSink } from "../tick/world.ts";

/** Told every look: in Azure they are the heartbeat, in a terminal they are noise. */
const heartbeats: readonly string[] = ["round.started", "round.ended", "tick.ended"];

function text(value: unknown): string {
	return typeof value === "string" && value !== "" ? value : "";
}

export function forPeople(line: JournalLine, at: Date): string {
	const where = [text(line.cluster), text(line.node)].filter((each) => each !== "").join("/");
	const mark = line.level === "error" ? "ERROR " : line.level === "warning" ? "! " : "";
	return `${at.toISOString().slice(11, 19)}  ${where.padEnd(24)} ${mark}${line.message}`;
}

export function terminalJournal(json: boolean, write: (line: string) => void): JournalSink {
	return {
		write(line) {
			const at = new Date();
			if (json) write(JSON.stringify({ at: at.toISOString(), ...line }));
			else if (!heartbeats.includes(line.event)) write(forPeople(line, at));
		},
	};
}
