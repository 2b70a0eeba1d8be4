// Microsoft's parser and analyser of KQL: what is wrong with a query, what columns it gives, and its tree as plain data.
import { createRequire } from "node:module";
import { type TableName, tables } from "./schema.ts";

export interface Column {
	readonly name: string;
	/** KQL's name of it: `long`, `timespan`, `dynamic`, … */
	readonly type: string;
}

/** A node of the tree: what the analyser calls it (`FilterOperator`, `AddExpression`, …), and what it knows of it. */
export interface KqlNode {
	readonly kind: string;
	/** Of a token; else empty. */
	readonly text: string;
	/** What a name refers to, as the analyser found it; empty for a path within a dynamic value. */
	readonly symbol: string;
	/** Of an expression with one value. */
	readonly type: string;
	/** Of a literal text, without its quotes and escapes. */
	readonly literal: string | null;
	/** Of an operator or a query: what comes out of it. */
	readonly columns: readonly Column[];
	readonly children: readonly KqlNode[];
}

export interface Query {
	readonly tree: KqlNode;
	/** Errors and warnings; an empty query has none. */
	readonly diagnostics: readonly string[];
	readonly columns: readonly Column[];
}

interface BridgeList<T> {
	readonly Count: number;
	getItem(index: number): T;
}

interface BridgeType {
	readonly Name: string;
	readonly Columns?: BridgeList<{ readonly Name: string; readonly Type: BridgeType }>;
}

interface BridgeNode {
	readonly Kind: number;
	readonly Text?: string;
	readonly ChildCount: number;
	readonly LiteralValue?: unknown;
	readonly ReferencedSymbol?: { readonly Name: string } | null;
	readonly ResultType?: BridgeType | null;
	GetChild(index: number): BridgeNode | null;
}

interface Language {
	readonly KustoCode: {
		ParseAndAnalyze(
			text: string,
			state: object,
		): { readonly Syntax: BridgeNode; readonly ResultType: BridgeType | null; GetDiagnostics(): BridgeList<{ readonly Message: string }> };
	};
	readonly GlobalState: { readonly Default: { WithDatabase(database: object): object } };
	readonly Symbols: {
		readonly DatabaseSymbol: { readonly ctor: new (name: string, members: readonly object[]) => object };
		readonly TableSymbol: { readonly $ctor7: new (name: string, schema: string, description: null) => object };
	};
	readonly Syntax: { readonly SyntaxKind: object };
}

interface Bridge {
	readonly Kusto: { readonly Language: Language };
	readonly System: { readonly Enum: { getName(type: object, value: number): string } };
}

/** The package sets globals: required by its name it throws. */
function load(): Bridge {
	const require = createRequire(import.meta.url);
	require("@kusto/language-service-next/bridge.min.js");
	require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");
	return globalThis as unknown as Bridge;
}

const bridge = load();
const language = bridge.Kusto.Language;

function tableSymbol(name: TableName): object {
	const columns = Object.entries(tables[name]).map(([column, type]) => `${column}:${type}`);
	return new language.Symbols.TableSymbol.$ctor7(name, `(${columns.join(", ")})`, null);
}

const workspace = language.GlobalState.Default.WithDatabase(
	new language.Symbols.DatabaseSymbol.ctor("workspace", (Object.keys(tables) as TableName[]).map(tableSymbol)),
);

function listed<T>(list: BridgeList<T> | undefined): readonly T[] {
	return list === undefined ? [] : Array.from({ length: list.Count }, (_, index) => list.getItem(index));
}

function columnsOf(type: BridgeType | null | undefined): readonly Column[] {
	return listed(type?.Columns).map(({ Name, Type }) => ({ name: Name, type: Type.Name }));
}

const separators: readonly string[] = ["CommaToken", "SemicolonToken", "EndOfTextToken"];

/** Lists without their separators: their children are their elements. */
function plain(node: BridgeNode): KqlNode {
	const kind = bridge.System.Enum.getName(language.Syntax.SyntaxKind, node.Kind);
	const children = Array.from({ length: node.ChildCount }, (_, index) => node.GetChild(index))
		.flatMap((child) => (child === null ? [] : [plain(child)]))
		.flatMap((child) => (child.kind === "SeparatedElement" ? child.children : [child]))
		.filter((child) => !separators.includes(child.kind));
	return {
		kind,
		text: children.length === 0 ? (node.Text ?? "") : "",
		symbol: node.ReferencedSymbol?.Name ?? "",
		type: node.ResultType?.Name ?? "",
		literal: typeof node.LiteralValue === "string" ? node.LiteralValue : null,
		columns: columnsOf(node.ResultType),
		children,
	};
}

export function parse(text: string): Query {
	const code = language.KustoCode.ParseAndAnalyze(text, workspace);
	return {
		tree: plain(code.Syntax),
		diagnostics: listed(code.GetDiagnostics()).map(({ Message }) => Message),
		columns: columnsOf(code.ResultType),
	};
}
