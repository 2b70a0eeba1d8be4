// node tests/infra/alerts/capture.ts: makes lab-journal.jsonl anew, the journal of the demonstration fleet from its start until it has settled, as
// `npm start -- --until-settled --json` writes it. What is told at every look is left out, as the function app leaves it out.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { root } from "../compiler.ts";

const directory = mkdtempSync(join(tmpdir(), "lab-journal-"));
try {
	const main = join(root, "lib/local/main.ts");
	const run = spawn(process.execPath, [main, "--until-settled", "--json", "--port", "0"], { cwd: directory, stdio: ["ignore", "pipe", "inherit"] });
	const [printed] = await Promise.all([text(run.stdout), once(run, "exit")]);
	const lines = printed.split("\n").filter((line) => line.startsWith('{"at":') && !line.includes('"level":"debug"'));
	const journal = lines.map((line) => `${line}\n`).join("");
	// The owner's name has the machine and the folder in it.
	writeFileSync(join(import.meta.dirname, "lab-journal.jsonl"), journal.replaceAll(`@${hostname()}:${directory}`, "@machine:/folder"));
} finally {
	rmSync(directory, { recursive: true, force: true });
}
