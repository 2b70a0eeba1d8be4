// Runs the suites that this machine can run, names those it cannot, and ends with one line of totals.
//   node tests/run.ts [PATH-PART …]      only test files whose path contains one of the parts
import { globSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { chromiumPath, noChromium } from "./browser/chromium.ts";
import { realNodeMissing } from "./node/machine.ts";

const needControlPlane = "KUBEBUILDER_ASSETS is not set: a real kube-apiserver and etcd are needed";
const minuteMs = 60_000;

interface Suite {
	readonly folder: string;
	/** Files at a time. */
	readonly concurrency: number;
	/** Of one file: one that takes longer hangs. 20 minutes unless told. */
	readonly fileTimeoutMs?: number;
	readonly missing?: () => string | null;
}

/** Folders under tests/ in the order in which they run; those with a condition are skipped, by name, where it does not hold. */
const suites: readonly Suite[] = [
	{ folder: "unit", concurrency: 2 },
	{ folder: "simulation", concurrency: 1 },
	{ folder: "contract", concurrency: 2 },
	{ folder: "functions", concurrency: 1 },
	{ folder: "local", concurrency: 1 },
	{ folder: "infra", concurrency: 2 },
	{ folder: "demo", concurrency: 2 },
	{ folder: "browser", concurrency: 2, missing: () => (chromiumPath() === null ? noChromium : null) },
	{ folder: "real", concurrency: 3, missing: () => (process.env.KUBEBUILDER_ASSETS ? null : needControlPlane) },
	{ folder: "node", concurrency: 1, fileTimeoutMs: 45 * minuteMs, missing: () => (process.env.KUBEBUILDER_ASSETS ? realNodeMissing() : needControlPlane) },
];

const parts = process.argv.slice(2);
const totals = { passed: 0, failed: 0, skipped: 0 };
/** Said again at the end: a red run is long, and its reader begins with the last lines. */
const failures: string[] = [];

/** Suites with properties in them. */
const seeded: readonly string[] = ["unit", "contract"];

function reasonOf(error: Error): string {
	const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : (error.cause ?? error.message);
	return String(cause).split("\n").slice(0, 30).join("\n");
}

async function runSuite({ folder, concurrency, fileTimeoutMs = 20 * minuteMs }: Suite, files: string[]): Promise<void> {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	const stream = run({
		files,
		concurrency,
		isolation: "process",
		timeout: fileTimeoutMs,
		execArgv: seeded.includes(folder) ? ["--import", "./tests/property-seed.ts"] : [],
	});
	stream.on("test:pass", (event) => {
		if (event.details.type === "suite") return;
		if (event.skip !== undefined) counts.skipped++;
		else counts.passed++;
	});
	stream.on("test:fail", (event) => {
		if (event.details.type !== "suite") counts.failed++;
		// A suite that failed by its tests alone has nothing to add to them; one whose `before` failed is the only one that knows why.
		else if ((event.details.error as { failureType?: string }).failureType === "subtestsFailed") return;
		failures.push(`failed: ${event.file ?? folder}: ${event.name}\n${reasonOf(event.details.error)}`);
	});
	const report = stream.compose(new spec());
	for await (const chunk of report) process.stdout.write(chunk);
	console.log(`suite ${folder}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
	totals.passed += counts.passed;
	totals.failed += counts.failed;
	totals.skipped += counts.skipped;
}

for (const suite of suites) {
	const { folder, missing } = suite;
	const all = globSync(`tests/${folder}/**/*.test.ts`).sort();
	const files = parts.length === 0 ? all : all.filter((file) => parts.some((part) => file.includes(part)));
	if (files.length === 0) continue;
	const why = missing?.() ?? null;
	if (why === null) await runSuite(suite, files);
	else {
		console.log(`suite ${folder}: skipped, ${files.length} files: ${why}`);
		totals.skipped += files.length;
	}
}

for (const failure of failures) console.log(failure);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
if (totals.passed === 0 && totals.failed === 0) console.error("no test ran: no file matches");
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);
