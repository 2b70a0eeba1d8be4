// The text of a maintenance window: `DAYS START-END [ZONE]`, `DAYS START+DURATION [ZONE]`, `always`, `never`.
import { dayNames, placeOfName } from "./calendar.ts";
import { parseDuration } from "./durations.ts";
import type { Weekday, WeeklyWindow, WindowSpec } from "./windows.ts";
import { zoneId } from "./windows-zones.ts";

/** What is wrong with a text: the part as it was given, and what was expected there. */
export interface WindowProblem {
	readonly part: string;
	readonly expected: string;
}

type Parsed<T> = { readonly ok: T } | { readonly problem: WindowProblem };

const minutesOfDay = 24 * 60;
const weekMs = 7 * minutesOfDay * 60_000;
const everyDay: readonly Weekday[] = [1, 2, 3, 4, 5, 6, 7];
const form = "DAYS START-END [ZONE], DAYS START+DURATION [ZONE], always or never, such as: Sat,Sun 02:00-06:00 Europe/Paris";
const daysForm = "Mon, Tue, Wed, Thu, Fri, Sat or Sun, a range such as Mon-Fri, several with commas between them, or daily";

/** Reads one window. Words and zones are read in any case. */
export function parseWindow(text: string): Parsed<WindowSpec> {
	const source = text.trim();
	if (source === "") return problem(text, form);
	const word = source.toLowerCase();
	if (word === "always" || word === "never") return { ok: { text: source, kind: word } };
	const later = notSupportedYet(source);
	if (later !== null) return { problem: later };

	const [, days = "", times, zone = "UTC"] = /^(\S+?(?:\s*,\s*\S+?)*)(?:\s+(\S+))?(?:\s+(.+))?$/.exec(source) ?? [];
	if (times === undefined) return problem(source, form);
	const parsedDays = parseDays(days);
	if ("problem" in parsedDays) return parsedDays;
	const parsedTimes = parseTimes(times);
	if ("problem" in parsedTimes) return parsedTimes;
	const id = zoneId(zone.replaceAll(/\s+/g, " "));
	if (id === undefined) return problem(zone, "a time zone by its IANA name such as Europe/Paris or its Windows name such as Romance Standard Time");
	return { ok: { text: source, kind: "weekly", days: parsedDays.ok, ...parsedTimes.ok, zone: id } };
}

function problem(part: string, expected: string): { readonly problem: WindowProblem } {
	return { problem: { part, expected } };
}

/** Forms that the design has and this version has not: a clear answer instead of a riddle about days. */
function notSupportedYet(source: string): WindowProblem | null {
	const except = /(?:^|\s)(except(?:\s.*)?)$/is.exec(source)?.[1];
	if (except !== undefined) return { part: except, expected: "a window without `except`, which is not supported yet" };
	if (/^cron\b/i.test(source)) return { part: source, expected: `${form}; cron(…) is not supported yet` };
	const ordinal = /^(?:(?:\d+(?:st|nd|rd|th)|last)\s*,\s*)*(?:\d+(?:st|nd|rd|th)|last)\b(?:\s+\S+)?/i.exec(source)?.[0];
	if (ordinal !== undefined) return { part: ordinal, expected: `${daysForm}; days of the month such as 1st Sun or last Fri are not supported yet` };
	return null;
}

function parseDays(text: string): Parsed<readonly Weekday[]> {
	if (text.toLowerCase() === "daily") return { ok: everyDay };
	const days = new Set<Weekday>();
	for (const part of text.split(",").map((each) => each.trim())) {
		const [first = "", last = first, ...rest] = part.split("-");
		const from = weekday(first);
		const to = weekday(last);
		if (from === undefined || to === undefined || rest.length > 0) return problem(part === "" ? text : part, daysForm);
		for (let day = from; ; day = ((day % 7) + 1) as Weekday) {
			days.add(day);
			if (day === to) break;
		}
	}
	return { ok: everyDay.filter((day) => days.has(day)) };
}

function weekday(name: string): Weekday | undefined {
	// Sunday is the last day of their week, and the first name.
	const place = placeOfName(dayNames, name);
	return place === 0 ? 7 : everyDay[place - 1];
}

function parseTimes(text: string): Parsed<Pick<WeeklyWindow, "startMinute" | "length">> {
	const [, start = "", separator, end = ""] = /^([^-+]*)([-+])(.*)$/s.exec(text) ?? [];
	if (separator === undefined) return problem(text, "START-END or START+DURATION, such as 02:00-06:00 or 22:00+4h");
	const startMinute = minuteOfDay(start);
	if (startMinute === undefined || startMinute === minutesOfDay)
		return problem(start === "" ? text : start, "a start as HH:MM with two digits each, 00:00 to 23:59");
	if (separator === "+") return withDuration(startMinute, end, text);
	const endMinute = minuteOfDay(end);
	if (endMinute === undefined) return problem(end === "" ? text : end, "an end as HH:MM with two digits each, 00:00 to 24:00");
	return { ok: { startMinute, length: { kind: "wallClock", endMinute: endMinute > startMinute ? endMinute : endMinute + minutesOfDay } } };
}

function withDuration(startMinute: number, duration: string, text: string): Parsed<Pick<WeeklyWindow, "startMinute" | "length">> {
	const durationMs = parseDuration(duration);
	if (durationMs === undefined || durationMs === 0) return problem(duration === "" ? text : duration, "a duration such as 4h, 90m or 1h30m");
	// Of a window that comes back every week more than a week would be `always` in disguise.
	if (durationMs > weekMs) return problem(duration, "a duration of at most 7d (a window that never closes is written: always)");
	return { ok: { startMinute, length: { kind: "elapsed", durationMs } } };
}

/** Minutes since midnight of `HH:MM`, `24:00` included; undefined when it is no time. */
function minuteOfDay(text: string): number | undefined {
	const found = /^(\d\d):(\d\d)$/.exec(text);
	if (found === null) return undefined;
	const hours = Number(found[1]);
	const minutes = Number(found[2]);
	if (minutes > 59 || hours > 24 || (hours === 24 && minutes > 0)) return undefined;
	return hours * 60 + minutes;
}
