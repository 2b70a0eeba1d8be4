// The side of the Functions host: starts a worker with an app and an environment, and invokes functions as the host does.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildApp } from "../../build.ts";
import type { FromWorker, FunctionMetadata, Invocation, Invoked } from "./worker.ts";

const worker = resolve(import.meta.dirname, "worker.ts");
export const sources = resolve(import.meta.dirname, "../../functions/main.ts");

/** The app as it is published, in a folder with nothing else in or above it. */
export async function buildBundle(): Promise<{ readonly app: string; readonly directory: string; remove(): void }> {
	const directory = mkdtempSync(join(tmpdir(), "function-app-"));
	const remove = (): void => rmSync(directory, { recursive: true, force: true });
	try {
		await buildApp(directory);
		return { app: join(directory, "main.js"), directory, remove };
	} catch (error) {
		remove();
		throw error;
	}
}

/** What the host sends when a timer is due. */
export function timerData(isPastDue = false): object {
	const at = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString();
	const timer = { Schedule: { AdjustForDST: true }, ScheduleStatus: { Last: at(-1), Next: at(1), LastUpdated: at(-1) }, IsPastDue: isPastDue };
	return { json: JSON.stringify(timer) };
}

export function httpData(path: string, headers: Readonly<Record<string, string>> = {}): object {
	return { http: { method: "GET", url: `https://app.azurewebsites.net/api/${path}`, headers } };
}

export class Host {
	readonly functions: readonly FunctionMetadata[];
	readonly importMs: number;
	/** On a busy machine the figure that means something. */
	readonly importCpuMs: number;
	readonly rssBytes: number;
	/** Everything the process printed. */
	readonly output: () => string;
	readonly #child: ChildProcess;
	readonly #waiting = new Map<number, (invoked: Invoked) => void>();
	#invocations = 0;

	constructor(child: ChildProcess, loaded: Extract<FromWorker, { kind: "loaded" }>, output: () => string) {
		this.#child = child;
		this.functions = loaded.functions;
		this.importMs = loaded.importMs;
		this.importCpuMs = loaded.importCpuMs;
		this.rssBytes = loaded.rssBytes;
		this.output = output;
		child.on("message", (message) => {
			const answer = message as FromWorker;
			if (answer.kind === "invoked") this.#waiting.get(answer.id)?.(answer.invoked);
		});
	}

	get pid(): number {
		return this.#child.pid ?? Number.NaN;
	}

	async invoke(name: string, data: object): Promise<Invoked> {
		const invocation: Invocation = { id: ++this.#invocations, name, data };
		const ended = new AbortController();
		const exit = once(this.#child, "exit", { signal: ended.signal }).then(() => {
			throw new Error(`invoking ${name}: the worker ended; it printed: ${this.output().slice(-2_000)}`);
		});
		exit.catch(() => undefined);
		const answer = new Promise<Invoked>((settle) => this.#waiting.set(invocation.id, settle));
		this.#child.send(invocation);
		try {
			return await Promise.race([answer, exit]);
		} finally {
			ended.abort();
		}
	}

	tick(isPastDue = false): Promise<Invoked> {
		return this.invoke("tick", timerData(isPastDue));
	}

	status(headers: Readonly<Record<string, string>> = {}, query = ""): Promise<Invoked> {
		return this.invoke("status", httpData(`status${query}`, headers));
	}

	async stop(): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
		const ended = once(this.#child, "exit");
		this.#child.kill("SIGKILL");
		await ended;
	}
}

/** Loads an app in a process with that environment and nothing else of ours. Throws, with what it printed, when it cannot be loaded. */
export async function startHost(app: string, env: Readonly<Record<string, string>>): Promise<Host> {
	const { PATH = "", TMPDIR } = process.env;
	const base = { PATH, HOME: tmpdir(), ...(TMPDIR === undefined ? {} : { TMPDIR }) };
	const child = spawn(process.execPath, [worker, app], { cwd: tmpdir(), env: { ...base, ...env }, stdio: ["ignore", "pipe", "pipe", "ipc"] });
	let output = "";
	const collect = (chunk: Buffer): void => {
		output += chunk;
	};
	child.stdout?.on("data", collect);
	child.stderr?.on("data", collect);
	const ended = new AbortController();
	const { signal } = ended;
	try {
		const loaded = once(child, "message", { signal }).then(([message]) => message as FromWorker);
		const failed = once(child, "exit", { signal }).then((): never => {
			throw new Error(`loading ${app}: ${output.slice(-2_000)}`);
		});
		loaded.catch(() => undefined);
		failed.catch(() => undefined);
		const message = await Promise.race([loaded, failed]);
		if (message.kind !== "loaded") throw new Error(`loading ${app}: the worker said ${message.kind}`);
		return new Host(child, message, () => output);
	} catch (error) {
		child.kill("SIGKILL");
		throw error;
	} finally {
		ended.abort();
	}
}
