// The fleet on one page, drawn on the server: whole without its script, and readable without its style.
import { explainDuration, explainProblem } from "../plan/explain.ts";
import { type ClusterView, clusterHtml, clusterId } from "./cluster-html.ts";
import { controlForm, controlFormId, pageAddress, type Typed } from "./control-form.ts";
import { type Content, html, type Markup, nothing } from "./markup.ts";
import { pageText } from "./page.ts";
import { type Attention, attentionOf, type ClusterStatus, type Status } from "./status.ts";
import type { Place } from "./windows.ts";
import { counted, few, time, timeAt } from "./words.ts";

/** What the address of the page says. */
export interface PageOptions {
	/** The key that it was opened with: links and forms go on with it. */
	readonly code: string | null;
	/** All of this cluster, and no other. */
	readonly cluster: string | null;
	readonly told: string | null;
	/** What the controls refused. */
	readonly typed: Typed | null;
}

/** Clusters that are open from the start, and those with their controls on the page; nodes that wait and reboots that ended: of any fleet. */
const openMost = 12;
const fewClusters = 8;
const controlsMost = 30;
const axesMost = 80;
const waitingMost = 2_500;
const endedMost = 250;

const groups: readonly { readonly attention: readonly Attention[]; readonly id: string; readonly title: string; readonly folded: boolean }[] = [
	{ attention: ["needsPerson", "notSeen"], id: "attention", title: "Needs attention", folded: false },
	{ attention: ["moves"], id: "at-work", title: "At work", folded: false },
	{ attention: ["waits"], id: "waiting", title: "Waiting", folded: false },
	{ attention: ["quiet"], id: "quiet", title: "Nothing to do", folded: true },
	{ attention: ["dropped"], id: "dropped", title: "No longer in CLUSTERS", folded: true },
];

/** Of a few clusters also which of their pools, where not all. */
function placesText(places: readonly Place[], clusters: readonly ClusterStatus[]): string {
	const byCluster = [...Map.groupBy(places, ({ cluster }) => cluster)];
	const names = byCluster.map(([name, own]) => {
		const all = clusters.find((each) => each.name === name)?.windows.length === own.length;
		return all || byCluster.length > 3 ? name : `${name} (${own.map(({ pool }) => pool ?? "other pools").join(", ")})`;
	});
	return few(names, 3);
}

function figure(name: string, value: Content, beside: Content, tone: "bad" | "warn" | "plain" = "plain"): Markup {
	return html`<div class="${tone}"><dt>${name}</dt><dd><b>${value}</b> <span>${beside}</span></dd></div>`;
}

function nextWindow({ windows, clusters, at }: Status): Markup {
	const { open, closesAt, opensAt, opening } = windows;
	const where = placesText(opening, clusters);
	if (open.length > 0) {
		const until = closesAt === null ? nothing : html`; the first closes ${timeAt(closesAt, at)}`;
		const next = opensAt === null ? nothing : html`<br>then ${timeAt(opensAt, at)}, in ${explainDuration(opensAt - at)}: ${where}`;
		return figure("Next window", "open now", html`${placesText(open, clusters)}${until}${next}`);
	}
	if (opensAt === null) return figure("Next window", "none", "no window opens", "warn");
	return figure("Next window", time(opensAt, `in ${explainDuration(opensAt - at)}`), html`${timeAt(opensAt, at)}: ${where}`);
}

function lastRound({ round, stopped, at }: Status): Markup {
	if (round === null) return figure("Last round", "none", "no round has ended yet", stopped ? "bad" : "warn");
	const { endedAt, agoMs, clusters, failed, tookMs } = round;
	const beside = html`${counted(clusters, "cluster", "clusters")}${failed > 0 ? html`, <strong>${failed} not looked at</strong>` : nothing}, took ${explainDuration(tookMs)}, ended ${timeAt(endedAt, at)}`;
	return figure("Last round", time(endedAt, `${explainDuration(agoMs)} ago`), beside, stopped ? "bad" : "plain");
}

function figures(status: Status): Markup {
	const { totals, clusters, windows } = status;
	const inClusters = (count: number) => `in ${counted(count, "cluster", "clusters")}`;
	const having = (what: (cluster: ClusterStatus) => number) => clusters.filter((each) => what(each) > 0).length;
	const stuck = clusters
		.filter((each) => each.needPerson > 0)
		.map((each) => html`<a href="#${clusterId(each.name)}">${each.inFlight.find(({ stuck }) => stuck)?.node ?? each.name}</a> `);
	const holds = clusters.reduce((sum, { configured, holds, settingHolds }) => sum + (configured ? holds.length + settingHolds.length : 0), 0);
	return html`<section aria-labelledby="fleet"><h2 id="fleet">Fleet <span>${counted(totals.clusters, "cluster", "clusters")}, as of ${time(status.at, `${new Date(status.at).toISOString().slice(11, 19)} UTC`)}</span></h2>
<dl class="figures">${figure("Waiting", totals.waiting, totals.waiting === 0 ? "no node asks" : inClusters(having((each) => (each.configured ? each.waitingCount : 0))))}
${figure("In flight", totals.inFlight, totals.inFlight === 0 ? "" : inClusters(having((each) => each.inFlight.length)))}
${figure(windows.open.length > 0 ? "Done in this window" : "Done in 24 hours", `${totals.done.count}${totals.done.atLeast ? "+" : ""}`, "rebooted, in service")}
${figure("Stuck", totals.needPerson, totals.needPerson === 0 ? "" : stuck.slice(0, 3), totals.needPerson > 0 ? "bad" : "plain")}
${figure("Held", totals.held, holds === 0 ? "" : counted(holds, "hold", "holds"))}
${totals.silent > 0 ? figure("Silent sentinels", totals.silent, "not known whether those nodes wait", "warn") : nothing}
${totals.notSeen > 0 ? figure("Clusters not seen", totals.notSeen, "what is shown of them is old", "bad") : nothing}
${nextWindow(status)}
${lastRound(status)}</dl></section>
`;
}

function alarmsOf({ stopped, round, problems, unreadable, at }: Status): readonly (string | Markup)[] {
	const last = round === null ? "No round has ended yet, though one was due." : html`Rounds have stopped: the last one ended at ${timeAt(round.endedAt, at)}.`;
	const wrong = html`The settings are wrong. Nothing new is begun; what is in flight is brought back. ${problems.map((each) => html`<br>${explainProblem(each)}`)}`;
	return [
		...(stopped ? [html`${last} No cluster is looked at, nothing begins, and what is in flight is not brought to its end. Is the function app running?`] : []),
		...(problems.length > 0 ? [wrong] : []),
		...(unreadable.length > 0 ? [`Rows of the table that cannot be read: ${unreadable.join(", ")}`] : []),
	];
}

function addressOf(query: Readonly<Record<string, string>>, code: string | null): string {
	return `?${new URLSearchParams({ ...query, ...(code === null ? {} : { code }) })}`;
}

/** How much of each cluster is shown: all of it, until the page would grow too large to be read. */
function viewsOf({ clusters, at }: Status, { code, cluster: only, typed }: PageOptions): ReadonlyMap<ClusterStatus, ClusterView> {
	const having = (list: (cluster: ClusterStatus) => readonly unknown[]) => Math.max(1, clusters.filter((each) => list(each).length > 0).length);
	const waiting = only !== null ? waitingMost : Math.max(5, Math.floor(waitingMost / having((each) => each.waiting)));
	const ended = only !== null ? endedMost : Math.floor(endedMost / having((each) => each.ended));
	let opened = 0;
	let axes = 0;
	const shown = only === null ? clusters : clusters.filter(({ name }) => name === only);
	return new Map(
		shown.map((cluster) => {
			const typedHere = typed?.cluster === cluster.name ? typed : null;
			const open = typedHere !== null || ((only !== null || opensAtOnce(cluster, clusters.length)) && opened++ < openMost);
			const controls = open || clusters.length <= controlsMost ? controlForm(cluster.name, pageAddress(code, only), typedHere) : nothing;
			axes += cluster.inFlight.length;
			const drawn = only !== null || axes <= axesMost;
			const endedHere = open ? Math.max(10, ended) : Math.min(10, ended);
			const cut = only === null && (controls === nothing || !drawn || cluster.waiting.length > waiting || cluster.ended.length > endedHere);
			const address = cut ? addressOf({ cluster: cluster.name }, code) : null;
			return [cluster, { now: at, open, waitingMost: waiting, endedMost: endedHere, drawn, controls, address }];
		}),
	);
}

/** What needs attention; of a few clusters, every one that has something to tell. */
function opensAtOnce(cluster: ClusterStatus, clusters: number): boolean {
	const attention = attentionOf(cluster);
	if (attention === "needsPerson" || attention === "notSeen" || attention === "moves") return true;
	return clusters <= fewClusters && (attention === "waits" || cluster.ended.length > 0);
}

function groupHtml(group: (typeof groups)[number], views: ReadonlyMap<ClusterStatus, ClusterView>): Markup {
	const members = [...views].filter(([cluster]) => group.attention.includes(attentionOf(cluster)));
	if (members.length === 0) return nothing;
	const heading = html`<h2 id="${group.id}">${group.title} <span>${counted(members.length, "cluster", "clusters")}</span></h2>`;
	const clusters = members.map(([cluster, view]) => clusterHtml(cluster, view));
	const body =
		group.folded && members.length > 3
			? html`<details class="fold" id="${group.id}-fold"><summary>${heading}</summary>${clusters}</details>`
			: html`${heading}
${clusters}`;
	return html`<section class="group" aria-labelledby="${group.id}">${body}</section>
`;
}

function toldHtml(told: string, typed: Typed | null): Markup {
	const again = typed === null ? nothing : html` <a href="#${controlFormId(typed.cluster)}">What you typed is still in the form of ${typed.cluster}</a>`;
	return html`The controls answered: “${told}”${again}`;
}

/** A page of one cluster that there is none of tells of none. */
export function renderHtml(status: Status, options: PageOptions): string {
	const { totals, dryRun, stopped } = status;
	const { cluster, code, told, typed } = options;
	const views = viewsOf(status, options);
	const urgent = [...(stopped ? ["rounds have stopped"] : []), ...(totals.needPerson > 0 ? [`${totals.needPerson} stuck`] : [])];
	const title = `${[...(cluster === null ? [] : [cluster]), ...urgent, `${totals.waiting} waiting`, `${totals.inFlight} in flight`].join(", ")} · aks-reboot-scheduler`;
	const shown = views.size > 0 ? `Of the clusters only ${cluster} is shown.` : `There is no cluster ${cluster}.`;
	const back = cluster === null ? nothing : html`<p class="note">${shown} <a href="${addressOf({}, code)}">The whole fleet</a></p>`;
	const none = views.size > 0 || cluster !== null ? nothing : html`<p>No cluster was looked at yet.</p>`;
	const main = html`${dryRun ? html`<p class="note">DRY_RUN is true: clusters are looked at, and nothing is begun.</p>` : nothing}${figures(status)}${back}${none}${groups.map((each) => groupHtml(each, views))}<footer><p class="dim">Instants are UTC. The same for programs: <a href="${addressOf({ format: "json" }, code)}">JSON</a></p></footer>`;
	return pageText({ title, alarms: alarmsOf(status), told: told === null ? null : toldHtml(told, typed), main });
}

/** What people see when the table cannot be read. */
export function renderHtmlError(why: string): string {
	const main = html`<p>Nothing is known of the fleet now. The page asks again by itself.</p>`;
	return pageText({ title: "not known · aks-reboot-scheduler", alarms: [why], told: null, main });
}
