// S1: nodes that we made unavailable never exceed the room given, per pool and per cluster; nothing is admitted beyond it.
import type { Change } from "../changes.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { Universe } from "../universe.ts";
import { type Checker, isTaken, outOfTime, settingsSince } from "./checker.ts";
import { room } from "./settings-meaning.ts";

export class RoomChecker implements Checker {
	readonly #universe: Universe;

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind === "nodePatched") {
			const taken = isTaken(change);
			if (!taken || outOfTime(this.#universe, change, change.cluster)) return null;
			return this.#beyond(change.cluster, change.node, change.by.us, held(change.cluster), "is taken");
		}
		if (change.kind === "rebootPodCreated") {
			if (change.node === null || outOfTime(this.#universe, change, change.cluster)) return null;
			// Whoever took them: two nodes that go down at once are two nodes down at once.
			const asked = held(change.cluster).filter(({ facts }) => facts.mark.kind === "mark" && facts.mark.mark.askedAt !== undefined);
			return this.#beyond(change.cluster, change.node, change.by.us, asked, "is asked to reboot");
		}
		return null;
	}

	#beyond(cluster: Cluster, node: ApiNode, us: string, held: readonly ApiNode[], what: string): string | null {
		const { name, pool } = node.facts;
		// Room that was given when the longest of them began: less room later brings nothing back (rule 5).
		const since = Math.min(this.#universe.now, ...held.map(({ facts }) => (facts.mark.kind === "mark" ? facts.mark.mark.since : this.#universe.now)));
		const inPool = held.filter(({ facts }) => facts.pool === pool);
		const nodes = { cluster: cluster.mostNodes, pool: cluster.mostNodes };
		// The node may be adopted under the settings of another scheduler.
		const all = [us, ...this.#universe.schedulers.map((each) => each.us)].flatMap((each) => settingsSince(this.#universe, each, since));
		const limits = all.map((each) => room(each, cluster.name, pool, nodes));
		if (limits.length === 0) return null;
		const most = Math.max(...limits.map((each) => each.cluster));
		const names = held.map((each) => each.facts.name).join(", ");
		if (held.length > most) return `${name} ${what}, with ${names} that is ${held.length} nodes of ${cluster.name}, which has room for ${most}`;
		const pools = limits.flatMap((each) => each.pool ?? []);
		if (pools.length < limits.length || inPool.length <= Math.max(...pools)) return null;
		return `${name} ${what}, that is ${inPool.length} nodes of pool ${pool}, which has room for ${Math.max(...pools)}`;
	}
}

/** Nodes that are out of service because of us, or that we hold. */
function held(cluster: Cluster): readonly ApiNode[] {
	return cluster.nodes
		.all()
		.filter(({ facts, cordon }) => cordon?.by === "us" || (facts.unschedulable && facts.mark.kind === "mark" && facts.mark.mark.nodeUid === facts.uid));
}
