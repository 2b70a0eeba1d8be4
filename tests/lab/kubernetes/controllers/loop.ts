// The loop that all controllers share: a change makes keys to look at, each key is looked at once for any number of changes. Between two
// looks the server gets to answer; a look that takes long is not repeated at once.
import type { Change, Store } from "../store.ts";

export interface Controller {
	readonly name: string;
	/** What there is to look at when it starts. */
	initial(): Iterable<string>;
	/** What a change makes worth a look. */
	keysOf(change: Change): Iterable<string>;
	/** Looks, and writes what is missing. Milliseconds after which to look again; undefined: not before something changes. */
	reconcile(key: string): number | undefined;
}

/** Of one turn, then it is the server's. */
const turnMs = 8;
/** A look that took this long waits this many times as long for its next. */
const slowLookMs = 4;
const pauseFactor = 4;
const retryMs = 1_000;
const problemsMax = 100;

interface Item {
	readonly controller: Controller;
	readonly key: string;
}

export class Loop {
	/** Looks that failed, for whoever asks why something does not happen. */
	readonly problems: string[] = [];
	readonly #controllers: readonly Controller[];
	readonly #queue = new Map<string, Item>();
	/** Looks that wait for their time. */
	readonly #later = new Map<string, NodeJS.Timeout>();
	/** Keys that are looked at or pause after a slow look, and whether something has changed since it began. */
	readonly #pausing = new Map<string, { changed: boolean }>();
	readonly #unsubscribe: () => void;
	#scheduled: NodeJS.Immediate | null = null;

	constructor(store: Store, controllers: readonly Controller[]) {
		this.#controllers = controllers;
		this.#unsubscribe = store.onChange((change) => {
			for (const controller of this.#controllers) for (const key of controller.keysOf(change)) this.#enqueue({ controller, key });
		});
		for (const controller of controllers) for (const key of controller.initial()) this.#enqueue({ controller, key });
	}

	stop(): void {
		this.#unsubscribe();
		this.#queue.clear();
		for (const timer of this.#later.values()) clearTimeout(timer);
		this.#later.clear();
		if (this.#scheduled !== null) clearImmediate(this.#scheduled);
	}

	#enqueue(item: Item): void {
		const id = `${item.controller.name}/${item.key}`;
		const pausing = this.#pausing.get(id);
		if (pausing !== undefined) {
			pausing.changed = true;
			return;
		}
		this.#forget(id);
		this.#queue.set(id, item);
		this.#scheduled ??= setImmediate(() => this.#turn());
	}

	#turn(): void {
		this.#scheduled = null;
		const endsAt = performance.now() + turnMs;
		for (const [id, item] of this.#queue) {
			this.#queue.delete(id);
			this.#look(id, item);
			if (performance.now() > endsAt) break;
		}
		if (this.#queue.size > 0) this.#scheduled ??= setImmediate(() => this.#turn());
	}

	#look(id: string, item: Item): void {
		const begun = performance.now();
		this.#pausing.set(id, { changed: false });
		let again: number | undefined;
		try {
			again = item.controller.reconcile(item.key);
		} catch (error) {
			this.problems.push(`${id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
			if (this.problems.length > problemsMax) this.problems.shift();
			again = retryMs;
		}
		const tookMs = performance.now() - begun;
		if (tookMs > slowLookMs)
			this.#later.set(
				id,
				this.#after(tookMs * pauseFactor, () => this.#looked(id, item, again)),
			);
		else this.#looked(id, item, again);
	}

	/** The look, and the pause after it, are over. */
	#looked(id: string, item: Item, again: number | undefined): void {
		const changed = this.#pausing.get(id)?.changed === true;
		this.#pausing.delete(id);
		if (changed) this.#enqueue(item);
		else if (again !== undefined)
			this.#later.set(
				id,
				this.#after(again, () => this.#enqueue(item)),
			);
	}

	#after(ms: number, act: () => void): NodeJS.Timeout {
		return setTimeout(act, Math.min(ms, 2 ** 31 - 1)).unref();
	}

	#forget(id: string): void {
		clearTimeout(this.#later.get(id));
		this.#later.delete(id);
	}
}
