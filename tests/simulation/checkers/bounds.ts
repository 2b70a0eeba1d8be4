// Bounds: calls per look, time per round, writes of a record per reboot. In calm, where no call fails or hangs.

import { roundLimits } from "../../../lib/tick/round.ts";
import { isRecordKey, recordOf } from "../../../lib/tick/rows.ts";
import type { Change } from "../changes.ts";
import type { Universe } from "../universe.ts";
import type { Checker } from "./checker.ts";

/** A look may begin just before the round's time is over. */
const lookMs = 45_000;
/** Of one look at a cluster, and what every node and every pod may add. */
const calls = { perLook: 20, perNode: 10, perPod: 2 };
/** Of one record, beside one for every refused eviction: they are repeated every 5 s. */
const writesOfRecord = 60;
const evictionEveryMs = 5_000;

export class BoundChecker implements Checker {
	readonly #universe: Universe;
	readonly #writes = new Map<string, number>();
	/** Of the last round of each process: two may end side by side. */
	readonly #looks = new Map<string, number>();

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind === "rowsWritten") return this.#records(change);
		if (change.kind === "journal") {
			if (change.line.event === "round.ended") this.#looks.set(change.by.id, Number(change.line.looks));
			return null;
		}
		return change.kind === "roundEnded" && this.#universe.calm ? this.#round(change) : null;
	}

	#round({ by, tookMs, calls: asked }: Extract<Change, { kind: "roundEnded" }>): string | null {
		// The first rounds in calm began before it.
		if (this.#universe.elapsedMs < this.#universe.scenario.weatherMs + 10 * 60_000) return null;
		if (tookMs > roundLimits.roundMs + lookMs) return `a round of ${by.id} took ${tookMs} ms`;
		let most = 0;
		for (const cluster of this.#universe.clusters) {
			most += calls.perLook + calls.perNode * cluster.nodes.size + calls.perPod * [...cluster.pods.all()].length;
		}
		const looks = this.#looks.get(by.id) ?? 0;
		return asked > most * Math.max(1, looks) ? `a round of ${by.id} with ${looks} looks made ${asked} calls` : null;
	}

	#records({ writes, table, partition }: Extract<Change, { kind: "rowsWritten" }>): string | null {
		for (const { key } of writes) {
			if (!isRecordKey(key)) continue;
			const count = (this.#writes.get(key) ?? 0) + 1;
			this.#writes.set(key, count);
			const row = table.rows(partition).get(key);
			if (count <= writesOfRecord || row === undefined) continue;
			const read = recordOf(row);
			const agedMs = read.kind === "record" ? this.#universe.now - read.reboot.admittedAt : 0;
			if (count > writesOfRecord + (2 * agedMs) / evictionEveryMs) return `record ${key} was written ${count} times`;
		}
		return null;
	}
}
