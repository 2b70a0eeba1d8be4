// What programs are promised: docs/status.schema.json says it, and every answer keeps to it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { answerStatus, type FleetRead } from "../../lib/status/answer.ts";
import type { Status } from "../../lib/status/status.ts";
import type { FleetRow } from "../../lib/tick/rows.ts";
import {
	drainingCluster,
	finishedCluster,
	heldCluster,
	hostileCluster,
	idleCluster,
	minutesAgo,
	now,
	rowOf,
	settingsOf,
	stuckCluster,
	unreachableCluster,
	waitingCluster,
} from "./fleet-rows.ts";
import { type Schema, schemaProblems } from "./schema-check.ts";

const schema = JSON.parse(readFileSync(new URL("../../docs/status.schema.json", import.meta.url), "utf8")) as Schema;
const round = { endedAt: minutesAgo(1), worker: "w", clusters: 8, failed: 1, tookMs: 12_345 };

function jsonOf(fleet: FleetRead, clusters: readonly string[], more: Readonly<Record<string, string>> = {}): unknown {
	const settings = clusters.length === 0 ? null : settingsOf(clusters, more);
	const about = { clusters, problems: settings === null ? [{ setting: "CLUSTERS", part: "", expected: "one" }] : [], dryRun: false, settings };
	return JSON.parse(answerStatus({ method: "GET", query: new URLSearchParams("format=json"), header: () => null, body: "" }, fleet, about).body);
}

const everyState = (): FleetRow[] => [
	idleCluster("idle"),
	waitingCluster("waits"),
	drainingCluster("drains"),
	stuckCluster("stuck"),
	unreachableCluster("away"),
	finishedCluster("finished"),
	heldCluster("held"),
	hostileCluster("hostile"),
	rowOf("never", { at: null, failure: "connection refused", failures: 3 }),
];
const names = everyState().map(({ target }) => target.name);
const read = (over: Partial<Extract<FleetRead, { kind: "read" }>> = {}): FleetRead => ({
	kind: "read",
	rows: everyState(),
	round,
	at: now,
	unreadable: ["odd"],
	...over,
});

describe("the JSON of the status", () => {
	test("keeps to its schema in every state, and has no field that the schema does not tell of", () => {
		for (const json of [
			jsonOf(read(), names, { HOLD: "held/system=freeze" }),
			jsonOf(read({ round: null }), [...names, "not-yet"]),
			jsonOf(read(), []),
			jsonOf(read({ rows: [] }), ["one"], { MAINTENANCE_WINDOWS: "one/work=always; one/gpu=never" }),
			jsonOf({ kind: "unreadable", why: "answered 403" }, names),
		])
			assert.deepEqual(schemaProblems(json, schema, schema), []);
	});

	test("is found out where it does not keep to it", () => {
		type Json = { clusters: Record<string, unknown>[] };
		const broken = (change: (cluster: Record<string, unknown>) => void) => {
			const json = jsonOf(read(), names) as Json;
			change(json.clusters[0] ?? {});
			return schemaProblems(json, schema, schema).join();
		};
		assert.match(
			broken((cluster) => Object.assign(cluster, { silentSentinels: "two" })),
			/silentSentinels: string, expected integer/,
		);
		assert.match(
			broken((cluster) => Object.assign(cluster, { seenAt: 1_800_000_000_000 })),
			/seenAt: integer, expected string/,
		);
		assert.match(
			broken((cluster) => delete cluster.waiting),
			/waiting: is missing/,
		);
		assert.match(
			broken((cluster) => Object.assign(cluster, { more: 1 })),
			/more: is not in the schema/,
		);
	});

	test("still has every field of the first release of version 1, with its meaning", () => {
		const fields = ["name", "configured", "seenAt", "stale", "reasons", "notOwner", "failure", "failures", "silentSentinels", "needPerson"];
		const lists = ["waitingCount", "waiting", "inFlight", "ended"];
		const { version, totals, clusters } = jsonOf(read(), names) as Status;
		assert.equal(version satisfies 1, 1);
		for (const name of ["clusters", "waiting", "inFlight", "needPerson", "silent", "notSeen"]) assert.ok(name in totals, name);
		for (const name of [...fields, ...lists])
			assert.ok(
				clusters.every((each) => name in each),
				name,
			);
	});
});
