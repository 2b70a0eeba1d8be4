// What `summarize` makes of the rows of a group: one value, or for arg_max one for each of its columns.
import { argumentsOf, compile, type Expression, functionOf, type Row, refused, type Surroundings, theChild } from "./expressions.ts";
import type { KqlNode } from "./parser.ts";
import type { Value } from "./scalars.ts";

export interface Aggregate {
	/** Columns that come of it. */
	readonly width: number;
	readonly of: (rows: readonly Row[], around: Surroundings) => readonly Value[];
}

/** All but count ignore null. */
function numbers(rows: readonly Row[], around: Surroundings, of: Expression): readonly number[] {
	return rows.map((row) => of(row, around)).filter((value) => typeof value === "number");
}

/** https://learn.microsoft.com/kusto/query/percentiles-aggregation-function: nearest rank. */
function percentile(values: readonly number[], share: Value): Value {
	const sorted = [...values].sort((one, other) => one - other);
	return sorted[Math.max(0, Math.ceil((Number(share) / 100) * sorted.length) - 1)] ?? null;
}

/** By name, of one expression. */
const ofNumbers: Readonly<Record<string, (values: readonly number[]) => Value>> = {
	min: (values) => (values.length === 0 ? null : values.reduce((one, other) => Math.min(one, other))),
	max: (values) => (values.length === 0 ? null : values.reduce((one, other) => Math.max(one, other))),
	avg: (values) => (values.length === 0 ? null : values.reduce((one, other) => one + other, 0) / values.length),
	dcount: (values) => new Set(values).size,
};

const numeric: readonly string[] = ["int", "long", "real", "datetime", "timespan"];

export function compileAggregate(node: KqlNode): Aggregate {
	const call = node.kind === "SimpleNamedExpression" ? theChild(node, 2) : node;
	if (call.kind !== "FunctionCallExpression") throw refused(node, "an aggregate");
	const name = functionOf(call);
	const nodes = argumentsOf(call);
	const [first, second, ...more] = nodes.map(compile);
	if (name === "count" && first === undefined) return { width: 1, of: (rows) => [rows.length] };
	if (first === undefined) throw refused(node, "an aggregate");
	if (name === "countif") return { width: 1, of: (rows, around) => [rows.filter((row) => first(row, around) === true).length] };
	if (!numeric.includes(nodes[0]?.type ?? "")) throw refused(node, "an aggregate");
	if (name === "arg_max") return latest(first, second === undefined ? [] : [second, ...more]);
	if (name === "percentile" && second !== undefined) return { width: 1, of: (rows, around) => [percentile(numbers(rows, around, first), second({}, around))] };
	const compute = ofNumbers[name];
	if (compute === undefined || second !== undefined) throw refused(node, "an aggregate");
	return { width: 1, of: (rows, around) => [compute(numbers(rows, around, first))] };
}

/** Of rows that are equally late the last one that was given. */
function latest(by: Expression, columns: readonly Expression[]): Aggregate {
	return {
		width: 1 + columns.length,
		of(rows, around) {
			let most: { readonly row: Row; readonly value: number } | null = null;
			for (const row of rows) {
				const value = by(row, around);
				if (typeof value === "number" && (most === null || value >= most.value)) most = { row, value };
			}
			const found = most;
			return found === null ? [null, ...columns.map(() => null)] : [found.value, ...columns.map((each) => each(found.row, around))];
		},
	};
}
