import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterTarget, type Settings, targetId } from "../../lib/plan/policy.ts";
import { parseSettings } from "../../lib/settings/settings.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import { sideBySide } from "../../lib/tick/perform.ts";
import { round, roundLimits, Worker } from "../../lib/tick/round.ts";
import { fleetPartition, leaseKey, partitionOf, textOf } from "../../lib/tick/rows.ts";
import { parseSummary } from "../../lib/tick/summary.ts";
import type { Configuration } from "../../lib/tick/tick.ts";
import type { ClusterApi, JournalLine, World } from "../../lib/tick/world.ts";
import { countingIds, MemoryTable, StillClock } from "./memory-table.ts";
import { metadataOf, nodeInService, sentinelThatAsks } from "./states.ts";

/** A cluster in which nothing waits. What a test does not expect to be called fails it. */
function idleCluster(overrides: Partial<ClusterApi> = {}): ClusterApi {
	const unexpected = (call: string) => () => assert.fail(`unexpected call ${call}`);
	return {
		connection: () => undefined,
		listWaiting: async () => ({ sentinels: [], rebootPods: [] }),
		sentinelDaemonSet: async () => ({ uid: "d", image: "i", imagePullPolicy: "IfNotPresent", imagePullSecrets: [], desired: 3, ready: 3 }),
		listCordoned: async () => [],
		owner: async () => ({ kind: "absent" }),
		clusterUid: unexpected("clusterUid"),
		claim: unexpected("claim"),
		listNodeMetadata: unexpected("listNodeMetadata"),
		node: unexpected("node"),
		podsOn: unexpected("podsOn"),
		listDaemonSets: unexpected("listDaemonSets"),
		patchNode: unexpected("patchNode"),
		evict: unexpected("evict"),
		deletePod: unexpected("deletePod"),
		createRebootPod: unexpected("createRebootPod"),
		deleteRebootPod: unexpected("deleteRebootPod"),
		createEvent: unexpected("createEvent"),
		...overrides,
	};
}

function unreachableCluster(): ClusterApi {
	return idleCluster({
		listCordoned: async () => {
			throw new CallError({ failure: "unreachable", doing: "listing cordoned nodes", answer: "connection refused" });
		},
	});
}

function settingsOf(names: readonly string[]): Settings {
	const parsed = parseSettings({ CLUSTERS: names.map((name) => `${name}=kubeconfig:${name}`).join(";"), MAINTENANCE_WINDOWS: "always" });
	assert.ok("settings" in parsed);
	return parsed.settings;
}

function fleetOf(clusters: Readonly<Record<string, ClusterApi>>, aks: World["clusters"]["aks"] = async () => ({ kind: "notManaged" })) {
	const clock = new StillClock();
	const table = new MemoryTable(clock);
	const lines: JournalLine[] = [];
	const settings = settingsOf(Object.keys(clusters));
	const configuration: Configuration = { settings, problems: [], clusters: settings.clusters, fallback: settings };
	const open = (target: ClusterTarget) => clusters[target.name] ?? assert.fail(`unexpected cluster ${targetId(target)}`);
	const world: World = { clock, ids: countingIds(), table, clusters: { open, aks }, journal: { write: (line) => void lines.push(line) } };
	return { world, table, clock, lines, configuration, worker: new Worker("worker", "us") };
}

test("a cluster that hangs costs the others nothing", async () => {
	let answer: (nodes: []) => void = () => undefined;
	const hanging = new Promise<[]>((resolve) => {
		answer = resolve;
	});
	const fleet = fleetOf({ slow: idleCluster({ listCordoned: () => hanging }), one: idleCluster(), two: idleCluster() });
	const running = round(fleet.world, fleet.worker, fleet.configuration);
	const looked = (name: string) => fleet.lines.some((line) => line.event === "tick.ended" && line.cluster === name);
	while (!looked("one") || !looked("two")) await new Promise((resolve) => setImmediate(resolve));
	assert.equal(looked("slow"), false);
	answer([]);
	assert.equal((await running).results.get("slow")?.kind, "looked");
});

test("an idle cluster costs three requests, a query and a write of its lease, the summary aside", async () => {
	let requests = 0;
	const counted = <T>(value: T) => {
		requests++;
		return Promise.resolve(value);
	};
	const api = idleCluster({
		listWaiting: () => counted({ sentinels: [], rebootPods: [] }),
		listCordoned: () => counted([]),
		sentinelDaemonSet: () => counted("absent" as const),
		owner: () => counted({ kind: "absent" as const }),
	});
	const fleet = fleetOf({ one: api });
	await round(fleet.world, fleet.worker, fleet.configuration);
	requests = 0;
	const before = fleet.table.transactions;
	await round(fleet.world, fleet.worker, fleet.configuration);
	assert.equal(requests, 3);
	assert.equal(fleet.table.transactions - before, 2, "the lease, and once for all clusters that the round has ended");
});

test("a cluster that failed five times in a row fails the invocation, and the first failure is told", async () => {
	const fleet = fleetOf({ dead: unreachableCluster(), one: idleCluster() });
	for (let i = 1; i <= 5; i++) {
		const { failing } = await round(fleet.world, fleet.worker, fleet.configuration);
		assert.deepEqual(failing, i < roundLimits.failuresToReport ? [] : [{ cluster: "dead", why: "listing cordoned nodes: connection refused", bug: false }]);
		assert.equal(fleet.lines.filter((line) => line.event === "tick.failed").length, i);
	}
});

test("clusters that failed last time share a quarter of the slots", async () => {
	let atOnce = 0;
	let most = 0;
	const slowFailure = () =>
		idleCluster({
			listCordoned: async () => {
				most = Math.max(most, ++atOnce);
				await new Promise((resolve) => setImmediate(resolve));
				atOnce--;
				throw new CallError({ failure: "timedOut", doing: "listing cordoned nodes", answer: "no answer" });
			},
		});
	const fleet = fleetOf(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`dead-${i}`, slowFailure()])));
	const limits = { ...roundLimits, atOnce: 16 };
	await round(fleet.world, fleet.worker, fleet.configuration, limits);
	most = 0;
	await round(fleet.world, fleet.worker, fleet.configuration, limits);
	assert.ok(most <= 4, `${most} at once`);
	assert.equal(most, 4);
});

test("a claim that fails for now is told with every look: somebody who waits for the end must not wait for ever", async () => {
	const waiting = nodeInService({ name: "node-1" });
	const api = idleCluster({
		listWaiting: async () => ({ sentinels: [sentinelThatAsks({ node: "node-1" })], rebootPods: [] }),
		listNodeMetadata: async () => [metadataOf(waiting)],
		node: async () => waiting,
		clusterUid: async () => "uid",
		createRebootPod: async () => undefined,
		claim: async () => {
			throw new CallError({ failure: "serverError", doing: "claiming the cluster", answer: "500", status: 500, mayHaveApplied: true });
		},
	});
	const fleet = fleetOf({ one: api });
	for (let i = 0; i < 2; i++) {
		const result = (await round(fleet.world, fleet.worker, fleet.configuration, { ...roundLimits, roundMs: 0 })).results.get("one");
		assert.ok(result?.kind === "looked", JSON.stringify(result));
		assert.deepEqual([result.toBegin, result.unsure], [true, "claiming the cluster: 500"]);
	}
});

test("a stopped cluster is a reason and no failure", async () => {
	const fleet = fleetOf({ stopped: unreachableCluster() }, async () => ({ kind: "managed", provisioningState: "Succeeded", powerState: "Stopped", pools: [] }));
	const { results, failing } = await round(fleet.world, fleet.worker, fleet.configuration);
	assert.deepEqual(results.get("stopped"), { kind: "excused", why: "it is Stopped in Azure", gone: false });
	assert.deepEqual(failing, []);
	assert.equal(
		fleet.lines.some((line) => line.event === "tick.failed"),
		false,
	);
});

test("a cluster that was dropped from the settings with something in flight is still looked at", async () => {
	const fleet = fleetOf({ one: idleCluster(), two: idleCluster() });
	await round(fleet.world, fleet.worker, fleet.configuration);
	const row = fleet.table.rows(fleetPartition).get("two") ?? assert.fail("no row");
	fleet.table.rows(fleetPartition).set("two", { ...row, values: { ...row.values, inFlight: true } });
	const settings = settingsOf(["one"]);
	const configuration = { ...fleet.configuration, settings, clusters: settings.clusters };
	const first = await round(fleet.world, fleet.worker, configuration);
	assert.equal(first.results.get("two")?.kind, "looked");
	// Nothing was in flight after all: it is not looked at again.
	const second = await round(fleet.world, fleet.worker, configuration);
	assert.equal(second.results.has("two"), false);
});

test("a failed look is told with the summary of the last good one kept", async () => {
	let fails = false;
	const api = idleCluster({
		listCordoned: async () => {
			if (fails) throw new CallError({ failure: "unreachable", doing: "listing cordoned nodes", answer: "connection refused" });
			return [];
		},
	});
	const fleet = fleetOf({ one: api });
	await round(fleet.world, fleet.worker, fleet.configuration);
	fails = true;
	await round(fleet.world, fleet.worker, fleet.configuration);
	const summary = parseSummary(String(fleet.table.rows(fleetPartition).get("one")?.values.summary));
	assert.notEqual(summary.at, null);
	assert.equal(summary.failure, "listing cordoned nodes: connection refused");
	assert.equal(summary.failures, 1);
});

test("a worker that does not hold the lease looks at nothing", async () => {
	const fleet = fleetOf({ one: idleCluster({ listCordoned: () => assert.fail("it looked") }) });
	await fleet.table.transact(partitionOf("one"), [{ kind: "insert", key: leaseKey, values: { holder: "other", fence: 4, writeId: "x" } }]);
	const { results } = await round(fleet.world, fleet.worker, fleet.configuration);
	assert.deepEqual(results.get("one"), { kind: "heldByOther", holder: "other" });
});

test("a cluster whose last operation failed in Azure is not excused for ever", async () => {
	const failed = { kind: "managed", provisioningState: "Failed", powerState: "Running", pools: [] } as const;
	const fleet = fleetOf({ broken: unreachableCluster() }, async () => failed);
	assert.equal((await round(fleet.world, fleet.worker, fleet.configuration)).results.get("broken")?.kind, "failed");
});

/** The name `blue` is given to another cluster; what was opened is noted. */
async function renamed(inFlight: boolean, first: World["clusters"]["aks"]) {
	const aksId = (name: string) => `/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/${name}`;
	const settingsFor = (id: string) => {
		const parsed = parseSettings({ CLUSTERS: `blue=${aksId(id)}`, MAINTENANCE_WINDOWS: "always" });
		assert.ok("settings" in parsed);
		return parsed.settings;
	};
	const opened: { target: string; server: string | undefined }[] = [];
	const connection = { server: "https://one.example", caData: "Y2E=" };
	const fleet = fleetOf({ unused: idleCluster() }, first);
	let dead = false;
	const open: World["clusters"]["open"] = (target, remembered) => {
		const name = target.kind === "aks" ? target.resourceName : "";
		opened.push({ target: name, server: remembered?.server });
		return name === "one" && dead ? unreachableCluster() : idleCluster({ connection: () => (name === "one" ? connection : undefined) });
	};
	const world = { ...fleet.world, clusters: { open, aks: first } };
	const under = (id: string) => ({ ...fleet.configuration, settings: settingsFor(id), clusters: settingsFor(id).clusters });
	await round(world, fleet.worker, under("one"));
	const rows = fleet.table.rows(fleetPartition);
	const row = rows.get("blue") ?? assert.fail("no row");
	assert.equal(row.values.server, connection.server);
	if (inFlight) rows.set("blue", { ...row, values: { ...row.values, inFlight: true } });
	opened.length = 0;
	return { world, fleet, opened, rows, second: under("two"), die: () => (dead = true) };
}

const running = async () => ({ kind: "managed", provisioningState: "Succeeded", powerState: "Running", pools: [] }) as const;

test("a name that is given to another cluster never leads to the server of the one before", async () => {
	const { world, fleet, opened, rows, second } = await renamed(false, running);
	await round(world, new Worker("another", "us"), { ...second });
	assert.deepEqual(opened, []);
	fleet.clock.time += 60_000;
	await round(world, new Worker("another", "us"), second);
	assert.deepEqual(opened, [{ target: "two", server: undefined }]);
	assert.equal(rows.get("blue")?.values.server, undefined);
});

test("what is in flight in a cluster whose name another one has now is brought back there first", async () => {
	const { world, fleet, opened, second } = await renamed(true, running);
	await round(world, fleet.worker, second);
	assert.deepEqual(opened, [{ target: "one", server: "https://one.example" }]);
	await round(world, fleet.worker, second);
	assert.deepEqual(opened.at(-1), { target: "two", server: undefined });
});

test("a cluster that is gone with its nodes does not keep its name from the next one", async () => {
	let gone = false;
	const { world, fleet, opened, second, die } = await renamed(true, async () => (gone ? { kind: "absent" } : running()));
	gone = true;
	die();
	await round(world, fleet.worker, second);
	assert.deepEqual(
		opened.map((each) => each.target),
		["one", "two"],
	);
});

test("5,000 nodes that wait on patch day are looked at, and what is told of them fits into its row", async () => {
	const names = Array.from({ length: 5_000 }, (_, i) => `aks-nodepool1-12345678-vmss${String(i).padStart(6, "0")}`);
	const bootId = "11111111-1111-4111-8111-111111111111";
	const packages = Array.from({ length: 40 }, (_, i) => `linux-image-5.15.0-1082-azure-part-${i}`);
	const report = { kind: "report", report: { bootId, since: 1_799_999_000_000, kernelVersion: "5.15.0-1081-azure", packages } } as const;
	const pods = names.map((node) => ({ node, podName: `sentinel-${node}`, ready: true, deleting: false, asks: true, report }));
	const metadata = names.map((name) => ({ name, uid: `uid-of-${name}`, pool: "np1", systemPool: false, hold: `h${"x".repeat(2_000)}`, virtual: false }));
	const api = idleCluster({
		listWaiting: async () => ({ sentinels: pods, rebootPods: [] }),
		clusterUid: async () => "uid",
		listNodeMetadata: async () => metadata,
	});
	const fleet = fleetOf({ one: api });
	const { results } = await round(fleet.world, fleet.worker, fleet.configuration);
	assert.equal(results.get("one")?.kind, "looked");
	const row = fleet.table.rows(fleetPartition).get("one") ?? assert.fail("no row");
	const summary = parseSummary(textOf(row.values, "summary"));
	assert.equal(summary.waitingCount, 5_000);
	assert.equal(summary.heldCount, 5_000);
	assert.ok(summary.waiting.length > 10 && summary.waiting.length < 200, `${summary.waiting.length} are listed`);
});

test("a bug that one cluster brings to light is told at once, and stops neither the others nor the next look at it", async () => {
	let odd = true;
	const broken = idleCluster({
		listCordoned: async () => {
			if (odd) throw new TypeError("Cannot read properties of undefined (reading 'name')");
			return [];
		},
	});
	const fleet = fleetOf({ broken, one: idleCluster() });
	const { results, failing } = await round(fleet.world, fleet.worker, fleet.configuration);
	assert.equal(results.get("one")?.kind, "looked");
	assert.match(failing[0]?.why ?? "", /^a bug of ours: TypeError: Cannot read properties of undefined \(reading 'name'\) \(.*round\.test\.ts:\d+:\d+\)$/);
	assert.equal(fleet.lines.filter((line) => line.event === "tick.failed" && line.cluster === "broken").length, 1);
	odd = false;
	assert.equal((await round(fleet.world, fleet.worker, fleet.configuration)).results.get("broken")?.kind, "looked");
});

test("once one of several acts side by side has thrown, none is begun any more, and nothing goes on behind the caller's back", async () => {
	let underWay = 0;
	let begun = 0;
	const work = async (item: number) => {
		begun++;
		underWay++;
		for (let turn = 0; turn < item; turn++) await new Promise((resolve) => setImmediate(resolve));
		underWay--;
		if (item === 1) throw new Error("the lease could not be renewed");
	};
	await assert.rejects(sideBySide([9, 1, 5, 2, 2, 2, 2], 3, work), /could not be renewed/);
	assert.equal(underWay, 0);
	assert.equal(begun, 3);
});

test("a look in which it could not be read who waits says so, and one in which that is forbidden does not wait for better", async () => {
	const failing = (failure: "serverError" | "forbidden") =>
		idleCluster({
			listWaiting: async () => {
				throw new CallError({ failure, doing: "listing sentinel pods that wait", answer: "no" });
			},
			clusterUid: async () => "uid",
		});
	const fleet = fleetOf({ passing: failing("serverError") });
	const forbidden = fleetOf({ lasting: failing("forbidden") });
	const first = (await round(fleet.world, fleet.worker, fleet.configuration)).results.get("passing");
	assert.equal(first?.kind === "looked" && first.unsure, "listing sentinel pods that wait: no");
	const other = (await round(forbidden.world, forbidden.worker, forbidden.configuration)).results.get("lasting");
	assert.equal(other?.kind === "looked" && other.unsure, null);
});
