// The lock of a folder: one at a time, and no run waits for one that is gone.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { alone } from "../../lib/local/lock.ts";

const folder = join(tmpdir(), `lock-${randomUUID()}`);
const file = join(folder, "a.lock");
const gone = spawnSync(process.execPath, ["--version"]).pid;

before(() => mkdirSync(folder));
after(() => rmSync(folder, { recursive: true, force: true }));

test("only one at a time works under it, also where all begin at once, and nothing is left of it", async () => {
	let working = 0;
	let most = 0;
	const work = async () => {
		most = Math.max(most, ++working);
		await new Promise((resume) => setImmediate(resume));
		working--;
	};
	await Promise.all(Array.from({ length: 5 }, () => alone(file, work)));
	assert.equal(most, 1);
	assert.deepEqual(readdirSync(folder), []);
});

test("a lock of a process that is gone is taken, by one of those that wait for it", async () => {
	writeFileSync(file, String(gone));
	let done = 0;
	await Promise.all([alone(file, async () => done++), alone(file, async () => done++)]);
	assert.deepEqual([done, readdirSync(folder)], [2, []]);
});

test("a lock older than anything that is done under it is taken: its process id is another's by now", async () => {
	writeFileSync(file, String(process.ppid));
	utimesSync(file, 0, 0);
	assert.equal(await alone(file, async () => "done"), "done");
});

test("a lock of a living process is waited for, until one is told to stop", async () => {
	writeFileSync(file, String(process.ppid));
	const stop = new AbortController();
	const waiting = alone(file, async () => assert.fail("it was not ours"), stop.signal);
	stop.abort(new Error("told to stop"));
	await assert.rejects(waiting, /told to stop/);
	assert.ok(existsSync(file));
	rmSync(file);
});

test("a failure gives it back", async () => {
	await assert.rejects(
		alone(file, () => Promise.reject(new Error("no"))),
		/no/,
	);
	assert.deepEqual(readdirSync(folder), []);
});
