// When a round was last due, by the timer's schedule.
import type { Instant } from "../plan/model.ts";
import type { Schedule } from "../plan/policy.ts";

const minuteMs = 60_000;
/** A schedule that is due less often is not watched. */
const watchedMinutes = 8 * 24 * 60;

/** The last minute up to an instant in which the timer was due (UTC, as Azure Functions on Linux counts); null: not within 8 days. */
export function lastDue({ minutes, hours, dates, months, weekdays }: Schedule, before: Instant): Instant | null {
	const start = Math.floor(before / minuteMs) * minuteMs;
	for (let i = 0; i < watchedMinutes; i++) {
		const at = start - i * minuteMs;
		const date = new Date(at);
		if (!minutes.includes(date.getUTCMinutes()) || !hours.includes(date.getUTCHours()) || !dates.includes(date.getUTCDate())) continue;
		if (months.includes(date.getUTCMonth() + 1) && weekdays.includes(date.getUTCDay())) return at;
	}
	return null;
}
