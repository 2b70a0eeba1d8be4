// The whole fleet of one process: clusters, Azure, updates, and what is told to whoever wants to look after it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startLabServer, startRealServer } from "./api-servers.ts";
import type { LabArguments } from "./arguments.ts";
import { type Azure, schedulerObjectId, startAzure, tokenUser } from "./azure.ts";
import { environmentOf } from "./environment.ts";
import { demonstration, type FleetSpec, faster } from "./fleet.ts";
import { clientAuthority, newKeys } from "./keys.ts";
import { type Member, startMember } from "./member.ts";
import { generatedFleet } from "./scale.ts";
import { type ClusterState, type LabKeys, type LabState, readState, stateFile, writePrivately } from "./state.ts";
import { TroubleFile, troublesFile } from "./troubles.ts";
import { Updates } from "./updates.ts";

/** What the lab says of itself, in one line. Secret: whoever reads it can be the scheduler, and admin of every cluster. */
export interface Ready {
	readonly kind: "ready";
	readonly process: number;
	readonly arguments: LabArguments;
	readonly armUrl: string;
	/** Of ARM. */
	readonly caPem: string;
	/** Settings of a scheduler of this fleet. */
	readonly environment: Readonly<Record<string, string>>;
	/** File with a context per cluster, as its admin. */
	readonly kubeconfig: string;
	/** For people. */
	readonly notes: readonly string[];
}

/** Clusters that come up side by side. */
const startsAtOnce = 3;

export class Lab {
	readonly ready: Ready;
	readonly #file: string;
	readonly #keys: LabKeys;
	readonly #members: readonly Member[];
	readonly #azure: Azure;
	#saved = "";

	constructor(file: string, keys: LabKeys, members: readonly Member[], azure: Azure, ready: Ready) {
		this.#file = file;
		this.#keys = keys;
		this.#members = members;
		this.#azure = azure;
		this.ready = ready;
	}

	/** Writes where everything is now, so that another start goes on there; nothing, where nothing has changed. */
	save(): void {
		const states = this.#members.map((member) => member.state());
		const version = JSON.stringify(states.map(({ machines, objects }) => [machines, objects?.revision]));
		if (version === this.#saved) return;
		const clusters = Object.fromEntries(this.#members.map(({ spec }, index) => [spec.name, states[index] as ClusterState]));
		const state: LabState = { keys: this.#keys, clusters };
		writePrivately(this.#file, JSON.stringify(state));
		this.#saved = version;
	}

	/** Grows with everything that a scheduler asks of the fleet's Azure. */
	requests(): number {
		return this.#azure.arm.calls.length + this.#azure.identity.asked.length;
	}
}

export async function startLab(args: LabArguments, tell: (line: string) => void): Promise<Lab> {
	mkdirSync(args.folder, { recursive: true, mode: 0o700 });
	const file = stateFile(args);
	const left = readState(file);
	const now = new Date();
	const spec = specOf(args, now);
	const keys = left?.keys ?? (await newKeys(spec.clusters.map(({ name }) => name)));
	const members = await startMembers(spec, args, keys, left);
	const troubles = new TroubleFile(troublesFile(args.folder), members, tell);
	const reached = members.map(({ spec: cluster, apiServer: { url, caPem } }) => ({ spec: cluster, url, caPem }));
	const azure = await startAzure(reached, keys, (call) => troubles.ofCall(call));
	troubles.begin(azure.arm);
	new Updates(members, left !== null);
	const kubeconfig = join(args.folder, "kubeconfig");
	writePrivately(kubeconfig, adminKubeconfig(members));
	const environment = environmentOf(spec, azure, new Date());
	const { url: armUrl, caPem } = azure.arm;
	const notes = notesOf(spec, args, environment, kubeconfig);
	return new Lab(file, keys, members, azure, { kind: "ready", process: process.pid, arguments: args, armUrl, caPem, environment, kubeconfig, notes });
}

function specOf({ scale, fast }: LabArguments, now: Date): FleetSpec {
	const fleet = scale === null ? demonstration(now) : generatedFleet(scale.clusters, scale.nodes, now);
	return fast ? faster(fleet) : fleet;
}

async function startMembers({ clusters, machines }: FleetSpec, args: LabArguments, keys: LabKeys, left: LabState | null): Promise<Member[]> {
	const members: Member[] = [];
	const users = [
		{ name: schedulerObjectId, token: keys.clusterToken },
		{ name: tokenUser, token: keys.userToken, groups: ["system:masters"] },
	];
	const clientCaPem = clientAuthority(keys).certPem;
	const waiting = [...clusters.entries()];
	const work = async (): Promise<void> => {
		for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
			const [index, cluster] = next;
			const folder = join(args.folder, `cluster-${cluster.name}`);
			const server = { folder, port: keys.ports.clusters[cluster.name] ?? 0, users, clientCaPem };
			members[index] = await startMember(cluster, {
				startServer: args.real ? startRealServer : startLabServer,
				server,
				machines,
				left: left?.clusters[cluster.name] ?? null,
			});
		}
	};
	await Promise.all(Array.from({ length: startsAtOnce }, work));
	return members;
}

function adminKubeconfig(members: readonly Member[]): string {
	const named = <T>(kind: string, value: (member: Member) => T) => members.map((member) => ({ name: member.spec.name, [kind]: value(member) }));
	return JSON.stringify({
		apiVersion: "v1",
		kind: "Config",
		clusters: named("cluster", ({ apiServer }) => ({ server: apiServer.url, "certificate-authority-data": apiServer.caData })),
		users: named("user", ({ apiServer }) => ({ token: apiServer.token("admin") })),
		contexts: named("context", ({ spec }) => ({ cluster: spec.name, user: spec.name })),
		"current-context": members[0]?.spec.name,
	});
}

const letsIn = { entra: "Entra ID", localAccount: "local accounts", token: "a token" } as const;

function notesOf(
	{ clusters, opensSoon }: FleetSpec,
	{ real, folder }: LabArguments,
	environment: Readonly<Record<string, string>>,
	kubeconfig: string,
): string[] {
	const nodes = clusters.reduce((sum, cluster) => sum + cluster.nodes.length, 0);
	const listed = clusters.slice(0, 5).map(({ name, nodes: { length }, credentials }) => `${name} (${length} nodes, ${letsIn[credentials]})`);
	const last = clusters.at(-1);
	const waits = last?.nodes.find((node) => node.needsReboot !== undefined);
	const more = clusters.length > listed.length ? ", …" : "";
	const servers = real ? "real control planes" : "API servers of the lab";
	return [
		`fleet: ${clusters.length === 1 ? "1 cluster" : `${clusters.length} clusters`} with ${nodes} simulated nodes on ${servers}: ${listed.join(", ")}${more}`,
		...(opensSoon === null ? [] : [`windows: ${environment.MAINTENANCE_WINDOWS} (UTC)`]),
		`an admin's kubeconfig: ${kubeconfig}, a context for each cluster${real ? "" : " (kubectl asks for more than these API servers answer; with --real it can be used)"}`,
		`a node that does not come back: echo '{"nodes": {"${last?.name}/${waits?.name}": {"comesBack": "never"}}}' > ${troublesFile(folder)}`,
	];
}
