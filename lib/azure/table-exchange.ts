// What the SDK's transactions lack, added below them: the answer's date, and the ETag of a delete.
// submitTransaction takes no ETag for a delete and sends `If-Match: *`: it would delete a row that changed since it was read
// (@azure/data-tables 13.3.2, TableClient.submitTransaction).
import type { TableClient } from "@azure/data-tables";
import { CallError } from "../tick/call-error.ts";
import type { RowWrite } from "../tick/world.ts";

type PipelinePolicy = Parameters<TableClient["pipeline"]["addPolicy"]>[0];

/** One request or one run of pages, known to the pipeline by its signal. */
export interface Exchange {
	/** The writes of a transaction, with encoded keys, in order. */
	readonly writes?: readonly RowWrite[];
	/** `date` headers of the answers, in order. */
	readonly dates: string[];
}

const methods = { insert: "POST", replace: "PUT", delete: "DELETE" } as const;

/** Nothing was sent: a version of the SDK that works otherwise is found out here, not in the table. */
function refuse(why: string): never {
	throw new CallError({ failure: "invalid", doing: "building a transaction", answer: `not sent: ${why}` });
}

/** One part of the transaction: the request that was meant, a delete with its ETag. */
function checkedPart(part: string, write: RowWrite): string {
	const request = /\r\n(POST|PUT|DELETE) (\S+) HTTP\/1\.1\r\n/.exec(part);
	if (request?.[1] !== methods[write.kind]) refuse(`expected the ${write.kind} of row ${write.key}`);
	if (write.kind === "insert") return part;
	const named = `,RowKey='${encodeURIComponent(write.key.replaceAll("'", "''"))}')`;
	if (!request[2]?.endsWith(named)) refuse(`expected the ${write.kind} of row ${write.key}`);
	if (write.kind === "replace") return part;
	const conditional = part.replace(/\r\nIf-Match: \*\r\n/i, () => `\r\nIf-Match: ${write.etag}\r\n`);
	if (conditional === part) refuse(`the delete of row ${write.key} has no If-Match to replace`);
	return conditional;
}

/** The transaction's body with the ETags of its deletes. Nothing is sent that is not, part by part, what was asked for. */
export function withDeleteETags(body: string, writes: readonly RowWrite[]): string {
	const boundary = /^--changeset_[0-9a-f-]+(?=\r\n)/m.exec(body)?.[0];
	if (boundary === undefined) refuse("no transaction was built");
	// Values cannot hold a line break: JSON writes it as \n. So a line that is the boundary is one.
	const [head = "", ...parts] = body.split(`${boundary}\r\n`);
	if (parts.length !== writes.length) refuse(`${parts.length} parts for ${writes.length} writes`);
	return [head, ...parts.map((part, index) => checkedPart(part, writes[index] as RowWrite))].join(`${boundary}\r\n`);
}

/** The policy; `exchanges` is keyed by the signal of each call, which is the one thing of ours that reaches the pipeline. */
export function exchangePolicy(exchanges: WeakMap<object, Exchange>): PipelinePolicy {
	return {
		name: "exchange",
		async sendRequest(request, next) {
			const exchange = request.abortSignal === undefined ? undefined : exchanges.get(request.abortSignal);
			if (exchange?.writes !== undefined) request.body = withDeleteETags(String(request.body), exchange.writes);
			const note = (date: string | undefined): void => {
				if (date !== undefined) exchange?.dates.push(date);
			};
			try {
				const response = await next(request);
				note(response.headers.get("date"));
				return response;
			} catch (error) {
				// An answer that the SDK makes an error of has a date as well: "exists already" is how most tables are found.
				note((error as { response?: { headers?: { get?(name: string): string | undefined } } } | null)?.response?.headers?.get?.("date"));
				throw error;
			}
		},
	};
}
