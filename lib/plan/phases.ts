// The life of one reboot as data: every phase, what is true of the node in it, what it leaves for, and what its deadline does.
// docs/how-it-works.md shows this table; a test holds the two together.
import type { End, Phase } from "./model.ts";
import type { Policy } from "./policy.ts";

export interface PhaseRule {
	readonly phase: Phase;
	/** What is true of the node. */
	readonly meaning: string;
	/** What a later look must show. */
	readonly leavesWhen: string;
	/** What happens when its deadline passes. */
	readonly onDeadline: string;
	/** Phases that may follow. */
	readonly next: readonly Phase[];
	/** Ends that may follow without another phase between. (`released` from any phase: the cluster was given to another owner.) */
	readonly ends: readonly End[];
}

/** How long a cordon or an uncordon may take before it counts as late. */
export const patchTimeoutMs = 2 * 60_000;
/** A gap without a successful look after which a deadline that is due is put off, and by how much. */
export const gapMs = 3 * 60_000;
export const putOffMs = 2 * 60_000;

export const phaseRules: readonly PhaseRule[] = [
	{
		phase: "cordoning",
		meaning: "admitted; our mark and the cordon are being set in one write",
		leavesWhen: "mark and cordon are there",
		onDeadline: "`uncordoning`, then `gaveUp`",
		next: ["draining", "uncordoning"],
		ends: ["replaced", "released"],
	},
	{
		phase: "draining",
		meaning: "cordoned; pods are being evicted; `BEFORE_REBOOT` is waited for here",
		leavesWhen: "no pod is left that must leave, waits are over, the boot id is the same and the reboot is still asked for",
		onDeadline: "by `DRAIN_TIMEOUT_ACTION`: `uncordoning`, then `gaveUp`; or delete what resists; or reboot all the same",
		next: ["rebooting", "uncordoning"],
		ends: ["replaced", "released"],
	},
	{
		phase: "rebooting",
		meaning: "the reboot of this boot id has been asked for",
		leavesWhen: "the node shows another boot id",
		onDeadline: "Ready: `uncordoning`, then `gaveUp`; not Ready: `stuck`",
		next: ["rejoining", "uncordoning", "stuck"],
		ends: ["replaced", "released"],
	},
	{
		phase: "rejoining",
		meaning: "booted anew",
		leavesWhen: "it is Ready, and its DaemonSet pods that were ready before are ready again in new containers",
		onDeadline: "Ready: `uncordoning` all the same, with an event; not Ready: `stuck`",
		next: ["uncordoning", "stuck"],
		ends: ["replaced", "released"],
	},
	{
		phase: "uncordoning",
		meaning: "our mark and our cordon are being removed",
		leavesWhen: "mark and cordon are gone, or the cordon is left as it was found",
		onDeadline: "repeated, and the alarm is raised",
		next: ["soaking"],
		ends: ["gaveUp", "notNeeded", "cancelled", "replaced", "released"],
	},
	{
		phase: "soaking",
		meaning: "in service; keeps its room, so that the next one waits",
		leavesWhen: "`SOAK` is over and it is Ready",
		onDeadline: "not Ready: stays, and the alarm is raised",
		next: [],
		ends: ["done", "replaced", "released"],
	},
	{
		phase: "stuck",
		meaning: "needs a person: cordoned, marked, keeps its room; nothing else begins in its cluster",
		leavesWhen: "Ready under a new boot id: `rejoining`; Ready under the old one: `uncordoning`, then `gaveUp`",
		onDeadline: "none",
		next: ["rejoining", "uncordoning"],
		ends: ["replaced", "released"],
	},
];

export function ruleOf(phase: Phase): PhaseRule {
	const rule = phaseRules.find((each) => each.phase === phase);
	if (rule === undefined) throw new Error(`no rule for phase ${phase}`);
	return rule;
}

/** How long after entering it a phase is due; null where no deadline is set on entering (or an earlier one goes on). */
export function phaseTimeoutMs(phase: Phase, policy: Policy): number | null {
	switch (phase) {
		case "cordoning":
			return policy.beforeDrainMs + patchTimeoutMs;
		case "draining":
			return policy.drainTimeoutMs;
		case "rebooting":
			return policy.rebootTimeoutMs;
		case "rejoining":
			return policy.rebootTimeoutMs;
		case "uncordoning":
			return patchTimeoutMs;
		case "soaking":
			return policy.soakMs;
		case "stuck":
			return null;
		default: {
			const never: never = phase;
			return never;
		}
	}
}

/** So long after it was sent an act may still come about: the request was held up on its way, or its worker stood still before it sent it. */
export const underWayMs = 5 * 60_000;

/** A second ask is sent after this share of `REBOOT_TIMEOUT`; the half after that is quiet. */
export const secondAskShare = 1 / 4;
export const quietShare = 1 / 2;
/** How far a node's clock may be behind ours, and how long one ask is good for at most. */
export const askEarlyMs = 60_000;
export const askLifeMs = 5 * 60_000;
