// All checkers over one universe. The first thing that is wrong ends the run.
import type { Change } from "./changes.ts";
import { BoundChecker } from "./checkers/bounds.ts";
import { BugChecker } from "./checkers/bugs.ts";
import type { Checker } from "./checkers/checker.ts";
import { CordonChecker } from "./checkers/cordons.ts";
import { EndChecker } from "./checkers/ends.ts";
import { EvictionChecker } from "./checkers/evictions.ts";
import { FenceChecker } from "./checkers/fences.ts";
import { HoldChecker } from "./checkers/holds.ts";
import { RebootChecker } from "./checkers/reboots.ts";
import { RecordChecker } from "./checkers/records.ts";
import { ReportChecker } from "./checkers/reports.ts";
import { RoomChecker } from "./checkers/room.ts";
import { SecretChecker } from "./checkers/secrets.ts";
import { WindowChecker } from "./checkers/windows.ts";
import type { Universe } from "./universe.ts";

export interface Finding {
	/** Which promise, or `records`, `bounds`, `bug`. */
	readonly id: string;
	readonly what: string;
	/** Milliseconds since the run began. */
	readonly atMs: number;
}

export class Judge {
	readonly #universe: Universe;
	readonly #checkers: readonly (readonly [string, Checker])[];
	finding: Finding | null = null;

	constructor(universe: Universe) {
		this.#universe = universe;
		this.#checkers = [
			["S1", new RoomChecker(universe)],
			["S2/S5", new RebootChecker(universe)],
			["S3", new WindowChecker(universe)],
			["S4", new CordonChecker()],
			["S6", new FenceChecker(universe)],
			["S7", new EvictionChecker(universe)],
			["S8", new EndChecker(universe)],
			["S9", new HoldChecker(universe)],
			["S10", new SecretChecker()],
			["S11", new ReportChecker(universe)],
			["records", new RecordChecker()],
			["bounds", new BoundChecker(universe)],
			["bug", new BugChecker()],
		];
	}

	see(change: Change): void {
		// What callers are told is counted by the coverage table alone: the universe is judged, not what is said of it.
		if (this.finding !== null || change.kind === "answered") return;
		for (const [id, checker] of this.#checkers) {
			const what = checker.see(change);
			if (what === null) continue;
			const named = /^(S\d+): /.exec(what)?.[1] ?? id;
			this.finding = { id: named, what: what.replace(/^S\d+: /, ""), atMs: this.#universe.elapsedMs };
			this.#universe.trace.note(this.#universe.now, "JUDGE", `${named}: ${what}`);
			return;
		}
	}
}
