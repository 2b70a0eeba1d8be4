// The value of one setting or of one entry of it: text → value, or what was expected.
import { durationForm, parseDuration } from "../plan/durations.ts";
import type { Limit } from "../plan/policy.ts";

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

const scheduleFields = [
	{ name: "second", from: 0, to: 59, names: [] },
	{ name: "minute", from: 0, to: 59, names: [] },
	{ name: "hour", from: 0, to: 23, names: [] },
	{ name: "day", from: 1, to: 31, names: [] },
	{ name: "month", from: 1, to: 12, names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
	{ name: "day of the week", from: 0, to: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
] as const;

/** NCRONTAB of a timer trigger: https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions */
export function schedule(text: string): Value<string> {
	const fields = text.split(/\s+/);
	const form = "six fields (second, minute, hour, day, month, day of the week) such as 0 * * * * *";
	if (fields.length !== scheduleFields.length) return { expected: form };
	const wrong = scheduleFields.find((field, at) => !(fields[at] ?? "").split(",").every((part) => isSchedulePart(part, field)));
	if (wrong === undefined) return { ok: fields.join(" ") };
	return { expected: `${form}; a ${wrong.name} from ${wrong.from} to ${wrong.to}`, part: fields[scheduleFields.indexOf(wrong)] ?? text };
}

function isSchedulePart(part: string, field: (typeof scheduleFields)[number]): boolean {
	const [, from, to, step] = /^(\*|[A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?(?:\/(\d{1,2}))?$/.exec(part) ?? [];
	if (from === undefined || (from === "*" && to !== undefined) || step === "0" || step === "00") return false;
	const names: readonly string[] = field.names;
	const inRange = (text: string) => {
		const value = /^\d{1,2}$/.test(text) ? Number(text) : names.indexOf(text.toLowerCase());
		return /^\d/.test(text) ? value >= field.from && value <= field.to : value >= 0;
	};
	return from === "*" || (inRange(from) && (to === undefined || inRange(to)));
}

/** The address of a webhook carries its secret: it is never shown, and http only to this machine. */
export function webhook(text: string): Value<string> {
	const expected = "an https:// address (http:// only to this machine)";
	if (!URL.canParse(text)) return { expected };
	const { protocol, hostname } = new URL(text);
	const local = hostname === "localhost" || hostname === "[::1]" || /^127\./.test(hostname);
	return protocol === "https:" || (protocol === "http:" && local) ? { ok: text } : { expected };
}
