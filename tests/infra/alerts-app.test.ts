// The alert app-failing: what the functions themselves throw, as the Functions host hands it on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { InvocationContext, type Timer } from "@azure/functions";
import type { Scheduler } from "../../functions/scheduler.ts";
import { registerTick } from "../../functions/tick.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import { Journal } from "../../lib/tick/journal.ts";
import type { Round } from "../../lib/tick/round.ts";
import { Telemetry } from "./alerts/rows.ts";
import { rulesOf, watch } from "./alerts/rules.ts";

const minute = 60_000;
const startAt = Date.UTC(2026, 10, 28);
const rules = rulesOf("one-cluster");

const problem = { setting: "DRAIN_TIMEOUT", part: "soon", expected: "a duration" };
const failing: Round["failing"] = [{ cluster: "prod", why: "listing cordoned nodes: no answer within 10 s", bug: false }];
const bug: Round["failing"] = [{ cluster: "prod", why: "a bug of ours: TypeError: x is undefined", bug: true }];

interface Faked {
	readonly problems?: readonly (typeof problem)[];
	readonly failing?: Round["failing"];
	readonly throws?: Error;
}

/** What an invocation throws whose round goes like that; null: nothing. */
async function thrown({ problems = [], failing = [], throws }: Faked): Promise<Error | null> {
	const scheduler = {
		configuration: { problems, stateTable: "reboots" },
		async round(): Promise<Round> {
			if (throws !== undefined) throw throws;
			return { results: new Map(), failing };
		},
	} as unknown as Scheduler;
	let error: Error | null = null;
	const invocations: Promise<void>[] = [];
	registerTick(
		{
			timer(_, { handler }) {
				const context = new InvocationContext({ functionName: "tick", invocationId: "1", logHandler() {} });
				const invocation = Promise.resolve(handler({ isPastDue: false } as Timer, context));
				invocations.push(
					invocation.then(
						() => undefined,
						(reason: Error) => {
							error = reason;
						},
					),
				);
			},
		},
		scheduler,
		{},
	);
	await Promise.all(invocations);
	return error;
}

function roundEnded(telemetry: Telemetry, at: number): void {
	const journal = new Journal({ write: (line) => telemetry.line(at, line) });
	journal.write("round.ended", { clusters: 1, looks: 1, failed: 0, inFlight: 0, waiting: 0, tookMs: 900 });
}

/** One invocation a minute for an hour, and some of them go like that. */
async function anHourOf(faked: Faked, { times = 60 } = {}): Promise<Telemetry> {
	const error = await thrown(faked);
	const telemetry = new Telemetry();
	for (let i = 0; i < 60; i++) {
		const at = startAt + i * minute;
		const failed = i < times ? error : null;
		if (failed !== null) telemetry.exception(at, "tick", failed);
		telemetry.request(at, { success: failed === null });
		if (faked.throws === undefined) roundEnded(telemetry, at);
	}
	return telemetry;
}

function alertsOf(telemetry: Telemetry): readonly (readonly [string, unknown])[] {
	return rules.flatMap((rule) => watch(rule, telemetry, startAt + 30 * minute, startAt + 60 * minute).map(({ of }) => [rule.name, of] as const));
}

const ofTick = ["app-failing", { what: "exceptions of tick" }] as const;

test("invocations that fail for wrong settings, or for clusters that cannot be looked at, have alerts of their own", async () => {
	assert.match((await thrown({ problems: [problem] }))?.message ?? "", /DRAIN_TIMEOUT/);
	assert.match((await thrown({ failing }))?.message ?? "", /prod/);
	assert.deepEqual(alertsOf(await anHourOf({ problems: [problem] })), []);
	assert.deepEqual(alertsOf(await anHourOf({ failing })), []);
	assert.deepEqual(alertsOf(await anHourOf({ problems: [problem], failing })), []);
});

test("a bug of ours is told of, also where it looks like a cluster that fails", async () => {
	assert.deepEqual(alertsOf(await anHourOf({ failing: bug })), [ofTick]);
	assert.deepEqual(alertsOf(await anHourOf({ problems: [problem], failing: bug })), [ofTick]);
});

test("a table that cannot be used is told of by its exceptions and by the rounds that do not end; twice in half an hour is nothing", async () => {
	const throws = new CallError({ failure: "forbidden", doing: "reading partition fleet", answer: "403", status: 403 });
	assert.deepEqual(alertsOf(await anHourOf({ throws })), [["no-tick", {}], ofTick]);
	const twice = await anHourOf({ throws }, { times: 2 });
	assert.deepEqual(alertsOf(twice), [["no-tick", {}]]);
});

test("an invocation that the host ends for its time is an exception like any other, and rounds of minutes are told of before", () => {
	const ended = { name: "FunctionTimeoutException", message: "Timeout value of 00:10:00 was exceeded by function: Functions.tick" };
	const hanging = new Telemetry();
	const slow = new Telemetry();
	for (let i = 0; i < 60; i++) {
		const at = startAt + i * minute;
		for (const each of [hanging, slow]) roundEnded(each, at);
		if (i % 10 === 0) hanging.exception(at, "tick", ended);
		if (i % 10 === 0) slow.request(at, { tookMs: 3 * minute });
	}
	assert.deepEqual(alertsOf(hanging), [ofTick]);
	assert.deepEqual(alertsOf(slow), [["app-failing", { what: "requests of tick" }]]);
});

test("answers of 5xx are told of, and answers of 4xx are the callers' affair", () => {
	const telemetry = new Telemetry();
	for (let i = 0; i < 60; i++) {
		const at = startAt + i * minute;
		roundEnded(telemetry, at);
		telemetry.request(at, { name: "status", code: "503", success: false });
		telemetry.request(at, { name: "controls", code: "400", success: false });
	}
	assert.deepEqual(alertsOf(telemetry), [["app-failing", { what: "requests of status" }]]);
});

test("what the app's own checks found is told of the first time, by cluster", () => {
	const telemetry = new Telemetry();
	const journal = new Journal({ write: (line) => telemetry.line(startAt + 20 * minute, line) });
	journal.write("invariant.violated", { cluster: "prod", id: "S1", what: "two nodes at once", reboot: "r1" });
	journal.write("record.unreadable", { cluster: "test", row: "reboot-1", why: "schema 2, expected 1" });
	const told = alertsOf(telemetry).filter(([name]) => name === "app-failing");
	assert.deepEqual(told, [
		["app-failing", { what: "invariant.violated of prod" }],
		["app-failing", { what: "record.unreadable of test" }],
	]);
});
