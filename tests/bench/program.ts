// The published program by itself: how large it is, how long it takes to load, how long its page takes.
import { statSync } from "node:fs";
import { buildBundle, startHost } from "../functions/host.ts";
import { benchStatus } from "../functions/status-bench.ts";
import type { Figure } from "./figures.ts";

const times = 7;

export async function loading(): Promise<Figure[]> {
	const { app, remove } = await buildBundle();
	try {
		const loads: { readonly importMs: number; readonly importCpuMs: number; readonly rssBytes: number }[] = [];
		for (let each = 0; each < times; each++) {
			const host = await startHost(app, {});
			loads.push(host);
			await host.stop();
		}
		return [
			{ id: "bundle.bytes", what: "the bundled app", unit: "bytes", values: [statSync(app).size] },
			{ id: "bundle.import.ms", what: "import of the bundle", unit: "ms", values: loads.map(({ importMs }) => importMs) },
			{ id: "bundle.import.cpu", what: "import of the bundle: processor time", unit: "ms", values: loads.map(({ importCpuMs }) => importCpuMs) },
			{ id: "bundle.import.memory", what: "resident memory after the import", unit: "bytes", values: loads.map(({ rssBytes }) => rssBytes) },
		];
	} finally {
		remove();
	}
}

export function page(): Figure[] {
	const [clusters, nodesEach] = [500, 4];
	benchStatus(clusters, nodesEach, 2);
	const runs = Array.from({ length: times }, () => benchStatus(clusters, nodesEach, 1));
	return [
		{ id: "page.ms", what: "page", unit: "ms", values: runs.map(({ htmlMs }) => htmlMs), atMost: 300 },
		{ id: "page.bytes", what: "page, not compressed", unit: "bytes", values: runs.map(({ htmlBytes }) => htmlBytes), atMost: 1e6 },
		{ id: "page.json.ms", what: "JSON", unit: "ms", values: runs.map(({ jsonMs }) => jsonMs) },
		{ id: "page.json.bytes", what: "JSON, not compressed", unit: "bytes", values: runs.map(({ jsonBytes }) => jsonBytes) },
		{ id: "page.metrics.ms", what: "metrics", unit: "ms", values: runs.map(({ metricsMs }) => metricsMs) },
		{ id: "page.metrics.bytes", what: "metrics, not compressed", unit: "bytes", values: runs.map(({ metricsBytes }) => metricsBytes) },
	];
}
