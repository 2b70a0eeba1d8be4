// Azurite, the local Table Storage, as a process of its own.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connectionStringOf, devKey } from "../lib/local/azurite.ts";
import { freePort, isListening } from "./ports.ts";

export interface Azurite {
	readonly connectionString: string;
	readonly port: number;
	/** How far its clock is ahead of this machine's. */
	readonly aheadMs: number;
	/** Moves its clock on. */
	advance(ms: number): Promise<void>;
	stop(): Promise<void>;
}

export interface AzuriteOptions {
	/** Data folder; in memory unless told. */
	readonly dir?: string;
	/** Removed at `stop`, after the process has ended. */
	readonly removeDir?: boolean;
}

async function untilListening(child: ChildProcess, port: number, output: () => string): Promise<void> {
	const endsAt = Date.now() + 180_000;
	while (Date.now() < endsAt) {
		if (child.exitCode !== null || child.signalCode !== null) break;
		if (await isListening(port)) return;
		await wait(50);
	}
	child.kill("SIGKILL");
	throw new Error(`starting Azurite on port ${port}: it does not listen${output() === "" ? "" : `: ${output()}`}`);
}

async function end(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, "exit");
	// At SIGINT it writes its data, at SIGTERM it does not; in memory it has none, and a test must not hang on it.
	child.kill("SIGINT");
	const impatience = setTimeout(() => child.kill("SIGKILL"), 5_000);
	await ended;
	clearTimeout(impatience);
}

/** Starts Azurite's table service on a free port of 127.0.0.1 and waits until it answers. */
export async function startAzurite(options: AzuriteOptions = {}): Promise<Azurite> {
	const port = await freePort();
	const main = fileURLToPath(new URL("../node_modules/azurite/dist/src/table/main.js", import.meta.url));
	const place = options.dir === undefined ? ["--inMemoryPersistence"] : ["--location", options.dir];
	const args = [main, ...place, "--skipApiVersionCheck", "--disableTelemetry", "--tablePort", String(port), "--tableHost", "127.0.0.1", "--silent"];
	const clock = fileURLToPath(new URL("service-clock.ts", import.meta.url));
	const child = spawn(process.execPath, ["--import", clock, ...args], { stdio: ["ignore", "pipe", "pipe", "ipc"] });
	// The channel does not keep a test from ending.
	child.channel?.unref();
	let output = "";
	const collect = (chunk: Buffer): void => {
		output = `${output}${chunk}`.slice(-2_000);
	};
	child.stdout?.on("data", collect);
	child.stderr?.on("data", collect);
	await untilListening(child, port, () => output.trim());
	let aheadMs = 0;
	return {
		connectionString: connectionStringOf(port),
		port,
		get aheadMs() {
			return aheadMs;
		},
		async advance(ms) {
			aheadMs += ms;
			const moved = once(child, "message");
			child.send(aheadMs);
			await moved;
		},
		async stop() {
			await end(child);
			if (options.removeDir && options.dir !== undefined) await rm(options.dir, { recursive: true, force: true });
		},
	};
}
export { connectionStringOf, devKey };
