// What an API server counts itself (`/metrics`, the Prometheus text format).
import type { ApiClient } from "../real/api-client.ts";

interface Sample {
	readonly labels: ReadonlyMap<string, string>;
	readonly value: number;
}

/** All samples of one scrape, by the metric's name. */
export class ServerMetrics {
	readonly #samples = new Map<string, Sample[]>();

	constructor(text: string) {
		for (const [, name = "", labels = "", value] of text.matchAll(/^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/gm)) {
			const sample = { labels: new Map([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", of = ""]) => [key, of])), value: Number(value) };
			this.#samples.set(name, [...(this.#samples.get(name) ?? []), sample]);
		}
	}

	static async of(api: ApiClient): Promise<ServerMetrics> {
		return new ServerMetrics(await api.get<string>("/metrics"));
	}

	/** Of every sample that has all these labels; 0 where there is none (yet). */
	sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
		const wanted = Object.entries(labels);
		const fit = (this.#samples.get(name) ?? []).filter((sample) => wanted.every(([key, value]) => sample.labels.get(key) === value));
		return fit.reduce((total, { value }) => total + value, 0);
	}
}
