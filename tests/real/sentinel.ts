// The sentinel's script on a simulated node: reports on its own pod whether a reboot is needed.
import type { ApiClient } from "./api-client.ts";
import type { NodeSettings, RebootNeed } from "./kubelet-settings.ts";
import type { Pod } from "./objects.ts";
import type { Timers } from "./timers.ts";

export interface SentinelHost {
	readonly settings: NodeSettings;
	readonly client: ApiClient;
	readonly machineTimers: Timers;
	readonly bootId: string;
	/** An earlier boot, for a report that is stale. */
	readonly earlierBootId: string;
	readonly kernelVersion: string;
	readonly rebootNeed: RebootNeed | null;
	/** The node's network reaches the API server. */
	hasNetwork(): boolean;
}

export function isSentinelPod(pod: Pod): boolean {
	return pod.metadata.namespace === "aks-reboot-scheduler" && pod.metadata.labels?.app === "sentinel";
}

const retryMs = 1_000;

export class Sentinel {
	readonly #host: SentinelHost;
	readonly #pod: () => Pod;
	readonly #setReady: (ready: boolean) => void;
	#running = false;
	#writing = false;
	#changed = false;
	/** What this run of the script wrote last. */
	#written = "";

	constructor(host: SentinelHost, pod: () => Pod, setReady: (ready: boolean) => void) {
		this.#host = host;
		this.#pod = pod;
		this.#setReady = setReady;
	}

	start(): void {
		this.#running = true;
		this.#written = "";
		this.changed();
	}

	stop(): void {
		this.#running = false;
	}

	changed(): void {
		this.#host.machineTimers.after(this.#host.settings.sentinelMs, () => void this.#report());
	}

	async #report(): Promise<void> {
		if (!this.#running) return;
		if (this.#writing) {
			this.#changed = true;
			return;
		}
		this.#writing = true;
		this.#changed = false;
		const said = this.#host.settings.sentinel !== "silent" && (await this.#write());
		this.#writing = false;
		if (!this.#running) return;
		// Readiness says: I could look and report.
		this.#setReady(said);
		if (this.#changed) return this.#report();
		if (!said && this.#host.settings.sentinel !== "silent") this.#host.machineTimers.after(retryMs, () => void this.#report());
	}

	async #write(): Promise<boolean> {
		if (!this.#host.hasNetwork()) return false;
		const { namespace, name, uid } = this.#pod().metadata;
		const text = this.#text();
		if (text === this.#written) return true;
		const metadata = {
			uid,
			labels: { "aks-reboot-scheduler/reboot-required": this.#host.rebootNeed === null ? null : "true" },
			annotations: { "aks-reboot-scheduler/report": text },
		};
		try {
			await this.#host.client.patch(`/api/v1/namespaces/${namespace}/pods/${name}`, { metadata });
			this.#written = text;
			return true;
		} catch {
			return false;
		}
	}

	#text(): string {
		const { settings, rebootNeed, bootId, earlierBootId, kernelVersion } = this.#host;
		const report = {
			bootId: settings.sentinel === "stale" ? earlierBootId : bootId,
			since: rebootNeed === null ? null : `${rebootNeed.since.toISOString().slice(0, 19)}Z`,
			kernel: kernelVersion,
			packages: rebootNeed?.packages ?? [],
		};
		const text = JSON.stringify(report);
		return settings.sentinel === "garbled" ? text.slice(0, text.length / 2) : text;
	}
}
