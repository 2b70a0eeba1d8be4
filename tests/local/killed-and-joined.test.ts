// The scheduler is killed, or stopped, in the middle of a reboot: the next `npm start` goes on where it was.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { isAlive } from "../real/processes.ts";
import { until } from "../waiting.ts";
import { type LocalRun, Place } from "./local-run.ts";

const ask = resolve(import.meta.dirname, "../../lib/local/ask.ts");

function phase(run: LocalRun, word: string): boolean {
	return run.lines().some((line) => line.event === "reboot.moved" && (line as { to?: string }).to === word);
}

async function isIn(run: LocalRun, word: string): Promise<void> {
	await until(`a node is ${word}`, () => {
		assert.ok(run.running, run.output);
		return phase(run, word);
	});
}

describe("a fleet whose scheduler comes and goes", () => {
	const place = new Place();
	const runs: LocalRun[] = [];
	after(() => place.leave());

	it("killed while a node drains, it leaves lab and table as they are", async () => {
		const run = place.demonstration("--json");
		runs.push(run);
		await isIn(run, "draining");
		const { lab, azurite } = place;
		run.child.kill("SIGKILL");
		await run.ended();
		assert.ok(isAlive(lab.pid) && isAlive(azurite.pid));
	});

	it("what is asked meanwhile takes effect once it is started again, and that is said", async () => {
		const { cluster = "" } = runs[0]?.lines().find((line) => line.cluster !== undefined) ?? {};
		const { stdout } = await promisify(execFile)(process.execPath, [ask, "hold", cluster, "--reason", "a second", "--until", "1s"], { cwd: place.folder });
		assert.match(stdout, new RegExp(`It takes effect once the scheduler of this folder is started again .*: process ${runs[0]?.child.pid} has ended`));
	});

	it("the next one joins both and goes on; stopped while a node boots, it ends both", async () => {
		const { lab, azurite } = place;
		const run = place.demonstration("--json");
		runs.push(run);
		await run.says(new RegExp(`^lab: process ${lab.pid}, left behind by a killed run$`, "m"));
		await run.says(/^table: Azurite on port \d+, left behind by a killed run$/m);
		assert.deepEqual([place.lab, place.azurite], [lab, azurite]);
		await isIn(run, "rebooting");
		run.interrupt();
		assert.equal(await run.ended(), 130, run.output);
		assert.ok(!isAlive(lab.pid) && !isAlive(azurite.pid));
	});

	it("the third goes on with the saved fleet, to the end: each node was rebooted once", async () => {
		const run = place.demonstration("--json", "--until-settled");
		runs.push(run);
		assert.equal(await run.ended(), 0, run.output);
		assert.match(run.output, /\nsettled rebooted=\d+ gave-up=0 stuck=0 waiting=0 held=0 in .*\n$/);
		const lines = runs.flatMap((each) => each.lines());
		const waited = new Set(lines.filter(({ event }) => event === "node.waiting").map(({ node }) => node));
		const ended = lines.filter(({ event }) => event === "reboot.ended");
		assert.ok(waited.size > 1, "several nodes waited");
		assert.deepEqual(ended.map(({ node, end }) => `${node} ${end}`).sort(), [...waited].map((node) => `${node} done`).sort());
	});
});

describe("two runs in one folder", () => {
	const place = new Place();
	after(() => place.leave());

	it("share lab and table though both begin at the same moment, and the last one ends them", async () => {
		const runs = [place.demonstration(), place.demonstration()];
		// Whoever is at work, or waits for the other's lease, has noted itself.
		for (const run of runs) await run.says(/ (?:waiting|leased) /);
		const { lab, azurite } = place;
		for (const run of runs) await run.says(new RegExp(`^lab: process ${lab.pid}, `, "m"));
		for (const run of runs) await run.says(new RegExp(`^table: Azurite on port ${azurite.port}\\b`, "m"));
		const second = runs.find(({ pid }) => pid === place.note?.process) ?? assert.fail("none has noted itself");
		const first = runs.find((run) => run !== second) ?? assert.fail();
		first.interrupt();
		assert.equal(await first.ended(), 130);
		assert.ok(isAlive(lab.pid) && isAlive(azurite.pid), "the second still uses them");
		assert.equal(place.note?.process, second.pid, "the note of the second is its own");
		second.interrupt();
		assert.equal(await second.ended(), 130);
		assert.ok(!isAlive(lab.pid) && !isAlive(azurite.pid));
	});
});

describe("two runs that begin at the same time in two folders", () => {
	const places = [new Place(), new Place()] as const;
	after(() => Promise.all(places.map((place) => place.leave())));

	it("have a table each, also where both find the usual port free", async () => {
		const runs = places.map((place) => place.demonstration());
		for (const run of runs) await run.says(/^table: Azurite on port \d+/m);
		const [one, other] = places.map(({ azurite }) => azurite);
		assert.ok(one && other && isAlive(one.pid) && isAlive(other.pid), "each has started its own");
		assert.notEqual(one.port, other.port);
		for (const run of runs) run.interrupt();
		for (const run of runs) assert.equal(await run.ended(), 130, run.output);
	});
});
