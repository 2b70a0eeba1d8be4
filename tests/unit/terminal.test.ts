import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { harmless, type Paint, paintOf, Screen } from "../../lib/local/screen.ts";
import { jsonJournal, PeopleLines, peopleJournal, wrapped } from "../../lib/local/terminal.ts";
import { type EventId, type FieldsOf, Journal } from "../../lib/tick/journal.ts";
import type { JournalLine } from "../../lib/tick/world.ts";

const at = new Date("2026-11-24T10:45:24.400Z");
const bare: Paint = (_, text) => text;
const coloured = paintOf({ FORCE_COLOR: "1" }, false);
const ofNode = { cluster: "prod-west", node: "aks-apps-1", pool: "apps", reboot: "r-1" };

function told<Id extends EventId>(id: Id, fields: FieldsOf<Id>): JournalLine {
	const lines: JournalLine[] = [];
	new Journal({ write: (line) => lines.push(line) }).write(id, fields);
	return lines[0] ?? assert.fail("nothing was told");
}

function asked(node = "aks-apps-1"): JournalLine {
	return told("reboot.moved", { ...ofNode, node, from: "draining", to: "rebooting", cause: { kind: "drained", tookMs: 2_000 } });
}

function waiting(reason: string): JournalLine {
	return told("node.waiting", {
		...ofNode,
		since: Date.parse("2026-11-22T08:45:11Z"),
		packages: [],
		requestedBy: null,
		reasons: [{ kind: "held", by: "its annotation", reason }],
	});
}

function stuck(): JournalLine {
	return told("reboot.stuck", { ...ofNode, from: "rebooting", cause: { kind: "neverCameBack", afterMs: 60_000 } });
}

function linesOf(columns: number | null = null, paint = bare, names: readonly string[] = ["prod-west"]): PeopleLines {
	return new PeopleLines({ columns: () => columns, paint, clusters: names.map((name) => ({ name, kind: "kubeconfig" as const, context: name })) });
}

describe("the journal as people read it", () => {
	test("time, cluster, node, what, why", () => {
		const lines = linesOf();
		assert.deepEqual(
			[asked(), waiting("load test, CHG0042"), stuck()].map((line) => lines.line(line, at)),
			[
				"10:45:24Z    prod-west  aks-apps-1    rebooting    no pod is left that must leave (2 s)",
				"10:45:24Z    prod-west  aks-apps-1    waiting      since 2026-11-22T08:45:11Z: on hold by its annotation: load test, CHG0042",
				"10:45:24Z !! prod-west  aks-apps-1    stuck        stuck, needs a person: not Ready 60 s after the reboot was asked for",
			],
		);
	});

	test("what came of a reboot is a word of its own", () => {
		const ended = (end: "done" | "gaveUp") =>
			told("reboot.ended", {
				...ofNode,
				end,
				cause: { kind: "windowClosed" },
				blockedBy: [],
				tookMs: 13_000,
				phasesMs: {},
				foundCordoned: false,
				kernelBefore: "5.15.0-1",
				kernelAfter: "5.15.0-2",
			});
		assert.match(linesOf().line(ended("done"), at), / rebooted {5}rebooted and in service after 13 s \(kernel 5\.15\.0-1 → 5\.15\.0-2\)$/);
		assert.match(linesOf().line(ended("gaveUp"), at), / gave up {6}given up: /);
	});

	test("columns stay aligned after a long name was seen", () => {
		const lines = linesOf(null, bare, ["a", "a-cluster-with-a-long-name"]);
		lines.line(asked("aks-nodepool1-31415926-vmss000000"), at);
		const [one = "", other = ""] = [asked("aks-nodepool1-31415926-vmss000001"), asked("n-1")].map((line) => lines.line(line, at));
		assert.equal(one.indexOf("no pod is left"), other.indexOf("no pod is left"));
		assert.equal(one.indexOf("rebooting"), other.indexOf("rebooting"));
	});

	test("a name without measure pushes its own line, and no other; it is told in full", () => {
		const lines = linesOf();
		const before = lines.line(asked(), at);
		const endless = "n".repeat(120);
		assert.ok(lines.line(asked(endless), at).includes(endless));
		assert.equal(lines.line(asked(), at), before);
	});

	test("where it is piped no line is ever broken", () => {
		const reason = "a reason that goes on ".repeat(40).trim();
		assert.ok(linesOf(null).line(waiting(reason), at).includes(reason));
		assert.ok(!linesOf(null).line(waiting(reason), at).includes("\n"));
	});

	test("on a terminal lines break between words, and go on below the reason", () => {
		const [first = "", ...rest] = linesOf(90).line(waiting("a reason that goes on for a while, and then for a while more"), at).split("\n");
		assert.ok(rest.length > 0);
		const column = first.indexOf("since");
		for (const line of rest) assert.match(line, new RegExp(`^ {${column}}\\S`));
		for (const line of [first, ...rest]) assert.ok(line.length <= 90, line);
		assert.equal(
			[first.slice(column), ...rest.map((line) => line.trim())].join(" "),
			linesOf(null).line(waiting("a reason that goes on for a while, and then for a while more"), at).slice(column),
		);
	});

	test("on a narrow terminal the reason stands below, whole", () => {
		const lines = linesOf(50).line(waiting("load test, CHG0042"), at).split("\n");
		assert.match(lines[0] ?? "", /waiting$/);
		assert.equal(
			lines
				.slice(1)
				.map((line) => line.trim())
				.join(" "),
			"since 2026-11-22T08:45:11Z: on hold by its annotation: load test, CHG0042",
		);
	});

	test("words are never broken nor lost, whatever the width", () => {
		fc.assert(
			fc.property(
				fc.array(fc.string({ unit: fc.constantFrom("a", "b", "-"), minLength: 1, maxLength: 30 }), { minLength: 1 }),
				fc.integer({ min: 1, max: 80 }),
				(words, width) => {
					const lines = wrapped(words.join(" "), width);
					assert.equal(lines.join(" "), words.join(" "));
					for (const line of lines) assert.ok(line.length <= width || !line.includes(" "));
				},
			),
		);
	});

	test("levels differ without colours, and colours change nothing but the colour", () => {
		const failed = told("tick.failed", { cluster: "prod-west", why: "no answer", inARow: 2 });
		const lost = told("lease.lost", { cluster: "prod-west", why: "412" });
		assert.match(linesOf().line(failed, at), /^10:45:24Z !! prod-west/);
		assert.match(linesOf().line(lost, at), /^10:45:24Z ! {2}prod-west/);
		for (const line of [asked(), failed, lost, stuck()]) {
			assert.equal(stripVTControlCharacters(linesOf(100, coloured).line(line, at)), linesOf(100).line(line, at));
			assert.notEqual(linesOf(100, coloured).line(line, at), linesOf(100).line(line, at));
		}
	});

	test("what a cluster or a person wrote moves no cursor, and cannot pass for a line of ours", () => {
		const shown = linesOf().line(waiting("x\u001b[2J\u001b]0;pwned\u0007\r\n10:45:24Z    prod-west  all is well\u202e"), at);
		assert.ok(!shown.includes("\n"));
		assert.match(shown, /x\\u001b\[2J/);
		fc.assert(
			fc.property(fc.string({ unit: "binary" }), (text) => {
				// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
				assert.doesNotMatch(harmless(text), /[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
			}),
		);
	});

	test("a cluster that cannot be looked at is told of once for each answer, and again after it was seen", () => {
		const written: string[] = [];
		const journal = peopleJournal(linesOf(), (line) => written.push(line));
		const fails = (why: string, inARow: number, cluster = "prod-west") => journal.write(told("tick.failed", { cluster, why, inARow }));
		fails("refused", 1);
		fails("refused", 2);
		fails("refused", 1, "dev");
		fails("no answer", 3);
		journal.write(told("tick.ended", { cluster: "prod-west", waiting: 1, inFlight: 0, silent: 0, fence: 1, tookMs: 1 }));
		fails("no answer", 1);
		fails("refused", 2, "dev");
		assert.deepEqual(
			written.map((line) => /(\S+) +not seen .*: (.+)/.exec(line)?.slice(1).join(" ")),
			["prod-west refused", "dev refused", "prod-west no answer", "prod-west no answer"],
		);
	});

	test("what is told every look is not told to people", () => {
		const written: string[] = [];
		const journal = peopleJournal(linesOf(), (line) => written.push(line));
		journal.write(told("round.started", { clusters: 1, worker: "w", late: false }));
		journal.write(told("tick.ended", { cluster: "prod-west", waiting: 1, inFlight: 0, silent: 0, fence: 1, tookMs: 1 }));
		assert.deepEqual(written, []);
		journal.write(asked());
		assert.equal(written.length, 1);
	});

	test("an event that this terminal has no word for is told by its name", () => {
		const line = { event: "reboot.somethingNew", level: "info", message: "it happened", cluster: "prod-west" } as const;
		assert.match(linesOf().line(line, at), / something new {2}it happened$/);
	});
});

describe("the journal as JSON", () => {
	test("every line as Azure gets it, heartbeats too, and when", () => {
		const written: string[] = [];
		const line = told("round.started", { clusters: 1, worker: "w", late: false });
		jsonJournal((text) => written.push(text)).write(line);
		const { at, ...rest } = JSON.parse(written[0] ?? "");
		assert.deepEqual(rest, line);
		assert.ok(!Number.isNaN(Date.parse(at)));
	});
});

describe("colours", () => {
	const isColoured = (env: Record<string, string>, terminal: boolean) => paintOf(env, terminal)("red", "x") !== "x";

	test("are for terminals, unless somebody asks for them or against them", () => {
		assert.equal(isColoured({}, true), true);
		assert.equal(isColoured({}, false), false);
		assert.equal(isColoured({ NO_COLOR: "1" }, true), false);
		assert.equal(isColoured({ NO_COLOR: "" }, true), true);
		assert.equal(isColoured({ FORCE_COLOR: "1" }, false), true);
		assert.equal(isColoured({ FORCE_COLOR: "0" }, true), false);
		assert.equal(isColoured({ NO_COLOR: "1", FORCE_COLOR: "1" }, true), false);
		assert.equal(isColoured({ TERM: "dumb" }, true), false);
	});
});

/** Both outputs in one, as a terminal shows them. */
function terminal(isTTY: boolean): { readonly screen: Screen; readonly written: () => string } {
	let written = "";
	const output = { isTTY, columns: 80, write: (text: string) => (written += text) };
	return { screen: new Screen(output, output), written: () => written };
}

describe("the live line", () => {
	test("is taken away before a line is written, drawn again below it, and gone at the end", () => {
		const { screen, written } = terminal(true);
		screen.live("waiting 1");
		screen.line("first");
		screen.error("second");
		screen.live("");
		assert.equal(written(), "\r\u001b[Jwaiting 1\r\u001b[Jfirst\nwaiting 1\r\u001b[Jsecond\nwaiting 1\r\u001b[J");
		screen.line("third");
		assert.ok(written().endsWith("\u001b[Jthird\n"));
	});

	test("is never mixed into what is piped", () => {
		const { screen, written } = terminal(false);
		screen.live("waiting 1");
		screen.line("first");
		screen.live("");
		assert.equal(written(), "first\n");
	});
});
