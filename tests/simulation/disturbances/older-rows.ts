// Rows as an earlier release wrote them: without what was added since, which has to be read as none (rows.ts, summary.ts).
import { fleetPartition, isRecordKey, textOf, textValues } from "../../../lib/tick/rows.ts";
import type { Row } from "../../../lib/tick/world.ts";
import type { MemoryRows } from "../universe/table.ts";

/** Of a summary; and of each node in its lists. */
const newInSummary = ["endedCut", "counts", "requests", "holds", "notOwner"];
const newInLists = ["place", "drainTimeoutAction", "pool", "foundCordoned", "timeline"];

export function writeAsBefore(rows: MemoryRows, now: number): void {
	for (const partition of [...rows.partitions()]) {
		for (const row of [...rows.rows(partition).values()]) {
			const values = partition === fleetPartition ? fleetValuesOf(row) : isRecordKey(row.key) ? recordValuesOf(row) : null;
			if (values !== null) rows.put(partition, row.key, values, now);
		}
	}
}

/** A record of somebody's request stays as it is: there were none. */
function recordValuesOf({ values }: Row): Row["values"] {
	const { request, ...others } = JSON.parse(textOf(values, "json"));
	return request ? values : { ...values, ...textValues("json", JSON.stringify(others)) };
}

/** Null: no cluster's. */
function fleetValuesOf({ values }: Row): Row["values"] | null {
	const text = textOf(values, "summary");
	if (text === "") return null;
	const summary = without(JSON.parse(text), newInSummary);
	for (const list of ["waiting", "inFlight", "ended"])
		summary[list] = (summary[list] as Record<string, unknown>[]).map((each) =>
			without(
				each,
				newInLists.filter((name) => list === "ended" || (name !== "pool" && name !== "timeline")),
			),
		);
	return { ...without(values, ["clusterUid"]), ...textValues("summary", JSON.stringify(summary)) } as Row["values"];
}

function without(of: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
	return Object.fromEntries(Object.entries(of).filter(([name]) => !names.includes(name)));
}
