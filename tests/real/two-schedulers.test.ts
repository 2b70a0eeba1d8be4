// Two schedulers at once: on one table they take turns, with tables of their own only the owner works.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { leaseMs } from "../../lib/tick/lease.ts";
import { until as comesAbout } from "../waiting.ts";
import { assertNoLeaks, assertTidy, markOf, nodeOf, situation, waitsFor } from "./expectations.ts";
import { recordsIn, tableOf } from "./ledger-rows.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { barePod, type Manifest } from "./workloads.ts";

const shared = ["shared-1", "shared-2", "shared-3"];
const taken = ["taken-1", "taken-2"];
const unowned = "unowned-1";
const first = "scheduler";
const second = "scheduler-2";

let scenario: Scenario;

before(async () => {
	scenario = await startScenario({
		nodes: [...shared.map((name, i) => ({ name, needsReboot: waitsFor(100 - i) })), ...[...taken, unowned].map((name) => ({ name }))],
		workloads: [sticky("taken-1"), sticky(unowned), ...many("shared-1"), ...many("shared-2")],
		controlPlane: { users: [{ name: second }] },
	});
	await bindLikeTheFirst();
	await scenario.fleet.until("every pod runs", () => scenario.fleet.pods().filter((pod) => pod.status?.phase === "Running").length >= 88);
});

after(async () => {
	await scenario?.stop();
});

/** Stays Terminating until it is let go. */
function sticky(node: string): Manifest {
	return barePod(`sticky-${node}`, { node, stopMs: "never" });
}

/** So many that evicting them takes a while: a scheduler that is stopped now is stopped in the middle of its acts. */
function many(node: string): Manifest[] {
	return Array.from({ length: 40 }, (_, i) => barePod(`many-${i}-${node}`, { node, startMs: 1, readyMs: 1, stopMs: 300 }));
}

function leavingOf(node: string): number {
	return scenario.fleet.pods().filter((pod) => pod.metadata.name.endsWith(node) && pod.metadata.deletionTimestamp !== undefined).length;
}

async function letGo(node: string): Promise<void> {
	await scenario.controlPlane.kubectl("annotate", "pod", `sticky-${node}`, "simulated-kubelet/stop-ms=0", "--overwrite");
}

function leaving(node: string): boolean {
	return scenario.fleet.pods().some((pod) => pod.metadata.name === `sticky-${node}` && pod.metadata.deletionTimestamp !== undefined);
}

/** The second scheduler has a name of its own, so that the audit log tells who did what. */
async function bindLikeTheFirst(): Promise<void> {
	const { api } = scenario.controlPlane;
	const rbac = "/apis/rbac.authorization.k8s.io/v1";
	for (const kind of [`${rbac}/clusterrolebindings`, `${rbac}/namespaces/aks-reboot-scheduler/rolebindings`, `${rbac}/namespaces/kube-system/rolebindings`]) {
		for (const binding of await api.list<{ metadata: { name: string; uid: string }; subjects?: { name: string }[] }>(kind)) {
			const subject = binding.subjects?.find((each) => each.name === first);
			if (subject === undefined) continue;
			await api.patch(`${kind}/${binding.metadata.name}`, [{ op: "add", path: "/subjects/-", value: { ...subject, name: second } }], "json");
		}
	}
}

function start(user: typeof first | typeof second, settings: Record<string, string> = {}, goesOn = false): Scheduler {
	const { controlPlane, dir } = scenario;
	return scenario.scheduler(settings, { kubeconfig: controlPlane.kubeconfig(join(dir, user), { context: "real", user }), goesOn });
}

/** Accepted requests that changed something. */
function writes(user: string, since: number, before = Number.POSITIVE_INFINITY): string[] {
	return scenario.controlPlane
		.requests({ user, writes: true, since })
		.filter((line) => (line.responseStatus?.code ?? 0) < 400 && Date.parse(line.requestReceivedTimestamp) < before)
		.map((line) => `${line.requestReceivedTimestamp} ${line.verb} ${line.requestURI}`);
}

function workerOf(scheduler: Scheduler): unknown {
	return scheduler.told("round.started")[0]?.worker;
}

const until = (what: string, holds: () => boolean): Promise<void> =>
	comesAbout(what, holds, {
		said: async () => `${scenario.schedulers.map((each) => each.story().slice(-3_000)).join("\n----\n")}\n${await situation(scenario)}`,
		everyMs: 1,
	});

/** By the service's clock; those of the nodes go along with it. */
async function leaseRunsOut(): Promise<void> {
	await scenario.azurite.advance(leaseMs + 1_000);
	for (const name of scenario.fleet.names()) scenario.fleet.node(name).set({ clockOffsetMs: scenario.azurite.aheadMs });
}

function rebootsOf(names: readonly string[]): string[] {
	return scenario.fleet
		.reboots()
		.map((each) => each.node)
		.filter((name) => names.includes(name))
		.sort();
}

function assertRebootedOnce(names: readonly string[]): void {
	assert.deepEqual(rebootsOf(names), [...names]);
	for (const name of names) assert.equal(scenario.fleet.node(name).signals, 1, `signals to PID 1 of ${name}`);
}

describe("two schedulers on one table", () => {
	let one: Scheduler;
	let other: Scheduler;
	/** The one that began, and the one that took over from it. */
	let stopped: Scheduler;
	let successor: Scheduler;
	const users = new Map<Scheduler, string>();
	const at = { start: Date.now(), stoppedGoesOn: 0, stoppedTakesOver: 0, successorGoesOn: 0 };

	it("wait for a lease that a third worker holds, and touch nothing meanwhile", async () => {
		const table = tableOf(scenario);
		await table.createTable();
		await table.createEntity({ partitionKey: "cluster-real", rowKey: "lease", holder: "a-third-worker", fence: 7, writeId: "of-the-third" });
		one = start(first);
		other = start(second);
		users.set(one, first).set(other, second);
		for (const scheduler of [one, other]) {
			await scheduler.says("lease.heldByOther", { holder: "a-third-worker" });
			await until("it has looked three times", () => scheduler.told("round.ended").length >= 3);
			assert.ok(scheduler.running);
			assert.deepEqual(writes(users.get(scheduler) ?? "", at.start), []);
		}
	});

	it("are one that works, and one that says so", async () => {
		await leaseRunsOut();
		await until("one evicts", () => leavingOf("shared-1") > 0);
		[stopped, successor] = one.told("reboot.moved").length > 0 ? [one, other] : [other, one];
		stopped.child.kill("SIGSTOP");
		await successor.says("lease.heldByOther", { holder: workerOf(stopped) });
		assert.deepEqual(writes(users.get(successor) ?? "", at.start), []);
		assert.ok(Number(stopped.told("tick.ended").at(-1)?.fence) > 7, "the fence goes on from where the third left it");
	});

	it("take over from one that stands still, once its lease is over", async () => {
		await until("it evicts from the second node", () => leavingOf("shared-2") > 0);
		successor.child.kill("SIGSTOP");
		assert.equal(successor.told("reboot.ended", { node: "shared-1", end: "done" }).length, 1);
		assert.deepEqual(rebootsOf(["shared-1"]), ["shared-1"]);
	});

	it("refuse what one writes that goes on after its lease has passed on", async () => {
		at.stoppedGoesOn = Date.now();
		stopped.child.kill("SIGCONT");
		await stopped.says("lease.lost");
		await stopped.says("lease.heldByOther", { holder: workerOf(successor) });
		assert.equal(await stopped.ended(), 0, stopped.story().slice(-4_000));
		const fenceThen = Number(successor.told("tick.ended").at(-1)?.fence);
		const line = stopped.told("tick.ended").find((each) => Number(each.fence) > fenceThen);
		// Its first look under the new lease began before its end was told.
		at.stoppedTakesOver = Date.parse(line?.at ?? "") - Number(line?.tookMs);
		assert.deepEqual(writes(users.get(stopped) ?? "", at.stoppedGoesOn, at.stoppedTakesOver), []);
		assert.ok(at.stoppedTakesOver - at.stoppedGoesOn > leaseMs - 3_000, "it waited for the successor's lease");
	});

	it("do nothing twice when the second one goes on as well", async () => {
		at.successorGoesOn = Date.now();
		successor.child.kill("SIGCONT");
		await successor.says("lease.lost");
		await leaseRunsOut();
		assert.equal(await successor.ended(), 0, successor.story().slice(-4_000));
		assert.deepEqual(writes(users.get(successor) ?? "", at.successorGoesOn), []);
		assertRebootedOnce(shared);
		assert.equal(scenario.fleet.maxDown(), 1);
		assert.equal(scenario.fleet.marked.max(), 1);
		await assertTidy(scenario);
		const made = scenario.controlPlane
			.requests({ verb: "create", resource: "pods", namespace: "aks-reboot-scheduler", writes: true })
			.filter((line) => [first, second].includes(line.user.username) && line.responseStatus?.code === 201);
		assert.equal(made.length, shared.length, "reboot pods that were made");
		const ended = [...(await scenario.rows()).keys()].filter((place) => place.includes("/z-ended-"));
		assert.equal(ended.length, shared.length);
	});
});

describe("two schedulers with tables of their own on one cluster", () => {
	const table = { STATE_TABLE: "other" };
	let command = "";

	it("are the owner, and one that names it, says how to take over, touches nothing and ends with 1", async () => {
		for (const name of taken) scenario.fleet.node(name).needReboot(waitsFor(5));
		await scenario.fleet.until("they ask", () => asking().length === taken.length);
		const since = Date.now();
		const stranger = start(second, table);
		assert.equal(await stranger.ended(), 1, stranger.story().slice(-4_000));
		const line = stranger.told("owner.other")[0];
		assert.match(String(line?.message), /^the cluster belongs to scheduler 127\.0\.0\.1:\d+\/devstoreaccount1\/reboots@.*, not to this one \(.*\/other@/);
		command = /kubectl .*$/.exec(String(line?.message))?.[0] ?? "";
		assert.match(command, /^kubectl -n aks-reboot-scheduler patch lease owner /);
		assert.match(stranger.output, /another scheduler's/);
		assert.deepEqual(writes(second, since), []);
		for (const name of taken) assert.equal(markOf(await nodeOf(scenario, name)), undefined);
	});

	it("hand a node over in the middle of its drain, by the very command that was printed", async () => {
		await leaseRunsOut();
		const owner = start(first, {}, true);
		await until("the drain is under way", () => leaving("taken-1"));
		await owner.says("reboot.moved", { node: "taken-1", to: "draining" });
		await asAdmin(command);
		const heir = start(second, table);
		const adopted = await heir.says("reboot.adopted", { node: "taken-1" });
		assert.equal(adopted.phase, "draining");
		const released = await owner.says("reboot.ended", { node: "taken-1", end: "released" });
		await owner.says("owner.other");
		await letGo("taken-1");
		assert.equal(await heir.ended(), 0, heir.story().slice(-4_000));
		assert.ok(owner.running);
		assert.deepEqual(writes(first, Date.parse(released.at)), [], "writes of the former owner");
		await owner.kill();
		assert.deepEqual(await recordsIn(scenario), []);
		assert.deepEqual(await recordsIn(scenario, "other"), []);
		assertRebootedOnce(taken);
		await assertTidy(scenario);
	});

	it("write the owner Lease anew when it is deleted in the middle, and nothing else changes", async () => {
		await leaseRunsOut();
		scenario.fleet.node(unowned).needReboot(waitsFor(5));
		const owner = start(second, table);
		await until("the drain is under way", () => leaving(unowned));
		const before = { holder: await holder(), mark: markOf(await nodeOf(scenario, unowned)) };
		await scenario.controlPlane.kubectl("-n", "aks-reboot-scheduler", "delete", "lease", "owner");
		await owner.says("owner.claimed");
		assert.deepEqual({ holder: await holder(), mark: markOf(await nodeOf(scenario, unowned)) }, before);
		await letGo(unowned);
		assert.equal(await owner.ended(), 0, owner.story().slice(-4_000));
		assert.deepEqual(
			owner.told("reboot.ended").map((line) => `${line.node} ${line.end}`),
			[`${unowned} done`],
		);
		assert.equal(owner.told("reboot.adopted").length, 0);
		assertRebootedOnce([unowned]);
		await assertTidy(scenario);
	});

	it("print and store no secret", async () => {
		await assertNoLeaks(scenario);
	});
});

function asking(): string[] {
	return scenario.fleet
		.pods()
		.filter((pod) => pod.metadata.labels?.["aks-reboot-scheduler/reboot-required"] === "true")
		.map((pod) => pod.spec.nodeName ?? "");
}

async function holder(): Promise<string | undefined> {
	const lease = await scenario.controlPlane.api.get<{ metadata: { name: string; uid: string }; spec: { holderIdentity?: string } }>(
		"/apis/coordination.k8s.io/v1/namespaces/aks-reboot-scheduler/leases/owner",
	);
	return lease.spec.holderIdentity;
}

async function asAdmin(command: string): Promise<void> {
	const KUBECONFIG = scenario.controlPlane.kubeconfig(join(scenario.dir, "admin"));
	const PATH = `${process.env.KUBEBUILDER_ASSETS}:${process.env.PATH}`;
	await promisify(execFile)("sh", ["-c", command], { env: { ...process.env, PATH, KUBECONFIG } });
}
