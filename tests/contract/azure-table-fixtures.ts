// What the suites on the table share.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { after } from "node:test";
import { openTable } from "../../lib/azure/table.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import type { Row, RowWrite, Table } from "../../lib/tick/world.ts";
import { connectionStringOf, devKey } from "../azurite.ts";
import { type LossyProxy, startProxy } from "./azure-proxy.ts";

export const partition = "prod-1";
let tables = 0;

export function newTableName(): string {
	return `reboots${++tables}`;
}

export function tableAt(port: number, name = newTableName(), limitMs?: number): Table {
	return openTable({ AzureWebJobsStorage: connectionStringOf(port) }, name, limitMs === undefined ? {} : { limitMs }).table;
}

export function insertOf(key: string, values: Readonly<Record<string, string | number | boolean>> = { writeId: key }): RowWrite {
	return { kind: "insert", key, values };
}

export async function keysOf(table: Table): Promise<string[]> {
	return (await table.query(partition)).rows.map((row) => row.key);
}

export async function onlyRow(table: Table): Promise<Row> {
	const { rows } = await table.query(partition);
	assert.equal(rows.length, 1);
	return rows[0] as Row;
}

/** Fails unless the call fails as a CallError; no message ever holds the account's key. */
export async function failureOf(call: Promise<unknown>): Promise<CallError> {
	const error = await call.then(
		() => assert.fail("expected the call to fail"),
		(reason: unknown) => reason,
	);
	assert.ok(error instanceof CallError, `expected a CallError, got ${error}`);
	assert.ok(!error.message.includes(devKey) && !error.message.includes("SharedKey"), "a message holds a secret");
	return error;
}

/** A row, and the ETag that it had before it was last written. */
export async function rowWithStaleETag(table: Table): Promise<string> {
	const { etags } = await table.transact(partition, [insertOf("lease")]);
	const stale = etags[0] ?? "";
	await table.transact(partition, [{ kind: "replace", key: "lease", values: { holder: "another" }, etag: stale }]);
	return stale;
}

// Closed after the suite, not by each test: one that fails must not leave a server that keeps the process from ending.
const opened: { stop(): Promise<void> }[] = [];
after(() => Promise.all(opened.map((each) => each.stop())));

/** A service that gives one answer to everything. */
export async function serve(answer: RequestListener): Promise<{ readonly port: number }> {
	const server = createServer(answer).listen(0, "127.0.0.1");
	await once(server, "listening");
	opened.push({
		async stop() {
			const closed = once(server, "close");
			server.close();
			server.closeAllConnections();
			await closed;
		},
	});
	return server.address() as { port: number };
}

/** A proxy before a service on this machine. */
export async function proxyTo(port: number): Promise<LossyProxy> {
	const proxy = await startProxy(port);
	opened.push(proxy);
	return proxy;
}
