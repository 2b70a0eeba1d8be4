// The doctor: asks everything that has to be so before nodes can be rebooted, and says what to do. Writes a row of its own to the table,
// which it removes, and nothing to a cluster but dry runs.
import type { NodeFacts } from "../plan/model.ts";
import type { ClusterTarget } from "../plan/policy.ts";
import { bugOf, CallError, messageOf } from "../tick/call-error.ts";
import { sideBySide } from "../tick/perform.ts";
import type { Configuration } from "../tick/tick.ts";
import { type Examined, networkAdvice, type Step, type Subject, steps } from "./cluster-checks.ts";
import { bad, type Diagnosis, type Finding, notAsked, notKnown, type Verdict } from "./findings.ts";
import type { DoctorWorld } from "./ports.ts";
import { clockVerdict, settingsFindings, tryTable, windowFindings } from "./scheduler-checks.ts";

export interface Limits {
	/** Of one check of one cluster. */
	readonly checkMs: number;
	/** Clusters side by side. */
	readonly atOnce: number;
}

export const doctorLimits: Limits = { checkMs: 8_000, atOnce: 16 };

export interface Consultation {
	readonly configuration: Configuration;
	/** Throws, without a key in the message, where the settings name no table. */
	readonly world: () => DoctorWorld;
	/** One cluster alone; null: all of them. */
	readonly cluster: string | null;
	readonly limits?: Limits;
}

/** Null: there is no cluster of that name. */
export async function examine({ configuration, world: wired, cluster, limits = doctorLimits }: Consultation): Promise<Diagnosis | null> {
	const targets = configuration.clusters.filter(({ name }) => cluster === null || name === cluster);
	if (cluster !== null && targets.length === 0) return null;
	const at = Date.now();
	const asked = { ...configuration, clusters: targets };
	const first = [...settingsFindings(asked), ...windowFindings(asked, at)];
	let world: DoctorWorld;
	try {
		world = wired();
	} catch (error) {
		const table: Finding = { check: "table", ...bad(messageOf(error), "name the storage account and the table (docs/settings.md)") };
		return { at, scheduler: [...first, table], clusters: [] };
	}
	const table = await tryTable(world);
	const serviceAheadMs = table.at === null ? null : table.at - world.now();
	const clock = serviceAheadMs === null ? notKnown("not compared: the table's is not known") : clockVerdict("this machine's", 0, serviceAheadMs);
	const clusters = await sideBySide(targets, limits.atOnce, async (target) => ({
		cluster: target.name,
		findings: await examineCluster(subjectOf(world, target, configuration, serviceAheadMs), limits.checkMs),
	}));
	return { at, scheduler: [...first, { check: "table", ...table.verdict }, { check: "clock", ...clock }], clusters };
}

function subjectOf(world: DoctorWorld, target: ClusterTarget, { settings }: Configuration, serviceAheadMs: number | null): Subject {
	const known = { arm: null, server: null, missing: [], isAdmin: false, sentinel: null };
	const probe = world.probes.of(target);
	let nodes: Promise<readonly NodeFacts[]> | null = null;
	const someNode = async (): Promise<NodeFacts | undefined> => {
		nodes ??= probe.someNodes();
		return (await nodes).find((each) => !each.virtual && each.bootId !== "");
	};
	return { world, target, settings, serviceAheadMs, api: world.clusters.open(target), probe, someNode, ...known };
}

async function examineCluster(subject: Subject, checkMs: number): Promise<readonly Finding[]> {
	const findings: Finding[] = [];
	for (const [index, step] of steps.entries()) {
		const examined = await examinedWithin(step, subject, checkMs);
		if (examined === null) continue;
		const { ends = false, ...verdict } = examined;
		findings.push({ check: step.check, ...verdict });
		if (ends) return [...findings, ...steps.slice(index + 1).map(({ check }): Finding => ({ check, ...notAsked }))];
	}
	return findings;
}

async function examinedWithin({ check, examine }: Step, subject: Subject, checkMs: number): Promise<Examined> {
	const { promise: late, resolve } = Promise.withResolvers<Examined>();
	const timer = setTimeout(() => resolve(noAnswer(check, checkMs)), checkMs);
	try {
		return await Promise.race([examine(subject), late]);
	} catch (error) {
		if (!(error instanceof CallError)) return notKnown(bugOf(error), "report it");
		return failed(error);
	} finally {
		clearTimeout(timer);
	}
}

function noAnswer(check: Step["check"], checkMs: number): Examined {
	const says = `no answer within ${checkMs / 1000} s`;
	// That it is not reached is what these checks are about.
	const verdict: Verdict = check === "apiServer" || check === "credentials" ? bad(says, networkAdvice) : notKnown(says, "ask again in a while");
	return { ...verdict, ends: check !== "azure" && check !== "nodeOsChannel" };
}

/** A call that a check could not do without. A right that is missing was told of by the check of rights. */
function failed(error: CallError): Examined {
	const gone = error.failure === "unreachable" || error.failure === "timedOut" || error.failure === "untrusted" || error.failure === "unauthorized";
	return { ...notKnown(error.message), ends: gone };
}
