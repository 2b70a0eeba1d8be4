// What is written where: lines that stay, and on a terminal one line below them that is redrawn in place.
import { styleText } from "node:util";
import type { Environment } from "../azure/identity.ts";

/** Of `process.stdout` and its like. */
export interface Output {
	write(text: string): unknown;
	readonly isTTY?: boolean;
	readonly columns?: number;
}

export type Style = Parameters<typeof styleText>[0];
/** Puts a style around a text, or nothing where there are no colours. */
export type Paint = (style: Style, text: string) => string;

/** https://no-color.org, https://force-color.org: whoever asks for colours or against them is heard before the terminal is. */
export function paintOf(env: Environment, isTerminal: boolean): Paint {
	const { NO_COLOR = "", FORCE_COLOR = "", TERM = "" } = env;
	const forced = FORCE_COLOR !== "" && FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
	const colours = NO_COLOR === "" && (forced || (FORCE_COLOR === "" && isTerminal && TERM !== "dumb"));
	return colours ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
}

/** Names and reasons come from clusters and people: what would move the cursor or turn the text around is shown and not done. */
export function harmless(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
	return text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (each) => {
		return each === "\n" ? " " : `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`;
	});
}

const eraseLine = "\r\u001b[J";

/** Both outputs of this process: what one writes must not run into the live line of the other. */
export class Screen {
	readonly #out: Output;
	readonly #err: Output;
	#live = "";

	constructor(out: Output, err: Output) {
		this.#out = out;
		this.#err = err;
	}

	get isTerminal(): boolean {
		return this.#out.isTTY === true;
	}

	/** Columns of the terminal; null where lines are not to be broken. */
	get columns(): number | null {
		return this.isTerminal ? (this.#out.columns ?? 80) : null;
	}

	/** A line, or several, that stay. */
	line(text: string): void {
		this.#above(this.#out, text);
	}

	/** The same, of what went wrong. */
	error(text: string): void {
		this.#above(this.#err, text);
	}

	/** Redraws the last line; only on a terminal. Empty: there is none any more. */
	live(text: string): void {
		if (!this.isTerminal || (text === "" && this.#live === "")) return;
		this.#live = text;
		this.#out.write(`${eraseLine}${text}`);
	}

	#above(to: Output, text: string): void {
		if (this.#live !== "") this.#out.write(eraseLine);
		to.write(`${text}\n`);
		if (this.#live !== "") this.#out.write(this.#live);
	}
}
