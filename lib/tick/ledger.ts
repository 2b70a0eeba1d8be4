// What a cluster's partition holds, read whole at the beginning of a tick, and the writes that a plan makes of it.
import { type Control, type EndedReboot, type Instant, type NodeMemory, nothingAsked, type Reboot } from "../plan/model.ts";
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
	type ReadRecord,
	recordKey,
	recordOf,
	recordValues,
	textOf,
} from "./rows.ts";
import type { Row, RowWrite, Table } from "./world.ts";

export interface Ledger {
	readonly at: Instant;
	readonly rows: readonly Row[];
	readonly read: RowsRead;
	readonly records: readonly Reboot[];
	readonly unreadable: readonly { readonly key: string; readonly why: string }[];
	readonly memory: readonly NodeMemory[];
	/** Null: it is there and cannot be read, and nothing is begun. Read again where somebody wrote it during the look. */
	control: Control | null;
	/** ETags by key, kept up to date by every write. */
	readonly etags: Map<string, string>;
}

/** What a row says, with the ETag that it had. */
interface RowRead {
	readonly etag: string;
	readonly said:
		| ReadRecord
		| { readonly kind: "memory"; readonly memory: readonly NodeMemory[] }
		| { readonly kind: "control"; readonly control: Control | null }
		| { readonly kind: "lease" };
}

/** What the rows of a partition said, by key. */
export type RowsRead = ReadonlyMap<string, RowRead>;

function readRow(row: Row): RowRead {
	const { key, etag, values } = row;
	if (isMemoryKey(key)) return { etag, said: { kind: "memory", memory: memoryOfRow(values) } };
	if (key === controlKey) return { etag, said: { kind: "control", control: controlOf(values) } };
	return { etag, said: isRecordKey(key) ? recordOf(row) : { kind: "lease" } };
}

/** `last`: what was read before. A row that was not written since is not parsed again: on patch day the memory of a large cluster is megabytes. */
export async function readLedger(table: Table, partition: string, last: RowsRead = new Map()): Promise<Ledger> {
	const { rows, at } = await table.query(partition, { before: hotBefore });
	const read = new Map<string, RowRead>();
	const records: Reboot[] = [];
	const unreadable: { key: string; why: string }[] = [];
	const memory: NodeMemory[] = [];
	let control: Control | null = nothingAsked;
	for (const row of rows) {
		const known = last.get(row.key);
		const of = known?.etag === row.etag ? known : readRow(row);
		read.set(row.key, of);
		if (of.said.kind === "record") records.push(of.said.reboot);
		else if (of.said.kind === "unreadable") unreadable.push({ key: row.key, why: of.said.why });
		else if (of.said.kind === "memory") memory.push(...of.said.memory);
		else if (of.said.kind === "control") control = of.said.control;
	}
	return { at, rows, read, records, unreadable, memory, control, etags: new Map(rows.map((row) => [row.key, row.etag])) };
}

/** Row `control` by itself, as it is now. */
export interface ControlRow {
	readonly at: Instant;
	/** Null: it cannot be read. */
	readonly control: Control | null;
	/** Null: there is none. */
	readonly etag: string | null;
}

export async function readControl(table: Table, partition: string): Promise<ControlRow> {
	const { rows, at } = await table.query(partition, { from: controlKey, before: `${controlKey}\u0000` });
	const row = rows[0];
	return { at, control: row === undefined ? nothingAsked : controlOf(row.values), etag: row?.etag ?? null };
}

/** Somebody wrote the row since the ledger was read. */
export async function readControlAgain(ledger: Ledger, table: Table, partition: string): Promise<void> {
	const { control, etag } = await readControl(table, partition);
	ledger.control = control;
	if (etag === null) ledger.etags.delete(controlKey);
	else ledger.etags.set(controlKey, etag);
}

/** What people asked. What cannot be read is no permission for anything. */
export function controlAt({ control }: Ledger, at: Instant): Control {
	return control ?? { holds: [{ pool: null, node: null, reason: "row control cannot be read", by: "the scheduler", at, until: null }], requests: [] };
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
	// What nothing was learned of is the very entry that was read.
	if (memory.length === ledger.memory.length && memory.every((each, i) => each === ledger.memory[i])) return [];
	const next = memoryRows(memory);
	const before = new Map(ledger.rows.filter((row) => isMemoryKey(row.key)).map((row) => [row.key, row]));
	const changed = [...next].filter(([key, values]) => textOf(before.get(key)?.values ?? {}, "json") !== textOf(values, "json"));
	const over = [...before.values()].filter((row) => !next.has(row.key));
	return [
		...changed.map(([key, values]) => put(ledger, key, values)),
		...over.map(({ key, etag }) => ({ kind: "delete" as const, key, etag: ledger.etags.get(key) ?? etag })),
	];
}

/** With the ETag of what people asked (the row is made where there is none): where somebody asked for more meanwhile, all of it is void. */
function controlWrite(ledger: Ledger, control: Control): RowWrite {
	return put(ledger, controlKey, controlValues(control));
}

/** Requests that are over are taken out; and where a reboot is asked for, a hold that came in between wins, as at the admission. */
function controlWrites(ledger: Ledger, plan: Plan): readonly RowWrite[] {
	const asks = plan.steps.some(({ before, reboot }) => reboot.asks.length > before.asks.length);
	return ledger.control !== null && (plan.finished.length > 0 || asks) ? [controlWrite(ledger, plan.control)] : [];
}

/**
 * What recovery writes: the memory where it changed, what people asked, records that moved or ended, adoptions. Each is whole by itself,
 * should they not fit into one transaction; the memory is first, since what ended is forgotten with its record, and so is its request.
 */
export function recoveryWrites(ledger: Ledger, plan: Plan): readonly (readonly RowWrite[])[] {
	const endedIds = new Set(plan.ended.map((each) => each.reboot.id));
	const moved = plan.steps.filter(({ before, reboot }) => before !== reboot && !endedIds.has(reboot.id)).map(({ reboot }) => [recordWrite(ledger, reboot)]);
	return [
		...memoryWrites(ledger, plan.memory).map((each) => [each]),
		...controlWrites(ledger, plan).map((each) => [each]),
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

/** An admission carries the ETag of what people asked for: a hold that came in between wins. */
export function admissionWrites(ledger: Ledger, control: Control, admitted: readonly Reboot[]): readonly RowWrite[] {
	return [controlWrite(ledger, control), ...admitted.map((each) => recordWrite(ledger, each))];
}

/** Records that acts have changed. */
export function changedWrites(ledger: Ledger, changed: readonly Reboot[]): readonly (readonly RowWrite[])[] {
	return changed.map((each) => [recordWrite(ledger, each)]);
}
