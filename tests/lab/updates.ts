// New updates arrive: some machines ask for a reboot again, once the fleet has come to rest, so that it never stands still.
import type { SimulatedNode } from "../real/simulated-node.ts";
import { needSince } from "./fleet.ts";
import type { Member } from "./member.ts";

/** Longer than a pass over the demonstration takes: `--until-settled` ends before. */
const firstAfterMs = 150_000;
/** Of a fleet that was resumed at rest: nobody wants to wait for that. */
const firstAtRestMs = 30_000;
const restMs = 45_000;
const lookEveryMs = 1_000;
/** One machine in so many gets them, at least two. */
const machinesPerUpdate = 8;

export class Updates {
	readonly #members: readonly Member[];
	readonly #notBefore: number;
	readonly #timer: NodeJS.Timeout;
	#lastAt = 0;

	/** `resumed`: the fleet goes on where it was. */
	constructor(members: readonly Member[], resumed: boolean) {
		this.#members = members;
		const atRest = resumed && this.#idle().length === this.#all().length;
		this.#notBefore = Date.now() + (atRest ? firstAtRestMs : firstAfterMs);
		this.#timer = setInterval(() => this.#look(), lookEveryMs);
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	#all(): SimulatedNode[] {
		return this.#members.flatMap(({ machines }) => machines.names().map((name) => machines.node(name)));
	}

	/** Up, and nothing is wanted of them. */
	#idle(): SimulatedNode[] {
		return this.#all().filter((machine) => machine.up && machine.rebootNeed === null);
	}

	#look(): void {
		const now = Date.now();
		if (now < this.#notBefore || now - this.#movedAt() < restMs) return;
		this.#lastAt = now;
		const idle = this.#idle();
		const count = Math.max(2, Math.round(this.#all().length / machinesPerUpdate));
		for (let left = count; left > 0 && idle.length > 0; left--) {
			const [machine] = idle.splice(Math.floor(Math.random() * idle.length), 1);
			machine?.needReboot(needSince(machine.kernelVersion, new Date(now)));
		}
	}

	/** When somebody held a node, or one went away or came back, or updates came. */
	#movedAt(): number {
		const moments = this.#members.flatMap(({ machines }) => [machines.marked, machines.down].map((log) => log.moments.at(-1)?.at ?? 0));
		return Math.max(this.#lastAt, ...moments);
	}
}
