// What a run told in its journal (with --json), read as it comes.
import type { LocalRun } from "../local/local-run.ts";

export interface Line {
	readonly event: string;
	readonly cluster?: string;
	readonly node?: string;
	readonly to?: string;
	readonly end?: string;
	readonly message?: string;
}

export class Told {
	readonly #run: LocalRun;
	readonly #lines: Line[] = [];
	#read = 0;

	constructor(run: LocalRun) {
		this.#run = run;
	}

	/** Lines with these fields, in their order. */
	lines(fields: Partial<Line>): readonly Line[] {
		const whole = this.#run.output.lastIndexOf("\n") + 1;
		const fresh = this.#run.output.slice(this.#read, whole).split("\n");
		this.#read = whole;
		for (const text of fresh) if (text.startsWith("{")) this.#lines.push(JSON.parse(text) as Line);
		const wanted = Object.entries(fields);
		return this.#lines.filter((line) => wanted.every(([name, value]) => line[name as keyof Line] === value));
	}
}
