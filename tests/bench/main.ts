// `npm run bench [-- NAME…] [--json | --markdown]`: what the scheduler costs, beside what is promised and what others need.
// Sections run one after the other, for they would measure each other. `--markdown` prints the figures of docs/performance.md.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bundle } from "../../build.ts";
import { startAzurite } from "../azurite.ts";
import { asText, isKept, markdownOf, type Run, type Section, told } from "./figures.ts";
import type { Place } from "./scheduler.ts";
import { type Measurable, sections } from "./sections.ts";

function load(): string {
	return readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
}

function machine(): string {
	const [cpu] = cpus();
	const assets = process.env.KUBEBUILDER_ASSETS;
	const real = assets ? `, kube-apiserver of ${execFileSync(join(assets, "kube-apiserver"), ["--version"], { encoding: "utf8" }).trim()}` : "";
	return `${cpus().length} cores (${cpu?.model ?? "unknown"}), ${told(totalmem(), "bytes")} of memory, Node ${process.version}${real}`;
}

/** With the load of the machine around it. */
async function sectionOf({ name, title, about, measure }: Measurable, place: Place): Promise<Section> {
	if (measure === null) return { name, title, about, figures: [], skipped: "KUBEBUILDER_ASSETS is not set: a real kube-apiserver and etcd are needed" };
	process.stderr.write(`${name} … (load ${load()})\n`);
	const before = load();
	try {
		const figures = await measure(place);
		return { name, title, about: `${about} Load of the machine before it ${before}, after it ${load()}.`, figures };
	} catch (error) {
		// The others are still worth having; the run counts as missed.
		return { name, title, about, figures: [], failed: true, skipped: `it failed: ${error instanceof Error ? error.message : String(error)}` };
	}
}

async function measureAll(names: readonly string[], tell: (section: Section) => void): Promise<Run> {
	const folder = mkdtempSync(join(tmpdir(), "bench-"));
	const startedAt = performance.now();
	const begun = new Date().toISOString();
	const program = join(folder, "scheduler.mjs");
	const azurite = await startAzurite();
	try {
		await bundle(join(import.meta.dirname, "scheduler-process.ts"), program);
		const place: Place = { program, connectionString: azurite.connectionString };
		const wanted = sections.filter(({ name }) => names.length === 0 || names.includes(name));
		const beside = wanted.filter((each) => each.beside).map((each) => sectionOf(each, place));
		const all: Section[] = [];
		const note = (section: Section) => {
			all.push(section);
			tell(section);
		};
		for (const each of wanted) if (!each.beside) note(await sectionOf(each, place));
		for (const each of beside) note(await each);
		return { machine: machine(), startedAt: begun, tookS: Math.round((performance.now() - startedAt) / 1000), sections: all };
	} finally {
		await azurite.stop();
		rmSync(folder, { recursive: true, force: true });
	}
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" }, markdown: { type: "boolean" } } });
const unknown = positionals.find((name) => sections.every((each) => each.name !== name));
if (unknown !== undefined) {
	process.stderr.write(`no section ${unknown}: expected one of ${sections.map(({ name }) => name).join(", ")}\n`);
	process.exit(2);
}
const quiet = values.json === true || values.markdown === true;
const run = await measureAll(positionals, (section) => {
	if (!quiet) process.stdout.write(`${asText(section)}\n`);
});
if (values.json) process.stdout.write(`${JSON.stringify(run, null, "\t")}\n`);
if (values.markdown) process.stdout.write(`${markdownOf(run)}\n`);
const missed = run.sections.flatMap(({ name, failed, figures }) => [
	...(failed === true ? [`${name} (failed)`] : []),
	...figures.filter((each) => isKept(each) === false).map(({ id }) => id),
]);
process.stderr.write(`${run.tookS} s on ${run.machine}; ${missed.length === 0 ? "every promise kept" : `missed: ${missed.join(", ")}`}\n`);
process.exit(missed.length === 0 ? 0 : 1);
