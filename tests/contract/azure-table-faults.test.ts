// The `Table` port when the service, or the way to it, fails: Azurite behind a proxy that loses things, and servers that answer one thing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Azurite, devKey, startAzurite } from "../azurite.ts";
import { freePort } from "../ports.ts";
import { failureOf, insertOf, keysOf, newTableName, onlyRow, partition, proxyTo, serve, tableAt } from "./azure-table-fixtures.ts";

let azurite: Azurite;

before(async () => {
	azurite = await startAzurite();
});
after(() => azurite.stop());

test("the clock is the service's, not ours", async () => {
	const service = await serve((_, response) => {
		response.writeHead(200, { date: "Wed, 01 Jan 2020 00:00:07 GMT", "content-type": "application/json" });
		response.end('{"value":[]}');
	});
	const { at, rows } = await tableAt(service.port).query(partition);
	assert.deepEqual({ at, rows }, { at: Date.UTC(2020, 0, 1, 0, 0, 7), rows: [] });
});

test("instants are sent as 64-bit integers: Azure takes an untyped number for one of 32, which Azurite does not mind", async () => {
	let body = "";
	const service = await serve((request, response) => {
		request.on("data", (chunk) => {
			body += chunk;
		});
		request.on("end", () => response.writeHead(400).end());
	});
	await failureOf(tableAt(service.port).transact(partition, [insertOf("a", { expiresAt: 1_795_511_443_684, fence: 7, ratio: 0.5 })]));
	assert.match(body, /"expiresAt":"1795511443684","expiresAt@odata\.type":"Edm\.Int64","fence":7,"ratio":0\.5\}/);
});

test("rows are in the order of their keys, whatever order they came in", async () => {
	const entity = (key: string) => ({ "odata.etag": 'W/"1"', PartitionKey: partition, RowKey: key, Timestamp: "2026-01-01T00:00:00Z" });
	const service = await serve((_, response) => {
		response.writeHead(200, { "content-type": "application/json" });
		response.end(JSON.stringify({ value: ["c", "a", "b"].map(entity) }));
	});
	assert.deepEqual(await keysOf(tableAt(service.port)), ["a", "b", "c"]);
});

test("an answer without a date is not taken for a time", async () => {
	const service = await serve((_, response) => {
		response.sendDate = false;
		response.writeHead(200, { "content-type": "application/json" });
		response.end('{"value":[]}');
	});
	assert.equal((await failureOf(tableAt(service.port).query(partition))).failure, "garbled");
});

test("a write whose answer is lost is told as maybe applied, and was", async () => {
	const proxy = await proxyTo(azurite.port);
	const name = newTableName();
	const table = tableAt(proxy.port, name);
	await table.query(partition);
	proxy.mode = "swallow";
	const failed = await failureOf(table.transact(partition, [insertOf("lease", { writeId: "w1" })]));
	assert.deepEqual([failed.failure, failed.mayHaveApplied], ["unreachable", true]);
	const row = await onlyRow(tableAt(azurite.port, name));
	assert.equal(row.values.writeId, "w1");
});

test("a write whose answer is cut short is no success", async () => {
	const proxy = await proxyTo(azurite.port);
	const table = tableAt(proxy.port);
	await table.query(partition);
	proxy.mode = "cutAnswer";
	const failed = await failureOf(table.transact(partition, [insertOf("a"), insertOf("b")]));
	assert.equal(failed.mayHaveApplied, true);
});

test("an answer that covers fewer writes than were sent is no success", async () => {
	const service = await serve((request, response) => {
		request.resume();
		response.writeHead(202, { "content-type": "multipart/mixed; boundary=batchresponse_1" });
		response.end(
			'--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\r\n\r\n--changesetresponse_1\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\nETag: W/"x"\r\n\r\n\r\n--changesetresponse_1--\r\n--batchresponse_1--',
		);
	});
	const failed = await failureOf(tableAt(service.port).transact(partition, [insertOf("a"), insertOf("b")]));
	assert.deepEqual([failed.failure, failed.mayHaveApplied], ["garbled", true]);
});

test("a server that hangs costs the time limit and no more", async () => {
	const proxy = await proxyTo(azurite.port);
	const table = tableAt(proxy.port, newTableName(), 300);
	await table.query(partition);
	proxy.mode = "hang";
	const startedAt = performance.now();
	const write = await failureOf(table.transact(partition, [insertOf("a")]));
	const read = await failureOf(table.query(partition));
	assert.deepEqual([write.failure, write.mayHaveApplied, read.failure, read.mayHaveApplied], ["timedOut", true, "timedOut", false]);
	assert.ok(performance.now() - startedAt < 3_000, "the time limit does not hold");
});

test("nobody listens: a read and a write were certainly not applied", async () => {
	const table = tableAt(await freePort(), newTableName(), 1_000);
	const write = await failureOf(table.transact(partition, [insertOf("a")]));
	const read = await failureOf(table.query(partition));
	assert.deepEqual([write.failure, write.mayHaveApplied, read.failure], ["unreachable", false, "unreachable"]);
});

test("a table that vanishes between two pages is an empty table, not half of one", async () => {
	let pages = 0;
	const service = await serve((request, response) => {
		request.resume();
		if (request.method === "POST") return response.writeHead(204).end();
		if (++pages > 1) {
			response.writeHead(404, { "content-type": "application/json" });
			return response.end('{"odata.error":{"code":"TableNotFound","message":{"lang":"en-US","value":"gone"}}}');
		}
		response.writeHead(200, { "content-type": "application/json", "x-ms-continuation-NextPartitionKey": "p", "x-ms-continuation-NextRowKey": "r" });
		return response.end('{"value":[{"odata.etag":"W/\\"1\\"","PartitionKey":"prod-1","RowKey":"a","Timestamp":"2026-01-01T00:00:00.1234567Z"}]}');
	});
	assert.deepEqual(await keysOf(tableAt(service.port)), []);
	assert.equal(pages, 2);
});

/** A service that answers every call with one error, as Azure words it. */
async function failingWith(status: number, code: string, headers: Record<string, string> = {}) {
	let calls = 0;
	const service = await serve((request, response) => {
		calls++;
		request.resume();
		response.writeHead(status, { "content-type": "application/json", ...headers });
		response.end(JSON.stringify({ "odata.error": { code, message: { lang: "en-US", value: `said ${devKey}` } } }));
	});
	return { ...service, calls: () => calls };
}

const answers: { status: number; code: string; failure: string; mayHaveApplied: boolean }[] = [
	{ status: 500, code: "OperationTimedOut", failure: "serverError", mayHaveApplied: true },
	{ status: 503, code: "ServerBusy", failure: "serverError", mayHaveApplied: true },
	{ status: 429, code: "TooManyRequests", failure: "throttled", mayHaveApplied: true },
	{ status: 409, code: "TableBeingDeleted", failure: "serverError", mayHaveApplied: false },
	{ status: 403, code: "AuthorizationPermissionMismatch", failure: "forbidden", mayHaveApplied: false },
	{ status: 401, code: "InvalidAuthenticationInfo", failure: "unauthorized", mayHaveApplied: false },
	{ status: 413, code: "RequestBodyTooLarge", failure: "invalid", mayHaveApplied: false },
];

for (const { status, code, failure, mayHaveApplied } of answers) {
	test(`${status} ${code} is told as ${failure}, and a write is sent once`, async () => {
		const service = await failingWith(status, code);
		const table = tableAt(service.port, newTableName(), 3_000);
		const failed = await failureOf(table.transact(partition, [insertOf("a")]));
		assert.deepEqual([failed.failure, failed.status, failed.mayHaveApplied], [failure, status, mayHaveApplied]);
		assert.match(failed.message, new RegExp(`${status} ${code}`));
		assert.equal(service.calls(), 1);
		const read = await failureOf(table.query(partition));
		assert.deepEqual([read.failure, read.mayHaveApplied], [failure, false]);
		assert.equal(service.calls(), failure === "serverError" || failure === "throttled" ? 4 : 2);
	});
}

test("a table that is still being deleted when it should be made is a failure of the server, not a conflict", async () => {
	const service = await serve((request, response) => {
		request.resume();
		const [status, code] = request.url?.includes("Tables") ? [409, "TableBeingDeleted"] : [404, "TableNotFound"];
		response.writeHead(status as number, { "content-type": "application/json" });
		response.end(JSON.stringify({ "odata.error": { code, message: { lang: "en-US", value: "later" } } }));
	});
	const table = tableAt(service.port, newTableName(), 3_000);
	const write = await failureOf(table.transact(partition, [insertOf("a")]));
	const read = await failureOf(table.query(partition));
	assert.deepEqual([write.failure, write.mayHaveApplied, read.failure], ["serverError", false, "serverError"]);
	assert.match(write.message, /creating table .*TableBeingDeleted/);
});

test("a read outlives a server that is busy for a moment", async () => {
	let calls = 0;
	const service = await serve((_, response) => {
		if (++calls < 3) return response.writeHead(503, { "retry-after": "0" }).end();
		response.writeHead(200, { "content-type": "application/json" });
		return response.end('{"value":[]}');
	});
	assert.deepEqual((await tableAt(service.port).query(partition)).rows, []);
});

test("a wait that the server asks for and that is longer than the time limit is told, not waited for", async () => {
	const service = await failingWith(503, "ServerBusy", { "retry-after": "60" });
	const failed = await failureOf(tableAt(service.port).query(partition));
	assert.deepEqual([failed.failure, failed.retryAfterMs, service.calls()], ["serverError", 60_000, 1]);
});
