// What a cluster's partition holds, read whole at the beginning of a tick, and the writes that a plan makes of it.
import type { Control, EndedReboot, Instant, NodeMemory, Reboot } from "../plan/model.ts";
import type { Plan } from "../plan/plan.ts";
import {
	controlKey,
	controlOf,
	controlValues,
	historyKey,
	historyValues,
	hotBefore,
	isMemoryKey,
	isRecordKey,
	memoryOfRow,
	memoryRows,
	recordKey,
	recordOf,
	recordValues,
	textOf,
} from "./rows.ts";
import type { Row, RowWrite, Table } from "./world.ts";

export interface Ledger {
	readonly at: Instant;
	readonly rows: readonly Row[];
	readonly records: readonly Reboot[];
	readonly unreadable: readonly { readonly key: string; readonly why: string }[];
	readonly memory: readonly NodeMemory[];
	/** Null: it is there and cannot be read, and nothing is begun. */
	readonly control: Control | null;
	/** ETags by key, kept up to date by every write. */
	readonly etags: Map<string, string>;
}

export async function readLedger(table: Table, partition: string): Promise<Ledger> {
	const { rows, at } = await table.query(partition, { before: hotBefore });
	const records: Reboot[] = [];
	const unreadable: { key: string; why: string }[] = [];
	const memory: NodeMemory[] = [];
	let control: Control | null = { holds: [] };
	for (const row of rows) {
		if (isMemoryKey(row.key)) memory.push(...memoryOfRow(row.values));
		else if (row.key === controlKey) control = controlOf(row.values);
		else if (isRecordKey(row.key)) {
			const read = recordOf(row);
			if (read.kind === "record") records.push(read.reboot);
			else unreadable.push({ key: row.key, why: read.why });
		}
	}
	return { at, rows, records, unreadable, memory, control, etags: new Map(rows.map((row) => [row.key, row.etag])) };
}

function put(ledger: Ledger, key: string, values: Row["values"]): RowWrite {
	const etag = ledger.etags.get(key);
	return etag === undefined ? { kind: "insert", key, values } : { kind: "replace", key, values, etag };
}

function recordWrite(ledger: Ledger, reboot: Reboot): RowWrite {
	return put(ledger, recordKey(reboot.id), recordValues(reboot));
}

function endWrites(ledger: Ledger, ended: EndedReboot): readonly RowWrite[] {
	const key = recordKey(ended.reboot.id);
	const etag = ledger.etags.get(key);
	return [{ kind: "insert", key: historyKey(ended), values: historyValues(ended) }, ...(etag === undefined ? [] : [{ kind: "delete" as const, key, etag }])];
}

/** The rows of the memory that changed; those that are no longer needed go. */
function memoryWrites(ledger: Ledger, memory: readonly NodeMemory[]): readonly RowWrite[] {
	const next = memoryRows(memory);
	const before = new Map(ledger.rows.filter((row) => isMemoryKey(row.key)).map((row) => [row.key, row]));
	const changed = [...next].filter(([key, values]) => textOf(before.get(key)?.values ?? {}, "json") !== textOf(values, "json"));
	const over = [...before.values()].filter((row) => !next.has(row.key));
	return [
		...changed.map(([key, values]) => put(ledger, key, values)),
		...over.map(({ key, etag }) => ({ kind: "delete" as const, key, etag: ledger.etags.get(key) ?? etag })),
	];
}

/**
 * What recovery writes: the memory where it changed, records that moved or ended, adoptions. Each is whole by itself, should they not fit
 * into one transaction; the memory is first, since what ended is forgotten with its record.
 */
export function recoveryWrites(ledger: Ledger, plan: Plan): readonly (readonly RowWrite[])[] {
	const endedIds = new Set(plan.ended.map((each) => each.reboot.id));
	const moved = plan.steps.filter(({ before, reboot }) => before !== reboot && !endedIds.has(reboot.id)).map(({ reboot }) => [recordWrite(ledger, reboot)]);
	return [
		...memoryWrites(ledger, plan.memory).map((each) => [each]),
		...plan.ended.map((each) => endWrites(ledger, each)),
		...moved,
		...plan.adopted.map((each) => [recordWrite(ledger, each)]),
	];
}

/** Writes in one transaction, the lease's own aside: the service takes 100, and 4 MiB. */
const writesAtOnce = 90;
const bytesAtOnce = 3 * 1024 * 1024;

/** As few transactions as hold them, in their order; what belongs together is never torn apart. */
export function transactionsOf(together: readonly (readonly RowWrite[])[]): readonly (readonly RowWrite[])[] {
	const transactions: RowWrite[][] = [];
	let bytes = 0;
	for (const writes of together) {
		const size = writes.reduce((sum, each) => sum + (each.kind === "delete" ? 0 : Buffer.byteLength(JSON.stringify(each.values))), 0);
		const last = transactions.at(-1);
		if (last === undefined || last.length + writes.length > writesAtOnce || bytes + size > bytesAtOnce) {
			transactions.push([...writes]);
			bytes = size;
		} else {
			last.push(...writes);
			bytes += size;
		}
	}
	return transactions;
}

/** How many are admitted in one transaction, and so how many in one look. */
export const admittedAtOnce = 80;

/** An admission carries the ETag of what people asked for (and makes the row where there is none): a hold that came in between wins. */
export function admissionWrites(ledger: Ledger, admitted: readonly Reboot[]): readonly RowWrite[] {
	return [put(ledger, controlKey, controlValues(ledger.control ?? { holds: [] })), ...admitted.map((each) => recordWrite(ledger, each))];
}

/** Records that acts have changed. */
export function changedWrites(ledger: Ledger, changed: readonly Reboot[]): readonly (readonly RowWrite[])[] {
	return changed.map((each) => [recordWrite(ledger, each)]);
}
