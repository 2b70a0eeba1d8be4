// S10: no token, kubeconfig, key or header ever reaches a log, a table, an event or an error. The universe's settings hold a webhook whose address is one.
import type { Change } from "../changes.ts";
import type { Checker } from "./checker.ts";

export const secret = "5ecre7";

export class SecretChecker implements Checker {
	see(change: Change): string | null {
		if (change.kind === "journal") return holds(change.line) ? `the journal's line ${change.line.event} holds a secret` : null;
		if (change.kind === "rowsWritten") {
			const write = change.writes.find((each) => each.kind !== "delete" && holds(each.values));
			return write === undefined ? null : `row ${write.key} holds a secret`;
		}
		if (change.kind === "eventCreated") return holds(change.event) ? `event ${change.event.reason} holds a secret` : null;
		return change.kind === "nodePatched" && change.patch.mark && holds(change.patch.mark) ? "a mark holds a secret" : null;
	}
}

function holds(value: unknown): boolean {
	if (typeof value === "string") return value.includes(secret);
	if (typeof value !== "object" || value === null) return false;
	for (const each of Object.values(value)) if (holds(each)) return true;
	return false;
}
