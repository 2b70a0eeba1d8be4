// S9: nothing that is on hold is admitted or rebooted.
import type { ControlHold } from "../../../lib/plan/model.ts";
import { controlKey, controlOf, isRecordKey, partitionOf, recordOf } from "../../../lib/tick/rows.ts";
import type { Change } from "../changes.ts";
import type { SchedulerProcess } from "../processes.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { Universe } from "../universe.ts";
import { type Checker, isTaken, lookMs, outOfTime } from "./checker.ts";
import { holds } from "./settings-meaning.ts";

export class HoldChecker implements Checker {
	readonly #universe: Universe;

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind === "nodePatched") {
			const begun = isTaken(change);
			// The patch carries the version of the node that was seen, however late it arrives: a hold that came since is another version.
			if (begun && change.node.facts.hold !== null) return `${change.node.facts.name} is cordoned, and its annotation holds it`;
			if (!begun || outOfTime(this.#universe, change, change.cluster)) return null;
			return this.#held(change.cluster, change.node, change.by, lookMs, "is cordoned");
		}
		if (change.kind === "rebootPodCreated") {
			const { node } = change;
			if (node === null || outOfTime(this.#universe, change, change.cluster)) return null;
			const since = node.heldSince;
			if (since !== null && this.#universe.now - since > lookMs) return `${node.facts.name} is asked to reboot, and its annotation has held it for a minute`;
			return this.#held(change.cluster, node, change.by, lookMs, "is asked to reboot");
		}
		return change.kind === "rowsWritten" ? this.#admitted(change) : null;
	}

	/** By a setting of the process that acts, or by people for longer than a look. */
	#held(cluster: Cluster, node: ApiNode, by: SchedulerProcess, knownMs: number, what: string): string | null {
		const { name, pool } = node.facts;
		const { environment, configuration } = by;
		if (configuration.settings === null) return `${name} ${what}, and the settings are wrong`;
		if (environment.DRY_RUN === "true") return `${name} ${what} in a dry run`;
		if (!configuration.clusters.some((each) => each.name === cluster.name)) return `${name} ${what}, and ${cluster.name} is not in CLUSTERS`;
		const [hold] = holds(environment, cluster.name, pool);
		if (hold !== undefined) return `${name} ${what}, and HOLD says ${hold}`;
		const { now } = this.#universe;
		const row = this.#universe.scheduler(by.us)?.rows.rows(partitionOf(cluster.name)).get(controlKey);
		const control = row === undefined ? null : controlOf(row.values);
		const held = (control?.holds ?? []).find((each) => covers(each, name, pool, now) && now - each.at > knownMs);
		return held === undefined ? null : `${name} ${what}, and ${held.by} holds it: ${held.reason}`;
	}

	/** The admission carries the row's ETag: a hold that was written before it wins. */
	#admitted({ by, partition, writes, before, table }: Extract<Change, { kind: "rowsWritten" }>): string | null {
		if (!writes.some(({ kind, key }) => kind === "insert" && isRecordKey(key))) return null;
		// As it was before: who writes it without its ETag writes the hold away.
		const row = before.get(controlKey) ?? table.rows(partition).get(controlKey);
		const control = row === undefined ? null : controlOf(row.values);
		if (control === null || control.holds.length === 0) return null;
		for (const write of writes) {
			if (!isRecordKey(write.key) || write.kind !== "insert" || before.get(write.key)) continue;
			const inserted = table.rows(partition).get(write.key);
			const read = inserted === undefined ? null : recordOf(inserted);
			// What is adopted is not admitted: it is brought back.
			if (read?.kind !== "record" || read.reboot.adopted) continue;
			const { node } = read.reboot;
			// The hold runs out by the time of the look, which is not later than now.
			const held = control.holds.find((each) => covers(each, node.name, node.pool, this.#universe.now));
			if (held !== undefined) return `${by.id} admits ${node.name}, and ${held.by} holds it: ${held.reason}`;
		}
		return null;
	}
}

function covers({ node, pool, until }: ControlHold, name: string, ofPool: string, now: number): boolean {
	return (node === null || node === name) && (pool === null || pool === ofPool) && (until === null || now < until);
}
