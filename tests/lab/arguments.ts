// The command line of the lab.
import { resolve } from "node:path";
import { parseArgs } from "node:util";

export interface LabArguments {
	/** Where the fleet is kept. */
	readonly folder: string;
	/** A generated fleet; null: the demonstration. */
	readonly scale: { readonly clusters: number; readonly nodes: number } | null;
	/** Shorter boots. */
	readonly fast: boolean;
	/** Real control planes (KUBEBUILDER_ASSETS) instead of the lab's API servers. */
	readonly real: boolean;
}

const usage = "usage: node tests/lab/main.ts --folder DIR [--clusters N] [--nodes N] [--fast] [--real]";

/** Throws with one line that says what is wrong. */
export function readArguments(argv: readonly string[]): LabArguments {
	const { folder, clusters, nodes, fast, real } = parse(argv);
	if (folder === undefined || folder === "") throw new Error(`--folder: expected the folder that keeps the fleet; ${usage}`);
	const generated = clusters !== undefined || nodes !== undefined;
	return {
		folder: resolve(folder),
		scale: generated ? { clusters: count("--clusters", clusters ?? "3", 500), nodes: count("--nodes", nodes ?? "10", 5_000) } : null,
		fast: fast === true,
		real: real === true,
	};
}

function parse(argv: readonly string[]) {
	const text = { type: "string" } as const;
	const flag = { type: "boolean" } as const;
	try {
		return parseArgs({ args: [...argv], options: { folder: text, clusters: text, nodes: text, fast: flag, real: flag } }).values;
	} catch (error) {
		throw new Error(`${error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)}; ${usage}`);
	}
}

function count(name: string, text: string, most: number): number {
	if (/^[1-9]\d{0,5}$/.test(text) && Number(text) <= most) return Number(text);
	throw new Error(`${name}: ${JSON.stringify(text)}, expected a whole number from 1 to ${most}`);
}
