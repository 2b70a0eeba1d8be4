// The table port over the universe's rows.
import type { RowWrite, Table } from "../../../lib/tick/world.ts";
import type { Change } from "../changes.ts";
import type { SchedulerProcess } from "../processes.ts";
import type { MemoryRows } from "../universe/table.ts";

export class SimulatedTable implements Table {
	readonly #process: SchedulerProcess;
	readonly #rows: MemoryRows;
	readonly #emit: (change: Change) => void;

	constructor(process: SchedulerProcess, rows: MemoryRows, emit: (change: Change) => void) {
		this.#process = process;
		this.#rows = rows;
		this.#emit = emit;
	}

	query(partition: string, range: { readonly from?: string; readonly before?: string } = {}) {
		const { calls } = this.#process;
		return calls.call(this.#process, {
			port: "table",
			method: "query",
			target: partition,
			cluster: null,
			write: false,
			doing: `reading ${partition}`,
			apply: () => this.#rows.query(partition, range, calls.now),
			told: ({ rows }) => `${rows.length} rows`,
		});
	}

	transact(partition: string, writes: readonly RowWrite[]) {
		const { calls } = this.#process;
		return calls.call(this.#process, {
			port: "table",
			method: "transact",
			target: partition,
			cluster: null,
			write: true,
			doing: `writing to ${partition}`,
			apply: (late) => {
				const leaseBefore = this.#rows.lease(partition);
				const before = new Map(writes.map(({ key }) => [key, this.#rows.rows(partition).get(key) ?? null]));
				const answer = this.#rows.transact(partition, writes, calls.now);
				this.#emit({ kind: "rowsWritten", by: this.#process, late, table: this.#rows, partition, writes, leaseBefore, before });
				return answer;
			},
			told: () => writes.map((each) => `${each.kind} ${each.key}`).join(", "),
		});
	}
}
