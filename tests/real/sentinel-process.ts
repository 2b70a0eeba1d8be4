// Runs the shipped report.sh as a process: as its user, under the shells it may meet, with a directory in place of the node's /var/run.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	chmodSync,
	closeSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	utimesSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { until } from "../waiting.ts";

export const scriptFile = resolve(import.meta.dirname, "../../infra/cluster/report.sh");

export const shells = ["dash", "busybox", "bash"] as const;
export type Shell = (typeof shells)[number];

/** Why a shell cannot be tried here, or false. */
export function shellMissing(shell: Shell): string | false {
	return spawnSync("/bin/sh", ["-c", `command -v ${shell}`]).status === 0 ? false : `${shell} is not installed`;
}

export interface SentinelOptions {
	readonly shell?: Shell;
	readonly server: string;
	readonly caPem: string;
	readonly token: string;
	readonly pod: string;
	/** More of the script's environment. */
	readonly env?: Readonly<Record<string, string>>;
	/** Directory of a sentinel before this one (the same pod, a new container). */
	readonly dir?: string;
}

/** One start of curl, as anybody on the machine could have seen it. */
export interface CurlCall {
	readonly at: number;
	readonly commandLine: string;
	readonly environment: string;
}

const sentinelUser = 65532;
const firstBoot = "11111111-1111-4111-8111-111111111111";

export class Sentinel {
	readonly dir: string;
	readonly #options: SentinelOptions;
	readonly #child: ChildProcess;
	readonly #ended: Promise<{ code: number | null; signal: string | null }>;

	constructor(options: SentinelOptions) {
		this.#options = options;
		this.dir = options.dir ?? layOut(options);
		const log = openSync(join(this.dir, "log"), "a");
		const [program, ...args] = this.#command();
		if (program === undefined) throw new Error("no command");
		this.#child = spawn(program, args, { env: this.#env(), stdio: ["ignore", log, log] });
		closeSync(log);
		this.#ended = new Promise((done) => this.#child.once("exit", (code, signal) => done({ code, signal })));
	}

	/** Of its shell. */
	get pid(): number {
		return this.#child.pid ?? 0;
	}

	/** In place of the node's /var/run. */
	get run(): string {
		return join(this.dir, "run");
	}

	get flag(): string {
		return join(this.run, "reboot-required");
	}

	setBootId(id: string): void {
		writeFileSync(join(this.dir, "boot_id"), `${id}\n`);
	}

	setToken(token: string): void {
		writeFileSync(join(this.dir, "credentials", "token"), token);
	}

	log(): string {
		return readFileSync(join(this.dir, "log"), "utf8");
	}

	/** What the readiness probe says now. */
	ready(): boolean {
		const [program = "", ...args] = this.#command();
		return spawnSync(program, [...args, "ready"], { env: this.#env() }).status === 0;
	}

	/** Of another program, run as the sentinel's user and with no more rights. */
	async exitCodeOf(program: string, ...args: readonly string[]): Promise<number | null> {
		const child = spawn("/usr/bin/setpriv", [...dropped(), program, ...args], { stdio: "ignore" });
		const [code] = await once(child, "exit");
		return code as number | null;
	}

	curlCalls(): CurlCall[] {
		const blocks = readFileSync(join(this.dir, "curl-calls"), "utf8").split("\u0001").slice(1);
		return blocks.map((block) => {
			const [at = "", commandLine = "", environment = ""] = block.split("\u0002");
			return { at: Number(at), commandLine, environment };
		});
	}

	/** Waits for this many further looks that succeeded. */
	async looks(count: number): Promise<void> {
		for (let seen = 0; seen < count; seen++) {
			const before = this.#lastLook();
			await waitFor("another look", () => this.#lastLook() > before, this);
		}
	}

	/** SIGTERM; the exit code, and how long it took. */
	async terminate(): Promise<{ code: number | null; signal: string | null; tookMs: number }> {
		const began = performance.now();
		this.#child.kill("SIGTERM");
		const end = await this.#ended;
		return { ...end, tookMs: performance.now() - began };
	}

	/** Processes that it started and that are still there, known by their environment: `timeout` leaves the process group. */
	descendants(): number[] {
		const pids = readdirSync("/proc").map(Number);
		return pids.filter((pid) => pid > 0 && pid !== this.#child.pid && environmentOf(pid).includes(`SENTINEL_STATE=${this.dir}/`));
	}

	async stop(options: { readonly keep?: boolean } = {}): Promise<void> {
		this.#child.kill("SIGKILL");
		await this.#ended;
		for (const pid of this.descendants()) process.kill(pid, "SIGKILL");
		if (options.keep !== true) rmSync(this.dir, { recursive: true, force: true });
	}

	#lastLook(): number {
		return statSync(join(this.dir, "state", "ready"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
	}

	#command(): string[] {
		const shell = this.#options.shell ?? "dash";
		const interpreter = shell === "dash" ? "dash" : join(this.dir, "bin", "sh");
		// The kernel ends it when this test is killed.
		return ["/usr/bin/setpriv", "--pdeathsig=KILL", ...dropped(), interpreter, scriptFile];
	}

	#env(): Record<string, string> {
		const server = new URL(this.#options.server);
		const bin = join(this.dir, "bin");
		return {
			PATH: this.#options.shell === "busybox" ? bin : `${bin}:/usr/bin:/bin`,
			KUBERNETES_SERVICE_HOST: server.hostname,
			KUBERNETES_SERVICE_PORT: server.port,
			POD_NAMESPACE: "aks-reboot-scheduler",
			POD_NAME: this.#options.pod,
			SENTINEL_INTERVAL: "1",
			SENTINEL_BACKOFF_MAX: "4",
			SENTINEL_RUN: this.run,
			SENTINEL_BOOT_ID_FILE: join(this.dir, "boot_id"),
			SENTINEL_STATE: join(this.dir, "state"),
			SENTINEL_CREDENTIALS: join(this.dir, "credentials"),
			...this.#options.env,
		};
	}
}

/** Arguments of setpriv. */
function dropped(): string[] {
	return process.getuid?.() === 0 ? [`--reuid=${sentinelUser}`, `--regid=${sentinelUser}`, "--clear-groups", "--bounding-set=-all", "--no-new-privs"] : [];
}

function environmentOf(pid: number): string {
	try {
		return readFileSync(`/proc/${pid}/environ`, "utf8");
	} catch {
		return "";
	}
}

/** As the pod's volumes would be, readable and (state) writable for the sentinel's user. */
function layOut(options: SentinelOptions): string {
	const dir = mkdtempSync(join(tmpdir(), "sentinel-"));
	chmodSync(dir, 0o755);
	for (const part of ["run", "state", "credentials", "bin"]) mkdirSync(join(dir, part));
	// As the kubelet makes an emptyDir.
	chmodSync(join(dir, "state"), 0o777);
	writeFileSync(join(dir, "boot_id"), `${firstBoot}\n`);
	writeFileSync(join(dir, "credentials", "token"), options.token);
	writeFileSync(join(dir, "credentials", "ca.crt"), options.caPem);
	writeFileSync(join(dir, "curl-calls"), "");
	chmodSync(join(dir, "curl-calls"), 0o666);
	if (options.shell === "busybox") execFileSync("busybox", ["--install", "-s", join(dir, "bin")]);
	if (options.shell === "bash") symlinkSync("/bin/bash", join(dir, "bin", "sh"));
	layOutCurl(dir);
	return dir;
}

/** The real curl behind a script that notes what its command line and environment show. */
function layOutCurl(dir: string): void {
	const curl = join(dir, "bin", "curl");
	rmSync(curl, { force: true });
	const note = `{ printf '\\001%s\\002' "$(/usr/bin/date +%s%3N)"; printf '%s ' "$@"; printf '\\002'; /usr/bin/env; } >>'${join(dir, "curl-calls")}'`;
	writeFileSync(curl, `#!/bin/sh\n${note}\nexec /usr/bin/curl "$@"\n`, { mode: 0o755 });
}

/** Looks until it is so; the sentinel's log tells why it never was. */
export function waitFor(what: string, holds: () => boolean | Promise<boolean>, sentinel: Sentinel): Promise<void> {
	const said = () => (existsSync(join(sentinel.dir, "log")) ? `the sentinel said:\n${sentinel.log()}` : "");
	return until(what, holds, { said, everyMs: 50 });
}

/** The annotation as it is written. */
export interface Report {
	readonly bootId: string;
	readonly since: string | null;
	readonly kernel: string;
	readonly packages: readonly string[];
}

export const idle = (report: Report): boolean => report.since === null;
export const asking = (report: Report): boolean => report.since !== null;

export function touchAt(file: string, instant: string): void {
	writeFileSync(file, "");
	utimesSync(file, new Date(instant), new Date(instant));
}
