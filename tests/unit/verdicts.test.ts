import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DaemonSetRef, PodFacts, PodPhase } from "../../lib/plan/model.ts";
import { known, unknown } from "../../lib/plan/model.ts";
import type { Policy } from "../../lib/plan/policy.ts";
import { podVerdict, type Verdict, type VerdictContext, type VerdictKind, type VerdictReason } from "../../lib/plan/verdicts.ts";
import { defaultPolicy, deploymentPod } from "./states.ts";

const second = 1_000;
const cordonedAt = Date.UTC(2026, 10, 28, 2, 0, 0, 500);
const now = cordonedAt + 600 * second;

/** Of a Deployment, running since long before the cordon. */
function aPod(changes: Partial<PodFacts> = {}): PodFacts {
	return deploymentPod({ createdAt: cordonedAt - 86_400 * second, ...changes });
}

const logs: DaemonSetRef = { namespace: "shop", name: "logs", uid: "ds-uid" };

function aDaemonSetPod(changes: Partial<PodFacts> = {}): PodFacts {
	return aPod({ name: "logs-1", toleratesCordon: true, controller: { kind: "DaemonSet", apiVersion: "apps/v1", name: "logs", uid: "ds-uid" }, ...changes });
}

function aSuccessor(changes: Partial<PodFacts> = {}): PodFacts {
	return aPod({ createdAt: cordonedAt + 500, toleratesCordon: true, ...changes });
}

function aContext(changes: Partial<Omit<VerdictContext, "policy">> & { policy?: Partial<Policy> } = {}): VerdictContext {
	const { policy, ...rest } = changes;
	return { cordonedAt, now, daemonSets: known([logs]), ...rest, policy: defaultPolicy(policy) };
}

const notListed = aContext({ daemonSets: unknown("listing DaemonSets: 503") });

/** What each verdict means for the drain; whether one is sent to a finished pod depends on the pod. */
const meaning: Readonly<Record<VerdictKind, { readonly mustLeave: boolean; readonly evict: boolean | null }>> = {
	evict: { mustLeave: true, evict: true },
	leaving: { mustLeave: true, evict: false },
	finished: { mustLeave: false, evict: null },
	skipped: { mustLeave: false, evict: false },
	stays: { mustLeave: false, evict: false },
	returns: { mustLeave: false, evict: false },
	blocks: { mustLeave: true, evict: false },
	unknown: { mustLeave: true, evict: false },
};

function told(verdict: Verdict): string {
	return `${verdict.kind}: ${verdict.reasons.map((each) => each.kind).join(" ")}`;
}

const terminating = { deletionAt: now - 61 * second };
const skip60 = aContext({ policy: { drainSkipWaitForDeleteMs: 60 * second } });
const block = aContext({ policy: { unmanagedPods: "block" } });

describe("each pod on a node that drains gets the verdict that kubectl drain would give it", () => {
	const cases: readonly [hazard: string, pod: PodFacts, context: VerdictContext, expected: string][] = [
		["a pod of a Deployment is evicted", aPod(), aContext(), "evict: managed"],
		["a pending pod is evicted (F8)", aPod({ phase: "Pending", ready: false }), aContext(), "evict: managed"],
		["a pod whose phase is not known is evicted", aPod({ phase: "Unknown", ready: false }), aContext(), "evict: managed"],
		["a pod with an emptyDir is evicted, and its loss is told (F5)", aPod({ emptyDir: true }), aContext(), "evict: managed emptyDir"],
		[
			"any controller counts, even one that nobody knows (F6)",
			aPod({ controller: { kind: "Rocket", apiVersion: "x/v1", name: "r", uid: "u" } }),
			aContext(),
			"evict: managed",
		],
		["a pod without a controller is evicted, as by kured (E17)", aPod({ controller: null }), aContext(), "evict: unmanaged"],
		["UNMANAGED_PODS=block keeps a pod without a controller", aPod({ controller: null, emptyDir: true }), block, "blocks: unmanaged emptyDir"],
		["UNMANAGED_PODS=block does not hold a finished one (F6)", aPod({ controller: null, phase: "Succeeded" }), block, "finished: finished unmanaged"],
		["UNMANAGED_PODS=block does not blame one that is leaving", aPod({ controller: null, ...terminating }), block, "leaving: terminating unmanaged"],
		["UNMANAGED_PODS=block means nothing for managed pods", aPod(), block, "evict: managed"],

		["a DaemonSet's pod stays (F3)", aDaemonSetPod(), aContext(), "stays: daemonSet"],
		["a DaemonSet's pod with an emptyDir stays, and both are told", aDaemonSetPod({ emptyDir: true }), aContext(), "stays: daemonSet emptyDir"],
		[
			"a DaemonSet that was made anew under its name still exists",
			aDaemonSetPod(),
			aContext({ daemonSets: known([{ ...logs, uid: "other" }]) }),
			"stays: daemonSet",
		],
		["a DaemonSet is found by its uid", aDaemonSetPod(), aContext({ daemonSets: known([{ ...logs, name: "other" }]) }), "stays: daemonSet"],
		[
			"a DaemonSet of that name elsewhere is another one",
			aDaemonSetPod(),
			aContext({ daemonSets: known([{ ...logs, namespace: "other", uid: "x" }]) }),
			"evict: daemonSetGone",
		],
		["the pod of a DaemonSet that is gone is evicted (F3)", aDaemonSetPod(), aContext({ daemonSets: known([]) }), "evict: daemonSetGone"],
		[
			"UNMANAGED_PODS=block keeps it, as kubectl refuses it without --force (F3)",
			aDaemonSetPod(),
			aContext({ daemonSets: known([]), policy: { unmanagedPods: "block" } }),
			"blocks: daemonSetGone",
		],
		["a list that could not be read is not an empty one", aDaemonSetPod(), notListed, "unknown: daemonSetUnknown"],
		["an unread list is nothing against other pods", aPod(), notListed, "evict: managed"],
		["a finished DaemonSet pod is evicted, list or no list (F3)", aDaemonSetPod({ phase: "Failed" }), notListed, "finished: finished managed"],
		["a finished pod of a DaemonSet that exists is evicted too (F3)", aDaemonSetPod({ phase: "Failed" }), aContext(), "finished: finished managed"],
		[
			"the DaemonSet of another API group is a controller like any other (F3)",
			aDaemonSetPod({ controller: { kind: "DaemonSet", apiVersion: "apps.kruise.io/v1alpha1", name: "logs", uid: "ds-uid" } }),
			aContext(),
			"evict: managed",
		],
		["a DaemonSet pod that terminates is not waited for", aDaemonSetPod(terminating), aContext(), "stays: daemonSet terminating"],
		["an unread list is not good while the pod terminates either", aDaemonSetPod(terminating), notListed, "unknown: daemonSetUnknown terminating"],
		[
			"a DaemonSet pod that came after the cordon stays as one",
			aDaemonSetPod({ createdAt: cordonedAt + 500 }),
			aContext(),
			"stays: daemonSet createdAfterCordon",
		],
		[
			"a DaemonSet pod that came after the cordon and could not be judged is not good",
			aDaemonSetPod({ createdAt: cordonedAt + 500 }),
			notListed,
			"unknown: daemonSetUnknown createdAfterCordon",
		],

		["a mirror pod stays (F4)", aPod({ mirror: true, controller: null }), aContext(), "stays: mirror"],
		["a finished mirror pod stays: the API cannot remove it", aPod({ mirror: true, controller: null, phase: "Failed" }), aContext(), "stays: mirror finished"],
		["a mirror pod is no unmanaged pod", aPod({ mirror: true, controller: null }), block, "stays: mirror"],
		["our sentinel stays", aDaemonSetPod({ ours: "sentinel" }), aContext(), "stays: ours daemonSet"],
		["our sentinel stays though the list could not be read", aDaemonSetPod({ ours: "sentinel" }), notListed, "stays: ours daemonSetUnknown"],
		[
			"our reboot pod stays, or it would be evicted before it sends",
			aPod({ ours: "reboot", controller: null, toleratesCordon: true }),
			block,
			"stays: ours unmanaged",
		],
		[
			"our finished reboot pod is not evicted: it is deleted by its own rule",
			aPod({ ours: "reboot", controller: null, phase: "Succeeded" }),
			aContext(),
			"stays: ours finished unmanaged",
		],
		["a pod that DRAIN_POD_SELECTOR leaves out stays (F0)", aPod({ selected: false }), aContext(), "stays: notSelected managed"],
		["an unmanaged pod that the selector leaves out does not block", aPod({ selected: false, controller: null }), block, "stays: notSelected unmanaged"],

		["a finished pod is evicted (F8)", aPod({ phase: "Succeeded" }), aContext(), "finished: finished managed"],
		["a failed pod is evicted", aPod({ phase: "Failed", emptyDir: true }), aContext(), "finished: finished managed emptyDir"],
		[
			"a finished pod that a finalizer holds is not evicted again",
			aPod({ phase: "Failed", ...terminating }),
			aContext(),
			"finished: finished terminating managed",
		],
		["a pod that terminates is waited for, not evicted again", aPod(terminating), aContext(), "leaving: terminating managed"],
		["a pod whose planned end is still to come is waited for", aPod({ deletionAt: now + 30 * second }), skip60, "leaving: terminating managed"],

		[
			"without DRAIN_SKIP_WAIT_FOR_DELETE a pod is waited for, however long",
			aPod({ deletionAt: now - 86_400 * second }),
			aContext(),
			"leaving: terminating managed",
		],
		[
			"longer than DRAIN_SKIP_WAIT_FOR_DELETE is not waited for (F2)",
			aPod({ deletionAt: now - 61 * second }),
			skip60,
			"skipped: terminatingTooLong terminating managed",
		],
		["exactly as long is waited for (F2: strictly more)", aPod({ deletionAt: now - 60 * second }), skip60, "leaving: terminating managed"],
		["a part of a second more is waited for (F2: whole seconds)", aPod({ deletionAt: now - 60 * second - 999 }), skip60, "leaving: terminating managed"],
		["one that is not being deleted is not skipped", aPod(), skip60, "evict: managed"],
		[
			"skipping needs no list of DaemonSets",
			aDaemonSetPod(terminating),
			{ ...skip60, daemonSets: unknown("x") },
			"skipped: terminatingTooLong daemonSetUnknown terminating",
		],

		["a pod that came after the cordon, which it tolerates, is not chased for ever", aSuccessor(), aContext(), "returns: createdAfterCordon managed"],
		["a finished one neither", aSuccessor({ phase: "Failed" }), aContext(), "returns: createdAfterCordon finished managed"],
		["a bare one neither: kubectl lists once (F0)", aSuccessor({ controller: null }), block, "returns: createdAfterCordon unmanaged"],
		["it was there before the cordon: evicted once", aSuccessor({ createdAt: cordonedAt - second }), aContext(), "evict: managed"],
		["created in the second of the cordon: evicted once", aSuccessor({ createdAt: Math.floor(cordonedAt / second) * second }), aContext(), "evict: managed"],
		["at the very instant of the cordon: evicted once", aSuccessor({ createdAt: cordonedAt }), aContext(), "evict: managed"],
		[
			"it does not tolerate the cordon: it was bound before the cordon was seen, and is evicted",
			aSuccessor({ toleratesCordon: false }),
			aContext(),
			"evict: managed",
		],
		["no cordon yet: nothing came after it", aSuccessor(), aContext({ cordonedAt: null }), "evict: managed"],
	];
	for (const [hazard, pod, context, expected] of cases) {
		test(hazard, () => {
			const verdict = podVerdict(pod, context);
			assert.equal(told(verdict), expected);
			assert.equal(verdict.mustLeave, meaning[verdict.kind].mustLeave);
			assert.equal(verdict.evict, meaning[verdict.kind].evict ?? pod.deletionAt === null);
		});
	}
});

test("reasons carry what a person needs", () => {
	const reasonsOf = (pod: PodFacts, context: VerdictContext): readonly VerdictReason[] => podVerdict(pod, context).reasons;
	assert.deepEqual(reasonsOf(aDaemonSetPod(), notListed), [{ kind: "daemonSetUnknown", name: "logs", why: "listing DaemonSets: 503" }]);
	assert.deepEqual(reasonsOf(aDaemonSetPod(), aContext({ daemonSets: known([]) })), [{ kind: "daemonSetGone", namespace: "shop", name: "logs" }]);
	assert.deepEqual(reasonsOf(aPod({ deletionAt: now - 61_900 }), skip60)[0], { kind: "terminatingTooLong", forMs: 61_000, limitMs: 60_000 });
	assert.deepEqual(reasonsOf(aPod({ selected: false }), aContext({ policy: { drainPodSelector: "tier=web" } }))[0], {
		kind: "notSelected",
		selector: "tier=web",
	});
	assert.deepEqual(reasonsOf(aPod(), aContext()), [{ kind: "managed", controllerKind: "ReplicaSet", name: "web" }]);
});

/** Every combination of what a verdict looks at. */
function* everyPod(): Generator<PodFacts> {
	const flags = [true, false];
	const phases: readonly PodPhase[] = ["Pending", "Running", "Succeeded", "Failed", "Unknown"];
	const controllers = [aPod().controller, aDaemonSetPod().controller, { kind: "DaemonSet", apiVersion: "apps/v1", name: "gone", uid: "gone" }, null];
	for (const phase of phases)
		for (const controller of controllers)
			for (const deletionAt of [null, now + second, now - 61 * second])
				for (const createdAt of [cordonedAt - second, cordonedAt + 500])
					for (const toleratesCordon of flags)
						for (const selected of flags)
							for (const mirror of flags)
								for (const ours of [null, "sentinel", "reboot"] as const)
									yield aPod({ phase, controller, deletionAt, createdAt, toleratesCordon, selected, mirror, ours });
}

const contexts = [true, false].flatMap((listed) =>
	[null, 60 * second].flatMap((drainSkipWaitForDeleteMs) =>
		(["delete", "block"] as const).map((unmanagedPods) =>
			aContext({ daemonSets: listed ? known([logs]) : unknown("x"), policy: { drainSkipWaitForDeleteMs, unmanagedPods } }),
		),
	),
);

function everyVerdict(check: (pod: PodFacts, verdict: Verdict, context: VerdictContext) => void): void {
	for (const pod of everyPod()) for (const context of contexts) check(pod, podVerdict(pod, context), context);
}

describe("of every combination of facts", () => {
	test("a verdict always has a reason and says the same of the drain", () => {
		const seen = new Set<VerdictKind>();
		everyVerdict((pod, verdict) => {
			seen.add(verdict.kind);
			assert.ok(verdict.reasons.length > 0);
			assert.equal(new Set(verdict.reasons.map((each) => each.kind)).size, verdict.reasons.length);
			assert.equal(verdict.mustLeave, meaning[verdict.kind].mustLeave);
			assert.equal(verdict.evict, meaning[verdict.kind].evict ?? pod.deletionAt === null);
		});
		assert.deepEqual([...seen].sort(), Object.keys(meaning).sort());
	});

	test("a running pod is left on the node only for a reason that allows it", () => {
		everyVerdict((pod, verdict, context) => {
			if (verdict.mustLeave || pod.phase === "Succeeded" || pod.phase === "Failed") return;
			const ofDaemonSet = pod.controller?.name === "logs" && context.daemonSets.known;
			const returns = pod.toleratesCordon && pod.createdAt > cordonedAt;
			const skipped = context.policy.drainSkipWaitForDeleteMs !== null && pod.deletionAt !== null && pod.deletionAt < now;
			assert.ok(pod.ours !== null || pod.mirror || !pod.selected || ofDaemonSet || returns || skipped, JSON.stringify(pod));
		});
	});

	test("mirror pods, our own and those that the selector leaves out are never evicted, nor is a pod that terminates", () => {
		everyVerdict((pod, verdict) => {
			if (pod.mirror || pod.ours !== null || !pod.selected || pod.deletionAt !== null) assert.equal(verdict.evict, false);
		});
	});

	test("with an unread list of DaemonSets no running DaemonSet pod is evicted", () => {
		everyVerdict((pod, verdict, context) => {
			const running = pod.phase === "Running" || pod.phase === "Pending" || pod.phase === "Unknown";
			if (!context.daemonSets.known && running && pod.controller?.kind === "DaemonSet") assert.equal(verdict.evict, false);
		});
	});

	test("a pod without a controller is never evicted under UNMANAGED_PODS=block, unless it has finished", () => {
		everyVerdict((pod, verdict, context) => {
			if (pod.controller === null && context.policy.unmanagedPods === "block" && verdict.kind !== "finished") assert.equal(verdict.evict, false);
		});
	});
});
