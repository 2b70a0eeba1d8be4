// The demonstration fleet: the lab of tests/lab as a process of its own, started for a folder, joined when a killed run left it behind,
// stopped by the last run that uses it.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Environment } from "../azure/identity.ts";
import type { Started } from "./ending.ts";
import { alone } from "./lock.ts";
import { alive, endProcess, whose } from "./processes.ts";

const labMain = fileURLToPath(new URL("../../tests/lab/main.ts", import.meta.url));
/** Real control planes take their time, and so do hundreds of nodes. */
const startMs = 300_000;
/** It writes its state within 2 s. */
const stopMs = 10_000;

export interface Demonstration extends Started {
	/** Settings that reach it. */
	readonly environment: Environment;
	/** Of its Resource Manager, PEM. */
	readonly caPem: string;
	/** A file with an admin's context for each cluster. */
	readonly kubeconfig: string | null;
	/** What people should know of it. */
	readonly notes: readonly string[];
}

/** What the lab says once all of it is up, and keeps in its folder. */
interface Ready {
	readonly process: number;
	readonly armUrl: string;
	readonly caPem: string;
	readonly environment: Readonly<Record<string, string>>;
	readonly kubeconfig?: string;
	readonly notes: readonly string[];
	readonly arguments?: { readonly fast?: boolean };
}

/** Each fleet has a folder of its own, and so a table: another size is another fleet, and a faster one the same. */
export function labFolder(shape: readonly string[]): string {
	return ["lab", ...shape.filter((each) => each !== "--fast").map((each) => each.replace(/^--/, ""))].join("-");
}

/**
 * Starts the lab in a folder, or joins it. `shape`: its arguments. Rejects with the reason of `stop`, and nothing started, when that is
 * aborted before it is up.
 *
 * @throws Error when it can't be started
 */
export async function startDemonstration(folder: string, shape: readonly string[], say: (line: string) => void, stop: AbortSignal): Promise<Demonstration> {
	if (!existsSync(labMain))
		throw new Error(`starting the demonstration fleet: ${labMain} is not there; it comes with the repository, not with the published app`);
	mkdirSync(folder, { recursive: true });
	return await alone(lockOf(folder), () => startedOrJoined(folder, shape, say, stop), stop);
}

async function startedOrJoined(folder: string, shape: readonly string[], say: (line: string) => void, stop: AbortSignal): Promise<Demonstration> {
	const found = readReady(folder);
	if (found !== null && alive(found.process) && (await answers(found))) {
		const slower = shape.includes("--fast") && found.arguments?.fast !== true ? "; its machines boot as they did, without --fast" : "";
		return demonstrationOf(folder, found, `lab: process ${found.process}, ${whose(usersOf(folder))}${slower}`);
	}
	// Of a lab that was killed; another process may have its id by now.
	rmSync(join(folder, "lab.json"), { force: true });
	say("the demonstration fleet is being started …");
	const child = launch(folder, shape);
	const { pid } = child;
	if (pid === undefined) throw new Error(`starting the demonstration fleet with ${process.execPath}: it could not be started`);
	try {
		const ready = await untilReady(child, pid, folder, stop);
		return demonstrationOf(folder, ready, `lab: process ${pid}, its data in ${folder}`);
	} catch (error) {
		await endProcess(pid, "SIGTERM", stopMs);
		throw error;
	}
}

function demonstrationOf(folder: string, ready: Ready, how: string): Demonstration {
	writeUsers(folder, [...usersOf(folder), process.pid]);
	return {
		environment: ready.environment,
		caPem: ready.caPem,
		kubeconfig: ready.kubeconfig ?? null,
		notes: [how, ...ready.notes],
		stop: () =>
			alone(lockOf(folder), async () => {
				const others = usersOf(folder);
				writeUsers(folder, others);
				if (others.length === 0) await endProcess(ready.process, "SIGTERM", stopMs);
			}),
		abandon() {
			if (usersOf(folder).length === 0 && alive(ready.process)) process.kill(ready.process, "SIGTERM");
		},
	};
}

function lockOf(folder: string): string {
	return join(folder, "lab.lock");
}

/** Other runs that use the lab. */
function usersOf(folder: string): readonly number[] {
	try {
		const pids = readFileSync(join(folder, "schedulers"), "utf8").split("\n").map(Number);
		return pids.filter((pid) => pid > 0 && pid !== process.pid && alive(pid));
	} catch {
		return [];
	}
}

function writeUsers(folder: string, pids: readonly number[]): void {
	if (pids.length === 0) rmSync(join(folder, "schedulers"), { force: true });
	else writeFileSync(join(folder, "schedulers"), `${pids.join("\n")}\n`);
}

function readReady(folder: string): Ready | null {
	try {
		const ready = JSON.parse(readFileSync(join(folder, "lab.json"), "utf8")) as Partial<Ready>;
		const whole = typeof ready.process === "number" && typeof ready.armUrl === "string" && typeof ready.caPem === "string";
		return whole && typeof ready.environment === "object" && Array.isArray(ready.notes) ? (ready as Ready) : null;
	} catch {
		return null;
	}
}

/** Whether it is the lab that has the note's process id: any answer under its CA will do. */
function answers({ armUrl, caPem }: Ready): Promise<boolean> {
	const { promise, resolve } = Promise.withResolvers<boolean>();
	const request = get(armUrl, { ca: caPem, timeout: 5_000 }, (response) => {
		response.resume();
		resolve(true);
	});
	request.once("error", () => resolve(false));
	request.once("timeout", () => request.destroy(new Error("no answer")));
	return promise;
}

function launch(folder: string, shape: readonly string[]): ChildProcess {
	// What it says once it is up stands in its folder too. A pipe would break when this process is killed, and the lab goes on.
	const errors = openSync(errorsOf(folder), "w");
	// A group of its own: Ctrl-C ends the run first.
	const child = spawn(process.execPath, [labMain, "--folder", folder, ...shape], { detached: true, stdio: ["ignore", "ignore", errors] });
	closeSync(errors);
	child.unref();
	return child;
}

function errorsOf(folder: string): string {
	return join(folder, "lab.err");
}

async function untilReady(child: ChildProcess, pid: number, folder: string, stop: AbortSignal): Promise<Ready> {
	const endsAt = Date.now() + startMs;
	while (child.exitCode === null && child.signalCode === null) {
		stop.throwIfAborted();
		const ready = readReady(folder);
		if (ready?.process === pid) return ready;
		if (Date.now() > endsAt) throw new Error(`starting the demonstration fleet in ${folder}: it is not up after ${startMs / 1000} s`);
		await wait(50);
	}
	stop.throwIfAborted();
	const said = readFileSync(errorsOf(folder), "utf8").trim().split("\n").slice(-5).join("\n");
	throw new Error(`starting the demonstration fleet: the lab ended${said === "" ? ` with ${child.exitCode ?? child.signalCode}` : `: ${said}`}`);
}
