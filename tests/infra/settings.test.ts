// The app settings of each snapshot, read by the app's own parser: right, and meaning what the parameters meant.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configurationOf } from "../../functions/world.ts";
import { openTable } from "../../lib/azure/table.ts";
import type { Settings } from "../../lib/plan/policy.ts";
import { settingDefaults } from "../../lib/settings/defaults.ts";
import { parseSettings } from "../../lib/settings/settings.ts";
import { type ParameterSet, parameterSets, root } from "./compiler.ts";
import { appSettingsOf, evaluated, ofType, predictionOf, theOne } from "./prediction.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const webhook = "https://hooks.example.com/secret";

/** As the app finds it: what stands in a Key Vault is put in its place by the platform. */
function environmentOf(name: ParameterSet): Readonly<Record<string, string>> {
	const env = appSettingsOf(predictionOf(name));
	const reference = /^@Microsoft\.KeyVault\(SecretUri=https:\/\/.+\)$/;
	return Object.fromEntries(Object.entries(env).map(([setting, text]) => [setting, reference.test(text) ? webhook : text]));
}

function settingsOf(name: ParameterSet): Settings {
	const { settings, problems } = configurationOf(environmentOf(name));
	assert.deepEqual(problems, []);
	assert.ok(settings);
	return settings;
}

/** The entries of a scoped setting, as `cluster/pool` and value. */
function entriesOf<T>(scoped: readonly { readonly scope: { readonly cluster: string; readonly pool: string | null }; readonly value: T }[]) {
	return scoped.map(({ scope, value }) => [scope.pool === null ? scope.cluster : `${scope.cluster}/${scope.pool}`, value]);
}

for (const name of parameterSets) {
	test(`${name}: the app finds no problem in its settings`, () => {
		settingsOf(name);
	});

	test(`${name}: what the parameters leave out is left out, since set and empty is an error`, () => {
		for (const [setting, text] of Object.entries(appSettingsOf(predictionOf(name)))) assert.notEqual(text, "", setting);
	});

	test(`${name}: the table that the app opens by its identity is the one that is made, and names the scheduler to its clusters`, () => {
		const prediction = predictionOf(name);
		const { stateTable } = settingsOf(name);
		const { owner } = openTable(environmentOf(name), stateTable);
		const [account] = theOne(prediction, "Microsoft.Storage/storageAccounts/tableServices/tables").name.split("/");
		assert.equal(theOne(prediction, "Microsoft.Storage/storageAccounts/tableServices/tables").name, `${account}/default/${stateTable}`);
		assert.equal(owner, `${account}.table.core.windows.net/${stateTable}`);
		assert.equal(evaluated(String(prediction.outputs.ownerName)), owner);
	});

	test(`${name}: the app is its one identity, to the storage and to Application Insights`, () => {
		const env = environmentOf(name);
		const identity = theOne(predictionOf(name), "Microsoft.ManagedIdentity/userAssignedIdentities").name;
		assert.equal(env.AzureWebJobsStorage__credential, "managedidentity");
		assert.equal(env.AzureWebJobsStorage__clientId, `<${identity}.clientId>`);
		assert.equal(env.APPLICATIONINSIGHTS_AUTHENTICATION_STRING, `ClientId=<${identity}.clientId>;Authorization=AAD`);
	});

	test(`${name}: no setting holds a key, and none is one that Flex Consumption refuses or misreads`, () => {
		const env = appSettingsOf(predictionOf(name));
		for (const setting of Object.keys(env)) {
			assert.doesNotMatch(setting, /^(?:FUNCTIONS_|WEBSITE_|SCM_|ENABLE_ORYX|TZ$)/);
			assert.doesNotMatch(env[setting] ?? "", /AccountKey|SharedAccess|sig=|listKeys/i, setting);
		}
		assert.equal(env.AzureWebJobsStorage, undefined);
	});
}

test("every setting of the app can be given, and is given in the snapshot of everything, none as its default", () => {
	const env = appSettingsOf(predictionOf("everything"));
	for (const [setting, { text }] of Object.entries(settingDefaults)) {
		assert.ok(setting in env, `${setting}: add it to infra/parameters.bicep and to everything.bicepparam, then node tests/infra/write-snapshots.ts`);
		assert.notEqual(env[setting], text, setting);
	}
});

test("the least that is needed means the defaults", () => {
	const env = environmentOf("one-cluster");
	const expected = parseSettings({ CLUSTERS: env.CLUSTERS, MAINTENANCE_WINDOWS: "Sat,Sun 02:00-06:00 Europe/Paris" });
	assert.ok("settings" in expected);
	assert.deepEqual(settingsOf("one-cluster"), expected.settings);
	for (const setting of Object.keys(settingDefaults)) assert.equal(setting in env, ["CLUSTERS", "MAINTENANCE_WINDOWS"].includes(setting), setting);
});

test("a fleet has its clusters by their ids and names, and its lists by their entries", () => {
	const { clusters, maintenanceWindows, maxConcurrent, hold } = settingsOf("five-clusters");
	assert.deepEqual(
		clusters.map((each) => each.kind === "aks" && [each.name, each.subscriptionId.slice(-1), each.resourceGroup, each.resourceName]),
		[
			["prod-1", "1", "rg-prod", "prod-1"],
			["prod-2", "1", "rg-prod", "prod-2"],
			["shop", "2", "rg-shop", "aks"],
			["data", "3", "RG-Data", "aks"],
			["dev_1", "3", "rg-dev", "dev_1"],
		],
	);
	assert.deepEqual(
		entriesOf(maintenanceWindows).map(([scope]) => scope),
		["prod-*", "shop", "data", "dev_*"],
	);
	assert.deepEqual(entriesOf(maxConcurrent), [
		["*", { kind: "number", nodes: 1 }],
		["dev_1", { kind: "percent", percent: 10 }],
		["prod-*/gpu", { kind: "number", nodes: 2 }],
	]);
	assert.deepEqual(entriesOf(hold), [["prod-2", "change freeze CHG0042"]]);
});

test("every setting means what its parameter said", () => {
	const { clusters, maintenanceWindows, hold, maxConcurrent, drainTimeoutMs, drainTimeoutAction, tickSchedule, ...rest } = settingsOf("everything");
	assert.deepEqual(
		clusters.map(({ name }) => name),
		["prod-1", "prod-2"],
	);
	assert.deepEqual(
		entriesOf(maintenanceWindows).map(([scope]) => scope),
		["*", "prod-2"],
	);
	assert.deepEqual(entriesOf(hold), [["prod-2/db", "the team is on it"]]);
	assert.deepEqual(entriesOf(maxConcurrent), [
		["*", { kind: "number", nodes: 2 }],
		["*/gpu", { kind: "number", nodes: 1 }],
	]);
	assert.deepEqual(entriesOf(drainTimeoutMs), [
		["*", 45 * minuteMs],
		["prod-2", hourMs],
	]);
	assert.deepEqual(entriesOf(drainTimeoutAction), [
		["*", "reboot"],
		["prod-1", "delete"],
	]);
	// Of `30 */2 * * * *`.
	assert.deepEqual([tickSchedule.minutes.slice(0, 3), tickSchedule.hours.length], [[0, 2, 4], 24]);
	const everywhere = <T>(value: T) => [{ scope: { cluster: "*", pool: null }, value }];
	assert.deepEqual(rest, {
		windowCloses: everywhere("finish"),
		expectedDurationMs: everywhere(20 * minuteMs),
		rebootIntervalMs: everywhere(36 * hourMs),
		probationMs: everywhere(hourMs),
		drainGracePeriodSeconds: 120,
		drainPodSelector: "app=web,tier in (a, b)",
		drainSkipWaitForDeleteMs: 10 * minuteMs,
		unmanagedPods: "block",
		rebootTimeoutMs: 25 * minuteMs,
		beforeDrainMs: minuteMs,
		beforeRebootMs: 2 * minuteMs,
		soakMs: 5 * minuteMs,
		dryRun: true,
		stateTable: "everyReboot",
		notifyUrls: [webhook],
	});
});

test("with sign-in the platform has the identity sign in for it; without, it is switched off and not merely left out", () => {
	const platformOf = (name: ParameterSet) => {
		const config = ofType(predictionOf(name), "Microsoft.Web/sites/config").find((each) => each.name.endsWith("/authsettingsV2"));
		return config?.properties as { platform: { enabled: boolean }; identityProviders?: { azureActiveDirectory: { registration: Record<string, string> } } };
	};
	assert.deepEqual(platformOf("one-cluster"), { platform: { enabled: false } });
	const { platform, identityProviders } = platformOf("everything");
	assert.equal(platform.enabled, true);
	const { clientSecretSettingName = "", openIdIssuer = "" } = identityProviders?.azureActiveDirectory.registration ?? {};
	assert.equal(evaluated(openIdIssuer), "https://login.microsoftonline.com/00000000-0000-0000-0000-0000000000aa/v2.0");
	const env = environmentOf("everything");
	assert.equal(env[clientSecretSettingName], env.AzureWebJobsStorage__clientId);
	assert.equal(environmentOf("one-cluster")[clientSecretSettingName], undefined);
});

test("azd finds the app that it publishes by the service's name", () => {
	const service = /^services:\n {2}([\w-]+):$/m.exec(readFileSync(join(root, "azure.yaml"), "utf8"))?.[1];
	for (const name of parameterSets) {
		const { predictedResources } = predictionOf(name);
		const published = predictedResources.filter(({ tags }) => tags?.["azd-service-name"] !== undefined);
		assert.deepEqual(
			published.map(({ type, tags }) => [type, tags?.["azd-service-name"]]),
			[["Microsoft.Web/sites", service]],
		);
		const untagged = predictedResources.filter((each) => each.location !== undefined && each.tags?.["azd-env-name"] === undefined);
		assert.deepEqual(
			untagged.map(({ id }) => id),
			[],
		);
	}
});
