// Table Storage: rows with ETags, the service's clock, and transactions that are whole or nothing.
import type { Instant } from "../../../lib/plan/model.ts";
import { CallError } from "../../../lib/tick/call-error.ts";
import { leaseKey } from "../../../lib/tick/rows.ts";
import type { Row, RowWrite, Table } from "../../../lib/tick/world.ts";

type Query = Awaited<ReturnType<Table["query"]>>;
type Transacted = Awaited<ReturnType<Table["transact"]>>;

/** What the service refuses: https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model */
const most = { writes: 100, propertyChars: 32 * 1024, rowBytes: 1024 * 1024, transactionBytes: 4 * 1024 * 1024 };

export class MemoryRows {
	readonly #partitions = new Map<string, Map<string, Row>>();
	#etags = 0;
	/** A table that was deleted can be made again only after this. */
	#deletedUntil: Instant = 0;
	/** How often it was deleted, or rows of it were. */
	losses: Instant[] = [];

	/** Service clock at `now`; the header tells whole seconds. */
	static date(now: Instant): Instant {
		return Math.floor(now / 1000) * 1000;
	}

	rows(partition: string): ReadonlyMap<string, Row> {
		return this.#partitions.get(partition) ?? new Map();
	}

	partitions(): Iterable<string> {
		return this.#partitions.keys();
	}

	lease(partition: string): { readonly holder: string; readonly fence: number; readonly writtenAt: Instant } | null {
		const row = this.#partitions.get(partition)?.get(leaseKey);
		if (row === undefined) return null;
		return { holder: String(row.values.holder), fence: Number(row.values.fence), writtenAt: row.writtenAt };
	}

	query(partition: string, range: { readonly from?: string; readonly before?: string }, now: Instant): Query {
		this.#alive(now, `reading ${partition}`);
		const rows = [...this.rows(partition).values()]
			.filter(({ key }) => (range.from === undefined || key >= range.from) && (range.before === undefined || key < range.before))
			.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
		return { rows, at: MemoryRows.date(now) };
	}

	transact(partition: string, writes: readonly RowWrite[], now: Instant): Transacted {
		const doing = `writing to ${partition}`;
		this.#alive(now, doing);
		const rows = this.#partitions.get(partition) ?? new Map<string, Row>();
		const tooMuch = beyondLimits(writes);
		if (tooMuch !== null) throw new CallError({ failure: "invalid", doing, answer: tooMuch, status: 400 });
		for (const write of writes) refuse(rows, write, doing);
		this.#partitions.set(partition, rows);
		const etags = writes.map((write) => {
			if (write.kind === "delete") {
				rows.delete(write.key);
				return "";
			}
			const etag = `e${++this.#etags}`;
			rows.set(write.key, { key: write.key, etag, writtenAt: now, values: write.values });
			return etag;
		});
		return { etags, at: MemoryRows.date(now) };
	}

	/** Somebody deletes the table. For a while the service answers TableBeingDeleted. */
	delete(now: Instant, forMs: number): void {
		this.#partitions.clear();
		this.#deletedUntil = now + forMs;
		this.losses.push(now);
	}

	/** The service has done with a deletion. */
	ready(now: Instant): void {
		this.#deletedUntil = Math.min(this.#deletedUntil, now);
	}

	/** Somebody writes or deletes a row by hand. */
	put(partition: string, key: string, values: Row["values"], now: Instant): void {
		const rows = this.#partitions.get(partition) ?? new Map<string, Row>();
		this.#partitions.set(partition, rows);
		rows.set(key, { key, etag: `e${++this.#etags}`, writtenAt: now, values });
	}

	drop(partition: string, key: string, now: Instant): void {
		if (this.#partitions.get(partition)?.delete(key)) this.losses.push(now);
	}

	#alive(now: Instant, doing: string): void {
		if (now < this.#deletedUntil) throw new CallError({ failure: "serverError", doing, answer: "409 TableBeingDeleted", status: 409 });
	}
}

function refuse(rows: ReadonlyMap<string, Row>, write: RowWrite, doing: string): void {
	const row = rows.get(write.key);
	if (write.kind === "insert" && row !== undefined) throw new CallError({ failure: "conflict", doing, answer: `${write.key} exists`, status: 409 });
	if (write.kind !== "insert" && row === undefined) throw new CallError({ failure: "notFound", doing, answer: `no ${write.key}`, status: 404 });
	// If-Match: * is no precondition.
	if (write.kind !== "insert" && write.etag !== "*" && row?.etag !== write.etag) {
		throw new CallError({ failure: "precondition", doing, answer: `${write.key} was written since`, status: 412 });
	}
}

function beyondLimits(writes: readonly RowWrite[]): string | null {
	if (writes.length > most.writes) return `${writes.length} writes in one transaction`;
	if (new Set(writes.map((each) => each.key)).size < writes.length) return "a row is written twice in one transaction";
	let bytes = 0;
	for (const write of writes) {
		if (write.kind === "delete") continue;
		let ofRow = 0;
		for (const value of Object.values(write.values)) {
			const chars = typeof value === "string" ? value.length : 8;
			if (chars > most.propertyChars) return `a property of ${write.key} is too long`;
			ofRow += 2 * chars;
		}
		if (ofRow > most.rowBytes) return `row ${write.key} is larger than 1 MiB`;
		bytes += ofRow;
	}
	return bytes > most.transactionBytes ? "the transaction is larger than 4 MiB" : null;
}
