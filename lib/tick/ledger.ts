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
	isRecordKey,
	memoryKey,
	memoryOfRow,
	memoryValues,
	recordKey,
	recordOf,
	recordValues,
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
	let memory: readonly NodeMemory[] = [];
	let control: Control | null = { holds: [] };
	for (const row of rows) {
		if (row.key === memoryKey) memory = memoryOfRow(row.values);
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

/** What recovery writes: records that moved or ended, adoptions, and the memory where it changed. */
export function recoveryWrites(ledger: Ledger, plan: Plan): readonly RowWrite[] {
	const endedIds = new Set(plan.ended.map((each) => each.reboot.id));
	const moved = plan.steps.filter(({ before, reboot }) => before !== reboot && !endedIds.has(reboot.id)).map(({ reboot }) => recordWrite(ledger, reboot));
	const memory = memoryValues(plan.memory);
	const remembered = JSON.stringify(plan.memory) === JSON.stringify(ledger.memory) ? [] : [put(ledger, memoryKey, memory)];
	return [...plan.ended.flatMap((each) => endWrites(ledger, each)), ...moved, ...plan.adopted.map((each) => recordWrite(ledger, each)), ...remembered];
}

/** An admission carries the ETag of what people asked for (and makes the row where there is none): a hold that came in between wins. */
export function admissionWrites(ledger: Ledger, admitted: readonly Reboot[]): readonly RowWrite[] {
	if (admitted.length === 0) return [];
	return [put(ledger, controlKey, controlValues(ledger.control ?? { holds: [] })), ...admitted.map((each) => recordWrite(ledger, each))];
}

/** Records that acts have changed. */
export function changedWrites(ledger: Ledger, changed: readonly Reboot[]): readonly RowWrite[] {
	return changed.map((each) => recordWrite(ledger, each));
}
