// What the doctor says: one finding a check, in the order in which a person would ask.
import type { Instant } from "../plan/model.ts";

/** What was not asked, or not answered, is unknown, and never good. */
export type Standing = "good" | "bad" | "unknown";

export const schedulerChecks = ["settings", "windows", "table", "clock"] as const;
export const clusterChecks = [
	"azure",
	"nodeOsChannel",
	"credentials",
	"apiServer",
	"clock",
	"version",
	"rights",
	"sentinel",
	"admissionPolicies",
	"rebootPod",
	"owner",
] as const;
export type SchedulerCheck = (typeof schedulerChecks)[number];
export type ClusterCheck = (typeof clusterChecks)[number];
export type Check = SchedulerCheck | ClusterCheck;

export interface Verdict {
	readonly standing: Standing;
	/** In full sentences or parts of one, never a secret. */
	readonly says: string;
	/** What a person should do; null: nothing. */
	readonly toDo: string | null;
}

export interface Finding extends Verdict {
	readonly check: Check;
}

export function good(says: string): Verdict {
	return { standing: "good", says, toDo: null };
}

export function bad(says: string, toDo: string): Verdict {
	return { standing: "bad", says, toDo };
}

export function notKnown(says: string, toDo: string | null = null): Verdict {
	return { standing: "unknown", says, toDo };
}

/** A check that was not made, since an earlier one left nothing to ask. */
export const notAsked: Verdict = { standing: "unknown", says: "not asked", toDo: null };

export interface Diagnosis {
	/** By the clock of the machine that asked. */
	readonly at: Instant;
	readonly scheduler: readonly Finding[];
	readonly clusters: readonly { readonly cluster: string; readonly findings: readonly Finding[] }[];
}

export function allFindings({ scheduler, clusters }: Diagnosis): readonly Finding[] {
	return [...scheduler, ...clusters.flatMap(({ findings }) => findings)];
}

/** The worst of them. */
export function standingOf(diagnosis: Diagnosis): Standing {
	const standings = allFindings(diagnosis).map(({ standing }) => standing);
	return standings.includes("bad") ? "bad" : standings.includes("unknown") ? "unknown" : "good";
}

/** For programs. */
export function jsonOf(diagnosis: Diagnosis): string {
	return JSON.stringify({ version: 1, ...diagnosis, at: new Date(diagnosis.at).toISOString(), standing: standingOf(diagnosis) }, null, "\t");
}
