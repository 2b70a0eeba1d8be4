// S2: no reboot of a node that is not cordoned by us (or found cordoned) and drained to policy.
// S5: one boot ends at most once because of us, and an old request cannot fire late.
import type { EndedReboot, PodFacts } from "../../../lib/plan/model.ts";
import { textOf } from "../../../lib/tick/rows.ts";
import type { Change } from "../changes.ts";
import type { Environment } from "../scenario.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { Universe } from "../universe.ts";
import { type Checker, lookMs, outOfTime, requestFor, settingsSince } from "./checker.ts";
import { durationMs, plainMs, scopedMs, scopedWord } from "./settings-meaning.ts";

type Signal = Extract<Change, { kind: "signalled" }>;

/** How far a node's clock may be behind ours (docs/how-it-works.md). */
const clockMs = 60_000;
/** One ask is good for so long. */
const askLifeMs = 5 * 60_000;
/** How old the list of DaemonSets may be by which it was decided that a node is drained, and the look that decided. */
const daemonSetsMs = 45_000;

/** So long a node may go down and come back because of us while somebody takes it over. */
const takeOverMs = 15 * 60_000;

export class RebootChecker implements Checker {
	readonly #universe: Universe;
	/** When reboots of a node ended, by the node's UID. */
	readonly #ended = new Map<string, number[]>();

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind === "rebootPodCreated") return this.#created(change);
		if (change.kind === "rowsWritten") this.#remember(change);
		if (change.kind !== "signalled") return null;
		return this.#cordoned(change) ?? this.#inTime(change) ?? this.#drained(change) ?? this.#again(change);
	}

	#remember({ writes }: Extract<Change, { kind: "rowsWritten" }>): void {
		for (const write of writes) {
			if (write.kind !== "insert" || !write.key.startsWith("z-ended-")) continue;
			const { uid } = (JSON.parse(textOf(write.values, "json")) as EndedReboot).reboot.node;
			this.#ended.set(uid, [...(this.#ended.get(uid) ?? []), this.#universe.now]);
		}
	}

	#created(change: Extract<Change, { kind: "rebootPodCreated" }>): string | null {
		const { node, spec } = change;
		if (node === null || outOfTime(this.#universe, change, change.cluster)) return null;
		// It may have booted since that was decided: the pod looks once more.
		const since = Math.max(node.bootShownAt, change.by.stalledUntil);
		if (node.facts.bootId !== spec.bootId && this.#universe.now - since > lookMs)
			return `S5: a reboot of boot ${spec.bootId} is asked of ${spec.node}, whose node shows ${node.facts.bootId}`;
		const mark = node.facts.mark.kind === "mark" ? node.facts.mark.mark : null;
		// While it stood still, or since it looked.
		const { touchedByOthersAt } = node;
		const takenLately = touchedByOthersAt !== null && this.#universe.now - Math.max(touchedByOthersAt, change.by.stalledUntil) < lookMs;
		if (mark?.askedAt === undefined && !takenLately)
			return `S5: a reboot of ${spec.node} is asked for, and its mark does not say so: a lost table would forget it`;
		return null;
	}

	/** After the ask it goes on, whatever people do to the cordon (docs/how-it-works.md); nothing of ours may have given it back. */
	#cordoned({ node }: Signal): string | null {
		const { name, unschedulable } = node.facts;
		const askedAt = node.lastMark?.mark.askedAt ?? null;
		if (askedAt === null) return `S2: ${name} reboots, and was never marked as asked`;
		if (node.givenBackAt !== null && node.givenBackAt > askedAt) return `S2: ${name} reboots after it was given back`;
		if (unschedulable) return null;
		return node.touchedByOthersAt !== null && node.touchedByOthersAt >= askedAt - askLifeMs ? null : `S2: ${name} reboots and takes pods`;
	}

	#inTime({ node, spec, cluster }: Signal): string | null {
		const mark = node.lastMark?.mark;
		if (mark?.askedAt === undefined) return null;
		const { now } = this.#universe;
		const { name } = node.facts;
		if (spec.bootId !== mark.bootId) return `S5: ${name} reboots for another boot than it was marked for`;
		// The first ask, and a second one after a quarter of REBOOT_TIMEOUT; the half after that is quiet.
		const timeouts = this.#settings(mark.since).map((each) => plainMs(each, "REBOOT_TIMEOUT", "15m"));
		const latest = mark.askedAt + Math.max(0, ...timeouts) / 2;
		const tolerance = Math.min(clockMs, Math.abs(node.machine.clockOffsetMs)) + 1_000;
		if (now > latest + tolerance) return `S5: ${name} reboots ${Math.round((now - mark.askedAt) / 1000)} s after it was asked to, in the quiet half`;
		if (spec.notAfter - spec.notBefore > askLifeMs + clockMs) return `S5: the interval of ${name}'s reboot pod is ${spec.notAfter - spec.notBefore} ms long`;
		if (spec.notBefore < mark.askedAt - clockMs - 1_000) return `S5: the interval of ${name}'s reboot pod began before it was asked for`;
		return cluster.nodes.get(name) === node ? null : `S5: ${name} reboots, and is not that node any more`;
	}

	#settings(since: number): readonly Environment[] {
		return this.#universe.schedulers.flatMap((each) => settingsSince(this.#universe, each.us, since));
	}

	/** Pods that were there when it was decided to ask, and should have left. */
	#drained({ cluster, node }: Signal): string | null {
		const mark = node.lastMark?.mark;
		if (mark?.askedAt === undefined) return null;
		const { askedAt, since } = mark;
		const settings = this.#settings(since);
		const left = cluster.pods
			.on(node.facts.name)
			.filter((pod) => pod.boundAt < askedAt - 15_000 && !orphanedSince(cluster, pod.facts, askedAt - daemonSetsMs))
			.filter((pod) => settings.every((each) => mustLeave(pod.facts, pod.labelled, each, { cluster, since, at: askedAt })));
		if (left.length === 0) return null;
		const harsher = settings.some((each) => {
			const action = scopedWord(each, "DRAIN_TIMEOUT_ACTION", "give-up", cluster.name, node.facts.pool);
			return action === "reboot" && askedAt - since >= scopedMs(each, "DRAIN_TIMEOUT", "30m", cluster.name, node.facts.pool) - 1_000;
		});
		return harsher ? null : `S2: ${node.facts.name} reboots with ${left.map((pod) => `${pod.facts.namespace}/${pod.facts.name}`).join(", ")} on it`;
	}

	/** REBOOT_INTERVAL: never a loop, but where somebody asks for it. A lost table forgets it, once per node and loss; another scheduler's table never knew. */
	#again({ node, cluster }: Signal): string | null {
		const last = node.machine.rebootedByUsAt.at(-1);
		if (last === undefined || this.#universe.schedulers.length > 1) return null;
		// Who took the node over while it was going down has it: our record ended before its boot could be seen.
		const ended = this.#ended.get(node.facts.uid) ?? [];
		if (ended.some((at) => at >= last - takeOverMs && at < node.bootShownAt)) return null;
		const mark = node.lastMark?.mark;
		if (mark !== undefined && requestFor(node, mark.bootId, mark.since) !== null) return null;
		const { now } = this.#universe;
		const lost = this.#universe.schedulers.some((each) => each.rows.losses.some((at) => at >= last));
		if (lost || this.#settings(last).length === 0) return null;
		const intervals = this.#settings(node.lastMark?.mark.since ?? last).map((each) => scopedMs(each, "REBOOT_INTERVAL", "20h", cluster.name, node.facts.pool));
		const least = Math.min(...intervals);
		return now - last < least - 60_000 ? `S5: ${node.facts.name} was rebooted by us ${Math.round((now - last) / 1000)} s ago, and is again` : null;
	}
}

/** Its DaemonSet was deleted only then: that it is one without an owner could not be seen before. */
function orphanedSince(cluster: Cluster, { controller }: PodFacts, since: number): boolean {
	return cluster.daemonSets.some(({ uid, goneAt }) => uid === controller?.uid && goneAt !== null && goneAt > since);
}

/** The rules of `kubectl drain`, and that of pods that the cordon does not keep away, in few words. */
export function mustLeave(
	pod: PodFacts,
	labelled: boolean,
	settings: Environment,
	{ cluster, since, at }: { readonly cluster: Cluster; readonly since: number; readonly at: number },
): boolean {
	if (pod.ours !== null || pod.mirror) return false;
	if (settings.DRAIN_POD_SELECTOR !== undefined && !labelled) return false;
	if (pod.phase === "Succeeded" || pod.phase === "Failed") return false;
	if (pod.controller?.kind === "DaemonSet" && cluster.daemonSets.some((each) => each.uid === pod.controller?.uid && each.there)) return false;
	if (pod.toleratesCordon && pod.createdAt >= since) return false;
	const skip = settings.DRAIN_SKIP_WAIT_FOR_DELETE;
	if (skip !== undefined && skip !== "off" && pod.deletionAt !== null && at - pod.deletionAt > durationMs(skip)) return false;
	return true;
}
