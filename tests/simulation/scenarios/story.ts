// A named scenario: a world, what befalls it, and what must come of it beside the promises that every run is held to.
import type { EndedReboot } from "../../../lib/plan/model.ts";
import { textOf } from "../../../lib/tick/rows.ts";
import type { JournalLine } from "../../../lib/tick/world.ts";
import type { Change } from "../changes.ts";
import { type Result, run } from "../run.ts";
import type { Scenario } from "../scenario.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { Universe } from "../universe.ts";

export interface Ended {
	readonly node: string;
	readonly end: EndedReboot["end"];
	readonly cause: EndedReboot["cause"]["kind"];
	/** The phase that it ended in. */
	readonly from: EndedReboot["reboot"]["phase"];
	readonly atMs: number;
}

/** What was seen of a run. */
export class Seen {
	readonly ended: Ended[] = [];
	readonly journal: { readonly atMs: number; readonly line: JournalLine }[] = [];
	/** Nodes that were marked by us, each time. */
	readonly begun: { readonly node: string; readonly atMs: number }[] = [];
	/** Nodes that we gave back, as they were then. */
	readonly givenBack: { readonly node: string; readonly ready: boolean; readonly bootId: string; readonly atMs: number }[] = [];
	lines: readonly string[] = [];
	universe: Universe | null = null;

	see(change: Change, universe: Universe): void {
		this.universe = universe;
		const atMs = universe.elapsedMs;
		if (change.kind === "journal") this.journal.push({ atMs, line: change.line });
		if (change.kind === "rowsWritten") {
			for (const write of change.writes) {
				if (write.kind !== "insert" || !write.key.startsWith("z-ended-")) continue;
				const { reboot, end, cause } = JSON.parse(textOf(write.values, "json")) as EndedReboot;
				this.ended.push({ node: reboot.node.name, end, cause: cause.kind, from: reboot.phase, atMs });
			}
		}
		if (change.kind !== "nodePatched") return;
		const { before, node } = change;
		const { name, ready, bootId } = node.facts;
		if (before.facts.mark.kind === "none" && node.facts.mark.kind === "mark") this.begun.push({ node: name, atMs });
		if (before.facts.mark.kind !== "none" && node.facts.mark.kind === "none") this.givenBack.push({ node: name, ready, bootId, atMs });
	}

	/** How each reboot of a node ended, in order. */
	ends(node: string): readonly string[] {
		return this.ended.filter((each) => each.node === node).map((each) => each.end);
	}

	/** Journal events of a kind; of a node, where one is named. */
	events(event: string, node?: string): readonly JournalLine[] {
		return this.journal.flatMap(({ line }) => (line.event === event && (node === undefined || line.node === node) ? [line] : []));
	}

	node(name: string): ApiNode | undefined {
		return this.universe?.clusters.flatMap((each) => each.nodes.get(name) ?? [])[0];
	}

	/** How often we ended a boot of the node's machine. */
	reboots(name: string): number {
		return this.node(name)?.machine.rebootedByUsAt.length ?? 0;
	}

	/** Edges between phases, as told: `cordoning → draining`. */
	edges(node: string): readonly string[] {
		const moved = this.journal.filter(({ line }) => line.node === node && (line.event === "reboot.moved" || line.event === "reboot.stuck"));
		return moved.map(({ line }) => `${line.from} → ${line.event === "reboot.stuck" ? "stuck" : line.to}`);
	}

	/** Reasons that keep the whole cluster, as told. */
	clusterReasons(): ReadonlySet<string> {
		const told = [...this.events("cluster.reason"), ...this.events("owner.other")];
		return new Set(told.map((line) => (line.reason as { readonly kind: string }).kind));
	}

	/** Reasons that the node was told of while it waited. */
	reasons(node: string): ReadonlySet<string> {
		return new Set(this.events("node.waiting", node).flatMap((line) => (line.reasons as readonly { readonly kind: string }[]).map((each) => each.kind)));
	}
}

export interface Story {
	readonly scenario: Scenario;
	/** What is wrong with what came of it; null: all is as it must be. */
	readonly wrong: (seen: Seen) => string | null;
}

/** A run that broke no promise and did not bring about what its story asks for is `notConverged`, by `story`. */
export async function tell({ scenario, wrong }: Story): Promise<{ readonly result: Result; readonly seen: Seen }> {
	const seen = new Seen();
	const result = await run(scenario, { trace: true, watch: (change, universe) => seen.see(change, universe) });
	seen.lines = result.lines;
	const what = result.verdict === "ok" ? wrong(seen) : null;
	return { seen, result: what === null ? result : { ...result, verdict: "notConverged", id: "story", what } };
}

/** The first of several that does not hold, told with its values. */
export function unless(...expected: readonly (readonly [boolean, string, unknown?])[]): string | null {
	const broken = expected.find(([holds]) => !holds);
	if (broken === undefined) return null;
	return `expected: ${broken[1]}${broken[2] === undefined ? "" : `; seen: ${JSON.stringify(broken[2])}`}`;
}
