// What is measured, in order.
import { startLab, startReal } from "./clusters.ts";
import type { Figure } from "./figures.ts";
import { coldStart, idleRound } from "./fleets.ts";
import { looksAt } from "./looks.ts";
import { oneReboot } from "./one-reboot.ts";
import { everyNodeWaits, fullList } from "./patch-day.ts";
import { loading, page } from "./program.ts";
import { scale } from "./scale.ts";
import type { Place } from "./scheduler.ts";
import { tenMinutesOfSentinel } from "./sentinel.ts";

export interface Measurable {
	readonly name: string;
	readonly title: string;
	readonly about: string;
	/** Null: it cannot be measured here, for want of a real API server. */
	measure: ((place: Place) => Promise<readonly Figure[]>) | null;
	/** Waits most of its time for somebody else's clock, and so begins with the run and goes on beside the others. */
	readonly beside?: boolean;
}

const sizes = [100, 1000, 5000];
/** Of everything that waits on patch day. */
const large = 5000;
const serverNames = { lab: "the lab's API server", real: "a real kube-apiserver" } as const;

function ifReal<T>(kind: "lab" | "real", measure: T): T | null {
	return kind === "lab" || process.env.KUBEBUILDER_ASSETS ? measure : null;
}

function looks(kind: "lab" | "real", nodes: number): Measurable {
	return {
		name: `${kind}-${nodes}`,
		title: `Looks at ${nodes} nodes on ${serverNames[kind]}`,
		about:
			"A node is an object of 13 kB, a sentinel pod of 4.7 kB; 5 other pods run on each node. Bytes are those of both directions, TLS included, on connections that are open.",
		measure: ifReal(kind, async (place) => {
			const cluster = await (kind === "lab" ? startLab() : startReal());
			try {
				await cluster.grow(nodes);
				const beforehand = nodes === large ? [...(await everyNodeWaits(cluster, nodes, place)), ...(await fullList(cluster, nodes, place))] : [];
				return [...(await looksAt(cluster, nodes, place)), ...beforehand];
			} finally {
				await cluster.stop();
			}
		}),
	};
}

function reboot(kind: "lab" | "real"): Measurable {
	return {
		name: `reboot-${kind}`,
		title: `One reboot on ${serverNames[kind]}`,
		about: "Simulated machines, rounds as in production: a node in flight is looked at every 3 seconds.",
		measure: ifReal(kind, (place) => oneReboot(kind, place)),
	};
}

const coldClusters = 500;
const coldMostMs = 8.5 * 60_000;

export const sections: readonly Measurable[] = [
	{ name: "bundle", title: "The published program", about: "Loaded as the worker of the Functions host loads it.", measure: loading },
	{
		name: "page",
		title: "The page of 500 clusters with 2,000 nodes that wait",
		about: "Rendered in one process, the table already read.",
		measure: async () => page(),
	},
	...sizes.map((nodes) => looks("lab", nodes)),
	...sizes.map((nodes) => looks("real", nodes)),
	{
		name: "scale",
		title: "5,000 nodes beside 500 on a real kube-apiserver",
		about:
			"30,000 pods on 5,000 nodes, 3,000 on 500. The same 50 nodes wait in both clusters, then 10 of them are in flight: 5 drain, 5 reboot. Both the scheduler and the API server count the requests.",
		measure: ifReal("real", scale),
	},
	{
		name: "round",
		title: "1,000 idle clusters in one round",
		about: "All clusters are one API server of the lab, reached by 1,000 connection pools of their own. Scheduler, API server and Azurite share the cores.",
		measure: (place) => idleRound(1000, place),
	},
	reboot("lab"),
	reboot("real"),
	{
		name: "cold-known",
		title: `A new instance with ${coldClusters} clusters that the table knows`,
		about: "Entra clusters: address and CA are remembered, the token is the identity's.",
		measure: (place) => coldStart("known", coldClusters, coldMostMs, place),
	},
	{
		name: "cold-empty",
		title: `A new instance with ${coldClusters} clusters and an empty table`,
		about: "ARM takes 60 calls of a subscription at once and one a second after that. This goes on beside the other sections, since most of it is waiting.",
		measure: (place) => coldStart("empty", coldClusters, coldMostMs, place),
		beside: true,
	},
	{
		name: "sentinel",
		title: "Ten minutes of the sentinel",
		about:
			"The script as it is shipped, under dash, against a real kube-apiserver that is away for five of them, while it has something to say. This goes on beside the other sections.",
		measure: ifReal("real", tenMinutesOfSentinel),
		beside: true,
	},
];
