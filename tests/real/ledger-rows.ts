// What the scheduler's table holds, read past the scheduler.
import { TableClient } from "@azure/data-tables";
import type { Scenario } from "./scenario.ts";

export interface RecordRow {
	readonly node: string;
	readonly phase: string;
}

/** Records of reboots in flight, of all clusters. */
export async function recordsIn(scenario: Scenario, table = "reboots"): Promise<RecordRow[]> {
	const rows = [...(await scenario.rows())].filter(([place]) => place.startsWith(`${table}/cluster-`) && place.split("/")[2]?.startsWith("reboot-"));
	return rows.map(([, row]) => JSON.parse(row) as RecordRow);
}

export function tableOf(scenario: Scenario, table = "reboots"): TableClient {
	return TableClient.fromConnectionString(scenario.azurite.connectionString, table, { allowInsecureConnection: true });
}
