// S11: unknown never counts as good. A node begins only for a report of the boot that it runs.
import type { Change } from "../changes.ts";
import type { Universe } from "../universe.ts";
import { begunMs, type Checker, outOfTime, requestFor } from "./checker.ts";

export class ReportChecker implements Checker {
	readonly #universe: Universe;

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind !== "nodePatched") return null;
		const { node, before, cluster } = change;
		const begun = before.facts.mark.kind === "none" && node.facts.mark.kind === "mark";
		if (!begun || outOfTime(this.#universe, change, cluster)) return null;
		const said = node.saidNeed;
		if (said !== null && said.bootId === before.facts.bootId && (said.until === null || this.#universe.now - said.until < begunMs)) return null;
		// Who asks by hand needs no sentinel to ask for it too.
		if (requestFor(node, before.facts.bootId, this.#universe.now) !== null) return null;
		return `${node.facts.name} begins, and no sentinel of its has asked for a reboot of boot ${before.facts.bootId}`;
	}
}
