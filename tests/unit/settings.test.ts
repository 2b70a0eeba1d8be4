import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explainProblem } from "../../lib/plan/explain.ts";
import { clusterLimit, policyFor, type SettingProblem, type Settings, scopedDefaults, windowsFor } from "../../lib/plan/policy.ts";
import { settingDefaults } from "../../lib/settings/defaults.ts";
import { type Environment, parseSettings } from "../../lib/settings/settings.ts";
import { everyMinute } from "./states.ts";

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

/** The one problem, which has to be about that setting. */
function problemOf(setting: string, value: string | undefined): SettingProblem {
	const [problem, ...others] = problemsOf({ [setting]: value });
	assert.deepEqual(others, []);
	assert.equal(problem?.setting, setting);
	return problem ?? assert.fail();
}

describe("unset settings", () => {
	test("have the defaults of the contract", () => {
		const { clusters: targets, maintenanceWindows, ...rest } = settingsOf();
		assert.equal(targets.length, 3);
		assert.equal(maintenanceWindows.length, 1);
		assert.deepEqual(rest, {
			maxConcurrent: [],
			drainTimeoutMs: [],
			drainTimeoutAction: [],
			windowCloses: [],
			expectedDurationMs: [],
			rebootIntervalMs: [],
			probationMs: [],
			hold: [],
			tickSchedule: everyMinute,
			drainGracePeriodSeconds: null,
			drainPodSelector: null,
			drainSkipWaitForDeleteMs: null,
			unmanagedPods: "delete",
			rebootTimeoutMs: 900_000,
			beforeDrainMs: 0,
			beforeRebootMs: 0,
			soakMs: 0,
			dryRun: false,
			stateTable: "reboots",
			notifyUrls: [],
		});
	});

	test("mean the same as their defaults written out", () => {
		const written = Object.fromEntries(Object.entries(settingDefaults).flatMap(([name, { text }]) => (text === null ? [] : [[name, text]])));
		const settings = settingsOf(written);
		assert.deepEqual(policyFor(settings, "dev", "np1"), policyFor(settingsOf(), "dev", "np1"));
		assert.deepEqual(clusterLimit(settings, "dev"), clusterLimit(settingsOf(), "dev"));
		assert.deepEqual(settings.tickSchedule, everyMinute);
		assert.equal(settings.stateTable, settingsOf().stateTable);
		assert.equal(settings.expectedDurationMs[0]?.value, scopedDefaults.expectedDurationMs);
	});

	test("CLUSTERS and MAINTENANCE_WINDOWS are required: missing or empty never means all or always", () => {
		for (const missing of [undefined, "", " ;\n; "]) {
			const problems = problemsOf({ CLUSTERS: missing, MAINTENANCE_WINDOWS: missing });
			assert.deepEqual(
				problems.map((each) => each.setting),
				["CLUSTERS", "MAINTENANCE_WINDOWS"],
			);
			for (const problem of problems)
				assert.match(explainProblem(problem), missing === undefined ? /^\w+: not set, expected at least one/ : /^\w+: ".*", expected/);
		}
	});

	test("are not the same as empty ones", () => {
		for (const setting of Object.keys(settingDefaults)) for (const empty of ["", "  "]) assert.equal(problemsOf({ [setting]: empty })[0]?.setting, setting);
	});
});

describe("CLUSTERS", () => {
	test("names default to the cluster's own, and segments are read in any case", () => {
		const id = "/SUBSCRIPTIONS/s-1/resourcegroups/My.Group_(x)/PROVIDERS/microsoft.containerservice/managedclusters/Prod_1/";
		assert.deepEqual(settingsOf({ CLUSTERS: id }).clusters, [
			{
				name: "Prod_1",
				kind: "aks",
				resourceId: "/subscriptions/s-1/resourceGroups/My.Group_(x)/providers/Microsoft.ContainerService/managedClusters/Prod_1",
				subscriptionId: "s-1",
				resourceGroup: "My.Group_(x)",
				resourceName: "Prod_1",
			},
		]);
	});

	test("a name before = replaces it", () => {
		assert.deepEqual(
			settingsOf({ CLUSTERS: ` shop = ${resourceIdOf("prod-1")} ;` }).clusters.map((each) => each.name),
			["shop"],
		);
	});

	test("contexts of a kubeconfig: characters that no scope can name become -", () => {
		assert.deepEqual(settingsOf({ CLUSTERS: "kubeconfig:admin@prod.eu/1;lab=kubeconfig:a=b" }).clusters, [
			{ name: "admin-prod-eu-1", kind: "kubeconfig", context: "admin@prod.eu/1" },
			{ name: "lab", kind: "kubeconfig", context: "a=b" },
		]);
	});

	const wrong: readonly [hazard: string, value: string, part: string, expected: RegExp][] = [
		[
			"another kind of resource",
			"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v",
			"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v",
			/managedClusters/,
		],
		["a resource under the cluster", `${resourceIdOf("a")}/agentPools/np1`, `${resourceIdOf("a")}/agentPools/np1`, /managedClusters/],
		["a name alone", "prod-1", "prod-1", /\[NAME=\]/],
		["a name that no scope can name", `prod.1=${resourceIdOf("a")}`, "prod.1", /letters, digits/],
		["an empty name", `=${resourceIdOf("a")}`, `=${resourceIdOf("a")}`, /letters, digits/],
		["an empty id", "prod=", "prod=", /managedClusters/],
		["an empty context", "kubeconfig:", "kubeconfig:", /kubeconfig:CONTEXT/],
		["a wildcard in a name", `prod-*=${resourceIdOf("a")}`, "prod-*", /letters, digits/],
		["one cluster twice", `${resourceIdOf("a")};b=${resourceIdOf("a").toUpperCase()}`, `b=${resourceIdOf("a").toUpperCase()}`, /each cluster once/],
		["one context twice", "kubeconfig:a;b=kubeconfig:a", "b=kubeconfig:a", /each cluster once/],
		["equal names", `a=${resourceIdOf("x")};a=${resourceIdOf("y")}`, `a=${resourceIdOf("y")}`, /a name of its own.*a is the name of .*\/x already/],
		["names that differ in case alone", `a=${resourceIdOf("x")};A=${resourceIdOf("y")}`, `A=${resourceIdOf("y")}`, /a name of its own/],
		["contexts that become one name", "kubeconfig:a.b;kubeconfig:a/b", "kubeconfig:a/b", /a name of its own/],
	];
	for (const [hazard, value, part, expected] of wrong) {
		test(`${hazard} is an error`, () => {
			const problem = problemOf("CLUSTERS", value);
			assert.equal(problem.part, part);
			assert.match(problem.expected, expected);
		});
	}
});

describe("scoped settings", () => {
	test("no scope means every cluster, a cluster scope all its pools, and the last match wins", () => {
		const settings = settingsOf({ DRAIN_TIMEOUT: "10m; prod-*=1h\r\nprod-1/np1=5m;\n\n" });
		assert.equal(policyFor(settings, "dev", "np1").drainTimeoutMs, 600_000);
		assert.equal(policyFor(settings, "prod-1", "np1").drainTimeoutMs, 300_000);
		assert.equal(policyFor(settings, "prod-1", "np2").drainTimeoutMs, 3_600_000);
	});

	test("windows of one scope add up, and stand where the last of them stands", () => {
		const settings = settingsOf({ MAINTENANCE_WINDOWS: "prod-*=Sat 02:00-06:00; *=never; prod-*=Sun 02:00-06:00" });
		assert.deepEqual(
			windowsFor(settings, "prod-1", "np1")?.map((each) => each.text),
			["Sat 02:00-06:00", "Sun 02:00-06:00"],
		);
		assert.deepEqual(
			windowsFor(settings, "dev", "np1")?.map((each) => each.text),
			["never"],
		);
		const other = settingsOf({ MAINTENANCE_WINDOWS: "prod-*=Sat 02:00-06:00; prod-*=Sun 02:00-06:00; *=never" });
		assert.deepEqual(
			windowsFor(other, "prod-1", "np1")?.map((each) => each.text),
			["never"],
		);
	});

	test("a scope with a pool is another scope than its cluster", () => {
		const settings = settingsOf({ MAINTENANCE_WINDOWS: "prod-1=Sat 02:00-06:00; prod-1/*=Sun 02:00-06:00" });
		assert.deepEqual(
			windowsFor(settings, "prod-1", "np1")?.map((each) => each.text),
			["Sun 02:00-06:00"],
		);
	});

	test("a pool scope is not refused for a pool that nobody knows yet", () => {
		assert.deepEqual(settingsOf({ HOLD: "dev/later=not yet" }).hold, [{ scope: { cluster: "dev", pool: "later" }, value: "not yet" }]);
	});

	test("a reason may hold = after its scope", () => {
		assert.deepEqual(settingsOf({ HOLD: "prod-*=ticket=CHG42" }).hold, [{ scope: { cluster: "prod-*", pool: null }, value: "ticket=CHG42" }]);
	});

	const wrong: readonly [hazard: string, setting: string, value: string, part: string, expected: RegExp][] = [
		["HOLD=ticket=CHG42 is no hold of nothing", "HOLD", "ticket=CHG42", "ticket", /one of CLUSTERS \(prod-1, prod-2, dev\)/],
		["a scope that matches no cluster", "DRAIN_TIMEOUT", "30m;stage-*=1h", "stage-*", /one of CLUSTERS/],
		["a scope in another case", "DRAIN_TIMEOUT", "PROD-1=1h", "PROD-1", /one of CLUSTERS/],
		["the cluster of a pool scope that matches none", "HOLD", "stage/np1=x", "stage/np1", /one of CLUSTERS/],
		["a scope with other characters", "HOLD", "see https://tracker/?id=5", "see https://tracker/?id", /cluster or cluster\/pool/],
		["a scope of three parts", "HOLD", "dev/np1/node=x", "dev/np1/node", /cluster or cluster\/pool/],
		["a scope without a cluster", "HOLD", "/np1=x", "/np1", /cluster or cluster\/pool/],
		["an empty scope", "HOLD", "=x", "=x", /cluster or cluster\/pool/],
		["an empty value", "HOLD", "dev=", "dev=", /a value after/],
		["an empty window", "MAINTENANCE_WINDOWS", "always;dev= ", "dev=", /a value after/],
		["separators alone", "MAX_CONCURRENT", ";", ";", /left out/],
	];
	for (const [hazard, setting, value, part, expected] of wrong) {
		test(`${hazard} is an error`, () => {
			const problem = problemOf(setting, value);
			assert.equal(problem.part, part);
			assert.match(problem.expected, expected);
		});
	}

	test("while CLUSTERS is wrong itself, scopes are not blamed for it", () => {
		assert.deepEqual(
			problemsOf({ CLUSTERS: "nonsense", HOLD: "stage=x" }).map((each) => each.setting),
			["CLUSTERS"],
		);
	});

	test("a wrong scope does not hide a wrong value", () => {
		assert.deepEqual(
			problemsOf({ DRAIN_TIMEOUT: "stage=soon" }).map((each) => each.part),
			["stage", "soon"],
		);
	});
});

describe("values", () => {
	const read: readonly [setting: string, value: string, field: keyof Settings, expected: unknown][] = [
		["MAX_CONCURRENT", "3", "maxConcurrent", { kind: "number", nodes: 3 }],
		["MAX_CONCURRENT", "100%", "maxConcurrent", { kind: "percent", percent: 100 }],
		["DRAIN_TIMEOUT", "1h30m", "drainTimeoutMs", 5_400_000],
		["DRAIN_TIMEOUT", "1s", "drainTimeoutMs", 1_000],
		["DRAIN_TIMEOUT_ACTION", "Delete", "drainTimeoutAction", "delete"],
		["DRAIN_TIMEOUT_ACTION", "reboot", "drainTimeoutAction", "reboot"],
		["WINDOW_CLOSES", "finish", "windowCloses", "finish"],
		["EXPECTED_DURATION", "0s", "expectedDurationMs", 0],
		["REBOOT_INTERVAL", "14d", "rebootIntervalMs", 14 * 86_400_000],
		["PROBATION", "0s", "probationMs", 0],
		["HOLD", "change freeze CHG0042", "hold", "change freeze CHG0042"],
	];
	for (const [setting, value, field, expected] of read) {
		test(`${setting}=${value} is read`, () => {
			assert.deepEqual(settingsOf({ [setting]: value })[field], [{ scope: { cluster: "*", pool: null }, value: expected }]);
		});
	}

	const plain: readonly [setting: string, value: string, field: keyof Settings, expected: unknown][] = [
		["DRAIN_GRACE_PERIOD", "30", "drainGracePeriodSeconds", 30],
		["DRAIN_GRACE_PERIOD", "2m", "drainGracePeriodSeconds", 120],
		["DRAIN_POD_SELECTOR", "app=web, tier!=cache,!legacy", "drainPodSelector", "app=web, tier!=cache,!legacy"],
		["DRAIN_POD_SELECTOR", "tier in (web, api),example.com/x notin (a)", "drainPodSelector", "tier in (web, api),example.com/x notin (a)"],
		["DRAIN_SKIP_WAIT_FOR_DELETE", "60s", "drainSkipWaitForDeleteMs", 60_000],
		["DRAIN_SKIP_WAIT_FOR_DELETE", "OFF", "drainSkipWaitForDeleteMs", null],
		["UNMANAGED_PODS", "block", "unmanagedPods", "block"],
		["REBOOT_TIMEOUT", "12s", "rebootTimeoutMs", 12_000],
		["BEFORE_DRAIN", "5m", "beforeDrainMs", 300_000],
		["BEFORE_REBOOT", "1s", "beforeRebootMs", 1_000],
		["SOAK", "10m", "soakMs", 600_000],
		["DRY_RUN", "TRUE", "dryRun", true],
		["STATE_TABLE", "reboots2", "stateTable", "reboots2"],
		[
			"TICK_SCHEDULE",
			"*/30  5/20 8-11 1,15 jan-MAR Mon-5",
			"tickSchedule",
			{ minutes: [5, 25, 45], hours: [8, 9, 10, 11], dates: [1, 15], months: [1, 2, 3], weekdays: [1, 2, 3, 4, 5] },
		],
		["NOTIFY_URLS", "https://hooks.example/a?x=1;\nhttp://localhost:8080/b", "notifyUrls", ["https://hooks.example/a?x=1", "http://localhost:8080/b"]],
	];
	for (const [setting, value, field, expected] of plain) {
		test(`${setting}=${JSON.stringify(value)} is read`, () => assert.deepEqual(settingsOf({ [setting]: value })[field], expected));
	}

	const wrong: readonly [setting: string, value: string, part: string, expected: RegExp][] = [
		["MAX_CONCURRENT", "0", "0", /1 or more/],
		["MAX_CONCURRENT", "-1", "-1", /1 or more/],
		["MAX_CONCURRENT", "1.5", "1.5", /1 or more/],
		["MAX_CONCURRENT", "all", "all", /1 or more/],
		["MAX_CONCURRENT", "0%", "0%", /1% to 100%/],
		["MAX_CONCURRENT", "101%", "101%", /1% to 100%/],
		["DRAIN_TIMEOUT", "30", "30", /a duration such as/],
		["DRAIN_TIMEOUT", "30 m", "30 m", /a duration such as/],
		["DRAIN_TIMEOUT", "30m1h", "30m1h", /a duration such as/],
		["DRAIN_TIMEOUT", "0s", "0s", /at least 1s/],
		["DRAIN_TIMEOUT", "999999999d", "999999999d", /at most 3650d/],
		["DRAIN_TIMEOUT_ACTION", "force", "force", /give-up or delete or reboot/],
		["WINDOW_CLOSES", "stop", "stop", /give-up or finish/],
		["DRAIN_GRACE_PERIOD", "0", "0", /1 or more/],
		["DRAIN_GRACE_PERIOD", "-1", "-1", /1 or more/],
		["DRAIN_GRACE_PERIOD", "soon", "soon", /seconds/],
		["DRAIN_POD_SELECTOR", "app in web", "app in web", /label selector/],
		["DRAIN_POD_SELECTOR", "app=web,,x", "app=web,,x", /label selector/],
		["DRAIN_POD_SELECTOR", "app=web,tier=a b", "tier=a b", /label selector/],
		["DRAIN_SKIP_WAIT_FOR_DELETE", "never", "never", /or off/],
		["DRAIN_SKIP_WAIT_FOR_DELETE", "0s", "0s", /or off/],
		["UNMANAGED_PODS", "keep", "keep", /delete or block/],
		["REBOOT_TIMEOUT", "0s", "0s", /at least 1s/],
		["REBOOT_TIMEOUT", "prod-1=10m", "prod-1=10m", /a duration such as/],
		["DRY_RUN", "yes", "yes", /true or false/],
		["DRY_RUN", "1", "1", /true or false/],
		["STATE_TABLE", "my-table", "my-table", /3 to 63/],
		["STATE_TABLE", "1table", "1table", /a letter first/],
		["STATE_TABLE", "Tables", "Tables", /a table name/],
		["TICK_SCHEDULE", "* * * * *", "* * * * *", /six fields/],
		["TICK_SCHEDULE", "0 60 * * * *", "60", /a minute from 0 to 59/],
		["TICK_SCHEDULE", "0 * * * * Fry", "Fry", /a day of the week/],
		["TICK_SCHEDULE", "0 */0 * * * *", "*/0", /a minute/],
		["TICK_SCHEDULE", "0 * * * * 7", "7", /a day of the week from 0 to 6/],
		["MAINTENANCE_WINDOWS", "dev=Sat 2:00-6:00", "2:00", /two digits/],
		["MAINTENANCE_WINDOWS", "Sat 02:00-06:00 Mars/Base", "Mars/Base", /time zone/],
	];
	for (const [setting, value, part, expected] of wrong) {
		test(`${setting}=${value} is an error`, () => {
			const problem = problemOf(setting, value);
			assert.equal(problem.part, part);
			assert.match(problem.expected, expected);
		});
	}
});
