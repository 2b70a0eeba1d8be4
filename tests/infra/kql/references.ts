// What a query takes from the journal: which events it names, and which fields of a line.
import { nameOf, theChild } from "./expressions.ts";
import type { KqlNode } from "./parser.ts";

export interface References {
	readonly events: ReadonlySet<string>;
	/** Paths within `line`: `cluster`, `phasesMs.draining`. */
	readonly fields: ReadonlySet<string>;
}

function each(node: KqlNode, see: (node: KqlNode) => void): void {
	see(node);
	for (const child of node.children) each(child, see);
}

/** `line.a.b` → `a.b`; null: not a path within a line. */
function pathOf(node: KqlNode): string | null {
	if (node.kind !== "PathExpression") return null;
	const [of, name] = [theChild(node, 0), nameOf(theChild(node, 2))];
	if (of.kind === "NameReference") return nameOf(of) === "line" ? name : null;
	const before = pathOf(of);
	return before === null ? null : `${before}.${name}`;
}

const eventName = /^[a-z]+\.[a-zA-Z]+$/;

export function referencesOf(tree: KqlNode): References {
	const [events, fields] = [new Set<string>(), new Set<string>()];
	each(tree, (node) => {
		const text = node.literal ?? "";
		const named = /^\{"event":"([^"]+)"$/.exec(text)?.[1] ?? text;
		if (eventName.test(named)) events.add(named);
		const path = pathOf(node);
		if (path !== null) fields.add(path);
	});
	// Of `line.a.b` the analyser's tree has `line.a` within.
	for (const path of fields) for (const other of fields) if (other.startsWith(`${path}.`)) fields.delete(path);
	return { events, fields };
}
