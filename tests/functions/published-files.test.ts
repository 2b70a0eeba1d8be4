// The files beside the code that the host and the publishing tools read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { settingDefaults } from "../../lib/settings/defaults.ts";
import { parseSettings } from "../../lib/settings/settings.ts";

const root = resolve(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(resolve(root, name), "utf8");

describe("host.json", () => {
	const host = JSON.parse(read("host.json")) as {
		version: string;
		functionTimeout: string;
		extensionBundle?: unknown;
		telemetryMode?: unknown;
		logging: { applicationInsights: { samplingSettings: { excludedTypes: string } } };
	};

	it("keeps sampling from dropping the journal, requests and exceptions that alerts are made of", () => {
		const { excludedTypes } = host.logging.applicationInsights.samplingSettings;
		for (const type of ["Trace", "Request", "Exception"]) assert.ok(excludedTypes.split(";").includes(type), type);
		// With it the whole section above would be ignored.
		assert.equal(host.telemetryMode, undefined);
	});

	it("ends a round that hangs before the platform would", () => {
		assert.equal(host.functionTimeout, "00:10:00");
	});

	it("loads no extensions: timer and HTTP need none", () => {
		assert.equal(host.extensionBundle, undefined);
	});
});

describe("local.settings.sample.json", () => {
	const { IsEncrypted, Values } = JSON.parse(read("local.settings.sample.json")) as { IsEncrypted: boolean; Values: Record<string, string> };

	it("has only settings that there are, and they are right", () => {
		assert.equal(IsEncrypted, false);
		const parsed = parseSettings(Values);
		assert.ok("settings" in parsed, JSON.stringify(parsed));
		for (const name of Object.keys(Values)) assert.ok(name in settingDefaults || ["AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"].includes(name), name);
	});

	it("reboots nothing when it is tried as it is", () => {
		assert.equal(Values.DRY_RUN, "true");
		assert.equal(Values.AzureWebJobsStorage, "UseDevelopmentStorage=true");
	});

	it("shows the defaults as they are", () => {
		for (const [name, { text }] of Object.entries(settingDefaults)) {
			if (text !== null && name !== "DRY_RUN") assert.equal(Values[name], text, name);
		}
	});
});

describe("package.json", () => {
	it("names the bundle as what the host loads", () => {
		assert.equal((JSON.parse(read("package.json")) as { main: string }).main, "dist/main.js");
	});
});
