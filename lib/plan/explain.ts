// One true sentence for every reason, cause and phase, with its numbers. What people read comes from here and nowhere else.
import type { End, Instant, Obstacle, Phase, Reboot } from "./model.ts";
import type { SettingProblem } from "./policy.ts";
import type { Cause, Reason, RequestOver } from "./reasons.ts";

/** `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function explainDuration(ms: number): string {
	const seconds = Math.max(0, Math.round(ms / 1000));
	if (seconds < 120) return `${seconds} s`;
	const minutes = Math.round(seconds / 60);
	if (minutes < 120) return `${minutes} min`;
	const hours = Math.floor(minutes / 60);
	if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
	return hours % 24 === 0 ? `${hours / 24} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** UTC, to the second. */
export function explainInstant(at: Instant): string {
	return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

function list(names: readonly string[], most = 3): string {
	const shown = names.slice(0, most).join(", ");
	return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/** What keeps one pod from leaving. */
export function explainObstacle(obstacle: Obstacle): string {
	const pod = `pod ${obstacle.namespace}/${obstacle.name}`;
	switch (obstacle.kind) {
		case "budget":
			return `${pod} is kept by budget ${list(obstacle.budgets)}: ${obstacle.message}`;
		case "twoBudgets":
			return `${pod} can never be evicted: more than one budget covers it (${list(obstacle.budgets) || obstacle.message})`;
		case "namespaceEnding":
			return `${pod}: its namespace is being deleted`;
		case "terminating":
			return `${pod} is still terminating`;
		case "unmanaged":
			return `${pod} has no controller, and UNMANAGED_PODS is block`;
		case "throttled":
		case "refused":
		case "unknown":
			return `${pod}: ${obstacle.message}`;
		default: {
			const never: never = obstacle.kind;
			return never;
		}
	}
}

/** The first three of them, and how many more there are. */
export function explainObstacles(all: readonly Obstacle[]): string {
	return all.length <= 3 ? all.map(explainObstacle).join("; ") : `${all.slice(0, 3).map(explainObstacle).join("; ")}; and ${all.length - 3} more`;
}

/** What keeps a node from being drained; null: nothing that was seen. */
export function explainDrain(blocked: readonly Obstacle[], leaving: readonly string[]): string | null {
	const ends = leaving.length === 0 ? [] : [`${leaving.length === 1 ? "1 pod has" : `${leaving.length} pods have`} still to leave: ${list(leaving)}`];
	const sentences = [...(blocked.length === 0 ? [] : [explainObstacles(blocked)]), ...ends];
	return sentences.length === 0 ? null : sentences.join("; ");
}

/** A wait that a setting asks for; null: there is none now. */
export function explainWait({ phase, notBefore }: Pick<Reboot, "phase" | "notBefore">, now: Instant): string | null {
	if (notBefore === null || now >= notBefore) return null;
	if (phase === "cordoning") return `it is cordoned at ${explainInstant(notBefore)} at the earliest (BEFORE_DRAIN)`;
	return phase === "draining" ? `drained; its reboot is asked for at ${explainInstant(notBefore)} at the earliest (BEFORE_REBOOT)` : null;
}

/** What is wrong with a setting. */
export function explainProblem({ setting, part, expected }: SettingProblem): string {
	return `${setting}: ${part === null ? "not set" : JSON.stringify(part)}, expected ${expected}`;
}

/** Why a node is not admitted now. */
export function explainReason(reason: Reason): string {
	switch (reason.kind) {
		case "settingsWrong":
			return `the settings are wrong (${reason.problems === 1 ? "1 problem" : `${reason.problems} problems`}; the first: ${reason.first})`;
		case "dryRun":
			return "DRY_RUN is true: it is looked at, and nothing is begun";
		case "wouldBegin":
			return "it would begin now, but DRY_RUN is true";
		case "removed":
			return "the cluster is no longer in CLUSTERS";
		case "sameCluster":
			return `it is the very cluster that is called ${reason.other} (the UID of namespace kube-system is the same)`;
		case "held":
			return `on hold by ${reason.by}: ${reason.reason}`;
		case "noWindow":
			return "no entry of MAINTENANCE_WINDOWS covers its pool";
		case "windowClosed":
			return reason.opensAt === null ? "its window never opens" : `its window is closed and opens at ${explainInstant(reason.opensAt)}`;
		case "windowTooShort":
			return `only ${explainDuration(reason.leftMs)} of its window are left, and ${explainDuration(reason.neededMs)} are needed (EXPECTED_DURATION)`;
		case "clusterFull":
			return `the cluster has room for ${reason.limit} (MAX_CONCURRENT), taken by ${list(reason.nodes)}`;
		case "poolFull":
			return `pool ${reason.pool} has room for ${reason.limit} (MAX_CONCURRENT), taken by ${list(reason.nodes)}`;
		case "poolSizeUnknown":
			return `the size of its pool is not known: ${reason.why}`;
		case "behind":
			return `it is number ${reason.place} in line; ${reason.first} is first`;
		case "backingOff":
			return `it backs off until ${explainInstant(reason.until)} after ${reason.attempts === 1 ? "1 try" : `${reason.attempts} tries`} (${reason.end}: ${reason.why})`;
		case "stillBlocked":
			return `its last drain was blocked and still would be: ${explainObstacles(reason.obstacles)}`;
		case "rebootedRecently":
			return `it asks again after our reboot of ${explainInstant(reason.at)}, and is not rebooted before ${explainInstant(reason.until)} (REBOOT_INTERVAL)`;
		case "probation":
			return `node ${reason.node}, rebooted lately, ${probation(reason.what)}: nothing begins beside it until that is over, at the latest at ${explainInstant(reason.until)} (PROBATION)`;
		case "stuck":
			return `node ${reason.node} did not come back well from its reboot and needs a person: nothing begins beside it`;
		case "notOwner":
			return `the cluster belongs to scheduler ${reason.owner}, not to this one (${reason.us}); to take it over: ${takeOverCommand(reason.us)}`;
		case "ownerUnknown":
			return `it could not be read whom the cluster belongs to: ${reason.why}`;
		case "claiming":
			return "the cluster was nobody's, and is being claimed";
		case "notClaimable":
			return `the cluster is nobody's, and could not be claimed: ${reason.why}`;
		case "next":
			return "it is next, and is being looked at";
		case "clusterUnknown":
			return `the cluster's own id could not be read: ${reason.why}`;
		case "sentinelAbsent":
			return "the sentinel DaemonSet is not there (kubectl apply -k infra/cluster)";
		case "sentinelUnknown":
			return `the sentinel DaemonSet could not be read: ${reason.why}`;
		case "waitingUnknown":
			return `it could not be read which nodes wait: ${reason.why}`;
		case "clusterState":
			return `the cluster is ${reason.state} in Azure`;
		case "clusterStateUnknown":
			return `the state of the cluster in Azure could not be read: ${reason.why}`;
		case "poolState":
			return `pool ${reason.pool} is ${reason.state} in Azure`;
		case "poolScopeUnmatched":
			return `the settings name ${reason.scope}, and the cluster has no such pool`;
		case "nodeUnknown":
			return `the node is not known: ${reason.why}`;
		case "nodeGone":
			return "the node is gone";
		case "nodeNotReady":
			return "the node is not Ready";
		case "nodeLeaving":
			return `the node is being taken away: ${reason.why}`;
		case "nodeMarked":
			return `the node carries the mark of another reboot (${reason.record})`;
		case "takenOver":
			return `somebody took its cordon over at ${explainInstant(reason.at)}, and it is still cordoned`;
		case "virtualNode":
			return "it is a virtual node";
		case "reportStale":
			return `its sentinel reports boot ${reason.reported}, and it runs boot ${reason.running}`;
		case "reportUnreadable":
			return `its sentinel's report cannot be read: ${reason.why}`;
		case "rebootPodRefused":
			return `the reboot pod would be refused: ${reason.why}`;
		case "rebootPodUnknown":
			return `it could not be tried whether the reboot pod would be accepted: ${reason.why}`;
		case "requestWithdrawn":
			return "whoever asked for its reboot by hand took that back";
		default: {
			const never: never = reason;
			return never;
		}
	}
}

function probation(what: "notReady" | "silent" | "unknown"): string {
	switch (what) {
		case "notReady":
			return "is not Ready";
		case "silent":
			return "has a silent sentinel";
		case "unknown":
			return "could not be looked at";
	}
}

/** The command that writes a name into the owner Lease. */
export function takeOverCommand(name: string): string {
	return `kubectl -n aks-reboot-scheduler patch lease owner --type=merge -p '{"spec":{"holderIdentity":"${name}"}}'`;
}

/** The command that takes a node over from us, its cordon included. */
export function releaseCommand(node: string): string {
	return `kubectl annotate node ${node} aks-reboot-scheduler/reboot-`;
}

/** Why a reboot moved or ended. */
export function explainCause(cause: Cause, node: string): string {
	switch (cause.kind) {
		case "cordoned":
			return `${node} is cordoned and marked; to keep it: ${releaseCommand(node)}`;
		case "drained":
			return `no pod is left that must leave (${explainDuration(cause.tookMs)})`;
		case "askedAgain":
			return "the first ask brought about no reboot, and it is asked for once more";
		case "booted":
			return `another boot ${explainDuration(cause.tookMs)} after the first ask (kernel ${cause.kernelBefore} → ${cause.kernelAfter})`;
		case "rejoined":
			return `Ready, and its DaemonSet pods with it, ${explainDuration(cause.tookMs)} after the new boot was seen`;
		case "rejoinedIncomplete":
			return cause.missing.length === 0
				? "Ready, though not all could be checked in time"
				: `Ready, but these were ready before the reboot and are not: ${list(cause.missing)}`;
		case "uncordoned":
			return "in service again";
		case "leftCordoned":
			return "rebooted, and left cordoned as it was found";
		case "soaked":
			return "in service, and Ready for as long as SOAK says";
		case "cordonTimedOut":
			return `it could not be cordoned in time${cause.trouble === null ? "" : `: ${cause.trouble}`}`;
		case "drainTimedOut":
			return `not drained after ${explainDuration(cause.afterMs)}: ${[...cause.obstacles.slice(0, 3).map(explainObstacle), ...(cause.obstacles.length > 3 ? [`${cause.obstacles.length - 3} more pods`] : []), ...cause.waitedFor.map(explainReason)].join("; ") || "its pods could not be read"}`;
		case "rebootTimedOut":
			return `asked for and still the same boot after ${explainDuration(cause.afterMs)}${cause.trouble === null ? "" : `; the reboot pod: ${cause.trouble}`}`;
		case "neverCameBack":
			return `not Ready ${explainDuration(cause.afterMs)} after the reboot was asked for`;
		case "cameBack":
			return cause.sameBoot ? "Ready again under the old boot id" : "Ready again under a new boot id";
		case "windowClosed":
			return "its window closed before the reboot was asked for (WINDOW_CLOSES=give-up)";
		case "bootedByOthers":
			return `booted by somebody else (boot ${cause.bootId})`;
		case "noLongerAsked":
			return "its sentinel says that no reboot is needed any more";
		case "forbidden":
			return explainReason(cause.reason);
		case "uncordonedByOthers":
			return "somebody uncordoned it";
		case "markRemoved":
			return "somebody removed our mark: the node and its cordon are theirs";
		case "handedOver":
			return `somebody cordoned it after us (${list(cause.managers)}): the cordon is theirs`;
		case "ownerChanged":
			return `the cluster belongs to scheduler ${cause.owner} now`;
		case "nodeGone":
			return "the node is gone";
		case "nodeReplaced":
			return `another node has its name (uid ${cause.uid})`;
		case "markCopied":
			return "its mark was copied from another node";
		case "markGarbled":
			return "its mark could not be read";
		default: {
			const never: never = cause;
			return never;
		}
	}
}

/** What became of a reboot that somebody asked for by hand. */
export function explainRequestOver(over: RequestOver, node: string): string {
	switch (over.kind) {
		case "rebootEnded":
			return over.end === "done"
				? explainEnd(over.end, over.foundCordoned)
				: `${explainEnd(over.end, over.foundCordoned)}: ${explainCause(over.cause, node)}; it is not tried again unless asked for again`;
		case "bootedSince":
			return `the node has been booted since it was asked for (boot ${over.bootId})`;
		case "nodeGone":
			return "the node is gone";
		case "expired":
			return "it has expired, and nothing was begun for it";
		default: {
			const never: never = over;
			return never;
		}
	}
}

/** How an end reads in a summary. A node that was found cordoned is not in service, however its reboot ended. */
export function explainEnd(end: End, foundCordoned: boolean): string {
	switch (end) {
		case "done":
			return foundCordoned ? "rebooted, and left cordoned as it was found" : "rebooted and in service";
		case "gaveUp":
			return foundCordoned ? "given up: not rebooted, and left cordoned as it was found" : "given up: not rebooted, back in service";
		case "notNeeded":
			return "not needed any more";
		case "cancelled":
			return "cancelled before the reboot was asked for";
		case "replaced":
			return "the node is gone or another";
		case "released":
			return "left to somebody else, as it is";
		default: {
			const never: never = end;
			return never;
		}
	}
}

/** Why the alarm is raised in a phase. */
export function explainAlarm(phase: Phase): string {
	return phase === "soaking" ? "not Ready after its reboot, and in service" : "its cordon could not be removed in time; it is tried again";
}

/** What a person is needed for; null while nobody is. */
export function explainNeed({ phase, phaseSince, asks, rebooted, alarmed, trouble }: Reboot): string | null {
	if (phase !== "stuck") return alarmed ? `${explainAlarm(phase)}${trouble === null ? "" : `: ${trouble}`}` : null;
	const asked = asks[0];
	const away = asked === undefined ? "not Ready after a boot by somebody else" : explainCause({ kind: "neverCameBack", afterMs: phaseSince - asked.at }, "");
	return `${away}, ${rebooted === null ? "and no new boot of it was seen" : `though it was booted anew (kernel ${rebooted.kernelVersion})`}`;
}

export function explainPhase(phase: Phase): string {
	return phase === "stuck" ? "needs a person" : phase;
}
