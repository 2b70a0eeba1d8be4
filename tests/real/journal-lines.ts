// What a scheduler said of a node, picked from its journal.
import assert from "node:assert/strict";
import type { Reason, ReasonKind } from "../../lib/plan/reasons.ts";
import type { Line, Scheduler } from "./scenario.ts";

/** How its only reboot ended, and the sentence. */
export function endOf(scheduler: Scheduler, node: string): { readonly end: unknown; readonly message: string } {
	const lines = scheduler.told("reboot.ended", { node });
	assert.equal(lines.length, 1, `ends of ${node}; it was told:\n${scheduler.story().slice(-6_000)}`);
	return { end: lines[0]?.end, message: lines[0]?.message ?? "" };
}

/** Why it was said last that a node waits. */
export function reasonsOf(scheduler: Scheduler, node: string): ReasonKind[] {
	const reasons = (lastWait(scheduler, node)?.reasons ?? []) as readonly Reason[];
	return reasons.map((each) => each.kind);
}

export function whyWaits(scheduler: Scheduler, node: string): string {
	return lastWait(scheduler, node)?.message ?? "";
}

function lastWait(scheduler: Scheduler, node: string): Line | undefined {
	return scheduler.told("node.waiting", { node }).at(-1);
}

/** Ends, with an exit code that was expected; else what it said is shown. */
export async function endsWith(scheduler: Scheduler, exitCode: number, lastLine?: RegExp): Promise<void> {
	assert.equal(await scheduler.ended(), exitCode, scheduler.story().slice(-6_000));
	if (lastLine !== undefined) assert.match(scheduler.lastLine, lastLine, scheduler.story().slice(-6_000));
}
