// How a run ends from outside: a signal asks for it once, and a second one does not wait.
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** npm passes Ctrl-C on to a process that the terminal has told already: signals this close together are one. */
const oneMs = 500;

/** What was started beside the run, and has to end with it. */
export interface Started {
	/** Resolves once it has ended, its data written. */
	stop(): Promise<void>;
	/** Tells it to end, and waits for nothing. */
	abandon(): void;
}

export class Ending {
	readonly #controller = new AbortController();
	readonly #started: Started[] = [];
	#askedAt: number | null = null;

	/** `atOnce`: ends the process. */
	constructor(atOnce: () => never) {
		for (const signal of signals) process.on(signal, () => (this.#askedAt === null ? this.ask() : this.#again(atOnce)));
		// Whoever read what we say has gone (`| head`, a closed terminal). Each later line fails too, which is no second wish.
		for (const output of [process.stdout, process.stderr]) output.on("error", () => this.ask());
	}

	ask(): void {
		this.#askedAt ??= performance.now();
		this.#controller.abort();
	}

	#again(atOnce: () => never): void {
		if (performance.now() - (this.#askedAt ?? 0) < oneMs) return;
		for (const each of this.#started.toReversed()) each.abandon();
		atOnce();
	}

	/** Aborted once the run is to end. */
	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	/** Ends with the run, before whatever was started earlier. */
	add<T extends Started>(started: T): T {
		this.#started.push(started);
		return started;
	}

	async stopAll(): Promise<void> {
		for (const each of this.#started.toReversed()) await each.stop();
		this.#started.length = 0;
	}
}
