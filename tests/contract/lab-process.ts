// The lab as tests start it: a process in a folder of its own, reached as the scheduler and as the clusters' admin reach it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { configurationOf, wire } from "../../functions/world.ts";
import type { ClusterTarget } from "../../lib/plan/policy.ts";
import type { Clusters } from "../../lib/tick/world.ts";
import { connectionStringOf } from "../azurite.ts";
import type { Ready } from "../lab/lab.ts";
import { ApiClient } from "../real/api-client.ts";
import { until } from "../waiting.ts";

const main = resolve(import.meta.dirname, "../lab/main.ts");

export interface Ended {
	readonly code: number | null;
	readonly stderr: string;
	readonly tookMs: number;
}

export class LabProcess {
	readonly folder: string;
	readonly child: ChildProcess;
	readonly #ended: Promise<Ended>;
	#stdout = "";
	#stderr = "";

	constructor(folder: string, args: readonly string[] = []) {
		const { PATH = "", HOME = "" } = process.env;
		this.folder = folder;
		const startedAt = performance.now();
		this.child = spawn(process.execPath, [main, "--folder", folder, ...args], { env: { PATH, HOME }, stdio: ["ignore", "pipe", "pipe"] });
		this.child.stdout?.on("data", (chunk: Buffer) => {
			this.#stdout += chunk;
		});
		this.child.stderr?.on("data", (chunk: Buffer) => {
			this.#stderr += chunk;
		});
		this.#ended = once(this.child, "close").then(([code]) => ({ code: code as number | null, stderr: this.#stderr, tookMs: performance.now() - startedAt }));
	}

	get stderr(): string {
		return this.#stderr;
	}

	get running(): boolean {
		return this.child.exitCode === null && this.child.signalCode === null;
	}

	async ready(): Promise<Ready> {
		await eventually("the lab is up", () => this.#stdout.includes("\n") || !this.running);
		if (!this.running) throw new Error(`the lab ended: ${this.#stderr}`);
		return JSON.parse(this.#stdout) as Ready;
	}

	ended(): Promise<Ended> {
		return this.#ended;
	}

	/** Resolves once it has ended. */
	async kill(signal: NodeJS.Signals): Promise<Ended> {
		const at = performance.now();
		if (this.running) this.child.kill(signal);
		return { ...(await this.#ended), tookMs: performance.now() - at };
	}
}

export function labFolder(): string {
	return mkdtempSync(join(tmpdir(), "lab-"));
}

export function removeFolder(folder: string): void {
	if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
}

/** Looks again and again; an answer that is an error is no yes. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
	let last: unknown = "";
	const asked = async () => {
		try {
			return await holds();
		} catch (error) {
			last = error;
			return false;
		}
	};
	await until(what, asked, { said: () => String(last), everyMs: 50 });
}

/** As the admin of a cluster, by the kubeconfig of the ready line. */
export function adminOf({ kubeconfig }: Ready, cluster: string): ApiClient {
	const config = JSON.parse(readFileSync(kubeconfig, "utf8")) as {
		readonly clusters: readonly { readonly name: string; readonly cluster: { readonly server: string; readonly "certificate-authority-data": string } }[];
		readonly users: readonly { readonly name: string; readonly user: { readonly token: string } }[];
	};
	const server = config.clusters.find(({ name }) => name === cluster)?.cluster;
	const token = config.users.find(({ name }) => name === cluster)?.user.token;
	if (server === undefined || token === undefined) throw new Error(`${kubeconfig} has no context ${cluster}`);
	return new ApiClient({ server: server.server, caPem: Buffer.from(server["certificate-authority-data"], "base64").toString(), token, timeoutMs: 5_000 });
}

/** The fleet as the scheduler reaches it: what the deployed app is wired of, on the environment of the ready line. */
export function schedulerOf({ environment, caPem }: Ready): { readonly targets: readonly ClusterTarget[]; readonly clusters: Clusters } {
	// The identity's library reads them there.
	Object.assign(process.env, environment);
	const env = { ...environment, AzureWebJobsStorage: connectionStringOf(1) };
	const { settings, problems } = configurationOf(env);
	if (settings === null) throw new Error(`the lab's settings are wrong: ${JSON.stringify(problems)}`);
	const { world } = wire(env, "reboots", { journal: { write() {} }, arm: { armCaPem: caPem, factsMaxAgeMs: 0 } });
	return { targets: settings.clusters, clusters: world.clusters };
}
