// Scenarios that once failed, kept for good: data, so that they outlive changes of what a seed draws.
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Scenario } from "./scenario.ts";

const folder = fileURLToPath(new URL("regressions/", import.meta.url));

export function readRegression(file: string): Scenario {
	return JSON.parse(readFileSync(file, "utf8")) as Scenario;
}

export function regressions(): readonly Scenario[] {
	return globSync(`${folder}*.json`).sort().map(readRegression);
}
