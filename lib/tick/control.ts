// Carrying out what people ask: names are looked up, the row `control` is read, changed and written with its ETag beside a history row
// that says who asked for what and why. It takes no lease: the scheduler's own writes carry the ETag of this row where it matters.
import { apply, type Command, parseUntil, placeText, requestLifeMs, textProblem } from "../plan/control.ts";
import { explainDuration } from "../plan/explain.ts";
import { type Instant, type NodeFacts, nothingAsked } from "../plan/model.ts";
import type { ClusterTarget } from "../plan/policy.ts";
import { CallError, isWriteConflict } from "./call-error.ts";
import { namesByUid, readFleet, sameTarget, summaryEveryMs } from "./fleet.ts";
import { Journal } from "./journal.ts";
import { type ControlRow, readControl } from "./ledger.ts";
import { type Located, locate, type Order, type Refusal, refused } from "./order.ts";
import { askedKey, askedValues, controlKey, controlValues, type FleetRow, partitionOf } from "./rows.ts";
import { parseSummary } from "./summary.ts";
import type { ClusterApi, World } from "./world.ts";

export interface Written {
	readonly kind: "written";
	readonly cluster: string;
	readonly command: Command;
	/** One sentence: what is so from now on. */
	readonly told: string;
	/** What else whoever asked should know. */
	readonly notes: readonly string[];
}

/** When what was asked takes effect. */
export const takesEffect = "at the scheduler's next look at the cluster: within seconds while something is in flight there, else when its timer is due";

const attempts = 6;
const retryMs = 100;
const byChars = 200;
/** A node's name is a DNS subdomain: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const nameChars = 253;

/** What is wrong with the texts of an order, whatever it is for. */
export function textProblems({ about, reason, by }: Pick<Order, "about" | "reason" | "by">): readonly string[] {
	const problems = [textProblem(reason, "reason"), textProblem(by, "by", byChars)];
	if (about.kind !== "cluster") problems.push(textProblem(about.name, about.kind, nameChars));
	return problems.filter((each) => each !== null);
}

/** Everything that is wrong with an order by itself. */
function problemsOf(order: Order, at: Instant): readonly string[] {
	const { kind, about, until, ignoreWindow } = order;
	const problems = [...textProblems(order)];
	if ((kind === "reboot" || kind === "cancel") && (about.kind === "cluster" || about.kind === "pool"))
		problems.push(`node: ${kind} is for one node, expected its name`);
	if (until !== null) {
		const parsed = parseUntil(until, at);
		if ("problem" in parsed) problems.push(parsed.problem);
		else if (kind === "release" || kind === "cancel") problems.push(`until: ${kind} is done at once and has no end`);
	}
	if (ignoreWindow && kind !== "reboot") problems.push("ignoreWindow: it is for a reboot alone");
	return problems;
}

/** Carries out one order. */
class Clerk {
	readonly #world: World;
	readonly #order: Order;
	readonly #partition: string;

	constructor(world: World, order: Order) {
		this.#world = world;
		this.#order = order;
		this.#partition = partitionOf(order.cluster);
	}

	async run(target: ClusterTarget, row: FleetRow | null): Promise<Written | Refusal> {
		const world = this.#world;
		const { cluster } = this.#order;
		const first = await this.#read();
		const problems = problemsOf(this.#order, first.at);
		if (problems.length > 0) return refused("wrong", ...problems);
		const remembered = row !== null && sameTarget(row.target, target) ? (row.connection ?? undefined) : undefined;
		const api = world.clusters.open(target, remembered);
		const located = await locate(api, world.clusters, target, this.#order, first.control ?? nothingAsked);
		if ("refusal" in located) return located;
		const command = await this.#commandOf(api, located, first.at);
		if ("refusal" in command) return command;
		const told = await this.#write(command, first);
		if (typeof told !== "string") return told;
		const notes = [...uncheckedNote(located), ...unseenNote(row, first.at)];
		const { place, by, reason, until } = fieldsOf(command, located);
		new Journal(world.journal).write("control.asked", { cluster, command: command.kind, ...place, by, reason, until, told });
		return { kind: "written", cluster, command, told, notes };
	}

	#read(): Promise<ControlRow> {
		return readControl(this.#world.table, this.#partition);
	}

	async #commandOf(api: ClusterApi, { place, unchecked }: Located, at: Instant): Promise<Command | Refusal> {
		const { kind, reason, by, ignoreWindow } = this.#order;
		const parsed = this.#order.until === null ? null : parseUntil(this.#order.until, at);
		const until = parsed !== null && "until" in parsed ? parsed.until : null;
		if (kind === "hold") return { kind, place, reason, by, until };
		if (kind === "release") return { kind, place, reason, by };
		if (place.kind !== "node") return refused("wrong", `node: ${placeText(place)} is none, and ${kind} is for one node`);
		const { node } = place;
		if (kind === "cancel") return { kind, node, reason, by };
		if (unchecked !== null) return refused("unavailable", `which boot node ${node} runs has to be known, and could not be asked: ${unchecked}`);
		const facts = await this.#factsOf(api, node);
		if ("refusal" in facts) return facts;
		return { kind, node, pool: facts.pool, bootId: facts.bootId, reason, by, until: until ?? at + requestLifeMs, ignoreWindow };
	}

	async #factsOf(api: ClusterApi, node: string): Promise<NodeFacts | Refusal> {
		try {
			const facts = await api.node(node);
			if (facts === "absent") return refused("unknownName", `${this.#order.cluster} has no node called ${node}`);
			if (facts.virtual) return refused("conflict", `node ${node} is a virtual node: there is nothing to reboot`);
			return facts.bootId === "" ? refused("conflict", `node ${node} has not reported yet which boot it runs`) : facts;
		} catch (error) {
			if (!(error instanceof CallError)) throw error;
			return refused("unavailable", `which boot node ${node} runs has to be known, and could not be asked: ${error.message}`);
		}
	}

	/** Others may write at the same time: each time the command is applied to what the row says then. What was told of it, or why not. */
	async #write(command: Command, first: ControlRow): Promise<string | Refusal> {
		const key = askedKey(first.at, this.#world.ids.next());
		let unsure: { readonly told: string; readonly error: CallError } | null = null;
		let row = first;
		for (let attempt = 1; ; attempt++) {
			// An unknown result: the history row is written in the same transaction, and so is the proof of it.
			if (unsure !== null && (await this.#isThere(key))) return unsure.told;
			if (row.control === null)
				return refused(
					"conflict",
					`row ${controlKey} of partition ${this.#partition} cannot be read, and so the whole cluster stands still: delete the row to start over`,
				);
			const applied = apply(row.control, command, row.at);
			if (applied.kind === "refused") return refused("conflict", applied.why);
			const { told, control } = applied;
			const values = controlValues(control);
			const write =
				row.etag === null ? ({ kind: "insert", key: controlKey, values } as const) : ({ kind: "replace", key: controlKey, values, etag: row.etag } as const);
			try {
				await this.#world.table.transact(this.#partition, [write, { kind: "insert", key, values: askedValues(command, row.at, told) }]);
				return told;
			} catch (error) {
				if (!(error instanceof CallError)) throw error;
				if (!isWriteConflict(error) && !error.mayHaveApplied) throw error;
				if (error.mayHaveApplied) unsure = { told, error };
				if (attempt === attempts) {
					if (unsure !== null && (await this.#isThere(key))) return unsure.told;
					throw unsure?.error ?? error;
				}
			}
			await this.#world.clock.wait(retryMs * attempt);
			row = await this.#read();
		}
	}

	async #isThere(key: string): Promise<boolean> {
		const { rows } = await this.#world.table.query(this.#partition, { from: key, before: `${key}\u0000` });
		return rows.length > 0;
	}
}

function fieldsOf(command: Command, { place }: Located) {
	const { by, reason } = command;
	const until = command.kind === "hold" || command.kind === "reboot" ? command.until : null;
	const named = { pool: place.kind === "cluster" ? null : place.pool, node: place.kind === "node" ? place.node : null };
	return { place: named, by, reason, until };
}

function uncheckedNote({ place, unchecked }: Located): readonly string[] {
	return unchecked === null ? [] : [`the cluster could not be asked whether it has a ${placeText(place)}: ${unchecked}`];
}

/** A hold that nobody reads keeps nothing still. */
function unseenNote(row: FleetRow | null, at: Instant): readonly string[] {
	const seenAt = row === null ? null : parseSummary(row.summary).at;
	if (seenAt === null) return ["the cluster has never been looked at with success: is the scheduler running?"];
	return at - seenAt > 3 * summaryEveryMs ? [`the cluster was last looked at ${explainDuration(at - seenAt)} ago: is the scheduler running?`] : [];
}

/**
 * Looks up what the order names, writes it, and tells the journal.
 *
 * @param clusters those of the settings; one that was dropped from them is known as long as something is in flight there
 * @throws CallError when the table cannot be used, or when it is not known whether the order was written
 */
export async function carryOut(world: World, clusters: readonly ClusterTarget[], order: Order): Promise<Written | Refusal> {
	const { rows } = await readFleet(world.table);
	const row = rows.get(order.cluster) ?? null;
	const configured = clusters.find((each) => each.name === order.cluster);
	// As in a round: what has something in flight is looked at before a cluster that was given its name.
	const target = row?.inFlight === true ? row.target : configured;
	if (target === undefined) {
		const names = clusters.map((each) => each.name);
		const some =
			names.length === 0 ? "the settings name none" : `there is ${names.slice(0, 10).join(", ")}${names.length > 10 ? ` and ${names.length - 10} more` : ""}`;
		return refused("unknownName", `no cluster is called ${JSON.stringify(order.cluster.slice(0, 80))}: ${some}`);
	}
	const name = row !== null && sameTarget(row.target, target) ? namesByUid(rows, clusters).get(row.clusterUid) : undefined;
	// Nobody would read it there. What stands there already can be taken away.
	if (name !== undefined && name !== order.cluster && (order.kind === "hold" || order.kind === "reboot"))
		return refused("conflict", `${order.cluster} is the very cluster that is called ${name}, and is looked at under that name alone: ask it of ${name}`);
	return new Clerk(world, order).run(target, row);
}
