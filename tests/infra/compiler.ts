// The Bicep compiler: `$BICEP`, or `bicep` on the path (`az bicep install` puts one into ~/.azure/bin).
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";

export const root = resolve(import.meta.dirname, "../..");
export const parameterSets = ["one-cluster", "five-clusters", "private-network", "everything"] as const;
export type ParameterSet = (typeof parameterSets)[number];

export interface Run {
	readonly status: number | null;
	readonly stdout: string;
	/** What the compiler says of errors and warnings. */
	readonly stderr: string;
}

function found(): string | null {
	// Named and not there is an error, not a reason to skip.
	if (process.env.BICEP) return process.env.BICEP;
	return spawnSync("bicep", ["--version"], { stdio: "ignore" }).status === 0 ? "bicep" : null;
}

const compiler = found();

export function bicep(...args: readonly string[]): Run {
	const { status, stdout, stderr, error } = spawnSync(compiler ?? "bicep", args, { cwd: root, encoding: "utf8", maxBuffer: 100_000_000 });
	if (error !== undefined) throw new Error(`running ${compiler} ${args[0]}: ${error.message}`);
	return { status, stdout, stderr };
}

/** A test that is skipped, by its name, where there is no compiler. */
export function compiledTest(name: string, run: (context: TestContext) => void | Promise<void>): void {
	test(name, { skip: compiler === null && "BICEP is not set and no bicep is on the path" }, run);
}

const place = {
	tenant: "00000000-0000-0000-0000-0000000000aa",
	subscription: "00000000-0000-0000-0000-0000000000bb",
	location: "westeurope",
} as const;

/** Predicts what a parameter file makes; the prediction lies beside it. `group`: for templates of a resource group. */
export function snapshot(mode: "overwrite" | "validate", parameters: string, group?: string): Run {
	const inGroup = group === undefined ? [] : ["--resource-group", group];
	const where = ["--tenant-id", place.tenant, "--subscription-id", place.subscription, "--location", place.location, ...inGroup];
	return bicep("snapshot", parameters, "--mode", mode, ...where);
}

export function parametersOf(name: ParameterSet): string {
	return join(import.meta.dirname, "snapshots", `${name}.bicepparam`);
}
