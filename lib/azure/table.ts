// Table Storage behind the `Table` port.
import { odata, type TableClient, type TransactionAction } from "@azure/data-tables";
import { CallError } from "../tick/call-error.ts";
import type { Row, RowWrite, Table } from "../tick/world.ts";
import { boundedCall } from "./bounded-call.ts";
import { type CallContext, serviceCode, statusOf, toCallError } from "./failure.ts";
import type { Environment } from "./identity.ts";
import { ownerOf, tableClientOf } from "./table-connection.ts";
import { type Exchange, exchangePolicy } from "./table-exchange.ts";
import { decodeKey, encodeKey } from "./table-keys.ts";
import { checkWrites, toEntityValues, toRow } from "./table-values.ts";

const defaultLimitMs = 10_000;
const readRetries = 2;
const pageSize = 1000;

export interface OpenTableOptions {
	/** Where a local table keeps its data: part of the owner's name. */
	readonly dataFolder?: string;
	/** Time limit of one call with everything in it; 10 s unless told. */
	readonly limitMs?: number;
}

/**
 * The state table, as the app's settings name it, and its name as an owner of clusters. Connects when first used.
 *
 * @throws Error when the settings name no table (never with a key in the message).
 */
export function openTable(env: Environment, tableName: string, options: OpenTableOptions = {}): { readonly table: Table; readonly owner: string } {
	const client = tableClientOf(env, tableName);
	return { table: new AzureTable(client, options.limitMs ?? defaultLimitMs), owner: ownerOf(client, options.dataFolder) };
}

function isTableNotFound(error: unknown): boolean {
	return statusOf(error) === 404 && serviceCode(error) === "TableNotFound";
}

function encoded(write: RowWrite): RowWrite {
	return { ...write, key: encodeKey(write.key) };
}

function toAction(partitionKey: string, write: RowWrite): TransactionAction {
	const keys = { partitionKey, rowKey: write.key };
	switch (write.kind) {
		case "insert":
			return ["create", { ...keys, ...toEntityValues(write.values) }];
		case "replace":
			return ["update", { ...keys, ...toEntityValues(write.values) }, "Replace", { etag: write.etag }];
		case "delete":
			// Its ETag is added by the exchange policy.
			return ["delete", keys];
		default:
			return write satisfies never;
	}
}

function byKey(one: Row, other: Row): number {
	return one.key < other.key ? -1 : one.key > other.key ? 1 : 0;
}

class AzureTable implements Table {
	readonly #client: TableClient;
	readonly #limitMs: number;
	readonly #exchanges = new WeakMap<object, Exchange>();

	constructor(client: TableClient, limitMs: number) {
		this.#client = client;
		this.#limitMs = limitMs;
		// Before the signing policy, which notes the length of the body.
		client.pipeline.addPolicy(exchangePolicy(this.#exchanges), { phase: "Serialize" });
	}

	query(partition: string, range: { readonly from?: string; readonly before?: string } = {}): Promise<{ readonly rows: readonly Row[]; readonly at: number }> {
		const context = { doing: `reading partition ${partition} of table ${this.#client.tableName}`, write: false };
		const bounds = { ...context, limitMs: this.#limitMs, retries: readRetries };
		return boundedCall(bounds, async (signal) => {
			const { exchange, signal: own } = this.#begin(signal);
			try {
				const rows = await this.#readPages(context, own, filterOf(partition, range));
				return { rows, at: this.#clockOf(context, exchange.dates[0]) };
			} catch (error) {
				if (!isTableNotFound(error)) throw error;
				// Also in the middle of the pages: what was read so far is of a table that is gone.
				return { rows: [], at: await this.#createTable(signal) };
			}
		});
	}

	// async: a refused list of writes is a rejection, as every failure.
	async transact(partition: string, writes: readonly RowWrite[]): Promise<{ readonly etags: readonly string[]; readonly at: number }> {
		const doing = `writing ${writes.length === 1 ? `row ${writes[0]?.key}` : `${writes.length} rows`} of partition ${partition} of table ${this.#client.tableName}`;
		checkWrites(doing, writes);
		const place = (index: number): string | undefined => writes[index] && `${writes[index].kind} of row ${writes[index].key}`;
		const context: CallContext = { doing, write: true, place };
		return boundedCall({ ...context, limitMs: this.#limitMs, retries: 0 }, async (signal) => {
			try {
				return await this.#submit(context, signal, partition, writes);
			} catch (error) {
				if (!isTableNotFound(error)) throw error;
			}
			// Nothing was applied, so this is no retry of something that may have been.
			await this.#createTable(signal);
			const needs = writes.find((write) => write.kind !== "insert");
			if (needs !== undefined)
				throw new CallError({ failure: "notFound", doing, answer: `no row ${needs.key}: the table was gone and was made anew`, status: 404 });
			return await this.#submitToNewTable(context, signal, partition, writes);
		});
	}

	async #submitToNewTable(context: CallContext, signal: AbortSignal, partition: string, writes: readonly RowWrite[]) {
		try {
			return await this.#submit(context, signal, partition, writes);
		} catch (error) {
			if (!isTableNotFound(error)) throw error;
			throw new CallError({ failure: "serverError", doing: context.doing, answer: "the table was made and is gone again", status: 404 });
		}
	}

	/** A signal of its own for one exchange, by which the pipeline finds it. */
	#begin(signal: AbortSignal, writes?: readonly RowWrite[]): { exchange: Exchange; signal: AbortSignal } {
		const exchange: Exchange = writes === undefined ? { dates: [] } : { dates: [], writes };
		const own = AbortSignal.any([signal]);
		this.#exchanges.set(own, exchange);
		return { exchange, signal: own };
	}

	/** The service's clock, to the second: what leases and deadlines are judged by. */
	#clockOf(context: CallContext, date: string | undefined): number {
		const at = date === undefined ? Number.NaN : Date.parse(date);
		if (!Number.isNaN(at)) return at;
		throw new CallError({ failure: "garbled", doing: context.doing, answer: "the answer carries no date", mayHaveApplied: context.write });
	}

	async #readPages(context: CallContext, signal: AbortSignal, filter: string): Promise<Row[]> {
		const rows: Row[] = [];
		const pages = this.#client.listEntities({ queryOptions: { filter }, abortSignal: signal }).byPage({ maxPageSize: pageSize });
		for await (const page of pages) {
			for (const entity of page) {
				const row = toRow(decodeKey(entity.rowKey ?? ""), entity);
				if (row === null) throw new CallError({ failure: "garbled", doing: context.doing, answer: "a row has no ETag or no time of its writing" });
				rows.push(row);
			}
		}
		return rows.sort(byKey);
	}

	async #submit(context: CallContext, signal: AbortSignal, partition: string, writes: readonly RowWrite[]) {
		const sent = writes.map(encoded);
		const { exchange, signal: own } = this.#begin(signal, sent);
		const partitionKey = encodeKey(partition);
		const response = await this.#client.submitTransaction(
			sent.map((write) => toAction(partitionKey, write)),
			{ abortSignal: own },
		);
		const etags = response.subResponses.map((each, index) => (writes[index]?.kind === "delete" ? "" : each.etag));
		// The SDK reads an answer that was cut short as a shorter list of successes.
		const whole = etags.length === writes.length && response.subResponses.every((each) => each.status >= 200 && each.status < 300);
		if (!whole || !etags.every((etag) => etag !== undefined)) {
			throw new CallError({
				failure: "garbled",
				doing: context.doing,
				answer: "the answer does not cover every write",
				status: response.status,
				mayHaveApplied: true,
			});
		}
		return { etags, at: this.#clockOf(context, exchange.dates.at(-1)) };
	}

	/** Makes the table; one that exists is fine. Returns the service's clock. */
	async #createTable(signal: AbortSignal): Promise<number> {
		const context = { doing: `creating table ${this.#client.tableName}`, write: false };
		const { exchange, signal: own } = this.#begin(signal);
		try {
			await this.#client.createTable({ abortSignal: own });
		} catch (error) {
			throw toCallError(error, context);
		}
		return this.#clockOf(context, exchange.dates.at(-1));
	}
}

function filterOf(partition: string, range: { readonly from?: string; readonly before?: string }): string {
	const parts = [odata`PartitionKey eq ${encodeKey(partition)}`];
	if (range.from !== undefined) parts.push(odata`RowKey ge ${encodeKey(range.from)}`);
	if (range.before !== undefined) parts.push(odata`RowKey lt ${encodeKey(range.before)}`);
	return parts.join(" and ");
}
