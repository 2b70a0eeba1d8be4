// Alerts and workbook over the journal of a real run: the whole scheduler over HTTP, on the demonstration fleet. alerts/capture.ts makes it anew.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { events } from "../../lib/tick/journal.ts";
import type { JournalLine } from "../../lib/tick/world.ts";
import { Telemetry } from "./alerts/rows.ts";
import { found, rulesOf } from "./alerts/rules.ts";
import { root } from "./compiler.ts";
import { compileQuery, type Row } from "./kql/evaluator.ts";

const minute = 60_000;
const lines = readFileSync(join(import.meta.dirname, "alerts/lab-journal.jsonl"), "utf8")
	.trimEnd()
	.split("\n")
	.map((text) => JSON.parse(text) as JournalLine & { readonly at: string });
const telemetry = new Telemetry();
for (const { at, ...line } of lines) telemetry.line(Date.parse(at), line as JournalLine);
const endAt = Date.parse(lines.at(-1)?.at ?? "");
const rules = rulesOf("one-cluster");

function firing(at: number): readonly string[] {
	return rules.filter((rule) => found(rule, telemetry, at).length > 0).map(({ name }) => name);
}

test("its lines are such as the journal has today", () => {
	for (const { event, level } of lines) assert.equal(level, events[event as keyof typeof events]?.level, event);
	const fieldsOf = (event: string) => Object.keys(lines.find((line) => line.event === event) ?? {});
	for (const field of ["silent", "needPerson", "fence", "reasons"]) assert.ok(fieldsOf("cluster.state").includes(field), field);
	for (const field of ["needsPerson", "cordonedSince", "phaseSince"]) assert.ok(fieldsOf("reboot.state").includes(field), field);
	for (const field of ["since", "blockedBy"]) assert.ok(fieldsOf("node.state").includes(field), field);
});

test("while it runs nobody is woken, and once it has ended they are told that no rounds come", () => {
	assert.deepEqual(firing(endAt + 3 * minute), []);
	assert.deepEqual(firing(endAt + 20 * minute), ["no-tick"]);
});

test("the lines of another app in the same workspace are not looked at", () => {
	const others = (rows: readonly Row[]) => rows.map((row) => ({ ...row, _ResourceId: `${row._ResourceId}-other` }));
	const tables = { AppTraces: others(telemetry.AppTraces), AppExceptions: [], AppRequests: [] };
	assert.deepEqual(
		rules.filter((rule) => found(rule, tables, endAt + 3 * minute).length > 0).map(({ name }) => name),
		["no-tick"],
	);
});

test("the workbook tells the run: every reboot that ended, the queue, and how the clusters stand", () => {
	const shown = new Map(
		globSync("infra/workbook/*.kql", { cwd: root }).map((file) => {
			const query = compileQuery(readFileSync(join(root, file), "utf8").replaceAll("{Cluster}", "'*'"));
			return [basename(file, ".kql"), query(telemetry, endAt)] as const;
		}),
	);
	const clusters = [...new Set(lines.flatMap(({ cluster }) => (typeof cluster === "string" ? [cluster] : [])))].sort();
	const named = (name: string) => [...new Set((shown.get(name) ?? []).map((row) => row.cluster))].sort();
	assert.deepEqual([named("clusters"), named("fleet")], [clusters, clusters]);
	const ended = lines.filter(({ event }) => event === "reboot.ended");
	assert.ok(ended.length > 0);
	assert.deepEqual((shown.get("history") ?? []).map(({ node }) => node).sort(), ended.map(({ node }) => node).sort());
	assert.equal(
		(shown.get("durations") ?? []).reduce((sum, { reboots }) => sum + Number(reboots), 0),
		ended.filter(({ end }) => end === "done").length,
	);
	assert.deepEqual(shown.get("in-flight"), []);
	const held = (shown.get("fleet") ?? []).reduce((sum, row) => sum + Number(row.held), 0);
	assert.equal((shown.get("queue") ?? []).length, held);
	assert.ok(held > 0);
});
