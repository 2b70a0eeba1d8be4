// Processes of a scheduler, and the timer that invokes them. The code that runs in them is production code, from round() inward.

import { fallbackSettings } from "../../lib/settings/fallback.ts";
import { parseSettings } from "../../lib/settings/settings.ts";
import { CallError, messageOf } from "../../lib/tick/call-error.ts";
import { round, roundLimits, Worker } from "../../lib/tick/round.ts";
import type { Configuration } from "../../lib/tick/tick.ts";
import type { World } from "../../lib/tick/world.ts";
import type { Caller, Calls } from "./calls.ts";
import { SimulatedClock } from "./ports/clock.ts";
import { SimulatedClusters } from "./ports/clusters.ts";
import { SimulatedTable } from "./ports/table.ts";
import type { Environment } from "./scenario.ts";
import { MemoryRows } from "./universe/table.ts";
import type { Universe } from "./universe.ts";

/** By environment: a new process reads the same settings again, and windows are worked out once. */
const configurations = new WeakMap<Environment, Configuration>();

export function configurationOf(environment: Environment): Configuration {
	const known = configurations.get(environment) ?? read(environment);
	configurations.set(environment, known);
	return known;
}

function read(environment: Environment): Configuration {
	const parsed = parseSettings(environment);
	if ("settings" in parsed) return { settings: parsed.settings, problems: [], clusters: parsed.settings.clusters, fallback: fallbackSettings };
	return { settings: null, problems: parsed.problems, clusters: parsed.clusters, fallback: fallbackSettings };
}

export class SchedulerProcess implements Caller {
	readonly id: string;
	readonly us: string;
	readonly calls: Calls;
	readonly configuration: Configuration;
	readonly environment: Environment;
	readonly clock: SimulatedClock;
	readonly #worker: Worker;
	readonly #world: World;
	readonly #universe: Universe;
	alive = true;
	stalledUntil = 0;
	asked = 0;
	/** A round is under way: the host waits for it before it invokes this process again. */
	busy = false;
	/** Another version has taken its place: what is under way is its last round. */
	retiring = false;
	#ids = 0;

	constructor(universe: Universe, scheduler: Scheduler, id: string, environment: Environment) {
		const { calls, chance } = universe;
		this.id = id;
		this.us = scheduler.us;
		this.calls = calls;
		this.environment = environment;
		this.configuration = configurationOf(environment);
		this.#universe = universe;
		this.clock = new SimulatedClock(this, chance.between(`clock ${id}`, 0, 10 ** 9), 1 + (chance.draw(`drift ${id}`) - 0.5) / 1_000);
		this.#worker = new Worker(id, scheduler.us);
		this.#world = {
			clock: this.clock,
			ids: { next: () => `${id}-${++this.#ids}` },
			table: new SimulatedTable(this, scheduler.rows, universe.emit),
			clusters: new SimulatedClusters(this, universe.clusters),
			journal: { write: (line) => universe.emit({ kind: "journal", by: this, line }) },
		};
	}

	/** One invocation of the function. Whatever it throws that no call made is a bug. */
	invoke(late: boolean): void {
		const { calls } = this;
		const startedAt = calls.now;
		const askedBefore = this.asked;
		const limits = { ...roundLimits, inFlightEveryMs: this.#universe.scenario.inFlightEveryMs, late };
		this.busy = true;
		const end = (what: string, bugs: readonly string[]) => {
			this.busy = false;
			this.#universe.trace.note(calls.now, this.id, what);
			this.#universe.emit({ kind: "roundEnded", by: this, tookMs: calls.now - startedAt, calls: this.asked - askedBefore, bugs });
		};
		round(this.#world, this.#worker, this.configuration, limits).then(
			({ failing }) =>
				end(
					"round ended",
					failing.flatMap((each) => (each.bug ? [each.why] : [])),
				),
			(error: unknown) => end(`round failed: ${messageOf(error)}`, error instanceof CallError ? [] : [messageOf(error)]),
		);
	}
}

/** One deployment of the scheduler: its name, its table, its settings, and the processes that the host keeps. */
export class Scheduler {
	readonly us: string;
	readonly rows = new MemoryRows();
	readonly #universe: Universe;
	#environment: Environment;
	#current: Configuration;
	/** Every configuration that was in force, with since when. */
	readonly configurations: { readonly since: number; readonly environment: Environment; readonly configuration: Configuration }[] = [];
	readonly processes: SchedulerProcess[] = [];
	#started = 0;
	/** The timer does not fire before this. */
	silentUntil = 0;

	constructor(universe: Universe, us: string, environment: Environment) {
		this.us = us;
		this.#universe = universe;
		this.#environment = environment;
		this.#current = configurationOf(environment);
		this.configurations.push({ since: universe.calls.now, environment, configuration: this.#current });
		this.#schedule();
	}

	get environment(): Environment {
		return this.#environment;
	}

	/** What its settings mean now. */
	get current(): Configuration {
		return this.#current;
	}

	#newProcess(): SchedulerProcess {
		const process = new SchedulerProcess(this.#universe, this, `${this.us}${++this.#started}`, this.#environment);
		this.processes.push(process);
		return process;
	}

	#schedule(): void {
		const { calls } = this.#universe;
		calls.after(this.#universe.timerEveryMs(), () => {
			this.fire(false);
			this.#schedule();
		});
	}

	/** The timer: the host's one instance runs, a new one where there is none; `beside`: a second one, for the host's own lock may fail. */
	fire(beside: boolean): void {
		const { calls } = this.#universe;
		if (calls.now < this.silentUntil) return;
		const current = this.processes.find((each) => each.alive && !each.retiring);
		if (beside) {
			this.#newProcess().invoke(false);
			return;
		}
		const process = current ?? this.#newProcess();
		if (!process.busy) process.invoke(process.stalledUntil > 0);
	}

	/** Other settings, and with them a new process. `killed`: the old one does not end its round. */
	deploy(environment: Environment, killed: boolean): void {
		this.#environment = environment;
		this.#current = configurationOf(environment);
		this.configurations.push({ since: this.#universe.calls.now, environment, configuration: this.#current });
		for (const each of this.processes) {
			if (killed) each.alive = false;
			each.retiring = true;
		}
		this.#tidy();
		this.fire(true);
	}

	die(): void {
		const process = this.processes.find((each) => each.alive && each.busy);
		if (process !== undefined) this.kill(process);
	}

	kill(process: SchedulerProcess): void {
		process.alive = false;
		this.#universe.trace.note(this.#universe.calls.now, process.id, "dies");
		this.#tidy();
	}

	stall(process: SchedulerProcess, ms: number, clockStops: boolean): void {
		const { calls, trace } = this.#universe;
		process.stalledUntil = Math.max(process.stalledUntil, calls.now + ms);
		if (clockStops) calls.at(process.stalledUntil, () => process.clock.standStill(ms));
		trace.note(calls.now, process.id, `stands still for ${ms} ms${clockStops ? ", its clock too" : ""}`);
	}

	#tidy(): void {
		const living = this.processes.filter((each) => each.alive && !(each.retiring && !each.busy));
		this.processes.splice(0, this.processes.length, ...living);
	}
}
