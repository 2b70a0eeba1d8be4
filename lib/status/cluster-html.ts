// One cluster of the page: a line that tells its state, and behind it all that is known.
import { explainDuration, explainEnd, explainPhase, releaseCommand } from "../plan/explain.ts";
import type { Instant } from "../plan/model.ts";
import { ruleOf } from "../plan/phases.ts";
import type { DrainTimeoutAction } from "../plan/policy.ts";
import { type EndedSummary, type InFlightSummary, phaseDurations } from "../tick/summary.ts";
import { html, Markup, nothing } from "./markup.ts";
import { attentionOf, type ClusterStatus } from "./status.ts";
import { type Segment, segmentsOf, segmentText, timeAxis } from "./time-axis.ts";
import { waitingHtml, windowText } from "./waiting-html.ts";
import { counted, few, timeAgo, timeAt } from "./words.ts";

export interface ClusterView {
	readonly now: Instant;
	readonly open: boolean;
	/** Of lists that may be long, at most so many. */
	readonly waitingMost: number;
	readonly endedMost: number;
	/** Reboots in flight on a time axis; without, in one line each. */
	readonly drawn: boolean;
	/** What can be asked of the cluster from here. */
	readonly controls: Markup;
	/** Where all of it is shown; null: here. */
	readonly address: string | null;
}

/** Only letters, digits, `-`, `_` and `%`: for attributes and addresses alike. */
export function clusterId(name: string): string {
	return `cluster-${encodeURIComponent(name.toWellFormed())}`;
}

/** One true word or two for what of a cluster catches the eye first; the style sheet has a shape and a colour for each tone. */
function state(cluster: ClusterStatus): { readonly tone: "bad" | "work" | "warn" | "quiet"; readonly words: string } {
	switch (attentionOf(cluster)) {
		case "needsPerson":
			return { tone: "bad", words: `${cluster.needPerson} stuck: needs a person` };
		case "notSeen":
			return { tone: "bad", words: notSeen(cluster) };
		case "moves":
			return { tone: "work", words: few([...new Set(cluster.inFlight.map(({ phase }) => phase))], 3) };
		case "waits":
			return { tone: "warn", words: waits(cluster) };
		case "quiet":
			return { tone: "quiet", words: "nothing to do" };
		case "dropped":
			return { tone: "quiet", words: "no longer in CLUSTERS" };
	}
}

function notSeen({ failure, failures, seenAgoMs }: ClusterStatus): string {
	if (failure !== null) return failures > 1 ? `could not be looked at, ${failures} times in a row` : "could not be looked at";
	return seenAgoMs === null ? "never looked at" : `not looked at for ${explainDuration(seenAgoMs)}`;
}

function waits(cluster: ClusterStatus): string {
	if (cluster.notOwner) return "another scheduler's";
	if (cluster.waitingCount > 0 && cluster.heldCount === cluster.waitingCount) return "on hold";
	if (cluster.waitingCount > 0) return "nodes wait";
	return cluster.silent > 0 ? "silent sentinels" : "nothing is begun";
}

function summaryLine(cluster: ClusterStatus, now: Instant): Markup {
	const { tone, words } = state(cluster);
	const { waitingCount, inFlight, heldCount, silent, done, holds, settingHolds, seenAt } = cluster;
	const figures = [
		...(waitingCount > 0 ? [`${waitingCount} waiting`] : []),
		...(inFlight.length > 0 ? [`${inFlight.length} in flight`] : []),
		...(done.count > 0 ? [`${done.count}${done.atLeast ? "+" : ""} done`] : []),
		...(heldCount > 0 ? [`${heldCount} held`] : holds.length + settingHolds.length > 0 ? ["hold"] : []),
		...(silent > 0 ? [`${silent} silent`] : []),
	];
	return html`<summary><h3>${cluster.name}</h3><span class="state ${tone}">${words}</span><span class="line">${figures.join(" · ")}</span><span class="dim">${seenAt === null ? "never seen" : html`as of ${timeAgo(seenAt, now)}`}</span></summary>`;
}

function notes(cluster: ClusterStatus): Markup {
	const { configured, failure, failures, seenAt, stale, seenAgoMs, silent, reasons } = cluster;
	const alarms = [
		...(failure === null ? [] : [`It could not be looked at${failures > 1 ? ` ${failures} times in a row` : ""}: ${failure}`]),
		...(stale && seenAt === null ? ["It was never looked at with success."] : []),
		...(stale && seenAgoMs !== null ? [`It has not been looked at for ${explainDuration(seenAgoMs)}. What follows is as it was then.`] : []),
	];
	const told = [
		...(configured ? [] : ["It is no longer in CLUSTERS. What is in flight is brought to an end, and nothing is begun."]),
		...(silent > 0 ? [`${counted(silent, "sentinel is", "sentinels are")} silent: of those nodes it is not known whether they wait.`] : []),
		...reasons.map((reason) => `Nothing is begun: ${reason}`),
	];
	return html`${alarms.map((each) => html`<p class="alarm">${each}</p>`)}${told.map((each) => html`<p class="note">${each}</p>`)}`;
}

function asked({ holds, settingHolds, requests }: ClusterStatus, now: Instant): Markup {
	const place = (pool: string | null, node: string | null) => (node !== null ? `node ${node}` : pool !== null ? `pool ${pool}` : "the whole cluster");
	const until = (at: Instant | null) => (at === null ? "until it is released" : html`until ${timeAt(at, now)}`);
	const held = [
		...holds.map(
			(each) =>
				html`<li><b>Hold</b> of ${place(each.pool, each.node)}: ${each.reason} <span class="dim">by ${each.by}, ${timeAgo(each.at, now)}, ${until(each.until)}</span></li>`,
		),
		...settingHolds.map(({ pool, reason }) => html`<li><b>Hold</b> of ${place(pool, null)}: ${reason} <span class="dim">by setting HOLD</span></li>`),
	];
	const wanted = requests.map(
		(each) =>
			html`<li><b>Reboot asked for</b> of node ${each.node}: ${each.reason} <span class="dim">by ${each.by}, ${timeAgo(each.at, now)}${each.ignoreWindow ? ", whatever the window" : ""}, ${until(each.until)}</span></li>`,
	);
	return held.length + wanted.length === 0 ? nothing : html`<h4>Holds and requests</h4><ul class="asked">${held}${wanted}</ul>`;
}

function phaseList(segments: readonly Pick<Segment, "phase" | "tookMs">[]): readonly Markup[] {
	return segments.map((each) => html`<span class="k p-${each.phase}">${segmentText(each)}</span> `);
}

/** What comes next, in the words of the table that the scheduler goes by; where a setting or a person decides, in those of that. */
function nextOf({ node, phase, drainTimeoutAction }: InFlightSummary): Markup {
	if (phase === "stuck") {
		const goesOn = "Goes on by itself once the node is Ready. Until then nothing else begins in its cluster.";
		return html`<p class="dim">${goesOn} To take it over as it is, with its cordon: <code>${releaseCommand(node)}</code></p>`;
	}
	const { leavesWhen, onDeadline } = ruleOf(phase);
	const plain = (text: string) => text.replaceAll("`", "").replaceAll("gaveUp", "given up");
	const late = phase === "draining" && drainTimeoutAction !== null ? afterDrainTimeout(drainTimeoutAction) : plain(onDeadline);
	return html`<p class="dim">Goes on when: ${plain(leavesWhen)}. When the deadline passes: ${late}.</p>`;
}

function afterDrainTimeout(action: DrainTimeoutAction): string {
	switch (action) {
		case "give-up":
			return "it is given up, and tried again later";
		case "delete":
			return "the pods that still resist are deleted, past their budgets (DRAIN_TIMEOUT_ACTION=delete)";
		case "reboot":
			return "it is rebooted with the pods that are still on it (DRAIN_TIMEOUT_ACTION=reboot)";
	}
}

function inFlightHtml(inFlight: InFlightSummary, now: Instant, drawn: boolean): Markup {
	const { node, pool, phase, since, deadline, kernel, stuck, why } = inFlight;
	const left =
		deadline === null
			? "no deadline"
			: deadline > now
				? html`${explainDuration(deadline - now)} left, until ${timeAt(deadline, now)}`
				: html`deadline passed at ${timeAt(deadline, now)}`;
	const words = stuck ? `${explainPhase("stuck")}${phase === "stuck" ? "" : ` (${phase})`}` : phase;
	return html`<li${stuck ? html` class="stuck"` : nothing}><p><b>${node}</b> <span class="dim">pool ${pool}</span> <span class="state ${stuck ? "bad" : "work"}">${words}</span> <span class="dim">since ${timeAt(since, now)} · ${left} · kernel ${kernel}</span></p>
${why === null ? nothing : html`<p class="why">${why}</p>`}${drawn ? timeAxis(inFlight, now) : nothing}<p class="phases">${phaseList(segmentsOf(inFlight, now))}</p>${drawn ? nextOf(inFlight) : nothing}</li>
`;
}

function endedHtml({ node, pool, end, at, why, foundCordoned, kernelBefore, kernelAfter, timeline }: EndedSummary, now: Instant): Markup {
	const done = end === "done";
	const kernel = kernelAfter === null ? kernelBefore : kernelAfter === kernelBefore ? `${kernelBefore} (the same)` : `${kernelBefore} → ${kernelAfter}`;
	const began = timeline[0]?.at;
	const took = began === undefined ? nothing : html`<p class="phases">took ${explainDuration(at - began)}: ${phaseList(phaseDurations(timeline, at))}</p>`;
	return html`<li><p><b>${node}</b> <span class="dim">${pool === "" ? nothing : html`pool ${pool} · `}${timeAgo(at, now)}</span> <span class="state ${done ? "good" : "warn"}">${explainEnd(end, foundCordoned)}</span> <span>kernel ${kernel}</span></p>${done ? nothing : html`<p class="why">${why}</p>`}${took}</li>
`;
}

function endedList({ ended, endedCut }: ClusterStatus, now: Instant, most: number): Markup {
	if (ended.length === 0) return nothing;
	const shown = ended.slice(0, most);
	const all = `${ended.length}${endedCut ? " or more" : ""}`;
	const cut = shown.length === 0 ? `${all}, not listed here` : shown.length < ended.length || endedCut ? `the last ${shown.length} of ${all}` : "";
	return html`<h4>Ended <span>${cut}</span></h4>${shown.length === 0 ? nothing : html`<ul class="ended">${shown.map((each) => endedHtml(each, now))}</ul>`}`;
}

/** When the pools may be rebooted of which no node waits; those with one tell it themselves. */
function windowsHtml({ windows, waiting }: ClusterStatus, now: Instant): Markup {
	const told = new Set(waiting.map(({ pool }) => pool));
	const rest = windows.filter(({ pool }) => pool === null || !told.has(pool));
	const byText = Map.groupBy(rest, ({ window }) => windowText(window, now).text);
	const name = (pool: string | null) => (pool !== null ? `pool ${pool}` : windows.length > 1 ? "other pools" : "all pools");
	const parts = [...byText].map(([text, members]) => html`${members.map(({ pool }) => name(pool)).join(", ")}: ${new Markup(text)}`);
	return rest.length === 0 ? nothing : html`<p class="dim">Windows · ${parts.map((part, index) => html`${index > 0 ? " · " : ""}${part}`)}</p>`;
}

export function clusterHtml(cluster: ClusterStatus, { now, open, waitingMost, endedMost, drawn, controls, address }: ClusterView): Markup {
	const { inFlight } = cluster;
	const flights = inFlight.length === 0 ? nothing : html`<h4>In flight</h4><ul class="flights">${inFlight.map((each) => inFlightHtml(each, now, drawn))}</ul>`;
	return html`<details class="cluster" id="${clusterId(cluster.name)}"${open ? html` open` : nothing}>${summaryLine(cluster, now)}
${notes(cluster)}${flights}${asked(cluster, now)}${waitingHtml(cluster, now, waitingMost)}${endedList(cluster, now, endedMost)}${open || cluster.waiting.length === 0 ? windowsHtml(cluster, now) : nothing}${controls}${address === null ? nothing : html`<p><a href="${address}">All of ${cluster.name}, and its controls</a></p>`}</details>
`;
}
