// `npm start -- --until-settled`, as a stranger types it: one pass over the demonstration fleet, watched from outside.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type LocalRun, Place } from "../local/local-run.ts";
import { isListening } from "../ports.ts";
import { isAlive } from "../real/processes.ts";
import { endOf, onHold, operatorsCordons, rightEnd, toBeRebooted, WatchedFleet } from "./watched-fleet.ts";

const mostMs = 120_000;

describe("one pass over the demonstration fleet", { timeout: 300_000 }, () => {
	const place = new Place();
	let run: LocalRun;
	let fleet: WatchedFleet;
	let exitCode: number | null;
	let tookMs: number;
	/** Processes and ports beside the run. */
	let beside: { readonly pids: readonly number[]; readonly ports: readonly number[] };

	before(async () => {
		const startedAt = performance.now();
		run = place.start(["--until-settled", "--port", "0"]);
		fleet = await WatchedFleet.of(place);
		const { lab, azurite, note } = place;
		const servers = [fleet.ready.armUrl, fleet.ready.environment.IDENTITY_ENDPOINT ?? "", note?.url ?? "", ...fleet.servers()];
		beside = { pids: [lab.pid, azurite.pid], ports: [azurite.port, ...servers.map((url) => Number(new URL(url).port))] };
		for (const port of beside.ports) assert.ok(await isListening(port), `port ${port} is in use while it runs`);
		exitCode = await run.ended();
		tookMs = performance.now() - startedAt;
	});
	after(async () => {
		await fleet?.stop();
		await place.leave();
	});

	it("takes less than two minutes and ends with 0, its last line says what came of it", (context) => {
		assert.equal(exitCode, 0, run.output);
		const counts = `rebooted=${toBeRebooted.length} gave-up=0 stuck=0 waiting=0 held=${onHold.length}`;
		assert.match(run.output, new RegExp(`\nsettled ${counts} in \\d.*\n$`));
		context.diagnostic(`${Math.round(tookMs / 1000)} s with everything that is started and ended`);
		assert.ok(tookMs < mostMs, `${tookMs} ms`);
	});

	it("reboots each node that waits once, and no other; nothing of ours is left on any node", () => {
		assert.deepEqual(endOf(fleet), rightEnd);
	});

	it("never takes two nodes of a cluster away at once", () => {
		assert.equal(fleet.mostDown(), 1);
	});

	it("leaves the operator's cordon where it is all the while, though the node was rebooted", () => {
		assert.deepEqual(fleet.cordonsLost, []);
		assert.ok(operatorsCordons.length > 0 && operatorsCordons.every((key) => toBeRebooted.includes(key)));
	});

	it("tells kernels and phases of each node that was rebooted, and the reason of each that was not", () => {
		const summary = run.output.slice(run.output.indexOf("\nRebooted\n"));
		for (const key of toBeRebooted)
			assert.match(summary, new RegExp(`^  ${key} +kernel \\S+ → \\S+ in .*: cordoning .*, draining .*, rebooting .*, soaking .*$`, "m"));
		for (const key of onHold) assert.match(summary, new RegExp(`\nOn hold\n(  .*\n)*  ${key} +on hold by its annotation: load test until Friday, CHG0042\n`));
	});

	it("leaves no process and no open port", async () => {
		for (const pid of beside.pids) assert.ok(!isAlive(pid), `process ${pid} has ended`);
		for (const port of beside.ports) assert.ok(!(await isListening(port)), `nobody listens on ${port}`);
		assert.equal(place.note, null);
	});
});
