// The status as a plain page: no script, nothing from elsewhere, readable without its style.
import { explainDuration, explainEnd, explainInstant, explainPhase } from "../plan/explain.ts";
import type { Instant } from "../plan/model.ts";
import { type Content, html, Markup, nothing } from "./markup.ts";
import type { ClusterStatus, Status } from "./status.ts";
import { style } from "./style.ts";

/** Ended reboots on the page; the JSON has all that the table keeps at hand. */
const endedMost = 10;

function page(title: string, main: Markup): string {
	const { text } = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${rawStyle}</style>
</head>
<body>
<header><h1>aks-reboot-scheduler</h1></header>
<main>
${main}
</main>
</body>
</html>
`;
	return text;
}

/** A style sheet is no place for entities, and its hash is that of the plain text. */
const rawStyle = new Markup(style);

function time(at: Instant): Markup {
	return html`<time datetime="${new Date(at).toISOString()}">${explainInstant(at)}</time>`;
}

function counted(count: number, one: string, many: string): string {
	return `${count} ${count === 1 ? one : many}`;
}

interface Column<Row> {
	readonly title: string;
	readonly cell: (row: Row) => Content;
	readonly number?: true;
}

/** The first column heads its row. */
function table<Row>(caption: string, rows: readonly Row[], columns: readonly Column<Row>[]): Markup {
	const number = (column: Column<Row>): Markup => (column.number ? html` class="number"` : nothing);
	const row = (each: Row): Markup =>
		html`<tr>${columns.map((column, index) =>
			index === 0 ? html`<th scope="row">${column.cell(each)}</th>` : html`<td${number(column)}>${column.cell(each)}</td>`,
		)}</tr>
`;
	return html`<div class="scroll" role="group" aria-label="${caption}" tabindex="0"><table>
<caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col"${number(column)}>${column.title}</th>`)}</tr></thead>
<tbody>
${rows.map(row)}</tbody>
</table></div>
`;
}

function totals({ totals }: Status): Markup {
	const entries: readonly (readonly [string, number])[] = [
		["clusters", totals.clusters],
		["nodes that wait", totals.waiting],
		["in flight", totals.inFlight],
		["need a person", totals.needPerson],
		["silent sentinels", totals.silent],
		["clusters not seen lately", totals.notSeen],
	];
	return html`<section aria-labelledby="fleet"><h2 id="fleet">Fleet</h2>
<dl class="totals">${entries.map(([name, count]) => html`<div><dt>${name}</dt><dd>${count}</dd></div>`)}</dl></section>
`;
}

function notices(status: Status): Markup {
	const { problems, dryRun, unreadable } = status;
	const wrong = html`<div class="alarm"><p>The settings are wrong. Nothing new is begun; what is in flight is brought back.</p>
<ul>${problems.map(({ setting, part, expected }) => html`<li>${setting}: ${JSON.stringify(part)}, expected ${expected}</li>`)}</ul></div>
`;
	return html`${problems.length > 0 ? wrong : nothing}${dryRun ? html`<p class="note">DRY_RUN is true: it is looked at, and nothing is begun.</p>` : nothing}${
		unreadable.length > 0 ? html`<p class="alarm">Rows of the table that cannot be read: ${unreadable.join(", ")}</p>` : nothing
	}`;
}

function seen(cluster: ClusterStatus): Content {
	const { seenAt, seenAgoMs } = cluster;
	return seenAt === null || seenAgoMs === null ? "never" : html`${time(seenAt)} (${explainDuration(seenAgoMs)} ago)`;
}

/** One true sentence for what of a cluster catches the eye first. */
function state(cluster: ClusterStatus): string {
	if (cluster.needPerson > 0) return `${counted(cluster.needPerson, "reboot needs", "reboots need")} a person`;
	if (cluster.failure !== null) return "could not be looked at";
	if (cluster.stale) return cluster.seenAgoMs === null ? "never looked at" : `not looked at for ${explainDuration(cluster.seenAgoMs)}`;
	if (!cluster.configured) return "no longer in CLUSTERS";
	if (cluster.notOwner) return "another scheduler's";
	if (cluster.inFlight.length > 0) return "at work";
	return cluster.waitingCount > 0 ? "nodes wait" : "nothing to do";
}

function overview(clusters: readonly ClusterStatus[]): Markup {
	const name = (cluster: ClusterStatus, index: number): Content => (hasSection(cluster) ? html`<a href="#cluster-${index}">${cluster.name}</a>` : cluster.name);
	return table(
		"Clusters",
		clusters.map((cluster, index) => ({ cluster, index })),
		[
			{ title: "Cluster", cell: ({ cluster, index }) => name(cluster, index) },
			{ title: "State", cell: ({ cluster }) => state(cluster) },
			{ title: "Waiting", number: true, cell: ({ cluster }) => cluster.waitingCount },
			{ title: "In flight", number: true, cell: ({ cluster }) => cluster.inFlight.length },
			{ title: "Silent sentinels", number: true, cell: ({ cluster }) => cluster.silent },
			{ title: "As of", cell: ({ cluster }) => seen(cluster) },
		],
	);
}

function hasSection(cluster: ClusterStatus): boolean {
	const { waiting, inFlight, ended, reasons, failure, stale, silent } = cluster;
	return [waiting, inFlight, ended, reasons].some((list) => list.length > 0) || failure !== null || stale || silent > 0;
}

function inFlightTable({ inFlight }: ClusterStatus): Markup {
	if (inFlight.length === 0) return nothing;
	return table("In flight", inFlight, [
		{ title: "Node", cell: ({ node }) => node },
		{ title: "Pool", cell: ({ pool }) => pool },
		{ title: "Phase", cell: ({ phase, stuck }) => `${phase}${stuck ? " (needs a person)" : ""}` },
		{ title: "Since", cell: ({ since }) => time(since) },
		{ title: "Deadline", cell: ({ deadline }) => (deadline === null ? "none" : time(deadline)) },
		{ title: "Why", cell: ({ why, phase }) => why ?? explainPhase(phase) },
	]);
}

function waitingTable({ waiting, waitingCount }: ClusterStatus): Markup {
	if (waiting.length === 0) return nothing;
	const caption = waiting.length < waitingCount ? `Waiting for a reboot (the first ${waiting.length} of ${waitingCount})` : "Waiting for a reboot";
	return table(caption, waiting, [
		{ title: "Node", cell: ({ node }) => node },
		{ title: "Pool", cell: ({ pool }) => pool ?? "not known" },
		{ title: "Since", cell: ({ since }) => (since === null ? "not known" : time(since)) },
		{ title: "Packages", cell: ({ packages }) => packages.join(", ") || "not told" },
		{ title: "Kernel", cell: ({ kernel }) => kernel ?? "not known" },
		{ title: "Why not yet", cell: ({ why }) => why || "begins now" },
	]);
}

function endedTable({ ended }: ClusterStatus): Markup {
	if (ended.length === 0) return nothing;
	return table("Ended lately", ended.slice(0, endedMost), [
		{ title: "Node", cell: ({ node }) => node },
		{ title: "Ended", cell: ({ at }) => time(at) },
		{ title: "How", cell: ({ end }) => explainEnd(end) },
		{ title: "Kernel", cell: ({ kernelBefore, kernelAfter }) => (kernelAfter === null ? kernelBefore : `${kernelBefore} → ${kernelAfter}`) },
		{ title: "Why", cell: ({ why }) => why },
	]);
}

function clusterSection(cluster: ClusterStatus, index: number): Markup {
	if (!hasSection(cluster)) return nothing;
	const { name, configured, failure, failures, stale, seenAgoMs, silent, reasons } = cluster;
	const alarms = [
		...(failure === null ? [] : [`It could not be looked at${failures > 1 ? ` ${failures} times in a row` : ""}: ${failure}`]),
		...(stale ? [seenAgoMs === null ? "It was never looked at with success." : `It has not been looked at for ${explainDuration(seenAgoMs)}.`] : []),
	];
	const notes = [
		...(configured ? [] : ["It is no longer in CLUSTERS. What is in flight is brought to an end, and nothing is begun."]),
		...(silent > 0 ? [`${counted(silent, "sentinel is", "sentinels are")} silent: of those nodes it is not known whether they wait.`] : []),
		...reasons.map((reason) => `Nothing is begun: ${reason}`),
	];
	return html`<section aria-labelledby="cluster-${index}"><h2 id="cluster-${index}">${name}</h2>
${cluster.seenAt === null ? nothing : html`<p>As of ${seen(cluster)}.</p>`}
${alarms.map((each) => html`<p class="alarm">${each}</p>`)}${notes.map((each) => html`<p class="note">${each}</p>`)}
${inFlightTable(cluster)}${waitingTable(cluster)}${endedTable(cluster)}</section>
`;
}

export function renderHtml(status: Status): string {
	const { totals: all, clusters, at } = status;
	const title = `${counted(all.waiting, "node waits", "nodes wait")}, ${all.inFlight} in flight · aks-reboot-scheduler`;
	const main = html`<p>As the state table had it at ${time(at)}.</p>
${notices(status)}${totals(status)}${clusters.length === 0 ? html`<p>No cluster was looked at yet.</p>` : overview(clusters)}${clusters.map(clusterSection)}`;
	return page(title, main);
}

/** What people see when the table cannot be read. */
export function renderHtmlError(why: string): string {
	return page("not known · aks-reboot-scheduler", html`<p class="alarm">${why}</p>`);
}
