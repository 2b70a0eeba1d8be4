// The row of a cluster in partition `fleet`: that reboots may be in flight there, how to reach it, and what people see of it.
import { type ClusterTarget, targetId } from "../plan/policy.ts";
import { CallError } from "./call-error.ts";
import { type FleetRow, fleetOf, fleetPartition, fleetValues } from "./rows.ts";
import type { Table } from "./world.ts";

/** A summary that says the same is written again after this, so that its age tells whether ticks go on. */
export const summaryEveryMs = 5 * 60_000;

/** Names can be given to another cluster: what a row says of one is nothing about the other. (Azure's ids are the same in any case.) */
export function sameTarget(one: ClusterTarget, other: ClusterTarget): boolean {
	const id = (target: ClusterTarget) => (target.kind === "aks" ? targetId(target).toLowerCase() : targetId(target));
	return id(one) === id(other);
}

export async function readFleet(table: Table): Promise<ReadonlyMap<string, FleetRow>> {
	const { rows } = await table.query(fleetPartition);
	return new Map(
		rows.flatMap((row) => {
			const read = fleetOf(row);
			return read === null ? [] : [[row.key, read] as const];
		}),
	);
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
			const conflict = error.failure === "precondition" || error.failure === "conflict" || error.failure === "notFound";
			if (!conflict && !error.mayHaveApplied) throw error;
			current = (await readFleet(table)).get(key) ?? null;
			if (current !== null && current.fence === next.fence && current.summary === next.summary && current.inFlight === next.inFlight)
				return { kind: "written", row: current };
		}
	}
	return { kind: "overtaken", row: current };
}
