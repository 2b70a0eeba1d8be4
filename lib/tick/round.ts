// One invocation of the timer: every cluster is ticked side by side, those with something in flight again and again until the time is over.
// A cluster that hangs costs the others nothing but a slot.
import type { ClusterTarget } from "../plan/policy.ts";
import { ClusterState } from "./cluster-state.ts";
import { namesByUid, readFleet, sameTarget, writeRound } from "./fleet.ts";
import { Journal } from "./journal.ts";
import { type Configuration, type TickResult, tick } from "./tick.ts";
import type { World } from "./world.ts";

/** What a process keeps between rounds. Losing it costs requests, nothing else. */
export class Worker {
	readonly id: string;
	/** Name of this scheduler: what the owner Lease of its clusters says. */
	readonly us: string;
	readonly clusters = new Map<string, ClusterState>();
	/** Names by the UID of their cluster. */
	readonly names = new Map<string, string>();

	constructor(id: string, us: string) {
		this.id = id;
		this.us = us;
	}

	stateOf(cluster: string): ClusterState {
		const state = this.clusters.get(cluster) ?? new ClusterState();
		this.clusters.set(cluster, state);
		return state;
	}
}

export interface RoundLimits {
	/** Ticks begun after this are none. */
	readonly roundMs: number;
	/** Between two looks at a cluster with something in flight. */
	readonly inFlightEveryMs: number;
	/** Clusters looked at side by side; those that failed last time share a quarter of it. */
	readonly atOnce: number;
	/** A cluster that failed so often in a row fails the invocation. */
	readonly failuresToReport: number;
	/** The timer came late, for the journal. */
	readonly late: boolean;
}

export const roundLimits: RoundLimits = { roundMs: 55_000, inFlightEveryMs: 3_000, atOnce: 40, failuresToReport: 5, late: false };

export interface Round {
	/** The last result of each cluster. */
	readonly results: ReadonlyMap<string, TickResult>;
	/** Clusters that failed so often in a row, or by a bug of ours, that somebody has to know. */
	readonly failing: readonly { readonly cluster: string; readonly why: string; readonly bug: boolean }[];
}

interface Job {
	readonly target: ClusterTarget;
	readonly configured: boolean;
	/** The cluster that has this name now, and waits until nothing of the one before it is in flight. */
	readonly successor: ClusterTarget | null;
}

/**
 * Every cluster of the settings, and those that were dropped from them with something in flight. So is one whose name another cluster has
 * now: looked for there, its nodes would seem gone, and their cordons would stay.
 */
function jobsOf(configuration: Configuration, worker: Worker): readonly Job[] {
	const configured = configuration.clusters.map((target): Job => {
		const row = worker.clusters.get(target.name)?.fleetRow;
		if (row?.inFlight === true && !sameTarget(row.target, target)) return { target: row.target, configured: false, successor: target };
		return { target, configured: true, successor: null };
	});
	const names = new Set(configured.map(({ target }) => target.name));
	const dropped = [...worker.clusters.values()].flatMap(({ fleetRow }): Job[] =>
		fleetRow?.inFlight === true && !names.has(fleetRow.target.name) ? [{ target: fleetRow.target, configured: false, successor: null }] : [],
	);
	return [...configured, ...dropped];
}

/** Gives the ETag of the last round's row. */
async function learnFleet(world: World, worker: Worker, clusters: readonly ClusterTarget[]): Promise<string | null> {
	const { rows, round: last } = await readFleet(world.table);
	for (const [name, row] of rows) {
		const state = worker.stateOf(name);
		state.fleetRow = row;
		state.summary = state.summaryIn(row);
	}
	for (const [name, state] of worker.clusters) if (!rows.has(name)) state.fleetRow = null;
	worker.names.clear();
	for (const [uid, name] of namesByUid(rows, clusters)) worker.names.set(uid, name);
	return last?.etag ?? null;
}

/**
 * A slot for each tick. Clusters that failed last time share a quarter of the slots, so that a hundred dead ones do not keep the living
 * waiting.
 */
class Slots {
	readonly #free: { living: number; failed: number };
	readonly #waiting: { living: (() => void)[]; failed: (() => void)[] } = { living: [], failed: [] };

	constructor(atOnce: number) {
		const failed = Math.max(1, Math.floor(atOnce / 4));
		this.#free = { living: Math.max(1, atOnce - failed), failed };
	}

	async with<T>(kind: "living" | "failed", work: () => Promise<T>): Promise<T> {
		if (this.#free[kind] > 0) this.#free[kind]--;
		else await new Promise<void>((resume) => this.#waiting[kind].push(resume));
		try {
			return await work();
		} finally {
			const next = this.#waiting[kind].shift();
			if (next === undefined) this.#free[kind]++;
			else next();
		}
	}
}

/**
 * One round; `stop` ends it after the looks that are under way. Throws only where no cluster could be looked at, because the table cannot be read.
 */
export async function round(world: World, worker: Worker, configuration: Configuration, limits: RoundLimits = roundLimits, stop?: AbortSignal): Promise<Round> {
	const journal = new Journal(world.journal);
	const startedAt = world.clock.now();
	for (const problem of configuration.problems) journal.write("settings.wrong", problem);
	const roundEtag = await learnFleet(world, worker, configuration.clusters);
	const jobs = jobsOf(configuration, worker);
	journal.write("round.started", { clusters: jobs.length, worker: worker.id, late: limits.late });
	const slots = new Slots(limits.atOnce);
	const results = new Map<string, TickResult>();
	let looks = 0;
	const left = () => limits.roundMs - (world.clock.now() - startedAt);
	const work = async (job: Job) => {
		let { target, configured, successor } = job;
		const state = worker.stateOf(target.name);
		for (;;) {
			const result = await slots.with(state.failures > 0 ? "failed" : "living", () =>
				tick({ world, worker: worker.id, us: worker.us, target, configuration, configured, state, names: worker.names }),
			);
			results.set(target.name, result);
			looks++;
			if (result.kind === "excused" && result.gone && successor !== null) {
				// With the cluster its nodes are gone: nothing of it is left to bring back, and its name is free.
				[target, configured, successor] = [successor, true, null];
				continue;
			}
			if (!again(result) || left() <= limits.inFlightEveryMs || stop?.aborted) return;
			await world.clock.wait(limits.inFlightEveryMs, stop);
		}
	};
	const settled = await Promise.allSettled(jobs.map(work));
	const tookMs = world.clock.now() - startedAt;
	const failed = [...results.values()].filter((each) => each.kind === "failed").length;
	report(journal, results, looks, failed, tookMs);
	await writeRound(world.table, roundEtag, { worker: worker.id, clusters: results.size, failed, tookMs });
	for (const each of settled) if (each.status === "rejected") throw each.reason;
	return { results, failing: failing(worker, results, limits.failuresToReport) };
}

/** What moves is looked at again within the round; what failed or is another's waits for the next one. */
function again(result: TickResult): boolean {
	switch (result.kind) {
		case "looked":
			return result.toBegin || result.inFlight.some((each) => each.phase !== "stuck");
		case "lost":
			return true;
		case "heldByOther":
		case "excused":
		case "failed":
			return false;
		default: {
			const never: never = result;
			return never;
		}
	}
}

function report(journal: Journal, results: ReadonlyMap<string, TickResult>, looks: number, failed: number, tookMs: number): void {
	const all = [...results.values()];
	const looked = all.filter((each) => each.kind === "looked");
	const inFlight = looked.reduce((sum, each) => sum + each.inFlight.length, 0);
	const waiting = looked.reduce((sum, each) => sum + each.summary.waitingCount, 0);
	journal.write("round.ended", { clusters: all.length, looks, failed, inFlight, waiting, tookMs });
}

function failing(worker: Worker, results: ReadonlyMap<string, TickResult>, failures: number): Round["failing"] {
	return [...results].flatMap(([cluster, result]) =>
		result.kind === "failed" && (result.bug || worker.stateOf(cluster).failures >= failures) ? [{ cluster, why: result.why, bug: result.bug }] : [],
	);
}
