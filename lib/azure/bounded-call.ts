// One time limit over a whole call: its retries, its waits and every request that it is made of.
import { setTimeout as wait } from "node:timers/promises";
import { CallError } from "../tick/call-error.ts";
import { type CallContext, toCallError } from "./failure.ts";

export interface Bounds extends CallContext {
	readonly limitMs: number;
	/** How often a call that failed for a passing reason is repeated. 0 for writes: a repeat would turn success into a conflict. */
	readonly retries: number;
	/** A service that throttles is not waited for: the caller comes back by itself, and waiting would keep others from theirs. */
	readonly leaveThrottled?: boolean;
}

const firstDelayMs = 250;

/** How long to wait before the next try, or null when there is none. */
function retryDelayMs(failed: CallError, tried: number, { retries, leaveThrottled }: Bounds): number | null {
	if (tried >= retries || (leaveThrottled === true && failed.failure === "throttled")) return null;
	const passing = failed.failure === "throttled" || failed.failure === "serverError" || failed.failure === "unreachable";
	return passing ? (failed.retryAfterMs ?? firstDelayMs * 2 ** tried) : null;
}

function timedOut(bounds: Bounds): CallError {
	return new CallError({
		failure: "timedOut",
		doing: bounds.doing,
		answer: `no answer within ${bounds.limitMs} ms`,
		mayHaveApplied: bounds.write,
	});
}

/**
 * Settles with the work or, at the abort, without it: not everything below an SDK listens to a signal (fetching a token, for one).
 * What the work still does then is the caller's "may have been applied".
 */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
	let stop: (() => void) | undefined;
	const aborted = new Promise<never>((_, reject) => {
		stop = () => reject(signal.reason);
		signal.addEventListener("abort", stop, { once: true });
		if (signal.aborted) stop();
	});
	try {
		return await Promise.race([work, aborted]);
	} finally {
		if (stop !== undefined) signal.removeEventListener("abort", stop);
	}
}

/**
 * Runs `attempt` until it succeeds, fails for good, or the limit is over.
 *
 * @throws CallError always, whatever the attempt threw. A wait that the server asked for and that would pass the limit is not begun:
 * its `retryAfterMs` is the caller's to honour.
 */
export async function boundedCall<T>(bounds: Bounds, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
	const controller = new AbortController();
	const endsAt = performance.now() + bounds.limitMs;
	const timer = setTimeout(() => controller.abort(), bounds.limitMs);
	try {
		for (let tried = 0; ; tried++) {
			try {
				return await orAborted(attempt(controller.signal), controller.signal);
			} catch (error) {
				const failed = controller.signal.aborted ? timedOut(bounds) : toCallError(error, bounds);
				const delayMs = retryDelayMs(failed, tried, bounds);
				if (delayMs === null || performance.now() + delayMs >= endsAt) throw failed;
				await wait(delayMs);
			}
		}
	} finally {
		clearTimeout(timer);
	}
}
