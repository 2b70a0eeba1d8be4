// The demonstration as data: what its parts promise each other.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, mock, test } from "node:test";
import { configurationOf } from "../../functions/world.ts";
import { throttledAs } from "../arm/throttling.ts";
import { readArguments } from "../lab/arguments.ts";
import type { Azure } from "../lab/azure.ts";
import { environmentOf, opensAt } from "../lab/environment.ts";
import { demonstration, type FleetSpec, faster } from "../lab/fleet.ts";
import { whenForsaken } from "../lab/forsaken.ts";
import { shippedManifests } from "../lab/manifests.ts";
import { generatedFleet } from "../lab/scale.ts";
import { readState, stateFile } from "../lab/state.ts";
import { labFolder, removeFolder } from "./lab-process.ts";

const now = new Date("2026-03-04T05:06:07Z");
const minuteMs = 60_000;

/** Azure as an environment needs it. */
function azureOf(fleet: FleetSpec): Azure {
	const resourceIds = fleet.clusters.map(({ name }) => `/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/${name}`);
	return {
		resourceIds,
		arm: { url: "https://127.0.0.1:1" },
		identity: { env: { IDENTITY_ENDPOINT: "http://127.0.0.1:2", IDENTITY_HEADER: "h" } },
	} as unknown as Azure;
}

describe("the demonstration fleet", () => {
	test("every node, operator's cordon, pool and selector that it speaks of is there", () => {
		for (const { name, nodes, cordoned = [], workloads } of demonstration(now).clusters) {
			const names = nodes.map((node) => node.name);
			assert.equal(new Set(names).size, names.length, `${name}: a name twice`);
			for (const node of cordoned) assert.ok(names.includes(node), `${name}: ${node} is cordoned and not there`);
			const text = JSON.stringify(workloads);
			for (const [, pool] of text.matchAll(/"kubernetes\.azure\.com\/agentpool":"([^"]+)"/g))
				assert.ok(
					nodes.some((node) => node.pool === pool),
					`${name}: pods for pool ${pool}, which has no node`,
				);
			for (const [, host] of text.matchAll(/"kubernetes\.io\/hostname":"([^"]+)"/g)) assert.ok(names.includes(host ?? ""), `${name}: a pod for ${host}`);
		}
	});

	test("holds what a fleet has in life: every way in, waiting and quiet nodes, a hold, a cordon by hand, budgets, a bare pod, a DaemonSet", () => {
		const { clusters } = demonstration(now);
		const nodes = clusters.flatMap((each) => each.nodes);
		const kinds = clusters.flatMap((each) => each.workloads.map(({ kind }) => kind));
		assert.deepEqual(clusters.map((each) => each.credentials).sort(), ["entra", "localAccount", "token"]);
		assert.ok(nodes.some((node) => node.needsReboot === undefined) && nodes.some((node) => node.needsReboot !== undefined));
		assert.ok(nodes.some((node) => node.annotations?.["aks-reboot-scheduler/hold"] !== undefined && node.needsReboot !== undefined));
		assert.ok(clusters.some(({ cordoned = [], nodes: own }) => own.some((node) => cordoned.includes(node.name) && node.needsReboot !== undefined)));
		for (const kind of ["PodDisruptionBudget", "DaemonSet", "Pod", "Deployment"]) assert.ok(kinds.includes(kind), kind);
		const boots = nodes.map((node) => node.settings?.bootMs ?? 0);
		assert.ok(Math.max(...boots) > 20_000 && boots.filter((ms) => ms <= 8_000).length === boots.length - 1, "one node takes long, the others do not");
	});

	for (const [what, fleet] of [
		["demonstration", demonstration(now)],
		["fast one", faster(demonstration(now))],
		["generated one", generatedFleet(4, 60, now)],
	] as const)
		test(`the settings of the ${what} are right, and no boot takes so long that a reboot is asked for again`, () => {
			const { settings, problems } = configurationOf(environmentOf(fleet, azureOf(fleet), now));
			assert.deepEqual(problems, []);
			for (const { settings: node = {} } of fleet.clusters.flatMap((each) => each.nodes))
				assert.ok((node.bootMs ?? 0) + 5_000 < (settings?.rebootTimeoutMs ?? 0) / 4);
		});

	test("the window that opens soon is closed for some seconds and open within little more than a minute, whenever it is started", () => {
		for (let second = 0; second < 120; second++) {
			const started = new Date(now.getTime() + second * 1000);
			const opens = Date.parse(`2026-03-04T${opensAt(started)}:00Z`);
			const afterMs = opens - started.getTime();
			assert.ok(afterMs >= 8_000 && afterMs < minuteMs + 8_000, `${started.toISOString()}: ${afterMs} ms`);
		}
		assert.equal(opensAt(new Date("2026-03-04T23:59:55Z")), "00:01");
	});

	test("a faster one is the same fleet with shorter boots", () => {
		const slow = demonstration(now);
		const fast = faster(slow);
		const without = (fleet: FleetSpec) => fleet.clusters.map((each) => ({ ...each, nodes: each.nodes.map(({ settings: _, ...node }) => node) }));
		assert.deepEqual(without(fast), without(slow));
		const boots = (fleet: FleetSpec) => fleet.clusters.flatMap((each) => each.nodes.map((node) => node.settings?.bootMs ?? 0));
		assert.ok(boots(fast).every((ms, index) => ms < (boots(slow)[index] ?? 0)));
	});

	test("a generated one has as many clusters and nodes as were asked for, and some wait in each", () => {
		const { clusters } = generatedFleet(20, 50, now);
		assert.equal(clusters.length, 20);
		assert.equal(new Set(clusters.map(({ name }) => name)).size, 20);
		for (const { nodes } of clusters) {
			assert.equal(new Set(nodes.map(({ name }) => name)).size, 50);
			assert.equal(nodes.filter((node) => node.needsReboot !== undefined).length, 10);
		}
	});
});

describe("the shipped manifests without kubectl", () => {
	test("every binding of the scheduler names the identity, the image is the digest, and the script is mounted under its hashed name", () => {
		const objects = shippedManifests("the-identity");
		const bindings = objects.filter(({ kind, metadata }) => kind.endsWith("RoleBinding") && metadata.name !== "sentinel");
		assert.equal(bindings.length, 4);
		for (const { subjects } of bindings) assert.equal((subjects as { name: string }[])[0]?.name, "the-identity");
		const text = JSON.stringify(objects);
		assert.equal(text.split("request.userInfo.username == 'the-identity'").length - 1, 5);
		assert.doesNotMatch(text, /SET-BY-KUSTOMIZE|"image":"sentinel"/);
		const configMap = objects.find(({ kind }) => kind === "ConfigMap");
		assert.match(configMap?.metadata.name ?? "", /^sentinel-[0-9a-f]{10}$/);
		assert.ok(text.includes(`"configMap":{"name":"${configMap?.metadata.name}"}`));
		assert.equal(objects[0]?.kind, "Namespace");
		assert.ok(objects.every(({ metadata }) => (metadata.labels as Record<string, string>)["app.kubernetes.io/part-of"] === "aks-reboot-scheduler"));
	});
});

describe("the lab's command line", () => {
	const refused: readonly (readonly [string[], RegExp])[] = [
		[[], /^--folder: expected the folder/],
		[["--folder", "x", "--nodes", "0"], /^--nodes: "0", expected a whole number from 1/],
		[["--folder", "x", "--clusters", "many"], /^--clusters: "many", expected a whole number from 1/],
		[["--folder", "x", "--clusters", "501"], /^--clusters: "501".*to 500/],
		[["--folder", "x", "--fastest"], /--fastest.*usage/],
		[["--folder", "x", "y"], /y.*usage/],
	];
	for (const [argv, why] of refused)
		test(`${argv.join(" ") || "nothing"} is refused in one line`, () => {
			assert.throws(
				() => readArguments(argv),
				({ message }: Error) => why.test(message) && !message.includes("\n"),
			);
		});

	test("a size is another fleet, and so is one on real control planes; a faster one is not", () => {
		const fileOf = (...argv: string[]) => stateFile(readArguments(["--folder", "/x", ...argv]));
		assert.equal(fileOf(), fileOf("--fast"));
		assert.equal(new Set([fileOf(), fileOf("--real"), fileOf("--nodes", "5"), fileOf("--clusters", "5")]).size, 4);
	});
});

test("a saved fleet that cannot be read is named, and not taken for a new one", (t) => {
	const folder = labFolder();
	t.after(() => removeFolder(folder));
	mkdirSync(folder, { recursive: true });
	const file = join(folder, "fleet-demonstration.json");
	assert.equal(readState(file), null);
	writeFileSync(file, '{"keys":');
	assert.throws(() => readState(file), new RegExp(`${file}: it cannot be read; remove it to begin anew`));
});

test("a fleet is forsaken when nobody has asked for anything for so long, and not before", (t) => {
	mock.timers.enable({ apis: ["setInterval", "Date"] });
	t.after(() => mock.timers.reset());
	let requests = 0;
	let ends = 0;
	whenForsaken(
		() => requests,
		10 * minuteMs,
		() => ends++,
	);
	for (let minute = 0; minute < 30; minute++) {
		requests++;
		mock.timers.tick(minuteMs);
	}
	assert.equal(ends, 0);
	mock.timers.tick(9 * minuteMs);
	assert.equal(ends, 0);
	mock.timers.tick(30 * minuteMs);
	assert.equal(ends, 1);
});

test("ARM throttled as AKS does it answers 60 calls at once, then one a second, by subscription, and says when to come back", () => {
	let at = 0;
	const trouble = throttledAs({ burst: 60, perSecond: 1 }, () => at);
	const call = (subscriptionId: string) => trouble({ operation: "get", method: "GET", url: "", subscriptionId, resourceGroup: "", resourceName: "" });
	const answered = (count: number, subscription = "a") => Array.from({ length: count }, () => call(subscription)).filter((each) => each === undefined).length;
	assert.equal(answered(100), 60);
	assert.equal(answered(5, "b"), 5);
	const refusal = call("a");
	assert.ok(refusal?.kind === "error" && refusal.status === 429 && refusal.retryAfterSeconds === 1);
	at += 10_000;
	assert.equal(answered(100), 10);
});
