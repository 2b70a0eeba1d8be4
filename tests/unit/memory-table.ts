// The `Table` port in memory, with the service's semantics and with the troubles that a network adds.
import { CallError } from "../../lib/tick/call-error.ts";
import type { Clock, Row, RowWrite, Table } from "../../lib/tick/world.ts";

/** A clock that stands still until it is told. */
export class StillClock implements Clock {
	time = 1_800_000_000_000;
	now(): number {
		return this.time;
	}
	async wait(ms: number, signal?: AbortSignal): Promise<void> {
		if (signal?.aborted) return;
		this.time += ms;
		// Others get their turn, as they would while time passes.
		await new Promise((resolve) => setImmediate(resolve));
	}
}

export type Trouble =
	/** Applied, and the answer is lost. */
	| "answerLost"
	/** Not applied, and nobody knows. */
	| "requestLost"
	| "unreachable";

export class MemoryTable implements Table {
	readonly partitions = new Map<string, Map<string, Row>>();
	/** Troubles of the next transactions, in order; null: none. */
	readonly troubles: (Trouble | null)[] = [];
	readonly #clock: Clock;
	#etags = 0;
	transactions = 0;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	rows(partition: string): Map<string, Row> {
		const rows = this.partitions.get(partition) ?? new Map<string, Row>();
		this.partitions.set(partition, rows);
		return rows;
	}

	async query(partition: string, range: { readonly from?: string; readonly before?: string } = {}) {
		const rows = [...this.rows(partition).values()]
			.filter(({ key }) => (range.from === undefined || key >= range.from) && (range.before === undefined || key < range.before))
			.sort((a, b) => (a.key < b.key ? -1 : 1));
		return { rows, at: this.#date() };
	}

	async transact(partition: string, writes: readonly RowWrite[]) {
		this.transactions++;
		const doing = `writing to ${partition}`;
		const trouble = this.troubles.shift() ?? null;
		if (trouble === "unreachable") throw new CallError({ failure: "unreachable", doing, answer: "no connection" });
		if (trouble === "requestLost") throw new CallError({ failure: "timedOut", doing, answer: "no answer", mayHaveApplied: true });
		const etags = this.#apply(partition, writes, doing);
		if (trouble === "answerLost") throw new CallError({ failure: "timedOut", doing, answer: "no answer", mayHaveApplied: true });
		return { etags, at: this.#date() };
	}

	/** Whole seconds, as the `date` header. */
	#date(): number {
		return Math.floor(this.#clock.now() / 1000) * 1000;
	}

	#apply(partition: string, writes: readonly RowWrite[], doing: string): readonly string[] {
		const rows = this.rows(partition);
		const tooMuch = beyondLimits(writes);
		if (tooMuch !== null) throw new CallError({ failure: "invalid", doing, answer: tooMuch, status: 400 });
		for (const write of writes) {
			const row = rows.get(write.key);
			if (write.kind === "insert" && row !== undefined) throw new CallError({ failure: "conflict", doing, answer: `${write.key} exists`, status: 409 });
			if (write.kind !== "insert" && row === undefined) throw new CallError({ failure: "notFound", doing, answer: `no ${write.key}`, status: 404 });
			if (write.kind !== "insert" && row?.etag !== write.etag)
				throw new CallError({ failure: "precondition", doing, answer: `${write.key} was written since`, status: 412 });
		}
		return writes.map((write) => {
			if (write.kind === "delete") {
				rows.delete(write.key);
				return "";
			}
			const etag = `e${++this.#etags}`;
			rows.set(write.key, { key: write.key, etag, writtenAt: this.#clock.now(), values: write.values });
			return etag;
		});
	}
}

/** What the service refuses: https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model */
function beyondLimits(writes: readonly RowWrite[]): string | null {
	if (writes.length > 100) return `${writes.length} writes in one transaction`;
	let bytes = 0;
	for (const write of writes) {
		if (write.kind === "delete") continue;
		const texts = Object.values(write.values).map(String);
		if (texts.some((text) => text.length > 32 * 1024)) return `a property of ${write.key} is too long`;
		if (texts.reduce((sum, text) => sum + 2 * text.length, 0) > 1024 * 1024) return `row ${write.key} is larger than 1 MiB`;
		bytes += JSON.stringify(write.values).length;
	}
	return bytes > 4 * 1024 * 1024 ? "the transaction is larger than 4 MiB" : null;
}

export function countingIds(prefix = "id"): { next(): string } {
	let count = 0;
	return { next: () => `${prefix}-${++count}` };
}
