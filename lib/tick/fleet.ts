// The row of a cluster in partition `fleet`: that reboots may be in flight there, how to reach it, and what people see of it.
import type { Instant } from "../plan/model.ts";
import { type ClusterTarget, targetId } from "../plan/policy.ts";
import { CallError, isWriteConflict } from "./call-error.ts";
import { type FleetRow, fleetOf, fleetPartition, fleetValues, type RoundRow, roundKey, roundValues } from "./rows.ts";
import type { Row, Table } from "./world.ts";

/** A summary that says the same is written again after this, so that its age tells whether ticks go on. */
export const summaryEveryMs = 5 * 60_000;

/** Names can be given to another cluster: what a row says of one is nothing about the other. (Azure's ids are the same in any case.) */
export function sameTarget(one: ClusterTarget, other: ClusterTarget): boolean {
	const id = (target: ClusterTarget) => (target.kind === "aks" ? targetId(target).toLowerCase() : targetId(target));
	return id(one) === id(other);
}

export interface Fleet {
	/** By the service's clock. */
	readonly at: Instant;
	/** By name. */
	readonly rows: ReadonlyMap<string, FleetRow>;
	/** Keys of rows that cannot be read. */
	readonly unreadable: readonly string[];
	/** The last round; null where none has ended yet. */
	readonly round: Row | null;
}

/**
 * Partition `fleet`, by one query.
 *
 * @throws CallError
 */
export async function readFleet(table: Table): Promise<Fleet> {
	const { rows, at } = await table.query(fleetPartition);
	const round = rows.find((row) => row.key === roundKey) ?? null;
	const read = rows.filter((row) => row !== round).map((row) => ({ key: row.key, fleetRow: fleetOf(row) }));
	return {
		at,
		rows: new Map(read.flatMap(({ key, fleetRow }) => (fleetRow === null ? [] : [[key, fleetRow] as const]))),
		unreadable: read.flatMap(({ key, fleetRow }) => (fleetRow === null ? [key] : [])),
		round,
	};
}

/**
 * The name under which each cluster is looked at, by its UID, where the settings have more than one for it. Where reboots are in flight the name
 * stays, also one that was dropped from the settings; then in the order of the settings.
 */
export function namesByUid(rows: ReadonlyMap<string, FleetRow>, clusters: readonly ClusterTarget[]): ReadonlyMap<string, string> {
	const names = new Map<string, string>();
	const ofSettings = clusters.flatMap((target) => {
		const row = rows.get(target.name);
		return row !== undefined && sameTarget(row.target, target) ? [row] : [];
	});
	const known = [...[...rows.values()].filter((row) => row.inFlight), ...ofSettings];
	for (const { clusterUid, target } of known) if (clusterUid !== "" && !names.has(clusterUid)) names.set(clusterUid, target.name);
	return names;
}

/**
 * Says that a round has ended, so that people see when ticks have stopped. Who was overtaken leaves it: another round has just said the same.
 * Not being able to write it is no failure of the round.
 */
export async function writeRound(table: Table, etag: string | null, row: Omit<RoundRow, "endedAt">): Promise<void> {
	const values = roundValues(row);
	try {
		await table.transact(fleetPartition, [etag === null ? { kind: "insert", key: roundKey, values } : { kind: "replace", key: roundKey, values, etag }]);
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
	}
}

export type FleetWrite = { readonly kind: "written"; readonly row: FleetRow } | { readonly kind: "overtaken"; readonly row: FleetRow | null };

/**
 * Writes the row with its ETag. A row with a higher fence is a newer worker's and stays. After a conflict it is read back, once: the same
 * content means that it was ours. `attempts`: 1 for who does not hold the lease, and so may know less than what would be replaced.
 */
export async function writeFleet(table: Table, before: FleetRow | null, next: Omit<FleetRow, "etag" | "writtenAt">, attempts: 1 | 2 = 2): Promise<FleetWrite> {
	const key = next.target.name;
	let current = before;
	for (let attempt = 0; attempt < attempts; attempt++) {
		if (current !== null && current.fence > next.fence) return { kind: "overtaken", row: current };
		const values = fleetValues(next);
		try {
			const write = current === null ? { kind: "insert" as const, key, values } : { kind: "replace" as const, key, values, etag: current.etag };
			const { etags, at } = await table.transact(fleetPartition, [write]);
			return { kind: "written", row: { ...next, etag: etags[0] ?? "", writtenAt: at } };
		} catch (error) {
			if (!(error instanceof CallError)) throw error;
			if (!isWriteConflict(error) && !error.mayHaveApplied) throw error;
			current = (await readFleet(table)).rows.get(key) ?? null;
			if (current !== null && current.fence === next.fence && current.summary === next.summary && current.inFlight === next.inFlight)
				return { kind: "written", row: current };
		}
	}
	return { kind: "overtaken", row: current };
}
