// Processes beside this one, by their id.
import { setTimeout as wait } from "node:timers/promises";

export function alive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		// It is there, and another user's.
		return error instanceof Error && "code" in error && error.code === "EPERM";
	}
}

/** Of something that was found running: who else uses it. */
export function whose(others: readonly number[]): string {
	return others.length === 0 ? "left behind by a killed run" : `shared with process ${others.join(", ")}`;
}

/** Asks a process to end, and kills it when it has not within the time. Resolves once it has ended. */
export async function endProcess(pid: number, signal: NodeJS.Signals, withinMs: number): Promise<void> {
	const endsAt = Date.now() + withinMs;
	if (alive(pid)) process.kill(pid, signal);
	while (alive(pid) && Date.now() < endsAt) await wait(20);
	if (alive(pid)) process.kill(pid, "SIGKILL");
}
