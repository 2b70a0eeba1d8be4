// What the scheduler itself takes for a bug: a plan that its own invariants refused, an error that no call made.
import type { Change } from "../changes.ts";
import type { Checker } from "./checker.ts";

export class BugChecker implements Checker {
	see(change: Change): string | null {
		if (change.kind === "journal" && change.line.event === "invariant.violated") return change.line.message;
		if (change.kind === "journal" && change.line.event === "tick.failed" && change.line.message.includes("a bug of ours")) return change.line.message;
		return change.kind === "roundEnded" && change.bugs.length > 0 ? change.bugs.join("; ") : null;
	}
}
