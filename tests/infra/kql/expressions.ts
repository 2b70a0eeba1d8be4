// Expressions of one value, by the analyser's tree. What is not known here is refused when the query is read, not when a row comes by it.
import type { KqlNode } from "./parser.ts";
import { binary, functions, member, type Typed, timespanOf, type Value } from "./scalars.ts";

export type Row = Readonly<Record<string, Value>>;

export interface Surroundings {
	/** What `now()` says. */
	readonly now: number;
	/** Values that `let` named. */
	readonly named: ReadonlyMap<string, Value>;
}

export type Expression = (row: Row, around: Surroundings) => Value;

export function refused(node: KqlNode, what = "syntax"): Error {
	return new Error(`${what} that is not known here: ${node.kind}${node.symbol === "" ? "" : ` ${node.symbol}`}: ${sourceOf(node)}`);
}

function sourceOf(node: KqlNode): string {
	return node.children.length === 0 ? node.text : node.children.map(sourceOf).join(" ");
}

export function theChild(node: KqlNode, index: number): KqlNode {
	const child = node.children[index];
	if (child === undefined) throw refused(node);
	return child;
}

/** `TokenName` or a declaration: its one token's text. */
export function nameOf(node: KqlNode): string {
	return sourceOf(node);
}

export function argumentsOf(call: KqlNode): readonly KqlNode[] {
	return theChild(theChild(call, 1), 1).children;
}

export function functionOf(call: KqlNode): string {
	return nameOf(theChild(call, 0));
}

export function compile(node: KqlNode): Expression {
	const [first, second, third] = node.children;
	switch (node.kind) {
		case "StringLiteralExpression":
		case "LongLiteralExpression":
		case "RealLiteralExpression":
		case "BooleanLiteralExpression":
		case "TimespanLiteralExpression": {
			const value = literalOf(node);
			return () => value;
		}
		case "NameReference":
			return reference(nameOf(node));
		case "ParenthesizedExpression":
			return compile(theChild(node, 1));
		case "PathExpression":
			return path(node);
		case "SimpleNamedExpression":
			return compile(theChild(node, 2));
		case "FunctionCallExpression":
			return call(node);
		case "InExpression":
			return within(node);
		case "AndExpression":
		case "OrExpression":
			return logical(node);
		default:
			if (first === undefined || second === undefined || third === undefined || !node.kind.endsWith("Expression")) throw refused(node);
			return operation(node, first, third);
	}
}

function literalOf(node: KqlNode): Value {
	const { text } = theChild(node, 0);
	switch (node.kind) {
		case "StringLiteralExpression":
			return node.literal;
		case "BooleanLiteralExpression":
			return text === "true";
		case "TimespanLiteralExpression":
			return timespanOf(text);
		default:
			return Number(text);
	}
}

function reference(name: string): Expression {
	return (row, { named }) => {
		const value = row[name] ?? named.get(name);
		if (value === undefined && !(name in row)) throw new Error(`no column and no name is called ${name}`);
		return value ?? null;
	};
}

/** `line.cause.kind`: a name within a dynamic value, which is no column. */
function path(node: KqlNode): Expression {
	const of = compile(theChild(node, 0));
	const selector = theChild(node, 2);
	if (theChild(node, 1).kind !== "DotToken" || selector.kind !== "NameReference") throw refused(node);
	const name = nameOf(selector);
	return (row, around) => member(of(row, around), name);
}

function operation(node: KqlNode, left: KqlNode, right: KqlNode): Expression {
	const [of, with_] = [compile(left), compile(right)];
	const zero: Typed = { value: 0, type: left.type };
	binary(node.kind, zero, zero);
	return (row, around) => binary(node.kind, { value: of(row, around), type: left.type }, { value: with_(row, around), type: right.type });
}

function logical(node: KqlNode): Expression {
	const [left, right] = [compile(theChild(node, 0)), compile(theChild(node, 2))];
	// Of null and false both `where` and countif take the same.
	if (node.kind === "AndExpression") return (row, around) => left(row, around) === true && right(row, around) === true;
	return (row, around) => left(row, around) === true || right(row, around) === true;
}

function within(node: KqlNode): Expression {
	const value = compile(theChild(node, 0));
	const listed = theChild(theChild(node, 2), 1).children.map(compile);
	return (row, around) => {
		const one = value(row, around);
		return one !== null && listed.some((each) => each(row, around) === one);
	};
}

function call(node: KqlNode): Expression {
	const name = functionOf(node);
	const nodes = argumentsOf(node);
	const given = nodes.map(compile);
	if (name === "now" && given.length === 0) return (_, { now }) => now;
	const [first, second, third] = given;
	if (name === "ago" && first !== undefined)
		return (row, around) => {
			const ms = first(row, around);
			return typeof ms === "number" ? around.now - ms : null;
		};
	if (name === "iff" && first !== undefined && second !== undefined && third !== undefined)
		return (row, around) => (first(row, around) === true ? second(row, around) : third(row, around));
	if (name === "case") return choice(given);
	const compute = functions[name];
	if (compute === undefined) throw refused(node, "a function");
	return (row, around) => compute(...given.map((each, index) => ({ value: each(row, around), type: nodes[index]?.type ?? "" })));
}

function choice(given: readonly Expression[]): Expression {
	return (row, around) => {
		for (let i = 0; i + 1 < given.length; i += 2) if (given[i]?.(row, around) === true) return given[i + 1]?.(row, around) ?? null;
		return given.at(-1)?.(row, around) ?? null;
	};
}
