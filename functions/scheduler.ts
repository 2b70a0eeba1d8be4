// What one process of the function app has once: the settings, the world and the worker. All of it is made when it is first used: whatever
// is wrong fails an invocation, which people see, and never the loading of the app, which would leave them with "no functions found".
import type { Environment } from "../lib/azure/identity.ts";
import type { DoctorWorld } from "../lib/doctor/ports.ts";
import { type Round, round, roundLimits } from "../lib/tick/round.ts";
import type { JournalSink, Table, World } from "../lib/tick/world.ts";
import { configurationOf, doctorWorldOf, type Wiring, wire } from "./world.ts";

/** Lines are written to the journal of an invocation; outside of one there are none. */
const noInvocation: JournalSink = { write() {} };

export class Scheduler {
	readonly #env: Environment;
	#configuration: ReturnType<typeof configurationOf> | null = null;
	#wiring: Wiring | null = null;
	#underWay: Promise<Round> | null = null;

	constructor(env: Environment) {
		this.#env = env;
	}

	get configuration(): ReturnType<typeof configurationOf> {
		this.#configuration ??= configurationOf(this.#env);
		return this.#configuration;
	}

	/** Throws, without a key in the message, where the settings name no table. Its journal is that of no invocation. */
	get world(): World {
		return this.#wired().world;
	}

	/** Throws as `world` does. */
	get doctorWorld(): DoctorWorld {
		return doctorWorldOf(this.#wired());
	}

	get table(): Table {
		return this.world.table;
	}

	/**
	 * One round. An invocation by hand beside the timer's shares the one that is under way: two rounds at once of one worker would both
	 * hold its leases.
	 */
	round(journal: JournalSink, late: boolean): Promise<Round> {
		this.#underWay ??= this.#round(journal, late).finally(() => {
			this.#underWay = null;
		});
		return this.#underWay;
	}

	async #round(journal: JournalSink, late: boolean): Promise<Round> {
		const { world, worker } = this.#wired();
		return await round({ ...world, journal }, worker, this.configuration, { ...roundLimits, late });
	}

	#wired(): Wiring {
		const { stateTable } = this.configuration;
		if (stateTable === null) throw new Error("STATE_TABLE is wrong: there is no table to work with");
		this.#wiring ??= wire(this.#env, stateTable, { journal: noInvocation });
		return this.#wiring;
	}
}
