// What app settings mean, read from their text by the checkers themselves: a mistake of the scheduler's own reading must not be shared.
// Knows the forms that scenarios use, and refuses others.
import type { Environment } from "../scenario.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

export interface Entry {
	readonly cluster: string;
	readonly pool: string | null;
	readonly value: string;
}

/** Entries of a scoped setting. */
function entriesOf(text: string): readonly Entry[] {
	return text
		.split(/[;\n]/)
		.map((each) => each.trim())
		.filter((each) => each !== "")
		.map((each) => {
			const found = /^([A-Za-z0-9_*-]+)(?:\/([A-Za-z0-9_*-]+))?=(.*)$/s.exec(each);
			return found === null ? { cluster: "*", pool: null, value: each } : { cluster: found[1] ?? "*", pool: found[2] ?? null, value: (found[3] ?? "").trim() };
		});
}

function fits(pattern: string, name: string): boolean {
	return new RegExp(`^${pattern.replaceAll("*", ".*")}$`).test(name);
}

function covering(text: string | undefined, cluster: string, pool: string): readonly Entry[] {
	return entriesOf(text ?? "").filter((each) => fits(each.cluster, cluster) && (each.pool === null || fits(each.pool, pool)));
}

export function durationMs(text: string): number {
	const units: Readonly<Record<string, number>> = { s: 1_000, m: minuteMs, h: 60 * minuteMs, d: dayMs };
	let ms = 0;
	const rest = text.replaceAll(/(\d+)([smhd])/g, (_all, count: string, unit: string) => {
		ms += Number(count) * (units[unit] ?? Number.NaN);
		return "";
	});
	if (rest !== "" || Number.isNaN(ms)) throw new Error(`${text} is no duration that the checkers know`);
	return ms;
}

/** The value of the last entry that covers the pool, as a duration. */
export function scopedMs(environment: Environment, setting: string, fallback: string, cluster: string, pool: string): number {
	return durationMs(covering(environment[setting], cluster, pool).at(-1)?.value ?? fallback);
}

export function scopedWord(environment: Environment, setting: string, fallback: string, cluster: string, pool: string): string {
	return covering(environment[setting], cluster, pool).at(-1)?.value ?? fallback;
}

export function plainMs(environment: Environment, setting: string, fallback: string): number {
	return durationMs(environment[setting] ?? fallback);
}

/** How many nodes may be in flight: in the cluster, and in the pool (null: only the cluster's limit holds). */
export function room(environment: Environment, cluster: string, pool: string, nodes: { readonly cluster: number; readonly pool: number }) {
	const entries = entriesOf(environment.MAX_CONCURRENT ?? "");
	const ofCluster = entries.findLast((each) => each.pool === null && fits(each.cluster, cluster))?.value ?? "1";
	const ofPool = entries.findLast((each) => each.pool !== null && fits(each.cluster, cluster) && fits(each.pool, pool))?.value ?? null;
	return { cluster: count(ofCluster, nodes.cluster), pool: ofPool === null ? null : count(ofPool, nodes.pool) };
}

function count(value: string, of: number): number {
	return value.endsWith("%") ? Math.max(1, Math.floor((of * Number(value.slice(0, -1))) / 100)) : Number(value);
}

export interface OpenTime {
	/** Instants; without an end or a beginning it is infinite. */
	readonly from: number;
	readonly until: number;
}

/** The time around an instant in which the pool's window is open; null: it is closed. Windows that touch are one. */
export function openAt(environment: Environment, cluster: string, pool: string, at: number): OpenTime | null {
	const entries = covering(environment.MAINTENANCE_WINDOWS, cluster, pool);
	const last = entries.at(-1);
	if (last === undefined) return null;
	const values = entries.filter((each) => each.cluster === last.cluster && each.pool === last.pool).map((each) => each.value);
	if (values.includes("always")) return { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY };
	const times = values.flatMap((value) => daily(value, at)).sort((a, b) => a.from - b.from);
	const merged: OpenTime[] = [];
	for (const time of times) {
		const before = merged.at(-1);
		if (before !== undefined && time.from <= before.until) merged[merged.length - 1] = { from: before.from, until: Math.max(before.until, time.until) };
		else merged.push(time);
	}
	return merged.find((each) => each.from <= at && at < each.until) ?? null;
}

/** The change of the clocks that scenarios live through, by zone, with the offsets of before and after it: read off the tz database by hand. */
const clocksChange: Readonly<Record<string, { readonly at: number; readonly before: number; readonly after: number }>> = {
	UTC: { at: 0, before: 0, after: 0 },
	"Europe/Berlin": { at: Date.UTC(2026, 9, 25, 1), before: 120, after: 60 },
	"America/New_York": { at: Date.UTC(2026, 2, 8, 7), before: -300, after: -240 },
	"Australia/Lord_Howe": { at: Date.UTC(2026, 9, 3, 15, 30), before: 630, after: 660 },
};

/** A time by the wall clock: one that exists twice is the first, one that does not exist is later by the gap. */
function instantOf(wall: number, zone: string): number {
	const change = clocksChange[zone];
	if (change === undefined) throw new Error(`${zone} is no zone that the checkers know`);
	const [first, then] = [wall - change.before * minuteMs, wall - change.after * minuteMs];
	return first < change.at || then < change.at ? first : then;
}

/** Four openings of `daily HH:MM+DURATION ZONE` or `daily HH:MM-HH:MM ZONE` around an instant. */
function daily(value: string, at: number): readonly OpenTime[] {
	if (value === "never") return [];
	const found = /^daily (\d\d):(\d\d)(?:-(\d\d):(\d\d)|\+(\S+)) (\S+)$/.exec(value);
	if (found === null) throw new Error(`${value} is no window that the checkers know`);
	const [, h, m, endH, endM, length, zone = ""] = found;
	const start = (Number(h) * 60 + Number(m)) * minuteMs;
	const end = (Number(endH) * 60 + Number(endM)) * minuteMs;
	const midnight = Math.floor(at / dayMs) * dayMs;
	return [-2, -1, 0, 1].flatMap((day) => {
		const from = instantOf(midnight + day * dayMs + start, zone);
		const until = length !== undefined ? from + durationMs(length) : instantOf(midnight + day * dayMs + (end > start ? end : end + dayMs), zone);
		// On the night of the change END may come before START: then it does not open.
		return until > from ? [{ from, until }] : [];
	});
}

/** Reasons of every hold on the pool. */
export function holds(environment: Environment, cluster: string, pool: string): readonly string[] {
	return covering(environment.HOLD, cluster, pool).map((each) => each.value);
}
