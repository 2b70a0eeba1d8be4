// Virtual time and parked calls. Whatever production code asks of a port is parked here: it goes on when its turn has come, and the turns are
// drawn from the seed, as how long each call is under way. Nothing sleeps: time jumps to the next thing that happens.
import { CallError } from "../../lib/tick/call-error.ts";
import type { Chance } from "./chance.ts";
import type { Fate, Fates, Port } from "./faults.ts";
import type { Trace } from "./trace.ts";

/** As the adapters are wired: one request and its answer. */
export const callTimeoutMs = 10_000;

/** A process of the scheduler, as far as its calls go. */
export interface Caller {
	readonly id: string;
	alive: boolean;
	/** Frozen until then: nothing arrives, nothing is sent. */
	stalledUntil: number;
	/** Calls so far. */
	asked: number;
}

interface Happening {
	readonly at: number;
	readonly order: number;
	/** What has to wait while its process stands still, and never comes when it is dead. */
	readonly caller: Caller | null;
	readonly happen: () => void;
}

/** The things to come, soonest first; of two at the same instant the one that was planned first. */
class Agenda {
	readonly #heap: Happening[] = [];

	get size(): number {
		return this.#heap.length;
	}

	add(happening: Happening): void {
		const heap = this.#heap;
		let i = heap.length;
		heap.push(happening);
		while (i > 0) {
			const up = (i - 1) >> 1;
			const parent = heap[up] as Happening;
			if (!before(happening, parent)) break;
			heap[i] = parent;
			i = up;
		}
		heap[i] = happening;
	}

	next(): Happening | undefined {
		const heap = this.#heap;
		const first = heap[0];
		const last = heap.pop();
		if (first === undefined || last === undefined || heap.length === 0) return first;
		let i = 0;
		for (;;) {
			let down = 2 * i + 1;
			if (down >= heap.length) break;
			if (down + 1 < heap.length && before(heap[down + 1] as Happening, heap[down] as Happening)) down++;
			const child = heap[down] as Happening;
			if (!before(child, last)) break;
			heap[i] = child;
			i = down;
		}
		heap[i] = last;
		return first;
	}
}

function before(one: Happening, other: Happening): boolean {
	return one.at < other.at || (one.at === other.at && one.order < other.order);
}

export interface Call<T> {
	readonly port: Port;
	/** The method of the port. */
	readonly method: string;
	/** What the call is about: part of the label by which its faults are drawn. */
	readonly target: string;
	readonly cluster: string | null;
	readonly write: boolean;
	/** In the -ing form, for errors. */
	readonly doing: string;
	/** What it does to the universe, and its answer. Throws CallError for what the service refuses. `late`: long after it was sent. */
	readonly apply: (late: boolean) => T;
	/** What the answer looks like in a trace. */
	readonly told?: (answer: T) => string;
}

export class Calls {
	now: number;
	readonly #agenda = new Agenda();
	readonly #chance: Chance;
	readonly #fates: Fates;
	readonly #trace: Trace;
	#order = 0;
	/** Port calls so far. */
	count = 0;
	/** A promise of a process was settled in the last happening: its microtasks have to run before the next one. */
	#woke = false;
	/** Told before a call is parked: a scripted death at a certain call. */
	crashAt: ((caller: Caller, nth: number, method: string) => "before" | "after" | null) | null = null;
	/** What becomes of a process that dies or stalls by a fault. */
	onFate: (caller: Caller, fate: Extract<Fate, { kind: "dies" | "stalls" }>) => void = () => undefined;
	/** Told of what callers are told. */
	onAnswer: (caller: Caller, call: Pick<Call<unknown>, "port" | "method">, error: unknown) => void = () => undefined;

	constructor(startAt: number, chance: Chance, fates: Fates, trace: Trace) {
		this.now = startAt;
		this.#chance = chance;
		this.#fates = fates;
		this.#trace = trace;
	}

	at(at: number, happen: () => void, caller: Caller | null = null): void {
		this.#agenda.add({ at: Math.max(at, this.now), order: this.#order++, caller, happen });
	}

	after(ms: number, happen: () => void): void {
		this.at(this.now + ms, happen);
	}

	/** Lets a process go on: after this happening, everything that it can do without another call is done before the next one. */
	wake(settle: () => void): void {
		this.#woke = true;
		settle();
	}

	/**
	 * Lets things happen, one after the other, until `over` says so or nothing is left. Between two of them all promises that can settle have
	 * settled: a tick callback that a microtask asked for runs once no microtask is left.
	 */
	run(over: () => boolean): Promise<void> {
		const settled = Promise.resolve();
		return new Promise((resolve, reject) => {
			const later = () => process.nextTick(turn);
			const turn = () => {
				try {
					for (;;) {
						if (over()) return resolve();
						const next = this.#agenda.next();
						if (next === undefined) return resolve();
						this.#happen(next);
						if (this.#woke) break;
					}
				} catch (error) {
					return reject(error);
				}
				this.#woke = false;
				void settled.then(later);
			};
			turn();
		});
	}

	#happen({ at, caller, happen }: Happening): void {
		if (caller !== null && !caller.alive) return;
		if (caller !== null && caller.stalledUntil > at) {
			this.at(caller.stalledUntil, happen, caller);
			return;
		}
		this.now = at;
		happen();
	}

	/** A call of a process, parked until its turn. */
	call<T>(caller: Caller, call: Call<T>): Promise<T> {
		this.count++;
		caller.asked++;
		const what = `${call.method} ${call.target}`;
		const label = `${caller.id} ${what}`;
		const fate = this.#fates.of(call, label, this.now);
		const scripted = this.crashAt?.(caller, this.count, call.method) ?? null;
		return new Promise((resolve, reject) => {
			const parked = new Parked(this, this.#trace, caller, what, call, resolve, reject);
			parked.meet(scripted === null ? fate : { kind: "dies", when: scripted }, this.#latency(label));
		});
	}

	#latency(label: string): number {
		// Most answers take some milliseconds, a few some hundred: who comes first differs from seed to seed.
		const draw = this.#chance.draw(label);
		return draw < 0.85 ? 1 + Math.floor(draw * 60) : 60 + Math.floor((draw - 0.85) * 4_000);
	}
}

class Parked<T> {
	readonly #calls: Calls;
	readonly #trace: Trace;
	readonly #caller: Caller;
	/** Method and target. */
	readonly #what: string;
	readonly #call: Call<T>;
	readonly #resolve: (answer: T) => void;
	readonly #reject: (error: unknown) => void;

	constructor(calls: Calls, trace: Trace, caller: Caller, what: string, call: Call<T>, resolve: (answer: T) => void, reject: (error: unknown) => void) {
		this.#calls = calls;
		this.#trace = trace;
		this.#caller = caller;
		this.#what = what;
		this.#call = call;
		this.#resolve = resolve;
		this.#reject = reject;
	}

	meet(fate: Fate | null, latencyMs: number): void {
		const { now } = this.#calls;
		const calls = this.#calls;
		if (fate === null) {
			this.#exchange(now + latencyMs, 0);
			return;
		}
		switch (fate.kind) {
			case "slow":
				// Seen early, told late: what the caller goes by is old.
				this.#exchange(now + latencyMs, fate.ms);
				return;
			case "refused":
				calls.at(now + latencyMs, () => this.#refuse(fate.failure, fate.status, fate.retryAfterMs, fate.applies), this.#caller);
				return;
			case "requestLost":
				this.#timeOut();
				return;
			case "answerLost":
				calls.at(now + latencyMs, () => this.#unheard("answer lost", false));
				this.#timeOut();
				return;
			case "late":
				calls.at(now + fate.afterMs, () => this.#unheard("applied late", true));
				this.#timeOut();
				return;
			case "twice":
				calls.at(now + latencyMs + fate.afterMs, () => this.#unheard("applied twice", true));
				this.#exchange(now + latencyMs, 0);
				return;
			case "dies":
				if (fate.when === "after") calls.at(now + latencyMs, () => this.#unheard("and the worker dies", false));
				calls.at(now + (fate.when === "after" ? latencyMs : 0), () => calls.onFate(this.#caller, fate));
				return;
			case "stalls":
				calls.onFate(this.#caller, fate);
				// Sent before it froze: the answer waits for it. Else the request itself does.
				if (fate.sent) {
					this.#exchange(now + latencyMs, fate.ms);
					return;
				}
				calls.at(now + fate.ms + latencyMs, () => this.#answer(0, true), this.#caller);
				return;
			default:
				fate satisfies never;
		}
	}

	/** The request arrives; the answer is under way for `answerMs`. */
	#exchange(arrivesAt: number, answerMs: number): void {
		// What was sent arrives, whatever has become of who sent it.
		this.#calls.at(arrivesAt, () => this.#answer(answerMs, false));
	}

	#answer(answerMs: number, late: boolean): void {
		const settle = this.#applied(late, "");
		if (answerMs === 0 && this.#caller.alive && this.#caller.stalledUntil <= this.#calls.now) this.#calls.wake(settle);
		else this.#calls.at(this.#calls.now + answerMs, () => this.#calls.wake(settle), this.#caller);
	}

	#told(answer: T): void {
		this.#calls.onAnswer(this.#caller, this.#call, null);
		this.#resolve(answer);
	}

	#failed(error: unknown): void {
		this.#calls.onAnswer(this.#caller, this.#call, error);
		this.#reject(error);
	}

	#unheard(what: string, late: boolean): void {
		this.#applied(late, ` (${what})`);
	}

	#applied(late: boolean, remark: string): () => void {
		try {
			const answer = this.#call.apply(late);
			this.#note(`${this.#call.told?.(answer) ?? "ok"}${remark}`);
			return () => this.#told(answer);
		} catch (error) {
			this.#note(`${error instanceof CallError ? error.failure : String(error)}${remark}`);
			return () => this.#failed(error);
		}
	}

	#refuse(failure: CallError["failure"], status: number | null, retryAfterMs: number | null, applies: boolean): void {
		if (applies) this.#unheard(`and answered ${failure}`, false);
		else this.#note(`fault: ${failure}`);
		// As the adapters have it: after one of these a write may have been applied.
		const open = failure === "serverError" || failure === "garbled" || failure === "timedOut" || (failure === "throttled" && this.#call.port === "table");
		const mayHaveApplied = this.#call.write && open;
		const error = new CallError({ failure, doing: this.#call.doing, answer: status === null ? failure : String(status), status, retryAfterMs, mayHaveApplied });
		this.#calls.wake(() => this.#failed(error));
	}

	#timeOut(): void {
		const { doing, write } = this.#call;
		const error = new CallError({ failure: "timedOut", doing, answer: `no answer within ${callTimeoutMs} ms`, mayHaveApplied: write });
		const happen = () => {
			this.#note("fault: timedOut");
			this.#calls.wake(() => this.#failed(error));
		};
		this.#calls.at(this.#calls.now + callTimeoutMs, happen, this.#caller);
	}

	#note(outcome: string): void {
		this.#trace.note(this.#calls.now, this.#caller.id, `${this.#what} → ${outcome}`);
	}
}
