// What people see, given what the table says. No process and no table: the rendering is pure.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { explainReason } from "../../lib/plan/explain.ts";
import { answerStatus, type FleetRead } from "../../lib/status/answer.ts";
import { renderHtml } from "../../lib/status/html.ts";
import { renderJson } from "../../lib/status/json.ts";
import { type About, staleAfterMs, statusOf } from "../../lib/status/status.ts";
import type { FleetRow } from "../../lib/tick/rows.ts";
import type { InFlightSummary } from "../../lib/tick/summary.ts";
import {
	drainingCluster,
	drainingNode,
	endedNode,
	finishedCluster,
	heldCluster,
	idleCluster,
	minutesAgo,
	now,
	rowOf,
	settingsOf,
	stuckCluster,
	unreachableCluster,
	waitingCluster,
	waitingNode,
} from "./fleet-rows.ts";

const everyState = (): FleetRow[] => [
	idleCluster("idle"),
	waitingCluster("waits"),
	drainingCluster("drains"),
	stuckCluster("stuck"),
	unreachableCluster("away"),
	finishedCluster("finished"),
];

const about = (rows: readonly FleetRow[], more: Partial<About> = {}): About => ({
	clusters: rows.map((row) => row.target.name),
	problems: [],
	dryRun: false,
	settings: null,
	...more,
});

const round = (endedAt: number) => ({ endedAt, worker: "worker", clusters: 6, failed: 0, tookMs: 12_000 });
const fleetRead = (rows: readonly FleetRow[], endedAt = minutesAgo(0.7)): Extract<FleetRead, { kind: "read" }> => ({
	kind: "read",
	rows,
	round: round(endedAt),
	at: now,
	unreadable: [],
});
const statusFor = (rows: readonly FleetRow[], more: Partial<About> = {}) => statusOf(fleetRead(rows), about(rows, more));
const plain = { code: null, cluster: null, told: null, typed: null };
const pageOf = (rows: readonly FleetRow[], more: Partial<About> = {}): string => renderHtml(statusFor(rows, more), plain);

/** What a reader sees: text without tags and entities. */
const textOf = (page: string): string =>
	page
		.replace(/<(style|script)>.*?<\/\1>/gs, "")
		.replace(/<[^>]+>/g, " ")
		.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name] ?? "")
		.replace(/\s+/g, " ")
		.replace(/ (?=[,;])/g, "");

describe("the status of a fleet", () => {
	it("puts what needs a person first, then what cannot be seen, then what moves", () => {
		const names = statusFor(everyState()).clusters.map(({ name }) => name);
		assert.deepEqual(names, ["stuck", "away", "drains", "waits", "finished", "idle"]);
	});

	it("counts the fleet", () => {
		const { totals } = statusFor([...everyState(), heldCluster("held")]);
		const done = { count: 1, atLeast: false };
		assert.deepEqual(totals, { clusters: 7, waiting: 5, held: 2, inFlight: 2, needPerson: 1, done, silent: 0, notSeen: 1 });
	});

	it("counts nodes that are cut from the list", () => {
		const waiting = [waitingNode("n-1"), waitingNode("n-2")];
		assert.equal(statusFor([rowOf("big", { waiting, waitingCount: 1_234 })]).totals.waiting, 1_234);
	});

	it("never takes a cluster without a row for one where all is well", () => {
		const { clusters, totals } = statusFor([idleCluster("seen")], { clusters: ["seen", "never-seen"] });
		const never = clusters.find(({ name }) => name === "never-seen");
		assert.deepEqual([never?.seenAt, never?.stale, totals.notSeen, totals.clusters], [null, true, 1, 2]);
	});

	it("says that a cluster is not looked at once its row should have been written again", () => {
		const at = (ageMs: number) => statusFor([rowOf("c", { at: now - ageMs })]).clusters[0]?.stale;
		assert.deepEqual([at(staleAfterMs), at(staleAfterMs + 1)], [false, true]);
	});

	it("keeps in sight what is in flight in a cluster that was dropped from CLUSTERS, and counts no other of its nodes", () => {
		const { clusters, totals } = statusFor([drainingCluster("dropped"), waitingCluster("also-dropped")], { clusters: [] });
		assert.deepEqual([totals.clusters, totals.waiting, totals.inFlight], [0, 0, 1]);
		assert.ok(clusters.every(({ configured }) => !configured));
	});

	it("shows a row of another release as far as it can be read", () => {
		const older = { ...idleCluster("older"), summary: JSON.stringify({ version: 1, at: minutesAgo(2), waitingCount: 3 }) };
		const garbled = { ...idleCluster("garbled"), summary: "{" };
		const { clusters, totals } = statusFor([older, garbled]);
		assert.equal(totals.waiting, 3);
		assert.equal(clusters.find(({ name }) => name === "garbled")?.stale, true);
		renderHtml(statusFor([older, garbled]), plain);
	});
});

describe("the page", () => {
	it("shows for every node that waits since when, for which packages, on which kernel, and why not yet", () => {
		const text = textOf(pageOf([waitingCluster("prod")]));
		for (const part of [
			"prod-1 since 02:00 · 10 h",
			"kernel 5.15.0-1081-azure · linux-image-azure, libc6",
			"its window is closed and opens at 2026-11-28T02:00:00Z",
		])
			assert.ok(text.includes(part), `${part} in ${text}`);
	});

	it("says once what several nodes wait for, and at each node its place in line", () => {
		const full = "the cluster has room for 1 (MAX_CONCURRENT), taken by c-0";
		const places = [1, 2, 3].map((place) => {
			const behind = place === 1 ? "" : `; ${explainReason({ kind: "behind", place, first: "c-1" })}`;
			return waitingNode(`c-${place}`, { place, reasons: ["clusterFull"], why: `${full}${behind}` });
		});
		const text = textOf(pageOf([rowOf("c", { waiting: places, waitingCount: 3 })]));
		assert.equal(text.split(full).length, 2);
		assert.match(text, /#1 c-1 .*#2 c-2 .*#3 c-3 /);
		assert.doesNotMatch(text, /number \d in line/);
	});

	it("says what a node waits for that has nothing against it but those before it", () => {
		const why = explainReason({ kind: "behind", place: 2, first: "c-1" });
		assert.match(textOf(pageOf([rowOf("c", { waiting: [waitingNode("c-2", { place: 2, why })], waitingCount: 1 })])), /those before it in line begin first/);
		assert.match(textOf(pageOf([rowOf("c", { waiting: [waitingNode("c-1", { place: 1, why: "" })], waitingCount: 1 })])), /begins at the next look/);
	});

	it("shows for every node in flight its phases on a time axis, its deadline, what it waits for and what comes next", () => {
		const page = pageOf([drainingCluster("prod")]);
		const text = textOf(page);
		for (const part of [
			"prod-1 pool work draining since 11:57 UTC · 27 min left, until 12:27 UTC",
			"pod default/db-0 is kept by budget db",
			"cordoning 60 s draining 3 min",
			"Goes on when: no pod is left that must leave",
		])
			assert.ok(text.includes(part), `${part} in ${text}`);
		assert.match(page, /<svg class="axis" role="img" aria-label="Phases of prod-1 since 11:56 UTC: cordoning 60 s, draining 3 min; deadline 12:27 UTC"/);
	});

	it("shows what ended with the kernels and how long each phase took, and how long ago each cluster was seen", () => {
		const text = textOf(pageOf(everyState()));
		assert.match(text, /finished-1 pool work · 20 min ago rebooted and in service kernel 5\.15\.0-1081-azure → 5\.15\.0-1082-azure/);
		assert.match(text, /took 7 min: cordoning 6 s draining 3 min rebooting 3 min rejoining 48 s uncordoning 6 s soaking 6 s/);
		assert.match(text, /as of 60 s ago/);
		assert.match(text, /It has not been looked at for 42 min\./);
	});

	it("says what the deadline of a drain does by the setting that it began under, and what a person may do with a stuck node", () => {
		const drains = (drainTimeoutAction: InFlightSummary["drainTimeoutAction"]) =>
			textOf(pageOf([rowOf("prod", { inFlight: [drainingNode("prod-1", { drainTimeoutAction })] }, true)]));
		assert.match(drains("give-up"), /When the deadline passes: it is given up, and tried again later\./);
		assert.match(drains("delete"), /the pods that still resist are deleted, past their budgets \(DRAIN_TIMEOUT_ACTION=delete\)\./);
		assert.match(drains("reboot"), /it is rebooted with the pods that are still on it \(DRAIN_TIMEOUT_ACTION=reboot\)\./);
		assert.match(drains(null), /by DRAIN_TIMEOUT_ACTION: /);
		assert.match(
			textOf(pageOf([stuckCluster("prod")])),
			/Goes on by itself once the node is Ready\..*kubectl annotate node prod-\d aks-reboot-scheduler\/reboot-/,
		);
	});

	it("never says in service of a node that was found cordoned and left so", () => {
		const page = pageOf([
			rowOf("prod", { ended: [endedNode("prod-1", { foundCordoned: true }), endedNode("prod-2", { foundCordoned: true, end: "gaveUp" })] }),
		]);
		assert.match(textOf(page), /prod-1 .* rebooted, and left cordoned as it was found .* prod-2 .* given up: not rebooted, and left cordoned as it was found/s);
		assert.doesNotMatch(textOf(page), /rebooted and in service|back in service/);
	});

	it("shows who holds what, why and until when, and what was asked for", () => {
		const rows = [heldCluster("c")];
		const text = textOf(pageOf(rows, { settings: settingsOf(["c"], { HOLD: "c/system=change freeze" }) }));
		assert.match(text, /Hold of pool work: the quarter is being closed by jo@example\.org, 90 min ago, until 17:00 UTC/);
		assert.match(text, /Hold of pool system: change freeze by setting HOLD/);
		assert.match(text, /Reboot asked for of node c-9: leaks memory by ops, 3 min ago, whatever the window, until 13:00 UTC/);
	});

	it("shows no hold and no request that is over", () => {
		const hold = { pool: null, node: null, reason: "long past", by: "jo", at: minutesAgo(90), until: now };
		assert.doesNotMatch(textOf(pageOf([rowOf("c", { holds: [hold] })])), /long past/);
	});

	it("tells when windows are open and when the next one opens, per pool and for the fleet", () => {
		const text = textOf(pageOf(everyState(), { settings: settingsOf(everyState().map(({ target }) => target.name)) }));
		assert.match(text, /Pool work 1 node · window open until 16:00 UTC/);
		assert.match(text, /pool system: opens 28 Nov 02:00 UTC, in 3 d 14 h/);
		assert.match(text, /Next window open now .* then 28 Nov 02:00 UTC, in 3 d 14 h/);
	});

	it("says that rounds have stopped, loudly, and only then", () => {
		const stopped = (endedAt: number) => {
			const rows = everyState();
			const page = renderHtml(statusOf(fleetRead(rows, endedAt), about(rows)), plain);
			return /<div role="alert">.*Rounds have stopped: the last one ended at/s.test(page);
		};
		assert.deepEqual([stopped(minutesAgo(2.9)), stopped(minutesAgo(4.1))], [false, true]);
	});

	it("says what a silent sentinel means, and what keeps a whole cluster", () => {
		const text = textOf(pageOf([rowOf("c", { silent: 2, reasons: ["the cluster is Stopped in Azure"] })]));
		assert.match(text, /2 sentinels are silent: of those nodes it is not known whether they wait/);
		assert.match(text, /Nothing is begun: the cluster is Stopped in Azure/);
	});

	it("shows every problem of the settings, and a dry run", () => {
		const problems = [
			{ setting: "DRAIN_TIMEOUT", part: "30x", expected: "a duration" },
			{ setting: "HOLD", part: "", expected: "a reason" },
		];
		const text = textOf(pageOf([], { problems, dryRun: true }));
		for (const part of ['DRAIN_TIMEOUT: "30x", expected a duration', 'HOLD: "", expected a reason', "DRY_RUN is true"]) assert.ok(text.includes(part), part);
	});

	it("opens what needs attention and folds the rest of a large fleet", () => {
		const page = pageOf([...everyState(), ...Array.from({ length: 20 }, (_, i) => idleCluster(`quiet-${i}`))]);
		const open = [...page.matchAll(/<details class="cluster" id="cluster-([^"]+)" open>/g)].map(([, name]) => name);
		assert.deepEqual(open, ["stuck", "away", "drains"]);
		assert.match(page, /<details class="fold" id="quiet-fold"><summary>/);
	});

	it("shows one cluster whole where only that is asked for, and goes on with the key that it was opened with", () => {
		const page = renderHtml(statusFor(everyState()), { ...plain, cluster: "waits", code: "k&y" });
		assert.deepEqual(
			[...page.matchAll(/<details class="cluster" id="([^"]+)"/g)].map(([, id]) => id),
			["cluster-waits"],
		);
		assert.match(page, /<a href="\?code=k%26y">The whole fleet<\/a>/);
		assert.match(page, /<form method="post" action="controls\?code=k%26y&amp;cluster=waits">/);
	});

	it("quotes what the controls answered, since anybody can write it into an address", () => {
		assert.match(textOf(renderHtml(statusFor([]), { ...plain, told: "<b>held</b>" })), /The controls answered: “<b>held<\/b>”/);
	});

	it("can be read by a screen reader: language, title, landmarks, headings in their order, names that lead somewhere", () => {
		const page = pageOf(everyState());
		assert.match(page, /^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">/);
		assert.match(page, /<title>1 stuck, 3 waiting, 2 in flight · aks-reboot-scheduler<\/title>/);
		for (const landmark of ["header", "main"]) assert.equal(page.match(new RegExp(`<${landmark}[ >]`, "g"))?.length, 1, landmark);
		const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
		assert.equal(new Set(ids).size, ids.length);
		for (const [, id] of page.matchAll(/(?:href="#|aria-labelledby="| for=")([^"]+)"/g)) assert.ok(ids.includes(id), id);
		const levels = [...page.matchAll(/<h([1-6])[ >]/g)].map(([, level]) => Number(level));
		for (const [i, level] of levels.entries()) assert.ok(level <= (levels[i - 1] ?? 0) + 1, `h${level} after h${levels[i - 1]}`);
	});

	it("closes every tag that it opens", () => {
		const open: string[] = [];
		const page = pageOf([...everyState(), heldCluster("held")], { problems: [{ setting: "a", part: "b", expected: "c" }] });
		for (const [, slash, name = "", rest = ""] of page.replace(/<(style|script)>.*?<\/\1>/gs, "").matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>/g)) {
			if (slash !== "") assert.equal(open.pop(), name);
			else if (!["meta", "br", "input"].includes(name) && !rest.endsWith("/")) open.push(name);
		}
		assert.deepEqual(open, []);
	});

	it("needs nothing from elsewhere", () => {
		const page = pageOf(everyState());
		assert.doesNotMatch(page, /<link|<img|<iframe|\bsrc=|\bon[a-z]+="|url\(|@import|https?:/);
		assert.equal(page.match(/<script/g)?.length, 1);
	});

	it("never shows how a cluster is reached", () => {
		for (const text of [pageOf(everyState()), renderJson(statusFor(everyState()))]) assert.doesNotMatch(text, /server-of-the-cluster|Y2E=|uid-of-/);
	});
});

describe("the JSON", () => {
	it("is versioned, and tells every instant as ISO 8601", () => {
		type Cluster = Record<string, unknown> & { readonly inFlight: readonly unknown[] };
		const json = JSON.parse(renderJson(statusFor([drainingCluster("prod")]))) as Record<string, unknown> & { readonly clusters: readonly Cluster[] };
		assert.equal(json.version, 1);
		assert.equal(json.at, "2026-11-24T12:00:00.000Z");
		const [cluster] = json.clusters;
		assert.equal(cluster?.seenAt, "2026-11-24T11:59:00.000Z");
		assert.deepEqual(cluster?.inFlight[0], {
			node: "prod-1",
			pool: "work",
			phase: "draining",
			since: "2026-11-24T11:57:00.000Z",
			deadline: "2026-11-24T12:27:00.000Z",
			kernel: "5.15.0-1081-azure",
			needsPerson: false,
			why: "pod default/db-0 is kept by budget db: no disruption is allowed",
			timeline: [{ phase: "cordoning", at: "2026-11-24T11:56:00.000Z" }],
		});
		// A number that long would be an instant that was forgotten.
		assert.doesNotMatch(JSON.stringify(json), /:\d{13}/);
	});

	it("says per node that waits what the page says", () => {
		const json = JSON.parse(renderJson(statusFor([waitingCluster("prod")]))) as { clusters: { waiting: Record<string, unknown>[] }[] };
		assert.deepEqual(json.clusters[0]?.waiting[0], { ...waitingNode("prod-1"), since: "2026-11-24T02:00:00.000Z" });
	});
});

describe("the answer", () => {
	const rows = everyState();
	const fleet: FleetRead = fleetRead(rows);
	const ask = ({ accept = null, format = null }: { accept?: string | null; format?: string | null }, read: FleetRead = fleet) =>
		answerStatus(
			{
				method: "GET",
				query: new URLSearchParams(format === null ? [] : [["format", format]]),
				header: (name) => (name === "accept" ? accept : null),
				body: "",
			},
			read,
			about(rows),
		);
	const typeOf = (request: { accept?: string | null; format?: string | null }): string => ask(request).headers["content-type"] ?? "";

	it("is a page for browsers and for whoever does not say", () => {
		for (const accept of [null, "*/*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/plain", "application/json;q=0.5,text/html"])
			assert.equal(typeOf({ accept }), "text/html; charset=utf-8", String(accept));
	});

	it("is JSON for whoever wants it", () => {
		for (const accept of ["application/json", "application/json, text/plain, */*", "text/html;q=0.4, Application/JSON"])
			assert.equal(typeOf({ accept }), "application/json; charset=utf-8", accept);
		assert.equal(typeOf({ accept: "text/html", format: "json" }), "application/json; charset=utf-8");
		assert.equal(typeOf({ accept: "application/json", format: "html" }), "text/html; charset=utf-8");
	});

	it("refuses a format that there is not, without repeating markup", () => {
		const { status, body } = ask({ format: "<script>" });
		assert.equal(status, 400);
		assert.doesNotMatch(body, /format=<script/);
		assert.match(textOf(body), /expected json or html/);
	});

	it("of a cluster that there is none is not found", () => {
		const query = new URLSearchParams({ cluster: "nowhere" });
		const { status, body } = answerStatus({ method: "GET", query, header: () => null, body: "" }, fleet, about(rows));
		assert.equal(status, 404);
		assert.match(textOf(body), /There is no cluster nowhere\.\s+The whole fleet/);
		assert.doesNotMatch(textOf(body), /Of the clusters only/);
	});

	it("is not kept, not framed, not sniffed, and sends its address, which holds the key, nowhere", () => {
		for (const read of [fleet, { kind: "unreadable", why: "x" } as const]) {
			const { headers } = ask({}, read);
			assert.equal(headers["cache-control"], "no-store");
			assert.equal(headers["x-content-type-options"], "nosniff");
			assert.equal(headers["referrer-policy"], "no-referrer");
			assert.match(headers["content-security-policy"] ?? "", /^default-src 'none'; .*frame-ancestors 'none'$/);
		}
	});

	it("allows just the style sheet and the script that it has", () => {
		const { headers, body } = ask({});
		for (const kind of ["style", "script"]) {
			const text = new RegExp(`<${kind}>(.*?)</${kind}>`, "s").exec(body)?.[1] ?? "";
			assert.ok(text.length > 100);
			const hash = createHash("sha256").update(text).digest("base64");
			assert.ok(headers["content-security-policy"]?.includes(`${kind}-src 'sha256-${hash}'`), kind);
		}
		assert.doesNotMatch(body, / style=/);
	});

	it("says that nothing is known when the table cannot be read, and is no page without nodes", () => {
		const unreadable: FleetRead = { kind: "unreadable", why: "reading partition fleet of table reboots: answered 403" };
		const page = ask({}, unreadable);
		assert.equal(page.status, 503);
		assert.match(textOf(page.body), /The state table cannot be read, so nothing is known of the fleet: reading partition fleet of table reboots: answered 403/);
		const json = ask({ format: "json" }, unreadable);
		assert.deepEqual([json.status, Object.keys(JSON.parse(json.body) as object)], [503, ["version", "error"]]);
	});

	it("names rows that cannot be read", () => {
		assert.match(textOf(ask({}, { ...fleet, unreadable: ["odd"] }).body), /Rows of the table that cannot be read: odd/);
	});
});
