// docs/operations.md says something of every alert, event, end and reason that there is, and of none that there is not.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, test } from "node:test";
import { explainAlarm, explainCause, explainObstacle, explainReason } from "../../lib/plan/explain.ts";
import { ends } from "../../lib/plan/model.ts";
import type { Cause, Reason, ReasonKind } from "../../lib/plan/reasons.ts";
import { events } from "../../lib/tick/journal.ts";

const text = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");

/** The text between a heading of the second level and the next. */
function sectionOf(title: string): string {
	const found = text.split(/^## /m).find((each) => each.startsWith(`${title}\n`));
	assert.ok(found !== undefined, `a section called ${title}`);
	return found;
}

/** Headings that are one name in code, each with its text. */
function entriesOf(title: string): ReadonlyMap<string, string> {
	const parts = sectionOf(title)
		.split(/^#{3,4} /m)
		.slice(1);
	const named = parts.map((part) => [/^`([^`]+)`\n/.exec(part)?.[1], part] as const).filter(([name]) => name !== undefined) as [string, string][];
	assert.equal(new Set(named.map(([name]) => name)).size, named.length, `no heading stands twice below ${title}`);
	return new Map(named);
}

const at = Date.parse("2026-11-28T02:00:00Z");
const obstacle = { namespace: "shop", name: "db-0", uid: "1", budgets: ["db"], message: "said", retryAt: at } as const;

/** One of each; a new kind is missing here before it is missing in the document. */
const reasons: { readonly [Kind in ReasonKind]: Extract<Reason, { kind: Kind }> } = {
	settingsWrong: { kind: "settingsWrong", problems: 2, first: "said" },
	dryRun: { kind: "dryRun" },
	wouldBegin: { kind: "wouldBegin" },
	removed: { kind: "removed" },
	sameCluster: { kind: "sameCluster", other: "shop" },
	held: { kind: "held", by: "ana", reason: "freeze" },
	noWindow: { kind: "noWindow" },
	windowClosed: { kind: "windowClosed", opensAt: at },
	windowTooShort: { kind: "windowTooShort", leftMs: 60_000, neededMs: 900_000 },
	clusterFull: { kind: "clusterFull", limit: 1, nodes: ["n1"] },
	poolFull: { kind: "poolFull", pool: "np1", limit: 1, nodes: ["n1"] },
	poolSizeUnknown: { kind: "poolSizeUnknown", why: "said" },
	behind: { kind: "behind", place: 2, first: "n1" },
	backingOff: { kind: "backingOff", until: at, end: "gaveUp", why: "said", attempts: 2 },
	stillBlocked: { kind: "stillBlocked", obstacles: [{ ...obstacle, kind: "budget" }] },
	rebootedRecently: { kind: "rebootedRecently", at, until: at },
	probation: { kind: "probation", node: "n1", what: "silent", until: at },
	stuck: { kind: "stuck", node: "n1" },
	notOwner: { kind: "notOwner", owner: "theirs", us: "ours" },
	ownerUnknown: { kind: "ownerUnknown", why: "said" },
	claiming: { kind: "claiming" },
	notClaimable: { kind: "notClaimable", why: "said" },
	next: { kind: "next" },
	clusterUnknown: { kind: "clusterUnknown", why: "said" },
	sentinelAbsent: { kind: "sentinelAbsent" },
	sentinelUnknown: { kind: "sentinelUnknown", why: "said" },
	waitingUnknown: { kind: "waitingUnknown", why: "said" },
	clusterState: { kind: "clusterState", state: "Stopped" },
	clusterStateUnknown: { kind: "clusterStateUnknown", why: "said" },
	poolState: { kind: "poolState", pool: "np1", state: "Updating" },
	poolScopeUnmatched: { kind: "poolScopeUnmatched", scope: "shop/np2" },
	nodeUnknown: { kind: "nodeUnknown", why: "said" },
	nodeGone: { kind: "nodeGone" },
	nodeNotReady: { kind: "nodeNotReady" },
	nodeLeaving: { kind: "nodeLeaving", why: "said" },
	nodeMarked: { kind: "nodeMarked", record: "r1" },
	takenOver: { kind: "takenOver", at },
	virtualNode: { kind: "virtualNode" },
	reportStale: { kind: "reportStale", reported: "b1", running: "b2" },
	reportUnreadable: { kind: "reportUnreadable", why: "said" },
	rebootPodRefused: { kind: "rebootPodRefused", why: "said" },
	rebootPodUnknown: { kind: "rebootPodUnknown", why: "said" },
	requestWithdrawn: { kind: "requestWithdrawn" },
};

/** Causes by which a reboot ends; one that ends by a reason says that reason. */
const endings: { readonly [Kind in Exclude<Cause["kind"], Passing | "forbidden">]: Extract<Cause, { kind: Kind }> } = {
	cordonTimedOut: { kind: "cordonTimedOut", trouble: "said" },
	drainTimedOut: { kind: "drainTimedOut", afterMs: 1, obstacles: [{ ...obstacle, kind: "terminating" }], waitedFor: [] },
	rebootTimedOut: { kind: "rebootTimedOut", afterMs: 1, trouble: "said" },
	cameBack: { kind: "cameBack", sameBoot: true },
	windowClosed: { kind: "windowClosed" },
	bootedByOthers: { kind: "bootedByOthers", bootId: "b2" },
	noLongerAsked: { kind: "noLongerAsked" },
	uncordonedByOthers: { kind: "uncordonedByOthers", phase: "stuck" },
	markRemoved: { kind: "markRemoved" },
	handedOver: { kind: "handedOver", managers: ["kubectl"] },
	ownerChanged: { kind: "ownerChanged", owner: "theirs" },
	nodeGone: { kind: "nodeGone" },
	nodeReplaced: { kind: "nodeReplaced", uid: "2" },
	markCopied: { kind: "markCopied" },
	markGarbled: { kind: "markGarbled" },
};
/** Causes of moves in between; `soaked` is that of every `done`. */
type Passing =
	| "cordoned"
	| "drained"
	| "askedAgain"
	| "booted"
	| "rejoined"
	| "rejoinedIncomplete"
	| "uncordoned"
	| "leftCordoned"
	| "soaked"
	| "neverCameBack";

/** What a sentence of the document, with … for what differs, says word for word. */
function patternOf(said: string): RegExp {
	return new RegExp(`^${said.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&").replaceAll("…", ".*")}$`);
}

function names(all: Iterable<string>): readonly string[] {
	return [...all].sort();
}

describe("docs/operations.md", () => {
	test("has a heading for every alert, and for none that there is not, and says its severity", () => {
		const files = globSync("infra/alerts/*.kql", { cwd: new URL("../..", import.meta.url) }).map((file) => basename(file, ".kql"));
		const found = entriesOf("Alerts");
		assert.deepEqual(names(found.keys()), names(files));
		const rules = readFileSync(new URL("../../infra/modules/alerts.bicep", import.meta.url), "utf8");
		for (const [name, said] of found) {
			const severity = /severity: (\d)/.exec(rules.slice(rules.indexOf(`name: '${name}'`)))?.[1];
			assert.match(said, new RegExp(`^\\S+\\n\\n\\*Severity ${severity}\\b`), `the severity of ${name}`);
		}
	});

	test("has a heading for every event of the journal, and says its level", () => {
		const found = entriesOf("Events of the journal");
		assert.deepEqual(names(found.keys()), names(Object.keys(events)));
		for (const [name, { level }] of Object.entries(events)) {
			const said = /^`[^`]+`\n\n\*(\w+)/.exec(found.get(name) ?? "")?.[1];
			assert.equal(said?.toLowerCase(), level, `the level of ${name}`);
		}
	});

	test("has a heading for every end of a reboot", () => {
		assert.deepEqual(names(entriesOf("Ends").keys()), names(ends));
	});

	test("says of all that may need a person what is safe, where to look and what to do", () => {
		const needed = [...entriesOf("Alerts"), ...entriesOf("Events of the journal")].filter(
			([name]) => !["debug", "info"].includes(events[name as keyof typeof events]?.level),
		);
		assert.ok(needed.length > 0);
		for (const [name, said] of needed) for (const part of ["Means", "Safe", "Look", "Do"]) assert.ok(said.includes(`- **${part}**: `), `${part} of ${name}`);
	});

	test("has a row for every reason why a node waits, with the sentence that people read", () => {
		const rows = [...sectionOf("Why a node waits").matchAll(/^\| `(\w+)` \| (.*?) \| (.+) \|$/gm)].map(([, kind = "", said = ""]) => [kind, said] as const);
		assert.deepEqual(names(rows.map(([kind]) => kind)), names(Object.keys(reasons)));
		for (const [kind, said] of rows) assert.match(explainReason(reasons[kind as ReasonKind]), patternOf(said));
	});

	test("quotes what is really said, and every cause by which a reboot ends", () => {
		const causes = Object.values(endings).map((cause) => explainCause(cause, "n1"));
		const quotes = [...text.matchAll(/“([^”]+)”/g)].map(([, said = ""]) => said);
		for (const sentence of causes)
			assert.ok(
				quotes.some((said) => patternOf(said).test(sentence)),
				`nothing is said of: ${sentence}`,
			);
		const obstacles = (["budget", "twoBudgets", "terminating", "unmanaged"] as const).map((kind) => explainObstacle({ ...obstacle, kind }));
		const others = [
			explainCause({ kind: "rejoinedIncomplete", missing: ["a/b"] }, "n1"),
			...(["uncordoning", "soaking"] as const).map(explainAlarm),
			explainReason({ kind: "windowClosed", opensAt: null }),
		];
		const isSaid = (said: string) => [...causes, ...others].some((sentence) => patternOf(said).test(sentence)) || obstacles.some((each) => each.includes(said));
		for (const said of quotes) assert.ok(isSaid(said), `nobody says: ${said}`);
	});

	test("links to headings that are there", () => {
		const anchorOf = (heading: string) =>
			heading
				.toLowerCase()
				.replaceAll(/[^\w\s-]/g, "")
				.replaceAll(" ", "-");
		const anchorsOf = (file: string) => {
			const there = file === "" ? text : readFileSync(new URL(`../../docs/${file}`, import.meta.url), "utf8");
			return [...there.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));
		};
		const links = [...text.matchAll(/\]\(([\w.-]*)#([\w-]+)\)/g)];
		assert.ok(links.length > 10);
		for (const [link, file = "", anchor = ""] of links) assert.ok(anchorsOf(file).includes(anchor), link);
	});
});
