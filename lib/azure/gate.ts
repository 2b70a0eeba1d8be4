// At most so many at once.

/** Lets `size` pieces of work run at once; the others wait in the order in which they came. */
export class Gate {
	#free: number;
	readonly #waiting = new Set<() => void>();

	constructor(size: number) {
		this.#free = size;
	}

	/** Runs the work when there is room. Rejects with the signal's reason when it aborts before that. */
	async pass<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
		await this.#enter(signal);
		try {
			return await work();
		} finally {
			this.#leave();
		}
	}

	#enter(signal: AbortSignal): Promise<void> {
		if (this.#free > 0) {
			this.#free--;
			return Promise.resolve();
		}
		return new Promise((resolve, reject) => {
			const give = (): void => {
				signal.removeEventListener("abort", abandon);
				resolve();
			};
			const abandon = (): void => {
				this.#waiting.delete(give);
				reject(signal.reason);
			};
			this.#waiting.add(give);
			signal.addEventListener("abort", abandon, { once: true });
			if (signal.aborted) abandon();
		});
	}

	#leave(): void {
		const [next] = this.#waiting;
		if (next === undefined) {
			this.#free++;
			return;
		}
		// The place is handed on, not freed: nobody who comes now may take it first.
		this.#waiting.delete(next);
		next();
	}
}
