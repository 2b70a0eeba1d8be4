// Twin nodes whose evictions are refused: kubectl drains one, the scheduler the other, and what both do with the pod is what docs/drain.md says.
// Budgets count what these tests write: their controller rests, and that of namespaces, so that what is refused stays refused until a test
// changes it. Beside them a namespace that is spared (infra/cluster/components/spare-namespaces), which concerns the scheduler alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Obstacle } from "../../lib/plan/model.ts";
import { ApiError } from "./api-client.ts";
import { type AuditLine, matches } from "./audit.ts";
import { assertNoLeaks, markOf, nodeOf, rebootPodsLeft, waitsFor } from "./expectations.ts";
import { endOf, endsWith } from "./journal-lines.ts";
import { type Refusal, type RefusalName, refusals, refusalsInMarkdown, type Side } from "./kubectl-drain-refusals.ts";
import { drainDefaults, type KubectlDrain, kubectlDrain } from "./kubectl-drain-run.ts";
import { quickReboot } from "./kubelet-settings.ts";
import type { Pod } from "./objects.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { apply, barePod, budget, type Manifest } from "./workloads.ts";

const sides: readonly Side[] = ["ours", "kubectl"];
const drainedBy: Readonly<Record<Side, string>> = { ours: "scheduler", kubectl: "admin" };

const names = Object.keys(refusals) as RefusalName[];
const refusalOf = (name: RefusalName): Refusal => refusals[name];
/** Of a node and of the namespace of its pod. */
const twinName = (name: RefusalName, side: Side): string => `${name}-${side}`;
const twins = names.flatMap((name) => sides.map((side) => ({ name, side, twin: twinName(name, side), ...refusalOf(name) })));
type Twin = (typeof twins)[number];

/** Pools are of those whose drain goes on until somebody mends it, and of those that nobody mends. */
const poolOf = ({ mend, weEnd }: Refusal): string => (mend === null && weEnd.end === "gaveUp" ? "kept" : "mended");
const settings = {
	MAX_CONCURRENT: "30",
	DRAIN_TIMEOUT: "240s; real/kept=12s; real/spared=8s; real/spared-delete=8s",
	DRAIN_TIMEOUT_ACTION: "real/spared-delete=delete",
};
const spared = ["spared", "spared-delete"] as const;

const pods = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`;
const budgets = (namespace: string): string => `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`;
const policies = "/apis/admissionregistration.k8s.io/v1";
const refusing = { "tests/refuses": "evictions" };

describe("evictions that are refused", () => {
	let scenario: Scenario;
	let scheduler: Scheduler;
	const drains = new Map<RefusalName, KubectlDrain>();
	const bootIds = new Map<string, string>();
	let log: readonly AuditLine[] = [];

	before(async () => {
		scenario = await startScenario({
			nodes: [
				...twins.map((each, i) => ({ name: each.twin, pool: poolOf(each), ...(each.side === "ours" ? { needsReboot: waitsFor(60 + i) } : {}) })),
				...spared.map((name) => ({ name, pool: name, needsReboot: waitsFor(30) })),
				{ name: "elsewhere" },
			],
			defaults: quickReboot,
			components: ["delete-pods", "spare-namespaces"],
			controlPlane: { controllerFlags: ["--controllers=-disruption-controller,-namespace-controller"] },
		});
		await apply(scenario.controlPlane.api, ...spared.map((node) => barePod(`of-${node}`, { namespace: "kube-system", node })));
		await Promise.all([refuseEvictions(), ...twins.map(populate)]);
		await scenario.fleet.until("every pod runs", () => twins.every(({ twin, pod }) => serves(twin, "app") === pod.ready && serves("default", twin)));
		for (const node of scenario.fleet.names()) bootIds.set(node, scenario.fleet.node(node).bootId);
		await Promise.all([refusesEvictionsOf("policy-ours"), ...sides.map((side) => scenario.controlPlane.api.delete(`/api/v1/namespaces/ending-${side}`))]);
		scheduler = scenario.scheduler(settings);
		await Promise.all([scheduler.ended(), ...names.map(kubectlDrains), mendWhatWasRefused()]);
		log = scenario.controlPlane.auditLog();
	});

	after(async () => {
		await scenario?.stop();
	});

	/** The pod, and one more that nothing keeps from leaving. */
	async function populate({ twin, pod, budgets: situations }: Twin): Promise<void> {
		const { api } = scenario.controlPlane;
		const labels = twin.startsWith("policy") ? refusing : {};
		await api.post("/api/v1/namespaces", { metadata: { name: twin, labels } });
		for (const { name, alwaysAllow, observed, ...status } of situations) {
			const manifest = budget(name, { minAvailable: 1 }, twin, "app");
			const policy = alwaysAllow ? { unhealthyPodEvictionPolicy: "AlwaysAllow" } : {};
			await api.post(budgets(twin), { ...manifest, spec: { ...(manifest.spec as object), ...policy } });
			if (observed) await api.patch(`${budgets(twin)}/${name}/status`, { status: { observedGeneration: 1, expectedPods: 1, ...status } });
		}
		await apply(api, appOn(twin, twin, pod.ready), barePod(twin, { node: twin }));
	}

	/** It takes its time to end, so that kubectl finds it terminating. */
	function appOn(namespace: string, node: string, ready = true): Manifest {
		return barePod("app", { namespace, node, stopMs: namespace.startsWith("ending") ? 9_000 : 0, ...(ready ? {} : { readyMs: "never" }) });
	}

	function serves(namespace: string, name: string): boolean {
		const found = podOf(namespace, name);
		return found?.status.phase === "Running" && scenario.fleet.node(found.spec.nodeName ?? "").serves(found.metadata.uid);
	}

	function podOf(namespace: string, name: string): Pod | undefined {
		return scenario.fleet.pods().find(({ metadata }) => metadata.namespace === namespace && metadata.name === name);
	}

	async function refuseEvictions(): Promise<void> {
		const { api } = scenario.controlPlane;
		const resourceRules = [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods/eviction"] }];
		const validations = [{ expression: "false", message: "not while the tests say so", reason: "Forbidden" }];
		const spec = { failurePolicy: "Fail", matchConstraints: { namespaceSelector: { matchLabels: refusing }, resourceRules }, validations };
		await api.post(`${policies}/validatingadmissionpolicies`, { metadata: { name: "tests" }, spec });
		const binding = { policyName: "tests", validationActions: ["Deny"] };
		await api.post(`${policies}/validatingadmissionpolicybindings`, { metadata: { name: "tests" }, spec: binding });
	}

	/** A policy holds a moment after it was made. */
	async function refusesEvictionsOf(namespace: string): Promise<void> {
		const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "app" } };
		const tryIt = () => scenario.controlPlane.api.post(`${pods(namespace)}/app/eviction?dryRun=All`, eviction);
		for (;;) {
			const answer = await tryIt().catch((error: unknown) => error);
			if (answer instanceof ApiError && answer.message.includes("not while the tests say so")) return;
			await delay(50);
		}
	}

	async function kubectlDrains(name: RefusalName): Promise<void> {
		const options = { dryRun: false, timeoutSeconds: refusalOf(name).kubectlTimeoutSeconds ?? 240 };
		drains.set(name, await kubectlDrain(scenario.controlPlane, [twinName(name, "kubectl")], drainDefaults, options));
	}

	/**
	 * Each just after a refusal, so that neither side tries again before it is done, and of ours once it was told: a pod that is replaced
	 * between the refusal and our question whether it is still that pod kept nothing.
	 */
	async function mendWhatWasRefused(): Promise<void> {
		const left = new Set(twins.filter(({ mend }) => mend !== null));
		for (const endsAt = Date.now() + 180_000; left.size > 0; await delay(250)) {
			assert.ok(Date.now() < endsAt, `refused never, or long ago: ${[...left].map(({ twin }) => twin)}`);
			// Where kubectl has given up there is nobody to mend it for.
			for (const each of left) if (each.side === "kubectl" && drains.has(each.name)) left.delete(each);
			const log = scenario.controlPlane.auditLog();
			const refused = [...left].filter(({ twin, side }) => {
				const last = evictionsIn(log, twin, side).at(-1);
				const told = side === "kubectl" || blocked(twin).length > 0;
				return told && last !== undefined && Date.parse(last.stageTimestamp) > Date.now() - 2_000;
			});
			for (const each of refused) left.delete(each);
			await Promise.all(refused.map(({ twin, mend }) => mend !== null && change(twin, mend)));
		}
	}

	async function change(twin: string, mend: NonNullable<Refusal["mend"]>): Promise<void> {
		const { api } = scenario.controlPlane;
		const roomy = { status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 } };
		switch (mend) {
			case "makesRoom":
				await api.patch(`${budgets(twin)}/web/status`, roomy);
				return;
			case "removesOneBudget":
				await api.delete(`${budgets(twin)}/zone`);
				return;
			case "allowsEvictions":
				await api.patch(`/api/v1/namespaces/${twin}`, { metadata: { labels: { "tests/refuses": null } } });
				return;
			case "deletesPod":
				await api.delete(`${pods(twin)}/app`, twin.startsWith("ending") ? {} : { gracePeriodSeconds: 0 });
				return;
			case "replacesPod":
				await api.delete(`${pods(twin)}/app`, { gracePeriodSeconds: 0 });
				await apply(api, appOn(twin, "elsewhere"));
				await api.patch(`${budgets(twin)}/web/status`, roomy);
				return;
			default:
				return mend satisfies never;
		}
	}

	function evictions(namespace: string, side: Side, name = "app"): AuditLine[] {
		return evictionsIn(log, namespace, side, name);
	}

	function blocked(node: string): readonly Obstacle[] {
		return scheduler.told("pod.blocked", { node }).map((line) => line.obstacle as Obstacle);
	}

	for (const name of names) {
		const { situation, statuses, kubectlEnds, weEnd } = refusalOf(name);
		describe(situation, () => {
			it("is answered alike to both", () => {
				for (const side of sides) {
					const answered = evictions(twinName(name, side), side).map(codeOf);
					const others = answered.filter((each, i) => each !== answered[i - 1]);
					// One more of ours may have been on its way.
					assert.deepEqual(others.slice(0, side === "ours" ? statuses.ours.length : undefined), statuses[side], `${side}: ${answered}`);
				}
			});

			it("is what kubectl says of it", () => {
				const { exitCode, stderr } = drains.get(name) ?? assert.fail();
				const said = stderr.replace(/^Warning: .*\n/gm, "");
				assert.equal(exitCode, kubectlEnds.exitCode, said);
				assert.match(said, kubectlEnds.says);
			});

			it("is what we say of it", () => {
				const node = twinName(name, "ours");
				const { end, message } = endOf(scheduler, node);
				assert.equal(end, weEnd.end, message);
				assert.match(message, weEnd.says);
				assert.deepEqual([...new Set(blocked(node).map(({ kind }) => kind))], weEnd.obstacle === null ? [] : [weEnd.obstacle]);
			});
		});
	}

	it("keep no other pod of the node", () => {
		for (const { twin, side } of twins) {
			assert.deepEqual(evictions("default", side, twin).map(codeOf), [201], twin);
		}
	});

	it("are tried again no sooner than 5 s later, or than the server says, by both", () => {
		for (const { twin, side, name } of twins) {
			// The service's clock, by which ours is reckoned, tells whole seconds.
			const inexactMs = side === "ours" ? 1_000 : 100;
			const least = (name === "not-counted" ? 10_000 : 5_000) - inexactMs;
			const at = evictions(twin, side).map((each) => Date.parse(each.requestReceivedTimestamp));
			const gaps = at.slice(1).map((each, i) => each - (at[i] ?? 0));
			assert.ok(
				gaps.every((gap) => gap >= least),
				`${twin}: ${gaps}`,
			);
		}
	});

	it("leave the node as it was where we give up, and rebooted else; kubectl's stays cordoned", async () => {
		for (const { twin, side, weEnd } of twins) {
			const node = await nodeOf(scenario, twin);
			assert.equal(node.spec.unschedulable === true, side === "kubectl", `${twin} is cordoned`);
			assert.equal(node.status.nodeInfo.bootID !== bootIds.get(twin), side === "ours" && weEnd.end === "done", `${twin} was rebooted`);
			if (weEnd.end === "gaveUp") assert.equal(podOf(twin, "app")?.metadata.deletionTimestamp, undefined, `${twin}/app was touched`);
		}
	});

	it("of a successor on another node are kubectl's alone", () => {
		assert.ok(!evictions("successor-ours", "ours").map(codeOf).includes(201));
		const left = sides.map((side) => podOf(twinName("successor", side), "app")?.spec.nodeName);
		assert.deepEqual(left, ["elsewhere", undefined]);
	});

	it("are what docs/drain.md says", () => {
		const docs = readFileSync(new URL("../../docs/drain.md", import.meta.url), "utf8");
		assert.ok(docs.includes(refusalsInMarkdown()), `docs/drain.md lacks this table:\n${refusalsInMarkdown()}`);
	});

	describe("since a namespace is spared", () => {
		const says =
			/pod kube-system\/of-spared\S*: (evicting|deleting) pod .* 403 .*namespace kube-system is spared: the scheduler evicts and deletes nothing in it/;

		it("give the node up at DRAIN_TIMEOUT, with the policy's message as the reason", () => {
			const { end, message } = endOf(scheduler, "spared");
			assert.equal(end, "gaveUp");
			assert.match(message, says);
			assert.deepEqual([...new Set(blocked("spared").map(({ kind }) => kind))], ["refused"]);
		});

		it("are followed by deletions that are refused too, with DRAIN_TIMEOUT_ACTION=delete, and that is said", () => {
			const { end, message } = endOf(scheduler, "spared-delete");
			assert.equal(end, "gaveUp");
			assert.match(message, says);
			assert.match(message, /deleting pod kube-system\/of-spared-delete/);
			assert.equal(scheduler.told("reboot.harsher", { node: "spared-delete" }).length, 1);
			const deletions = log.filter((each) => matches(each, { user: "scheduler", verb: "delete", namespace: "kube-system" }));
			assert.ok(deletions.length > 0 && deletions.every((each) => codeOf(each) === 403));
		});

		it("are told in kubectl describe node, and in the summary that the page is made of", async () => {
			const why = "namespace kube-system is spared: the scheduler evicts and deletes nothing in it";
			const summary = (await scenario.rows()).get("reboots/fleet/real") ?? "";
			for (const name of spared) {
				const described = await scenario.controlPlane.kubectl("describe", "node", name);
				assert.match(described, new RegExp(`GaveUp .*of-${name}\\b.*${why}`));
				assert.match(summary, new RegExp(`of-${name}\\b[^{}]*${why}`));
			}
		});

		it("leave node and pod in service", async () => {
			for (const name of spared) {
				const node = await nodeOf(scenario, name);
				assert.deepEqual([node.spec.unschedulable, markOf(node), node.status.nodeInfo.bootID], [undefined, undefined, bootIds.get(name)], name);
				assert.ok(serves("kube-system", `of-${name}`));
			}
		});
	});

	it("let the scheduler end well: nothing of ours is left, and no secret is told", async () => {
		await endsWith(scheduler, 0, /^settled rebooted=9 gave-up=4 stuck=0 /);
		assert.deepEqual(await rebootPodsLeft(scenario), []);
		await assertNoLeaks(scenario);
	});
});

/** In the order in which they were answered. */
function evictionsIn(log: readonly AuditLine[], namespace: string, side: Side, name = "app"): AuditLine[] {
	const filter = { user: drainedBy[side], verb: "create", resource: "pods", subresource: "eviction", namespace, name };
	return log.filter((each) => matches(each, filter) && !each.requestURI.includes("dryRun"));
}

function codeOf({ responseStatus }: AuditLine): number | undefined {
	return responseStatus?.code;
}
