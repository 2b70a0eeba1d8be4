// Watches: changes as they happen, from a resource version on, as lines of JSON.
import type { ServerResponse } from "node:http";
import type { Selection } from "./lists.ts";
import { selected } from "./lists.ts";
import type { LabObject } from "./objects.ts";
import { apiVersionOf } from "./resources.ts";
import { expired } from "./statuses.ts";
import type { Change, Store } from "./store.ts";

interface Event {
	readonly type: "ADDED" | "MODIFIED" | "DELETED";
	readonly object: LabObject;
}

/** About what the real server does. */
const bookmarkMs = 60_000;
const timeoutMsMax = 3_600_000;
/** A client that reads slower than this is cut off, as the real server does: it lists anew. */
const backlogBytesMax = 64 << 20;

export class Watches {
	readonly #store: Store;
	readonly #open = new Set<Watch>();
	/** Written once per change, however many watches want it. */
	readonly #lines = new WeakMap<LabObject, string>();

	constructor(store: Store) {
		this.#store = store;
		store.onChange((change) => {
			for (const watch of this.#open) if (watch.selection.resource === change.resource) watch.take(change);
		});
	}

	start(selection: Selection, query: URLSearchParams, response: ServerResponse): void {
		const from = query.get("resourceVersion") ?? "";
		response.writeHead(200, { "content-type": "application/json" });
		if (from !== "" && from !== "0" && Number(from) < this.#store.oldestRevision) {
			// As on the real server: not the answer is a 410 but the first and only event.
			const { status } = expired(`too old resource version: ${from} (${this.#store.oldestRevision})`);
			response.end(`${JSON.stringify({ type: "ERROR", object: status })}\n`);
			return;
		}
		response.flushHeaders();
		const watch = new Watch(selection, response, (event) => this.#line(event));
		this.#open.add(watch);
		response.once("close", () => this.#open.delete(watch));
		if (from === "" || from === "0") for (const object of selected(this.#store, selection)) watch.send({ type: "ADDED", object });
		else for (const change of this.#store.changesAfter(Number(from))) if (change.resource === selection.resource) watch.take(change);
		this.#arm(watch, query);
	}

	/** Ends them all, as a server that stops. */
	end(): void {
		for (const watch of this.#open) watch.response.end();
	}

	#arm(watch: Watch, query: URLSearchParams): void {
		const { response } = watch;
		const timeoutMs = Math.min(Number(query.get("timeoutSeconds") ?? 0) * 1000 || timeoutMsMax, timeoutMsMax);
		const ends = setTimeout(() => response.end(), timeoutMs);
		const wantsBookmarks = query.get("allowWatchBookmarks") === "true";
		const bookmarks = wantsBookmarks ? setInterval(() => watch.bookmark(this.#store.revision), bookmarkMs) : undefined;
		response.once("close", () => {
			clearTimeout(ends);
			clearInterval(bookmarks);
		});
	}

	#line({ type, object }: Event): string {
		let text = this.#lines.get(object);
		if (text === undefined) {
			text = JSON.stringify(object);
			this.#lines.set(object, text);
		}
		return `{"type":"${type}","object":${text}}\n`;
	}
}

class Watch {
	readonly selection: Selection;
	readonly response: ServerResponse;
	readonly #line: (event: Event) => string;

	constructor(selection: Selection, response: ServerResponse, line: (event: Event) => string) {
		this.selection = selection;
		this.response = response;
		this.#line = line;
	}

	/** An object that begins to match is added, one that no longer does is deleted, whatever really became of it. */
	take({ type, object, before, revision }: Change): void {
		const { namespace, matches } = this.selection;
		if (namespace !== null && object.metadata.namespace !== namespace) return;
		const now = type !== "DELETED" && matches(object);
		const was = before !== null && matches(before);
		if (now) this.send({ type: was ? "MODIFIED" : "ADDED", object });
		else if (was)
			this.send({ type: "DELETED", object: type === "DELETED" ? object : { ...before, metadata: { ...before.metadata, resourceVersion: String(revision) } } });
	}

	send(event: Event): void {
		this.#write(this.#line(event));
	}

	bookmark(revision: number): void {
		const { resource } = this.selection;
		const object = { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata: { resourceVersion: String(revision), creationTimestamp: null } };
		this.#write(`${JSON.stringify({ type: "BOOKMARK", object })}\n`);
	}

	#write(line: string): void {
		if (this.response.writableEnded || this.response.destroyed) return;
		this.response.write(line);
		if (this.response.writableLength > backlogBytesMax) this.response.destroy();
	}
}
