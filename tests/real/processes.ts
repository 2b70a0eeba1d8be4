// Child processes that never outlive the test: a guard beside us kills them when we are gone, however we went.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";

// Reads "+ PID" and "- PID" lines; at the end of its input (we ended, or were killed) it kills what is left and removes the directory.
const guardScript = `
pids=" "
while read -r what pid; do
	case $what in
		+) pids="$pids$pid " ;;
		-) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
	esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
[ -z "$1" ] || rm -rf "$1"
`;

export interface Guard {
	/** Starts a program whose output goes to a file; it dies when we do. */
	start(program: string, args: readonly string[], logFile: string): Running;
	/** Kills whatever is left of what was started here, waits for it, and ends the guard. */
	stop(): Promise<void>;
}

export interface Running {
	readonly pid: number;
	readonly logFile: string;
	/** Resolves once it has ended, with what is to be said of its end. */
	readonly ended: Promise<string>;
	hasEnded(): boolean;
	signal(signal: NodeJS.Signals): void;
	/** SIGKILL, and waits for the end. */
	kill(): Promise<void>;
}

/** `removes`: a directory that is removed at the end. */
export function startGuard(removes: string | null): Guard {
	// In a process group of its own: the terminal's Ctrl-C, which ends us, must not end it first.
	const guard = spawn("/bin/sh", ["-c", guardScript, "guard", removes ?? ""], { detached: true, stdio: ["pipe", "ignore", "ignore"] });
	const gone = new Promise<void>((resolve) => guard.once("exit", () => resolve()));
	guard.unref();
	// Writing to a guard that somebody killed must not fail the test.
	guard.stdin.on("error", () => {});
	const all = new Set<Running>();
	return {
		start(program, args, logFile) {
			const running = startProcess(program, args, logFile);
			guard.stdin.write(`+ ${running.pid}\n`);
			all.add(running);
			void running.ended.then(() => {
				all.delete(running);
				guard.stdin.write(`- ${running.pid}\n`);
			});
			return running;
		},
		async stop() {
			await Promise.all([...all].map((running) => running.kill()));
			guard.ref();
			guard.stdin.end();
			await gone;
		},
	};
}

function startProcess(program: string, args: readonly string[], logFile: string): Running {
	const log = openSync(logFile, "a");
	const child: ChildProcess = spawn(program, args, { stdio: ["ignore", log, log] });
	closeSync(log);
	const pid = child.pid;
	let end: string | null = null;
	const ended = new Promise<string>((resolve) => {
		const tell = (text: string): void => {
			end ??= text;
			resolve(end);
		};
		child.once("error", (error) => tell(error.message));
		child.once("exit", (code, signal) => tell(signal === null ? `exit code ${code}` : `signal ${signal}`));
	});
	if (pid === undefined) throw new Error(`starting ${program}: it did not start; is it an executable file?`);
	const running: Running = {
		pid,
		logFile,
		ended,
		hasEnded: () => end !== null,
		signal(signal) {
			if (end === null) process.kill(pid, signal);
		},
		async kill() {
			if (end === null) child.kill("SIGKILL");
			await ended;
		},
	};
	return running;
}

/** The last lines of a process's log, for an error message. */
export function lastLines(logFile: string, count = 8): string {
	return readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-count).join("\n");
}

/**
 * Ports that are free now. Below the range that the kernel gives to outgoing connections (32768 and up, unless told otherwise): a server
 * that is killed and started again must find its port free.
 */
export async function freePorts(count: number): Promise<number[]> {
	const ports = new Set<number>();
	while (ports.size < count) {
		const port = 20_000 + Math.floor(Math.random() * 12_000);
		if (await isFree(port)) ports.add(port);
	}
	return [...ports];
}

function isFree(port: number): Promise<boolean> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(false));
		server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
	});
}

/** False also once it has ended and whoever inherited it has not waited for it yet. */
export function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
	} catch {
		return false;
	}
	try {
		return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
	} catch {
		return true;
	}
}

interface Stoppable {
	stop(): Promise<void>;
}

/** All of them: where one does not start, those that did are stopped, and nothing keeps this process alive. */
export async function together<T extends readonly Stoppable[]>(...starts: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
	const outcomes = await Promise.allSettled(starts);
	const failed = outcomes.find((each) => each.status === "rejected");
	const started = outcomes.flatMap((each) => (each.status === "fulfilled" ? [each.value as Stoppable] : []));
	if (failed === undefined) return started as unknown as T;
	await Promise.all(started.map((each) => each.stop()));
	throw failed.reason;
}
