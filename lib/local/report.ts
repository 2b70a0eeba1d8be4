// What a run says last: what became of every node, in full sentences.
import { explainDuration } from "../plan/explain.ts";
import { type Phase, phases } from "../plan/model.ts";
import type { ClusterSummary } from "../tick/summary.ts";
import type { Outcome } from "./outcomes.ts";
import { harmless, type Paint } from "./screen.ts";
import { wrapped } from "./terminal.ts";

interface Entry {
	readonly cluster: string;
	/** Empty: it is about the cluster. */
	readonly node: string;
	readonly says: string;
}

interface Section {
	readonly title: string;
	readonly entries: readonly Entry[];
	/** Not listed, since the summary was cut. */
	readonly more: number;
}

/** Of one section at most so many lines: what is said last has to be seen. */
const mostEntries = 40;

/** Lines without colours are for those that have none. `columns` null: lines are never broken. */
export function reportLines(ended: readonly Outcome[], clusters: ReadonlyMap<string, ClusterSummary>, columns: number | null, paint: Paint): readonly string[] {
	const sections = sectionsOf(ended, clusters).filter(({ entries, more }) => entries.length + more > 0);
	const nameOf = ({ cluster, node }: Entry) => harmless(node === "" ? cluster : `${cluster}/${node}`);
	const widest = Math.max(0, ...sections.flatMap(({ entries }) => entries.slice(0, mostEntries).map((each) => nameOf(each).length)));
	return sections.flatMap(({ title, entries, more }) => {
		const left = entries.length - mostEntries;
		const unseen = more + Math.max(0, left);
		return [
			"",
			paint("bold", title),
			...entries.slice(0, mostEntries).map((each) => {
				const head = `  ${nameOf(each).padEnd(Math.min(widest, 60))}  `;
				const says = harmless(each.says);
				return columns === null ? `${head}${says}` : `${head}${wrapped(says, Math.max(30, columns - head.length)).join(`\n${" ".repeat(head.length)}`)}`;
			}),
			...(unseen > 0 ? [`  and ${unseen} more`] : []),
		];
	});
}

function sectionsOf(ended: readonly Outcome[], clusters: ReadonlyMap<string, ClusterSummary>): readonly Section[] {
	const waiting = [...clusters].flatMap(([cluster, summary]) => summary.waiting.map((each) => ({ cluster, ...each })));
	const entry = ({ cluster, node, why }: { cluster: string; node: string; why: string }): Entry => ({ cluster, node, says: why });
	const isHeld = ({ reasons }: { readonly reasons: readonly string[] }) => reasons.includes("held");
	const inFlight = [...clusters].flatMap(([cluster, summary]) => summary.inFlight.map((each) => ({ cluster, ...each, why: each.why ?? "" })));
	const sum = (count: (each: ClusterSummary) => number) => [...clusters.values()].reduce((total, each) => total + count(each), 0);
	const [held, others] = [waiting.filter(isHeld), waiting.filter((each) => !isHeld(each))];
	const heldCount = sum((each) => each.heldCount);
	return [
		section("Rebooted", ended.filter(({ end }) => end === "done").map(rebooted)),
		section(
			"Not rebooted",
			ended.filter(({ end }) => end !== "done").map(({ cluster, node, message }) => ({ cluster, node, says: message })),
		),
		section(
			"Needs a person",
			inFlight.filter(({ stuck }) => stuck).map((each) => entry({ ...each, why: `${each.phase}: ${each.why}` })),
		),
		section(
			"Still in flight, and gone on with by the next run",
			inFlight.filter(({ stuck }) => !stuck).map((each) => entry({ ...each, why: `${each.phase}${each.why === "" ? "" : `: ${each.why}`}` })),
		),
		section("On hold", held.map(entry), heldCount - held.length),
		section("Waiting", others.map(entry), sum((each) => each.waitingCount) - heldCount - others.length),
		section(
			"Clusters",
			[...clusters].flatMap(([cluster, summary]) => aboutCluster(cluster, summary)),
		),
	];
}

function section(title: string, entries: readonly Entry[], more = 0): Section {
	return { title, entries, more: Math.max(0, more) };
}

function rebooted({ cluster, node, kernelBefore, kernelAfter, tookMs, phasesMs, foundCordoned }: Outcome): Entry {
	const took = phases.flatMap((phase: Phase) => {
		const ms = phasesMs[phase];
		return ms === undefined ? [] : [`${phase} ${explainDuration(ms)}`];
	});
	const kernels = `kernel ${kernelBefore} → ${kernelAfter ?? "unknown"} in ${explainDuration(tookMs)}: ${took.join(", ")}`;
	return { cluster, node, says: foundCordoned ? `${kernels}; left cordoned as it was found` : kernels };
}

function aboutCluster(cluster: string, { failure, failures, reasons }: ClusterSummary): readonly Entry[] {
	const failed = failure === null ? [] : [`it could not be looked at (${failures} in a row): ${failure}`];
	return [...failed, ...reasons].map((says) => ({ cluster, node: "", says }));
}
