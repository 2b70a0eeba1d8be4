// Tests wait for conditions, never for time: the limit is for what hangs.
import { setTimeout as delay } from "node:timers/promises";

export interface Waiting {
	/** Told where it does not come about. */
	readonly said?: () => string | Promise<string>;
	/** Whether it cannot come about any more. */
	readonly over?: () => boolean;
	readonly patienceMs?: number;
	readonly everyMs?: number;
}

/** Looks until it is so. What `holds` throws ends the waiting. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, waiting: Waiting = {}): Promise<void> {
	const { said = () => "", over = () => false, patienceMs = 240_000, everyMs = 20 } = waiting;
	const startedAt = Date.now();
	while (!(await holds())) {
		const waitedMs = Date.now() - startedAt;
		const ended = over();
		if (ended || waitedMs > patienceMs)
			throw new Error(`waiting until ${what}: not so after ${waitedMs} ms${ended ? ", and it has ended" : ""}\n${await said()}`);
		await delay(everyMs);
	}
}
