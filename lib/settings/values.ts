// The value of one setting or of one entry of it: text → value, or what was expected.
import { dayNames, monthNames, placeOfName } from "../plan/calendar.ts";
import { durationForm, parseDuration } from "../plan/durations.ts";
import type { Limit, Schedule } from "../plan/policy.ts";

/** `part`: the wrong part where it is not the whole text. */
export type Value<T> = { readonly ok: T } | { readonly expected: string; readonly part?: string };

export type ReadValue<T> = (text: string) => Value<T>;

/** Instants stay far inside what a Date can hold. */
const longestMs = 3_650 * 86_400_000;

/** A duration from `leastMs` on. */
export function duration(leastMs: 0 | 1_000): ReadValue<number> {
	const least = leastMs === 0 ? "" : " of at least 1s";
	return (text) => {
		const durationMs = parseDuration(text);
		if (durationMs === undefined || durationMs < leastMs) return { expected: durationForm + least };
		return durationMs > longestMs ? { expected: "a duration of at most 3650d" } : { ok: durationMs };
	};
}

/** Null: never. */
export function durationOrOff(text: string): Value<number | null> {
	if (text.toLowerCase() === "off") return { ok: null };
	const value = duration(1_000)(text);
	return "ok" in value ? value : { expected: `${value.expected}, or off` };
}

export function oneOf<T extends string>(...words: readonly T[]): ReadValue<T> {
	return (text) => {
		const word = words.find((each) => each === text.toLowerCase());
		return word === undefined ? { expected: words.join(" or ") } : { ok: word };
	};
}

export function boolean(text: string): Value<boolean> {
	const word = oneOf("true", "false")(text);
	return "ok" in word ? { ok: word.ok === "true" } : word;
}

/** Seconds from 1 on; a duration is read too, as people write one. Zero would kill pods without a grace period. */
export function graceSeconds(text: string): Value<number> {
	const seconds = /^\d{1,8}$/.test(text) ? Number(text) : (parseDuration(text) ?? 0) / 1_000;
	return seconds >= 1 && seconds <= longestMs / 1_000 ? { ok: seconds } : { expected: "a whole number of seconds, 1 or more" };
}

export function limit(text: string): Value<Limit> {
	const found = /^(\d{1,6})(%?)$/.exec(text);
	const count = Number(found?.[1] ?? 0);
	if (found === null || count < 1) return { expected: "a whole number of nodes, 1 or more, or a percentage from 1% to 100%" };
	if (found[2] === "") return { ok: { kind: "number", nodes: count } };
	return count <= 100 ? { ok: { kind: "percent", percent: count } } : { expected: "a percentage from 1% to 100%" };
}

/** https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model#table-names */
export function tableName(text: string): Value<string> {
	const fits = /^[A-Za-z][A-Za-z0-9]{2,62}$/.test(text) && text.toLowerCase() !== "tables";
	return fits ? { ok: text } : { expected: "a table name: 3 to 63 letters and digits, a letter first" };
}

const key = String.raw`(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?`;
const labelValue = String.raw`(?:[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?)?`;
const requirement = new RegExp(
	String.raw`^\s*(?:!?\s*${key}|${key}\s*(?:=|==|!=)\s*${labelValue}|${key}\s+(?:in|notin)\s+\(\s*${labelValue}(?:\s*,\s*${labelValue})*\s*\))\s*$`,
);

/** A label selector as kubectl reads it: a wrong one would be refused by every cluster in the middle of a drain. */
export function labelSelector(text: string): Value<string> {
	const wrong = text.split(/,(?![^(]*\))/).find((each) => !requirement.test(each));
	return wrong === undefined ? { ok: text } : { expected: "a label selector such as app=web,tier!=cache or tier in (web, api)", part: wrong.trim() || text };
}

interface ScheduleField {
	readonly name: string;
	readonly from: number;
	readonly to: number;
	readonly names: readonly string[];
}

const scheduleFields: readonly ScheduleField[] = [
	{ name: "second", from: 0, to: 59, names: [] },
	{ name: "minute", from: 0, to: 59, names: [] },
	{ name: "hour", from: 0, to: 23, names: [] },
	{ name: "day", from: 1, to: 31, names: [] },
	{ name: "month", from: 1, to: 12, names: monthNames },
	// Not 7 for Sunday: the host would not load the function. https://github.com/atifaziz/NCrontab, CrontabFieldImpl.cs
	{ name: "day of the week", from: 0, to: 6, names: dayNames },
];

/** NCRONTAB of a timer trigger: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions */
export function schedule(text: string): Value<Schedule> {
	const fields = text.split(/\s+/);
	const form = "six fields (second, minute, hour, day, month, day of the week) such as 0 * * * * *";
	if (fields.length !== scheduleFields.length) return { expected: form };
	const values = scheduleFields.map((field, at) => fieldValues(fields[at] ?? "", field));
	const wrong = scheduleFields.find((_, at) => values[at] === null);
	if (wrong !== undefined) {
		const part = fields[scheduleFields.indexOf(wrong)] ?? text;
		return { expected: `${form}; a ${wrong.name} from ${wrong.from} to ${wrong.to}`, part };
	}
	const [, minutes, hours, dates, months, weekdays] = values.map((each) => each ?? []);
	return { ok: { minutes: minutes ?? [], hours: hours ?? [], dates: dates ?? [], months: months ?? [], weekdays: weekdays ?? [] } };
}

/** Every value that a field names, in order; null: it cannot be read. */
function fieldValues(text: string, field: ScheduleField): readonly number[] | null {
	const parts = text.split(",").map((part) => partValues(part, field));
	return parts.includes(null) ? null : [...new Set(parts.flatMap((each) => each ?? []))].sort((a, b) => a - b);
}

function partValues(part: string, field: ScheduleField): readonly number[] | null {
	const [, from, to, step] = /^(\*|[A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?(?:\/(\d{1,2}))?$/.exec(part) ?? [];
	if (from === undefined || (from === "*" && to !== undefined) || Number(step ?? 1) === 0) return null;
	const first = from === "*" ? field.from : fieldValue(from, field);
	const last = from === "*" ? field.to : to !== undefined ? fieldValue(to, field) : step === undefined ? first : field.to;
	if (first === null || last === null) return null;
	// A range whose end is before its start is turned round by the host, and goes over no end of a week or a year.
	const values: number[] = [];
	for (let value = Math.min(first, last); value <= Math.max(first, last); value += Number(step ?? 1)) values.push(value);
	return values;
}

function fieldValue(text: string, { from, to, names }: ScheduleField): number | null {
	const place = placeOfName(names, text);
	const value = /^\d{1,2}$/.test(text) ? Number(text) : place < 0 ? -1 : place + from;
	return value >= from && value <= to ? value : null;
}

/** The address of a webhook carries its secret: it is never shown, and http only to this machine. */
export function webhook(text: string): Value<string> {
	const expected = "an https:// address (http:// only to this machine)";
	if (!URL.canParse(text)) return { expected };
	const { protocol, hostname } = new URL(text);
	const local = hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
	return protocol === "https:" || (protocol === "http:" && local) ? { ok: text } : { expected };
}
