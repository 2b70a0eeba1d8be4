// kill -9 of the scheduler's process at twenty moments of the demonstration, in every phase, and `npm start` again in the same folder each time.
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Phase, phases } from "../../lib/plan/model.ts";
import { troublesFile } from "../lab/troubles.ts";
import { type LocalRun, Place } from "../local/local-run.ts";
import { randomOf } from "../random.ts";
import { until } from "../waiting.ts";
import { Told } from "./told.ts";
import { endOf, onHold, rightEnd, toBeRebooted, WatchedFleet } from "./watched-fleet.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1_000_000));
// A lease that a killed worker held is waited for, 15 s each time: three fleets are disturbed side by side.

/** Does not come back by itself. */
const lost = "dev/aks-spot-26457513-vmss000000";

/** The scheduler is killed so long after it told that a node has come into a phase. */
interface Moment {
	readonly phase: Phase;
	/** At most; a random part of it. */
	readonly withinMs: number;
}

const at = (phase: Phase): Moment => ({ phase, withinMs: 0 });
const within = (phase: Phase, withinMs = 900): Moment => ({ phase, withinMs });

interface Disturbed {
	readonly name: string;
	readonly settings: Readonly<Record<string, string>>;
	readonly loses: string | null;
	readonly moments: readonly Moment[];
}

/** A move is told after its write and before its act. */
const fleets: readonly Disturbed[] = [
	{
		name: "between write and act",
		settings: {},
		loses: null,
		moments: [at("cordoning"), at("draining"), at("rebooting"), at("rejoining"), at("uncordoning"), at("soaking"), at("draining")],
	},
	{
		name: "while something is done",
		settings: {},
		loses: null,
		moments: [
			within("draining"),
			within("rebooting"),
			within("cordoning"),
			within("rejoining"),
			within("soaking"),
			within("uncordoning"),
			within("rebooting", 4_000),
		],
	},
	{
		name: "with a node that is stuck",
		settings: { REBOOT_TIMEOUT: "80s" },
		loses: lost,
		moments: [within("draining"), within("rejoining"), at("stuck"), within("uncordoning"), within("cordoning"), within("rebooting")],
	},
];

function entries(told: Told, phase: Phase): number {
	if (phase === "cordoning") return told.lines({ event: "reboot.admitted" }).length;
	if (phase === "stuck") return told.lines({ event: "reboot.stuck" }).length;
	return told.lines({ event: "reboot.moved", to: phase }).length;
}

class Disturbance {
	readonly place = new Place();
	readonly kills: { readonly phase: Phase; readonly laterMs: number }[] = [];
	readonly runs: Told[] = [];
	fleet: WatchedFleet | null = null;
	last: LocalRun | null = null;
	exitCode: number | null = null;
	readonly #plan: Disturbed;
	readonly #random: () => number;

	constructor(plan: Disturbed, random: () => number) {
		this.#plan = plan;
		this.#random = random;
	}

	async happen(): Promise<void> {
		this.#lose(this.#plan.loses);
		for (const moment of this.#plan.moments) {
			await this.#killAt(moment);
			if (moment.phase === "stuck") this.#lose(null);
		}
		this.last = this.#start();
		this.exitCode = await this.last.ended();
	}

	#lose(node: string | null): void {
		const folder = join(this.place.folder, ".local/lab");
		mkdirSync(folder, { recursive: true });
		if (node === null) rmSync(troublesFile(folder), { force: true });
		else writeFileSync(troublesFile(folder), JSON.stringify({ nodes: { [node]: { comesBack: "never" } } }));
	}

	#start(): LocalRun {
		const run = this.place.start(["--fast", "--until-settled", "--json", "--port", "0"], this.#plan.settings);
		this.runs.push(new Told(run));
		return run;
	}

	async #killAt({ phase, withinMs }: Moment): Promise<void> {
		const run = this.#start();
		const told = this.runs.at(-1) ?? assert.fail();
		this.fleet ??= await WatchedFleet.of(this.place);
		await until(`a node is ${phase}`, () => {
			assert.ok(run.running, `it ended before a node was ${phase}:\n${run.output}`);
			return entries(told, phase) > 0;
		});
		const laterMs = Math.round(withinMs * this.#random());
		await delay(laterMs);
		run.child.kill("SIGKILL");
		assert.equal(await run.ended(), null, "it was killed, and did not end by itself");
		this.kills.push({ phase, laterMs });
	}

	async stop(): Promise<void> {
		await this.fleet?.stop();
		await this.place.leave();
	}
}

describe("a scheduler that is killed twenty times", { timeout: 600_000 }, () => {
	const random = randomOf(seed);
	const disturbances = fleets.map((plan) => ({ name: plan.name, disturbed: new Disturbance(plan, random) }));
	let tookMs: number;

	before(async () => {
		const startedAt = performance.now();
		await Promise.all(disturbances.map(({ disturbed }) => disturbed.happen()));
		tookMs = performance.now() - startedAt;
	});
	after(async () => {
		await Promise.all(disturbances.map(({ disturbed }) => disturbed.stop()));
	});

	it("was killed in every phase", (context) => {
		context.diagnostic(`SEED=${seed}, ${Math.round(tookMs / 1000)} s in all`);
		for (const { name, disturbed } of disturbances)
			context.diagnostic(`${name}: ${disturbed.kills.map(({ phase, laterMs }) => `${phase} +${laterMs} ms`).join(", ")}`);
		const kills = disturbances.flatMap(({ disturbed }) => disturbed.kills);
		assert.equal(kills.length, 20);
		assert.deepEqual([...new Set(kills.map(({ phase }) => phase))].sort(), [...phases].sort());
	});

	for (const { name, disturbed } of disturbances)
		describe(name, () => {
			it("comes to the end of an undisturbed run: each node that waits was booted once, nothing of ours is left, no cordon is lost", () => {
				assert.equal(disturbed.exitCode, 0, disturbed.last?.output);
				assert.match(disturbed.last?.output ?? "", new RegExp(`\nsettled rebooted=\\d+ gave-up=0 stuck=0 waiting=0 held=${onHold.length} in .*\n$`));
				assert.ok(disturbed.fleet);
				assert.deepEqual(endOf(disturbed.fleet), rightEnd);
				assert.deepEqual(disturbed.fleet.cordonsLost, []);
			});

			it("never has two nodes of a cluster away at once", () => {
				assert.equal(disturbed.fleet?.mostDown(), 1);
			});

			it("tells of each reboot once that it is done, but where it was killed between telling and writing", () => {
				const done = disturbed.runs.flatMap((told) => told.lines({ event: "reboot.ended" }));
				assert.deepEqual(
					done.filter(({ end }) => end !== "done"),
					[],
				);
				const nodes = new Set(done.map(({ cluster, node }) => `${cluster}/${node}`));
				assert.ok([...nodes].every((each) => toBeRebooted.includes(each)));
				assert.ok(done.length <= toBeRebooted.length && nodes.size === done.length, done.map(({ node }) => node).join());
			});
		});
});
