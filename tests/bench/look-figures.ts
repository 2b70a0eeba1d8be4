// What is read off a look.
import type { Looked } from "./scheduler-process.ts";

export function bytesOf({ traffic }: Looked): number {
	return traffic.receivedBytes + traffic.sentBytes;
}

export function last(looks: readonly Looked[]): Looked {
	const found = looks.at(-1);
	if (found === undefined) throw new Error("no look was made");
	return found;
}

/** The table's transactions; its reads are told beside them. */
export function transactions({ traffic }: Looked): number {
	return traffic.table.filter((line) => line.startsWith("POST")).length;
}

export function assertLooked(looks: readonly Looked[]): void {
	const bad = looks.find(({ result }) => result !== "looked");
	if (bad !== undefined) throw new Error(`a look was none: ${bad.result}`);
}
