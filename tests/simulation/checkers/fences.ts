// S6: a worker whose lease has passed on can no longer write. Fences never go back, and no row is written without the lease.
import { leaseMs, renewEveryMs } from "../../../lib/tick/lease.ts";
import { fleetPartition, isRecordKey, leaseKey, partitionOf } from "../../../lib/tick/rows.ts";
import type { Change } from "../changes.ts";
import type { Universe } from "../universe.ts";
import type { Checker } from "./checker.ts";

type Written = Extract<Change, { kind: "rowsWritten" }>;

/** How far a worker's clock may run slow meanwhile. */
const toleranceMs = 100;

export class FenceChecker implements Checker {
	readonly #universe: Universe;
	/** The highest fence of each partition. */
	readonly #fences = new Map<string, number>();

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind === "sent") return this.#sent(change);
		if (change.kind !== "rowsWritten") return null;
		return change.partition === fleetPartition ? this.#fleet(change) : this.#cluster(change);
	}

	/** An act is sent only under a lease that was renewed just before: so it has ended before the lease does. A clock that stood still cannot know. */
	#sent({ by, cluster, method }: Extract<Change, { kind: "sent" }>): string | null {
		const rows = this.#universe.scheduler(by.us)?.rows;
		if (rows === undefined || by.clock.stoodStill || rows.losses.length > 0) return null;
		const lease = rows.lease(partitionOf(cluster.name));
		const agedMs = lease === null ? Number.POSITIVE_INFINITY : this.#universe.now - lease.writtenAt;
		if (lease?.holder === by.id && agedMs <= renewEveryMs + toleranceMs) return null;
		return `${by.id} sends ${method} to ${cluster.name}, and its lease ${lease?.holder === by.id ? `is ${agedMs} ms old` : `has passed on to ${lease?.holder}`}`;
	}

	#cluster({ by, partition, table, writes, leaseBefore }: Written): string | null {
		const { now } = this.#universe;
		const lease = table.lease(partition);
		if (lease === null || lease.holder !== by.id || !writes.some((each) => each.key === leaseKey)) return `${by.id} writes to ${partition} without its lease`;
		if (leaseBefore !== null && leaseBefore.holder !== by.id && now - leaseBefore.writtenAt < leaseMs - 1_000) {
			return `${by.id} writes to ${partition}, and ${leaseBefore.holder} holds the lease`;
		}
		if (leaseBefore !== null && leaseBefore.holder !== by.id && lease.fence <= leaseBefore.fence)
			return `the fence of ${partition} did not grow with its holder`;
		const highest = `${by.us} ${partition}`;
		// With the table the fence is lost; a row of the fleet keeps it when the lease row alone is.
		const lost = table.losses.length > 0;
		if (!lost && lease.fence < (this.#fences.get(highest) ?? 0))
			return `the fence of ${partition} went back from ${this.#fences.get(highest)} to ${lease.fence}`;
		this.#fences.set(highest, lease.fence);
		return this.#records(writes, leaseBefore, by.id);
	}

	/** A record is written over only by who has had the lease, or has just taken it, since it was read. */
	#records(writes: Written["writes"], leaseBefore: Written["leaseBefore"], by: string): string | null {
		const records = writes.filter((each) => isRecordKey(each.key));
		return records.length > 0 && leaseBefore?.holder !== by ? `${by} writes ${records.map((each) => each.key).join(", ")} before it has the lease` : null;
	}

	#fleet({ by, writes, before, table }: Written): string | null {
		for (const { key } of writes) {
			const next = table.rows(fleetPartition).get(key)?.values.fence;
			const last = before.get(key)?.values.fence;
			if (next !== undefined && last !== undefined && next < last) return `${by.id} writes the fleet's row of ${key} with fence ${next}, and it had ${last}`;
		}
		return null;
	}
}
