import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
	explainCause,
	explainDuration,
	explainEnd,
	explainInstant,
	explainObstacle,
	explainReason,
	explainRequestOver,
	takeOverCommand,
} from "../../lib/plan/explain.ts";
import { ends, type Obstacle } from "../../lib/plan/model.ts";
import type { Cause, Reason, ReasonKind } from "../../lib/plan/reasons.ts";
import { budgetObstacle, hour, minute, newBoot, now, oldBoot, other, second, us } from "./states.ts";

/** One of every kind, and what its sentence must say: the numbers and names that make it true. */
const reasons: Readonly<{ [Kind in ReasonKind]: readonly [Extract<Reason, { kind: Kind }>, readonly string[]] }> = {
	settingsWrong: [{ kind: "settingsWrong", problems: 2, first: "HOLD: x" }, ["2 problems", "HOLD: x"]],
	dryRun: [{ kind: "dryRun" }, ["DRY_RUN"]],
	wouldBegin: [{ kind: "wouldBegin" }, ["would begin", "DRY_RUN"]],
	removed: [{ kind: "removed" }, ["CLUSTERS"]],
	sameCluster: [{ kind: "sameCluster", other: "prod-2" }, ["prod-2", "kube-system"]],
	held: [{ kind: "held", by: "ana", reason: "CHG0042" }, ["ana", "CHG0042"]],
	noWindow: [{ kind: "noWindow" }, ["MAINTENANCE_WINDOWS"]],
	windowClosed: [{ kind: "windowClosed", opensAt: now }, ["2026-11-28T02:30:00Z"]],
	windowTooShort: [{ kind: "windowTooShort", leftMs: 5 * minute, neededMs: 15 * minute }, ["5 min", "15 min", "EXPECTED_DURATION"]],
	clusterFull: [{ kind: "clusterFull", limit: 2, nodes: ["a", "b"] }, ["room for 2", "a, b"]],
	poolFull: [{ kind: "poolFull", pool: "gpu", limit: 1, nodes: ["a"] }, ["gpu", "room for 1", "a"]],
	poolSizeUnknown: [{ kind: "poolSizeUnknown", why: "403" }, ["403"]],
	behind: [{ kind: "behind", place: 3, first: "a" }, ["3", "a is first"]],
	backingOff: [{ kind: "backingOff", until: now, end: "gaveUp", why: "not drained", attempts: 2 }, ["2026-11-28T02:30:00Z", "2 tries", "not drained"]],
	stillBlocked: [{ kind: "stillBlocked", obstacles: [budgetObstacle()] }, ["shop/web-1", "budget web"]],
	rebootedRecently: [{ kind: "rebootedRecently", at: now - hour, until: now }, ["01:30:00Z", "02:30:00Z", "REBOOT_INTERVAL"]],
	probation: [{ kind: "probation", node: "a", what: "silent", until: now }, ["node a", "silent", "PROBATION"]],
	stuck: [{ kind: "stuck", node: "a" }, ["node a", "needs a person"]],
	notOwner: [{ kind: "notOwner", owner: other, us }, [other, takeOverCommand(us)]],
	ownerUnknown: [{ kind: "ownerUnknown", why: "403 get leases" }, ["403 get leases"]],
	notClaimable: [{ kind: "notClaimable", why: "403 create leases" }, ["403 create leases"]],
	claiming: [{ kind: "claiming" }, ["claimed"]],
	next: [{ kind: "next" }, ["next"]],
	clusterUnknown: [{ kind: "clusterUnknown", why: "403" }, ["403"]],
	sentinelAbsent: [{ kind: "sentinelAbsent" }, ["kubectl apply -k infra/cluster"]],
	sentinelUnknown: [{ kind: "sentinelUnknown", why: "403" }, ["403"]],
	waitingUnknown: [{ kind: "waitingUnknown", why: "403 list pods" }, ["403 list pods"]],
	clusterState: [{ kind: "clusterState", state: "Upgrading" }, ["Upgrading"]],
	clusterStateUnknown: [{ kind: "clusterStateUnknown", why: "503" }, ["503"]],
	poolState: [{ kind: "poolState", pool: "np1", state: "Upgrading" }, ["np1", "Upgrading"]],
	poolScopeUnmatched: [{ kind: "poolScopeUnmatched", scope: "prod/typo" }, ["prod/typo"]],
	nodeUnknown: [{ kind: "nodeUnknown", why: "503" }, ["503"]],
	nodeGone: [{ kind: "nodeGone" }, ["gone"]],
	nodeNotReady: [{ kind: "nodeNotReady" }, ["not Ready"]],
	nodeLeaving: [{ kind: "nodeLeaving", why: "taint x" }, ["taint x"]],
	nodeMarked: [{ kind: "nodeMarked", record: "reboot-b" }, ["reboot-b"]],
	takenOver: [{ kind: "takenOver", at: now }, ["2026-11-28T02:30:00Z", "still cordoned"]],
	virtualNode: [{ kind: "virtualNode" }, ["virtual"]],
	reportStale: [{ kind: "reportStale", reported: oldBoot, running: newBoot }, [oldBoot, newBoot]],
	reportUnreadable: [{ kind: "reportUnreadable", why: "no JSON" }, ["no JSON"]],
	rebootPodRefused: [{ kind: "rebootPodRefused", why: "policy x" }, ["policy x"]],
	rebootPodUnknown: [{ kind: "rebootPodUnknown", why: "503" }, ["503"]],
	requestWithdrawn: [{ kind: "requestWithdrawn" }, ["took that back"]],
};

const causes: Readonly<{ [Kind in Cause["kind"]]: readonly [Extract<Cause, { kind: Kind }>, readonly string[]] }> = {
	cordoned: [{ kind: "cordoned" }, ["node-1", "kubectl annotate node node-1 aks-reboot-scheduler/reboot-"]],
	drained: [{ kind: "drained", tookMs: 45 * second }, ["45 s"]],
	askedAgain: [{ kind: "askedAgain" }, ["once more"]],
	booted: [{ kind: "booted", tookMs: 45 * second, kernelBefore: "6.8.0-1", kernelAfter: "6.8.0-2" }, ["45 s", "6.8.0-1 → 6.8.0-2"]],
	rejoined: [{ kind: "rejoined", tookMs: 12 * second }, ["12 s"]],
	rejoinedIncomplete: [{ kind: "rejoinedIncomplete", missing: ["logging/logs"] }, ["logging/logs"]],
	uncordoned: [{ kind: "uncordoned" }, ["in service"]],
	leftCordoned: [{ kind: "leftCordoned" }, ["left cordoned as it was found"]],
	soaked: [{ kind: "soaked" }, ["SOAK"]],
	cordonTimedOut: [{ kind: "cordonTimedOut", trouble: "403 patch nodes" }, ["403 patch nodes"]],
	drainTimedOut: [{ kind: "drainTimedOut", afterMs: 30 * minute, obstacles: [budgetObstacle()], waitedFor: [] }, ["30 min", "shop/web-1", "budget web"]],
	rebootTimedOut: [{ kind: "rebootTimedOut", afterMs: 15 * minute, trouble: "ErrImagePull" }, ["15 min", "ErrImagePull"]],
	neverCameBack: [{ kind: "neverCameBack", afterMs: 15 * minute }, ["15 min after the reboot was asked for"]],
	cameBack: [{ kind: "cameBack", sameBoot: true }, ["old boot id"]],
	windowClosed: [{ kind: "windowClosed" }, ["WINDOW_CLOSES=give-up"]],
	bootedByOthers: [{ kind: "bootedByOthers", bootId: newBoot }, [newBoot]],
	noLongerAsked: [{ kind: "noLongerAsked" }, ["no reboot is needed"]],
	forbidden: [{ kind: "forbidden", reason: { kind: "dryRun" } }, ["DRY_RUN"]],
	uncordonedByOthers: [{ kind: "uncordonedByOthers", phase: "draining" }, ["somebody uncordoned it"]],
	markRemoved: [{ kind: "markRemoved" }, ["cordon are theirs"]],
	handedOver: [{ kind: "handedOver", managers: ["kubectl-cordon"] }, ["kubectl-cordon"]],
	ownerChanged: [{ kind: "ownerChanged", owner: other }, [other]],
	nodeGone: [{ kind: "nodeGone" }, ["gone"]],
	nodeReplaced: [{ kind: "nodeReplaced", uid: "uid-of-another" }, ["uid-of-another"]],
	markCopied: [{ kind: "markCopied" }, ["copied"]],
	markGarbled: [{ kind: "markGarbled" }, ["could not be read"]],
};

function checkSentence(text: string, says: readonly string[]): void {
	for (const part of says) assert.ok(text.includes(part), `"${text}" does not say "${part}"`);
	assert.doesNotMatch(text, /undefined|null|NaN|\[object|Infinity|\n/);
	assert.ok(text.length > 0 && text.length < 2000);
}

describe("every reason is one sentence with its numbers", () => {
	for (const [kind, [reason, says]] of Object.entries(reasons)) test(kind, () => checkSentence(explainReason(reason), says));

	test("a window that never opens has no time to name", () => {
		assert.equal(explainReason({ kind: "windowClosed", opensAt: null }), "its window never opens");
	});

	test("many nodes and pods are counted, not listed", () => {
		assert.match(explainReason({ kind: "clusterFull", limit: 5, nodes: ["a", "b", "c", "d", "e"] }), /a, b, c and 2 more$/);
		const obstacles = Array.from({ length: 500 }, (_, i) => budgetObstacle({ uid: `${i}`, name: `web-${i}` }));
		checkSentence(explainReason({ kind: "stillBlocked", obstacles }), ["and 497 more"]);
		checkSentence(explainCause({ kind: "drainTimedOut", afterMs: hour, obstacles, waitedFor: [] }, "node-1"), ["497 more pods"]);
	});
});

describe("every cause is one sentence with its numbers", () => {
	for (const [kind, [cause, says]] of Object.entries(causes)) test(kind, () => checkSentence(explainCause(cause, "node-1"), says));

	test("a drain that waited for something else says for what, and one that could not look says that", () => {
		const waited: Cause = { kind: "drainTimedOut", afterMs: hour, obstacles: [], waitedFor: [{ kind: "sentinelUnknown", why: "503" }] };
		assert.equal(explainCause(waited, "node-1"), "not drained after 60 min: the sentinel DaemonSet could not be read: 503");
		assert.match(explainCause({ ...waited, waitedFor: [] }, "node-1"), /its pods could not be read$/);
	});
});

test("every end has a sentence of its own", () => {
	for (const foundCordoned of [false, true]) assert.equal(new Set(ends.map((end) => explainEnd(end, foundCordoned))).size, ends.length);
});

test("a node that was found cordoned is nowhere said to be in service", () => {
	for (const end of ends) assert.doesNotMatch(explainEnd(end, true), /in service/);
	const over = { kind: "rebootEnded", end: "done", cause: { kind: "soaked" }, foundCordoned: true } as const;
	assert.equal(explainRequestOver(over, "node-1"), "rebooted, and left cordoned as it was found");
});

test("every obstacle names its pod", () => {
	const kinds: readonly Obstacle["kind"][] = ["budget", "twoBudgets", "namespaceEnding", "throttled", "refused", "unknown", "terminating", "unmanaged"];
	for (const kind of kinds) checkSentence(explainObstacle(budgetObstacle({ kind })), ["shop/web-1"]);
});

test("times read as people say them", () => {
	const said = [0, 45, 119, 120, 3_599, 7_199, 7_200, 12_000, 172_800, 187_200].map((seconds) => explainDuration(seconds * second));
	assert.deepEqual(said, ["0 s", "45 s", "119 s", "2 min", "60 min", "2 h", "2 h", "3 h 20 min", "2 d", "2 d 4 h"]);
	assert.equal(explainInstant(now + 999), "2026-11-28T02:30:00Z");
	assert.equal(explainDuration(-5), "0 s");
});

test("the command that takes a cluster over is one that a shell reads", () => {
	assert.equal(takeOverCommand("a"), `kubectl -n aks-reboot-scheduler patch lease owner --type=merge -p '{"spec":{"holderIdentity":"a"}}'`);
});
