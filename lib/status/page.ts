// The frame of every page: one style sheet and one script, inline, and a policy that allows exactly these two.
import { createHash } from "node:crypto";
import { html, Markup, nothing } from "./markup.ts";
import { script } from "./script.ts";
import { style } from "./style.ts";

function hashOf(text: string): string {
	return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

export const contentSecurityPolicy = [
	"default-src 'none'",
	`style-src ${hashOf(style)}`,
	`script-src ${hashOf(script)}`,
	// The page fetches itself anew, and its forms go to the app that it came from.
	"connect-src 'self'",
	"form-action 'self'",
	"base-uri 'none'",
	"frame-ancestors 'none'",
].join("; ");

/** Style sheet and script are no places for entities, and their hashes are those of the plain texts. */
const rawStyle = new Markup(style);
const rawScript = new Markup(script);

export interface Page {
	readonly title: string;
	/** What should interrupt a reader; it is announced when it changes, and so holds nothing that changes by itself. */
	readonly alarms: readonly (string | Markup)[];
	/** What the controls answered. It stands in the address, so anybody can have made it up. */
	readonly told: Markup | null;
	readonly main: Markup;
}

export function pageText({ title, alarms, told, main }: Page): string {
	const { text } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${rawStyle}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the fleet</a>
<header><h1>aks-reboot-scheduler</h1>
<form id="filter" role="search" hidden><label for="find">Filter</label> <input id="find" type="search" autocomplete="off" placeholder="cluster, node, reason…"> <output id="found" for="find"></output></form>
<p id="live" role="status"></p><noscript><p class="dim">Scripts are off: load the page anew to see what has changed.</p></noscript></header>
<section id="alarms" aria-label="Alarms">${alarms.length === 0 ? nothing : html`<div role="alert">${alarms.map((each) => html`<p class="alarm">${each}</p>`)}</div>`}</section>
${
	told === null
		? nothing
		: html`<section id="told" aria-label="Answer of the controls"><p class="note">${told}</p></section>
`
}<main id="main" tabindex="-1">
${main}
</main>
<script>${rawScript}</script>
</body>
</html>
`;
	return text;
}
