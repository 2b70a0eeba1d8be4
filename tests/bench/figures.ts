// A figure is what was measured, what bounds it, and what it is compared with; and how people read it.

export type Unit = "ms" | "s" | "bytes" | "count" | "ratio";

export interface Figure {
	/** `SECTION.PLACE.WHAT`, in lower case; the same in every run. */
	readonly id: string;
	readonly what: string;
	readonly unit: Unit;
	/** One of each run; told as the median with the least and the most. */
	readonly values: readonly number[];
	/** What the project promises; more is a miss. */
	readonly atMost?: number;
	/** What others, or one by hand, would need: in the same unit, and who that is. */
	readonly peer?: { readonly value: number; readonly who: string };
	readonly note?: string;
}

export interface Section {
	readonly name: string;
	readonly title: string;
	/** What it is about, for the documentation. */
	readonly about: string;
	readonly figures: readonly Figure[];
	/** Why it was not measured here. */
	readonly skipped?: string;
	readonly failed?: true;
}

export function median(values: readonly number[]): number {
	if (values.length === 0) throw new Error("the median of no values");
	const sorted = [...values].sort((one, other) => one - other);
	const middle = Math.floor(sorted.length / 2);
	const upper = sorted[middle] ?? 0;
	return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** Null where nothing is promised. */
export function isKept(figure: Figure): boolean | null {
	return figure.atMost === undefined ? null : median(figure.values) <= figure.atMost;
}

function digits(value: number): string {
	if (value >= 100 || Number.isInteger(value)) return String(Math.round(value));
	return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Bytes in powers of ten, as networks count them. */
export function told(value: number, unit: Unit): string {
	switch (unit) {
		case "ms":
			return `${digits(value)} ms`;
		case "s":
			return `${digits(value)} s`;
		case "bytes":
			if (value >= 1e6) return `${digits(value / 1e6)} MB`;
			return value >= 1e3 ? `${digits(value / 1e3)} kB` : `${digits(value)} B`;
		case "count":
			return digits(value);
		case "ratio":
			return `${value.toFixed(2)} ×`;
		default:
			return unit satisfies never;
	}
}

/** The median; with the least and the most where they are told differently. */
export function measured({ values, unit }: Figure): string {
	const middle = told(median(values), unit);
	const least = told(Math.min(...values), unit);
	const most = told(Math.max(...values), unit);
	return least === most ? middle : `${middle} (${least} – ${most})`;
}

function bound(figure: Figure): string {
	const { unit, atMost, peer } = figure;
	const parts: string[] = [];
	if (atMost !== undefined) parts.push(`at most ${told(atMost, unit)}: ${isKept(figure) ? "kept" : "MISSED"}`);
	if (peer !== undefined) parts.push(`${told(peer.value, unit)} ${peer.who}`);
	return parts.join("; ");
}

const columns = ["", "measured", "limit, or who else", ""] as const;

function rowOf(figure: Figure): readonly string[] {
	return [figure.what, measured(figure), bound(figure), figure.note ?? ""];
}

export function asText(section: Section): string {
	const rows = section.figures.map(rowOf);
	const widths = columns.map((_, column) => Math.max(0, ...rows.map((row) => row[column]?.length ?? 0)));
	const lines = rows.map((row) =>
		row
			.map((cell, column) => cell.padEnd(widths[column] ?? 0))
			.join("  ")
			.trimEnd(),
	);
	const skipped = section.skipped === undefined ? [] : [`not measured: ${section.skipped}`];
	return [`\n${section.title}`, ...skipped, ...lines].join("\n  ");
}

export function asMarkdown(section: Section): string {
	const row = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
	const skipped = section.skipped === undefined ? [] : [`Not measured: ${section.skipped}.`, ""];
	const table = section.figures.length === 0 ? [] : [row(columns), row(columns.map(() => "---")), ...section.figures.map((each) => row(rowOf(each))), ""];
	return [`### ${section.title}`, "", section.about, "", ...skipped, ...table].join("\n");
}

export interface Run {
	readonly machine: string;
	readonly startedAt: string;
	readonly tookS: number;
	readonly sections: readonly Section[];
}

/** What docs/performance.md holds of a run. */
export function markdownOf(run: Run): string {
	const head = `Measured on ${run.startedAt.slice(0, 16).replace("T", " ")} UTC in ${run.tookS} s: ${run.machine}.`;
	return [head, "", ...run.sections.map(asMarkdown)].join("\n");
}
