// The present state of a collection, kept by list and watch as a client library's informer does.
import { setTimeout as delay } from "node:timers/promises";
import type { ApiClient, KubeObject, WatchEvent } from "./api-client.ts";

export type Change<T> = { readonly kind: "set"; readonly object: T } | { readonly kind: "gone"; readonly object: T };

export class WatchCache<T extends KubeObject> {
	/** By UID: a successor of the same name is another object. */
	readonly items = new Map<string, T>();
	readonly #client: () => ApiClient;
	readonly #path: string;
	readonly #listeners: ((change: Change<T>) => void)[] = [];
	readonly #abort = new AbortController();
	#following: Promise<void> | null = null;

	/** `client` is asked again for every connection: after a change of CA it is another one. */
	constructor(client: () => ApiClient, path: string) {
		this.#client = client;
		this.#path = path;
	}

	onChange(listener: (change: Change<T>) => void): void {
		this.#listeners.push(listener);
	}

	/** Resolves once the first list is in. */
	async start(): Promise<void> {
		const resourceVersion = await this.#list();
		this.#following = this.#follow(resourceVersion);
	}

	async stop(): Promise<void> {
		this.#abort.abort();
		await this.#following;
	}

	async #follow(from: string): Promise<void> {
		let resourceVersion: string | null = from;
		while (!this.#abort.signal.aborted) {
			try {
				resourceVersion ??= await this.#list();
				const path: string = `${this.#withQuery("watch=true&allowWatchBookmarks=true&timeoutSeconds=600")}&resourceVersion=${resourceVersion}`;
				await this.#client().watch<T>(
					path,
					(event) => {
						resourceVersion = this.#take(event);
					},
					this.#abort.signal,
				);
			} catch {
				// Whatever broke the watch: what it missed is found by a fresh list.
				resourceVersion = null;
				await delay(200, undefined, { signal: this.#abort.signal }).catch(() => {});
			}
		}
	}

	#withQuery(query: string): string {
		return `${this.#path}${this.#path.includes("?") ? "&" : "?"}${query}`;
	}

	async #list(): Promise<string> {
		const list = await this.#client().get<{ items: T[]; metadata: { resourceVersion: string } }>(this.#path);
		const present = new Set(list.items.map((item) => item.metadata.uid));
		for (const [uid, item] of [...this.items]) if (!present.has(uid)) this.#remove(item);
		for (const item of list.items) if (this.items.get(item.metadata.uid)?.metadata.resourceVersion !== item.metadata.resourceVersion) this.#set(item);
		return list.metadata.resourceVersion;
	}

	#take(event: WatchEvent<T>): string | null {
		switch (event.type) {
			case "ADDED":
			case "MODIFIED":
				this.#set(event.object);
				break;
			case "DELETED":
				this.#remove(event.object);
				break;
			case "BOOKMARK":
				break;
			case "ERROR":
				throw new Error(`watching ${this.#path}: the server ended it`);
			default:
				event.type satisfies never;
		}
		return event.object.metadata.resourceVersion;
	}

	#set(object: T): void {
		this.items.set(object.metadata.uid, object);
		for (const listener of this.#listeners) listener({ kind: "set", object });
	}

	#remove(object: T): void {
		this.items.delete(object.metadata.uid);
		for (const listener of this.#listeners) listener({ kind: "gone", object });
	}
}
