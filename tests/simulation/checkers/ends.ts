// S8: passing a deadline is a decision with a name, and the name is true: what a reboot is said to have ended with is held to what happened.
// (S11 too: "no longer asked" needs a ready sentinel that said so of this boot.)
import type { EndedReboot } from "../../../lib/plan/model.ts";
import { textOf } from "../../../lib/tick/rows.ts";
import type { Change } from "../changes.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { Universe } from "../universe.ts";
import { type Checker, lookMs } from "./checker.ts";

export class EndChecker implements Checker {
	readonly #universe: Universe;

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind !== "rowsWritten") return null;
		for (const write of change.writes) {
			if (write.kind !== "insert" || !write.key.startsWith("z-ended-")) continue;
			const ended = JSON.parse(textOf(write.values, "json")) as EndedReboot;
			const wrong = this.#wrong(ended);
			if (wrong !== null) return `${ended.reboot.node.name} ended ${ended.end} (${ended.cause.kind}), and ${wrong}`;
		}
		return null;
	}

	#wrong({ reboot, end, cause }: EndedReboot): string | null {
		const cluster = this.#universe.cluster(reboot.cluster.name);
		const found = cluster?.nodes.get(reboot.node.name);
		const node = found?.facts.uid === reboot.node.uid ? found : undefined;
		switch (end) {
			case "done":
				return node === undefined ? null : notDone(node, reboot);
			case "gaveUp":
				return node === undefined ? null : givenUp(node, reboot);
			case "notNeeded":
				return node === undefined ? null : stillNeeded(node, reboot, cause.kind);
			case "replaced":
				return node === undefined || cause.kind === "markCopied" || node.touchedByOthersAt !== null ? null : "the node is still that node";
			case "released":
				return this.#released(node, reboot, cause.kind);
			case "cancelled":
				return cause.kind === "uncordonedByOthers" && !touchedIn(node, reboot) ? "nobody uncordoned it" : null;
			default: {
				const never: never = end;
				return never;
			}
		}
	}

	#released(node: ApiNode | undefined, reboot: EndedReboot["reboot"], cause: string): string | null {
		if (cause === "ownerChanged")
			return this.#universe.schedulers.length > 1 || this.#universe.clusters.some((each) => each.owner.everWritten) ? null : "nobody wrote another owner";
		return node === undefined || touchedIn(node, reboot) ? null : "nobody took it from us";
	}
}

type Reboot = EndedReboot["reboot"];

function touchedIn(node: ApiNode | undefined, reboot: Reboot): boolean {
	if (node === undefined) return true;
	// One that is adopted by a mark that somebody garbled knows no longer when it began.
	const since = Math.min(reboot.admittedAt, node.lastMark?.mark.since ?? reboot.admittedAt);
	return node.touchedByOthersAt !== null && node.touchedByOthersAt >= since - 60_000;
}

function notDone(node: ApiNode, reboot: Reboot): string | null {
	const { machine } = node;
	if (machine.bootId === reboot.bootId) return "it still runs the boot that was to end";
	const asked = reboot.asks[0]?.at ?? Number.POSITIVE_INFINITY;
	if (machine.bootedAt < asked - 60_000) return "it was asked for after that boot had ended";
	// Asked for by a look that was older than the boot: it counts as ours all the same, though no mark came to say so.
	if (node.lastMark?.mark.askedAt === undefined) machine.rebootedByUsAt.push(machine.bootedAt);
	return null;
}

/** Decided by a look that must have seen another boot. */
function givenUp(node: ApiNode, reboot: Reboot): string | null {
	if (node.facts.bootId === reboot.bootId) return null;
	const decidedAt = reboot.timeline.findLast((each) => each.phase === "uncordoning")?.at ?? 0;
	return node.bootShownAt < decidedAt - 1_000 ? "it had shown another boot when that was decided" : null;
}

function stillNeeded(node: ApiNode, reboot: Reboot, cause: string): string | null {
	if (cause === "bootedByOthers" || cause === "rejoinedIncomplete") return node.facts.bootId === reboot.bootId ? "it still runs the same boot" : null;
	const said = node.saidNoNeed;
	const decidedAt = reboot.timeline.findLast((each) => each.phase === "uncordoning")?.at ?? 0;
	// It stands for as long as its pod is ready; a look may take its time.
	if (said !== null && said.bootId === reboot.bootId && (said.until === null || said.until >= decidedAt - lookMs)) return null;
	return "no ready sentinel has said so of this boot";
}
