// A process's own clock: it counts from anywhere, runs a little fast or slow, and may stand still while its machine does.
import type { Clock } from "../../../lib/tick/world.ts";
import type { SchedulerProcess } from "../processes.ts";

export class SimulatedClock implements Clock {
	readonly #process: SchedulerProcess;
	/** What it says at the beginning, and how much faster than true time it runs (1 is right). */
	readonly #offset: number;
	readonly #rate: number;
	#stoodStillMs = 0;

	constructor(process: SchedulerProcess, offset: number, rate: number) {
		this.#process = process;
		this.#offset = offset;
		this.#rate = rate;
	}

	now(): number {
		return this.#offset + (this.#process.calls.now - this.#stoodStillMs) * this.#rate;
	}

	/** It has stood still at some time: what it says then cannot be trusted. */
	get stoodStill(): boolean {
		return this.#stoodStillMs > 0;
	}

	/** Time that it does not count. */
	standStill(ms: number): void {
		this.#stoodStillMs += ms;
	}

	wait(ms: number, signal?: AbortSignal): Promise<void> {
		const { calls } = this.#process;
		return new Promise((resolve) => {
			if (signal?.aborted) return resolve();
			let over = false;
			const end = () => {
				over = true;
				resolve();
			};
			signal?.addEventListener("abort", end, { once: true });
			calls.at(
				calls.now + Math.max(1, Math.round(ms / this.#rate)),
				() => {
					if (over) return;
					signal?.removeEventListener("abort", end);
					calls.wake(end);
				},
				this.#process,
			);
		});
	}
}
