// Maintenance windows: when a pool is open, until when, and when next.
// Pure: the same windows and instant give the same answer, whatever was asked before.
import { Temporal } from "temporal-polyfill";
import type { Instant } from "./model.ts";

export { parseWindow, type WindowProblem } from "./windows-grammar.ts";

/** ISO: Monday is 1, Sunday is 7. */
export type Weekday = 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** A window that opens on days of the week. It belongs to the day on which it opens. */
export interface WeeklyWindow {
	readonly text: string;
	readonly kind: "weekly";
	readonly days: readonly Weekday[];
	/** Minutes after the midnight that begins the day, by the wall clock: 0 to 1439. */
	readonly startMinute: number;
	/** `wallClock`: minutes after the same midnight, later than the start; beyond 1440 it is on the next day. */
	readonly length: { readonly kind: "wallClock"; readonly endMinute: number } | { readonly kind: "elapsed"; readonly durationMs: number };
	/** IANA id. */
	readonly zone: string;
}

/** One window, parsed: plain data, with the text it was written as. */
export type WindowSpec = { readonly text: string; readonly kind: "always" | "never" } | WeeklyWindow;

/** Open from `openedAt` (null: without a beginning) to `closesAt` (null: without an end); or closed until `opensAt` (null: never). */
export type WindowState =
	| { readonly open: true; readonly openedAt: Instant | null; readonly closesAt: Instant | null }
	| { readonly open: false; readonly opensAt: Instant | null };

export interface Opening {
	readonly openedAt: Instant;
	/** Null: without an end. */
	readonly closesAt: Instant | null;
}

/** A day on which a window does not open, because the clocks change: its END does not come after its START. */
export interface SkippedDay {
	readonly window: WindowSpec;
	/** ISO date, in the window's zone. */
	readonly date: string;
}

const minuteMs = 60_000;
const minutesOfDay = 24 * 60;
const dayMs = minutesOfDay * minuteMs;
const weekMs = 7 * dayMs;
/** Most windows are answered from the days around; those that follow upon each other without a gap need the far ones. */
const nearMs = 9 * dayMs;
/** A beginning or an end that is farther away counts as none. Longer than a year: every change of the clocks has been seen. */
const farMs = 400 * dayMs;

/** Whether the windows are open at an instant. Windows that overlap or touch are one, across the list too. */
export function windowState(windows: readonly WindowSpec[], at: Instant): WindowState {
	if (windows.some((each) => each.kind === "always")) return { open: true, openedAt: null, closesAt: null };
	if (!windows.some(isWeekly)) return { open: false, opensAt: null };
	return stateIn(timetable(windows, at, nearMs), at) ?? stateIn(timetable(windows, at, farMs), at) ?? endless(timetable(windows, at, farMs), at);
}

/** The next openings after an instant (one that is open then is not among them), at most `count`. */
export function nextOpenings(windows: readonly WindowSpec[], at: Instant, count: number): readonly Opening[] {
	if (windows.some((each) => each.kind === "always")) return [];
	let openings: readonly Opening[] = [];
	for (const reachMs of [nearMs, farMs, (count + 2) * weekMs]) {
		const table = timetable(windows, at, reachMs);
		const later = table.spans.filter((span) => span.openedAt > at);
		openings = later.map((span) => ({ openedAt: span.openedAt, closesAt: span.closesAt < table.before ? span.closesAt : null }));
		if (openings.length > count) return openings.slice(0, count);
	}
	return openings.slice(0, count);
}

/** The days from that of `from` to that of `until` on which a window would open and does not. */
export function skippedDays(windows: readonly WindowSpec[], from: Instant, until: Instant): readonly SkippedDay[] {
	return windows.filter(isWeekly).flatMap((window) => {
		const skipped = datesOf(window, from, until).filter((date) => opening(window, date) === null);
		return skipped.map((date) => ({ window, date: date.toString() }));
	});
}

/**
 * How long a window is open by the clock on the wall of an ordinary week, in milliseconds, together with the windows of the list that it
 * overlaps or touches; of several days the shortest. Infinity when the list leaves no gap in the week, 0 for `never`.
 * Windows of other zones count as touching only when they do in January and in July.
 */
export function nominalLengthMs(window: WindowSpec, among: readonly WindowSpec[]): number {
	if (window.kind === "never") return 0;
	if (!isWeekly(window) || among.some((each) => each.kind === "always")) return Number.POSITIVE_INFINITY;
	return Math.min(...referenceInstants.map((at) => nominalLengthAtMs(window, among, at)));
}

function isWeekly(window: WindowSpec): window is WeeklyWindow {
	return window.kind === "weekly";
}

interface Span {
	readonly openedAt: Instant;
	readonly closesAt: Instant;
}

/** Merged spans that reach into [from, before); those that reach beyond it may be longer than they look. */
interface Timetable {
	readonly week: number;
	readonly reachMs: number;
	readonly from: Instant;
	readonly before: Instant;
	readonly spans: readonly Span[];
}

/**
 * The last timetable of each list: a look asks for the same week again and again. Only speed depends on it: a wider timetable never
 * gives another answer than a narrower one that gave any.
 */
const timetables = new WeakMap<readonly WindowSpec[], Timetable>();

function timetable(windows: readonly WindowSpec[], at: Instant, reachMs: number): Timetable {
	const week = Math.floor(at / weekMs);
	const last = timetables.get(windows);
	if (last !== undefined && last.week === week && last.reachMs >= reachMs) return last;
	const from = week * weekMs - reachMs;
	const before = (week + 1) * weekMs + reachMs;
	const made = { week, reachMs, from, before, spans: merge(windows.filter(isWeekly).flatMap((window) => openings(window, from, before))) };
	if (reachMs <= farMs) timetables.set(windows, made);
	return made;
}

/** The answer where the timetable shows all of it. */
function stateIn(table: Timetable, at: Instant): WindowState | null {
	const span = spanAt(table, at);
	if (span !== undefined) {
		const whole = span.openedAt > table.from && span.closesAt < table.before;
		return whole ? { open: true, openedAt: span.openedAt, closesAt: span.closesAt } : null;
	}
	const next = table.spans.find((each) => each.openedAt > at);
	return next === undefined ? null : { open: false, opensAt: next.openedAt };
}

function endless(table: Timetable, at: Instant): WindowState {
	const span = spanAt(table, at);
	if (span === undefined) return { open: false, opensAt: null };
	return {
		open: true,
		openedAt: span.openedAt > table.from ? span.openedAt : null,
		closesAt: span.closesAt < table.before ? span.closesAt : null,
	};
}

function spanAt(table: Timetable, at: Instant): Span | undefined {
	return table.spans.find((each) => each.openedAt <= at && at < each.closesAt);
}

function merge(spans: readonly Span[]): readonly Span[] {
	const merged: Span[] = [];
	for (const span of spans.toSorted((one, other) => one.openedAt - other.openedAt)) {
		const last = merged.at(-1);
		if (last === undefined || span.openedAt > last.closesAt) merged.push(span);
		else if (span.closesAt > last.closesAt) merged[merged.length - 1] = { openedAt: last.openedAt, closesAt: span.closesAt };
	}
	return merged;
}

/** Openings of one window that reach into [from, before). */
function openings(window: WeeklyWindow, from: Instant, before: Instant): readonly Span[] {
	const longestMs = window.length.kind === "elapsed" ? window.length.durationMs : 2 * dayMs;
	return datesOf(window, from - longestMs - dayMs, before)
		.map((date) => opening(window, date))
		.filter((span) => span !== null)
		.filter((span) => span.closesAt >= from && span.openedAt < before);
}

/** The days of the week of the window, by the calendar of its zone. */
function datesOf(window: WeeklyWindow, from: Instant, before: Instant): readonly Temporal.PlainDate[] {
	const last = dateAt(before, window.zone);
	const dates: Temporal.PlainDate[] = [];
	for (let date = dateAt(from, window.zone); Temporal.PlainDate.compare(date, last) <= 0; date = date.add({ days: 1 })) {
		if (window.days.includes(date.dayOfWeek as Weekday)) dates.push(date);
	}
	return dates;
}

function dateAt(at: Instant, zone: string): Temporal.PlainDate {
	return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate();
}

/** Null where END does not come after START, on the night when the clocks change. */
function opening(window: WeeklyWindow, date: Temporal.PlainDate): Span | null {
	const openedAt = instantOf(date, window.startMinute, window.zone);
	const closesAt = window.length.kind === "elapsed" ? openedAt + window.length.durationMs : instantOf(date, window.length.endMinute, window.zone);
	return closesAt > openedAt ? { openedAt, closesAt } : null;
}

function instantOf(date: Temporal.PlainDate, minute: number, zone: string): Instant {
	const day = minute < minutesOfDay ? date : date.add({ days: Math.floor(minute / minutesOfDay) });
	const plainTime = new Temporal.PlainTime(Math.floor((minute % minutesOfDay) / 60), minute % 60);
	// Disambiguation `compatible`: a time that does not exist moves forward by the gap, one that exists twice is the first.
	return day.toZonedDateTime({ timeZone: zone, plainTime }).epochMilliseconds;
}

/** One for each half of the year, so that zones which change their clocks apart are compared in both of their positions. */
const referenceInstants: readonly Instant[] = [Date.UTC(2026, 0, 15), Date.UTC(2026, 6, 15)];

function nominalLengthAtMs(window: WeeklyWindow, among: readonly WindowSpec[], at: Instant): number {
	const own = nominalSpans(window, at);
	const all = [window, ...among.filter(isWeekly)].flatMap((each) => nominalSpans(each, at));
	// The week before and the week after, twice: what crosses the turn of the week is merged like the rest.
	const merged = merge(all.flatMap((span) => [-2, -1, 0, 1, 2].map((week) => shifted(span, week * weekMs))));
	const lengths = own.map((span) => {
		const whole = merged.find((each) => each.openedAt <= span.openedAt && span.closesAt <= each.closesAt) ?? span;
		return whole.closesAt - whole.openedAt;
	});
	const shortestMs = Math.min(...lengths);
	return shortestMs >= weekMs ? Number.POSITIVE_INFINITY : shortestMs;
}

/** The openings of a week without changes of the clocks, in milliseconds since a Monday 00:00 UTC. */
function nominalSpans(window: WeeklyWindow, at: Instant): readonly Span[] {
	const offsetMs = offsetMsAt(at, window.zone);
	const lengthMs = window.length.kind === "elapsed" ? window.length.durationMs : (window.length.endMinute - window.startMinute) * minuteMs;
	return window.days.map((day) => {
		const openedAt = (day - 1) * dayMs + window.startMinute * minuteMs - offsetMs;
		return { openedAt, closesAt: openedAt + lengthMs };
	});
}

/** Offsets at the reference instants, by instant and zone: each window of a list is compared with all others. */
const referenceOffsets = new Map<string, number>();

function offsetMsAt(at: Instant, zone: string): number {
	const key = `${at} ${zone}`;
	const offsetMs = referenceOffsets.get(key) ?? Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).offsetNanoseconds / 1_000_000;
	referenceOffsets.set(key, offsetMs);
	return offsetMs;
}

function shifted(span: Span, byMs: number): Span {
	return { openedAt: span.openedAt + byMs, closesAt: span.closesAt + byMs };
}
