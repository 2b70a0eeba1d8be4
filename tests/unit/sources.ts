// Reading TypeScript as text, as far as rules about its shape need it: what is code, what is imported, where functions end.

/**
 * The text with comments, strings and regular expressions made of blanks (line ends stay, and so do `${…}` in templates): what is left
 * is code. Brackets of types and of code look alike; nothing here needs to tell them apart.
 */
export function blanked(text: string): string {
	return scan(text).bare;
}

interface Literal {
	/** Offset of the opening quote. */
	readonly from: number;
	readonly value: string;
}

function scan(text: string): { readonly bare: string; readonly literals: readonly Literal[] } {
	const bare = [...text.split("")];
	const literals: Literal[] = [];
	/** For each template that is open, how many braces are open in its current `${…}`. */
	const templates: number[] = [];
	const blank = (from: number, before: number) => {
		for (let k = from; k < before && k < bare.length; k++) if (bare[k] !== "\n") bare[k] = " ";
	};
	let i = 0;
	const templateText = (from: number) => {
		let k = from;
		while (k < text.length && text[k] !== "`" && !text.startsWith("${", k)) k += text[k] === "\\" ? 2 : 1;
		blank(from, k);
		if (text.startsWith("${", k)) {
			templates.push(0);
			blank(k, k + 2);
			return k + 2;
		}
		blank(k, k + 1);
		return k + 1;
	};
	while (i < text.length) {
		const char = text[i] ?? "";
		const start = i;
		if (text.startsWith("//", i)) {
			i = endOf(text, "\n", i);
			blank(start, i);
		} else if (text.startsWith("/*", i)) {
			i = endOf(text, "*/", i) + 2;
			blank(start, i);
		} else if (char === '"' || char === "'") {
			i = quoteEnd(text, i);
			literals.push({ from: start, value: text.slice(start + 1, i - 1) });
			blank(start, i);
		} else if (char === "`") {
			blank(i, i + 1);
			i = templateText(i + 1);
		} else if (char === "/" && beginsRegex(bare, i)) {
			i = regexEnd(text, i);
			blank(start, i);
		} else if (char === "}" && templates.at(-1) === 0) {
			templates.pop();
			blank(i, i + 1);
			i = templateText(i + 1);
		} else {
			const depth = templates.at(-1);
			if (depth !== undefined && char === "{") templates[templates.length - 1] = depth + 1;
			if (depth !== undefined && char === "}") templates[templates.length - 1] = depth - 1;
			i++;
		}
	}
	return { bare: bare.join(""), literals };
}

function endOf(text: string, what: string, from: number): number {
	const at = text.indexOf(what, from);
	return at < 0 ? text.length : at;
}

function quoteEnd(text: string, from: number): number {
	let i = from + 1;
	while (i < text.length && text[i] !== text[from]) i += text[i] === "\\" ? 2 : 1;
	return i + 1;
}

/** A slash divides after a value, and begins a regular expression everywhere else. */
function beginsRegex(bare: readonly string[], at: number): boolean {
	let k = at - 1;
	while (k >= 0 && /\s/.test(bare[k] ?? "")) k--;
	const word = /[\w$]+$/.exec(bare.slice(Math.max(0, k - 12), k + 1).join(""))?.[0] ?? "";
	if (word === "return" || word === "typeof" || word === "case") return true;
	return k < 0 || !/[\w$)\]]/.test(bare[k] ?? "");
}

function regexEnd(text: string, from: number): number {
	let inClass = false;
	let i = from + 1;
	for (; i < text.length && text[i] !== "\n"; i++) {
		if (text[i] === "\\") i++;
		else if (text[i] === "[") inClass = true;
		else if (text[i] === "]") inClass = false;
		else if (text[i] === "/" && !inClass) break;
	}
	return i + 1;
}

/** What a file imports or re-exports, statically or not, types included. */
export function importsOf(text: string): readonly string[] {
	const { bare, literals } = scan(text);
	return literals.flatMap(({ from, value }) => {
		const before = bare.slice(0, from).trimEnd();
		return /(?<![.\w$])(?:from|import)$/.test(before) || /(?<![.\w$])import\s*\($/.test(before) ? [value] : [];
	});
}

/** Functions, methods and arrows with a block, by the number of their lines from the name to the closing brace. */
export function functionsOf(text: string): readonly { readonly name: string; readonly lines: number }[] {
	const bare = blanked(text);
	const begin =
		/(?:\bfunction\*?\s+([\w$]+)|\b(?:const|let)\s+([\w$]+)[^=;\n]*=\s*(?:async\s*)?(?=[(<])|^[ \t]+(?:(?:static|async|private|readonly|get|set)\s+)*(#?[\w$]+)(?=\s*[(<]))/gm;
	const found: { name: string; lines: number }[] = [];
	for (const match of bare.matchAll(begin)) {
		const name = match[1] ?? match[2] ?? match[3] ?? "";
		if (/^(?:if|for|while|switch|catch|return|function)$/.test(name)) continue;
		const end = blockEnd(bare, match.index + match[0].length, match[2] !== undefined);
		if (end === null) continue;
		const from = match.index + match[0].search(/\S/);
		found.push({ name, lines: bare.slice(from, end).split("\n").length });
	}
	return found;
}

/** Where the body after a parameter list ends; null: there is no block. */
function blockEnd(bare: string, from: number, arrow: boolean): number | null {
	const open = bare.indexOf("(", from);
	if (open < 0) return null;
	let i = matching(bare, open) + 1;
	if (arrow) {
		const at = /^[^;{}()\n]*?=>\s*\{/.exec(bare.slice(i));
		return at === null ? null : matching(bare, i + at[0].length - 1) + 1;
	}
	// A return type may hold braces of its own: the body is the last block before the line ends.
	for (;;) {
		const next = /^[^{};\n]*\{/.exec(bare.slice(i));
		if (next === null) return null;
		const end = matching(bare, i + next[0].length - 1) + 1;
		if (/^\s*(?:\n|$|\})/.test(bare.slice(end)) || /^[ \t]*(?:\r?\n|$)/.test(bare.slice(end))) return end;
		i = end;
	}
}

function matching(bare: string, open: number): number {
	let depth = 0;
	for (let i = open; i < bare.length; i++) {
		if ("([{".includes(bare[i] ?? "")) depth++;
		else if (")]}".includes(bare[i] ?? "") && --depth === 0) return i;
	}
	return bare.length;
}
