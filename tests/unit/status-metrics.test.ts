// What Prometheus is told, given what the table says.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { answerMetrics, type FleetRead } from "../../lib/status/answer.ts";
import type { FleetRow } from "../../lib/tick/rows.ts";
import {
	drainingCluster,
	drainingNode,
	finishedCluster,
	heldCluster,
	minutesAgo,
	now,
	rowOf,
	stuckCluster,
	waitingCluster,
	waitingNode,
} from "../functions/fleet-rows.ts";

const round = { endedAt: minutesAgo(1), worker: "w", clusters: 3, failed: 1, tookMs: 12_000 };

function answer(rows: readonly FleetRow[], query = "", over: Partial<Extract<FleetRead, { kind: "read" }>> = {}) {
	const fleet: FleetRead = { kind: "read", rows, round, at: now, unreadable: [], ...over };
	const about = { clusters: rows.map(({ target }) => target.name), problems: [], dryRun: false, settings: null };
	return answerMetrics({ method: "GET", query: new URLSearchParams(query), header: () => null, body: "" }, fleet, about);
}

interface Sample {
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly value: number;
}

/** The text format, read as strictly as it is defined: a line that is none fails. */
function samplesOf(text: string): readonly Sample[] {
	assert.ok(text.endsWith("\n"));
	return text
		.slice(0, -1)
		.split("\n")
		.flatMap((line): Sample[] => {
			if (/^# (?:HELP|TYPE) [a-z_]+ [^\r\n]+$/.test(line)) return [];
			const found = /^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\r\n]|\\[\\"n])*",?)*)\})? (-?[\d.]+)$/.exec(line);
			assert.ok(found, line);
			const pairs = [...(found[2] ?? "").matchAll(/([a-z]+)="((?:[^"\\]|\\.)*)"/g)];
			const labels = pairs.map(([, name = "", value = ""]) => [name, value.replace(/\\(.)/g, (_, each: string) => (each === "n" ? "\n" : each))] as const);
			return [{ name: found[1] ?? "", labels: Object.fromEntries(labels), value: Number(found[3]) }];
		});
}

function gaugeOf(rows: readonly FleetRow[], name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
	const all = samplesOf(answer(rows).body).filter((each) => each.name === `aks_reboot_scheduler_${name}`);
	return all.find((each) => Object.entries(labels).every(([label, value]) => each.labels[label] === value))?.value;
}

describe("the metrics", () => {
	test("tell who waits by pool, also those that the row has no room to list", () => {
		const rows = [rowOf("c", { waiting: [waitingNode("n-1"), waitingNode("n-2", { pool: "gpu" })], waitingCount: 1_002 })];
		assert.deepEqual([gaugeOf(rows, "nodes_waiting", { pool: "work" }), gaugeOf(rows, "nodes_waiting", { pool: "gpu" })], [1, 1]);
		assert.equal(gaugeOf(rows, "nodes_waiting", { pool: "" }), 1_000);
	});

	test("tell of every phase, also of those in which no node is: what comes and goes cannot be alerted on", () => {
		const rows = [drainingCluster("c")];
		assert.equal(gaugeOf(rows, "nodes_in_flight", { phase: "draining" }), 1);
		assert.equal(gaugeOf(rows, "nodes_in_flight", { phase: "stuck" }), 0);
		assert.equal(gaugeOf(rows, "phase_age_seconds", { node: "c-1" }), 180);
		assert.equal(gaugeOf([stuckCluster("c")], "nodes_stuck"), 1);
		assert.equal(gaugeOf([heldCluster("c")], "nodes_held"), 2);
		assert.equal(gaugeOf([heldCluster("c")], "holds"), 1);
	});

	test("count what ended since the row was made, and how long its phases took: counters, not what the row happens to remember", () => {
		const counts = { ends: { done: 70, gaveUp: 2 }, phases: { draining: { count: 72, totalMs: 90_500 } } };
		const rows = [rowOf("c", { counts })];
		assert.deepEqual([gaugeOf(rows, "reboots_ended_total", { end: "done" }), gaugeOf(rows, "reboots_ended_total", { end: "replaced" })], [70, 0]);
		assert.deepEqual([gaugeOf(rows, "phase_seconds_sum"), gaugeOf(rows, "phase_seconds_count")], [90.5, 72]);
	});

	test("never tell 0 of a cluster that was never looked at", () => {
		const never = [rowOf("c", { at: null })];
		assert.equal(gaugeOf(never, "nodes_waiting"), undefined);
		assert.equal(gaugeOf(never, "look_age_seconds"), undefined);
		assert.equal(gaugeOf(never, "cluster_seen"), 0);
		assert.equal(gaugeOf([rowOf("c", {})], "cluster_seen"), 1);
	});

	test("tell how long ago the last round ended, and nothing where none has", () => {
		assert.equal(gaugeOf([], "round_age_seconds"), 60);
		assert.doesNotMatch(answer([], "", { round: null }).body, /^aks_reboot_scheduler_round/m);
	});

	test("have kured's gauge where it is asked for: of nodes whose boot has not ended", () => {
		const rebooted = rowOf("d", { inFlight: [drainingNode("d-1", { phase: "rejoining" })] });
		const names = (query: string) =>
			samplesOf(answer([drainingCluster("c"), rebooted], query).body)
				.filter(({ name }) => name === "kured_reboot_required")
				.map(({ labels }) => labels.node);
		assert.deepEqual(names(""), []);
		assert.deepEqual(names("kured=true"), ["c-2", "c-1"]);
	});

	test("fail the scrape while the table cannot be read: numbers that are not known are none", () => {
		const asked = { method: "GET", query: new URLSearchParams(), header: () => null, body: "" };
		const about = { clusters: ["c"], problems: [], dryRun: false, settings: null };
		const { status, body } = answerMetrics(asked, { kind: "unreadable", why: "answered\n403" }, about);
		assert.equal(status, 503);
		assert.match(body, /^# [^\n]*answered 403\n$/);
	});

	test("are text of the version that Prometheus reads", () => {
		assert.equal(answer([]).headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
	});

	test("carry any name as it is, and no name becomes a line", () => {
		fc.assert(
			fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
				const rows = [rowOf("c", { waiting: [waitingNode("n", { pool: text })], waitingCount: 1, inFlight: [drainingNode(text)] })];
				const samples = samplesOf(answer(rows, "kured=true").body);
				const expected = text.replaceAll("\r", " ");
				assert.equal(samples.find(({ name }) => name === "aks_reboot_scheduler_nodes_waiting")?.labels.pool, expected);
				assert.equal(samples.find(({ name }) => name === "aks_reboot_scheduler_phase_age_seconds")?.labels.node, expected);
			}),
		);
	});

	test("are each described in the docs", () => {
		const docs = readFileSync(new URL("../../docs/status.md", import.meta.url), "utf8");
		const names = [...answer([drainingCluster("c")]).body.matchAll(/^# TYPE aks_reboot_scheduler_(\S+)/gm)].map(([, name]) => name ?? "");
		assert.ok(names.length > 15);
		for (const name of names) assert.ok(docs.includes(`\`${name}\``), name);
	});

	const promtool = spawnSync("promtool", ["--version"]).error === undefined;
	test("are found right by Prometheus' own tool", { skip: promtool ? false : "promtool is not installed" }, () => {
		const hostile = rowOf("d", { waiting: [waitingNode('"\\\n', { pool: '{a="b"}\\' })], waitingCount: 1 });
		const rows = [waitingCluster("a"), drainingCluster("b"), stuckCluster("c"), hostile, finishedCluster("e"), heldCluster("f")];
		const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], { input: answer(rows, "kured=true").body, encoding: "utf8" });
		assert.equal(status, 0, stdout + stderr);
	});
});
