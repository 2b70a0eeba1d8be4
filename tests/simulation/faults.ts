// What can go wrong with one call, and how it is decided: by rates and the seed, or by the list of those that are to happen.
import type { CallFailure } from "../../lib/tick/call-error.ts";
import type { Chance } from "./chance.ts";

export type Port = "table" | "kubernetes" | "arm";

/** What becomes of a call. */
export type Fate =
	/** An error at once. `applies`: the service did it all the same (an error of 5xx says nothing about that). */
	| { readonly kind: "refused"; readonly failure: CallFailure; readonly status: number | null; readonly retryAfterMs: number | null; readonly applies: boolean }
	/** Not applied, and nobody knows. */
	| { readonly kind: "requestLost" }
	/** Applied, and the answer is lost. */
	| { readonly kind: "answerLost" }
	/** The caller gives up waiting; it is applied after that. */
	| { readonly kind: "late"; readonly afterMs: number }
	/** Applied at once and answered late: what the caller goes by is old. */
	| { readonly kind: "slow"; readonly ms: number }
	/** Applied, answered, and applied again later (a proxy that sends again). */
	| { readonly kind: "twice"; readonly afterMs: number }
	| { readonly kind: "dies"; readonly when: "before" | "after" }
	/** The process freezes. `sent`: its request had gone out. `clockStops`: its clock does not count the time. */
	| { readonly kind: "stalls"; readonly ms: number; readonly sent: boolean; readonly clockStops: boolean };

export const faultNames = [
	"unreachable",
	"unauthorized",
	"throttled",
	"serverError",
	"garbled",
	"conflict",
	"requestLost",
	"answerLost",
	"late",
	"slow",
	"twice",
	"dies",
	"stalls",
] as const;
export type FaultName = (typeof faultNames)[number];

/** How often a fault befalls a call of a port, from 0 to 1. What is not named never does. */
export type Rates = { readonly [port in Port]?: { readonly [name in FaultName]?: number } };

/** A fault that befell one call: the nth of its label. */
export interface Fired {
	readonly label: string;
	readonly nth: number;
	readonly fault: FaultName;
	readonly fate: Fate;
}

export type Faults =
	| { readonly kind: "seeded"; readonly rates: Rates }
	/** Those that fired in some run, or some of them: the same story on another commit, and what shrinking takes away from. */
	| { readonly kind: "listed"; readonly fired: readonly Fired[] };

/** A time in which every call of a port fails alike. */
export interface Outage {
	/** Milliseconds since the run began. */
	readonly fromMs: number;
	readonly untilMs: number;
	readonly port: Port;
	/** Null: of all clusters, where the port has any. */
	readonly cluster: string | null;
	/** Null: all methods. */
	readonly method: string | null;
	readonly failure: "unreachable" | "timedOut" | "throttled" | "serverError" | "forbidden" | "unauthorized";
}

interface Asked {
	readonly port: Port;
	readonly method: string;
	readonly cluster: string | null;
	readonly write: boolean;
}

/** Calls that share a label. */
interface Site {
	readonly label: string;
	/** Of the draws that decide on their faults. */
	readonly drawn: string;
	calls: number;
}

const statuses: Readonly<Partial<Record<CallFailure, number>>> = {
	unauthorized: 401,
	forbidden: 403,
	conflict: 409,
	precondition: 412,
	throttled: 429,
	serverError: 503,
};

export class Fates {
	readonly #chance: Chance;
	readonly #faults: Faults;
	readonly #outages: readonly Outage[];
	readonly #startAt: number;
	readonly #listed: ReadonlyMap<string, Fired>;
	readonly #sites = new Map<string, Site>();
	readonly fired: Fired[] = [];
	/** How often each fault befell a call of a port. */
	readonly counts = new Map<string, number>();
	/** Once it is calm nothing goes wrong any more. */
	calm = false;

	constructor(chance: Chance, faults: Faults, outages: readonly Outage[], startAt: number) {
		this.#chance = chance;
		this.#faults = faults;
		this.#outages = outages;
		this.#startAt = startAt;
		this.#listed = new Map(faults.kind === "listed" ? faults.fired.map((each) => [`${each.label}#${each.nth}`, each]) : []);
	}

	of(asked: Asked, label: string, now: number): Fate | null {
		if (this.calm) return null;
		const atMs = now - this.#startAt;
		const outage = this.#outages.find((each) => covers(each, asked, atMs));
		if (outage !== undefined) {
			this.#counted(asked.port, `outage ${outage.failure}`);
			if (outage.failure === "timedOut") return { kind: "requestLost" };
			return refused(outage.failure, outage.failure === "throttled" ? 10_000 : null, false);
		}
		const site = this.#site(label);
		const nth = site.calls++;
		const fired = this.#faults.kind === "listed" ? this.#listed.get(`${label}#${nth}`) : this.#drawn(asked, site, nth, this.#faults.rates);
		if (fired === undefined) return null;
		this.fired.push(fired);
		this.#counted(asked.port, fired.fault);
		return fired.fate;
	}

	#site(label: string): Site {
		let site = this.#sites.get(label);
		if (site === undefined) {
			site = { label, drawn: `fault ${label}`, calls: 0 };
			this.#sites.set(label, site);
		}
		return site;
	}

	#counted(port: Port, fault: string): void {
		const name = `${port} ${fault}`;
		this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
	}

	/** One draw for all faults of the port: each takes its share of [0, 1). */
	#drawn(asked: Asked, { label, drawn }: Site, nth: number, rates: Rates): Fired | undefined {
		const ofPort = rates[asked.port];
		if (ofPort === undefined) return undefined;
		let draw = this.#chance.draw(drawn);
		for (const fault of faultNames) {
			const rate = ofPort[fault] ?? 0;
			if (draw >= rate) {
				draw -= rate;
				continue;
			}
			const fate = this.#fate(fault, drawn, asked);
			return fate === null ? undefined : { label, nth, fault, fate };
		}
		return undefined;
	}

	/** Null: nothing that could befall this call. */
	#fate(fault: FaultName, label: string, asked: Asked): Fate | null {
		const { write } = asked;
		const ms = (least: number, most: number) => this.#chance.between(`${label} ms`, least, most);
		switch (fault) {
			case "unreachable":
			case "unauthorized":
				return refused(fault, null, false);
			case "throttled":
				return refused(fault, ms(1, 20) * 1_000, false);
			case "serverError":
			case "garbled":
				return refused(fault, null, write && this.#chance.happens(`${label} applies`, 0.4));
			case "conflict":
				// Somebody wrote in between; or, at the table, a layer below sent it twice and tells what became of the second.
				if (asked.port === "table" && asked.write) return refused("precondition", null, this.#chance.happens(`${label} applies`, 0.5));
				return asked.method === "patchNode" ? refused(fault, null, false) : null;
			case "requestLost":
				return { kind: "requestLost" };
			case "answerLost":
				return write ? { kind: "answerLost" } : { kind: "requestLost" };
			case "late":
				return write ? { kind: "late", afterMs: ms(10_000, 120_000) } : { kind: "slow", ms: ms(3_000, 9_500) };
			case "slow":
				return { kind: "slow", ms: ms(500, 9_500) };
			case "twice":
				return write ? { kind: "twice", afterMs: ms(5, 60_000) } : null;
			case "dies":
				return { kind: "dies", when: this.#chance.happens(`${label} when`, 0.5) ? "before" : "after" };
			case "stalls": {
				const sent = this.#chance.happens(`${label} sent`, 0.5);
				return { kind: "stalls", ms: ms(5_000, 300_000), sent, clockStops: this.#chance.happens(`${label} clock`, 0.3) };
			}
			default: {
				const never: never = fault;
				return never;
			}
		}
	}
}

function covers({ fromMs, untilMs, port, cluster, method }: Outage, asked: Asked, atMs: number): boolean {
	if (atMs < fromMs || atMs >= untilMs || port !== asked.port) return false;
	return (cluster === null || cluster === asked.cluster) && (method === null || method === asked.method);
}

function refused(failure: CallFailure, retryAfterMs: number | null, applies: boolean): Fate {
	return { kind: "refused", failure, status: statuses[failure] ?? null, retryAfterMs, applies };
}
