// `npm start` begins and ends together with everything beside it, however it is ended.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isListening, occupy } from "../ports.ts";
import { isAlive } from "../real/processes.ts";
import { until } from "../waiting.ts";
import { type LocalRun, Place } from "./local-run.ts";

/** All that a run started has ended, and nobody listens any more. */
async function assertNothingIsLeft({ lab, azurite }: { readonly lab: Place["lab"]; readonly azurite: Place["azurite"] }, place: Place): Promise<void> {
	for (const { pid } of [lab, azurite]) assert.ok(!isAlive(pid), `process ${pid} has ended`);
	for (const { port } of [lab, azurite]) assert.ok(!(await isListening(port)), `nobody listens on ${port}`);
	assert.equal(place.note, null, "the run's note is gone");
}

describe("a run that is ended while it is at work", () => {
	const place = new Place();
	after(() => place.leave());

	for (const [how, end] of [
		["Ctrl-C in the terminal", (run: LocalRun) => run.interrupt()],
		["SIGTERM to its process alone", (run: LocalRun) => run.child.kill("SIGTERM")],
	] as const)
		it(`${how} ends all that it started, and nothing is left`, async () => {
			const run = place.demonstration();
			await place.isUp();
			const { lab, azurite, note } = place;
			assert.equal(note?.process, run.pid);
			assert.match(run.output, new RegExp(`^aks-reboot-scheduler: process ${run.pid}\n`));
			assert.equal((await fetch(`${note.url}?format=json`)).status, 200);
			end(run);
			assert.equal(await run.ended(), 130, run.output);
			assert.match(run.output, /\nstopped rebooted=\d+ gave-up=\d+ stuck=\d+ waiting=\d+ held=\d+ in .*\n$/);
			await assertNothingIsLeft({ lab, azurite }, place);
			assert.ok(!(await isListening(Number(new URL(note.url).port))));
		});

	it("nobody reads what it says any more: it ends, and all that it started", async () => {
		const run = place.demonstration("--json");
		await place.isUp();
		const { lab, azurite } = place;
		run.child.stdout?.destroy();
		assert.equal(await run.ended(), 130);
		await assertNothingIsLeft({ lab, azurite }, place);
	});

	it("a second Ctrl-C does not wait, and what was started ends by itself", async () => {
		const run = place.demonstration();
		await place.isUp();
		const { lab, azurite } = place;
		// It cannot end now, and would be waited for.
		process.kill(azurite.pid, "SIGSTOP");
		try {
			run.interrupt();
			await until("its table is waited for", async () => !(await isListening(Number(new URL(place.note?.url ?? "http://127.0.0.1:1").port))));
			// Later than what npm passes on of the same Ctrl-C.
			await until("the second Ctrl-C has ended it", () => {
				if (run.running) run.interrupt();
				return !run.running;
			});
			assert.ok(isAlive(azurite.pid));
		} finally {
			process.kill(azurite.pid, "SIGCONT");
		}
		await until("table and lab have ended", () => !isAlive(azurite.pid) && !isAlive(lab.pid));
	});
});

describe("a run that is ended while it is being started", () => {
	const place = new Place();
	after(() => place.leave());

	for (const [said, how, end] of [
		[/process \d+/, "SIGINT to its process alone", (run: LocalRun) => run.child.kill("SIGINT")],
		[/is being started/, "Ctrl-C in the terminal", (run: LocalRun) => run.interrupt()],
		[/lab: process/, "a terminal that is closed", (run: LocalRun) => run.child.kill("SIGHUP")],
	] as const)
		it(`leaves nothing behind: after ${said}, by ${how}`, async () => {
			const run = place.demonstration();
			await run.says(said);
			end(run);
			assert.equal(await run.ended(), 130, run.output);
			const left = readdirSync(place.folder, { recursive: true }).map(String);
			assert.deepEqual(
				left.filter((file) => /lab\.json|azurite\.json|schedulers|run\.json/.test(file)),
				[],
			);
		});
});

describe("ports that are taken", () => {
	const place = new Place();
	after(() => place.leave());

	it("are named and replaced, of the page and of the table", async () => {
		const taken = [await occupy(7_071), await occupy(10_002)];
		const run = place.start(["--clusters", "1", "--nodes", "1", "--fast", "--until-settled"]);
		const [, port = ""] = await run.says(/^status page: http:\/\/127\.0\.0\.1:(\d+)\/api\/status \(port 7071 is taken\)$/m);
		await run.says(/^table: Azurite on port \d+ \(port 10002 is taken\), its data in .*$/m);
		assert.notEqual(port, "7071");
		run.interrupt();
		await run.ended();
		for (const server of taken) server?.close();
	});

	it("a port that was asked for is not replaced: exit code 2, and nothing was begun", async () => {
		const taken = await occupy(0);
		const address = taken?.address();
		const port = typeof address === "object" ? address?.port : undefined;
		const other = new Place();
		const run = other.start(["--port", String(port)]);
		assert.equal(await run.ended(), 2);
		assert.match(run.output, new RegExp(`--port: ${port}, expected a port that is free`));
		assert.ok(!existsSync(join(other.folder, ".local")));
		taken?.close();
		await other.leave();
	});
});
