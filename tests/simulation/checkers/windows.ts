// S3: no node begins outside an open window or with too little of it left; no reboot is first asked for outside one, unless WINDOW_CLOSES=finish.
import type { Change } from "../changes.ts";
import type { Universe } from "../universe.ts";
import { type Checker, isTaken, lookMs, outOfTime, requestFor, settingsSince } from "./checker.ts";
import { openAt, scopedMs, scopedWord } from "./settings-meaning.ts";

/** A cordon that does not come about is given up after this (docs/how-it-works.md). */
const cordonMs = 2 * 60_000;

export class WindowChecker implements Checker {
	readonly #universe: Universe;

	constructor(universe: Universe) {
		this.#universe = universe;
	}

	see(change: Change): string | null {
		if (change.kind === "nodePatched") {
			const begun = isTaken(change);
			return begun && !outOfTime(this.#universe, change, change.cluster) ? this.#begins(change) : null;
		}
		if (change.kind === "rebootPodCreated") {
			const first = change.node !== null && change.spec.ask === 1 && !outOfTime(this.#universe, change, change.cluster);
			return first ? this.#asks(change) : null;
		}
		if (change.kind === "signalled") return this.#fires(change);
		return null;
	}

	/** Admitted at some time before the cordon, by BEFORE_DRAIN and the time that a cordon may take. */
	#begins({ cluster, node, by }: Extract<Change, { kind: "nodePatched" }>): string | null {
		const { now } = this.#universe;
		const { name, pool, bootId } = node.facts;
		if (requestFor(node, bootId, now)?.ignoreWindow === true) return null;
		const fits = settingsSince(this.#universe, by.us, now - cordonMs - lookMs).some((settings) => {
			const earliest = now - scopedMs({}, "", settings.BEFORE_DRAIN ?? "0s", "", "") - cordonMs - lookMs;
			const needed = scopedMs(settings, "EXPECTED_DURATION", "15m", cluster.name, pool);
			const finish = scopedWord(settings, "WINDOW_CLOSES", "give-up", cluster.name, pool) === "finish";
			const admissible =
				[now, earliest].some((at) => enough(openAt(settings, cluster.name, pool, at), Math.max(at, earliest), needed)) || between(settings, earliest, now);
			function between(each: typeof settings, from: number, until: number): boolean {
				for (let at = from; at < until; at += 15_000) if (enough(openAt(each, cluster.name, pool, at), at, needed)) return true;
				return false;
			}
			return admissible && (finish || openAt(settings, cluster.name, pool, now) !== null || openAt(settings, cluster.name, pool, now - lookMs) !== null);
		});
		return fits ? null : `${name} begins, and its window is closed or too short`;
	}

	#asks({ cluster, node, spec, by }: Extract<Change, { kind: "rebootPodCreated" }>): string | null {
		if (node === null) return null;
		const { now } = this.#universe;
		const { pool } = node.facts;
		const mark = node.facts.mark.kind === "mark" ? node.facts.mark.mark : node.lastMark?.mark;
		if (mark !== undefined && requestFor(node, mark.bootId, mark.since)?.ignoreWindow === true) return null;
		const allowed = settingsSince(this.#universe, by.us, mark?.since ?? now).some((settings) => {
			if (scopedWord(settings, "WINDOW_CLOSES", "give-up", cluster.name, pool) === "finish") return true;
			return openAt(settings, cluster.name, pool, now) !== null || openAt(settings, cluster.name, pool, now - lookMs) !== null;
		});
		return allowed ? null : `the reboot of ${spec.node} is asked for, and its window is closed`;
	}

	/** By the node's own clock, which may be wrong by what the interval allows. */
	#fires({ cluster, node }: Extract<Change, { kind: "signalled" }>): string | null {
		const { now } = this.#universe;
		const clock = now + node.machine.clockOffsetMs;
		const { name, pool } = node.facts;
		const mark = node.lastMark?.mark;
		if (mark !== undefined && requestFor(node, mark.bootId, mark.since)?.ignoreWindow === true) return null;
		const since = mark?.since ?? now;
		const allowed = this.#universe.schedulers
			.flatMap((each) => settingsSince(this.#universe, each.us, since))
			.some((settings) => {
				if (scopedWord(settings, "WINDOW_CLOSES", "give-up", cluster.name, pool) === "finish") return true;
				return [now, clock].some((at) => openAt(settings, cluster.name, pool, at) !== null || openAt(settings, cluster.name, pool, at - 1_000) !== null);
			});
		return allowed ? null : `${name} reboots, and its window is closed`;
	}
}

function enough(open: ReturnType<typeof openAt>, at: number, neededMs: number): boolean {
	return open !== null && open.until - at >= neededMs;
}
