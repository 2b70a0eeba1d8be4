// How long the page of a large fleet takes to make, and how large it is. The figures are asked for by others; nothing here is a test.
import { answerMetrics, answerStatus, type FleetRead } from "../../lib/status/answer.ts";
import type { Answer, Asked } from "../../lib/status/exchange.ts";
import type { About } from "../../lib/status/status.ts";
import type { FleetRow } from "../../lib/tick/rows.ts";
import { drainingNode, endedNode, minutesAgo, now, rowOf, settingsOf, stuckCluster, unreachableCluster, waitingNode } from "./fleet-rows.ts";

const packages = ["linux-image-6.8.0-1031-azure", "linux-base", "libc6", "libssl3t64", "systemd"];

/** As AKS names them. */
function nodeName(pool: string, cluster: number, node: number): string {
	return `aks-${pool}-${String(10_000_000 + cluster * 7_919).slice(0, 8)}-vmss${node.toString(36).toUpperCase().padStart(6, "0")}`;
}

/** On patch day: nodes of two pools wait, for room or for their window; every tenth cluster is at work, two need a person. */
function busyCluster(index: number, nodes: number): FleetRow {
	const name = `prod-${String(index).padStart(3, "0")}`;
	if (index === 7) return stuckCluster(name);
	if (index === 8) return unreachableCluster(name);
	const atWork = index % 10 === 0;
	const waiting = Array.from({ length: nodes }, (_, i) => {
		const pool = i % 2 === 0 ? "work" : "system";
		const place = pool === "work" ? Math.floor(i / 2) + 1 : null;
		const behind = place !== null && place > 1 ? `; it is number ${place} in line; ${nodeName(pool, index, 0)} is first` : "";
		const why =
			pool === "work"
				? `the cluster has room for 1 (MAX_CONCURRENT), taken by ${nodeName(pool, index, 99)}${behind}`
				: "its window is closed and opens at 2026-11-28T02:00:00Z";
		return waitingNode(nodeName(pool, index, i), { pool, since: minutesAgo(600 + i), kernel: "6.8.0-1030-azure", packages, place, why });
	});
	const ended = [endedNode(nodeName("work", index, 98)), endedNode(nodeName("work", index, 97))];
	const inFlight = atWork ? [drainingNode(nodeName("work", index, 99))] : [];
	return rowOf(name, { waiting, waitingCount: nodes, inFlight, ended }, atWork);
}

export function largeFleet(clusters: number, nodesEach: number): { readonly fleet: FleetRead; readonly about: About } {
	const rows = Array.from({ length: clusters }, (_, index) => busyCluster(index, nodesEach));
	const names = rows.map(({ target }) => target.name);
	const round = { endedAt: minutesAgo(0.5), worker: "worker", clusters, failed: 1, tookMs: 21_000 };
	return {
		fleet: { kind: "read", rows, round, at: now, unreadable: [] },
		about: { clusters: names, problems: [], dryRun: false, settings: settingsOf(names) },
	};
}

export interface StatusFigures {
	readonly htmlMs: number;
	/** Processor time of the same: on a busy machine the figure that means something. */
	readonly htmlCpuMs: number;
	readonly htmlBytes: number;
	readonly jsonMs: number;
	readonly jsonBytes: number;
	readonly metricsMs: number;
	readonly metricsBytes: number;
}

/** The best of `times`, after one that is not counted. */
export function benchStatus(clusters = 500, nodesEach = 4, times = 5): StatusFigures {
	const { fleet, about } = largeFleet(clusters, nodesEach);
	const asked = (query: string): Asked => ({ method: "GET", query: new URLSearchParams(query), header: () => null, body: "" });
	const measured = (answer: () => Answer) => {
		answer();
		let best = Number.POSITIVE_INFINITY;
		let bestCpu = Number.POSITIVE_INFINITY;
		let bytes = 0;
		for (let i = 0; i < times; i++) {
			const startedAt = performance.now();
			const before = process.cpuUsage();
			bytes = Buffer.byteLength(answer().body);
			best = Math.min(best, performance.now() - startedAt);
			const { user, system } = process.cpuUsage(before);
			bestCpu = Math.min(bestCpu, (user + system) / 1_000);
		}
		return { ms: Math.round(best), cpuMs: Math.round(bestCpu), bytes };
	};
	const page = measured(() => answerStatus(asked(""), fleet, about));
	const json = measured(() => answerStatus(asked("format=json"), fleet, about));
	const metrics = measured(() => answerMetrics(asked(""), fleet, about));
	return {
		htmlMs: page.ms,
		htmlCpuMs: page.cpuMs,
		htmlBytes: page.bytes,
		jsonMs: json.ms,
		jsonBytes: json.bytes,
		metricsMs: metrics.ms,
		metricsBytes: metrics.bytes,
	};
}
