// Sentinels, pods of a node, the reboot pod and the owner Lease, with the shipped rights.
import assert from "node:assert/strict";
import { askLabel } from "../../lib/kubernetes/reboot-pod.ts";
import { fieldManager, namespace } from "../../lib/plan/model.ts";
import { rebootPodName } from "../../lib/plan/step.ts";
import type { PodRef, RebootPodSpec } from "../../lib/tick/world.ts";
import { shippedImage } from "../lab/manifests.ts";
import type { KubeObject } from "../real/api-client.ts";
import type { Pod } from "../real/objects.ts";
import { until } from "../waiting.ts";
import { anotherUid, exists, failureOf, fresh, makeMany, node, type PodState, pod, runningAndReady } from "./kubernetes-fixtures.ts";
import { contract, type Subject } from "./kubernetes-implementations.ts";
import { recording } from "./kubernetes-server.ts";

const daemonSetPath = `/apis/apps/v1/namespaces/${namespace}/daemonsets/sentinel`;
const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/owner`;
const asks = { app: "sentinel", "aks-reboot-scheduler/reboot-required": "true" };

/** A sentinel pod whose node waits for a reboot, unless told otherwise. */
async function sentinel({ server }: Subject, state: PodState & { readonly report?: string } = {}): Promise<PodRef> {
	const { report = '{"bootId":"b","since":"2026-11-24T02:00:00Z","kernel":"6.8.0","packages":["linux"]}', ...rest } = state;
	const { metadata } = await server.api.get<KubeObject>(daemonSetPath);
	const ownerReferences = [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "sentinel", uid: metadata.uid, controller: true }];
	const annotations = { "aks-reboot-scheduler/report": report };
	return pod(server, { name: fresh("sentinel"), namespace, labels: asks, annotations, ownerReferences, ...rest });
}

let asked = 0;

/** One that the shipped policy admits: as the DaemonSet has it, here with a pull secret. */
async function anAsk({ server, api }: Subject): Promise<RebootPodSpec> {
	const now = Date.now();
	await server.api.patch(daemonSetPath, { spec: { template: { spec: { imagePullSecrets: [{ name: "pull" }] } } } });
	const ask: RebootPodSpec = {
		node: await node(server),
		bootId: `0f0e0d0c-1111-4222-8333-${String(++asked).padStart(12, "0")}`,
		ask: 1,
		notBefore: now - 60_000,
		notAfter: now + 300_000,
		image: shippedImage,
		imagePullPolicy: "IfNotPresent",
		imagePullSecrets: ["pull"],
	};
	await until("the policy knows of the pull secret", () =>
		api.createRebootPod(ask, { dryRun: true }).then(
			() => true,
			() => false,
		),
	);
	return ask;
}

function refOf(ask: RebootPodSpec, uid = ""): PodRef {
	return { namespace, name: rebootPodName(ask.bootId, ask.ask), uid };
}

async function created({ server, api }: Subject, ask: RebootPodSpec): Promise<Pod> {
	await api.createRebootPod(ask, { dryRun: false });
	return ((await exists(server, refOf(ask))) ?? assert.fail("the reboot pod is not there")) as Pod;
}

contract((subject) => {
	subject.test("nodes that wait are told by their sentinels, and garbled reports are told instead of failing the list", async () => {
		const on = await node(subject.server);
		const waits = await sentinel(subject, { node: on });
		const garbled = await sentinel(subject, { report: "{" });
		const quiet = await sentinel(subject, { labels: { app: "sentinel" } });
		const elsewhere = await pod(subject.server, { labels: asks });
		const waiting = new Map((await subject.api.listWaiting()).sentinels.map((each) => [each.podName, each]));
		assert.deepEqual(waiting.get(waits.name), {
			node: on,
			podName: waits.name,
			ready: true,
			deleting: false,
			asks: true,
			report: { kind: "report", report: { bootId: "b", since: Date.parse("2026-11-24T02:00:00Z"), kernelVersion: "6.8.0", packages: ["linux"] } },
		});
		assert.equal(waiting.get(garbled.name)?.report.kind, "garbled");
		assert.deepEqual([waiting.has(quiet.name), waiting.has(elsewhere.name)], [false, false]);
	});

	subject.test("the sentinel DaemonSet is read with its image and counts, and its absence is told", async () => {
		const status = { desiredNumberScheduled: 5, numberReady: 4, currentNumberScheduled: 5, numberMisscheduled: 0 };
		await subject.server.api.patch(`${daemonSetPath}/status`, { status });
		const seen = await subject.api.sentinelDaemonSet();
		assert.ok(seen !== "absent");
		assert.deepEqual([seen.desired, seen.ready, seen.imagePullPolicy, seen.imagePullSecrets], [5, 4, "IfNotPresent", []]);
		assert.match(seen.image, /@sha256:/);
		assert.deepEqual(await subject.api.listDaemonSets(), [{ namespace, name: "sentinel", uid: seen.uid }]);
		await subject.server.api.delete(`${daemonSetPath}?propagationPolicy=Background`);
		assert.equal(await subject.api.sentinelDaemonSet(), "absent");
		assert.deepEqual(await subject.api.listDaemonSets(), [], "an empty list of metadata alone has no items at all");
		await subject.applyShipped();
	});

	subject.test("the pods of one node are read with all that verdicts need, and none of another node", async () => {
		const on = fresh("node");
		const controller = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "rs-1", controller: true };
		const spec = { volumes: [{ name: "scratch", emptyDir: {} }], tolerations: [{ operator: "Exists" }] };
		const web = await pod(subject.server, { node: on, ownerReferences: [controller], spec });
		const mirror = await pod(subject.server, {
			node: on,
			annotations: { "kubernetes.io/config.mirror": "x" },
			status: { phase: "Failed", reason: "Evicted", message: "low on memory" },
		});
		const ours = await sentinel(subject, { node: on });
		await pod(subject.server, { node: fresh("node") });
		const pods = new Map((await subject.api.podsOn(on, null)).map((each) => [each.name, each]));
		assert.deepEqual([...pods.keys()].sort(), [web.name, mirror.name, ours.name].sort());
		const { createdAt, ...rest } = pods.get(web.name) ?? assert.fail("the pod is not listed");
		assert.ok(Math.abs(createdAt - Date.now()) < 60_000);
		assert.deepEqual(rest, {
			...web,
			node: on,
			phase: "Running",
			ready: true,
			deletionAt: null,
			controller: { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "rs-1" },
			mirror: false,
			emptyDir: true,
			toleratesCordon: true,
			selected: true,
			ours: null,
			sentinel: null,
			containerIds: ["containerd://1"],
			trouble: null,
		});
		assert.deepEqual([pods.get(mirror.name)?.mirror, pods.get(mirror.name)?.trouble], [true, "Evicted: low on memory"]);
		assert.deepEqual([pods.get(ours.name)?.ours, pods.get(ours.name)?.sentinel?.asks], ["sentinel", true]);
	});

	for (const [selector, expected] of [
		["app=web", ["web"]],
		["app==web", ["web"]],
		["app!=web", ["db", "none"]],
		["app in (web,api),tier!=back", ["web"]],
		["app notin (web)", ["db", "none"]],
		["app", ["web", "db"]],
		["!app", ["none"]],
		["app in (web, db),tier", ["db"]],
		["app=nothing", []],
	] as const)
		subject.test(`a drain's pod selector decides which pods are selected: ${selector}`, async () => {
			const on = fresh("node");
			const labels = { web: { app: "web" }, db: { app: "db", tier: "back" }, none: {} } as const;
			const names = new Map<string, string>();
			for (const [which, each] of Object.entries(labels)) names.set((await pod(subject.server, { node: on, labels: each })).name, which);
			const selected = (await subject.api.podsOn(on, selector)).filter((each) => each.selected).map((each) => names.get(each.name) ?? "");
			assert.deepEqual(selected.sort(), [...expected].sort());
		});

	subject.test("a drain's pod selector that is none fails the list", async () => {
		for (const selector of ["app in (", "app in web", "=web", "a b"]) {
			const error = await failureOf(subject.api.podsOn("node-of-nobody", selector));
			assert.deepEqual([error.failure, error.status], ["invalid", 400], selector);
		}
	});

	subject.test("more pods on a node than a page holds are read to the end, those that are selected too", async () => {
		const on = fresh("node");
		await makeMany(510, (index) => pod(subject.server, { node: on, labels: { app: index % 51 === 0 ? "db" : "web" }, status: null }));
		const pods = await subject.api.podsOn(on, "app=web");
		assert.equal(new Set(pods.map((each) => each.uid)).size, 510);
		assert.equal(pods.filter((each) => each.selected).length, 500);
	});

	subject.test("a pod that terminates tells its planned end, grace period included", async () => {
		const on = fresh("node");
		await subject.api.evict(await pod(subject.server, { node: on }), { gracePeriodSeconds: 600, dryRun: false });
		const [facts] = await subject.api.podsOn(on, null);
		assert.ok(facts?.deletionAt && Math.abs(facts.deletionAt - Date.now() - 600_000) < 30_000);
	});

	subject.test("the reboot pod is created as it was asked for: nothing that makes it is dropped or added to", async () => {
		const ask = await anAsk(subject);
		const made = await created(subject, ask);
		assert.deepEqual(made.metadata.labels, { app: "reboot", [askLabel]: "1", "aks-reboot-scheduler/reboot-required": "asked" });
		const managers = made.metadata.managedFields?.map((each) => each.manager);
		assert.deepEqual(managers, [fieldManager]);
		const { nodeName, hostPID, priority, tolerations, restartPolicy, containers } = made.spec as Pod["spec"] & { readonly priority?: number };
		assert.deepEqual([nodeName, hostPID, priority, restartPolicy], [ask.node, true, 2_000_001_000, "Never"]);
		assert.deepEqual(tolerations, [{ operator: "Exists" }]);
		assert.deepEqual(containers[0]?.securityContext, {
			runAsUser: 0,
			runAsGroup: 0,
			runAsNonRoot: false,
			privileged: false,
			allowPrivilegeEscalation: false,
			readOnlyRootFilesystem: true,
			capabilities: { drop: ["ALL"] },
			seccompProfile: { type: "RuntimeDefault" },
			appArmorProfile: { type: "Unconfined" },
		});
		const [seen] = await subject.api.podsOn(ask.node, null);
		assert.deepEqual([seen?.ours, seen?.uid, seen?.phase, seen?.ready], ["reboot", made.metadata.uid, "Pending", false]);
	});

	subject.test("asking again for the same is no error, and asking for something else under that name is a conflict", async () => {
		const ask = await anAsk(subject);
		const first = await created(subject, ask);
		assert.equal((await created(subject, ask)).metadata.uid, first.metadata.uid);
		const error = await failureOf(subject.api.createRebootPod({ ...ask, notAfter: ask.notAfter - 60_000 }, { dryRun: false }));
		assert.deepEqual([error.failure, error.mayHaveApplied], ["conflict", false]);
		assert.equal((await failureOf(subject.api.createRebootPod({ ...ask, node: "another" }, { dryRun: false }))).failure, "conflict");
	});

	subject.test("a dry run of the reboot pod creates nothing, also beside one that is there", async () => {
		const ask = await anAsk(subject);
		await subject.api.createRebootPod(ask, { dryRun: true });
		assert.equal(await exists(subject.server, refOf(ask)), null);
		const made = await created(subject, ask);
		await subject.api.createRebootPod(ask, { dryRun: true });
		assert.deepEqual(await exists(subject.server, refOf(ask)), made);
	});

	subject.test("a reboot pod is deleted at once and by its UID, also where no kubelet answers", async () => {
		const ask = await anAsk(subject);
		const { uid } = (await created(subject, ask)).metadata;
		const { name } = refOf(ask);
		const listed = async () => (await subject.api.listWaiting()).rebootPods.filter((each) => each.name === name);
		assert.deepEqual(await listed(), [{ name, uid, node: ask.node }], "the list of those that wait tells of it too");
		await subject.api.deleteRebootPod({ name, uid: anotherUid });
		assert.notEqual(await exists(subject.server, refOf(ask)), null);
		await subject.api.deleteRebootPod({ name, uid });
		assert.equal(await exists(subject.server, refOf(ask)), null);
		assert.deepEqual(await listed(), []);
		await subject.api.deleteRebootPod({ name, uid });
	});

	subject.test("a reboot pod that is being deleted does not pass for the ask", async () => {
		const ask = await anAsk(subject);
		await created(subject, ask);
		const path = `/api/v1/namespaces/${namespace}/pods/${refOf(ask).name}`;
		await subject.server.api.patch(`${path}/status`, { status: runningAndReady });
		await subject.server.api.delete(path, { gracePeriodSeconds: 60 });
		assert.equal((await failureOf(subject.api.createRebootPod(ask, { dryRun: false }))).failure, "conflict");
	});

	subject.test("the owner Lease is nobody's while it is missing or empty, and is claimed by one alone", async () => {
		const { api, server } = subject;
		assert.deepEqual(await api.owner(), { kind: "absent" });
		await api.claim("first");
		assert.deepEqual(await api.owner(), { kind: "named", holder: "first" });
		assert.equal((await failureOf(api.claim("second"))).failure, "conflict");
		await api.claim("first");
		await server.api.patch(leasePath, { spec: { holderIdentity: "" } });
		assert.deepEqual(await api.owner(), { kind: "absent" });
		await api.claim("second");
		assert.deepEqual(await api.owner(), { kind: "named", holder: "second" });
		// As the message for operators says it.
		await server.api.patch(leasePath, { spec: { holderIdentity: "third" } }, "merge");
		assert.deepEqual(await api.owner(), { kind: "named", holder: "third" });
		for (const state of ["missing", "empty"]) {
			if (state === "missing") await server.api.delete(leasePath);
			else await server.api.patch(leasePath, { spec: { holderIdentity: null } });
			const claims = await Promise.allSettled(["a", "b", "c", "d"].map((holder) => api.claim(holder)));
			assert.equal(claims.filter((claim) => claim.status === "fulfilled").length, 1, state);
		}
	});

	subject.test("the cluster's id is the UID of namespace kube-system, which the shipped rights may read", async () => {
		assert.equal(await subject.api.clusterUid(), (await subject.server.api.get("/api/v1/namespaces/kube-system")).metadata.uid);
	});

	subject.test("twenty calls one after the other share a connection, and every request says who makes it", async (context) => {
		const { api, recorder } = await recording(subject.server, context);
		for (let i = 0; i < 20; i++) await api.listCordoned();
		assert.ok(recorder.connections <= 2, `${recorder.connections} connections`);
		context.diagnostic(`20 calls: ${recorder.connections} TLS connections`);
		assert.deepEqual(new Set(recorder.asked.map((each) => `${each.method} ${each.userAgent}`)), new Set(["GET aks-reboot-scheduler/0.0.0-test"]));
		assert.equal(recorder.asked.length, 20);
	});

	subject.test("an idle look is three requests and a few kilobytes", async (context) => {
		await subject.server.api.delete(`/api/v1/namespaces/${namespace}/pods?gracePeriodSeconds=0`);
		const { api, recorder } = await recording(subject.server, context);
		for (let look = 1; look <= 2; look++) {
			const bytesBefore = recorder.bytesSent;
			const [waiting, daemonSet, cordoned] = await Promise.all([api.listWaiting(), api.sentinelDaemonSet(), api.listCordoned()]);
			assert.deepEqual([waiting, cordoned], [{ sentinels: [], rebootPods: [] }, []]);
			assert.notEqual(daemonSet, "absent");
			const bytes = recorder.bytesSent - bytesBefore;
			context.diagnostic(`look ${look}: ${bytes} bytes on the wire, ${recorder.connections} TLS connections so far`);
			assert.ok(bytes < 40_000, `${bytes} bytes`);
		}
		assert.equal(recorder.asked.length, 6);
	});

	subject.test("dry runs carry dryRun=All where audit logs and proxies look for it", async (context) => {
		const { api, recorder } = await recording(subject.server, context);
		await api.evict(await pod(subject.server), { gracePeriodSeconds: null, dryRun: true });
		await api.createRebootPod(await anAsk(subject), { dryRun: true });
		assert.deepEqual(
			recorder.asked.map(({ method, url }) => [method, new URL(url, "https://api").searchParams.get("dryRun")]),
			[
				["POST", "All"],
				["POST", "All"],
			],
		);
	});

	subject.test("in a namespace that was deleted the list of sentinels is empty, and the DaemonSet's absence tells", async () => {
		await subject.server.api.delete(`/api/v1/namespaces/${namespace}`);
		// As the namespace controller empties it.
		for (const path of [`/api/v1/namespaces/${namespace}/pods?gracePeriodSeconds=0`, daemonSetPath, leasePath]) await subject.server.api.delete(path);
		assert.deepEqual(await subject.api.listWaiting(), { sentinels: [], rebootPods: [] });
		assert.equal(await subject.api.sentinelDaemonSet(), "absent");
		assert.deepEqual(await subject.api.owner(), { kind: "absent" });
	});
});
