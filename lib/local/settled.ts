// Has everything come to rest? Asked by `--until-settled` after every round.
import type { ClusterTarget } from "../plan/policy.ts";
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
		const notes: string[] = [];
		for (const { name } of clusters) {
			const result = results.get(name);
			const verdict = this.#verdict(name, result, now);
			if (verdict === "notYet") return { kind: "notYet" };
			if (verdict !== "ok") notes.push(`${name}: ${verdict}`);
		}
		return { kind: "settled", exitCode: notes.length === 0 ? 0 : 1, notes };
	}

	/** "ok", "notYet", or what is wrong. */
	#verdict(name: string, result: TickResult | undefined, now: number): string {
		if (result === undefined) return "notYet";
		switch (result.kind) {
			case "looked": {
				this.#failingSince.delete(name);
				if (result.summary.notOwner) return `another scheduler's: ${result.summary.reasons.join("; ")}`;
				const stuck = result.summary.inFlight.filter((each) => each.stuck);
				if (stuck.length < result.summary.inFlight.length || result.toBegin) return "notYet";
				return stuck.length === 0 ? "ok" : `stuck: ${stuck.map((each) => each.node).join(", ")}`;
			}
			case "heldByOther":
			case "lost":
				return "notYet";
			case "excused":
			case "failed": {
				const since = this.#failingSince.get(name) ?? now;
				this.#failingSince.set(name, since);
				return now - since >= unreachableMs ? `could not be looked at for ${Math.round((now - since) / 1000)} s: ${result.why}` : "notYet";
			}
			default: {
				const never: never = result;
				return never;
			}
		}
	}
}
