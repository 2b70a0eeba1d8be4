// One pass over one cluster: take the lease, look, plan, write, act, report. What was decided is written before it is done, and what is
// done follows from what was written: a crash anywhere costs a look, never a step.
import { type Leaving, withObstacles } from "../plan/actions.ts";
import { violations } from "../plan/invariants.ts";
import type { Instant, Reboot, View } from "../plan/model.ts";
import type { Plan, PlanInput } from "../plan/plan.ts";
import type { ClusterTarget, SettingProblem, Settings } from "../plan/policy.ts";
import { bugOf, CallError } from "./call-error.ts";
import type { ClusterState } from "./cluster-state.ts";
import { sameTarget, summaryEveryMs, writeFleet } from "./fleet.ts";
import { type Commit, type Lease, takeLease } from "./lease.ts";
import {
	admissionWrites,
	admittedAtOnce,
	changedWrites,
	controlAt,
	type Ledger,
	readControlAgain,
	readLedger,
	recoveryWrites,
	transactionsOf,
} from "./ledger.ts";
import { tellNodes } from "./node-events.ts";
import { excuse, Observer } from "./observe.ts";
import { outcomeOf, type Performed, perform } from "./perform.ts";
import { partitionOf } from "./rows.ts";
import { type ClusterSummary, sayTheSame, summaryOf } from "./summary.ts";
import { Teller } from "./tell.ts";
import { type Thought, thinker } from "./thought.ts";
import type { ClusterApi, RowWrite, World } from "./world.ts";

/** What the settings say, or that they are wrong. */
export interface Configuration {
	/** Null: they are wrong; nothing new is begun, what is in flight is brought back. */
	readonly settings: Settings | null;
	readonly problems: readonly SettingProblem[];
	/** Clusters to look at, as far as they could be read. */
	readonly clusters: readonly ClusterTarget[];
	/** Policy for what is adopted while the settings are wrong. */
	readonly fallback: Settings;
}

export interface TickInput {
	readonly world: World;
	/** Id of this process. */
	readonly worker: string;
	/** Name of this scheduler: what the owner Lease must say. */
	readonly us: string;
	readonly target: ClusterTarget;
	readonly configuration: Configuration;
	readonly configured: boolean;
	readonly state: ClusterState;
	/** Names by the UID of their cluster: one cluster under two names is one too many. */
	readonly names: Map<string, string>;
}

export type TickResult =
	| {
			readonly kind: "looked";
			readonly summary: ClusterSummary;
			readonly inFlight: readonly Reboot[];
			readonly toBegin: boolean;
			readonly unsure: string | null;
	  }
	| { readonly kind: "heldByOther"; readonly holder: string }
	| { readonly kind: "lost" }
	/** A stopped, deleted or changing cluster: a reason, not a failure. */
	| { readonly kind: "excused"; readonly why: string; readonly gone: boolean }
	/** `bug`: an error that no call made; nobody should wait for a second one. */
	| { readonly kind: "failed"; readonly why: string; readonly bug: boolean };

export async function tick(input: TickInput): Promise<TickResult> {
	const { world, target, state } = input;
	const teller = new Teller(world.journal, target.name, input.us, state.told);
	const cluster = target.name;
	state.isAbout(target);
	try {
		const result = await attempt(input, teller);
		if (result.kind === "looked") {
			state.failures = 0;
			teller.forget("cluster.notLooked");
		}
		return result;
	} catch (error) {
		// A bug of ours that one cluster brings to light must not stop the others, nor the process that brings their nodes back.
		const bug = !(error instanceof CallError);
		const why = bug ? bugOf(error) : error.message;
		const excused = bug ? null : await excuse(world.clusters, target);
		if (excused !== null) {
			state.failures = 0;
			await noteFailure(input, excused.why);
			teller.once("cluster.notLooked", excused.why, () => teller.write("cluster.notLooked", { cluster, why: excused.why }));
			return { kind: "excused", ...excused };
		}
		state.failures++;
		teller.forget("cluster.state");
		await noteFailure(input, why);
		teller.write("tick.failed", { cluster, why, inARow: state.failures });
		return { kind: "failed", why, bug };
	}
}

/** People should see on the page that a cluster is not seen. What was seen last stays; losing this note costs nothing. */
async function noteFailure(input: TickInput, failure: string): Promise<void> {
	const { world, target, state } = input;
	const summary = { ...state.summary, failure, failures: state.failures };
	const { fence, inFlight } = state.fleetRow ?? { fence: 0, inFlight: false };
	const { connection, clusterUid } = state.remembered(target);
	try {
		const next = { target, fence, inFlight, connection, clusterUid, summary: JSON.stringify(summary) };
		const written = await writeFleet(world.table, state.fleetRow, next, 1);
		state.fleetRow = written.row;
		if (written.kind === "written") state.wrote(next.summary, summary);
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
	}
}

async function attempt(input: TickInput, teller: Teller): Promise<TickResult> {
	const { world, worker, target, state } = input;
	const cluster = target.name;
	const startedAt = world.clock.now();
	const ledger = await readLedger(world.table, partitionOf(cluster), state.rowsRead);
	state.rowsRead = ledger.read;
	const take = await takeLease(world, partitionOf(cluster), worker, ledger, state.fleetRow?.fence ?? 0);
	if (take.kind === "heldByOther") {
		teller.once("lease", take.holder, () => teller.write("lease.heldByOther", { cluster, holder: take.holder, forMs: take.forMs }));
		return { kind: "heldByOther", holder: take.holder };
	}
	if (take.kind === "lost") {
		teller.write("lease.lost", { cluster, why: take.why });
		return { kind: "lost" };
	}
	teller.forget("lease");
	const { lease } = take;
	const api = world.clusters.open(target, state.remembered(target).connection ?? undefined);
	const look = await lease.keepWhile(observed(input, ledger, lease, api));
	return new Pass(input, teller, lease, ledger, api, startedAt).run(look);
}

interface Look {
	readonly view: View;
	readonly think: (view: View) => Thought;
	/** What could not be read, and may be the next time. */
	readonly unsure: string | null;
}

async function observed(input: TickInput, ledger: Ledger, lease: Lease, api: ClusterApi): Promise<Look> {
	const { world, us, target, configuration, configured, state, names } = input;
	const newId = world.ids.next();
	// Before this look is told to the lease: the plan asks how long nobody had looked.
	const lastLookAt = lease.lookedAt;
	const planInput = (view: View): PlanInput => ({
		target,
		us,
		view,
		records: ledger.records,
		memory: ledger.memory,
		control: controlAt(ledger, view.at),
		settings: configuration.settings,
		problems: configuration.problems,
		configured,
		twin: twinOf(view, target.name, names),
		fallback: configuration.fallback,
		lastLookAt,
		newId,
	});
	const think = thinker(planInput, ledger);
	const observer = new Observer({ api, clusters: world.clusters, clock: world.clock, cache: state.cache });
	const view = await observer.look({
		target,
		us,
		at: lease.now(),
		records: ledger.records,
		memory: ledger.memory,
		requests: ledger.control?.requests ?? [],
		settings: configuration.settings,
		nextToRead: (seen) => think(seen).planned.toRead,
	});
	return { view, think, unsure: observer.unsure };
}

/** The name that this cluster has already; the first that comes to know its UID has it. */
function twinOf(view: View, name: string, names: Map<string, string>): string | null {
	if (!view.clusterUid.known) return null;
	const holder = names.get(view.clusterUid.value) ?? name;
	names.set(view.clusterUid.value, holder);
	return holder === name ? null : holder;
}

/** `claimed`: also where there was nothing to claim, or no lease to do it under. `refused`: and will be again. `failed`: another try may help. */
type Claim = { readonly kind: "claimed" } | { readonly kind: "refused" | "failed"; readonly why: string };

/** How often a look is thought through while people ask for something at every turn. */
const thoughtsMost = 5;

/** The part of a tick that writes and acts. */
class Pass {
	readonly #input: TickInput;
	readonly #teller: Teller;
	readonly #lease: Lease;
	readonly #ledger: Ledger;
	readonly #api: ClusterApi;
	readonly #startedAt: number;

	constructor(input: TickInput, teller: Teller, lease: Lease, ledger: Ledger, api: ClusterApi, startedAt: number) {
		this.#input = input;
		this.#teller = teller;
		this.#lease = lease;
		this.#ledger = ledger;
		this.#api = api;
		this.#startedAt = startedAt;
	}

	get #cluster(): string {
		return this.#input.target.name;
	}

	async run(look: Look): Promise<TickResult> {
		const { view } = look;
		this.#lease.looked(view.at);
		for (const { key, why } of this.#ledger.unreadable) this.#teller.write("record.unreadable", { cluster: this.#cluster, row: key, why });
		const sound = await this.#decided(look);
		if (sound === null) return { kind: "lost" };
		this.#teller.moves(sound);
		this.#teller.finished(sound);
		const claim: Claim = sound.claim ? await this.#claim() : { kind: "claimed" };
		const admitted = await this.#admit(sound);
		if (admitted === null) return { kind: "lost" };
		const refused = new Set(sound.admitted.filter((each) => !admitted.includes(each)).map((each) => each.id));
		const wanted = sound.actions.filter((action) => !refused.has(action.record));
		const under = { lease: this.#lease, decidedAt: this.#lease.now() };
		const performed = await this.#lease.keepWhile(perform(this.#api, under, wanted));
		this.#teller.acts(performed, sound);
		const notDone = performed.filter((each) => each.outcome.kind === "leaseLost").length;
		if (notDone > 0) {
			this.#teller.write("lease.lost", {
				cluster: this.#cluster,
				why: this.#lease.lost ?? "it could not be renewed in time, or what was decided is too old to be done",
				notDone,
			});
			return { kind: "lost" };
		}
		const going = [...sound.steps.filter((each) => each.ended === null).map((each) => each.reboot), ...sound.adopted, ...admitted];
		const changed = this.#absorb(going, performed, view);
		const inFlight = going.map((each) => changed.find((one) => one.id === each.id) ?? each);
		if (changed.length > 0 && (await this.#commit(changedWrites(this.#ledger, changed))) !== "written") return { kind: "lost" };
		const unsure = claim.kind === "failed" ? claim.why : look.unsure;
		const told = claim.kind === "refused" ? notClaimed(sound, claim.why) : sound;
		const result = await this.#report(view, told, inFlight, unsure);
		const { world, worker } = this.#input;
		const sending = { api: this.#api, clock: world.clock, lease: this.#lease, teller: this.#teller, cluster: this.#cluster };
		await tellNodes(sending, { view, plan: told, admitted, performed, worker });
		return result;
	}

	/**
	 * The plan, with what recovery needs of it written. Where somebody asked for something during the look, it is thought through again with
	 * that: who asks often keeps nothing from being brought back. Null: the lease is lost.
	 */
	async #decided({ view, think }: Look): Promise<Plan | null> {
		const { world, target } = this.#input;
		for (let thoughts = 1; ; thoughts++) {
			const sound = this.#sound(think(view));
			// As before an admission: a cluster that is dropped from the settings now is still recovered.
			if (sound.adopted.length > 0) await this.#markInFlight();
			const commit = await this.#commit(recoveryWrites(this.#ledger, sound));
			if (commit === "written") return sound;
			if (commit === "lost" || thoughts === thoughtsMost) return null;
			await readControlAgain(this.#ledger, world.table, partitionOf(target.name));
		}
	}

	/** The plan without what would break the promise. That this ever drops anything is a bug, and is told as one. */
	#sound({ input, planned }: Thought): Plan {
		const broken = violations(input, planned);
		for (const { id, what, record } of broken) this.#teller.write("invariant.violated", { cluster: this.#cluster, id, what, reboot: record });
		if (broken.length === 0) return planned;
		const records = new Set(broken.map((each) => each.record));
		const steps = planned.steps.map((each) => (records.has(each.reboot.id) ? { ...each, reboot: each.before, ended: null, moves: [] } : each));
		const ended = planned.ended.filter((each) => !records.has(each.reboot.id));
		return {
			...planned,
			steps,
			ended,
			admitted: planned.admitted.filter((each) => !records.has(each.id)),
			actions: planned.actions.filter((each) => !records.has(each.record)),
		};
	}

	async #commit(together: readonly (readonly RowWrite[])[]): Promise<Commit["kind"]> {
		for (const writes of transactionsOf(together)) {
			const commit = await this.#lease.commit(writes);
			if (commit.kind !== "written") {
				if (commit.kind === "lost") this.#teller.write("lease.lost", { cluster: this.#cluster, why: commit.why });
				return commit.kind;
			}
			for (const write of writes) {
				const etag = commit.etags.get(write.key);
				if (write.kind === "delete" || etag === undefined) this.#ledger.etags.delete(write.key);
				else this.#ledger.etags.set(write.key, etag);
			}
		}
		return "written";
	}

	async #claim(): Promise<Claim> {
		const { us } = this.#input;
		try {
			if (!(await this.#lease.hold())) return { kind: "claimed" };
			await this.#api.claim(us);
			this.#teller.write("owner.claimed", { cluster: this.#cluster, us });
			return { kind: "claimed" };
		} catch (error) {
			if (!(error instanceof CallError)) throw error;
			this.#teller.once("owner.claimFailed", error.message, () => this.#teller.write("owner.claimFailed", { cluster: this.#cluster, why: error.message }));
			const { kind } = outcomeOf(error);
			return { kind: kind === "refused" || kind === "notFound" ? "refused" : "failed", why: error.message };
		}
	}

	/** Those that were admitted; none when somebody asked for something in between; null when the lease is lost. */
	async #admit(sound: Plan): Promise<readonly Reboot[] | null> {
		const admitted = sound.admitted.slice(0, admittedAtOnce);
		if (admitted.length === 0) return [];
		// Told before the first admission: a cluster that is dropped from the settings now is still recovered.
		if (!(await this.#markInFlight())) return [];
		const commit = await this.#commit([admissionWrites(this.#ledger, sound.control, admitted)]);
		if (commit !== "written") return commit === "lost" ? null : [];
		for (const each of admitted) this.#teller.admitted(each);
		return admitted;
	}

	async #markInFlight(): Promise<boolean> {
		const { state, target } = this.#input;
		const row = state.fleetRow;
		if (row?.inFlight === true && row.fence === this.#lease.fence && sameTarget(row.target, target)) return true;
		return this.#writeFleetRow(true, state.summary);
	}

	async #writeFleetRow(inFlight: boolean, summary: ClusterSummary): Promise<boolean> {
		const { world, target, state } = this.#input;
		const remembered = state.remembered(target);
		const connection = this.#api.connection() ?? remembered.connection;
		const clusterUid = state.cache.clusterUid ?? remembered.clusterUid;
		const next = { target, fence: this.#lease.fence, inFlight, connection, summary: JSON.stringify(summary), clusterUid };
		const written = await writeFleet(world.table, state.fleetRow, next);
		state.fleetRow = written.row;
		if (written.kind === "written") state.wrote(next.summary, summary);
		return written.kind === "written";
	}

	/** Records with what their acts brought to light. */
	#absorb(going: readonly Reboot[], performed: readonly Performed[], view: View): readonly Reboot[] {
		const at = this.#lease.now();
		return going.flatMap((reboot) => {
			const own = performed.filter((each) => each.action.record === reboot.id);
			const leavings = own.flatMap((each): Leaving[] => (each.leaving === null ? [] : [each.leaving]));
			// A conflict says only that the node has changed since: the next look decides anew.
			const failed = own.find((each) => each.leaving === null && "why" in each.outcome && each.outcome.kind !== "conflict");
			const trouble = failed !== undefined && "why" in failed.outcome ? failed.outcome.why : reboot.trouble;
			const rebootView = { at, node: { known: false, why: "" } as const, forbidden: null, dropped: false, impediments: [], window: null, lastLookAt: null };
			const pods = view.pods.get(reboot.node.name) ?? { known: false as const, why: "not read" };
			const next = reboot.phase === "draining" ? withObstacles(reboot, leavings, { ...rebootView, pods, daemonSets: view.daemonSets }, at) : reboot;
			if (next === reboot && trouble === reboot.trouble) return [];
			return [{ ...next, trouble }];
		});
	}

	async #report(view: View, sound: Plan, inFlight: readonly Reboot[], unsure: string | null): Promise<TickResult> {
		const { state, world } = this.#input;
		this.#teller.waiting(view, sound);
		if (inFlight.length === 0) this.#teller.forget("pod ");
		const sameCluster = state.fleetRow !== null && sameTarget(state.fleetRow.target, this.#input.target);
		const before = state.fleetRow !== null && sameCluster ? state.summaryIn(state.fleetRow) : state.summary;
		const summary = summaryOf(before, view, sound, inFlight);
		if (this.#summaryIsNews(before, summary, inFlight.length > 0, view.at)) await this.#writeFleetRow(inFlight.length > 0, summary);
		this.#teller.looked({ at: view.at, sound, summary, inFlight, fence: this.#lease.fence, tookMs: world.clock.now() - this.#startedAt });
		const toBegin = sound.claim || sound.waiting.some((each) => each.reasons.every((reason) => passing.includes(reason.kind)));
		return { kind: "looked", summary, inFlight, toBegin, unsure };
	}

	#summaryIsNews(before: ClusterSummary, summary: ClusterSummary, inFlight: boolean, at: Instant): boolean {
		const row = this.#input.state.fleetRow;
		if (row === null || row.inFlight !== inFlight || !sameTarget(row.target, this.#input.target)) return true;
		if (row.connection === null && this.#api.connection() !== undefined) return true;
		if (!sayTheSame(before, summary)) return true;
		return before.at === null || at - before.at >= summaryEveryMs;
	}
}

/** The plan, with what became of its claim: nothing begins by itself any more. */
function notClaimed(sound: Plan, why: string): Plan {
	const reason = { kind: "notClaimable", why } as const;
	const waiting = sound.waiting.map((each) => ({ ...each, reasons: each.reasons.map((one) => (one.kind === "claiming" ? reason : one)) }));
	return { ...sound, claim: false, waiting };
}

/** A node that has no other reason begins at the next look. (One that is behind others begins only once they have ended.) */
const passing: readonly string[] = ["claiming", "next"];
