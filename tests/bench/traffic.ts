// What this process sends and receives: every request, and the bytes of every socket to the Kubernetes API, TLS and headers included.
import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest } from "node:http";

export interface Totals {
	/** `METHOD PATH` of each request to the Kubernetes API. */
	readonly kubernetes: readonly string[];
	/** The same to Table Storage. */
	readonly table: readonly string[];
	/** The same to ARM. */
	readonly arm: readonly string[];
	/** TLS connections to the Kubernetes API that were made. */
	readonly connections: number;
	readonly receivedBytes: number;
	readonly sentBytes: number;
}

/** Counts what passes below TLS; nothing once it is closed. */
interface Wire {
	readonly bytesRead: number;
	readonly bytesWritten: number;
}

/** What `bytesRead` of a TLS socket tells stays behind (Node 24): the handle below it counts what a proxy in between counts. */
function wireOf(message: unknown): Wire {
	const { socket } = message as { socket: { readonly _handle: { readonly _parent?: Wire } } };
	const { _parent: wire } = socket._handle;
	if (typeof wire?.bytesRead !== "number") throw new Error("counting bytes: this version of Node keeps the handle below TLS elsewhere");
	return wire;
}

/** The Kubernetes client is undici's, the SDKs of Azure are node:http's. */
export class Traffic {
	readonly #connections: { readonly wire: Wire; received: number; sent: number }[] = [];
	#kubernetes: string[] = [];
	#table: string[] = [];
	#arm: string[] = [];
	/** What the client offers to read, of its last request. */
	acceptEncoding = "";
	#before = { connections: 0, received: 0, sent: 0 };

	constructor() {
		subscribe("undici:client:connected", (message) => {
			this.#connections.push({ wire: wireOf(message), received: 0, sent: 0 });
		});
		subscribe("undici:request:create", (message) => {
			const { request } = message as { request: { method: string; path: string; headers: readonly string[] | string } };
			this.#kubernetes.push(`${request.method} ${request.path}`);
			const headers = typeof request.headers === "string" ? request.headers.split(/\r\n|: /) : request.headers;
			this.acceptEncoding = headers[headers.findIndex((each) => each.toLowerCase() === "accept-encoding") + 1] ?? "";
		});
		subscribe("http.client.request.start", (message) => {
			const { request } = message as { request: ClientRequest };
			const line = `${request.method} ${request.path}`;
			if (request.path.startsWith("/subscriptions/")) this.#arm.push(line);
			else if (!request.path.startsWith("/msi/")) this.#table.push(line);
		});
	}

	/** Begins to count anew; connections stay as they are. */
	clear(): void {
		this.#kubernetes = [];
		this.#table = [];
		this.#arm = [];
		this.#before = this.#sums();
	}

	totals(): Totals {
		const { connections, received, sent } = this.#sums();
		return {
			kubernetes: this.#kubernetes,
			table: this.#table,
			arm: this.#arm,
			connections: connections - this.#before.connections,
			receivedBytes: received - this.#before.received,
			sentBytes: sent - this.#before.sent,
		};
	}

	#sums() {
		const sums = { connections: this.#connections.length, received: 0, sent: 0 };
		for (const connection of this.#connections) {
			// One that was closed keeps what was seen of it last.
			connection.received = Math.max(connection.received, connection.wire.bytesRead);
			connection.sent = Math.max(connection.sent, connection.wire.bytesWritten);
			sums.received += connection.received;
			sums.sent += connection.sent;
		}
		return sums;
	}
}
