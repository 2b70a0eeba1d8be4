import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import { formatDuration, parseDuration } from "../../lib/plan/durations.ts";
import { nextOpenings, nominalLengthMs, parseWindow, skippedDays, type WindowSpec, windowState } from "../../lib/plan/windows.ts";
import { windowsZones, zoneId } from "../../lib/plan/windows-zones.ts";

function parsed(text: string): WindowSpec {
	const window = parseWindow(text);
	if ("problem" in window) assert.fail(`${text}: ${window.problem.part}: expected ${window.problem.expected}`);
	return window.ok;
}

function problemOf(text: string): { part: string; expected: string } {
	const window = parseWindow(text);
	if ("ok" in window) assert.fail(`${text} was read`);
	return window.problem;
}

function at(iso: string): number {
	return Temporal.Instant.from(iso.length > 16 ? iso : `${iso}Z`).epochMilliseconds;
}

function iso(instant: number | null): string | null {
	return instant === null ? null : new Date(instant).toISOString().slice(0, 16);
}

/** `open FROM UNTIL`, `closed UNTIL`, as UTC minutes. */
function told(texts: readonly string[], instant: string): string {
	const state = windowState(texts.map(parsed), at(instant));
	return state.open ? `open ${iso(state.openedAt)} ${iso(state.closesAt)}` : `closed ${iso(state.opensAt)}`;
}

describe("a window is open when its text says so", () => {
	// 2026-11-24 is a Tuesday.
	const cases: readonly [hazard: string, windows: readonly string[], at: string, expected: string][] = [
		["before it opens", ["Wed 02:00-06:00"], "2026-11-25T01:59", "closed 2026-11-25T02:00"],
		["the instant of START is inside", ["Wed 02:00-06:00"], "2026-11-25T02:00", "open 2026-11-25T02:00 2026-11-25T06:00"],
		["the instant of END is outside", ["Wed 02:00-06:00"], "2026-11-25T06:00", "closed 2026-12-02T02:00"],
		["a window past midnight, on its own day", ["Fri 22:00-04:00"], "2026-11-27T23:00", "open 2026-11-27T22:00 2026-11-28T04:00"],
		["a window past midnight, seen from Saturday", ["Fri 22:00-04:00"], "2026-11-28T03:59", "open 2026-11-27T22:00 2026-11-28T04:00"],
		["a window past midnight does not begin on Saturday", ["Fri 22:00-04:00"], "2026-11-28T22:00", "closed 2026-12-04T22:00"],
		["a window past midnight is not open early on its own day", ["Fri 22:00-04:00"], "2026-11-27T03:00", "closed 2026-11-27T22:00"],
		["from Sunday to Monday, across the turn of the week", ["Sun 23:00-01:00"], "2026-11-30T00:30", "open 2026-11-29T23:00 2026-11-30T01:00"],
		["END equal to START is the same time on the next day", ["Sat 06:00-06:00"], "2026-11-29T05:59", "open 2026-11-28T06:00 2026-11-29T06:00"],
		["END 24:00 is the midnight that ends the day", ["Sat 20:00-24:00"], "2026-11-28T23:59", "open 2026-11-28T20:00 2026-11-29T00:00"],
		["END 24:00 does not reach into the next day", ["Sat 20:00-24:00"], "2026-11-29T00:00", "closed 2026-12-05T20:00"],
		["00:00-24:00 is one day", ["Sat 00:00-24:00"], "2026-11-28T12:00", "open 2026-11-28T00:00 2026-11-29T00:00"],
		["00:00-00:00 is one day too", ["Sat 00:00-00:00"], "2026-11-28T12:00", "open 2026-11-28T00:00 2026-11-29T00:00"],
		["elapsed time over midnight", ["Fri 22:00+4h"], "2026-11-28T01:59", "open 2026-11-27T22:00 2026-11-28T02:00"],
		["elapsed time of days", ["Fri 22:00+60h"], "2026-11-30T09:59", "open 2026-11-27T22:00 2026-11-30T10:00"],
		["1h30m and 90m are the same", ["Fri 22:00+1h30m"], "2026-11-27T22:00", "open 2026-11-27T22:00 2026-11-27T23:30"],
		["touching windows of one entry's days are one", ["Sat,Sun 00:00-24:00"], "2026-11-29T12:00", "open 2026-11-28T00:00 2026-11-30T00:00"],
		["touching windows across the list are one", ["Sat 02:00-04:00", "Sat 04:00-06:00"], "2026-11-28T02:30", "open 2026-11-28T02:00 2026-11-28T06:00"],
		["overlapping windows across the list are one", ["Sat 03:00-06:00", "Sat 02:00+2h"], "2026-11-28T05:00", "open 2026-11-28T02:00 2026-11-28T06:00"],
		["a minute between windows keeps them two", ["Sat 02:00-03:59", "Sat 04:00-06:00"], "2026-11-28T03:59", "closed 2026-11-28T04:00"],
		["a window inside another changes nothing", ["Sat 02:00-06:00", "Sat 03:00-04:00"], "2026-11-28T03:30", "open 2026-11-28T02:00 2026-11-28T06:00"],
		[
			"windows of two zones that touch are one",
			["Sat 02:00-04:00", "Sat 05:00-06:00 Europe/Paris"],
			"2026-11-28T03:00",
			"open 2026-11-28T02:00 2026-11-28T05:00",
		],
		["a range of days that wraps: its last day", ["Fri-Mon 10:00-11:00"], "2026-11-30T10:30", "open 2026-11-30T10:00 2026-11-30T11:00"],
		["a range of days that wraps: not in between", ["Fri-Mon 10:00-11:00"], "2026-12-01T10:30", "closed 2026-12-04T10:00"],
		["a list of days and ranges", ["Mon,Wed-Fri 10:00-11:00"], "2026-11-24T10:30", "closed 2026-11-25T10:00"],
		["a range of one day is that day", ["Wed-Wed 10:00-11:00"], "2026-11-26T10:30", "closed 2026-12-02T10:00"],
		["words in any case", ["sAt,SUN 02:00-06:00 EUROPE/paris"], "2026-11-28T01:00", "open 2026-11-28T01:00 2026-11-28T05:00"],
		["daily in any case", ["DAILY 02:00-06:00"], "2026-11-24T07:00", "closed 2026-11-25T02:00"],
		["a Windows name of a zone", ["Sat 02:00-06:00 romance standard time"], "2026-11-28T01:00", "open 2026-11-28T01:00 2026-11-28T05:00"],
		["the day is the zone's, not UTC's", ["Sat 08:00-10:00 Pacific/Auckland"], "2026-11-27T19:30", "open 2026-11-27T19:00 2026-11-27T21:00"],
		["always has neither beginning nor end", ["Sat 02:00-03:00", "always"], "2026-11-24T00:00", "open null null"],
		["every day all day has neither beginning nor end", ["daily 00:00-24:00 Europe/Paris"], "2026-11-24T00:00", "open null null"],
		["a window of a week, every week, has neither beginning nor end", ["Mon 00:00+7d"], "2026-11-24T00:00", "open null null"],
		["never does not open", ["never"], "2026-11-24T00:00", "closed null"],
		["no window at all does not open", [], "2026-11-24T00:00", "closed null"],
		["never takes nothing from another window", ["never", "Wed 02:00-06:00"], "2026-11-25T03:00", "open 2026-11-25T02:00 2026-11-25T06:00"],
	];
	for (const [hazard, windows, instant, expected] of cases) test(hazard, () => assert.equal(told(windows, instant), expected));
});

describe("on the nights when the clocks change", () => {
	// Paris: 2026-03-29 02:00→03:00 (01:00 UTC), 2026-10-25 03:00→02:00 (01:00 UTC). New York: 2026-03-08 and 2026-11-01, at 02:00.
	// Lord Howe (half an hour): 2026-04-05 02:00→01:30 (15:00 UTC the day before), 2026-10-04 02:00→02:30 (15:30 UTC the day before).
	const cases: readonly [hazard: string, window: string, at: string, expected: string][] = [
		["a START that does not exist moves forward by the gap", "Sun 02:30-06:00 Europe/Paris", "2026-03-29T02:00", "open 2026-03-29T01:30 2026-03-29T04:00"],
		["before that moved START it is closed", "Sun 02:30-06:00 Europe/Paris", "2026-03-29T01:29", "closed 2026-03-29T01:30"],
		["an END that does not exist moves forward by the gap", "Sun 01:00-02:30 Europe/Paris", "2026-03-29T01:00", "open 2026-03-29T00:00 2026-03-29T01:30"],
		["a window that would be empty does not open", "Sun 02:00-03:00 Europe/Paris", "2026-03-29T01:00", "closed 2026-04-05T00:00"],
		["a window that would end before it begins does not open", "Sun 02:30-03:15 Europe/Paris", "2026-03-29T01:20", "closed 2026-04-05T00:30"],
		["a window over the gap is an hour shorter", "Sun 00:00-06:00 Europe/Paris", "2026-03-29T03:00", "open 2026-03-28T23:00 2026-03-29T04:00"],
		["elapsed time over the gap keeps its length", "Sun 00:00+6h Europe/Paris", "2026-03-29T04:30", "open 2026-03-28T23:00 2026-03-29T05:00"],
		["a START that exists twice is the first", "Sun 02:30-06:00 Europe/Paris", "2026-10-25T00:30", "open 2026-10-25T00:30 2026-10-25T05:00"],
		["an END that exists twice is the first", "Sun 01:00-02:30 Europe/Paris", "2026-10-25T00:00", "open 2026-10-24T23:00 2026-10-25T00:30"],
		["the second 02:15 is outside a window that ended at the first 02:30", "Sun 01:00-02:30 Europe/Paris", "2026-10-25T01:15", "closed 2026-11-01T00:00"],
		["elapsed time over the doubled hour keeps its length", "Sun 02:00+2h Europe/Paris", "2026-10-25T01:30", "open 2026-10-25T00:00 2026-10-25T02:00"],
		["New York, spring", "Sun 02:15-04:00 America/New_York", "2026-03-08T07:30", "open 2026-03-08T07:15 2026-03-08T08:00"],
		["New York, spring: empty", "Sun 02:00-03:00 America/New_York", "2026-03-08T07:00", "closed 2026-03-15T06:00"],
		["New York, autumn", "Sun 01:30-03:00 America/New_York", "2026-11-01T05:30", "open 2026-11-01T05:30 2026-11-01T08:00"],
		["New York by its Windows name", "Sun 01:30-03:00 Eastern Standard Time", "2026-11-01T05:30", "open 2026-11-01T05:30 2026-11-01T08:00"],
		["Lord Howe, spring: moved by half an hour", "Sun 02:10-04:00 Australia/Lord_Howe", "2026-10-03T16:00", "open 2026-10-03T15:40 2026-10-03T17:00"],
		["Lord Howe, spring: empty", "Sun 02:00-02:30 Australia/Lord_Howe", "2026-10-03T15:30", "closed 2026-10-10T15:00"],
		["Lord Howe, autumn: the first 01:45", "Sun 01:45-03:00 Australia/Lord_Howe", "2026-04-04T15:00", "open 2026-04-04T14:45 2026-04-04T16:30"],
		["24 elapsed hours a day leave a gap of an hour in autumn", "daily 00:00+24h Europe/Paris", "2026-10-25T22:30", "closed 2026-10-25T23:00"],
	];
	for (const [hazard, window, instant, expected] of cases) test(hazard, () => assert.equal(told([window], instant), expected));

	test("the preview can name the days on which a window does not open", () => {
		const windows = ["Sun 02:00-03:00 Europe/Paris", "Sun 01:00-03:00 Europe/Paris"].map(parsed);
		const skipped = skippedDays(windows, at("2026-03-01T00:00"), at("2026-12-01T00:00"));
		assert.deepEqual(skipped, [{ window: windows[0], date: "2026-03-29" }]);
	});

	test("an end months away is found, and the answer does not depend on what was asked before", () => {
		const text = "daily 00:00+24h Europe/Paris";
		const asked = [parsed(text)];
		nextOpenings(asked, at("2026-03-05T00:00"), 200);
		const before = windowState(asked, at("2026-03-05T00:00"));
		assert.deepEqual(before, windowState([parsed(text)], at("2026-03-05T00:00")));
		assert.deepEqual(before, { open: true, openedAt: at("2025-10-26T23:00"), closesAt: at("2026-10-25T22:00") });
	});
});

test("the same list answers rightly for this week, another year and this week again", () => {
	const windows = [parsed("Wed 02:00-06:00")];
	for (const [instant, opensAt] of [
		["2026-11-24T00:00", "2026-11-25T02:00"],
		["2029-03-01T00:00", "2029-03-07T02:00"],
		["2026-11-24T00:00", "2026-11-25T02:00"],
	] as const) {
		assert.deepEqual(windowState(windows, at(instant)), { open: false, opensAt: at(opensAt) });
	}
});

describe("the next openings", () => {
	test("are those after the instant, merged, with their ends", () => {
		const windows = ["Sat,Sun 02:00-06:00", "Sat 06:00-07:00"].map(parsed);
		const openings = nextOpenings(windows, at("2026-11-28T02:00"), 3).map((each) => `${iso(each.openedAt)} ${iso(each.closesAt)}`);
		assert.deepEqual(openings, ["2026-11-29T02:00 2026-11-29T06:00", "2026-12-05T02:00 2026-12-05T07:00", "2026-12-06T02:00 2026-12-06T06:00"]);
	});

	test("of a weekly window are as many as asked for, over years", () => {
		const openings = nextOpenings([parsed("Sat 02:00-06:00 Europe/Paris")], at("2026-11-24T00:00"), 150);
		assert.equal(openings.length, 150);
		assert.equal(iso(openings.at(-1)?.openedAt ?? null), "2029-10-06T00:00");
		assert.ok(openings.every((each) => each.closesAt === each.openedAt + 4 * 3_600_000));
	});

	test("of always and never are none", () => {
		assert.deepEqual(nextOpenings([parsed("always")], 0, 5), []);
		assert.deepEqual(nextOpenings([parsed("never")], 0, 5), []);
		assert.deepEqual(nextOpenings([parsed("daily 00:00-24:00")], at("2026-11-24T00:00"), 5), []);
	});
});

describe("the nominal length of a window", () => {
	const cases: readonly [hazard: string, windows: readonly string[], minutes: number][] = [
		["is that of the wall clock", ["Sat 02:00-06:00 Europe/Paris"], 240],
		["does not depend on a night when the clocks change", ["Sun 02:00-03:00 Europe/Paris"], 60],
		["crosses midnight", ["Fri 22:00-04:00"], 360],
		["of END equal to START is a day", ["Sat 06:00-06:00"], 1440],
		["of a duration is the duration", ["Sat 06:00+90m"], 90],
		["counts what touches it", ["Sat 02:00-02:10", "Sat 02:10-03:00"], 60],
		["counts what touches it over midnight and the turn of the week", ["Mon 00:00-00:10", "Sun 23:00-24:00"], 70],
		["counts a chain that goes round the week once", ["Sun 12:00-24:00", "Mon 00:00-00:05", "Mon 00:05-01:00"], 780],
		["of several days is the shortest", ["Mon,Wed 02:00-02:10", "Wed 02:10-03:00"], 10],
		["does not count what lies apart", ["Sat 02:00-02:10", "Sat 02:11-03:00"], 10],
		["counts another zone that touches all the year", ["Sat 02:00-02:10 Europe/Paris", "Sat 02:10-03:00 Europe/Berlin"], 60],
		["does not count another zone that touches half of the year", ["Sat 02:00-02:10 UTC", "Sat 03:10-03:30 Europe/Paris"], 10],
		["of the whole week is endless", ["daily 00:00-24:00"], Number.POSITIVE_INFINITY],
		["beside always is endless", ["Sat 02:00-02:10", "always"], Number.POSITIVE_INFINITY],
		["of never is nothing", ["never"], 0],
	];
	for (const [hazard, texts, minutes] of cases) {
		test(hazard, () => {
			const windows = texts.map(parsed);
			assert.equal(nominalLengthMs(windows[0] ?? assert.fail(), windows), minutes * 60_000);
		});
	}
});

describe("a text that is no window is refused by the part that is wrong", () => {
	const cases: readonly [text: string, part: string, expected: RegExp][] = [
		["", "", /DAYS START-END/],
		["   ", "   ", /DAYS START-END/],
		["Sat", "Sat", /DAYS START-END/],
		["sometimes", "sometimes", /always or never/],
		["always UTC", "always", /Mon, Tue/],
		["Saturday 02:00-06:00", "Saturday", /Mon, Tue/],
		["Sat,Foo 02:00-06:00", "Foo", /Mon, Tue/],
		["Sat,,Sun 02:00-06:00", "Sat,,Sun", /Mon, Tue/],
		["Sat, 02:00-06:00", "Sat, 02:00-06:00", /DAYS START-END/],
		["Mon-Wed-Fri 02:00-06:00", "Mon-Wed-Fri", /a range such as/],
		["Mon- 02:00-06:00", "Mon-", /Mon, Tue/],
		["daily,Sat 02:00-06:00", "daily", /Mon, Tue/],
		["Sat 2:00-06:00", "2:00", /two digits/],
		["Sat 02:00-6:00", "6:00", /two digits/],
		["Sat 0200-0600", "0200", /HH:MM/],
		["Sat 02:60-06:00", "02:60", /HH:MM/],
		["Sat 02:00-24:01", "24:01", /00:00 to 24:00/],
		["Sat 02:00-25:00", "25:00", /00:00 to 24:00/],
		["Sat 24:00-02:00", "24:00", /00:00 to 23:59/],
		["Sat 02:00", "02:00", /START-END/],
		["Sat 02:00-", "02:00-", /an end/],
		["Sat -06:00", "-06:00", /a start/],
		["Sat 02:00 - 06:00", "02:00", /START-END/],
		["Sat 02:00+", "02:00+", /4h, 90m/],
		["Sat 02:00+4", "4", /4h, 90m/],
		["Sat 02:00+0m", "0m", /4h, 90m/],
		["Sat 02:00+169h", "169h", /at most 7d/],
		["Sat 02:00-06:00 Europe/Pariss", "Europe/Pariss", /IANA name/],
		["Sat 02:00-06:00 Romance Time", "Romance Time", /Windows name/],
		["Sat 02:00-06:00 +02:00", "+02:00", /IANA name/],
		["Sat 02:00-06:00 2026-01-01T00:00Z", "2026-01-01T00:00Z", /IANA name/],
		["Sat 02:00-06:00 UTC,Sun 02:00-06:00", "UTC,Sun 02:00-06:00", /IANA name/],
		["always except 2026-12-24", "except 2026-12-24", /not supported yet/],
		["Sat 02:00-06:00 Europe/Paris except 2026-12-24..2026-12-27", "except 2026-12-24..2026-12-27", /not supported yet/],
		["cron(0 2 * * 6) 4h", "cron(0 2 * * 6) 4h", /cron.* not supported yet/],
		["1st Sun 01:00+4h", "1st Sun", /not supported yet/],
		["1st,3rd Sun 01:00+4h", "1st,3rd Sun", /not supported yet/],
		["Last Fri 01:00+4h", "Last Fri", /not supported yet/],
	];
	for (const [text, part, expected] of cases) {
		test(JSON.stringify(text), () => {
			const problem = problemOf(text);
			assert.equal(problem.part, part);
			assert.match(problem.expected, expected);
		});
	}
});

test("a window survives being stored as JSON", () => {
	for (const text of ["Sat,Sun 02:00-06:00 Europe/Paris", "Fri 22:00+90m", "always", "never"]) {
		const window = parsed(text);
		assert.deepEqual(JSON.parse(JSON.stringify(window)), window);
		assert.equal(window.text, text);
	}
});

test("every Windows zone name stands for a zone that exists, in any case", () => {
	const names = Object.keys(windowsZones);
	assert.ok(names.length >= 138, String(names.length));
	for (const name of names) {
		const id = zoneId(name.toLowerCase());
		assert.ok(id !== undefined, name);
		assert.equal(id, zoneId(windowsZones[name] ?? ""), name);
	}
});

test("a duration that is written reads back as itself", () => {
	fc.assert(fc.property(fc.nat({ max: 400 * 86_400 }), (seconds) => assert.equal(parseDuration(formatDuration(seconds * 1_000)), seconds * 1_000)));
	for (const wrong of ["", "5", "m", "1m1h", "-5m", "1.5h", "5 m", "5M", "1h ", "5ms"]) assert.equal(parseDuration(wrong), undefined, wrong);
	assert.equal(parseDuration("1h30m"), 5_400_000);
	assert.equal(parseDuration("14d"), 14 * 86_400_000);
});

// The brute force knows nothing of openings: it walks the minutes of a season, notes when each wall-clock time is first shown, and paints them.
const seasons = [
	{ from: at("2026-02-22T00:00"), before: at("2026-04-19T00:00") },
	{ from: at("2026-09-20T00:00"), before: at("2026-11-15T00:00") },
];
const zones = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe"];
const minuteMs = 60_000;

/** Wall-clock minute (as if it were UTC) → the first instant at which the zone's clocks show it. */
function wallClock(zone: string, season: { from: number; before: number }): ReadonlyMap<number, number> {
	const shown = new Map<number, number>();
	let offsetMs = 0;
	for (let instant = season.from; instant < season.before; instant += minuteMs) {
		// No zone here changes its clocks but on a half hour.
		if (instant % (30 * minuteMs) === 0) offsetMs = new Temporal.ZonedDateTime(BigInt(instant) * 1_000_000n, zone).offsetNanoseconds / 1e6;
		if (!shown.has(instant + offsetMs)) shown.set(instant + offsetMs, instant);
	}
	return shown;
}

const clocks = new Map(seasons.flatMap((season) => zones.map((zone) => [`${zone} ${season.from}`, wallClock(zone, season)] as const)));

/** A time that no clock shows moves forward by the length of the gap. */
function firstShown(shown: ReadonlyMap<number, number>, wall: number): number | undefined {
	if (shown.has(wall)) return shown.get(wall);
	let gapStart = wall;
	let gapEnd = wall;
	while (!shown.has(gapStart - minuteMs) && gapStart > wall - 120 * minuteMs) gapStart -= minuteMs;
	while (!shown.has(gapEnd) && gapEnd < wall + 120 * minuteMs) gapEnd += minuteMs;
	return shown.get(wall + gapEnd - gapStart);
}

interface Painted {
	readonly text: string;
	readonly zone: string;
	readonly days: number[];
	readonly start: number;
	readonly end: number | null;
	readonly elapsed: number;
}

function paint(windows: readonly Painted[], season: { from: number; before: number }): Uint8Array {
	const open = new Uint8Array((season.before - season.from) / minuteMs);
	for (const window of windows) {
		const shown = clocks.get(`${window.zone} ${season.from}`) ?? assert.fail();
		for (let day = season.from; day < season.before; day += 1_440 * minuteMs) {
			if (!window.days.includes(new Date(day).getUTCDay())) continue;
			const start = firstShown(shown, day + window.start * minuteMs);
			if (start === undefined) continue;
			const nextDay = window.end !== null && window.end <= window.start ? 1_440 : 0;
			const end = window.end === null ? start + window.elapsed * minuteMs : firstShown(shown, day + (window.end + nextDay) * minuteMs);
			if (end !== undefined && end > start) open.fill(1, (start - season.from) / minuteMs, (end - season.from) / minuteMs);
		}
	}
	return open;
}

const dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const hhmm = (minute: number) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
/** Near the hours at which clocks change, as often as anywhere else. */
const startMinute = fc.oneof(fc.integer({ min: 45, max: 210 }), fc.integer({ min: 0, max: 1_439 }));
const painted: fc.Arbitrary<Painted> = fc
	.record({
		zone: fc.constantFrom(...zones),
		days: fc.oneof(fc.constant<number[]>([0]), fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1 })),
		start: startMinute,
		end: fc.option(fc.oneof(fc.integer({ min: 45, max: 210 }), fc.integer({ min: 0, max: 1_440 }))),
		elapsed: fc.oneof(fc.integer({ min: 1, max: 240 }), fc.integer({ min: 1, max: 3 * 1_440 })),
	})
	.map((each) => {
		const length = each.end === null ? `+${each.elapsed}m` : `-${hhmm(each.end)}`;
		return { ...each, text: `${each.days.map((day) => dayNames[day]).join(",")} ${hhmm(each.start)}${length} ${each.zone}` };
	});

test("windows are open in exactly the minutes that a minute-by-minute walk paints, and say rightly since when, until when and when next", () => {
	const margin = 12 * 1_440;
	const property = fc.property(fc.array(painted, { minLength: 1, maxLength: 3 }), fc.constantFrom(...seasons), fc.nat(), (windows, season, seed) => {
		const open = paint(windows, season);
		const specs = windows.map((each) => parsed(each.text));
		for (let step = 0; step < 40; step++) {
			const minute = margin + (((seed % 9_973) + step * 787) % (open.length - 2 * margin));
			const inside = open[minute] === 1;
			const state = windowState(specs, season.from + minute * minuteMs);
			assert.equal(state.open, inside);
			const end = open.indexOf(inside ? 0 : 1, minute);
			const start = open.lastIndexOf(0, minute) + 1;
			const found = state.open ? state.closesAt : state.opensAt;
			// What reaches the edge of the walk may be longer than it shows.
			if (end >= 0 && end < open.length - margin / 2) assert.equal(found, season.from + end * minuteMs);
			if (state.open && start > margin / 2) assert.equal(state.openedAt, season.from + start * minuteMs);
		}
	});
	fc.assert(property, { numRuns: 300 });
});

/** Open without a break but for one hour of the year: its end is farther away than the eye reaches, until it begins. */
const nearlyAlways: Painted = {
	zone: "Europe/Paris",
	days: [0, 1, 2, 3, 4, 5, 6],
	start: 45,
	end: null,
	elapsed: 1_440,
	text: "Mon,Tue,Wed,Thu,Fri,Sat,Sun 00:45+1440m Europe/Paris",
};

test("the next openings follow upon each other as asking again at each of them would find them", () => {
	const property = fc.property(fc.array(painted, { minLength: 1, maxLength: 3 }), fc.nat({ max: 50_000 }), (windows, minute) => {
		const specs = windows.map((each) => parsed(each.text));
		const asked = at("2026-02-01T00:00") + minute * minuteMs;
		let from = asked;
		for (const opening of nextOpenings(specs, asked, 4)) {
			const before = windowState(specs, opening.openedAt - 1);
			assert.deepEqual(before, { open: false, opensAt: opening.openedAt });
			const state = windowState(specs, opening.openedAt);
			// An end more than 400 days after the question counts as none; asked at the opening itself it may be nearer than that.
			const beyond = opening.closesAt === null && state.open && (state.closesAt ?? Number.POSITIVE_INFINITY) - asked >= 400 * 24 * 60 * minuteMs;
			assert.deepEqual(state, { open: true, ...opening, ...(beyond ? { closesAt: state.closesAt } : {}) });
			assert.ok(opening.openedAt > from);
			from = opening.closesAt ?? Number.POSITIVE_INFINITY;
		}
	});
	fc.assert(property, { numRuns: 100, examples: [[[nearlyAlways], 0]] });
});
