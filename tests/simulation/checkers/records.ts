// The life of a record: only the moves that the docs allow, and a deadline that never moves later but once, after a gap.
import type { Phase, Reboot } from "../../../lib/plan/model.ts";
import { isRecordKey, type ReadRecord, recordOf } from "../../../lib/tick/rows.ts";
import type { Row } from "../../../lib/tick/world.ts";
import type { Change } from "../changes.ts";
import type { Checker } from "./checker.ts";

/** docs/how-it-works.md, "The life of one reboot". */
const next: Readonly<Record<Phase, readonly Phase[]>> = {
	cordoning: ["draining", "uncordoning"],
	draining: ["rebooting", "uncordoning"],
	rebooting: ["rejoining", "uncordoning", "stuck"],
	rejoining: ["uncordoning", "stuck"],
	uncordoning: ["soaking"],
	soaking: [],
	stuck: ["rejoining", "uncordoning"],
};

export class RecordChecker implements Checker {
	/** What is written now is what was there before at the next write. */
	readonly #read = new WeakMap<Row, ReadRecord>();

	see(change: Change): string | null {
		if (change.kind !== "rowsWritten") return null;
		for (const { key } of change.writes) {
			if (!isRecordKey(key)) continue;
			const was = change.before.get(key) ?? null;
			const is = change.table.rows(change.partition).get(key) ?? null;
			if (was === null || is === null) continue;
			const [before, after] = [this.#recordOf(was), this.#recordOf(is)];
			if (before.kind !== "record" || after.kind !== "record") return `record ${key} cannot be read`;
			const wrong = wrongMove(before.reboot, after.reboot);
			if (wrong !== null) return `record ${key} of ${after.reboot.node.name}: ${wrong}`;
		}
		return null;
	}

	#recordOf(row: Row): ReadRecord {
		const read = this.#read.get(row) ?? recordOf(row);
		this.#read.set(row, read);
		return read;
	}
}

function wrongMove(before: Reboot, after: Reboot): string | null {
	const entered = after.timeline.slice(before.timeline.length).map((each) => each.phase);
	let phase = before.phase;
	for (const each of entered) {
		if (!next[phase].includes(each)) return `${phase} → ${each}`;
		phase = each;
	}
	if (phase !== after.phase) return `its time axis ends in ${phase}, and it is ${after.phase}`;
	if (after.asks.length < before.asks.length) return "an ask was forgotten";
	if (after.bootId !== before.bootId || after.node.uid !== before.node.uid) return "it is about another boot or node than before";
	if (entered.length > 0 || before.deadlineAt === null || after.deadlineAt === null) return null;
	const later = after.deadlineAt > before.deadlineAt;
	const allowed = (after.deadlinePutOff && !before.deadlinePutOff) || (after.harsher !== null && before.harsher === null);
	return later && !allowed ? `its deadline moved from ${new Date(before.deadlineAt).toISOString()} to ${new Date(after.deadlineAt).toISOString()}` : null;
}
