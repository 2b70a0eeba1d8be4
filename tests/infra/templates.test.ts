// The templates, by the compiler and by Azure's own types.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "node:test";
import { parseSettings } from "../../lib/settings/settings.ts";
import { bicep, compiledTest, parameterSets, parametersOf, type Run, root, snapshot } from "./compiler.ts";
import { ofType, predictionOf, readPrediction, theOne } from "./prediction.ts";

function inFolder<T>(run: (folder: string) => T): T {
	const folder = mkdtempSync(join(tmpdir(), "bicep-"));
	try {
		return run(folder);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}

/** What becomes of a parameter file when a part of it is another. */
function altered(original: string, replacements: readonly (readonly [RegExp, string])[], run: (file: string) => void): void {
	inFolder((folder) => {
		let text = readFileSync(original, "utf8");
		for (const [part, other] of replacements) {
			assert.match(text, part);
			text = text.replace(part, other);
		}
		const file = join(folder, "altered.bicepparam");
		writeFileSync(
			file,
			text.replace(/^using '.*\/([^/]+)'$/m, (_, template: string) => `using '${relative(folder, join(root, "infra", template))}'`),
		);
		run(file);
	});
}

for (const template of ["main", "scheduler"])
	compiledTest(`${template}.bicep compiles without a warning`, () => {
		const { status, stderr } = bicep("build", `infra/${template}.bicep`, "--stdout");
		assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
	});

/** A copy of every template and parameter file and of the queries that they load, each in its place. `files`: those of the compiler. */
function inCopy(run: (files: readonly string[], folder: string, pattern: string) => void): void {
	inFolder((folder) => {
		const files = globSync("{infra,tests/infra}/**/*.bicep*", { cwd: root });
		for (const file of [...files, ...globSync("infra/**/*.kql", { cwd: root })]) cpSync(join(root, file), join(folder, file));
		run(files, folder, join(folder, "**", "*.bicep*"));
	});
}

compiledTest("nothing in any file is warned of, and a warning would be seen", () => {
	inCopy((_, folder, pattern) => {
		const { status, stdout, stderr } = bicep("lint", "--pattern", pattern);
		assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" });
		writeFileSync(join(folder, "infra", "planted.bicep"), "param unused string\n");
		assert.match(bicep("lint", "--pattern", pattern).stderr, /planted\.bicep.*no-unused-params/);
	});
});

compiledTest("every file is laid out as the compiler lays it out", () => {
	inCopy((files, folder, pattern) => {
		writeFileSync(join(folder, "infra", "planted.bicep"), "param   unused   string");
		assert.equal(bicep("format", "--pattern", pattern).status, 0);
		for (const file of files) assert.equal(readFileSync(join(folder, file), "utf8"), readFileSync(join(root, file), "utf8"), file);
		assert.equal(readFileSync(join(folder, "infra", "planted.bicep"), "utf8").trim(), "param unused string");
	});
});

for (const name of parameterSets) {
	compiledTest(`${name}: what is predicted is what is held (else: node tests/infra/write-snapshots.ts)`, () => {
		const { status, stdout, stderr } = snapshot("validate", parametersOf(name));
		assert.equal(status, 0, `${stdout}${stderr}`);
	});

	test(`${name}: no two resources have one id, and the compiler has nothing to say`, () => {
		const { predictedResources, diagnostics } = predictionOf(name);
		assert.deepEqual(diagnostics, []);
		const ids = predictedResources.map(({ id }) => id.toLowerCase());
		assert.deepEqual(ids.toSorted(), [...new Set(ids)].sort());
	});

	test(`${name}: names are those that Azure takes`, () => {
		const prediction = predictionOf(name);
		assert.match(theOne(prediction, "Microsoft.Storage/storageAccounts").name, /^[a-z0-9]{3,24}$/);
		assert.match(theOne(prediction, "Microsoft.Web/sites").name, /^[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])$/);
		assert.match(theOne(prediction, "Microsoft.Resources/resourceGroups").name, /^[\w().-]{0,89}[\w()-]$/);
		for (const { properties } of ofType(prediction, "Microsoft.Insights/actionGroups")) assert.match(String(properties?.groupShortName), /^.{1,12}$/);
	});

	test(`${name}: Azure's own types know every property and take every value`, (context) => {
		const checker = process.env.CHECK_SNAPSHOT;
		if (!checker) return context.skip("CHECK_SNAPSHOT, a program that holds a snapshot against the Azure types, is not set");
		inFolder((folder) => {
			const file = join(folder, `${name}.json`);
			writeFileSync(file, JSON.stringify(withTypeNames(predictionOf(name))));
			const { status, stdout, stderr } = spawnSync(checker, [file], { encoding: "utf8" });
			assert.equal(status, 0, `${stdout}${stderr}`);
			assert.match(stdout, /\b0 problems/);
		});
	});
}

/** Types that are told apart by their name have the last part of it there. */
function withTypeNames({ predictedResources }: ReturnType<typeof predictionOf>): object {
	const byName = ["Microsoft.Web/sites/config", "Microsoft.Web/sites/basicPublishingCredentialsPolicies"];
	return { predictedResources: predictedResources.map((each) => (byName.includes(each.type) ? { ...each, name: each.name.split("/").at(-1) } : each)) };
}

compiledTest("a resource group that is there already gets the same resources", () => {
	const own: readonly (readonly [RegExp, string])[] = [
		[/main\.bicep/, "scheduler.bicep"],
		[/^param environmentName.*\n/m, ""],
		[/^param resourceGroupName.*\n/m, ""],
	];
	altered(parametersOf("everything"), own, (file) => {
		const run = snapshot("overwrite", file, "rg-reboots");
		assert.equal(run.status, 0, run.stderr);
		const withoutTags = (resources: ReturnType<typeof predictionOf>["predictedResources"]) => resources.map(({ tags, ...rest }) => rest);
		const [, ...expected] = withoutTags(predictionOf("everything").predictedResources);
		assert.deepEqual(withoutTags(readPrediction(file.replace(".bicepparam", ".snapshot.json")).predictedResources), expected);
	});
});

const windows = /MAINTENANCE_WINDOWS: '.*'/;
for (const [wrong, part, other, told] of [
	["a setting that there is not", windows, "MAINTENANCE_WINDOWS: 'always', MAINTENANCE_WINDOW: 'always'", /MAINTENANCE_WINDOW\b.*not allowed/],
	["a word that a setting does not have", windows, "MAINTENANCE_WINDOWS: 'always', UNMANAGED_PODS: 'keep'", /'delete'/],
	["an empty setting", windows, "MAINTENANCE_WINDOWS: 'always', HOLD: ''", /length/],
	["no cluster", /param clusters = \[[^\]]*\]/, "param clusters = []", /length|contain/],
	["the id of something else", /Microsoft\.ContainerService\/managedClusters\/prod-1/, "Microsoft.Compute/virtualMachineScaleSets/prod-1", /is no cluster/],
	[
		"a webhook's address, which is a secret",
		windows,
		"MAINTENANCE_WINDOWS: 'always', NOTIFY_URLS: 'https://hooks.example.com/T000/B000/my-secret'",
		/NOTIFY_URLS/,
	],
] as const)
	compiledTest(`${wrong} is refused before anything is made`, () => {
		altered(parametersOf("one-cluster"), [[part, other]], (file) => {
			const { status, stderr }: Run = snapshot("overwrite", file);
			assert.notEqual(status, 0);
			assert.match(stderr, told);
			if (/secret/.test(other)) assert.doesNotMatch(stderr.split("\n")[0] ?? "", /my-secret/);
		});
	});

test("every parameter stands in the sample, in docs/deploy.md and, but for those of the group's making, in scheduler.bicep", () => {
	const read = (file: string): string => readFileSync(join(root, file), "utf8");
	const parametersIn = (text: string): readonly string[] => [...text.matchAll(/^(?:\/\/ )?param (\w+)/gm)].map(([, name = ""]) => name);
	const names = parametersIn(read("infra/main.bicep")).toSorted();
	assert.deepEqual([...new Set(parametersIn(read("infra/main.bicepparam")))].sort(), names);
	assert.deepEqual([...read("docs/deploy.md").matchAll(/^\| `(\w+)` \| /gm)].map(([, name = ""]) => name).sort(), names);
	const own = ["environmentName", "resourceGroupName"];
	assert.deepEqual(
		parametersIn(read("infra/scheduler.bicep")).toSorted(),
		names.filter((name) => !own.includes(name)),
	);
});

interface SampleParameters {
	readonly clusters: { readonly value: readonly { readonly id: string }[] };
	readonly settings: { readonly value: Readonly<Record<string, unknown>> };
}

compiledTest("the sample is right as it is, and reboots nothing", () => {
	const { status, stdout, stderr } = bicep("build-params", "infra/main.bicepparam", "--stdout");
	assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
	const { parametersJson } = JSON.parse(stdout) as { parametersJson: string };
	const { clusters, settings } = (JSON.parse(parametersJson) as { parameters: SampleParameters }).parameters;
	const env = Object.entries(settings.value).map(([name, value]) => [name, String(value)]);
	const parsed = parseSettings({ CLUSTERS: clusters.value.map(({ id }) => id).join(";"), ...Object.fromEntries(env) });
	assert.ok("settings" in parsed, JSON.stringify(parsed));
	assert.equal(parsed.settings.dryRun, true);
});
