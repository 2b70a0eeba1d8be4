// The story of a run: one line per event, and a hash over all of them. Two runs of one seed must give the same.

export class Trace {
	readonly #keep: boolean;
	readonly #startAt: number;
	readonly lines: string[] = [];
	#hash = 0x811c9dc5;
	events = 0;

	constructor(startAt: number, keep: boolean) {
		this.#startAt = startAt;
		this.#keep = keep;
	}

	/** `who`: a worker, a machine, a controller, a person. No stacks and no memory addresses: both would make every run another. */
	note(at: number, who: string, what: string): void {
		this.events++;
		let hash = Math.imul(this.#hash ^ (at - this.#startAt), 0x9e3779b1);
		for (let i = 0; i < who.length; i++) hash = Math.imul(hash ^ who.charCodeAt(i), 0x01000193);
		for (let i = 0; i < what.length; i++) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193);
		this.#hash = hash;
		if (this.#keep) this.lines.push(`${elapsed(at - this.#startAt)}  ${who.padEnd(8)}  ${what}`);
	}

	get hash(): string {
		return (this.#hash >>> 0).toString(16).padStart(8, "0");
	}
}

/** Days, hours, minutes, seconds and milliseconds since the run began. */
function elapsed(ms: number): string {
	const two = (value: number) => String(value).padStart(2, "0");
	const s = Math.floor(ms / 1000);
	return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(ms % 1000).padStart(3, "0")}`;
}
