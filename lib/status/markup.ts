// HTML as values: whatever is put into a template is escaped, unless it is markup itself.

export class Markup {
	readonly #text: string;
	/** Of a text that we wrote ourselves. */
	constructor(text: string) {
		this.#text = text;
	}
	get text(): string {
		return this.#text;
	}
}

export type Content = string | number | Markup | readonly Content[];

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escaped(content: Content): string {
	if (content instanceof Markup) return content.text;
	if (typeof content === "number") return String(content);
	if (typeof content === "string") return content.replace(/[&<>"']/g, (character) => entities[character] ?? "");
	return content.map(escaped).join("");
}

/** For text between tags and for values of attributes in double quotes. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
	return new Markup(parts.reduce((text, part, index) => text + escaped(contents[index - 1] ?? "") + part));
}

export const nothing = new Markup("");
