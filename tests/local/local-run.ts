// `npm start` as a process of its own, in a folder of its own, as a terminal starts it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isAlive } from "../real/processes.ts";
import { until } from "../waiting.ts";

const main = resolve(import.meta.dirname, "../../lib/local/main.ts");

/** What runs beside: its process and where it listens. */
interface Beside {
	readonly pid: number;
	readonly port: number;
}

export class LocalRun {
	readonly child: ChildProcess;
	output = "";
	readonly #ended: Promise<number | null>;

	constructor(child: ChildProcess) {
		this.child = child;
		for (const stream of [child.stdout, child.stderr]) {
			stream?.on("data", (chunk: Buffer) => {
				this.output += chunk;
			});
		}
		this.#ended = once(child, "exit").then(([code]) => code as number | null);
	}

	get pid(): number {
		return this.child.pid ?? assert.fail("it did not start");
	}

	get running(): boolean {
		return this.child.exitCode === null && this.child.signalCode === null;
	}

	/** Resolves with what matched first. */
	async says(pattern: RegExp): Promise<RegExpExecArray> {
		let found: RegExpExecArray | null = null;
		const matches = () => {
			found = pattern.exec(this.output);
			return found !== null;
		};
		await until(`it says ${pattern}`, matches, { said: () => this.output, over: () => !this.running });
		return found ?? assert.fail();
	}

	/** The exit code; null when a signal ended it. */
	async ended(): Promise<number | null> {
		await until("the run ends", () => !this.running, { said: () => this.output.slice(-6_000) });
		return await this.#ended;
	}

	/** As Ctrl-C in the terminal: everything in its process group is told. */
	interrupt(): void {
		process.kill(-this.pid, "SIGINT");
	}

	/** Lines of the journal (with `--json`). */
	lines(): readonly { readonly event: string; readonly cluster?: string; readonly node?: string; readonly end?: string }[] {
		return this.output.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
	}
}

/** A folder in which runs are started, and everything that they leave there. */
export class Place {
	readonly folder = join(tmpdir(), `local-${randomUUID()}`);
	readonly #runs: LocalRun[] = [];
	readonly #beside = new Set<number>();

	start(args: readonly string[], settings: Readonly<Record<string, string>> = {}): LocalRun {
		mkdirSync(this.folder, { recursive: true });
		const { PATH = "", HOME = "" } = process.env;
		const env = { PATH, HOME, ...settings };
		// A group of its own, as a shell gives it.
		const run = new LocalRun(spawn(process.execPath, [main, ...args], { cwd: this.folder, env, detached: true, stdio: ["ignore", "pipe", "pipe"] }));
		this.#runs.push(run);
		return run;
	}

	/** A small fleet of the lab's, on any port. */
	demonstration(...args: readonly string[]): LocalRun {
		return this.start(["--clusters", "1", "--nodes", "6", "--fast", "--port", "0", ...args]);
	}

	get lab(): Beside {
		const { process: pid, armUrl } = this.#read("lab.json");
		return this.#seen({ pid: Number(pid), port: Number(new URL(String(armUrl)).port) });
	}

	get azurite(): Beside {
		const { azurite, port } = this.#read("azurite.json");
		return this.#seen({ pid: Number(azurite), port: Number(port) });
	}

	/** Null: none has noted itself. */
	get note(): { readonly process: number; readonly url: string } | null {
		try {
			return JSON.parse(readFileSync(join(this.folder, ".local/run.json"), "utf8"));
		} catch {
			return null;
		}
	}

	/** Everything that the runs started is up. */
	async isUp(): Promise<void> {
		await until("lab and table are up and the run has noted itself", () => {
			try {
				return this.lab.pid > 0 && this.azurite.pid > 0 && this.note !== null;
			} catch {
				return false;
			}
		});
	}

	/** Kills what is left, and removes the folder. */
	async leave(): Promise<void> {
		for (const each of ["lab", "azurite"] as const) {
			try {
				this.#seen(this[each]);
			} catch {
				// It has ended, and its note with it.
			}
		}
		const pids = [...this.#runs.filter(({ running }) => running).map(({ pid }) => pid), ...this.#beside];
		for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
		await until("all has ended", () => !pids.some(isAlive));
		rmSync(this.folder, { recursive: true, force: true });
	}

	#seen(beside: Beside): Beside {
		this.#beside.add(beside.pid);
		return beside;
	}

	#read(file: string): Record<string, unknown> {
		const [lab = ""] = readdirSync(join(this.folder, ".local")).filter((each) => each.startsWith("lab"));
		return JSON.parse(readFileSync(join(this.folder, ".local", lab, file), "utf8"));
	}
}
