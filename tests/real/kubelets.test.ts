// The simulated kubelets are what every story about the scheduler is judged by: that they behave as real ones do is shown here.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { type NodeSettings, quickReboot } from "./kubelet-settings.ts";
import { type Fleet, startKubelets } from "./kubelets.ts";
import { conditionStatus, type Node, type Pod } from "./objects.ts";
import type { SimulatedNode } from "./simulated-node.ts";
import {
	apply,
	applySentinel,
	barePod,
	daemonSet,
	deployment,
	failingDaemonSet,
	finishedPod,
	namespaceNamed,
	neverReadyDaemonSet,
	type RebootPodOptions,
	rebootPod,
	statefulSet,
} from "./workloads.ts";

const label = "aks-reboot-scheduler/reboot-required";
const annotation = "aks-reboot-scheduler/report";
const need = { packages: ["linux-image-azure"], since: new Date("2026-02-03T04:05:06Z") };

let plane: ControlPlane;
let fleet: Fleet;

before(async () => {
	// NotReady after 5 s instead of 40 s, by the same controller.
	plane = await startControlPlane({ controllerFlags: ["--node-monitor-grace-period=5s", "--node-monitor-period=1s"] });
	await applySentinel(plane);
	fleet = await startKubelets(
		plane,
		["one", "two", "three", "four", "five"].map((name, index) => ({ name, pool: "main", zone: String(index % 3) })),
		{ leaseMs: 1_000 },
	);
	await fleet.until("the sentinels are ready", () => fleet.names().every((name) => isReady(sentinelOf(name))));
});
after(async () => {
	await fleet?.stop();
	await plane?.stop();
});

function podNamed(name: string): Pod | undefined {
	return fleet.pods().find((pod) => pod.metadata.name === name);
}

function podsOf(app: string): Pod[] {
	return fleet.pods().filter((pod) => pod.metadata.labels?.app === app);
}

function sentinelOf(node: string): Pod | undefined {
	return podsOf("sentinel").find((pod) => pod.spec.nodeName === node);
}

function isReady(pod: Pod | undefined): boolean {
	return pod !== undefined && pod.metadata.deletionTimestamp === undefined && conditionStatus(pod, "Ready") === "True";
}

function nodeNamed(name: string): Node {
	const node = fleet.nodeObjects().find((each) => each.metadata.name === name);
	assert(node, `node ${name}`);
	return node;
}

function nodeReady(name: string): string | null {
	return conditionStatus(nodeNamed(name), "Ready");
}

function firstContainer(pod: Pod | undefined): NonNullable<Pod["status"]["containerStatuses"]>[number] {
	const status = pod?.status.containerStatuses?.[0];
	assert(status, `a container status of ${pod?.metadata.name}`);
	return status;
}

function terminated(pod: string): { exitCode: number; message?: string } | undefined {
	return podNamed(pod)?.status.containerStatuses?.[0]?.state.terminated;
}

/** A reboot pod made by hand for the present boot, an interval around now. */
async function ask(node: SimulatedNode, name: string, options: Partial<RebootPodOptions> = {}): Promise<void> {
	const now = Math.floor(Date.now() / 1000);
	await apply(plane.api, rebootPod({ node: node.name, bootId: node.bootId, notBefore: now - 60, notAfter: now + 300, name, ...options }));
}

/** A node of its own for a test that leaves it in another state; waits for its sentinel. */
async function freshNode(name: string, settings: Partial<NodeSettings> = {}): Promise<SimulatedNode> {
	const node = await fleet.add({ name, taints: [{ key: "tests/alone", effect: "NoSchedule" }], settings });
	await fleet.until(`the sentinel on ${name} is ready`, () => isReady(sentinelOf(name)));
	return node;
}

async function backAgain(node: SimulatedNode, reboots = 1): Promise<void> {
	await fleet.until(`${node.name} was rebooted`, () => node.reboots.length === reboots && node.reboots.at(-1)?.readyAt !== null);
	await fleet.until(
		`${node.name} is Ready under its boot id`,
		() => nodeNamed(node.name).status.nodeInfo.bootID === node.bootId && nodeReady(node.name) === "True",
	);
}

function deletePod(name: string, options?: unknown): Promise<unknown> {
	return plane.api.delete(`/api/v1/namespaces/default/pods/${name}`, options);
}

describe("pods", () => {
	test("those of real controllers run and become ready, but for those that fail or never are", async () => {
		await apply(plane.api, deployment("web", 6, { budget: { minAvailable: 5 } }), statefulSet("db", 3, { budget: { maxUnavailable: 1 } }));
		await apply(plane.api, failingDaemonSet("fails"), neverReadyDaemonSet("never"), daemonSet("agent"), barePod("bare"), finishedPod("job", 0));
		await fleet.until(
			"web, db, agent and bare are ready",
			() => ["web", "db", "agent"].every((app) => podsOf(app).every(isReady)) && isReady(podNamed("bare")),
		);
		await fleet.until("all are there", () => podsOf("web").length === 6 && podsOf("db").length === 3 && podsOf("agent").length === 5);
		await fleet.until("the job is over", () => podNamed("job")?.status.phase === "Succeeded");
		await fleet.until("a failing pod was restarted", () => podsOf("fails").some((pod) => firstContainer(pod).restartCount > 0));
		assert.deepEqual(podsOf("fails").filter(isReady), []);
		assert.deepEqual(podsOf("never").filter(isReady), []);
	});

	test("kubectl drain empties a node, and no budget is broken on the way", async () => {
		const budgets = fleet.watchBudgets();
		const [node = ""] = podsOf("web").map((pod) => pod.spec.nodeName);
		await plane.kubectl("drain", node, "--ignore-daemonsets", "--force", "--timeout=60s");
		await fleet.until("the drained pods are back elsewhere", () => podsOf("web").filter(isReady).length === 6 && podsOf("db").filter(isReady).length === 3);
		const left = fleet.pods().filter((pod) => pod.spec.nodeName === node);
		assert.deepEqual([...new Set(left.map((pod) => pod.metadata.ownerReferences?.[0]?.kind))], ["DaemonSet"]);
		assert.deepEqual(budgets.broken, []);
		assert.equal(budgets.lowest("default/web"), 5);
		budgets.stop();
		await plane.kubectl("uncordon", node);
	});

	test("a budget that is broken behind the API server's back is noticed", async () => {
		const budgets = fleet.watchBudgets();
		const [one, two] = podsOf("web").map((pod) => pod.metadata.name);
		// Deleted, not evicted: nothing asks the budget.
		await Promise.all([deletePod(one ?? ""), deletePod(two ?? "")]);
		await fleet.until("the budget watch notices", () => budgets.broken.length > 0);
		assert.equal(budgets.broken[0]?.budget, "default/web");
		await fleet.until("web is whole again", () => podsOf("web").filter(isReady).length === 6);
		budgets.stop();
	});

	test("a slow pod takes its time, a deaf one its whole grace, a stuck one for ever until it is let go", async () => {
		await apply(
			plane.api,
			barePod("slow", { stopMs: 1_000 }),
			barePod("deaf", { stopMs: 60_000, graceSeconds: 2 }),
			barePod("stuck", { stopMs: "never", graceSeconds: 1 }),
		);
		await fleet.until("all three run", () => ["slow", "deaf", "stuck"].every((name) => isReady(podNamed(name))));
		const began = Date.now();
		const gone = async (name: string): Promise<number> => {
			await fleet.until(`${name} is gone`, () => podNamed(name) === undefined);
			return Date.now() - began;
		};
		await Promise.all(["slow", "deaf", "stuck"].map((name) => deletePod(name)));
		const [slowMs, deafMs] = await Promise.all([gone("slow"), gone("deaf")]);
		assert(slowMs >= 1_000 && slowMs < 30_000, `slow: ${slowMs} ms`);
		assert(deafMs >= 2_000 && deafMs < 30_000, `deaf: ${deafMs} ms`);
		assert.notEqual(podNamed("stuck"), undefined, "a stuck pod outlives its grace");
		await plane.api.patch("/api/v1/namespaces/default/pods/stuck", { metadata: { annotations: { "simulated-kubelet/stop-ms": "10" } } });
		await gone("stuck");
	});

	test("pods of a namespace that is deleted go with it", async () => {
		await apply(plane.api, namespaceNamed("short"), deployment("short", 2, { namespace: "short", graceSeconds: 1 }));
		await fleet.until("its pods run", () => podsOf("short").filter(isReady).length === 2);
		await plane.kubectl("delete", "namespace", "short", "--timeout=60s");
		assert.deepEqual(podsOf("short"), []);
	});

	test("a full node fails a pod, a NoExecute taint that it does not tolerate keeps it out, an image that cannot be pulled keeps it waiting", async () => {
		const node = await freshNode("picky");
		node.set({
			refuses: () => ({ reason: "OutOfpods", message: "Pod was rejected: no room" }),
			unpullable: (image) => image === "registry.test/app:1",
		});
		await apply(plane.api, barePod("rejected", { node: "picky" }));
		await fleet.until("it is rejected", () => podNamed("rejected")?.status.phase === "Failed");
		assert.equal(podNamed("rejected")?.status.reason, "OutOfpods");
		node.set({ refuses: () => null });
		await apply(plane.api, barePod("pulls", { node: "picky", tolerateAll: true }));
		const waiting = (): string => podNamed("pulls")?.status.containerStatuses?.[0]?.state.waiting?.reason ?? "";
		await fleet.until("it cannot be pulled", () => ["ErrImagePull", "ImagePullBackOff"].includes(waiting()));
		node.set({ unpullable: () => false });
		await fleet.until("it runs", () => isReady(podNamed("pulls")));
		await plane.kubectl("taint", "node", "picky", "tests/out=true:NoExecute");
		// The real taint manager evicts it where the kubelet does not refuse it first; neither lets it run.
		await apply(plane.api, barePod("kept-out", { node: "picky" }));
		await fleet.until("it does not run", () => podNamed("kept-out") === undefined || podNamed("kept-out")?.status.phase === "Failed");
		await fleet.remove("picky");
	});
});

describe("the sentinel's script", () => {
	test("says on its own pod what its node needs, and is silent, stale or garbled where it is told to be", async () => {
		const node = fleet.node("one");
		const report = (): string => sentinelOf("one")?.metadata.annotations?.[annotation] ?? "";
		const asks = (): boolean => sentinelOf("one")?.metadata.labels?.[label] === "true";
		assert.deepEqual(JSON.parse(report()), { bootId: node.bootId, since: null, kernel: node.kernelVersion, packages: [] });
		assert.equal(asks(), false);
		node.needReboot(need);
		await fleet.until("it asks", asks);
		assert.deepEqual(JSON.parse(report()), { bootId: node.bootId, since: "2026-02-03T04:05:06Z", kernel: node.kernelVersion, packages: need.packages });
		node.set({ sentinel: "silent" });
		await fleet.until("it is not ready", () => !isReady(sentinelOf("one")));
		assert(asks(), "its last word stands");
		node.set({ sentinel: "stale" });
		await fleet.until("it reports an earlier boot", () => report().includes(node.earlierBootId));
		node.set({ sentinel: "garbled" });
		await fleet.until("its report is no JSON", () => !report().endsWith("}"));
		node.set({ sentinel: "reports" });
		node.needReboot(null);
		await fleet.until("it no longer asks", () => !asks() && isReady(sentinelOf("one")));
	});
});

describe("a reboot pod", () => {
	test("ends just the boot that it names: another boot id and kernel, new containers, and nothing asked any more", async () => {
		const node = await freshNode("target");
		node.needReboot(need);
		await apply(plane.api, finishedPod("finished", 0, { node: "target" }));
		await fleet.until("it asks", () => sentinelOf("target")?.metadata.labels?.[label] === "true");
		await fleet.until("a finished pod is there", () => podNamed("finished")?.status.phase === "Succeeded");
		const bootId = node.bootId;
		const kernel = nodeNamed("target").status.nodeInfo.kernelVersion;
		const container = firstContainer(sentinelOf("target")).containerID;
		await ask(node, "obeyed");
		await fleet.until("the node is NotReady and the pod's end is told", () => nodeReady("target") === "False" && terminated("obeyed") !== undefined);
		assert.equal(terminated("obeyed")?.exitCode, 0);
		assert.match(terminated("obeyed")?.message ?? "", new RegExp(`^sent: .*${bootId}`));
		await backAgain(node);
		assert.notEqual(nodeNamed("target").status.nodeInfo.bootID, bootId);
		assert.notEqual(nodeNamed("target").status.nodeInfo.kernelVersion, kernel);
		await fleet.until("it no longer asks", () => isReady(sentinelOf("target")) && sentinelOf("target")?.metadata.labels?.[label] === undefined);
		assert.notEqual(firstContainer(sentinelOf("target")).containerID, container);
		assert.equal(firstContainer(sentinelOf("target")).restartCount, 1);
		assert.equal(podNamed("finished")?.status.phase, "Succeeded");
		assert.equal(fleet.reboots().length, 1);
		assert.equal(fleet.maxDown(), 1);
		await fleet.remove("target");
	});

	test("made for another boot, too early, too late by the node's clock, or confined by AppArmor sends nothing", async () => {
		const node = fleet.node("two");
		await ask(node, "another", { bootId: fleet.node("three").bootId });
		await ask(node, "early", { notBefore: Math.floor(Date.now() / 1000) + 600, notAfter: Math.floor(Date.now() / 1000) + 900 });
		await ask(node, "late", { notAfter: Math.floor(Date.now() / 1000) - 10 });
		await ask(node, "confined", { appArmor: null });
		const wrong = fleet.node("three");
		wrong.set({ clockOffsetMs: 3_600_000 });
		await ask(wrong, "clock");
		const expected = { another: 10, early: 11, late: 12, confined: 14, clock: 12 };
		await fleet.until("all ended", () => Object.keys(expected).every((name) => terminated(name) !== undefined));
		for (const [name, code] of Object.entries(expected)) assert.deepEqual([terminated(name)?.exitCode, podNamed(name)?.status.phase], [code, "Failed"], name);
		wrong.set({ clockOffsetMs: 0 });
		assert.equal(node.signals + wrong.signals, 0);
		assert.deepEqual([...node.reboots, ...wrong.reboots], []);
	});

	test("that waited while its kubelet was away and the machine was booted by hand does not end the new boot", async () => {
		const node = await freshNode("away");
		node.stopKubelet();
		await ask(node, "waited");
		assert.equal(podNamed("waited")?.status.phase ?? "Pending", "Pending");
		node.reboot();
		await fleet.until("it ended", () => terminated("waited") !== undefined);
		assert.equal(terminated("waited")?.exitCode, 10);
		assert.deepEqual([node.reboots.length, node.reboots[0]?.cause], [1, "byHand"]);
		await fleet.remove("away");
	});

	test("whose end nobody heard of stays Pending until after the boot, and then is told as it was", async () => {
		const node = await freshNode("sudden", { shutdownMs: 0, announcesShutdown: false, staleStatusMs: 2_000 });
		const container = firstContainer(sentinelOf("sudden")).containerID;
		await ask(node, "unheard");
		await fleet.until(
			"it is Ready under another boot id",
			() => nodeNamed("sudden").status.nodeInfo.bootID !== node.earlierBootId && node.reboots[0]?.readyAt !== null,
		);
		// Measured on a real node: Ready under its new boot, while statuses of pods are those from before it.
		assert.equal(firstContainer(sentinelOf("sudden")).containerID, container);
		assert.equal(isReady(sentinelOf("sudden")), true);
		assert.notEqual(podNamed("unheard")?.status.phase, "Succeeded");
		await fleet.until(
			"statuses are true again",
			() => podNamed("unheard")?.status.phase === "Succeeded" && firstContainer(sentinelOf("sudden")).containerID !== container,
		);
		assert.equal(node.reboots.length, 1);
		await fleet.remove("sudden");
	});
});

describe("troubles", () => {
	test("a quick reboot is never seen as NotReady", async () => {
		const node = await freshNode("quick", quickReboot);
		const before = fleet.unavailable.moments.length;
		await ask(node, "quickly");
		await backAgain(node);
		assert(!fleet.unavailable.moments.slice(before).some((moment) => moment.nodes.includes("quick")));
		await fleet.remove("quick");
	});

	test("a node that does not come back is found NotReady by the controller, and comes back when told: under a new boot, or the old one", async () => {
		const node = await freshNode("lost", { comesBack: "never", announcesShutdown: false });
		const first = node.bootId;
		await ask(node, "goes");
		await fleet.until("the controller says Unknown", () => nodeReady("lost") === "Unknown");
		assert.equal(node.up, false);
		node.powerOn({ sameBoot: true });
		await fleet.until("it is Ready again", () => nodeReady("lost") === "True");
		assert.equal(node.bootId, first);
		assert.equal(firstContainer(sentinelOf("lost")).restartCount, 0);
		node.powerOff();
		await fleet.until("the controller says Unknown", () => nodeReady("lost") === "Unknown");
		node.powerOn();
		await fleet.until("it is Ready again", () => nodeReady("lost") === "True" && nodeNamed("lost").status.nodeInfo.bootID !== first);
		assert.equal(nodeNamed("lost").status.nodeInfo.bootID, node.bootId);
		await fleet.until("its sentinel was started anew", () => isReady(sentinelOf("lost")) && firstContainer(sentinelOf("lost")).restartCount === 1);
		await fleet.remove("lost");
	});

	test("a node that is cut off is found NotReady while its pods go on, ends no pod, and catches up afterwards", async () => {
		const node = await freshNode("island");
		await apply(plane.api, barePod("islander", { node: "island", tolerateAll: true }));
		await fleet.until("its pod runs", () => isReady(podNamed("islander")));
		const uid = podNamed("islander")?.metadata.uid ?? "";
		const container = firstContainer(podNamed("islander")).containerID;
		const kept = firstContainer(sentinelOf("island")).containerID;
		node.cutOff();
		await deletePod("islander", { gracePeriodSeconds: 1 });
		await fleet.until("the controller says Unknown", () => nodeReady("island") === "Unknown");
		assert.equal(node.serves(uid), true, "its containers run on");
		assert.equal(firstContainer(podNamed("islander")).containerID, container, "the API server still has it");
		node.reconnect();
		await fleet.until("it is Ready again and the pod is gone", () => nodeReady("island") === "True" && podNamed("islander") === undefined);
		await fleet.until("its sentinel is ready again", () => isReady(sentinelOf("island")));
		assert.equal(firstContainer(sentinelOf("island")).containerID, kept);
		assert.deepEqual(node.reboots, []);
		await fleet.remove("island");
	});

	test("a node that still asks, or whose sentinel is silent after its reboot", async () => {
		const node = await freshNode("again", { stillAsks: true });
		node.needReboot(need);
		await ask(node, "first");
		await backAgain(node);
		const report = (): { bootId: string; since: string } => JSON.parse(sentinelOf("again")?.metadata.annotations?.[annotation] ?? "{}");
		await fleet.until("it reports its new boot", () => report().bootId === node.bootId);
		assert.equal(sentinelOf("again")?.metadata.labels?.[label], "true");
		assert(Date.parse(report().since) > need.since.getTime(), "since this boot");
		node.set({ sentinelAfterReboot: "silent", stillAsks: false });
		await ask(node, "second");
		await backAgain(node, 2);
		await fleet.until("it is not ready", () => !isReady(sentinelOf("again")));
		assert.notEqual(report().bootId, node.bootId);
		await fleet.remove("again");
	});

	test("a Node object that is deleted comes back only when the kubelet starts again, as another object", async () => {
		const node = await freshNode("deleted");
		const { uid } = nodeNamed("deleted").metadata;
		const registered = (): boolean => fleet.nodeObjects().some((each) => each.metadata.name === "deleted");
		await plane.kubectl("delete", "node", "deleted");
		// Makes it post its status at once; then time for an answer that must not come.
		node.reconnect();
		await delay(1_500);
		assert.equal(registered(), false);
		node.stopKubelet();
		node.startKubelet();
		await fleet.until("it is registered", registered);
		assert.notEqual(nodeNamed("deleted").metadata.uid, uid);
		await fleet.remove("deleted");
	});

	test("kubelets go on after the API server was killed, also under another CA", async () => {
		await plane.killApiServer();
		await plane.startApiServer({ newCa: true });
		fleet.node("four").needReboot(need);
		await fleet.until("a change is reported", () => sentinelOf("four")?.metadata.labels?.[label] === "true");
		fleet.node("four").needReboot(null);
		await fleet.until("all are Ready", () => ["one", "two", "three", "four", "five"].every((name) => nodeReady(name) === "True"));
	});
});

test("five nodes at rest cost little: under a tenth of a core", async () => {
	await plane.kubectl("delete", "daemonset", "fails");
	const began = process.cpuUsage();
	await delay(5_000);
	const used = process.cpuUsage(began);
	const percent = (used.user + used.system) / 50_000;
	console.log(`five idle nodes, leases every second: ${percent.toFixed(1)} % of a core`);
	assert(percent < 10, `${percent} % of a core`);
});
