// Twin nodes with the same pods: one drained by kubectl, one by the scheduler with the settings that mean the same. Simulated kubelets end
// the pods. (The garbage collector rests: it would delete what belongs to controllers that were never there.)
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { makeMany } from "../contract/kubernetes-fixtures.ts";
import "../property-seed.ts";
import { waitsFor } from "./expectations.ts";
import { endsWith } from "./journal-lines.ts";
import type { DifferenceName, KubectlOutcome } from "./kubectl-drain-differences.ts";
import { createDaemonSet, daemonSetElsewhere, podManifest, podName, type Traits, traits } from "./kubectl-drain-populations.ts";
import { type DrainSettings, drainDefaults, type KubectlDrain, kubectlDrain, SaidByKubectl } from "./kubectl-drain-run.ts";
import { podAnnotations, quickReboot } from "./kubelet-settings.ts";
import type { Pod } from "./objects.ts";
import { type Scenario, startScenario } from "./scenario.ts";

/** leaves: deleted by somebody, and takes some seconds to end. hangs: the same, and does not end. */
const lives = ["runs", "runs", "runs", "waits", "succeeds", "fails", "leaves"] as const;

interface TwinPod {
	readonly traits: Traits;
	readonly life: (typeof lives)[number] | "hangs";
	readonly graceSeconds: number;
}

/** Twins that are drained under the same settings; a pool of the cluster. */
interface Group {
	readonly name: string;
	readonly settings: DrainSettings;
	readonly populations: readonly (readonly TwinPod[])[];
}

const pod = fc.record({ traits, life: fc.constantFrom(...lives), graceSeconds: fc.integer({ min: 1, max: 60 }) });
const twinsPerGroup = 5;
const samples: readonly (readonly TwinPod[])[] = fc.sample(fc.array(pod, { minLength: 1, maxLength: 6 }), 4 * twinsPerGroup);
const populations = (turn: number): typeof samples => samples.slice(turn * twinsPerGroup, (turn + 1) * twinsPerGroup);
/** One of each node hangs in its end: without the setting it would keep both drains for ever. */
const withOneThatHangs = (population: readonly TwinPod[]): readonly TwinPod[] =>
	population.map((each, i) => (i === 0 ? { ...each, life: "hangs" as const } : each));

const groups: readonly Group[] = [
	{ name: "plain", settings: drainDefaults, populations: populations(0) },
	{ name: "block", settings: { ...drainDefaults, unmanagedPods: "block" }, populations: populations(1) },
	{ name: "selected", settings: { ...drainDefaults, podSelector: "tier!=db", gracePeriodSeconds: 7 }, populations: populations(2) },
	{ name: "skips", settings: { ...drainDefaults, skipWaitForDeleteSeconds: 1 }, populations: populations(3).map(withOneThatHangs) },
];

type Side = "ours" | "kubectl";
/** Of a node and of the namespace of its pods. */
const twinName = (group: Group, index: number, side: Side): string => `${group.name}-${index}-${side}`;

/** What became of one pod. */
interface Fate {
	readonly evicted: boolean;
	/** Null: it was not deleted. */
	readonly graceSeconds: number | null;
	readonly gone: boolean;
}

describe("twin nodes, one drained by kubectl and one by us", () => {
	let scenario: Scenario;
	const drains = new Map<string, KubectlDrain>();
	/** By namespace and name: the grace with which a pod was first deleted, as the API server tells it. */
	const deletions = new Map<string, number>();
	const watching = new AbortController();

	before(async () => {
		const twins = groups.flatMap((group) => group.populations.map((population, index) => ({ group, population, index })));
		scenario = await startScenario({
			nodes: twins.flatMap(({ group, index }, i) => [
				{ name: twinName(group, index, "ours"), pool: group.name, needsReboot: waitsFor(60 + i) },
				{ name: twinName(group, index, "kubectl"), pool: group.name },
			]),
			defaults: quickReboot,
			controlPlane: { controllerFlags: ["--controllers=-garbage-collector-controller"] },
		});
		await createDaemonSet(scenario.controlPlane, "default", daemonSetElsewhere);
		const sides = twins.flatMap((twin) => [
			{ ...twin, side: "ours" as const },
			{ ...twin, side: "kubectl" as const },
		]);
		await makeMany(sides.length, (i) => populate(sides[i] ?? assert.fail()));
		await scenario.fleet.until("every pod is where its life takes it", () => sides.every(settledIn));
		watchDeletions();
		await makeMany(sides.length, (i) => deleteSome(sides[i] ?? assert.fail()));
		await Promise.all([kubectlDrains(), weDrain()]);
	});

	after(async () => {
		watching.abort();
		await scenario?.stop();
	});

	interface TwinSide {
		readonly group: Group;
		readonly population: readonly TwinPod[];
		readonly index: number;
		readonly side: Side;
	}

	async function populate({ group, population, index, side }: TwinSide): Promise<void> {
		const { controlPlane } = scenario;
		const name = twinName(group, index, side);
		await controlPlane.api.post("/api/v1/namespaces", { metadata: { name } });
		await createDaemonSet(controlPlane, name, "agent");
		for (const [i, pod] of population.entries()) await controlPlane.api.post(`/api/v1/namespaces/${name}/pods`, manifestOf(pod, name, podName(i)));
	}

	function settledIn({ group, population, index, side }: TwinSide): boolean {
		const phase = { runs: "Running", leaves: "Running", hangs: "Running", waits: "Pending", succeeds: "Succeeded", fails: "Failed" } as const;
		const there = podsIn(twinName(group, index, side));
		return population.every(({ life }, i) => there.find((pod) => pod.metadata.name === podName(i))?.status.phase === phase[life]);
	}

	function podsIn(namespace: string): Pod[] {
		return scenario.fleet.pods().filter((pod) => pod.metadata.namespace === namespace);
	}

	function watchDeletions(): void {
		const note = ({ metadata }: Pod): void => {
			const name = `${metadata.namespace}/${metadata.name}`;
			if (metadata.deletionTimestamp !== undefined && !deletions.has(name)) deletions.set(name, metadata.deletionGracePeriodSeconds ?? 0);
		};
		scenario.controlPlane.api.watch<Pod>("/api/v1/pods?watch=1", ({ object }) => note(object), watching.signal).catch(() => {});
	}

	/** By somebody, before the drains. */
	async function deleteSome({ group, population, index, side }: TwinSide): Promise<void> {
		const path = `/api/v1/namespaces/${twinName(group, index, side)}/pods`;
		for (const [i, { life }] of population.entries()) {
			if (life === "leaves" || life === "hangs")
				await scenario.controlPlane.api.delete(`${path}/${podName(i)}`, { gracePeriodSeconds: life === "hangs" ? 1 : 30 });
		}
	}

	/** Three side by side. */
	async function kubectlDrains(): Promise<void> {
		const left = groups.flatMap((group) => group.populations.map((_each, index) => ({ node: twinName(group, index, "kubectl"), settings: group.settings })));
		const worker = async (): Promise<void> => {
			for (let next = left.shift(); next !== undefined; next = left.shift()) {
				drains.set(next.node, await kubectlDrain(scenario.controlPlane, [next.node], next.settings, { dryRun: false, timeoutSeconds: 120 }));
			}
		};
		await Promise.all([worker(), worker(), worker()]);
	}

	/** A run for each group: which pods leave is the same in a whole cluster. */
	async function weDrain(): Promise<void> {
		for (const group of groups) {
			const scheduler = scenario.scheduler(environmentOf(group));
			await endsWith(scheduler, 0, group.settings.unmanagedPods === "block" ? undefined : new RegExp(`^settled rebooted=${twinsPerGroup} `));
			await scenario.expireLease();
		}
	}

	/** Pods by namespace and name. The whole audit log is read for it. */
	function evictedBy(user: string): ReadonlySet<string> {
		const evictions = scenario.controlPlane.requests({ user, verb: "create", resource: "pods", subresource: "eviction" });
		return new Set(evictions.flatMap(({ objectRef, responseStatus }) => (responseStatus?.code === 201 ? [`${objectRef?.namespace}/${objectRef?.name}`] : [])));
	}

	function fateOf(evicted: ReadonlySet<string>, namespace: string, name: string): Fate {
		return {
			evicted: evicted.has(`${namespace}/${name}`),
			graceSeconds: deletions.get(`${namespace}/${name}`) ?? null,
			gone: !podsIn(namespace).some((pod) => pod.metadata.name === name),
		};
	}

	/** What became of each pod of both, and which row says why it was not the same. */
	function judged(): readonly JudgedTwins[] {
		const [byKubectl, byUs] = [evictedBy("admin"), evictedBy("scheduler")];
		return groups.flatMap((group) =>
			group.populations.map((population, index) => {
				const [theirNode, ourNode] = [twinName(group, index, "kubectl"), twinName(group, index, "ours")];
				const drain = drains.get(theirNode) ?? assert.fail(`${theirNode} was not drained`);
				const said = new SaidByKubectl(drain);
				const among = population.map((_each, i) => `${theirNode}/${podName(i)}`);
				const pods = population.map((pod, i) => {
					const outcome = said.outcomeOf(`${theirNode}/${podName(i)}`, among);
					const kubectl = fateOf(byKubectl, theirNode, podName(i));
					const ours = fateOf(byUs, ourNode, podName(i));
					const what = { pod: `${ourNode}/${podName(i)}`, ...pod.traits, life: pod.life, outcome, kubectl, ours };
					return { outcome, row: rowOf(pod, outcome, kubectl, ours), what };
				});
				return { ourNode, drain, pods };
			}),
		);
	}

	it("lose the same pods, by eviction and with the same grace, but where a row says why not", (context) => {
		const pods = judged().flatMap((each) => each.pods);
		assert.deepEqual(
			pods.filter(({ row }) => row === undefined).map(({ what }) => what),
			[],
		);
		const seen = Map.groupBy(pods, ({ row }) => row ?? "none");
		context.diagnostic([...seen].map(([name, { length }]) => `${name} ${length}`).join(", "));
	});

	it("are rebooted where kubectl calls the twin drained, or a row says why it refuses every pod that it does, and there alone", () => {
		for (const { ourNode, drain, pods } of judged()) {
			const refused = pods.filter(({ outcome }) => outcome === "refuses");
			const expected = drain.exitCode === 0 || (refused.length > 0 && refused.every(({ row }) => row !== null));
			const rebooted = scenario.fleet.reboots().some((each) => each.node === ourNode);
			assert.equal(rebooted, expected, `${ourNode} is rebooted where kubectl drains its twin: ${drain.stderr}`);
		}
	});
});

interface JudgedTwins {
	readonly ourNode: string;
	readonly drain: KubectlDrain;
	/** `row`: null where the same became of both; `undefined` where no row says why not. */
	readonly pods: readonly { readonly outcome: KubectlOutcome; readonly row: DifferenceName | null | undefined; readonly what: object }[];
}

function manifestOf({ traits, life, graceSeconds }: TwinPod, node: string, name: string): object {
	const { metadata, spec } = podManifest({ namespace: node, node, name }, { ...traits, ends: "no" }, "00000000-0000-4000-8000-000000000001");
	const behaviour = {
		runs: {},
		waits: { [podAnnotations.startMs]: "3600000" },
		succeeds: { [podAnnotations.exitMs]: "10" },
		fails: { [podAnnotations.exitMs]: "10", [podAnnotations.exitCode]: "1" },
		leaves: { [podAnnotations.stopMs]: "4000" },
		hangs: { [podAnnotations.stopMs]: "never" },
	}[life];
	return {
		metadata: { ...metadata, annotations: { ...metadata.annotations, ...behaviour } },
		spec: { ...spec, terminationGracePeriodSeconds: graceSeconds, ...(life === "succeeds" || life === "fails" ? { restartPolicy: "Never" } : {}) },
	};
}

function environmentOf({ name, settings }: Group): Record<string, string> {
	const { podSelector, gracePeriodSeconds, skipWaitForDeleteSeconds } = settings;
	return {
		MAINTENANCE_WINDOWS: `real/${name}=always`,
		MAX_CONCURRENT: String(twinsPerGroup),
		UNMANAGED_PODS: settings.unmanagedPods,
		// Nodes with a pod that blocks wait for the end of it; the others need some seconds, on a busy machine many.
		DRAIN_TIMEOUT: settings.unmanagedPods === "block" ? "60s" : "240s",
		...(podSelector === null ? {} : { DRAIN_POD_SELECTOR: podSelector }),
		...(gracePeriodSeconds === null ? {} : { DRAIN_GRACE_PERIOD: String(gracePeriodSeconds) }),
		...(skipWaitForDeleteSeconds === null ? {} : { DRAIN_SKIP_WAIT_FOR_DELETE: `${skipWaitForDeleteSeconds}s` }),
	};
}

/** Null: the same became of both. `undefined`: no row says why not. */
function rowOf({ life, traits }: TwinPod, outcome: KubectlOutcome, kubectl: Fate, ours: Fate): DifferenceName | null | undefined {
	const leaving = life === "leaves" || life === "hangs";
	// What hangs in its end is gone once its node was rebooted.
	const same = kubectl.graceSeconds === ours.graceSeconds && (kubectl.gone === ours.gone || life === "hangs");
	if (outcome === "refuses") {
		if (ours.evicted) return undefined;
		// kubectl judges before it waits, and looks for the DaemonSet before it looks for the mirror.
		if (traits.mirror) return "mirrorOfAGoneDaemonSet";
		if (leaving) return "leavingAlready";
		return same ? null : undefined;
	}
	if (same && kubectl.evicted === ours.evicted) return null;
	if (outcome === "notReached") return kubectl.evicted ? undefined : "oneRefused";
	return leaving && same && kubectl.evicted && !ours.evicted ? "evictedOnce" : undefined;
}
