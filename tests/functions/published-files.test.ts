// The files beside the code that the host and the publishing tools read.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
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

describe(".funcignore", () => {
	it("publishes the bundle and its two manifests, and nothing else of the project", (context) => {
		const git = (cwd: string, args: readonly string[], input = ""): string => spawnSync("git", args, { cwd, input, encoding: "utf8" }).stdout;
		const repository = mkdtempSync(join(tmpdir(), "funcignore-"));
		try {
			if (spawnSync("git", ["init", "-q"], { cwd: repository }).status !== 0) return context.skip("there is no git, whose rules the publishing tools follow");
			copyFileSync(resolve(root, ".funcignore"), join(repository, ".gitignore"));
			const exclude = (path: string): boolean => ["node_modules", ".git", "dist", ".local"].includes(path);
			const project = globSync("{**/*,.*,.*/**/*}", { cwd: root, exclude }).filter((path) => statSync(join(root, path)).isFile());
			assert.ok(project.length > 100 && project.includes("functions/main.ts") && project.includes(".ci/run"));
			const made = [
				"dist/main.js",
				"dist/host.json",
				"dist/package.json",
				"node_modules/esbuild/package.json",
				"local.settings.json",
				".local/table.json",
				"dist/main.js.map",
			];
			const files = [...project, ...made];
			const ignored = new Set(git(repository, ["check-ignore", "--no-index", "--stdin"], files.join("\n")).split("\n"));
			const published = files.filter((path) => !ignored.has(path));
			assert.deepEqual(published.sort(), ["dist/host.json", "dist/main.js", "dist/package.json", "host.json", "package.json"]);
		} finally {
			rmSync(repository, { recursive: true, force: true });
		}
	});
});
