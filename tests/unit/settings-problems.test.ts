import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { SettingProblem, Settings } from "../../lib/plan/policy.ts";
import { settingDefaults } from "../../lib/settings/defaults.ts";
import { type Environment, parseSettings } from "../../lib/settings/settings.ts";

function resourceIdOf(name: string): string {
	return `/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-${name}/providers/Microsoft.ContainerService/managedClusters/${name}`;
}

const clusters = `${resourceIdOf("prod-1")};${resourceIdOf("prod-2")}\n${resourceIdOf("dev")}`;
const smallest: Environment = { CLUSTERS: clusters, MAINTENANCE_WINDOWS: "Sat,Sun 02:00-06:00 Europe/Paris" };

function settingsOf(changes: Environment = {}): Settings {
	const parsed = parseSettings({ ...smallest, ...changes });
	if ("problems" in parsed) assert.fail(JSON.stringify(parsed.problems));
	return parsed.settings;
}

function problemsOf(changes: Environment): readonly SettingProblem[] {
	const parsed = parseSettings({ ...smallest, ...changes });
	if ("settings" in parsed) assert.fail("the settings were read");
	return parsed.problems;
}

describe("a window shorter than the EXPECTED_DURATION of a pool that it covers is an error", () => {
	const wrong: readonly [hazard: string, windows: string, expectedDuration: string | undefined, problems: readonly [part: string, expected: RegExp][]][] = [
		["by the default", "Sat 02:00-02:10", undefined, [["Sat 02:00-02:10", /at least 15m \(EXPECTED_DURATION of prod-1\), not of 10m/]]],
		["by the entry of its cluster alone", "Sat 02:00-02:20", "dev=30m", [["Sat 02:00-02:20", /at least 30m \(EXPECTED_DURATION of dev\)/]]],
		["by the entry of a pool", "Sat 02:00-02:20", "dev/np1=30m", [["Sat 02:00-02:20", /at least 30m \(EXPECTED_DURATION of dev\/np1\)/]]],
		["once, by the longest", "Sat 02:00-02:20", "prod-*=30m;dev=1h", [["Sat 02:00-02:20", /at least 1h \(EXPECTED_DURATION of dev\)/]]],
		["in the scope of a pool", "always;dev/np*=Sat 02:00-02:20", "*/np2=30m", [["Sat 02:00-02:20", /30m \(EXPECTED_DURATION of dev\/np2\)/]]],
		["where wildcards overlap", "always;dev/np*=Sat 02:00-02:20", "*/*2=30m", [["Sat 02:00-02:20", /30m \(EXPECTED_DURATION of dev\/np2\)/]]],
		["the one of several that is too short", "Sat 02:00-02:05;Sun 02:00-06:00", undefined, [["Sat 02:00-02:05", /15m/]]],
	];
	for (const [hazard, windows, expectedDuration, expected] of wrong) {
		test(hazard, () => {
			const problems = problemsOf({ MAINTENANCE_WINDOWS: windows, EXPECTED_DURATION: expectedDuration });
			assert.deepEqual(
				problems.map((each) => each.part),
				expected.map(([part]) => part),
			);
			for (const [index, [, pattern]] of expected.entries()) assert.match(problems[index]?.expected ?? "", pattern);
		});
	}

	const right: readonly [hazard: string, windows: string, expectedDuration: string | undefined][] = [
		["of exactly that length it is none", "Sat 02:00-02:15", undefined],
		["with what touches it in its scope it is none", "Sat 02:00-02:10;Sat 02:10-02:20", undefined],
		["always and never are none", "always;dev=never", "5d"],
		["where another entry wins for the pool it is none", "dev=Sat 02:00-02:20", "30m;dev=10m"],
		["where another window wins for the pool it is none", "dev=Sat 02:00-02:20;*=always", "30m"],
		["an hour that does not exist in spring does not count", "Sun 02:00-03:00 Europe/Paris", "1h"],
	];
	for (const [hazard, windows, expectedDuration] of right) {
		test(hazard, () => void settingsOf({ MAINTENANCE_WINDOWS: windows, EXPECTED_DURATION: expectedDuration }));
	}

	test("a window that could not be read does not make a neighbour too short", () => {
		const problems = problemsOf({ MAINTENANCE_WINDOWS: "Sat 02:00-02:10;Sat 2:10-02:20;dev=Sun 02:00-02:05" });
		assert.deepEqual(
			problems.map((each) => each.part),
			["2:10", "Sun 02:00-02:05"],
		);
	});

	test("a duration that could not be read makes no window too short", () => {
		assert.deepEqual(
			problemsOf({ MAINTENANCE_WINDOWS: "Sat 02:00-02:10", EXPECTED_DURATION: "5" }).map((each) => each.setting),
			["EXPECTED_DURATION"],
		);
	});
});

describe("problems", () => {
	const everythingWrong: Environment = {
		CLUSTERS: `${resourceIdOf("a")};nonsense`,
		MAINTENANCE_WINDOWS: "Foo;Bar 01:00-02:00",
		TICK_SCHEDULE: "x",
		MAX_CONCURRENT: "x",
		DRAIN_TIMEOUT: "x",
		DRAIN_TIMEOUT_ACTION: "x",
		WINDOW_CLOSES: "x",
		EXPECTED_DURATION: "x",
		DRAIN_GRACE_PERIOD: "x",
		DRAIN_POD_SELECTOR: "=",
		DRAIN_SKIP_WAIT_FOR_DELETE: "x",
		UNMANAGED_PODS: "x",
		REBOOT_TIMEOUT: "x",
		REBOOT_INTERVAL: "x",
		BEFORE_DRAIN: "x",
		BEFORE_REBOOT: "x",
		SOAK: "x",
		PROBATION: "x",
		HOLD: "=",
		DRY_RUN: "x",
		STATE_TABLE: "x",
		NOTIFY_URLS: "x",
	};

	test("of every setting are told at once", () => {
		const settings = new Set(problemsOf(everythingWrong).map((each) => each.setting));
		assert.deepEqual([...settings].sort(), Object.keys(settingDefaults).sort());
	});

	test("leave what is needed to bring back what is in flight", () => {
		const parsed = parseSettings({ CLUSTERS: `${resourceIdOf("a")};nonsense`, MAINTENANCE_WINDOWS: "Foo", STATE_TABLE: "mine" });
		assert.ok("problems" in parsed);
		assert.deepEqual([parsed.clusters.map((each) => each.name), parsed.stateTable], [["a"], "mine"]);
		const unnamed = parseSettings({ STATE_TABLE: "not a table" });
		assert.ok("problems" in unnamed);
		assert.equal(unnamed.stateTable, null);
	});

	test("never show a webhook or a connection string, wherever it was written", () => {
		const webhook = "https://hooks.example/services/T0/B0/supersecret";
		const storage = "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=c3VwZXJzZWNyZXQ=;EndpointSuffix=core.windows.net";
		const sas = "https://x.table.core.windows.net/?sv=1&sig=supersecret";
		for (const setting of Object.keys(settingDefaults)) {
			for (const secret of [`ftp:${webhook}`, webhook, storage, sas, "https://user:supersecret@host/"]) {
				const env = { ...smallest, NOTIFY_URLS: `${webhook};ftp://supersecret`, AzureWebJobsStorage: storage, [setting]: secret };
				const text = JSON.stringify(parseSettings(env), (key, value) => (key === "notifyUrls" || key === "hold" ? undefined : value));
				assert.ok(text.includes("problems") || setting === "HOLD" || setting === "NOTIFY_URLS", setting);
				assert.ok(!/supersecret|c3VwZXJzZWNyZXQ/.test(text), `${setting}: ${text}`);
			}
		}
	});

	test("are found in any text: nothing is thrown", () => {
		const value = fc.option(fc.oneof(fc.string({ maxLength: 40 }), fc.stringMatching(/^[a-z*/=;:0-9%+, -]{0,30}$/)), { nil: undefined });
		const env = fc.record(Object.fromEntries(Object.keys(settingDefaults).map((name) => [name, value])));
		fc.assert(
			fc.property(env, (some) => {
				const parsed = parseSettings(some);
				assert.ok("settings" in parsed || parsed.problems.length > 0);
				for (const each of "problems" in parsed ? parsed.problems : []) assert.ok(each.setting in settingDefaults && each.expected !== "");
			}),
			{ numRuns: 300 },
		);
	});
});
