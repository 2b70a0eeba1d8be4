// What a worker keeps of a cluster between ticks.
import type { ClusterTarget } from "../plan/policy.ts";
import { sameTarget } from "./fleet.ts";
import type { RowsRead } from "./ledger.ts";
import { ClusterCache } from "./observe.ts";
import type { FleetRow } from "./rows.ts";
import { type ClusterSummary, emptySummary, parseSummary } from "./summary.ts";

/** Losing it costs requests, nothing else. */
export class ClusterState {
	cache = new ClusterCache();
	/** Of its partition, in the last look. */
	rowsRead: RowsRead = new Map();
	fleetRow: FleetRow | null = null;
	summary: ClusterSummary = emptySummary;
	/** The cluster that this is about: a name can be given to another one. */
	#target: ClusterTarget | null = null;
	/** Failed ticks in a row. */
	failures = 0;
	/** What was last told of each waiting node and of the cluster, so that only changes are told. */
	told = new Map<string, string>();

	#parsed = { text: "", summary: emptySummary };
	/** The summary that a row of the fleet holds: most rounds find the very text that they wrote. */
	summaryIn({ summary: text }: FleetRow): ClusterSummary {
		if (this.#parsed.text !== text) this.#parsed = { text, summary: parseSummary(text) };
		return this.#parsed.summary;
	}

	/** The row of the fleet holds this text now, and need not be read to know what it says. */
	wrote(text: string, summary: ClusterSummary): void {
		this.summary = summary;
		this.#parsed = { text, summary };
	}

	/** Forgets what was kept of another cluster of the same name. */
	isAbout(target: ClusterTarget): void {
		if (this.#target !== null && !sameTarget(this.#target, target)) {
			this.cache = new ClusterCache();
			this.told.clear();
			this.failures = 0;
		}
		this.#target = target;
		if (this.fleetRow !== null && !sameTarget(this.fleetRow.target, target)) this.summary = emptySummary;
	}

	/** What the `fleet` row says of how this very cluster is reached. A server of another one must never be taken for it. */
	remembered(target: ClusterTarget): Pick<FleetRow, "connection" | "clusterUid"> {
		const row = this.fleetRow;
		return row !== null && sameTarget(row.target, target) ? row : { connection: null, clusterUid: "" };
	}
}
