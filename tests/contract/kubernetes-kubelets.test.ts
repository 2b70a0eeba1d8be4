// What simulated kubelets and workloads rely on, call by call: status patches, the end of a bound pod, watches.
import assert from "node:assert/strict";
import { namespace } from "../../lib/plan/model.ts";
import type { ApiError, KubeObject, PatchType, WatchEvent } from "../real/api-client.ts";
import type { Node, Pod } from "../real/objects.ts";
import { until } from "../waiting.ts";
import { anotherUid, exists, fresh, node, pod, runningAndReady } from "./kubernetes-fixtures.ts";
import { contract, type Subject } from "./kubernetes-implementations.ts";

const leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

function podPath(ref: { readonly namespace: string; readonly name: string }): string {
	return `/api/v1/namespaces/${ref.namespace}/pods/${ref.name}`;
}

/** The status, reason and message of a call that is refused. */
async function refused(call: Promise<unknown>): Promise<ApiError> {
	return call.then(
		() => assert.fail("expected the call to be refused"),
		(error: ApiError) => error,
	);
}

async function assertRefused(call: Promise<unknown>, status: number, reason: string): Promise<void> {
	const error = await refused(call);
	assert.deepEqual([error.status, error.reason], [status, reason], error.message);
}

interface Watched {
	readonly path: string;
	/** A resource version; empty: whatever is there now. */
	readonly from: string;
}

/** Events, bookmarks apart, while something is done: until as many have come, or until one of the given type has. */
async function eventsOf<T extends KubeObject>(
	{ server }: Subject,
	{ path, from }: Watched,
	enough: number | "DELETED",
	act: () => Promise<unknown>,
): Promise<WatchEvent<T>[]> {
	const events: WatchEvent<T>[] = [];
	const abort = new AbortController();
	const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=600&resourceVersion=${from}`;
	const watching = server.api.watch<T>(
		`${path}${path.includes("?") ? "&" : "?"}${query}`,
		(event) => event.type !== "BOOKMARK" && events.push(event),
		abort.signal,
	);
	const ended = watching.catch((error: unknown) => error);
	await act();
	const complete = async () => (enough === "DELETED" ? events.some(({ type }) => type === enough) : events.length >= enough);
	await until(`events: ${enough}`, complete).finally(() => abort.abort());
	await ended;
	return events;
}

async function listed({ server }: Subject, path: string): Promise<Watched> {
	const { metadata } = await server.api.get<{ metadata: { resourceVersion: string } }>(path);
	return { path, from: metadata.resourceVersion };
}

function told(events: readonly WatchEvent<KubeObject>[]): readonly string[] {
	return events.map(({ type, object }) => `${type} ${object.metadata.name}`);
}

/** What is common to the statuses of pods and nodes. */
type WithConditions = { readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[] } };

function conditionsOf({ status }: WithConditions): readonly string[] {
	return (status.conditions ?? []).map((each) => [each.type, each.status, each.reason ?? ""].join(" ").trim()).sort();
}

contract((subject) => {
	const strategic = <T = KubeObject>(path: string, body: object, type: PatchType = "strategic") => subject.server.api.patch<T>(path, body, type);

	subject.test("a status patch merges conditions by their type, takes away what is null and replaces what is no list of the kind", async () => {
		const ref = await pod(subject.server, { status: null });
		const status = (conditions: object[], more: object = {}) => strategic<Pod>(`${podPath(ref)}/status`, { status: { conditions, ...more } });
		await status(
			[
				{ type: "Ready", status: "False", reason: "ContainersNotReady" },
				{ type: "Initialized", status: "True" },
			],
			{ phase: "Pending" },
		);
		const made = await status([{ type: "Ready", status: "True", reason: null }], { phase: "Running" });
		assert.deepEqual(conditionsOf(made), ["Initialized True", "Ready True"]);
		assert.equal(made.status.phase, "Running");
		const container = { name: "main", image: "i", imageID: "", ready: true, restartCount: 0, lastState: {} };
		await status([], { containerStatuses: [{ ...container, state: { running: { startedAt: "2026-11-24T02:00:00Z" } } }] });
		const ended = await status([], { containerStatuses: [{ ...container, ready: false, state: { terminated: { exitCode: 137 } } }] });
		assert.deepEqual(
			ended.status.containerStatuses?.map((each) => [each.state.running, each.state.terminated?.exitCode]),
			[[undefined, 137]],
		);
	});

	subject.test("a kubelet's status reaches the status alone, and a patch of the object the spec alone", async () => {
		const name = await node(subject.server);
		await strategic(`/api/v1/nodes/${name}/status`, { spec: { unschedulable: true }, status: { conditions: [{ type: "DiskPressure", status: "False" }] } });
		const object = await strategic<Node>(`/api/v1/nodes/${name}`, { metadata: { labels: { by: "test" } }, status: { nodeInfo: { bootID: "forged" } } });
		assert.deepEqual([object.spec.unschedulable, object.status.nodeInfo.bootID, object.metadata.labels?.by], [undefined, `boot-of-${name}`, "test"]);
		assert.deepEqual(conditionsOf(object), ["DiskPressure False", "Ready True Test"]);
	});

	subject.test("a status for another object of that name is refused and changes nothing", async () => {
		const ref = await pod(subject.server, { status: null });
		await assertRefused(strategic(`${podPath(ref)}/status`, { metadata: { uid: anotherUid }, status: { phase: "Running" } }), 422, "Invalid");
		assert.equal(((await exists(subject.server, ref)) as Pod).status.phase, "Pending");
		const name = await node(subject.server);
		await assertRefused(strategic(`/api/v1/nodes/${name}/status`, { metadata: { uid: anotherUid }, status: {} }), 422, "Invalid");
		await strategic(`${podPath(ref)}/status`, { metadata: { uid: ref.uid }, status: { phase: "Running" } });
		await assertRefused(strategic(`${podPath({ ...ref, name: "nobody" })}/status`, { status: {} }), 404, "NotFound");
	});

	subject.test("a pod stays on its node: its spec is not changed by a patch", async () => {
		const ref = await pod(subject.server);
		await assertRefused(strategic(podPath(ref), { spec: { nodeName: "another" } }, "merge"), 422, "Invalid");
	});

	subject.test("a name that is taken is a conflict, and one in a namespace that is not there is not found", async () => {
		const ref = await pod(subject.server);
		await assertRefused(pod(subject.server, ref), 409, "AlreadyExists");
		await assertRefused(subject.server.api.post("/api/v1/nodes", { metadata: { name: await node(subject.server) } }), 409, "AlreadyExists");
		await assertRefused(pod(subject.server, { namespace: "nowhere" }), 404, "NotFound");
	});

	subject.test("a node's Lease is not found until it is made, and renewed by a patch", async () => {
		const name = await node(subject.server);
		const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: "2026-11-24T02:00:00.000000Z" };
		await assertRefused(strategic(`${leases}/${name}`, { spec }, "merge"), 404, "NotFound");
		await subject.server.api.post(leases, { metadata: { name }, spec });
		const renewed = await strategic<{ spec: typeof spec }>(`${leases}/${name}`, { spec: { ...spec, renewTime: "2026-11-24T02:00:10.000000Z" } }, "merge");
		assert.deepEqual(renewed.spec, { ...spec, renewTime: "2026-11-24T02:00:10.000000Z" });
	});

	subject.test("a sentinel's label and annotation are set and taken away by a merge patch of its own pod", async () => {
		const ref = await pod(subject.server, { namespace, labels: { app: "sentinel" } });
		const metadata = { labels: { asks: "true" }, annotations: { report: "{}" } };
		assert.deepEqual((await strategic(podPath(ref), { metadata }, "merge")).metadata.labels, { app: "sentinel", asks: "true" });
		const after = (await strategic(podPath(ref), { metadata: { labels: { asks: null } } }, "merge")).metadata;
		assert.deepEqual([after.labels, after.annotations], [{ app: "sentinel" }, { report: "{}" }]);
	});

	subject.test("a pod that is bound ends only when its kubelet says so: grace may be shortened, never lengthened", async () => {
		const ref = await pod(subject.server);
		const end = (options: object) => subject.server.api.delete<KubeObject>(podPath(ref), options);
		const graceAfter = async (options: object) => (await end(options)).metadata.deletionGracePeriodSeconds;
		assert.equal(await graceAfter({}), 30);
		const planned = Date.parse((await exists(subject.server, ref))?.metadata.deletionTimestamp ?? "");
		assert.ok(Math.abs(planned - Date.now() - 30_000) < 10_000, `${planned}`);
		assert.equal(await graceAfter({ gracePeriodSeconds: 5 }), 5);
		assert.equal(await graceAfter({ gracePeriodSeconds: 50 }), 5);
		await assertRefused(end({ gracePeriodSeconds: 0, preconditions: { uid: anotherUid } }), 409, "Conflict");
		assert.notEqual(await exists(subject.server, ref), null);
		await end({ gracePeriodSeconds: 0, preconditions: { uid: ref.uid } });
		assert.equal(await exists(subject.server, ref), null);
		await assertRefused(end({ gracePeriodSeconds: 0 }), 404, "NotFound");
	});

	for (const [what, state, left] of [
		["on no node", { spec: { nodeName: "" }, status: null }, null],
		["that failed", { status: { phase: "Failed" } }, null],
		["that succeeded", { status: { phase: "Succeeded" } }, null],
		["that is bound and pending", { status: null }, 30],
		["with a grace period of its own", { spec: { terminationGracePeriodSeconds: 7 } }, 7],
		["that runs", { status: runningAndReady }, 30],
	] as const)
		subject.test(`a pod ${what} ${left === null ? "goes at once" : "is left to its kubelet"} when it is deleted`, async () => {
			const ref = await pod(subject.server, state);
			await subject.server.api.delete(podPath(ref));
			assert.equal((await exists(subject.server, ref))?.metadata.deletionGracePeriodSeconds ?? null, left);
		});

	subject.test("a node is gone as soon as it is deleted, unless a finalizer holds it", async () => {
		const name = await node(subject.server);
		await subject.server.api.delete(`/api/v1/nodes/${name}`);
		assert.equal(await subject.api.node(name), "absent");
		const held = await node(subject.server);
		await strategic(`/api/v1/nodes/${held}`, { metadata: { finalizers: ["tests/stays"] } }, "merge");
		await subject.server.api.delete(`/api/v1/nodes/${held}`);
		const facts = await subject.api.node(held);
		assert.ok(facts !== "absent" && facts.deleting);
		await strategic(`/api/v1/nodes/${held}`, { metadata: { finalizers: null } }, "merge");
		assert.equal(await subject.api.node(held), "absent");
	});

	subject.test("a watch tells every change after the version it begins at, in order, and not what changed nothing", async () => {
		const name = fresh("watched");
		const watched = await listed(subject, "/api/v1/nodes");
		const events = await eventsOf<Node>(subject, watched, 3, async () => {
			await subject.server.api.post("/api/v1/nodes", { metadata: { name } });
			for (let i = 0; i < 2; i++) await strategic(`/api/v1/nodes/${name}`, { metadata: { labels: { a: "1" } } }, "merge");
			await subject.server.api.delete(`/api/v1/nodes/${name}`);
		});
		assert.deepEqual(told(events), [`ADDED ${name}`, `MODIFIED ${name}`, `DELETED ${name}`]);
		const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
		assert.deepEqual(
			versions,
			[...versions].sort((one, other) => one - other),
		);
		assert.ok(Number(watched.from) < (versions[0] ?? 0));
		assert.deepEqual(
			events.map(({ object }) => object.kind),
			["Node", "Node", "Node"],
		);
		// The same again for one who begins late.
		assert.deepEqual(told(await eventsOf(subject, watched, 3, async () => {})), told(events));
	});

	subject.test("a watch of what is bound tells a pod when its node is set, and tells its end", async () => {
		const watched = await listed(subject, `/api/v1/pods?fieldSelector=${encodeURIComponent("spec.nodeName!=")}`);
		let name = "";
		const events = await eventsOf<Pod>(subject, watched, "DELETED", async () => {
			await pod(subject.server, { spec: { nodeName: "" }, status: null });
			const ref = await pod(subject.server, { status: runningAndReady });
			name = ref.name;
			await subject.server.api.delete(podPath(ref));
			await subject.server.api.delete(podPath(ref), { gracePeriodSeconds: 0 });
		});
		const changes = told(events);
		// A real server writes the last grace period before it removes: one more change, of which nobody makes anything. (It is why changes are not counted.)
		assert.deepEqual([...new Set(changes)], [`ADDED ${name}`, `MODIFIED ${name}`, `DELETED ${name}`]);
	});

	subject.test("a watch with a selector adds what begins to match and deletes what no longer does", async () => {
		const name = await node(subject.server);
		const watched = await listed(subject, "/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue");
		const events = await eventsOf(subject, watched, 3, async () => {
			await strategic(`/api/v1/nodes/${name}`, { metadata: { labels: { a: "1" } } }, "merge");
			await strategic(`/api/v1/nodes/${name}`, { spec: { unschedulable: true } }, "merge");
			await strategic(`/api/v1/nodes/${name}`, { metadata: { labels: { a: "2" } } }, "merge");
			await strategic(`/api/v1/nodes/${name}`, { spec: { unschedulable: null } }, "merge");
		});
		assert.deepEqual(told(events), [`ADDED ${name}`, `MODIFIED ${name}`, `DELETED ${name}`]);
	});

	subject.test("a watch that begins at no version tells first what is there", async () => {
		const name = await node(subject.server, { labels: { suite: "present" } });
		const events = await eventsOf(subject, { path: "/api/v1/nodes?labelSelector=suite%3Dpresent", from: "" }, 1, async () => {});
		assert.deepEqual(told(events), [`ADDED ${name}`]);
	});

	subject.test("a watch ends by itself at its time limit, and not with an error", async () => {
		const { from } = await listed(subject, "/api/v1/nodes");
		const types: string[] = [];
		const path = `/api/v1/nodes?watch=true&allowWatchBookmarks=true&timeoutSeconds=1&resourceVersion=${from}`;
		await subject.server.api.watch(path, ({ type }) => types.push(type), new AbortController().signal);
		assert.ok(!types.includes("ERROR"), types.join());
	});

	subject.test("what is applied is made, then changed, by its manager; what another set is left alone", async () => {
		const name = fresh("applied");
		const path = `/apis/policy/v1/namespaces/default/poddisruptionbudgets/${name}`;
		const applied = `${path}?fieldManager=tests&force=true`;
		const manifest = (minAvailable: number) => {
			const spec = { minAvailable, selector: { matchLabels: { app: name } } };
			return { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name, namespace: "default" }, spec };
		};
		type Budget = { readonly metadata: KubeObject["metadata"] & { readonly generation?: number }; readonly spec: { readonly minAvailable: number } };
		const made = await strategic<Budget>(applied, manifest(1), "apply");
		await strategic(path, { metadata: { annotations: { by: "another" } } }, "merge");
		const changed = await strategic<Budget>(applied, manifest(2), "apply");
		assert.deepEqual([changed.metadata.uid, changed.spec.minAvailable, changed.metadata.annotations], [made.metadata.uid, 2, { by: "another" }]);
		assert.deepEqual([made.metadata.generation, changed.metadata.generation], [1, 2]);
	});
});
