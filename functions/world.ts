// Where the real world is wired: the ports of a tick on Azure and Kubernetes.
import { randomUUID } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readArmUrl } from "../lib/azure/arm-url.ts";
import { AksClusters, type AksClustersOptions } from "../lib/azure/clusters.ts";
import { type ClusterCredential, connectionOf } from "../lib/azure/credentials.ts";
import { type Environment, identityOf } from "../lib/azure/identity.ts";
import { openTable } from "../lib/azure/table.ts";
import type { CredentialKind, DoctorWorld, Probes } from "../lib/doctor/ports.ts";
import { openCluster } from "../lib/kubernetes/client.ts";
import { type Credential, type CredentialSource, kubeconfigSource } from "../lib/kubernetes/credentials.ts";
import { probeCluster } from "../lib/kubernetes/probe.ts";
import { type ClusterTarget, targetId } from "../lib/plan/policy.ts";
import { fallbackSettings } from "../lib/settings/fallback.ts";
import { withoutSecrets } from "../lib/settings/secrets.ts";
import { parseSettings } from "../lib/settings/settings.ts";
import { Worker } from "../lib/tick/round.ts";
import type { Configuration } from "../lib/tick/tick.ts";
import type { Clock, ClusterApi, Clusters, Connection, JournalSink, World } from "../lib/tick/world.ts";

export const version = "0.1.0";

/** One request and its answer. */
const callTimeoutMs = 10_000;

export interface Wiring {
	readonly world: World;
	readonly worker: Worker;
	/** For the doctor. */
	readonly probes: Probes;
}

export interface WiringOptions {
	readonly journal: JournalSink;
	/** Where a local table keeps its data. */
	readonly dataFolder?: string;
	/** Default: `~/.kube/config`. */
	readonly kubeconfig?: string;
	/** Another ARM (other clouds, tests); its credential. */
	readonly arm?: Partial<AksClustersOptions>;
}

const clock: Clock = {
	now: () => performance.now(),
	async wait(ms, signal) {
		await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
	},
};

/** What the settings say; with problems, what could be read of them. */
export function configurationOf(env: Environment): Configuration & { readonly stateTable: string | null } {
	const parsed = parseSettings(env);
	const arm = readArmUrl(env);
	const armProblems = "problem" in arm ? withoutSecrets([arm.problem], env) : [];
	if ("settings" in parsed && armProblems.length === 0) {
		const { settings } = parsed;
		return { settings, problems: [], clusters: settings.clusters, fallback: fallbackSettings, stateTable: settings.stateTable };
	}
	const { problems, clusters, stateTable } = "settings" in parsed ? { problems: [], ...parsed.settings } : parsed;
	return { settings: null, problems: [...problems, ...armProblems], clusters, fallback: fallbackSettings, stateTable };
}

/** The world as the environment names it. Nothing is connected before it is used. Throws where the settings name no table. */
export function wire(env: Environment, stateTable: string, options: WiringOptions): Wiring {
	const { table, owner } = openTable(env, stateTable, options.dataFolder === undefined ? {} : { dataFolder: options.dataFolder });
	const { clusters, probes } = clustersOf(env, options);
	const worker = new Worker(randomUUID(), owner);
	return { world: { clock, ids: { next: randomUUID }, table, clusters, journal: options.journal }, worker, probes };
}

export function doctorWorldOf({ world, worker, probes }: Wiring): DoctorWorld {
	const { table, clusters, ids } = world;
	return { table, clusters, ids, probes, us: worker.us, now: Date.now };
}

function clustersOf(env: Environment, options: WiringOptions): { readonly clusters: Clusters; readonly probes: Probes } {
	let aks: AksClusters | null = null;
	const arm = (): AksClusters => {
		const read = readArmUrl(env);
		// A wrong address is told with the settings. Until it is put right, clusters that are remembered are reached without ARM.
		const address = "url" in read && read.url !== undefined ? { armUrl: read.url } : {};
		aks ??= new AksClusters({ credential: options.arm?.credential ?? identityOf(env), ...address, ...options.arm });
		return aks;
	};
	const sourceOf = (target: ClusterTarget, remembered?: Connection) =>
		target.kind === "aks" ? aksSource(arm(), target, remembered) : kubeconfigSource(options.kubeconfig ?? join(homedir(), ".kube", "config"), target.context);
	const session = { version, callTimeoutMs };
	const open = new Map<string, ClusterApi>();
	const clusters: Clusters = {
		open(target, remembered) {
			const id = targetId(target);
			const api = open.get(id) ?? openCluster(sourceOf(target, remembered), session);
			open.set(id, api);
			return api;
		},
		async aks(target) {
			return target.kind === "aks" ? arm().aks(target) : { kind: "notManaged" };
		},
	};
	const probes: Probes = {
		async inArm(target) {
			return target.kind === "aks" ? arm().inArm(target) : null;
		},
		of(target) {
			const source = sourceOf(target);
			const credential = async (): Promise<CredentialKind> => {
				const { auth, byPlugin } = await source.credential();
				if (target.kind === "aks") return (await arm().credentials(target)).auth.kind === "entra" ? "entra" : "local";
				return byPlugin === true ? "plugin" : auth.kind;
			};
			return { credential, ...probeCluster(source, session) };
		},
	};
	return { clusters, probes };
}

/** How an AKS cluster is reached: server and CA from ARM (or remembered), and the identity's token or the cluster's own credential. */
function aksSource(aks: AksClusters, target: ClusterTarget, remembered: Connection | undefined): CredentialSource {
	let used: ClusterCredential | undefined;
	return {
		async credential(): Promise<Credential> {
			used = await aks.credentials(target, remembered);
			const { server, caData, auth } = used;
			return { server, caData, auth: auth.kind === "entra" ? { kind: "token", token: await aks.entraToken() } : auth };
		},
		invalidate() {
			aks.invalidate(target, used);
		},
		connection: () => (used === undefined ? undefined : connectionOf(used)),
	};
}
