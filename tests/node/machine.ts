// A real Linux machine under qemu: systemd, containerd, a kubelet, two kernels. What starts it lies in a folder beside the repository (REAL_NODE).
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { freePorts, type Guard, lastLines, type Running, startGuard } from "../real/processes.ts";

/** Why there is no real node here, or null. */
export function realNodeMissing(): string | null {
	if (!process.env.REAL_NODE) return "REAL_NODE is not set: a folder with image.sh, vm.mjs and guest.sh is needed";
	if (process.getuid?.() !== 0) return "a real node is made and started by root only";
	return null;
}

function tool(name: string): string {
	return join(process.env.REAL_NODE ?? "", name);
}

/** Of one wait. Emulated, and beside others: many times what an idle machine takes. */
const patienceMs = 600_000;
/** A machine that neither printed a line nor answered for so long hangs. It is silent while it boots (half a minute) and while services stop (90 s at most). */
const silenceMs = 300_000;
const heartbeatMs = 60_000;

/**
 * Left alone the kernel distrusts an emulated counter and takes the emulated HPET for its clock: boots take half as long again, and two guests hung
 * on a busy machine. Nor need it try whether timer interrupts arrive: on a busy machine that ends in a panic. One processor: two that are not on a
 * processor of the host at the same time wait for each other's locks, and use a third more of it for the same work. No other name for the network
 * device: where it got one just as it was given its address, the machine had no network for a whole boot.
 */
const kernelArguments = "tsc=reliable no_timer_check nr_cpus=1 net.ifnames=0";

/** The emulated machine is gone or hangs, which says nothing about us. The first line says it in short. */
export class MachineLost extends Error {}

export class Machine {
	readonly #dir = mkdtempSync(join(tmpdir(), "machine-"));
	readonly #guard: Guard = startGuard(this.#dir);
	readonly #agentPort: number;
	readonly #vm: Running;
	#answeredAt = Date.now();
	#stopped = false;

	private constructor(image: string, apiServer: URL, agentPort: number) {
		this.#agentPort = agentPort;
		const env = [`IMAGE=${image}`, `API_PORT=${apiServer.port}`, `AGENT_PORT=${agentPort}`, `APPEND=${kernelArguments}`];
		// In a PID namespace: qemu ends with its parent, however that is ended.
		const vm = ["unshare", "--pid", "--fork", "--kill-child", "nice", "-n", "5", process.execPath, tool("vm.mjs"), this.#dir];
		this.#vm = this.#guard.start("/usr/bin/env", [...env, ...vm], join(this.#dir, "vm.log"));
		void this.#listen();
	}

	/**
	 * Reaches the API server on that port of this machine as 10.0.2.100:6443, and no other network. Resolves once it is multi-user.
	 * For one that never got so far another is tried once, and `tell` hears why.
	 */
	static async start(apiServer: URL, tell: (what: string) => void): Promise<Machine> {
		const image = execFileSync(tool("image.sh"), { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
		const boot = async (): Promise<Machine> => {
			const [agentPort = 0] = await freePorts(1);
			const machine = new Machine(image, apiServer, agentPort);
			try {
				await machine.hasBooted(1);
			} catch (error) {
				await machine.stop();
				throw error;
			}
			return machine;
		};
		return boot().catch((error: unknown) => {
			tell(`the first boot failed, which is the emulator's doing; another machine is tried: ${String(error)}`);
			return boot();
		});
	}

	/** Runs a script in the guest as root; what it printed, errors too. Throws when it fails, or was not run to its end. */
	async run(script: string, limitMs = 120_000): Promise<string> {
		const env = { ...process.env, AGENT_PORT: String(this.#agentPort), LIMIT: String(limitMs / 1000) };
		// Whole before it runs: no command of it can take the rest for its input.
		const whole = `{ ${script}\n} </dev/null\necho "exit $?"`;
		const { stdout } = await promisify(execFile)(tool("guest.sh"), [whole], { env, maxBuffer: 16 << 20 }).catch((error: { readonly stdout?: string }) => ({
			stdout: error.stdout ?? "",
		}));
		const [, printed = "", code] = /^(.*?)\n?exit (\d+)\n$/s.exec(stdout) ?? [];
		if (code === undefined) {
			const why = await this.#lost();
			const Reason = why === null ? Error : MachineLost;
			throw new Reason(
				`running a script in the guest: no word of its end (limit ${limitMs} ms)${why === null ? "" : `, and ${why}`}: ${script.slice(0, 100)}: ${stdout.slice(-500)}`,
			);
		}
		this.#answeredAt = Date.now();
		if (code !== "0") throw new Error(`running a script in the guest: exit code ${code}: ${script.slice(0, 100)}: ${printed.slice(-500)}`);
		return printed.trim();
	}

	/** What the machine and its console said, each line with its time. */
	get log(): string {
		return existsSync(this.#logFile) ? readFileSync(this.#logFile, "utf8") : "";
	}

	/** Resets of the machine by itself so far. */
	get resets(): number {
		return this.#count(/ shutdown: guest-reset$/gm);
	}

	/** Resolves once multi-user was reached so many times. */
	hasBooted(times: number): Promise<void> {
		return this.until(`boot ${times} reaches multi-user`, () => this.#count(/ READY kernel=/gm) >= times);
	}

	/**
	 * Waits until a check holds; one that throws does not hold yet. Throws at once when the machine is gone or hangs: nothing will hold then.
	 * `told` is asked only when it never does.
	 */
	async until(what: string, holds: () => boolean | Promise<boolean>, told: () => string | Promise<string> = () => this.lastSaid(20)): Promise<void> {
		const startedAt = Date.now();
		let last = "";
		for (;;) {
			try {
				if (await holds()) return;
				last = "";
			} catch (error) {
				last = String(error);
			}
			const waitedMs = Date.now() - startedAt;
			const lost = await this.#lost();
			const why = lost ?? (waitedMs > patienceMs ? "not so yet" : null);
			if (why !== null) {
				const Reason = lost === null ? Error : MachineLost;
				throw new Reason(`waiting until ${what}: after ${Math.round(waitedMs / 1000)} s: ${why} ${last}\n${await told()}`);
			}
			await delay(200);
		}
	}

	lastSaid(count: number): string {
		return existsSync(this.#logFile) ? lastLines(this.#logFile, count) : "the machine has said nothing";
	}

	async stop(): Promise<void> {
		this.#stopped = true;
		await this.#guard.stop();
	}

	get #logFile(): string {
		return join(this.#dir, "log");
	}

	/** Why nothing more is to be expected of it, or null. */
	async #lost(): Promise<string | null> {
		if (this.#vm.hasEnded()) return `the machine ended with ${await this.#vm.ended}: ${lastLines(this.#vm.logFile)}`;
		const printedAt = existsSync(this.#logFile) ? statSync(this.#logFile).mtimeMs : 0;
		const silentMs = Date.now() - Math.max(printedAt, this.#answeredAt);
		if (silentMs < silenceMs) return null;
		return `the guest hangs: no line and no answer for ${Math.round(silentMs / 1000)} s; qemu: ${processesOf(this.#dir)}`;
	}

	/** Signs of life. */
	async #listen(): Promise<void> {
		while (!this.#stopped) {
			await delay(heartbeatMs, undefined, { ref: false });
			// What it was too busy to answer, or not up for, is judged by how long ago it last did.
			await this.run("true", 60_000).catch(() => {});
		}
	}

	#count(pattern: RegExp): number {
		return (this.log.match(pattern) ?? []).length;
	}
}

/** State and processor time of qemu: a guest that waits for ever uses none, one that spins all of it, one that is starved some. */
function processesOf(dir: string): string {
	const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
	const found = pids.flatMap((pid) => {
		try {
			const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
			if (!/^[^\0]*qemu/.test(command) || !command.includes(dir)) return [];
			const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
				.replace(/^.*\) /, "")
				.split(" ");
			return [`pid ${pid}, state ${fields[0]}, ${(Number(fields[11]) + Number(fields[12])) / 100} s of processor time since its boot`];
		} catch {
			// It ended meanwhile.
			return [];
		}
	});
	return found.join("; ") || "gone";
}
