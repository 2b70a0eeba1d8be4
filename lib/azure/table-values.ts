// What a row holds, to and from the SDK's entities.
import { CallError } from "../tick/call-error.ts";
import type { Row, RowWrite, Scalar } from "../tick/world.ts";

/** Characters (UTF-16 units) that a string property holds: 64 KiB. */
export const maxStringLength = 32 * 1024;
/** Writes that one entity-group transaction holds. */
export const maxWrites = 100;
/** The service's own properties, also in the SDK's spelling: a value of this name would overwrite them. */
const reserved = new Set(["partitionkey", "rowkey", "timestamp", "etag"]);

export type EntityValue = string | number | boolean | bigint;

function invalid(doing: string, answer: string): CallError {
	return new CallError({ failure: "invalid", doing, answer });
}

/** Why a value cannot be stored, or null. */
function problemOf(name: string, value: Scalar): string | null {
	if (reserved.has(name.toLowerCase())) return `${name} is a name of the service's own`;
	if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(name)) return `"${name}" is no property name (letters, digits and _ are)`;
	if (typeof value === "string" && value.length > maxStringLength) {
		return `${name} has ${value.length} characters, a string property holds ${maxStringLength}`;
	}
	if (typeof value === "number" && !Number.isFinite(value)) return `${name} is ${value}, expected a finite number`;
	return null;
}

/**
 * Refuses what the service would refuse, or would take and not give back.
 *
 * @throws CallError `invalid`: an empty or too long list, a key twice, a value that does not fit.
 */
export function checkWrites(doing: string, writes: readonly RowWrite[]): void {
	if (writes.length === 0 || writes.length > maxWrites) throw invalid(doing, `${writes.length} writes in one transaction, expected 1 to ${maxWrites}`);
	const keys = new Set<string>();
	for (const write of writes) {
		if (keys.has(write.key)) throw invalid(doing, `row ${write.key} is written twice in one transaction`);
		keys.add(write.key);
		if (write.kind !== "insert" && (write.etag === "" || write.etag === "*"))
			throw invalid(doing, `${write.kind} of row ${write.key} without the ETag that was read`);
		if (write.kind === "delete") continue;
		for (const [name, value] of Object.entries(write.values)) {
			const problem = problemOf(name, value);
			if (problem !== null) throw invalid(doing, `row ${write.key}: ${problem}`);
		}
	}
}

function toEntityValue(value: Scalar): EntityValue {
	// Untyped JSON integers are Int32 to the service; instants are not. Int64 keeps every safe integer exact.
	if (typeof value === "number" && Number.isSafeInteger(value) && Math.abs(value) > 0x7fff_ffff) return BigInt(value);
	return value;
}

export function toEntityValues(values: Readonly<Record<string, Scalar>>): Record<string, EntityValue> {
	return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toEntityValue(value)]));
}

function toScalar(value: unknown): Scalar | undefined {
	if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
	if (typeof value === "bigint") return Number(value);
	if (value instanceof Date) return value.toISOString();
	// Types that we never write (Guid, Binary): somebody else's property.
	return undefined;
}

/** An entity of the SDK as a row; `key` is decoded already. Null: it lacks what every entity has. */
export function toRow(key: string, entity: Readonly<Record<string, unknown>>): Row | null {
	const { etag, timestamp } = entity;
	const writtenAt = timestamp instanceof Date ? timestamp.getTime() : typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
	if (typeof etag !== "string" || etag === "" || Number.isNaN(writtenAt)) return null;
	const values: Record<string, Scalar> = {};
	for (const [name, value] of Object.entries(entity)) {
		const scalar = toScalar(value);
		if (scalar !== undefined && !reserved.has(name.toLowerCase()) && !name.startsWith("odata.")) values[name] = scalar;
	}
	return { key, etag, writtenAt, values };
}
