// The whole job on a real Linux node: the shipped manifests, the scheduler as a process, systemd as PID 1. One story, in order.
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { rebootExit, rebootPod } from "../../lib/kubernetes/reboot-pod.ts";
import { parseReport } from "../../lib/kubernetes/sentinel.ts";
import { assertNoLeaks, markOf } from "../real/expectations.ts";
import { endOf, reasonsOf } from "../real/journal-lines.ts";
import type { Node, Pod } from "../real/objects.ts";
import type { Scheduler } from "../real/scenario.ts";
import { apply, deployment, type Manifest } from "../real/workloads.ts";
import { annotateAppArmor, applyShipped, isReady, type RealNode, startRealNode } from "./cluster.ts";
import { MachineLost } from "./machine.ts";
import { callBus, nobody, reachOf, sentinelUser } from "./reach.ts";

const pods = "/api/v1/namespaces/aks-reboot-scheduler/pods";
const label = "aks-reboot-scheduler/reboot-required";
/** A guest on a busy machine may take minutes to go down. */
const settings = { DRAIN_TIMEOUT: "15m", REBOOT_TIMEOUT: "30m" };

let cluster: RealNode;
let failed = false;
/** Why the story cannot go on without anybody's fault. */
let lost: string | null = null;

/** The rest of a story that went wrong would only wait. Where the emulated machine was lost it is skipped, and says so. */
function step(name: string, run: (t: TestContext) => Promise<void>): void {
	it(name, async (t) => {
		if (lost !== null) return t.skip(lost);
		assert.ok(!failed, "an earlier step of this story failed");
		failed = true;
		if (await machineLasts(() => run(t))) failed = false;
		else t.skip(lost ?? "");
	});
}

async function machineLasts(run: () => Promise<void>): Promise<boolean> {
	try {
		await run();
		return true;
	} catch (error) {
		if (!(error instanceof MachineLost)) throw error;
		console.error(error.message);
		lost = error.message.split("\n")[0] ?? "";
		return false;
	}
}

/** The node's package manager wants a reboot, and has installed the other of the two kernels. */
async function needReboot(): Promise<void> {
	await cluster.machine.run(
		'touch /var/run/reboot-required; echo linux-image-cloud-amd64 >/var/run/reboot-required.pkgs; ls /boot | sed -n "s/^vmlinuz-//p" | grep -vx "$(uname -r)" | head -1 >/boot/default',
	);
}

/** Waits for the sentinel of the boot that the node shows. */
async function sentinelAsks(): Promise<void> {
	await cluster.until("the sentinel asks for a reboot of this boot", async () => {
		const pod = await sentinelOfThisBoot();
		return pod?.metadata.labels?.[label] === "true" && ready(pod);
	});
}

/** It looks once a minute, and as soon as it starts: the kubelet starts another container in its pod. */
async function sentinelStartsAnew(): Promise<void> {
	await cluster.until("the sentinel has reported this boot", async () => (await sentinelOfThisBoot()) !== undefined);
	const id = containerId(await sentinelOfThisBoot());
	await cluster.machine.run(`ctr -n k8s.io tasks kill --signal SIGTERM ${id}`);
}

async function sentinelOfThisBoot(): Promise<Pod | undefined> {
	const { bootID } = (await cluster.node()).status.nodeInfo;
	return (await cluster.pods("sentinel")).find((pod) => ready(pod) && reportOf(pod).bootId === bootID);
}

function containerId(pod: Pod | undefined): string {
	const id = pod?.status.containerStatuses?.[0]?.containerID?.replace("containerd://", "");
	return id ?? assert.fail("the sentinel has a container");
}

function reportOf(pod: Pod): { readonly bootId: string; readonly kernelVersion: string; readonly packages: readonly string[] } {
	const seen = parseReport(pod.metadata.annotations?.["aks-reboot-scheduler/report"]);
	assert.equal(seen.kind, "report", "the scheduler can read it");
	return seen.kind === "report" ? seen.report : assert.fail();
}

function ready(pod: Pod): boolean {
	return pod.status.containerStatuses?.[0]?.ready === true;
}

/** Both pods of the workload run on the real node, and the spare one has room again. */
async function workComesHome(): Promise<void> {
	await cluster.controlPlane.kubectl("cordon", "spare");
	await cluster.controlPlane.kubectl("delete", "pods", "-l", "app=web", "--field-selector", "spec.nodeName=spare", "--wait=false");
	await cluster.until("the workload runs on the real node", async () => (await cluster.pods("web")).filter(ready).length === 2);
	await cluster.controlPlane.kubectl("uncordon", "spare");
}

/** The reboot pod as it is shipped; made by hand. `ask`: in its name. */
async function shippedPod(ask: number, notAfter: number): Promise<Manifest> {
	const { bootID } = (await cluster.node()).status.nodeInfo;
	const image = { image: "registry.test/sentinel:1", imagePullPolicy: "IfNotPresent", imagePullSecrets: [] };
	return rebootPod({ node: "node1", bootId: bootID, ask, notBefore: Date.now() - 60_000, notAfter, ...image }) as unknown as Manifest;
}

/** How its container ended. */
async function ended(pod: Manifest): Promise<{ readonly exitCode: number; readonly message: string }> {
	let end: { readonly exitCode: number; readonly message?: string } | undefined;
	await cluster.until(`${pod.metadata.name} ends`, async () => {
		const seen = await cluster.controlPlane.api.get<Pod>(`${pods}/${pod.metadata.name}`);
		end = seen.status.containerStatuses?.[0]?.state.terminated;
		return end !== undefined;
	});
	await cluster.controlPlane.api.delete(`${pods}/${pod.metadata.name}`, { gracePeriodSeconds: 0 });
	return { exitCode: end?.exitCode ?? -1, message: (end?.message ?? "").trim() };
}

async function tell(t: TestContext): Promise<void> {
	t.diagnostic(`\n${await cluster.controlPlane.kubectl("get", "nodes", "-o", "wide")}`);
}

/** The scheduler as a process of its own on the real node. */
function scheduler(more: Readonly<Record<string, string>> = {}, goesOn = false): Scheduler {
	return cluster.scenario.scheduler({ ...settings, ...more }, { goesOn });
}

async function settles(run: Scheduler, lastLine: RegExp): Promise<void> {
	await cluster.until("the scheduler ends", () => !run.running);
	assert.equal(await run.ended(), 0, run.story().slice(-6_000));
	assert.match(run.lastLine, lastLine, run.story().slice(-6_000));
}

/** Waits for a line of a scheduler that goes on. */
async function says(run: Scheduler, event: string, fields: Readonly<Record<string, string>> = {}): Promise<void> {
	const said = () => run.told(event, fields).length > 0;
	await cluster.until(`the scheduler says ${event} ${JSON.stringify(fields)}`, () => said() || !run.running);
	assert.ok(said(), `the scheduler ended without saying ${event}:\n${run.story().slice(-6_000)}`);
}

/** In service again, under another boot. */
async function assertBack(before: Node): Promise<Node> {
	const node = await cluster.node();
	assert.notEqual(node.status.nodeInfo.bootID, before.status.nodeInfo.bootID);
	assert.notEqual(node.spec.unschedulable, true);
	assert.equal(markOf(node), undefined);
	assert.deepEqual(await cluster.pods("reboot"), []);
	// A node that was not asked to reboot is given back as it is.
	await cluster.until("the node is Ready", () => isReady(cluster));
	return node;
}

/** Reboot pods that the scheduler made and not only tried. */
function asks(): number {
	return cluster.controlPlane.requests({ user: "scheduler", verb: "create", resource: "pods", writes: true }).filter((line) => !line.objectRef?.subresource)
		.length;
}

/** docs/security.md has it as a table. */
async function assertReach(sentinel: Pod, t: TestContext): Promise<void> {
	const { confined, readable, writable, connects, refuses } = await reachOf(cluster, containerId(sentinel));
	t.diagnostic(JSON.stringify({ confined, writable, connects, refuses }, null, 1));
	t.diagnostic(`${readable.length} files to read, in ${[...new Set(readable.map((path) => path.split("/").slice(3, 5).join("/")))].join(" ")}`);
	const { AppArmor, CapEff, CapBnd, NoNewPrivs, Seccomp } = confined;
	assert.deepEqual({ CapEff, CapBnd, NoNewPrivs, Seccomp }, { CapEff: "0000000000000000", CapBnd: "0000000000000000", NoNewPrivs: "1", Seccomp: "2" });
	assert.match(AppArmor ?? "", /^cri-containerd.apparmor.d \(enforce\)/);
	assert.deepEqual(writable, ["/host/run/lock"], "a mount of its own, where the runtime knows no recursive read-only mount");
	for (const socket of ["/host/run/containerd/containerd.sock", "/host/run/systemd/private", "/host/run/udev/control"])
		assert.ok(refuses.includes(socket), socket);
	const forEverybody = /^\/host\/run\/(dbus\/system_bus_socket|systemd\/(journal|userdb|notify|io\.system\.ManagedOOM|resolve)\b.*)$/;
	assert.deepEqual(
		connects.filter((socket) => !forEverybody.test(socket)),
		[],
	);
	// The bus hangs up on a user that the node does not know, and systemd reboots for no user but root.
	assert.match(await callBus(cluster, sentinelUser, "GetDefaultTarget"), /Transport endpoint is not connected/);
	assert.match(await callBus(cluster, nobody, "GetDefaultTarget"), /multi-user\.target/);
	const refused = await callBus(cluster, nobody, "Reboot");
	t.diagnostic(`Reboot as nobody: ${refused}`);
	assert.match(refused, /denied|authentication/i);
}

before(async (t) => {
	await machineLasts(async () => {
		cluster = await startRealNode((what) => "diagnostic" in t && t.diagnostic(what));
	});
});
after(() => cluster?.stop());

describe("a real Linux node", () => {
	step("the sentinel as it is shipped reports boot, kernel and packages, with a token that is bound to its pod", async (t) => {
		await needReboot();
		await apply(cluster.controlPlane.api, deployment("web", 2, { image: "registry.test/pause:1", budget: { minAvailable: 1 } }));
		await applyShipped(cluster.controlPlane);
		await sentinelAsks();
		await tell(t);
		const { bootID, kernelVersion } = (await cluster.node()).status.nodeInfo;
		const [pod] = await cluster.pods("sentinel");
		assert.ok(pod);
		const { bootId, kernelVersion: kernel, packages } = reportOf(pod);
		assert.deepEqual([bootId, kernel, packages], [bootID, kernelVersion, ["linux-image-cloud-amd64"]]);
		const user = "system:serviceaccount:aks-reboot-scheduler:sentinel";
		const [write] = cluster.controlPlane.requests({ user, verb: "patch" });
		assert.deepEqual(write?.user.extra?.["authentication.kubernetes.io/pod-name"], [pod.metadata.name]);
	});

	step("under AppArmor's default profile the reboot pod's signal is refused, and it says so", async (t) => {
		const pod = await shippedPod(71, Date.now() + 300_000);
		await apply(cluster.controlPlane.api, pod);
		const { exitCode, message } = await ended(pod);
		t.diagnostic(message);
		assert.equal(exitCode, rebootExit.refused);
		assert.match(message, /^not sent: the signal to PID 1 was refused/);
		assert.equal(cluster.machine.resets, 0);
	});

	step("a reboot pod whose interval passed while the kubelet was away does nothing; meanwhile: what the sentinel can reach", async (t) => {
		const { bootID } = (await cluster.node()).status.nodeInfo;
		const [sentinel] = await cluster.pods("sentinel");
		await annotateAppArmor(cluster, await shippedPod(72, Date.now()));
		await cluster.machine.run("systemctl stop kubelet");
		const notAfter = Date.now() + 5_000;
		const pod = await shippedPod(73, notAfter);
		await apply(cluster.controlPlane.api, pod);
		await assertReach(sentinel ?? assert.fail("there is a sentinel"), t);
		await cluster.until("its interval has passed on the node's clock", async () => Number(await cluster.machine.run("date +%s")) * 1000 > notAfter + 1_000);
		await cluster.machine.run("systemctl start kubelet");
		const { exitCode, message } = await ended(pod);
		t.diagnostic(message);
		assert.equal(exitCode, rebootExit.tooLate);
		assert.equal((await cluster.node()).status.nodeInfo.bootID, bootID);
		assert.equal(cluster.machine.resets, 0);
	});

	step("a reboot by hand before the ask ends notNeeded, and nothing was asked", async (t) => {
		const before = await cluster.node();
		await workComesHome();
		const waits = scheduler({ BEFORE_REBOOT: "1h" }, true);
		await says(waits, "reboot.moved", { to: "draining" });
		await cluster.until("the drain has emptied the node", async () => (await cluster.pods("web")).length === 0);
		assert.ok(markOf(await cluster.node()));
		// Once the script has answered: what goes down answers nothing.
		await cluster.machine.run("(sleep 2; systemctl reboot) >/dev/null 2>&1 &");
		await says(waits, "reboot.ended");
		assert.equal(endOf(waits, "node1").end, "notNeeded");
		await waits.kill();
		await cluster.scenario.expireLease();
		assert.equal(asks(), 0);
		await tell(t);
		await assertBack(before);
	});

	step("it is drained, rebooted into another kernel and given back, though the scheduler is killed while it is down", async (t) => {
		await needReboot();
		await Promise.all([workComesHome(), sentinelStartsAnew().then(sentinelAsks)]);
		const before = await cluster.node();
		const killed = scheduler({}, true);
		await cluster.until("the machine goes down", () => cluster.machine.resets === 2);
		await killed.kill("SIGKILL");
		assert.equal(killed.told("reboot.moved", { to: "rebooting" }).length, 1);
		assert.deepEqual(await cluster.pods("web"), []);
		await cluster.machine.hasBooted(3);
		await needReboot();
		const next = scheduler();
		await settles(next, /^settled rebooted=1 gave-up=0 stuck=0 /);
		assert.equal(endOf(next, "node1").end, "done");
		await tell(t);
		const node = await assertBack(before);
		assert.notEqual(node.status.nodeInfo.kernelVersion, before.status.nodeInfo.kernelVersion);
	});

	step("a node that asks again within REBOOT_INTERVAL is not rebooted", async (t) => {
		await sentinelAsks();
		const before = await cluster.node();
		await cluster.scenario.expireLease();
		const refrains = scheduler();
		await settles(refrains, /^settled rebooted=0 gave-up=0 stuck=0 waiting=1 /);
		assert.ok(reasonsOf(refrains, "node1").includes("rebootedRecently"));
		t.diagnostic(refrains.lastLine);
		assert.equal((await cluster.node()).status.nodeInfo.bootID, before.status.nodeInfo.bootID);
		assert.equal(asks(), 1);
	});

	step("once that time is over it is rebooted again, from report to uncordon by one process", async (t) => {
		const before = await cluster.node();
		await workComesHome();
		await cluster.scenario.expireLease();
		const whole = scheduler({ REBOOT_INTERVAL: "1s" });
		await settles(whole, /^settled rebooted=1 gave-up=0 stuck=0 waiting=0 /);
		t.diagnostic(whole.lastLine);
		await tell(t);
		const node = await assertBack(before);
		assert.notEqual(node.status.nodeInfo.kernelVersion, before.status.nodeInfo.kernelVersion);
		assert.equal(asks(), 2);
		assert.equal(cluster.machine.resets, 3);
		await assertNoLeaks(cluster.scenario);
	});
});
