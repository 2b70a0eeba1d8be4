// Everything that there is in a run.
import { Calls } from "./calls.ts";
import { Chance } from "./chance.ts";
import type { Change } from "./changes.ts";
import { clearUp } from "./disturbances/clusters.ts";
import { Fates } from "./faults.ts";
import { Scheduler, type SchedulerProcess } from "./processes.ts";
import type { Scenario } from "./scenario.ts";
import { Trace } from "./trace.ts";
import { Cluster } from "./universe/cluster.ts";

/** Names of schedulers: what the owner Lease of a cluster says. */
export const first = "one";
export const second = "two";

export class Universe {
	readonly scenario: Scenario;
	readonly chance: Chance;
	readonly trace: Trace;
	readonly fates: Fates;
	readonly calls: Calls;
	readonly clusters: readonly Cluster[];
	readonly schedulers: Scheduler[] = [];
	readonly emit: (change: Change) => void;
	calm = false;

	constructor(scenario: Scenario, options: { readonly trace: boolean; readonly see: (change: Change) => void }) {
		this.scenario = scenario;
		this.emit = options.see;
		this.chance = new Chance(scenario.seed);
		this.trace = new Trace(scenario.startAt, options.trace);
		this.fates = new Fates(this.chance, scenario.faults, scenario.outages, scenario.startAt);
		this.calls = new Calls(scenario.startAt, this.chance, this.fates, this.trace);
		this.calls.onFate = (caller, fate) => {
			const scheduler = this.schedulers.find((each) => each.processes.includes(caller as SchedulerProcess));
			if (fate.kind === "dies") scheduler?.kill(caller as SchedulerProcess);
			else scheduler?.stall(caller as SchedulerProcess, fate.ms, fate.clockStops);
		};
		this.calls.onAnswer = (caller, { port, method }, error) => this.emit({ kind: "answered", by: caller as SchedulerProcess, port, method, error });
		const crashes = scenario.crashes ?? [];
		if (crashes.length > 0) this.calls.crashAt = (_caller, nth) => crashes.find((each) => each.call === nth)?.when ?? null;
		const surroundings = { calls: this.calls, chance: this.chance, trace: this.trace, emit: this.emit };
		this.clusters = scenario.clusters.map((shape) => new Cluster(shape, surroundings));
		this.schedulers.push(new Scheduler(this, first, scenario.settings[0]));
	}

	get now(): number {
		return this.calls.now;
	}

	/** Milliseconds since the beginning. */
	get elapsedMs(): number {
		return this.calls.now - this.scenario.startAt;
	}

	cluster(name: string): Cluster | undefined {
		return this.clusters.find((each) => each.name === name);
	}

	scheduler(us: string): Scheduler | undefined {
		return this.schedulers.find((each) => each.us === us);
	}

	addScheduler(us: string): void {
		if (this.scheduler(us) === undefined) this.schedulers.push(new Scheduler(this, us, this.scenario.settings[0]));
	}

	/** Nothing goes wrong any more: what was away is back, and people have seen to what only people can. */
	becomeCalm(): void {
		this.calm = true;
		this.fates.calm = true;
		this.trace.note(this.now, "", "it becomes calm");
		for (const scheduler of this.schedulers) {
			scheduler.silentUntil = this.now;
			scheduler.rows.ready(this.now);
		}
		for (const cluster of this.clusters) {
			clearUp(cluster);
			const { holder } = cluster.owner;
			const ours = holder === null || this.scheduler(holder) !== undefined;
			if (!ours && this.chance.happens(`owner of ${cluster.name}`, 0.7)) cluster.owner.write(first);
		}
	}

	/** Until the timer fires next: a minute; in quiet times now and then, as if most of its firings were missed. */
	timerEveryMs(): number {
		return this.calm && !this.#busy() ? 4 * 60_000 : 60_000;
	}

	#busy(): boolean {
		return this.clusters.some((cluster) => {
			for (const node of cluster.nodes.values()) if (node.facts.mark.kind !== "none" || node.machine.needsReboot) return true;
			return false;
		});
	}
}
