// The lock on a cluster: one row with holder and fence. Every write goes through it in one transaction with the row's ETag, so that a
// worker whose lease has passed on cannot write. It is left to run out, never given back; its row is never deleted.
import { isDeepStrictEqual } from "node:util";
import type { Instant } from "../plan/model.ts";
import { CallError, isWriteConflict } from "./call-error.ts";
import { hotBefore, type LeaseRow, leaseKey, leaseOf, leaseValues } from "./rows.ts";
import type { Clock, Ids, Row, RowWrite, Table } from "./world.ts";

export const leaseMs = 15_000;
/** Renewed at least this often: every act takes 10 s at most, and so ends before the lease does. */
export const renewEveryMs = 5_000;

/** Renewals in a row that came too late; after them it is left to the next look. */
const renewalsMost = 3;
/** Beyond this what was decided is not done any more: the node may be somebody else's by now, and an eviction would not notice. */
export const decisionLastsMs = 60_000;
/** The same of what was seen: a look whose worker stood still in the middle of it knows of a node that is gone, and of its successor's pods. */
export const lookLastsMs = 2 * 60_000;

export type Commit =
	| { readonly kind: "written"; readonly etags: ReadonlyMap<string, string>; readonly at: Instant }
	/** Somebody else wrote another of the rows first: nothing was written, and the lease is still ours. */
	| { readonly kind: "overtaken"; readonly why: string }
	/** The lease is not ours (any more), or that is not known: stop. */
	| { readonly kind: "lost"; readonly why: string };

export type Take =
	| { readonly kind: "held"; readonly lease: Lease }
	| { readonly kind: "heldByOther"; readonly holder: string; readonly forMs: number }
	| { readonly kind: "lost"; readonly why: string };

export interface LeasePorts {
	readonly table: Table;
	readonly clock: Clock;
	readonly ids: Ids;
}

/**
 * Takes or renews the lease on a partition whose rows were just read. Success also proves that no row of it was written since.
 * Age is judged by the service's clock on both sides: when it wrote the row, and when it answered.
 * `fenceFloor`: the highest fence seen elsewhere (the `fleet` row), should somebody have deleted the row all the same.
 */
export async function takeLease(
	ports: LeasePorts,
	partition: string,
	worker: string,
	read: { readonly rows: readonly Row[]; readonly at: Instant },
	fenceFloor = 0,
): Promise<Take> {
	const row = read.rows.find((each) => each.key === leaseKey);
	const before = row === undefined ? null : leaseOf(row.values);
	if (row !== undefined && before !== null && before.holder !== worker && read.at - row.writtenAt < leaseMs) {
		return { kind: "heldByOther", holder: before.holder, forMs: leaseMs - (read.at - row.writtenAt) };
	}
	const fence = before !== null && before.holder === worker ? before.fence : Math.max(fenceFloor, before?.fence ?? 0) + 1;
	const lease = new Lease(ports, partition, { holder: worker, fence, writeId: "", lookedAt: before?.lookedAt ?? null }, row?.etag ?? null, read.at);
	const taken = await lease.commit([]);
	return taken.kind === "written" ? { kind: "held", lease } : { kind: "lost", why: taken.why };
}

export class Lease {
	readonly #ports: LeasePorts;
	readonly #partition: string;
	#row: LeaseRow;
	#etag: string | null;
	#lost: string | null = null;
	#renewedAt: number;
	/** The service's clock at a moment of ours. */
	#service: { readonly at: Instant; readonly local: number };
	/** Writes go one by one: each needs the ETag of the one before. */
	#queue: Promise<unknown> = Promise.resolve();

	constructor(ports: LeasePorts, partition: string, row: LeaseRow, etag: string | null, at: Instant) {
		this.#ports = ports;
		this.#partition = partition;
		this.#row = row;
		this.#etag = etag;
		this.#renewedAt = ports.clock.now();
		this.#service = { at, local: ports.clock.now() };
	}

	get fence(): number {
		return this.#row.fence;
	}

	/** Why it is lost; null: as far as is known it is held. */
	get lost(): string | null {
		return this.#lost;
	}

	/** The last successful look before this tick. */
	get lookedAt(): Instant | null {
		return this.#row.lookedAt;
	}

	/** The service's clock, as far as it is known here. Never goes back. */
	now(): Instant {
		return this.#service.at + Math.max(0, this.#ports.clock.now() - this.#service.local);
	}

	/** To be written with the next write: the look succeeded. */
	looked(at: Instant): void {
		this.#row = { ...this.#row, lookedAt: at };
	}

	/** All of the writes with the lease, or none. */
	commit(writes: readonly RowWrite[]): Promise<Commit> {
		const result = this.#queue.then(() => this.#write(writes));
		this.#queue = result.catch(() => undefined);
		return result;
	}

	/** Renews the lease where it is due; false when it is lost, or cannot be renewed in time, and nothing more may be done. */
	async hold(): Promise<boolean> {
		const fresh = () => this.#lost === null && this.#ports.clock.now() - this.#renewedAt < renewEveryMs;
		// A renewal that took its time, or whose answer was lost, is old when it is known: what is done under it would outlast the lease.
		for (let tries = 0; tries < renewalsMost && !fresh(); tries++) {
			if (this.#lost !== null || (await this.commit([])).kind === "lost") return false;
		}
		return fresh();
	}

	/** `hold`, for an act that was decided on at that instant, by what was seen since `lookedAt`: a worker that stood still leaves it to a fresh look. */
	async holdFor(decidedAt: Instant): Promise<boolean> {
		if (!(await this.hold())) return false;
		const now = this.now();
		return now - decidedAt < decisionLastsMs && now - (this.lookedAt ?? decidedAt) < lookLastsMs;
	}

	/** Keeps the lease while something takes long. */
	async keepWhile<T>(work: Promise<T>): Promise<T> {
		const done = new AbortController();
		const keeping = (async () => {
			while (!done.signal.aborted) {
				await this.#ports.clock.wait(renewEveryMs, done.signal);
				if (!done.signal.aborted && !(await this.hold().catch(() => false))) return;
			}
		})();
		try {
			return await work;
		} finally {
			// With a reason of its own: the default one is an error with a stack, and nobody reads it.
			done.abort(null);
			await keeping;
		}
	}

	async #write(writes: readonly RowWrite[]): Promise<Commit> {
		if (this.#lost !== null) return { kind: "lost", why: this.#lost };
		const writeId = this.#ports.ids.next();
		const row = { ...this.#row, writeId };
		const values = leaseValues(row);
		const own: RowWrite = this.#etag === null ? { kind: "insert", key: leaseKey, values } : { kind: "replace", key: leaseKey, values, etag: this.#etag };
		const all = [own, ...writes];
		const sentAt = this.#ports.clock.now();
		try {
			const { etags, at } = await this.#ports.table.transact(this.#partition, all);
			return this.#written(row, sentAt, new Map(all.map((write, i) => [write.key, etags[i] ?? ""])), at);
		} catch (error) {
			if (!(error instanceof CallError)) throw error;
			if (!isWriteConflict(error) && !error.mayHaveApplied) throw error;
			return this.#readBack(row, sentAt, all, error);
		}
	}

	/** After a conflict or an unknown result only the row itself tells: our writeId there means that it was ours. */
	async #readBack(row: LeaseRow, sentAt: number, writes: readonly RowWrite[], error: CallError): Promise<Commit> {
		const { rows, at } = await this.#ports.table.query(this.#partition, { before: hotBefore });
		const found = rows.find((each) => each.key === leaseKey);
		if (found !== undefined && leaseOf(found.values).writeId === row.writeId) {
			// Only of rows that say what we wrote: one that was written again since is somebody else's word, and not to be replaced unseen.
			const wrote = new Map(writes.flatMap((write) => (write.kind === "delete" ? [] : [[write.key, write.values]])));
			const ours = rows.filter(({ key, values }) => isDeepStrictEqual(values, wrote.get(key)));
			return this.#written(row, sentAt, new Map(ours.map(({ key, etag }) => [key, etag])), at);
		}
		// A definite no, and the lease's row is as we left it: what was written by others is another one.
		const overtaken = !error.mayHaveApplied && writes.length > 1 && found !== undefined && found.etag === this.#etag;
		if (overtaken) return { kind: "overtaken", why: error.message };
		this.#lost = error.message;
		return { kind: "lost", why: error.message };
	}

	#written(row: LeaseRow, sentAt: number, etags: ReadonlyMap<string, string>, at: Instant): Commit {
		this.#row = row;
		this.#etag = etags.get(leaseKey) ?? this.#etag;
		this.#renewedAt = sentAt;
		const local = this.#ports.clock.now();
		// The service tells whole seconds: its clock as we count it on never goes back.
		this.#service = { at: Math.max(at, this.now()), local };
		return { kind: "written", etags, at };
	}
}
