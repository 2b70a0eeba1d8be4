// A whole fleet for one story: a real control plane with the shipped manifests and rights, simulated kubelets, Azurite, and the real
// scheduler as processes of their own that can be killed.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TableClient, TableServiceClient } from "@azure/data-tables";
import { type Azurite, devKey, startAzurite } from "../azurite.ts";
import { until } from "../waiting.ts";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "./control-plane.ts";
import type { NodeSettings, NodeSpec } from "./kubelet-settings.ts";
import { type Fleet, startKubelets } from "./kubelets.ts";
import { together } from "./processes.ts";
import { apply, type Manifest } from "./workloads.ts";

const main = resolve(import.meta.dirname, "../../lib/local/main.ts");
const manifests = resolve(import.meta.dirname, "../../infra/cluster");

const plain = { allowInsecureConnection: true };

/** Short enough that a story takes seconds. */
export const quickSettings: Readonly<Record<string, string>> = {
	MAINTENANCE_WINDOWS: "always",
	DRAIN_TIMEOUT: "60s",
	REBOOT_TIMEOUT: "40s",
	EXPECTED_DURATION: "1s",
};

export interface Line {
	readonly at: string;
	readonly event: string;
	readonly level: string;
	readonly message: string;
	readonly [field: string]: unknown;
}

/** A scheduler process and everything it said. */
export class Scheduler {
	readonly lines: Line[] = [];
	readonly child: ChildProcess;
	output = "";
	readonly #ended: Promise<number | null>;

	constructor(child: ChildProcess) {
		this.child = child;
		let rest = "";
		child.stdout?.on("data", (chunk: Buffer) => {
			this.output += chunk;
			rest += chunk;
			const lines = rest.split("\n");
			rest = lines.pop() ?? "";
			for (const line of lines) if (line.startsWith("{")) this.lines.push(JSON.parse(line) as Line);
		});
		child.stderr?.on("data", (chunk: Buffer) => {
			this.output += chunk;
		});
		this.#ended = once(child, "close").then(([code]) => code as number | null);
	}

	get running(): boolean {
		return this.child.exitCode === null && this.child.signalCode === null;
	}

	/** The exit code; null when a signal ended it. Fails, with what it said last, when it goes on for longer. */
	async ended(timeoutMs = 360_000): Promise<number | null> {
		const late = new AbortController();
		const code = await Promise.race([this.#ended, delay(timeoutMs, "late" as const, { signal: late.signal })]);
		late.abort();
		if (code !== "late") return code;
		this.child.kill("SIGKILL");
		throw new Error(`the scheduler goes on after ${timeoutMs} ms; it said last:\n${this.story().slice(-4_000)}`);
	}

	/** Resolves at the first line of that event (and those fields), also an earlier one. */
	async says(event: string, fields: Readonly<Record<string, unknown>> = {}): Promise<Line> {
		const told = () => this.told(event, fields)[0];
		const said = () => `the scheduler said:\n${this.story().slice(-4_000)}`;
		await until(`it says ${event} ${JSON.stringify(fields)}`, () => told() !== undefined, { said, over: () => !this.running });
		return told() as Line;
	}

	told(event: string, fields: Readonly<Record<string, unknown>> = {}): Line[] {
		return this.lines.filter((line) => line.event === event && Object.entries(fields).every(([name, value]) => line[name] === value));
	}

	story(): string {
		const told = this.lines.map((line) => `${line.at.slice(11, 23)} ${line.event} ${String(line.node ?? "")}: ${line.message}`).join("\n");
		const other = this.output.split("\n").filter((line) => !line.startsWith("{"));
		return `${told}\n${other.join("\n")}`;
	}

	get lastLine(): string {
		return (
			this.output
				.trimEnd()
				.split("\n")
				.findLast((line) => line.startsWith("settled")) ?? ""
		);
	}

	async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
		if (!this.running) return;
		this.child.kill(signal);
		await this.#ended;
	}
}

export interface ScenarioOptions {
	readonly nodes: readonly NodeSpec[];
	readonly defaults?: Partial<NodeSettings>;
	readonly workloads?: readonly (Manifest | readonly Manifest[])[];
	readonly controlPlane?: ControlPlaneOptions;
	readonly components?: readonly Component[];
}

/** Of infra/cluster/components. */
export type Component = "delete-pods" | "spare-namespaces";

/** Copies the shipped manifests, binds them to the test's scheduler and applies them as a user would. */
export async function applyShipped(controlPlane: ControlPlane, components: readonly Component[] = []): Promise<void> {
	const dir = mkdtempSync(join(tmpdir(), "manifests-"));
	try {
		cpSync(manifests, dir, { recursive: true });
		const identity = join(dir, "scheduler-identity.yaml");
		writeFileSync(identity, readFileSync(identity, "utf8").replace("00000000-0000-0000-0000-000000000000", "scheduler"));
		if (components.length > 0) appendFileSync(join(dir, "kustomization.yaml"), `components: [${components.map((each) => `components/${each}`).join(", ")}]\n`);
		await controlPlane.kubectl("apply", "-k", dir);
	} finally {
		rmSync(dir, { recursive: true, force: true });
	}
}

export class Scenario {
	readonly controlPlane: ControlPlane;
	readonly fleet: Fleet;
	readonly azurite: Azurite;
	readonly dir: string;
	readonly schedulers: Scheduler[] = [];

	constructor(controlPlane: ControlPlane, fleet: Fleet, azurite: Azurite, dir: string) {
		this.controlPlane = controlPlane;
		this.fleet = fleet;
		this.azurite = azurite;
		this.dir = dir;
	}

	/** The scheduler of the shipped rights on this cluster, with JSON lines, until settled unless told. */
	scheduler(
		settings: Readonly<Record<string, string | undefined>> = {},
		options: { readonly goesOn?: boolean; readonly kubeconfig?: string; readonly contexts?: readonly string[]; readonly cwd?: string } = {},
	): Scheduler {
		const kubeconfig = options.kubeconfig ?? this.controlPlane.kubeconfig(join(this.dir, "kubeconfig"), { context: "real", user: "scheduler" });
		const contexts = (options.contexts ?? ["real"]).flatMap((context) => ["--context", context]);
		const args = [main, "--kubeconfig", kubeconfig, ...contexts, "--json", ...(options.goesOn === true ? [] : ["--until-settled"])];
		const { PATH = "", HOME = "" } = process.env;
		const given: Record<string, string | undefined> = { PATH, HOME, ...quickSettings, AzureWebJobsStorage: this.azurite.connectionString, ...settings };
		const env = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
		const child = spawn(process.execPath, args, { cwd: options.cwd ?? this.dir, env, stdio: ["ignore", "pipe", "pipe"] });
		const scheduler = new Scheduler(child);
		this.schedulers.push(scheduler);
		return scheduler;
	}

	/** Every row of every table, as `TABLE/PARTITION/ROW` and its JSON. */
	async rows(): Promise<ReadonlyMap<string, string>> {
		const { connectionString } = this.azurite;
		const rows = new Map<string, string>();
		for await (const { name } of TableServiceClient.fromConnectionString(connectionString, plain).listTables()) {
			if (name === undefined) continue;
			const entities = TableClient.fromConnectionString(connectionString, name, plain).listEntities();
			for await (const entity of entities) rows.set(`${name}/${entity.partitionKey}/${entity.rowKey}`, JSON.stringify(entity));
		}
		return rows;
	}

	/** As if somebody had deleted the tables; only while no scheduler runs. */
	async deleteTables(): Promise<void> {
		const service = TableServiceClient.fromConnectionString(this.azurite.connectionString, plain);
		for await (const { name } of service.listTables()) if (name !== undefined) await service.deleteTable(name);
	}

	/** As if the lease on the cluster had run out, whoever held it: so that a story need not wait for that. Only while no scheduler runs. */
	async expireLease(): Promise<void> {
		await TableClient.fromConnectionString(this.azurite.connectionString, "reboots", plain).deleteEntity("cluster-real", "lease");
	}

	/** Where a secret in use was printed by a scheduler or stands in a row of a table. Neither the secret nor the text is told. */
	async leaks(others: readonly string[] = []): Promise<readonly string[]> {
		const secrets = [...this.controlPlane.secrets(), devKey, ...others];
		const texts = new Map(await this.rows());
		for (const [index, scheduler] of this.schedulers.entries()) texts.set(`output of scheduler ${index + 1}`, scheduler.output);
		return [...texts].filter(([, text]) => secrets.some((secret) => text.includes(secret))).map(([place]) => place);
	}

	async stop(): Promise<void> {
		await Promise.all(this.schedulers.map((each) => each.kill("SIGKILL")));
		await this.fleet.stop();
		await Promise.all([this.controlPlane.stop(), this.azurite.stop()]);
		rmSync(this.dir, { recursive: true, force: true });
	}
}

export async function startScenario(options: ScenarioOptions): Promise<Scenario> {
	const [controlPlane, azurite] = await together(startControlPlane(options.controlPlane), startAzurite());
	let fleet: Fleet | null = null;
	try {
		await applyShipped(controlPlane, options.components);
		const kubelets = await startKubelets(controlPlane, options.nodes, options.defaults);
		fleet = kubelets;
		await apply(controlPlane.api, ...(options.workloads ?? []));
		await kubelets.until(
			"the sentinels report",
			() => kubelets.pods().filter((pod) => pod.metadata.annotations?.["aks-reboot-scheduler/report"] !== undefined).length >= options.nodes.length,
		);
		return new Scenario(controlPlane, kubelets, azurite, mkdtempSync(join(tmpdir(), "scenario-")));
	} catch (error) {
		await fleet?.stop();
		await Promise.all([controlPlane.stop(), azurite.stop()]);
		throw error;
	}
}
