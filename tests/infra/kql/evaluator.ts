// Runs a query over rows, by the tree of Microsoft's own parser: the operators that our queries use, and no other. One that is not known is
// refused before the first row. Nothing of the kind can be had: KQL is a service.
import { compileAggregate } from "./aggregates.ts";
import { compile, nameOf, type Row, refused, type Surroundings, theChild } from "./expressions.ts";
import { type KqlNode, parse } from "./parser.ts";
import type { Value } from "./scalars.ts";
import type { TableName } from "./schema.ts";

export type { Row } from "./expressions.ts";

export type Tables = { readonly [Name in TableName]: readonly Row[] };

interface Source extends Surroundings {
	readonly tables: Tables;
	/** Tables that `let` named. */
	readonly views: ReadonlyMap<string, readonly Row[]>;
}

type Tabular = (source: Source) => readonly Row[];
type Operator = (rows: readonly Row[], around: Surroundings) => readonly Row[];

export type Run = (tables: Tables, now: number) => readonly Row[];

/** Throws where the analyser finds anything, or the query holds what is not known here. */
export function compileQuery(text: string): Run {
	const { tree, diagnostics } = parse(text);
	if (diagnostics.length > 0) throw new Error(`not a query: ${diagnostics.join(" ")}`);
	const statements = tree.children.flatMap((each) => each.children);
	const lets = statements.filter(({ kind }) => kind === "LetStatement").map(compileLet);
	const [body, ...others] = statements.filter(({ kind }) => kind !== "LetStatement");
	if (body?.kind !== "ExpressionStatement" || others.length > 0) throw refused(body ?? tree);
	const query = compileTabular(theChild(body, 0));
	return (tables, now) => {
		const [named, views] = [new Map<string, Value>(), new Map<string, readonly Row[]>()];
		const source: Source = { tables, now, named, views };
		for (const { name, scalar, tabular } of lets) {
			if (scalar !== null) named.set(name, scalar({}, source));
			else views.set(name, tabular(source));
		}
		return query(source);
	};
}

function compileLet(node: KqlNode) {
	const [, declaration, , value] = node.children;
	if (declaration === undefined || value === undefined) throw refused(node);
	const name = nameOf(declaration);
	if (value.kind === "PipeExpression") return { name, scalar: null, tabular: compileTabular(value) } as const;
	return { name, scalar: compile(value), tabular: null } as const;
}

function compileTabular(node: KqlNode): Tabular {
	switch (node.kind) {
		case "NameReference": {
			const name = nameOf(node);
			return ({ tables, views }) => {
				const rows = views.get(name) ?? tables[name as TableName];
				if (rows === undefined) throw new Error(`no table is called ${name}`);
				return rows;
			};
		}
		case "PipeExpression": {
			const [from, operator] = [compileTabular(theChild(node, 0)), compileOperator(theChild(node, 2))];
			return (source) => operator(from(source), source);
		}
		case "UnionOperator": {
			const parts = theChild(node, 2).children.map(compileTabular);
			return (source) => parts.flatMap((part) => part(source));
		}
		default:
			throw refused(node);
	}
}

function compileOperator(node: KqlNode): Operator {
	switch (node.kind) {
		case "FilterOperator": {
			const condition = compile(theChild(node, 2));
			return (rows, around) => rows.filter((row) => condition(row, around) === true);
		}
		case "ExtendOperator":
			return extend(node);
		case "ProjectOperator":
			return project(node, theChild(node, 1).children);
		case "DistinctOperator": {
			const pick = project(node, theChild(node, 2).children);
			return (rows, around) => [...new Map(pick(rows, around).map((row) => [JSON.stringify(row), row])).values()];
		}
		case "SummarizeOperator":
			return summarize(node);
		case "SortOperator":
			return sort(theChild(node, 3).children);
		case "TopOperator": {
			const [most, sorted] = [compile(theChild(node, 2)), sort([theChild(node, 4)])];
			return (rows, around) => sorted(rows, around).slice(0, Number(most({}, around)));
		}
		default:
			throw refused(node, "an operator");
	}
}

function extend(node: KqlNode): Operator {
	const columns = theChild(node, 1).children.map((each) => {
		if (each.kind !== "SimpleNamedExpression") throw refused(each);
		return [nameOf(theChild(each, 0)), compile(each)] as const;
	});
	return (rows, around) =>
		rows.map((row) => {
			// All of one operator see the row as it came in.
			const added = columns.map(([name, value]) => [name, value(row, around)]);
			return { ...row, ...Object.fromEntries(added) };
		});
}

/** What the analyser says comes out of it, in that order. */
function project(node: KqlNode, nodes: readonly KqlNode[]): Operator {
	const values = nodes.map(compile);
	if (node.columns.length !== values.length) throw refused(node);
	return (rows, around) => rows.map((row) => Object.fromEntries(node.columns.map(({ name }, index) => [name, values[index]?.(row, around) ?? null])));
}

function summarize(node: KqlNode): Operator {
	const [, , aggregated, by] = node.children;
	if (aggregated === undefined) throw refused(node);
	const aggregates = aggregated.children.map(compileAggregate);
	const keys = by === undefined ? [] : theChild(by, 1).children.map(compile);
	const names = node.columns.map(({ name }) => name);
	if (names.length !== keys.length + aggregates.reduce((sum, { width }) => sum + width, 0)) throw refused(node);
	return (rows, around) => {
		const groups = new Map<string, { readonly key: readonly Value[]; readonly rows: Row[] }>();
		// Without `by` there is one group, also of no rows.
		if (keys.length === 0) groups.set("[]", { key: [], rows: [] });
		for (const row of rows) {
			const key = keys.map((each) => each(row, around));
			const text = JSON.stringify(key);
			const group = groups.get(text) ?? { key, rows: [] };
			groups.set(text, group);
			group.rows.push(row);
		}
		return [...groups.values()].map((group) => {
			const values = [...group.key, ...aggregates.flatMap((each) => each.of(group.rows, around))];
			return Object.fromEntries(names.map((name, index) => [name, values[index] ?? null]));
		});
	};
}

/** Descending unless told. Null is less than anything. */
function sort(nodes: readonly KqlNode[]): Operator {
	const orders = nodes.map((node) => {
		const ordered = node.kind === "OrderedExpression";
		const ascending = ordered && nameOf(theChild(node, 1)) === "asc";
		if (ordered && !ascending && nameOf(theChild(node, 1)) !== "desc") throw refused(node);
		return { value: compile(ordered ? theChild(node, 0) : node), sign: ascending ? 1 : -1 };
	});
	return (rows, around) =>
		[...rows].sort((one, other) => {
			for (const { value, sign } of orders) {
				const compared = compareValues(value(one, around), value(other, around));
				if (compared !== 0) return compared * sign;
			}
			return 0;
		});
}

function compareValues(one: Value, other: Value): number {
	if (one === other) return 0;
	if (one === null) return -1;
	if (other === null) return 1;
	return one < other ? -1 : 1;
}
