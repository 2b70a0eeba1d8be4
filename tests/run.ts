// Runs the suites that this machine can run, names those it cannot, and ends with one line of totals.
//   node tests/run.ts [PATH-PART …]      only test files whose path contains one of the parts
import { globSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const needControlPlane = "KUBEBUILDER_ASSETS is not set: a real kube-apiserver and etcd are needed";
/** Folders under tests/ in the order in which they run; those with a condition are skipped, by name, where it does not hold. */
const suites: readonly { folder: string; concurrency: number; missing?: () => string | null }[] = [
	{ folder: "unit", concurrency: 2 },
	{ folder: "contract", concurrency: 2 },
	{ folder: "functions", concurrency: 1 },
	{ folder: "real", concurrency: 3, missing: () => (process.env.KUBEBUILDER_ASSETS ? null : needControlPlane) },
];

const parts = process.argv.slice(2);
const totals = { passed: 0, failed: 0, skipped: 0 };

/** Suites with properties in them. */
const seeded: readonly string[] = ["unit", "contract"];

async function runSuite(folder: string, concurrency: number, files: string[]): Promise<void> {
	const counts = { passed: 0, failed: 0, skipped: 0 };
	const stream = run({
		files,
		concurrency,
		isolation: "process",
		timeout: 20 * 60_000,
		execArgv: seeded.includes(folder) ? ["--import", "./tests/property-seed.ts"] : [],
	});
	stream.on("test:pass", (event) => {
		if (event.details.type === "suite") return;
		if (event.skip !== undefined) counts.skipped++;
		else counts.passed++;
	});
	stream.on("test:fail", (event) => {
		if (event.details.type !== "suite") counts.failed++;
	});
	const report = stream.compose(new spec());
	for await (const chunk of report) process.stdout.write(chunk);
	console.log(`suite ${folder}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
	totals.passed += counts.passed;
	totals.failed += counts.failed;
	totals.skipped += counts.skipped;
}

for (const { folder, concurrency, missing } of suites) {
	const all = globSync(`tests/${folder}/**/*.test.ts`).sort();
	const files = parts.length === 0 ? all : all.filter((file) => parts.some((part) => file.includes(part)));
	if (files.length === 0) continue;
	const why = missing?.() ?? null;
	if (why === null) await runSuite(folder, concurrency, files);
	else {
		console.log(`suite ${folder}: skipped, ${files.length} files: ${why}`);
		totals.skipped += files.length;
	}
}

console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
if (totals.passed === 0 && totals.failed === 0) console.error("no test ran: no file matches");
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);
