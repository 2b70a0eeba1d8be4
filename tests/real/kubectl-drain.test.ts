// kubectl as the judge: what `kubectl drain --dry-run=server` makes of each pod of a node is what our verdicts make of it, over what
// lib/kubernetes reads from the same API server. (For real: kubectl-drain-twins.test.ts.)
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type DaemonSetRef, known, namespace, type PodFacts, type Reading, unknown } from "../../lib/plan/model.ts";
import { podVerdict, type VerdictKind } from "../../lib/plan/verdicts.ts";
import { makeMany, node, openAs, pod } from "../contract/kubernetes-fixtures.ts";
import "../property-seed.ts";
import { defaultPolicy } from "../unit/states.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type Difference, type DifferenceName, differenceOf, differences, differencesInMarkdown, type KubectlOutcome } from "./kubectl-drain-differences.ts";
import { chosenPopulations, create, createDaemonSet, daemonSetElsewhere, podName, seededPopulations } from "./kubectl-drain-populations.ts";
import { type DrainSettings, drainDefaults, kubectlDrain, SaidByKubectl } from "./kubectl-drain-run.ts";
import { applyShipped } from "./scenario.ts";

/** Those that end long ago do so for longer than this. */
const skipWaitSeconds = 2;

interface Trial {
	readonly settings: DrainSettings;
	readonly cordoned: "not yet" | "before its pods came" | "after its pods came";
	readonly nodes: readonly string[];
	/** Who drains, on both sides: `scheduler` has the shipped rights, `narrow` may not read DaemonSets. */
	readonly user?: "scheduler" | "narrow";
}

const seeded = seededPopulations(84);
const chosenNodes = chosenPopulations.map((each) => each.name);
const seededNodes = (turn: number): readonly string[] => seeded.filter((_each, i) => i % 8 === turn).map((each) => each.name);
/** Our sentinel and a reboot pod. */
const ourNode = "ours";

/** The chosen ones under all that decides without a selector; the seeded ones in turn under all else. */
const trials: readonly Trial[] = [
	...([null, skipWaitSeconds] as const).flatMap((skipWaitForDeleteSeconds) =>
		(["delete", "block"] as const).map((unmanagedPods) => ({
			settings: { ...drainDefaults, skipWaitForDeleteSeconds, unmanagedPods },
			cordoned: "not yet" as const,
			nodes: [...chosenNodes, ourNode],
		})),
	),
	{ settings: drainDefaults, cordoned: "before its pods came", nodes: [...seededNodes(0), "running-ends-no", "failed-ends-no"] },
	{ settings: { ...drainDefaults, unmanagedPods: "block" }, cordoned: "before its pods came", nodes: [...seededNodes(1), "pending-ends-no"] },
	{ settings: { ...drainDefaults, podSelector: "tier=web" }, cordoned: "after its pods came", nodes: seededNodes(2) },
	{ settings: { ...drainDefaults, podSelector: "tier!=web", unmanagedPods: "block" }, cordoned: "not yet", nodes: seededNodes(3) },
	{ settings: { ...drainDefaults, podSelector: "tier in (db,x),tier" }, cordoned: "before its pods came", nodes: seededNodes(4) },
	{
		settings: { unmanagedPods: "block", podSelector: "!tier", gracePeriodSeconds: 0, skipWaitForDeleteSeconds: skipWaitSeconds },
		cordoned: "not yet",
		nodes: seededNodes(5),
	},
	{ settings: { ...drainDefaults, skipWaitForDeleteSeconds: 3_000 }, cordoned: "after its pods came", nodes: seededNodes(6) },
	{ settings: { ...drainDefaults, gracePeriodSeconds: 5 }, cordoned: "not yet", nodes: seededNodes(7) },
	{ settings: drainDefaults, cordoned: "not yet", nodes: ["running-ends-no", "succeeded-ends-no", "unknown-ends-soon"], user: "narrow" },
];

/** One pod under one trial. */
interface Judged {
	readonly pod: string;
	readonly kubectl: KubectlOutcome;
	readonly verdict: VerdictKind;
	readonly difference: DifferenceName | null | undefined;
	/** All that was known of it. */
	readonly what: string;
}

describe("a node that drains", () => {
	let plane: ControlPlane;
	const judged: Judged[] = [];

	before(async () => {
		plane = await startControlPlane({ controllers: false, scheduler: false, audit: false, users: [{ name: "narrow" }] });
		await Promise.all([createDaemonSet(plane, "default", daemonSetElsewhere), narrowRights(plane), applyShipped(plane).then(() => ours(plane))]);
		const all = [...chosenPopulations, ...seeded];
		await makeMany(all.length, async (i) => create(plane, all[i] ?? assert.fail()));
		// So that kubectl and we, who look at other moments, both find them to end for longer.
		await delay((skipWaitSeconds + 1) * 1_000);
		await judgeAll();
	});

	after(async () => {
		await plane?.stop();
	});

	/** Three of them side by side. */
	async function judgeAll(): Promise<void> {
		const left = [...trials];
		const worker = async (): Promise<void> => {
			for (let trial = left.shift(); trial !== undefined; trial = left.shift()) judged.push(...(await judge(plane, trial)));
		};
		await Promise.all([worker(), worker(), worker()]);
	}

	it("is drained of the same pods by kubectl and by us, but where a row says why not", () => {
		const wrong = judged.filter((each) => each.difference === undefined);
		assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} of ${judged.length} pods, ten of them here`);
	});

	it("was judged in more than a hundred populations, with every outcome, verdict and difference that a dry run can show", (context) => {
		const nodes = new Set(trials.flatMap((trial) => trial.nodes));
		assert.ok(nodes.size > 100, `${nodes.size} populations`);
		const seen = (of: (each: Judged) => string | null | undefined): string[] => [...new Set(judged.flatMap((each) => of(each) ?? []))].sort();
		assert.deepEqual(
			seen((each) => each.kubectl),
			["evicts", "ignores", "notReached", "passesOver", "refuses"],
		);
		assert.deepEqual(
			seen((each) => each.verdict),
			["blocks", "evict", "finished", "leaving", "returns", "skipped", "stays", "unknown"],
		);
		const shown = Object.entries<Difference>(differences).flatMap(([name, { covers }]) => (covers === null ? [] : name));
		assert.deepEqual(
			seen((each) => each.difference),
			shown.sort(),
		);
		context.diagnostic(`${judged.length} verdicts on ${nodes.size} populations`);
	});

	it("differs as docs/drain.md says", () => {
		const docs = readFileSync(new URL("../../docs/drain.md", import.meta.url), "utf8");
		assert.ok(docs.includes(differencesInMarkdown()), `docs/drain.md lacks this table:\n${differencesInMarkdown()}`);
	});
});

const populations = new Map([...chosenPopulations, ...seeded].map((each) => [each.name, each]));

async function judge(plane: ControlPlane, { settings, cordoned, nodes, user = "scheduler" }: Trial): Promise<Judged[]> {
	const kubectlUser = user === "narrow" ? user : "admin";
	const said = new SaidByKubectl(await kubectlDrain(plane, nodes, settings, { dryRun: true, timeoutSeconds: 60, user: kubectlUser }));
	const api = openAs(plane, user);
	const daemonSets = await api.listDaemonSets().then(known<readonly DaemonSetRef[]>, (error: unknown) => unknown(String(error)));
	const all: Judged[] = [];
	for (const name of nodes) {
		const facts = await api.podsOn(name, settings.podSelector);
		const traits = populations.get(name)?.pods ?? null;
		if (traits !== null) assert.equal(facts.length, traits.length, `pods of ${name}`);
		const among = facts.map((each) => `${each.namespace}/${each.name}`);
		for (const pod of facts) {
			const kubectl = said.outcomeOf(`${pod.namespace}/${pod.name}`, among);
			const verdict = verdictOf(pod, settings, cordoned, daemonSets);
			const difference = differenceOf(pod, kubectl, verdict);
			const what = JSON.stringify({ ...traits?.find((_each, i) => podName(i) === pod.name), ...settings, cordoned });
			all.push({ pod: `${pod.namespace}/${pod.name}`, kubectl, verdict: verdict.kind, difference, what });
		}
	}
	return all;
}

function verdictOf(pod: PodFacts, settings: DrainSettings, cordoned: Trial["cordoned"], daemonSets: Reading<readonly DaemonSetRef[]>) {
	const now = Date.now();
	const skip = settings.skipWaitForDeleteSeconds;
	const policy = defaultPolicy({
		unmanagedPods: settings.unmanagedPods,
		drainPodSelector: settings.podSelector,
		drainGracePeriodSeconds: settings.gracePeriodSeconds,
		drainSkipWaitForDeleteMs: skip === null ? null : skip * 1_000,
	});
	const cordonedAt = { "not yet": null, "before its pods came": 0, "after its pods came": now }[cordoned];
	return podVerdict(pod, { cordonedAt, now, policy, daemonSets });
}

async function narrowRights({ api }: ControlPlane): Promise<void> {
	const path = "/apis/rbac.authorization.k8s.io/v1";
	const rules = [
		{ apiGroups: [""], resources: ["nodes"], verbs: ["get", "patch"] },
		{ apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] },
		{ apiGroups: [""], resources: ["pods/eviction"], verbs: ["create"] },
	];
	await api.post(`${path}/clusterroles`, { metadata: { name: "narrow" }, rules });
	const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "narrow" };
	await api.post(`${path}/clusterrolebindings`, { metadata: { name: "narrow" }, roleRef, subjects: [{ kind: "User", name: "narrow" }] });
}

/** What of ours may be on a node. */
async function ours(plane: ControlPlane): Promise<void> {
	const scheduler = openAs(plane);
	const sentinel = await scheduler.sentinelDaemonSet();
	assert.ok(sentinel !== "absent");
	await node(plane, { name: ourNode });
	const { uid, image, imagePullPolicy, imagePullSecrets } = sentinel;
	const ownerReferences = [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "sentinel", uid, controller: true }];
	await pod(plane, { name: "sentinel-a", namespace, node: ourNode, labels: { app: "sentinel" }, ownerReferences });
	const ask = { node: ourNode, bootId: "0f0e0d0c-1111-4222-8333-000000000001", ask: 1, notBefore: Date.now(), notAfter: Date.now() + 60_000 };
	await scheduler.createRebootPod({ ...ask, image, imagePullPolicy, imagePullSecrets }, { dryRun: false });
}
