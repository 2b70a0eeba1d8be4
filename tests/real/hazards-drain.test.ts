// Pods that do not leave: whatever keeps them is named, costs nobody else anything, and is not run into again.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { AuditLine } from "./audit.ts";
import { assertNoLeaks, assertTidy, leaseRunsOut, markOf, nodeOf, podsOf, untilServes, waitsFor } from "./expectations.ts";
import { endOf, endsWith, reasonsOf, whyWaits } from "./journal-lines.ts";
import type { Pod } from "./objects.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { barePod, budget, deployment, namespaceNamed, statefulSet } from "./workloads.ts";

/** Long enough for all that has to happen during the drains, on a busy machine too. */
const settings = { DRAIN_TIMEOUT: "60s", MAX_CONCURRENT: "5; real/kept=1" };
const on = (node: string) => ({ "kubernetes.io/hostname": node });

describe("pods that do not leave", () => {
	let scenario: Scenario;
	let first: Scheduler;
	let successor: Pod | undefined;
	const bootIds = new Map<string, string>();

	before(async () => {
		scenario = await startScenario({
			nodes: [
				{ name: "kept", pool: "kept", needsReboot: waitsFor(60) },
				{ name: "twice", needsReboot: waitsFor(59) },
				{ name: "hung", needsReboot: waitsFor(58) },
				{ name: "ending", needsReboot: waitsFor(57) },
				{ name: "stateful", needsReboot: waitsFor(56), labels: { role: "db" } },
				{ name: "behind", pool: "kept", needsReboot: waitsFor(10) },
			],
			workloads: [
				deployment("web", 1, { nodeSelector: on("kept"), budget: { minAvailable: 1 } }),
				deployment("shop", 1, { nodeSelector: on("twice") }),
				budget("shop-a", { maxUnavailable: 1 }, "default", "shop"),
				budget("shop-b", { maxUnavailable: 1 }, "default", "shop"),
				barePod("stays", { node: "hung", stopMs: "never", graceSeconds: 1 }),
				namespaceNamed("leaving"),
				deployment("app", 1, { namespace: "leaving", nodeSelector: on("ending"), budget: { minAvailable: 1 } }),
				statefulSet("db", 1, { nodeSelector: { role: "db" }, budget: { minAvailable: 1 } }),
			],
		});
		const { fleet } = scenario;
		for (const app of ["web", "shop", "stays", "app", "db"]) await untilServes(scenario, app, 1);
		for (const name of fleet.names()) bootIds.set(name, fleet.node(name).bootId);
		// Only now: its pod is on the other one.
		await fleet.add({ name: "refuge", labels: { role: "db" } });
		first = scenario.scheduler(settings);
		// In turn: the controllers that make the successor stand still for the other.
		await successorComesUp();
		await namespaceIsDeleted();
		await first.ended();
	});

	after(async () => {
		await scenario?.stop();
	});

	/** Its controllers are stopped for a moment: between the deletion of a namespace and that of its pods an eviction is answered 403. */
	async function namespaceIsDeleted(): Promise<void> {
		await first.says("pod.blocked", { node: "ending" });
		const controllers = scenario.controlPlane.pids["kube-controller-manager"] ?? 0;
		process.kill(controllers, "SIGSTOP");
		try {
			await scenario.controlPlane.kubectl("delete", "namespace", "leaving", "--wait=false");
			const refused = () => blocked(first, "ending").includes("namespaceEnding");
			await scenario.fleet.until("an eviction is refused, since the namespace ends", refused);
		} finally {
			process.kill(controllers, "SIGCONT");
		}
	}

	/** Somebody deletes the pod that a budget keeps; its successor has the same name, and the same budget keeps it too. */
	async function successorComesUp(): Promise<void> {
		await first.says("pod.blocked", { node: "stateful" });
		await scenario.controlPlane.api.delete("/api/v1/namespaces/default/pods/db-0", { gracePeriodSeconds: 0 });
		await scenario.fleet.until("db-0 comes up elsewhere", () => podsOf(scenario, "db", "refuge").length === 1);
		successor = podsOf(scenario, "db", "refuge")[0];
	}

	it("give up their drains at the deadline, and the others go on", async () => {
		await endsWith(first, 0, /^settled rebooted=3 gave-up=3 stuck=0 waiting=3 held=0 /);
		assert.deepEqual([...new Set(scenario.fleet.reboots().map((each) => each.node))].sort(), ["behind", "ending", "stateful"]);
		for (const name of ["kept", "twice", "hung"]) assert.equal((await nodeOf(scenario, name)).status.nodeInfo.bootID, bootIds.get(name), name);
		await assertTidy(scenario);
		const admitted = first.told("reboot.admitted", { node: "behind" })[0]?.at ?? "";
		assert.ok(admitted > (first.told("reboot.ended", { node: "kept" })[0]?.at ?? "none"), "the one behind waited for the room");
	});

	it("keep what a budget protects", () => {
		for (const [app, node] of [
			["web", "kept"],
			["shop", "twice"],
		] as const) {
			const [pod] = podsOf(scenario, app, node);
			assert.equal(pod?.metadata.deletionTimestamp, undefined, `${app} was touched`);
			assert.ok(pod !== undefined && scenario.fleet.node(node).serves(pod.metadata.uid), `${app} serves`);
		}
	});

	it("are named, with the budget that keeps them", () => {
		assert.match(endOf(first, "kept").message, /pod default\/web-\S+ is kept by budget web: .*needs 1 healthy pods and has 1 currently/);
		assert.match(endOf(first, "twice").message, /pod default\/shop-\S+ can never be evicted: more than one budget covers it \(shop-a, shop-b\)/);
		assert.match(endOf(first, "hung").message, /pod default\/stays is still terminating/);
		for (const node of ["kept", "twice", "hung"]) assert.equal(endOf(first, node).end, "gaveUp");
	});

	it("are waited for where their namespace is being deleted", () => {
		assert.ok(blocked(first, "ending").includes("budget") && blocked(first, "ending").includes("namespaceEnding"), blocked(first, "ending").join());
		assert.equal(endOf(first, "ending").end, "done");
	});

	it("have a successor of the same name elsewhere, which is never evicted", () => {
		assert.equal(endOf(first, "stateful").end, "done");
		assert.ok(successor !== undefined);
		const { uid, deletionTimestamp, creationTimestamp } = podsOf(scenario, "db", "refuge")[0]?.metadata ?? {};
		assert.equal(uid, successor.metadata.uid);
		assert.equal(deletionTimestamp, undefined);
		// One that was on its way when the pod was deleted is all that there may be.
		const later = evictions("db-0", Date.parse(String(creationTimestamp)) + 2_000);
		assert.deepEqual(later, [], "evictions of the successor");
	});

	it("keep their nodes from beginning again for a while", async () => {
		const since = Date.now();
		await leaseRunsOut(scenario);
		const second = scenario.scheduler(settings);
		await endsWith(second, 0, /^settled rebooted=0 gave-up=0 stuck=0 waiting=3 held=0 /);
		for (const node of ["kept", "twice", "hung"]) assert.deepEqual(reasonsOf(second, node), ["backingOff"], node);
		assert.match(whyWaits(second, "kept"), /backs off until .*is kept by budget web/);
		assert.deepEqual(scenario.controlPlane.requests({ user: "scheduler", acts: true, since }), []);
	});

	// A first back-off takes 22 and a half minutes at most.
	it("keep them from beginning after that time too, by dry run, as long as a budget would still be in the way", async () => {
		// The table's clock is moved, the API server's is not: the policy would find the reboot pod's interval too far ahead.
		await scenario.controlPlane.kubectl("delete", "validatingadmissionpolicybinding", "aks-reboot-scheduler-reboot-pods");
		await leaseRunsOut(scenario, 23 * 60_000);
		// The one that hung has ended at last.
		await scenario.controlPlane.api.delete("/api/v1/namespaces/default/pods/stays", { gracePeriodSeconds: 0 });
		await scenario.fleet.until("it is gone", () => podsOf(scenario, "stays", "hung").length === 0);
		const since = Date.now();
		const third = scenario.scheduler(settings);
		await endsWith(third, 0, /^settled rebooted=1 gave-up=0 stuck=0 waiting=2 held=0 /);
		assert.equal(endOf(third, "hung").end, "done");
		for (const node of ["kept", "twice"]) {
			assert.deepEqual(reasonsOf(third, node), ["stillBlocked"]);
			assert.equal(markOf(await nodeOf(scenario, node)), undefined);
			assert.equal(scenario.fleet.marked.moments.filter((each) => each.at >= since && each.nodes.includes(node)).length, 0, `${node} was marked`);
		}
		assert.match(whyWaits(third, "kept"), /web-\S+ is kept by budget web/);
		assert.match(whyWaits(third, "twice"), /shop-a, shop-b/);
		const tried = evictions(podsOf(scenario, "web", "kept")[0]?.metadata.name ?? "", since);
		assert.ok(tried.length > 0 && tried.every((each) => each.requestURI.includes("dryRun=All")), "only dry runs");
	});

	it("let them begin once dry runs are allowed", async () => {
		const { controlPlane } = scenario;
		// Both: the disruption controller did not count for the second budget of a pod, and would not begin to.
		await controlPlane.kubectl("delete", "poddisruptionbudget", "web", "shop-a", "shop-b");
		await leaseRunsOut(scenario);
		const fourth = scenario.scheduler(settings);
		await endsWith(fourth, 0, /^settled rebooted=2 gave-up=0 stuck=0 waiting=0 held=0 /);
		for (const node of ["kept", "twice"]) assert.equal(endOf(fourth, node).end, "done");
		const reboots = scenario.fleet.reboots();
		assert.ok(reboots.every((each) => each.cause === "pod"));
		assert.deepEqual(reboots.map((each) => each.node).sort(), ["behind", "ending", "hung", "kept", "stateful", "twice"]);
		await assertTidy(scenario);
	});

	it("print and store no secret", async () => {
		await assertNoLeaks(scenario);
	});

	/** Requests to evict pods of a name that were answered since an instant. */
	function evictions(pod: string, since: number): AuditLine[] {
		const all = scenario.controlPlane.requests({ user: "scheduler", verb: "create", resource: "pods", subresource: "eviction", since });
		return all.filter((line) => line.objectRef?.name === pod);
	}
});

/** In which ways pods of a node were kept, as it was told. */
function blocked(scheduler: Scheduler, node: string): string[] {
	return scheduler.told("pod.blocked", { node }).map((line) => (line.obstacle as { kind: string }).kind);
}
