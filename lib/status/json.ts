// The status for programs. Versioned: fields are added, and the version changes when one means something else or goes.
import type { Instant } from "../plan/model.ts";
import type { ClusterStatus, Status } from "./status.ts";

function iso(at: Instant): string {
	return new Date(at).toISOString();
}

function isoOrNull(at: Instant | null): string | null {
	return at === null ? null : iso(at);
}

function clusterJson(cluster: ClusterStatus) {
	const { name, configured, seenAt, stale, needPerson, waiting, waitingCount, inFlight, silent, reasons, notOwner, failure, failures, ended } = cluster;
	return {
		name,
		configured,
		seenAt: isoOrNull(seenAt),
		stale,
		reasons,
		notOwner,
		failure,
		failures,
		silentSentinels: silent,
		needPerson,
		waitingCount,
		waiting: waiting.map((each) => ({ ...each, since: isoOrNull(each.since) })),
		inFlight: inFlight.map(({ node, pool, phase, since, deadline, kernel, stuck, why, timeline }) => ({
			node,
			pool,
			phase,
			since: iso(since),
			deadline: isoOrNull(deadline),
			kernel,
			needsPerson: stuck,
			why,
			timeline: timeline.map((each) => ({ phase: each.phase, at: iso(each.at) })),
		})),
		ended: ended.map((each) => ({ ...each, at: iso(each.at) })),
	};
}

/** Instants are ISO 8601 in UTC. */
export function renderJson(status: Status): string {
	const { version, at, problems, dryRun, totals, clusters, unreadable } = status;
	return JSON.stringify({ version, at: iso(at), problems, dryRun, totals, clusters: clusters.map(clusterJson), unreadable });
}

/** What programs get when the table cannot be read. */
export function renderJsonError(why: string): string {
	return JSON.stringify({ version: 1, error: why });
}
