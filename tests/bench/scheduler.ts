// A scheduler process on one cluster, as the benches use it.
import { type Remote, startRemote } from "./processes.ts";
import type { Looked, Memory } from "./scheduler-process.ts";

export const always = { MAINTENANCE_WINDOWS: "always", DRAIN_TIMEOUT: "24h" };
/** Three days from now. */
export const closed = { MAINTENANCE_WINDOWS: `${["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][(new Date().getUTCDay() + 3) % 7]} 11:00-13:00 UTC` };

/** Where its rows are; everything else is in the process. */
export interface Place {
	/** The bundled scheduler. */
	readonly program: string;
	readonly connectionString: string;
}

/** One scheduler process on one cluster. */
export class Scheduler {
	readonly remote: Remote;
	readonly #place: Place;
	readonly #table: string;

	constructor(place: Place, table: string) {
		this.#place = place;
		this.#table = table;
		this.remote = startRemote(place.program);
	}

	#env(windows: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
		return { CLUSTERS: "kubeconfig:bench", STATE_TABLE: this.#table, AzureWebJobsStorage: this.#place.connectionString, ...windows };
	}

	async open(kubeconfig: string): Promise<void> {
		await this.remote.call("open", { env: this.#env(closed), kubeconfig });
	}

	async windows(windows: Readonly<Record<string, string>>): Promise<void> {
		await this.remote.call("configure", { env: this.#env(windows) });
	}

	look(): Promise<Looked> {
		return this.remote.call<Looked>("look");
	}

	async looks(count: number): Promise<Looked[]> {
		const all: Looked[] = [];
		for (let each = 0; each < count; each++) all.push(await this.look());
		return all;
	}

	memory(): Promise<Memory> {
		return this.remote.call<Memory>("memory");
	}
}
