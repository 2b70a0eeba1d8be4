// What people see, given what the table says. No process and no table: the rendering is pure.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { answerStatus, type FleetRead, type StatusRequest } from "../../lib/status/answer.ts";
import { renderHtml } from "../../lib/status/html.ts";
import { renderJson } from "../../lib/status/json.ts";
import { type About, staleAfterMs, statusOf } from "../../lib/status/status.ts";
import type { FleetRow } from "../../lib/tick/rows.ts";
import {
	drainingCluster,
	finishedCluster,
	hostileCluster,
	idleCluster,
	minutesAgo,
	now,
	rowOf,
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
	...more,
});

const statusFor = (rows: readonly FleetRow[], more: Partial<About> = {}) => statusOf(rows, now, about(rows, more));
const pageOf = (rows: readonly FleetRow[], more: Partial<About> = {}): string => renderHtml(statusFor(rows, more));

/** What a reader sees: text without tags and entities. */
const textOf = (page: string): string =>
	page
		.replace(/<style>.*?<\/style>/s, "")
		.replace(/<[^>]+>/g, " ")
		.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" })[name] ?? "")
		.replace(/\s+/g, " ");

describe("the status of a fleet", () => {
	it("puts what needs a person first, then what cannot be seen, then what moves", () => {
		const names = statusFor(everyState()).clusters.map(({ name }) => name);
		assert.deepEqual(names, ["stuck", "away", "drains", "waits", "finished", "idle"]);
	});

	it("counts the fleet", () => {
		assert.deepEqual(statusFor(everyState()).totals, { clusters: 6, waiting: 3, inFlight: 2, needPerson: 1, silent: 0, notSeen: 1 });
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
		assert.deepEqual(totals, { clusters: 0, waiting: 0, inFlight: 1, needPerson: 0, silent: 0, notSeen: 0 });
		assert.ok(clusters.every(({ configured }) => !configured));
	});

	it("shows a row of another release as far as it can be read", () => {
		const older = { ...idleCluster("older"), summary: JSON.stringify({ version: 1, at: minutesAgo(2), waitingCount: 3 }) };
		const garbled = { ...idleCluster("garbled"), summary: "{" };
		const { clusters, totals } = statusFor([older, garbled]);
		assert.equal(totals.waiting, 3);
		assert.equal(clusters.find(({ name }) => name === "garbled")?.stale, true);
		renderHtml(statusFor([older, garbled]));
	});
});

describe("the page", () => {
	it("shows for every node that waits since when, for which packages, on which kernel, and why not yet", () => {
		const text = textOf(pageOf([waitingCluster("prod")]));
		for (const part of [
			"prod-1",
			"2026-11-24T02:00:00Z",
			"linux-image-azure, libc6",
			"5.15.0-1081-azure",
			"its window is closed and opens at 2026-11-28T02:00:00Z",
		])
			assert.ok(text.includes(part), part);
	});

	it("shows for every node in flight its phase, since when, until when, and what it waits for", () => {
		const text = textOf(pageOf([drainingCluster("prod")]));
		for (const part of ["prod-1 work draining 2026-11-24T11:57:00Z 2026-11-24T12:27:00Z", "pod default/db-0 is kept by budget db"])
			assert.ok(text.includes(part), `${part} in ${text}`);
	});

	it("shows what ended, with the kernels, and how long ago each cluster was seen", () => {
		const text = textOf(pageOf(everyState()));
		assert.match(text, /finished-1 2026-11-24T11:40:00Z rebooted and in service 5\.15\.0-1081-azure → 5\.15\.0-1082-azure/);
		assert.match(text, /2026-11-24T11:59:00Z \(60 s ago\)/);
		assert.match(text, /It has not been looked at for 42 min\./);
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

	it("lets nothing that stands in a cluster become markup", () => {
		const page = pageOf([hostileCluster("<b>evil</b>")]);
		assert.doesNotMatch(page, /<script|<img|<b>|onerror=alert\(1\)>/);
		// It is shown all the same: five times of the node that waits, three of the one in flight, four of the one that ended, reason and failure.
		assert.equal(textOf(page).split("<script>alert('x')</script>").length - 1, 5 + 3 + 4 + 2);
	});

	it("can be read by a screen reader: language, title, landmarks, captions and headed cells", () => {
		const page = pageOf(everyState());
		assert.match(page, /^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">/);
		assert.match(page, /<title>3 nodes wait, 2 in flight · aks-reboot-scheduler<\/title>/);
		for (const landmark of ["header", "main"]) assert.equal(page.split(`<${landmark}>`).length, 2, landmark);
		const count = (pattern: RegExp): number => page.match(pattern)?.length ?? 0;
		assert.equal(count(/<table>/g), count(/<caption>/g));
		assert.equal(count(/<tr>/g), count(/<th scope="row">/g) + count(/<thead>/g));
		const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
		assert.equal(new Set(ids).size, ids.length);
		for (const [, id] of page.matchAll(/(?:href="#|aria-labelledby=")([^"]+)"/g)) assert.ok(ids.includes(id), id);
	});

	it("closes every tag that it opens", () => {
		const open: string[] = [];
		for (const [, slash, name = ""] of pageOf(everyState()).matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*>/g)) {
			if (slash === "") {
				if (name !== "meta") open.push(name);
			} else assert.equal(open.pop(), name);
		}
		assert.deepEqual(open, []);
	});

	it("needs nothing from elsewhere and runs nothing", () => {
		assert.doesNotMatch(pageOf(everyState()), /<script|<link|<img|<iframe|<form|\b(?:src|action|on[a-z]+)=|url\(|@import|https?:/);
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
	const fleet: FleetRead = { kind: "read", rows, at: now, unreadable: [] };
	const ask = (request: Partial<StatusRequest>, read: FleetRead = fleet) => answerStatus({ accept: null, format: null, ...request }, read, about(rows));
	const typeOf = (request: Partial<StatusRequest>): string => ask(request).headers["content-type"] ?? "";

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
		assert.doesNotMatch(body, /<script/);
		assert.match(textOf(body), /expected json or html/);
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

	it("allows just the style sheet that it has", () => {
		const { headers, body } = ask({});
		const sheet = /<style>(.*?)<\/style>/s.exec(body)?.[1] ?? "";
		assert.ok(sheet.length > 100);
		const hash = createHash("sha256").update(sheet).digest("base64");
		assert.ok(headers["content-security-policy"]?.includes(`style-src 'sha256-${hash}'`));
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
