// Values of KQL and what can be computed of them. A datetime is milliseconds since the epoch, a timespan is milliseconds: the analyser knows
// which is which. Null is null; a string never is.
// https://learn.microsoft.com/kusto/query/scalar-data-types/null-values

export type Value = string | number | boolean | null | readonly Value[] | { readonly [field: string]: Value };

/** With their types, since 3 / 2 is 1 and 3.0 / 2 is 1.5. */
export interface Typed {
	readonly value: Value;
	readonly type: string;
}

const units: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

export function timespanOf(text: string): number {
	const [, count, unit = ""] = /^(\d+(?:\.\d+)?)(d|h|m|s|ms)$/.exec(text) ?? [];
	const ms = units[unit];
	if (count === undefined || ms === undefined) throw new Error(`a timespan that is not known here: ${text}`);
	return Number(count) * ms;
}

function textOf(value: Value): string {
	if (value === null) return "";
	return typeof value === "string" ? value : typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Terms are runs of letters and digits. https://learn.microsoft.com/kusto/query/datatypes-string-operators#what-is-a-term */
function hasTerm(text: string, term: string): boolean {
	const escaped = term.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
	return new RegExp(`(?<![\\p{L}\\d])${escaped}(?![\\p{L}\\d])`, "iu").test(text);
}

const lower = (value: Value): string => textOf(value).toLowerCase();

/** Of texts; all but `==` and `in` without regard to case. */
const textOperators: Readonly<Record<string, (left: Value, right: Value) => boolean>> = {
	StartsWithExpression: (left, right) => lower(textOf(left).slice(0, textOf(right).length)) === lower(right),
	EndsWithExpression: (left, right) => textOf(right) === "" || lower(textOf(left).slice(-textOf(right).length)) === lower(right),
	ContainsExpression: (left, right) => lower(left).includes(lower(right)),
	NotContainsExpression: (left, right) => !lower(left).includes(lower(right)),
	HasExpression: (left, right) => hasTerm(textOf(left), textOf(right)),
};

/** Null with anything is null, which `where` takes for false. */
const comparisons: Readonly<Record<string, (left: string | number | boolean, right: string | number | boolean) => boolean>> = {
	EqualExpression: (left, right) => left === right,
	NotEqualExpression: (left, right) => left !== right,
	LessThanExpression: (left, right) => left < right,
	LessThanOrEqualExpression: (left, right) => left <= right,
	GreaterThanExpression: (left, right) => left > right,
	GreaterThanOrEqualExpression: (left, right) => left >= right,
};

const arithmetic: Readonly<Record<string, (left: number, right: number) => number>> = {
	AddExpression: (left, right) => left + right,
	SubtractExpression: (left, right) => left - right,
	MultiplyExpression: (left, right) => left * right,
	DivideExpression: (left, right) => left / right,
};

function isPlain(value: Value): value is string | number | boolean {
	return value !== null && typeof value !== "object";
}

/** Throws for an operator that it does not know. */
export function binary(kind: string, left: Typed, right: Typed): Value {
	const ofTexts = textOperators[kind];
	if (ofTexts !== undefined) return ofTexts(left.value, right.value);
	const compare = comparisons[kind];
	if (compare !== undefined) return isPlain(left.value) && isPlain(right.value) ? compare(left.value, right.value) : null;
	const compute = arithmetic[kind];
	if (compute === undefined) throw new Error(`an operator that is not known here: ${kind}`);
	if (typeof left.value !== "number" || typeof right.value !== "number") return null;
	const whole = [left.type, right.type].every((type) => type === "long" || type === "int");
	const result = compute(left.value, right.value);
	if (!Number.isFinite(result)) return null;
	return whole ? Math.trunc(result) : result;
}

function numberOf(value: Value): number | null {
	const number = typeof value === "string" && value.trim() !== "" ? Number(value) : typeof value === "boolean" ? Number(value) : value;
	return typeof number === "number" && Number.isFinite(number) ? number : null;
}

function toBool(value: Value): boolean | null {
	if (typeof value === "boolean") return value;
	if (typeof value === "number") return value !== 0;
	return value === "true" ? true : value === "false" ? false : null;
}

function toText({ value, type }: Typed): string {
	if (typeof value === "number" && type === "datetime") return new Date(value).toISOString();
	if (typeof value === "number" && type === "timespan") throw new Error("a timespan as a text is not known here");
	return textOf(value);
}

const parsed = new Map<string, Value>();

/** What is no JSON is itself, as a text. */
function parseJson(value: Value): Value {
	if (typeof value !== "string") return value;
	let json = parsed.get(value);
	if (json === undefined) {
		try {
			json = JSON.parse(value) as Value;
		} catch {
			json = value;
		}
		parsed.set(value, json);
	}
	return json;
}

function round(value: Value, digits: Value): Value {
	const factor = 10 ** (numberOf(digits) ?? 0);
	return typeof value === "number" ? Math.round(value * factor) / factor : null;
}

function bin(value: Value, size: Value): Value {
	return typeof value === "number" && typeof size === "number" ? Math.floor(value / size) * size : null;
}

const none: Typed = { value: null, type: "dynamic" };

/** Functions of values alone. */
export const functions: Readonly<Record<string, (...given: readonly Typed[]) => Value>> = {
	parse_json: ({ value } = none) => parseJson(value),
	tostring: (given = none) => toText(given),
	tolong({ value } = none) {
		const number = numberOf(value);
		return number === null ? null : Math.trunc(number);
	},
	tobool: ({ value } = none) => toBool(value),
	array_length: ({ value } = none) => (Array.isArray(value) ? value.length : null),
	strcat: (...given) => given.map(toText).join(""),
	strcat_array: ({ value } = none, separator = none) => (Array.isArray(value) ? value.map((each: Value) => textOf(each)).join(textOf(separator.value)) : ""),
	unixtime_milliseconds_todatetime: ({ value } = none) => (typeof value === "number" ? value : null),
	round: ({ value } = none, digits = none) => round(value, digits.value),
	bin: ({ value } = none, size = none) => bin(value, size.value),
};

export function member(value: Value, name: string): Value {
	if (value === null || typeof value !== "object" || Array.isArray(value)) return null;
	return (value as Readonly<Record<string, Value>>)[name] ?? null;
}
