// The status for Prometheus, in its text format (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
import { ends, type Phase, phases } from "../plan/model.ts";
import type { ClusterStatus, Status } from "./status.ts";

export interface MetricsOptions {
	/** Also kured's own gauge, for dashboards and alerts that were built on it. */
	readonly kured: boolean;
}

interface Sample {
	/** Behind the family's name: `_sum` and `_count` of a summary. */
	readonly suffix?: "_sum" | "_count";
	readonly labels?: Readonly<Record<string, string>>;
	readonly value: number;
}

interface Family {
	readonly name: string;
	readonly type: "gauge" | "counter" | "summary";
	readonly help: string;
	readonly samples: readonly Sample[];
}

/** In label values the format escapes backslash, quote and line feed; a carriage return would end the line for some readers. */
function labelValue(text: string): string {
	return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n").replaceAll("\r", " ");
}

function sampleText(family: string, { suffix, labels = {}, value }: Sample): string {
	const name = suffix === undefined ? family : `${family}${suffix}`;
	const pairs = Object.entries(labels).map(([label, text]) => `${label}="${labelValue(text)}"`);
	return `${name}${pairs.length === 0 ? "" : `{${pairs.join()}}`} ${value}\n`;
}

function familyText({ name, type, help, samples }: Family): string {
	return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map((each) => sampleText(name, each)).join("")}`;
}

const prefix = "aks_reboot_scheduler";

function count(list: readonly { readonly pool: string | null }[]): ReadonlyMap<string, number> {
	const counts = new Map<string, number>();
	for (const { pool } of list) counts.set(pool ?? "", (counts.get(pool ?? "") ?? 0) + 1);
	return counts;
}

/** By pool; those that are cut from the list, and those whose pool is not known yet, have an empty one. */
function waitingSamples({ name, waiting, waitingCount }: ClusterStatus): readonly Sample[] {
	const pools = new Map([["", 0], ...count(waiting)]);
	pools.set("", (pools.get("") ?? 0) + waitingCount - waiting.length);
	return [...pools]
		.filter(([pool, value]) => pool !== "" || value > 0 || pools.size === 1)
		.map(([pool, value]) => ({ labels: { cluster: name, pool }, value }));
}

/** Also phases in which no node is: a series that comes and goes cannot be alerted on. */
function phaseSamples({ name, inFlight }: ClusterStatus): readonly Sample[] {
	return phases.map((phase) => ({ labels: { cluster: name, phase }, value: inFlight.filter((each) => each.phase === phase).length }));
}

function secondsSamples({ name, counts }: ClusterStatus): readonly Sample[] {
	const of = Object.entries(counts.phases) as [Phase, { readonly count: number; readonly totalMs: number }][];
	return of.flatMap(([phase, { count, totalMs }]): Sample[] => {
		const labels = { cluster: name, phase };
		return [
			{ suffix: "_sum", labels, value: totalMs / 1000 },
			{ suffix: "_count", labels, value: count },
		];
	});
}

function inPhaseSamples({ name, inFlight }: ClusterStatus, now: number): readonly Sample[] {
	return inFlight.map(({ node, phase, since }) => ({ labels: { cluster: name, node, phase }, value: Math.max(0, now - since) / 1000 }));
}

function fleetFamilies({ round, at, totals, problems, dryRun }: Status): readonly Family[] {
	const one = (name: string, help: string, value: number | null): Family => ({
		name: `${prefix}_${name}`,
		type: "gauge",
		help,
		samples: value === null ? [] : [{ value }],
	});
	return [
		one("clusters", "Clusters of the settings.", totals.clusters),
		one("settings_problems", "Problems of the settings: with any, nothing new begins.", problems.length),
		one("dry_run", "1 while DRY_RUN is true.", Number(dryRun)),
		one("round_age_seconds", "Since the last round over the fleet ended.", round === null ? null : Math.max(0, at - round.endedAt) / 1000),
		one("round_seconds", "How long the last round took.", round === null ? null : round.tookMs / 1000),
		one("round_clusters_failed", "Clusters that the last round could not look at.", round === null ? null : round.failed),
	];
}

/** Also of clusters that were never looked at. */
function seenFamilies(clusters: readonly ClusterStatus[]): readonly Family[] {
	const gauge = (name: string, help: string, value: (cluster: ClusterStatus) => number): Family => ({
		name: `${prefix}_${name}`,
		type: "gauge",
		help,
		samples: clusters.map((each) => ({ labels: { cluster: each.name }, value: value(each) })),
	});
	return [
		gauge("cluster_seen", "0 while the cluster could not be looked at lately, or never was: what is told of it is old.", (each) =>
			Number(!each.stale && each.failure === null),
		),
		gauge("look_failures", "Failed looks in a row.", (each) => each.failures),
	];
}

function clusterFamilies({ clusters, at }: Status): readonly Family[] {
	// Of a cluster that was never looked at nothing is known, and that is not 0.
	const known = clusters.filter(({ seenAt }) => seenAt !== null);
	const family = (name: string, help: string, samplesOf: (cluster: ClusterStatus) => readonly Sample[], type: Family["type"] = "gauge"): Family => ({
		name: `${prefix}_${name}`,
		type,
		help,
		samples: known.flatMap(samplesOf),
	});
	const gauge = (name: string, help: string, value: (cluster: ClusterStatus) => number | null) =>
		family(name, help, (each) => {
			const number = value(each);
			return number === null ? [] : [{ labels: { cluster: each.name }, value: number }];
		});
	return [
		...seenFamilies(clusters),
		family("nodes_waiting", "Nodes that ask for a reboot. Pool is empty where it is not known or the row has no room to list the node.", waitingSamples),
		gauge("nodes_held", "Nodes that ask for a reboot and are on hold.", (each) => each.heldCount),
		family("nodes_in_flight", "Reboots in flight.", phaseSamples),
		family("phase_age_seconds", "How long a node in flight is in its phase.", (each) => inPhaseSamples(each, at)),
		gauge("nodes_stuck", "Reboots in flight that need a person.", (each) => each.needPerson),
		gauge("sentinels_silent", "Sentinels that do not report: whether those nodes wait is not known.", (each) => each.silent),
		gauge("holds", "Holds in force, of the settings or asked for; annotations of nodes aside.", (each) => each.holds.length + each.settingHolds.length),
		gauge("look_age_seconds", "Since what is told of the cluster was seen. An idle cluster's row is written every five minutes.", (each) =>
			each.seenAgoMs === null ? null : each.seenAgoMs / 1000,
		),
		gauge("lease_fence", "Grows with every change of the worker that holds the cluster.", (each) => each.fence),
		family(
			"reboots_ended_total",
			"Reboots that ended, by how, since the cluster's row was made. One that ended just before a worker died may be missing.",
			({ name, counts }) => ends.map((end) => ({ labels: { cluster: name, end }, value: counts.ends[end] ?? 0 })),
			"counter",
		),
		family("phase_seconds", "How long the phases of reboots that ended took.", secondsSamples, "summary"),
	];
}

/** Phases in which the boot that asks has not ended, as far as is known. */
const stillAsks: readonly Phase[] = ["cordoning", "draining", "rebooting", "stuck"];

/** kured's gauge (https://kured.dev/docs/operation/#prometheus-metrics); nodes that do not wait are not known by name, and so are not there as 0. */
function kuredFamily({ clusters }: Status): Family {
	const nodes = (cluster: ClusterStatus) =>
		[...cluster.waiting, ...cluster.inFlight.filter(({ phase }) => stillAsks.includes(phase))].map(({ node }) => ({
			labels: { cluster: cluster.name, node },
			value: 1,
		}));
	return { name: "kured_reboot_required", type: "gauge", help: "OS requires reboot due to software updates.", samples: clusters.flatMap(nodes) };
}

export function renderMetrics(status: Status, { kured }: MetricsOptions): string {
	return [...fleetFamilies(status), ...clusterFamilies(status), ...(kured ? [kuredFamily(status)] : [])].map(familyText).join("");
}
