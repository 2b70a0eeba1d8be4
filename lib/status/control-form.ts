// The page's form for the controls, and what of it goes through the page's address: the answer, and what was typed when it was a refusal.
import { type CommandKind, untilForm } from "../plan/control.ts";
import { html, type Markup, nothing } from "./markup.ts";

/** What the page says of what was asked: in its address, and so a text that anybody can make up. */
export const toldParameter = "told";

/** What of the page's own address its form and its links go on with: the key that opened it, and the one cluster that is shown. */
export function pageAddress(code: string | null, cluster: string | null): Readonly<Record<string, string>> {
	return { ...(code === null ? {} : { code }), ...(cluster === null ? {} : { cluster }) };
}

/** Fields of the form, and how many characters each takes. */
const fieldChars = { cluster: 253, name: 253, reason: 500, until: 40, by: 200, ignoreWindow: 4 } as const;
type Field = keyof typeof fieldChars;
const prefix = "typed-";

/** What somebody had typed into the form of a cluster. */
export type Typed = Readonly<Record<Field, string>>;

/** What a form that was sent holds, as parameters of the page. */
export function typedParameters(body: string): readonly [string, string][] {
	const sent = new URLSearchParams(body);
	return Object.entries(fieldChars).flatMap(([field, most]) => {
		const value = sent.get(field)?.slice(0, most) ?? "";
		return value === "" ? [] : [[`${prefix}${field}`, value] as [string, string]];
	});
}

/** Null: nothing. It stands in the address, so anybody can have made it up: it does nothing before somebody sends the form. */
export function typedOf(query: URLSearchParams): Typed | null {
	const value = (field: Field) => query.get(`${prefix}${field}`)?.slice(0, fieldChars[field]) ?? "";
	const cluster = value("cluster");
	if (cluster === "") return null;
	return { cluster, name: value("name"), reason: value("reason"), until: value("until"), by: value("by"), ignoreWindow: value("ignoreWindow") };
}

const buttons: readonly (readonly [CommandKind, string])[] = [
	["hold", "Hold"],
	["release", "Release"],
	["reboot", "Reboot now"],
	["cancel", "Take back the reboot"],
];

export function controlFormId(cluster: string): string {
	return `controls-${encodeURIComponent(cluster.toWellFormed())}`;
}

/**
 * A folded form that holds, releases or reboots, for a page in the folder of `controls`. The key that opened the page is sent along
 * with it; whether it is good for the controls, only they can tell. Enter in a field presses the first button, the hold.
 *
 * @param address the page's own: see `pageAddress`
 * @param typed what is shown in it again; it is open then
 */
export function controlForm(cluster: string, address: Readonly<Record<string, string>>, typed: Typed | null): Markup {
	const query = new URLSearchParams(address).toString();
	const given = (field: Field) => (typed === null || typed[field] === "" ? nothing : html` value="${typed[field]}"`);
	// With an id it stays open, and where it is, when the page is brought up to date.
	return html`<details class="controls" id="${controlFormId(cluster)}"${typed === null ? nothing : html` open`}><summary>Controls of cluster ${cluster}</summary>
<form method="post" action="controls${query === "" ? "" : `?${query}`}">
<input type="hidden" name="cluster" value="${cluster}"><label>Node or pool <input name="name" maxlength="${fieldChars.name}" autocomplete="off"${given("name")}><small>empty: the whole cluster</small></label>
<label>Reason <input name="reason" required maxlength="${fieldChars.reason}" autocomplete="off"${given("reason")}></label>
<label>Until <input name="until" maxlength="${fieldChars.until}" autocomplete="off" placeholder="2h"${given("until")}><small>${untilForm}</small></label>
<label>Your name <input name="by" maxlength="${fieldChars.by}" autocomplete="name"${given("by")}></label>
<label><input type="checkbox" name="ignoreWindow" value="true"${typed?.ignoreWindow === "true" ? html` checked` : nothing}> reboot outside its window too</label>
<p>${buttons.map(([kind, text]) => html`<button name="command" value="${kind}">${text}</button> `)}</p>
</form></details>
`;
}
