// A month of a healthy fleet: updates come every week, nodes wait for their windows and are rebooted. Nobody is woken, and the workbook tells it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { aksCluster, hour, minute, spareNode, workload, world } from "../simulation/scenarios/worlds.ts";
import { rulesOf, watch } from "./alerts/rules.ts";
import { type Simulated, simulated } from "./alerts/simulated.ts";
import { root } from "./compiler.ts";
import { compileQuery, type Row } from "./kql/evaluator.ts";

const day = 24 * hour;
const clusters = [aksCluster(["prod-a", "prod-b"].map(spareNode), [workload("shop")], "prod"), aksCluster([spareNode("test-a")], [], "test")];
const weeks = [0, 1, 2, 3];

/** It begins on a Saturday. Updates come on Fridays at noon: prod has its window the night after, test every night. */
const month = world("a month of a healthy fleet", clusters, {
	weatherMs: 30 * day,
	inFlightEveryMs: 15_000,
	environments: [{ MAINTENANCE_WINDOWS: "prod=Sat 02:00-06:00 UTC; test=daily 22:00-04:00 UTC", SOAK: "5m", PROBATION: "30m" }],
	events: weeks.flatMap((week) =>
		clusters.flatMap(({ target, nodes }) =>
			nodes.map(({ name }) => ({ atMs: week * 7 * day + 6.5 * day, kind: "needsReboot", cluster: target.name, node: name }) as const),
		),
	),
});

describe("a month of a healthy fleet", () => {
	let run: Simulated;
	before(async () => {
		run = await simulated(month, { calm: true });
	});

	for (const rule of rulesOf("one-cluster"))
		test(`wakes nobody: ${rule.name}`, () => {
			assert.deepEqual(watch(rule, run.telemetry, run.startAt + 15 * minute, run.endAt), []);
		});

	function shown(name: string, daysAgo = 0): readonly Row[] {
		const text = readFileSync(join(root, "infra/workbook", `${name}.kql`), "utf8").replaceAll("{Cluster}", "'prod','test'");
		const now = run.endAt - daysAgo * day;
		const rows = run.telemetry.AppTraces.filter((row) => Number(row.TimeGenerated) <= now);
		return compileQuery(text)({ ...run.telemetry, AppTraces: rows }, now);
	}

	test("is told by the workbook: every reboot, how long it took, and how the clusters stand", () => {
		assert.deepEqual(shown("clusters"), [{ cluster: "prod" }, { cluster: "test" }]);
		const history = shown("history");
		assert.equal(history.length, 3 * weeks.length);
		for (const row of history)
			assert.ok(row.end === "done" && Number(row.minutes) > 5 && row.kernelBefore !== row.kernelAfter && row.blockedBy === "", JSON.stringify(row));
		const ends = shown("ends");
		assert.equal(
			ends.reduce((sum, { reboots }) => sum + Number(reboots), 0),
			history.length,
		);
		for (const { end } of ends) assert.equal(end, "done");
		const durations = new Map(shown("durations").map((row) => [row.cluster, row]));
		assert.deepEqual([durations.get("prod")?.reboots, durations.get("test")?.reboots], [8, 4]);
		for (const phase of ["draining", "rebooting", "rejoining", "soaking"]) assert.ok(Number(durations.get("prod")?.[`${phase}Minutes`]) > 0, phase);
		assert.deepEqual(
			shown("fleet").map(({ cluster, state, silent }) => ({ cluster, state, silent })),
			["prod", "test"].map((cluster) => ({ cluster, state: "quiet", silent: 0 })),
		);
		assert.deepEqual([...shown("queue"), ...shown("in-flight")], []);
	});

	test("has a queue on a Friday afternoon, longest waiting first, with why", () => {
		// 30 days in: a Monday. The last Friday at 18:00 was 2.25 days before.
		const queue = shown("queue", 30 - (3 * 7 + 6.75));
		assert.deepEqual(queue.map(({ node }) => node).sort(), ["prod-a", "prod-b", "test-a"]);
		for (const { waitedHours, why } of queue) {
			assert.ok(Math.abs(Number(waitedHours) - 6) < 0.2, String(waitedHours));
			assert.match(String(why), /window/);
		}
	});
});
