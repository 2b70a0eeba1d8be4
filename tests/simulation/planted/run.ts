// npm run planted [-- [--seeds N] [--workers N] [NAME …]]    plants every bug (or those whose names contain a NAME) in a copy of lib/, one at a
// time, and lets the simulation hunt for it. Prints which checker caught each and after how many seeds; fails where none does.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Edit } from "./edit.ts";
import { edits } from "./edits.ts";
import type { Hunted } from "./hunt.ts";
import { copiedTree, plant, type Tree } from "./tree.ts";

/** A bug may keep the code from ever coming to an end: that is found by nobody who waits for it. */
const longestMs = 30 * 60_000;

type Found = Hunted | { readonly caught: false; readonly seeds: 0; readonly ms: 0; readonly why: string };

async function huntFor(edit: Edit, original: Tree, seeds: number): Promise<Found> {
	// Of the copy: somebody may be at work on the original.
	const tree = copiedTree(original.folder);
	try {
		plant(tree, edit);
		return await hunted(tree, original, seeds);
	} catch (error) {
		return { caught: false, seeds: 0, ms: 0, why: error instanceof Error ? error.message : String(error) };
	} finally {
		tree.remove();
	}
}

function hunted(tree: Tree, original: Tree, seeds: number): Promise<Hunted> {
	const script = join(tree.folder, "tests/simulation/planted/hunt.ts");
	return new Promise((resolve, reject) => {
		const child = spawn(process.execPath, [script, original.folder, String(seeds)], { stdio: ["ignore", "pipe", "pipe"], timeout: longestMs });
		const end = () => child.kill();
		process.once("exit", end);
		let [out, err] = ["", ""];
		child.stdout.on("data", (chunk) => {
			out += chunk;
		});
		child.stderr.on("data", (chunk) => {
			err += chunk;
		});
		child.on("error", reject);
		child.on("close", (code, signal) => {
			process.off("exit", end);
			const last = out.trim().split("\n").at(-1) ?? "";
			if (code === 0 && last.startsWith("{")) resolve(JSON.parse(last) as Hunted);
			else reject(new Error(`the hunt ended with ${signal ?? code}: ${err.trim().split("\n").slice(-3).join(" ").slice(0, 300)}`));
		});
	});
}

function row(edit: Edit, found: Found): string {
	const s = (found.ms / 1000).toFixed(1);
	const told = found.caught
		? `${found.id} | ${found.by} | ${found.seeds} | ${s} | ${found.what.slice(0, 160)}`
		: `NOT CAUGHT | | ${found.seeds} | ${s} |${"why" in found ? ` ${found.why}` : ""}`;
	return `| ${edit.name} | ${edit.breaks} | lib/${edit.file} | ${told} |`;
}

// Copies and hunts go with this process, also where somebody ends it.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
const { values, positionals } = parseArgs({ allowPositionals: true, options: { seeds: { type: "string", default: "2000" }, workers: { type: "string" } } });
const wanted = edits.filter((each) => positionals.length === 0 || positionals.some((part) => each.name.includes(part)));
const left = [...wanted].reverse();
const original = copiedTree();
const escaped: string[] = [];
const startedAt = performance.now();
console.log("| bug | breaks | where | caught by | in | seeds | s | as |\n| --- | --- | --- | --- | --- | --- | --- | --- |");
const worker = async () => {
	for (let edit = left.pop(); edit !== undefined; edit = left.pop()) {
		const found = await huntFor(edit, original, Number(values.seeds));
		console.log(row(edit, found));
		if (!found.caught) escaped.push(edit.name);
	}
};
try {
	await Promise.all(Array.from({ length: Number(values.workers ?? availableParallelism()) }, worker));
} finally {
	original.remove();
}
const s = ((performance.now() - startedAt) / 1000).toFixed(0);
console.log(
	`${wanted.length - escaped.length} of ${wanted.length} planted bugs caught in ${s} s${escaped.length === 0 ? "" : `; not caught: ${escaped.join(", ")}`}`,
);
process.exitCode = escaped.length === 0 && wanted.length > 0 ? 0 : 1;
