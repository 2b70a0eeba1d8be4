import assert from "node:assert/strict";
import { test } from "node:test";
import type { V1ContainerState, V1Pod, V1Toleration } from "@kubernetes/client-node";
import fc from "fast-check";
import { podFacts, toleratesCordon } from "../../lib/kubernetes/pods.ts";
import { budgetsOf, matchesSelector } from "../../lib/kubernetes/selectors.ts";
import { parseReport, sentinelDaemonSet } from "../../lib/kubernetes/sentinel.ts";

const created = new Date("2026-11-24T02:00:00Z");

function runningPod(): V1Pod {
	return {
		metadata: { name: "web-1", namespace: "shop", uid: "uid-1", creationTimestamp: created },
		spec: { nodeName: "node-1", containers: [] },
		status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
	};
}

function sentinelPodOf(daemonSet: string): V1Pod {
	const pod = runningPod();
	const owner = { apiVersion: "apps/v1", kind: "DaemonSet", name: daemonSet, uid: "ds-1", controller: true };
	return {
		...pod,
		metadata: { ...pod.metadata, name: "sentinel-x", namespace: "aks-reboot-scheduler", labels: { app: "sentinel" }, ownerReferences: [owner] },
	};
}

function withContainer(state: V1ContainerState, podStatus: object = {}): V1Pod {
	const status = { name: "main", image: "i", imageID: "", ready: false, restartCount: 0, state };
	return { ...runningPod(), status: { phase: "Failed", containerStatuses: [status], ...podStatus } };
}

function report(fields: object): string {
	return JSON.stringify({ bootId: "boot-1", since: "2026-11-24T02:00:00Z", kernel: "6.8.0", packages: ["linux-image"], ...fields });
}

test("only a toleration that the scheduler would honour keeps a pod on a cordoned node", () => {
	const cases: [V1Toleration, boolean][] = [
		[{ operator: "Exists" }, true],
		[{ operator: "Exists", effect: "NoSchedule" }, true],
		[{ operator: "Exists", effect: "NoExecute" }, false],
		[{ key: "node.kubernetes.io/unschedulable", operator: "Exists" }, true],
		[{ key: "node.kubernetes.io/unschedulable" }, true],
		[{ key: "node.kubernetes.io/unschedulable", operator: "Equal", value: "", effect: "NoSchedule", tolerationSeconds: 5 }, true],
		[{ key: "node.kubernetes.io/unschedulable", operator: "Equal", value: "true" }, false],
		[{ key: "node.kubernetes.io/not-ready", operator: "Exists" }, false],
		[{ key: "node.kubernetes.io/unschedulable", operator: "Gt", value: "" }, false],
		[{ operator: "Equal", value: "" }, false],
	];
	for (const [toleration, expected] of cases) assert.equal(toleratesCordon(toleration), expected, JSON.stringify(toleration));
});

test("a stranger's pod never passes for one of ours by its label alone", () => {
	assert.equal(podFacts(sentinelPodOf("sentinel"), true).ours, "sentinel");
	assert.equal(podFacts(sentinelPodOf("another"), true).ours, null);
	const labelled = (namespace: string, name: string, app: string): V1Pod => ({
		...runningPod(),
		metadata: { ...runningPod().metadata, namespace, name, labels: { app } },
	});
	assert.equal(podFacts(labelled("shop", "sentinel-x", "sentinel"), true).ours, null);
	assert.equal(podFacts(labelled("shop", "reboot-b-1", "reboot"), true).ours, null);
	assert.equal(podFacts(labelled("aks-reboot-scheduler", "web-1", "reboot"), true).ours, null);
	assert.equal(podFacts(labelled("aks-reboot-scheduler", "reboot-b-1", "reboot"), true).ours, "reboot");
});

test("a pod's planned end is told, not the moment at which its deletion was asked for", () => {
	const pod = runningPod();
	const end = new Date("2026-11-24T03:00:00Z");
	assert.equal(podFacts({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: end } }, true).deletionAt, end.getTime());
	assert.deepEqual([podFacts(pod, true).deletionAt, podFacts(pod, true).createdAt], [null, created.getTime()]);
});

test("a pod that starts or ended well has no trouble; one that cannot start or failed says why", () => {
	assert.equal(podFacts(withContainer({ waiting: { reason: "ContainerCreating" } }), true).trouble, null);
	assert.equal(podFacts(withContainer({ terminated: { exitCode: 0, reason: "Completed", message: "sent" } }), true).trouble, null);
	assert.equal(podFacts(withContainer({ waiting: { reason: "ErrImagePull", message: "no such\nimage" } }), true).trouble, "ErrImagePull: no such image");
	assert.equal(
		podFacts(withContainer({ terminated: { exitCode: 12, reason: "Error", message: "not sent: too late" } }), true).trouble,
		"Error (exit code 12): not sent: too late",
	);
	const evicted = { ...runningPod(), status: { phase: "Failed", reason: "OutOfpods", message: "Node didn't have enough resource" } };
	assert.equal(podFacts(evicted, true).trouble, "OutOfpods: Node didn't have enough resource");
	const disrupted = { type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager", message: "deleting due to NoExecute taint" };
	assert.match(podFacts({ ...runningPod(), status: { phase: "Pending", conditions: [disrupted] } }, true).trouble ?? "", /^DeletionByTaintManager/);
});

test("a report that a node made up is garbled, and reading it never throws", () => {
	assert.equal(parseReport(undefined).kind, "none");
	for (const fields of [{ bootId: "" }, { bootId: 5 }, { since: "soon" }, { since: undefined }, { kernel: 1 }, { packages: "all" }, { packages: [1] }]) {
		assert.equal(parseReport(report(fields)).kind, "garbled", JSON.stringify(fields));
	}
	fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => ["garbled", "report"].includes(parseReport(text).kind)));
});

test("a report is read with its time, also that of a node that needs no reboot", () => {
	assert.deepEqual(parseReport(report({})), {
		kind: "report",
		report: { bootId: "boot-1", since: created.getTime(), kernelVersion: "6.8.0", packages: ["linux-image"] },
	});
	const quiet = parseReport(report({ since: null, packages: [] }));
	assert.equal(quiet.kind === "report" && quiet.report.since, null);
});

test("a report cannot fill the table", () => {
	const huge = parseReport(report({ packages: Array.from({ length: 5000 }, (_, i) => `${i}-${"x".repeat(500)}`), kernel: "k".repeat(5000) }));
	assert.ok(huge.kind === "report");
	assert.ok(JSON.stringify(huge).length < 12_000);
});

test("the sentinel's image is its own container's, not that of one that was injected before it", () => {
	const container = (name: string, image: string) => ({ name, image, imagePullPolicy: "IfNotPresent" });
	const seen = sentinelDaemonSet({
		metadata: { uid: "ds-1" },
		spec: {
			selector: {},
			template: { spec: { containers: [container("proxy", "mesh:1"), container("sentinel", "sentinel:1")], imagePullSecrets: [{ name: "pull" }, {}] } },
		},
		status: { currentNumberScheduled: 2, desiredNumberScheduled: 3, numberMisscheduled: 0, numberReady: 2 },
	});
	assert.deepEqual(seen, { uid: "ds-1", image: "sentinel:1", imagePullPolicy: "IfNotPresent", imagePullSecrets: ["pull"], desired: 3, ready: 2 });
});

test("budgets are matched by policy/v1's rules: an empty selector matches everything, a missing one nothing", () => {
	const labels = { app: "web", tier: "front" };
	assert.equal(matchesSelector(undefined, labels), false);
	assert.equal(matchesSelector({}, labels), true);
	assert.equal(matchesSelector({ matchLabels: { app: "web", tier: "back" } }, labels), false);
	const cases: [string, string[] | undefined, string, boolean][] = [
		["In", ["front"], "tier", true],
		["In", ["front"], "zone", false],
		["NotIn", ["front"], "tier", false],
		["NotIn", ["front"], "zone", true],
		["Exists", undefined, "tier", true],
		["Exists", undefined, "zone", false],
		["DoesNotExist", undefined, "tier", false],
		["DoesNotExist", undefined, "zone", true],
		["Near", ["front"], "tier", false],
	];
	for (const [operator, values, key, expected] of cases) {
		assert.equal(matchesSelector({ matchExpressions: [{ key, operator, ...(values ? { values } : {}) }] }, labels), expected, `${operator} ${key}`);
	}
	const budget = (name: string, app: string) => ({ metadata: { name }, spec: { selector: { matchLabels: { app } } } });
	assert.deepEqual(budgetsOf([budget("b", "web"), budget("c", "db"), budget("a", "web")], labels), ["a", "b"]);
});
