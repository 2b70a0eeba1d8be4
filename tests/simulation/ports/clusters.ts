// The port to all clusters of the universe, and to what ARM says of them.
import { type ClusterTarget, targetId } from "../../../lib/plan/policy.ts";
import type { Clusters, Connection } from "../../../lib/tick/world.ts";
import type { SchedulerProcess } from "../processes.ts";
import { aksFacts } from "../universe/arm.ts";
import type { Cluster } from "../universe/cluster.ts";
import { SimulatedApi } from "./cluster-api.ts";

export class SimulatedClusters implements Clusters {
	readonly #process: SchedulerProcess;
	readonly #clusters: readonly Cluster[];
	readonly #open = new Map<string, SimulatedApi>();

	constructor(process: SchedulerProcess, clusters: readonly Cluster[]) {
		this.#process = process;
		this.#clusters = clusters;
	}

	#cluster(target: ClusterTarget): Cluster {
		const found = this.#clusters.find((each) => targetId(each.target) === targetId(target));
		if (found === undefined) throw new Error(`the universe has no cluster ${targetId(target)}`);
		return found;
	}

	open(target: ClusterTarget, remembered?: Connection): SimulatedApi {
		const api = this.#open.get(targetId(target)) ?? new SimulatedApi(this.#process, this.#cluster(target), remembered);
		this.#open.set(targetId(target), api);
		return api;
	}

	async aks(target: ClusterTarget) {
		const cluster = this.#cluster(target);
		if (target.kind === "kubeconfig") return { kind: "notManaged" } as const;
		return this.#process.calls.call(this.#process, {
			port: "arm",
			method: "aks",
			target: cluster.name,
			cluster: cluster.name,
			write: false,
			doing: `reading cluster ${cluster.name} from ARM`,
			apply: () => aksFacts(cluster),
			told: (facts) => (facts.kind === "managed" ? `${facts.provisioningState} ${facts.powerState}` : facts.kind),
		});
	}
}
