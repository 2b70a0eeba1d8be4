// S7: pods leave by eviction, which honours their budgets; anything harsher only where a setting says so, and says it in the journal.
import type { Change } from "../changes.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { ApiPod } from "../universe/pods.ts";
import type { Universe } from "../universe.ts";
import { type Checker, outOfTime, settingsSince } from "./checker.ts";
import { mustLeave } from "./reboots.ts";
import { scopedMs, scopedWord } from "./settings-meaning.ts";

/** (The pods of a node that went stay for a while, and so may be on another one of that name.) */
function neverHeldWith({ facts, lastMark, givenBackAt, machine }: ApiNode, pod: ApiPod): boolean {
	if (facts.mark.kind !== "none" || pod.boundAt < machine.bootedAt) return false;
	return lastMark === null || (givenBackAt !== null && givenBackAt < pod.boundAt && givenBackAt >= lastMark.mark.since);
}

export class EvictionChecker implements Checker {
	readonly #universe: Universe;

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind === "podDeleted") return change.pod.owner.kind === "reboot" ? null : this.#deleted(change);
		if (change.kind === "podEvicted") return this.#evicted(change);
		return null;
	}

	#deleted({ cluster, pod, by }: Extract<Change, { kind: "podDeleted" }>): string | null {
		const { namespace, name, node } = pod.facts;
		const at = cluster.nodes.get(node);
		const mark = at?.facts.mark.kind === "mark" ? at.facts.mark.mark : (at?.lastMark?.mark ?? null);
		const allowed = settingsSince(this.#universe, by.us, mark?.since ?? this.#universe.now).some((settings) => {
			const pool = at?.facts.pool ?? "default";
			const waited = mark === null ? 0 : this.#universe.now - mark.since;
			if (scopedWord(settings, "DRAIN_TIMEOUT_ACTION", "give-up", cluster.name, pool) !== "delete") return false;
			return waited >= scopedMs(settings, "DRAIN_TIMEOUT", "30m", cluster.name, pool) - 1_000;
		});
		return allowed ? null : `pod ${namespace}/${name} is deleted past its budgets, and no setting says so (yet)`;
	}

	/** Only pods that must leave a node of ours are evicted. */
	#evicted(change: Extract<Change, { kind: "podEvicted" }>): string | null {
		const { cluster, pod, by } = change;
		const { namespace, name, node, phase } = pod.facts;
		const at = cluster.nodes.get(node);
		if (at === undefined) return null;
		// The eviction carries the pod's UID, however late it arrives: it is one that was there while we held the node.
		if (neverHeldWith(at, pod)) return `pod ${namespace}/${name} is evicted from ${node}, which we have not held since it came`;
		if (outOfTime(this.#universe, change, cluster)) return null;
		const { now } = this.#universe;
		const lately = at.touchedByOthersAt !== null && now - at.touchedByOthersAt < 60_000;
		if (at.facts.mark.kind === "none" && !lately) return `pod ${namespace}/${name} is evicted from ${node}, which we do not hold`;
		const since = at.lastMark?.mark.since ?? now;
		const leaves = settingsSince(this.#universe, by.us, since).some((settings) =>
			mustLeave({ ...pod.facts, deletionAt: null }, pod.labelled, settings, { cluster, since: now, at: now }),
		);
		return leaves || phase === "Succeeded" || phase === "Failed" ? null : `pod ${namespace}/${name} is evicted from ${node}, and it need not leave`;
	}
}
