// Has everything come to rest? Asked by `--until-settled` after every round.
import { explainDuration } from "../plan/explain.ts";
import type { ClusterTarget } from "../plan/policy.ts";
import { type ClusterSummary, needsPerson } from "../tick/summary.ts";
import type { TickResult } from "../tick/tick.ts";

/** A cluster that cannot be looked at for this long is not waited for. */
export const unreachableMs = 60_000;

export type Settled = { readonly kind: "notYet" } | { readonly kind: "settled"; readonly exitCode: 0 | 1; readonly notes: readonly string[] };

/** What is known of each cluster over the rounds. */
export class Watch {
	/** Since when a cluster could not be looked at. */
	readonly #failingSince = new Map<string, number>();

	/** `now`: this machine's clock. */
	judge(clusters: readonly ClusterTarget[], results: ReadonlyMap<string, TickResult>, now: number): Settled {
		// Each of them is noted, also beside one that goes on: a failure long ago and one of today are not a failure that lasts.
		const verdicts = clusters.map(({ name }) => ({ name, verdict: this.#verdict(name, results.get(name), now) }));
		if (verdicts.some(({ verdict }) => verdict === "notYet")) return { kind: "notYet" };
		const notes = verdicts.filter(({ verdict }) => verdict !== "ok").map(({ name, verdict }) => `${name}: ${verdict}`);
		return { kind: "settled", exitCode: notes.length === 0 ? 0 : 1, notes };
	}

	/** "ok", "notYet", or what is wrong. */
	#verdict(name: string, result: TickResult | undefined, now: number): string {
		if (result === undefined) return "notYet";
		switch (result.kind) {
			case "looked": {
				const { summary, inFlight, toBegin, unsure } = result;
				const stuck = inFlight.filter(needsPerson);
				const moves = stuck.length < inFlight.length;
				if (unsure === null || moves) this.#failingSince.delete(name);
				if (summary.notOwner) return `another scheduler's: ${summary.reasons.join("; ")}`;
				if (moves) return "notYet";
				// What could not be read is not "nobody waits"; and what cannot begin because of it is not waited for without end.
				if (unsure !== null) return this.#failed(name, unsure, now);
				if (toBegin) return "notYet";
				return stuck.length === 0 ? "ok" : `stuck: ${stuck.map((each) => each.node.name).join(", ")}`;
			}
			case "heldByOther":
			case "lost":
				this.#failingSince.delete(name);
				return "notYet";
			case "excused":
			case "failed":
				return this.#failed(name, result.why, now);
			default: {
				const never: never = result;
				return never;
			}
		}
	}

	#failed(name: string, why: string, now: number): string {
		const since = this.#failingSince.get(name) ?? now;
		this.#failingSince.set(name, since);
		return now - since >= unreachableMs ? `could not be looked at for ${Math.round((now - since) / 1000)} s: ${why}` : "notYet";
	}
}

/** Between two rounds while nothing moves; and while something is waited for. */
const idleMs = 15_000;
const waitingMs = 2_000;

/**
 * How long to wait before the next round. Where something moves the round has taken its time already; a node that is stuck is waited for,
 * and its round is over at once.
 */
export function pauseMs(results: Iterable<TickResult>, untilSettled: boolean): number {
	const all = [...results];
	const reboots = all.flatMap((each) => (each.kind === "looked" ? each.inFlight : []));
	if (reboots.some((each) => each.phase !== "stuck")) return 0;
	// Of a worker that was killed the lease runs out within seconds.
	const waits = untilSettled || reboots.length > 0 || all.some(({ kind }) => kind === "heldByOther");
	return waits ? waitingMs : idleMs;
}

/** How the clusters stand, as a terminal counts: what is held does not wait. */
export function standingOf(summaries: readonly ClusterSummary[]): { readonly waiting: number; readonly held: number; readonly stuck: number } {
	const sum = (count: (summary: ClusterSummary) => number) => summaries.reduce((total, each) => total + count(each), 0);
	const held = sum((each) => each.heldCount);
	return { waiting: sum((each) => each.waitingCount) - held, held, stuck: sum((each) => each.inFlight.filter((one) => one.stuck).length) };
}

/** The last line of a run: what it brought about, and how it leaves the clusters that it looked at. */
export function lastLine(
	word: "settled" | "stopped",
	tally: { rebooted: number; gaveUp: number },
	summaries: readonly ClusterSummary[],
	tookMs: number,
): string {
	const { waiting, held, stuck } = standingOf(summaries);
	return `${word} rebooted=${tally.rebooted} gave-up=${tally.gaveUp} stuck=${stuck} waiting=${waiting} held=${held} in ${explainDuration(tookMs)}`;
}
