// A node that carries our mark and has no record: the table lost it, or another scheduler handed the cluster over. What the mark says
// is enough to bring the node to a safe end.
import type { Ask, Instant, NodeFacts, Reboot } from "./model.ts";
import { handedOver } from "./ownership.ts";
import { askEarlyMs, askLifeMs, quietShare } from "./phases.ts";
import type { Policy } from "./policy.ts";
import type { Cause } from "./reasons.ts";
import { newReboot } from "./record.ts";
import { enter } from "./step.ts";

export interface AdoptionInput {
	readonly at: Instant;
	readonly node: NodeFacts;
	readonly cluster: Reboot["cluster"];
	/** Today's: the one it was admitted under is lost. */
	readonly policy: Policy;
	/** Used where the mark cannot be read, or is another node's. */
	readonly newId: string;
}

/** The ask that a mark speaks of. Its pod may be anything; the interval is what it would have been at most. */
function askOfMark(askedAt: Instant, policy: Policy): Ask {
	const notAfter = Math.min(askedAt + askLifeMs, askedAt + policy.rebootTimeoutMs * quietShare);
	return { number: 1, at: askedAt, notBefore: askedAt - askEarlyMs, notAfter, pod: "unseen" };
}

/** The record of a marked node. Its phase is what the node shows: nothing is believed that the mark does not say. */
export function adopt(input: AdoptionInput): Reboot {
	const { at, node, policy } = input;
	const mark = node.mark.kind === "mark" ? node.mark.mark : null;
	const askedAt = mark?.askedAt ?? null;
	const base = newReboot({
		// A copied mark names the record of another node, which may be in flight: two rows of one key would be no transaction at all.
		id: mark?.nodeUid === node.uid ? mark.record : input.newId,
		cluster: input.cluster,
		node: { name: node.name, uid: node.uid, pool: node.pool },
		bootId: mark?.bootId ?? node.bootId,
		kernelVersion: node.kernelVersion,
		foundCordoned: mark?.foundCordoned ?? false,
		adopted: true,
		policy,
		admittedAt: mark?.since ?? at,
		phase: "draining",
		phaseSince: at,
		deadlineAt: at + policy.drainTimeoutMs,
		asks: askedAt === null ? [] : [askOfMark(askedAt, policy)],
	});
	const back = (cause: Cause, end: "cancelled" | "released" | "replaced") => enter(base, "uncordoning", at, { ending: { end, cause } });
	if (mark === null) return back({ kind: "markGarbled" }, "cancelled");
	if (mark.nodeUid !== node.uid) return back({ kind: "markCopied" }, "replaced");
	if (!mark.foundCordoned && handedOver(node)) return back({ kind: "handedOver", managers: node.unschedulableManagers }, "released");
	if (node.bootId !== "" && node.bootId !== mark.bootId) {
		const rebooted = { at, bootId: node.bootId, kernelVersion: node.kernelVersion };
		return enter(base, "rejoining", at, { rebooted, deadlineAt: (askedAt ?? at) + policy.rebootTimeoutMs });
	}
	if (askedAt !== null) return enter(base, "rebooting", at, { deadlineAt: askedAt + policy.rebootTimeoutMs });
	return base;
}
