// S4: we never uncordon a node that we did not cordon.
import type { Change } from "../changes.ts";
import type { Checker } from "./checker.ts";

export class CordonChecker implements Checker {
	see(change: Change): string | null {
		if (change.kind !== "nodePatched") return null;
		const { before, node } = change;
		if (!before.facts.unschedulable || node.facts.unschedulable) return null;
		return before.cordon?.by === "us" || before.cordon?.by === "nobodyKnows"
			? null
			: `${node.facts.name} is uncordoned by ${change.by.id}, and the cordon is not ours`;
	}
}
