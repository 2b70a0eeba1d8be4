// Nodes that wait, by pool: those that wait for the same, in one group with what they wait for said once.
import { explainDuration } from "../plan/explain.ts";
import type { Instant } from "../plan/model.ts";
import type { WindowState } from "../plan/windows.ts";
import type { WaitingSummary } from "../tick/summary.ts";
import { html, type Markup, nothing } from "./markup.ts";
import type { ClusterStatus } from "./status.ts";
import { clock, counted, timeAt } from "./words.ts";

interface Group {
	readonly why: string;
	readonly kernel: string | null;
	readonly packages: readonly string[];
	readonly nodes: WaitingSummary[];
}

/** What a group shares: its nodes' places in line stand beside their names. (The sentence is `explainReason`'s of reason `behind`.) */
const placeSentence = /(?:^|; )it is number \d+ in line; [^;]* is first/;

export function sharedWhy({ why }: Pick<WaitingSummary, "why">): string {
	return why.replace(placeSentence, "").replace(/^; /, "");
}

/** In the order of their first nodes. */
function groupsOf(nodes: readonly WaitingSummary[]): readonly Group[] {
	const groups = new Map<string, Group>();
	for (const node of nodes) {
		const { kernel, packages } = node;
		const why = sharedWhy(node);
		const key = JSON.stringify([why, kernel, packages]);
		const group = groups.get(key) ?? { why, kernel, packages, nodes: [] };
		group.nodes.push(node);
		groups.set(key, group);
	}
	return [...groups.values()];
}

export function windowText(window: WindowState | null, now: Instant): Markup {
	if (window === null) return html`no window (MAINTENANCE_WINDOWS does not cover it)`;
	if (window.open) return window.closesAt === null ? html`always open` : html`open until ${timeAt(window.closesAt, now)}`;
	return window.opensAt === null ? html`never opens` : html`opens ${timeAt(window.opensAt, now)}, in ${explainDuration(window.opensAt - now)}`;
}

function poolHeading(cluster: ClusterStatus, pool: string | null, count: string, now: Instant): Markup {
	const { windows } = cluster;
	const found = windows.find((each) => each.pool === pool) ?? windows.find((each) => each.pool === null);
	const window = pool === null || found === undefined ? nothing : html` · window ${windowText(found.window, now)}`;
	return html`<h5>${pool === null ? "Pool not known yet" : html`Pool ${pool}`} <span>${count}${window}</span></h5>`;
}

function groupHtml({ why, kernel, packages, nodes }: Group, now: Instant): Markup {
	const reason = why !== "" ? why : nodes.every(({ place }) => place === 1) ? "begins at the next look" : "those before it in line begin first";
	const items = nodes.map(({ node, since, place }) => {
		const age = since === null ? "since when is not known" : `since ${clock(since, now)} · ${explainDuration(now - since)}`;
		return html`<li>${place === null ? nothing : html`<i>#${place}</i> `}<b>${node}</b> <span>${age}</span></li>`;
	});
	return html`<div class="group"><p class="why">${reason}</p><p class="dim">kernel ${kernel ?? "not known"} · ${packages.length === 0 ? "packages not told" : packages.join(", ")}</p><ul class="nodes">${items}</ul></div>
`;
}

/** At most `most` nodes of the cluster; the JSON has what is cut. */
export function waitingHtml(cluster: ClusterStatus, now: Instant, most: number): Markup {
	const { waiting, waitingCount } = cluster;
	if (waitingCount === 0) return nothing;
	const shown = waiting.slice(0, most);
	const pools = [...new Set(shown.map(({ pool }) => pool))];
	const sections = pools.map((pool) => {
		const nodes = shown.filter((each) => each.pool === pool);
		const all = waiting.filter((each) => each.pool === pool).length;
		const count = all === nodes.length ? counted(all, "node", "nodes") : `the first ${nodes.length} of ${all} nodes`;
		return html`${poolHeading(cluster, pool, count, now)}${groupsOf(nodes).map((each) => groupHtml(each, now))}`;
	});
	const missing = waitingCount - shown.length;
	return html`<h4>Waiting for a reboot</h4>${sections}${missing > 0 ? html`<p class="dim">${counted(missing, "more node waits and is", "more nodes wait and are")} not listed here.</p>` : nothing}`;
}
