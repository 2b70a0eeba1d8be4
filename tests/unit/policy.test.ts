import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
	type ClusterTarget,
	clusterLimit,
	covers,
	holdsOn,
	limitNodes,
	matches,
	policyFor,
	poolLimit,
	poolScopes,
	resolve,
	type Scoped,
	type Settings,
	scopedDefaults,
	targetId,
	windowsFor,
} from "../../lib/plan/policy.ts";
import { defaultSettings } from "./states.ts";

function scoped<T>(scope: string, value: T): Scoped<T> {
	const [cluster = "*", pool = null] = scope.split("/");
	return { scope: { cluster, pool }, value };
}

function bareSettings(changes: Partial<Settings> = {}): Settings {
	return defaultSettings({ clusters: [], maintenanceWindows: [], rebootTimeoutMs: 900_000, ...changes });
}

describe("a pattern matches a name", () => {
	const cases: readonly [pattern: string, name: string, fits: boolean][] = [
		["prod", "prod", true],
		["prod", "prod-1", false],
		["prod", "Prod", false],
		["*", "", true],
		["*", "anything", true],
		["prod-*", "prod-", true],
		["prod-*", "prod-eu-1", true],
		["prod-*", "prod", false],
		["*-eu", "prod-eu", true],
		["*-eu", "prod-eu-1", false],
		["*eu*", "prod-eu-1", true],
		["p*d", "pd", true],
		["p*p", "p", false],
		["a*a*a", "aa", false],
		["a*b*c", "a-c-b-c", true],
		["a**b", "ab", true],
		["", "", true],
		["", "a", false],
		["a.c", "abc", false],
	];
	for (const [pattern, name, fits] of cases) test(`${pattern} ${fits ? "fits" : "does not fit"} ${name}`, () => assert.equal(matches(pattern, name), fits));

	test("as the regular expression of the same meaning would", () => {
		const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 6 });
		const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 5 });
		const property = fc.property(pattern, text, (some, name) => {
			assert.equal(matches(some, name), new RegExp(`^${some.replaceAll("*", ".*")}$`).test(name));
		});
		fc.assert(property, { numRuns: 2_000 });
	});
});

describe("scopes", () => {
	test("a cluster scope covers all pools of its clusters, a pool scope the pools of that name alone", () => {
		assert.equal(covers({ cluster: "prod-*", pool: null }, "prod-1", "np1"), true);
		assert.equal(covers({ cluster: "prod-*", pool: "np*" }, "prod-1", "np1"), true);
		assert.equal(covers({ cluster: "prod-*", pool: "np*" }, "prod-1", "system"), false);
		assert.equal(covers({ cluster: "prod-*", pool: "np*" }, "dev", "np1"), false);
	});

	test("the last entry that covers the pool wins, however narrow the one before", () => {
		const entries = [scoped("*", 1), scoped("prod/np1", 2), scoped("prod", 3)];
		assert.equal(resolve(entries, "prod", "np1"), 3);
		assert.equal(resolve(entries.toReversed(), "prod", "np1"), 1);
		assert.equal(resolve([scoped("prod/np1", 2)], "prod", "np2"), undefined);
	});

	test("a policy takes each setting by itself, and the default where no entry covers the pool", () => {
		const settings = bareSettings({
			drainTimeoutMs: [scoped("prod", 5), scoped("prod/np1", 0)],
			drainTimeoutAction: [scoped("dev", "reboot")],
			rebootIntervalMs: [scoped("*", 0)],
			soakMs: 7,
		});
		const policy = policyFor(settings, "prod", "np1");
		assert.equal(policy.drainTimeoutMs, 0);
		assert.equal(policyFor(settings, "prod", "np2").drainTimeoutMs, 5);
		assert.equal(policy.drainTimeoutAction, "give-up");
		assert.equal(policyFor(settings, "dev", "np1").drainTimeoutAction, "reboot");
		assert.equal(policy.rebootIntervalMs, 0);
		assert.equal(policy.probationMs, scopedDefaults.probationMs);
		assert.equal(policy.soakMs, 7);
	});

	test("a pool that no window covers has none, which is not always", () => {
		const settings = bareSettings({ maintenanceWindows: [scoped("prod/np1", [{ text: "always", kind: "always" }])] });
		assert.equal(windowsFor(settings, "prod", "np2"), undefined);
		assert.deepEqual(windowsFor(settings, "prod", "np1"), [{ text: "always", kind: "always" }]);
	});

	test("pool scopes of a cluster are listed with their setting, those of other clusters and cluster scopes are not", () => {
		const settings = bareSettings({
			maintenanceWindows: [scoped("*", []), scoped("prod-*/np1", [])],
			hold: [scoped("prod-1/typo", "x"), scoped("dev/np1", "x")],
			maxConcurrent: [scoped("*/np*", { kind: "number", nodes: 2 })],
		});
		assert.deepEqual(poolScopes(settings, "prod-1"), [
			{ cluster: "prod-*", pool: "np1", setting: "MAINTENANCE_WINDOWS" },
			{ cluster: "*", pool: "np*", setting: "MAX_CONCURRENT" },
			{ cluster: "prod-1", pool: "typo", setting: "HOLD" },
		]);
	});

	test("every scoped setting is among the pool scopes", () => {
		const lists = Object.entries(bareSettings()).filter(([name, value]) => Array.isArray(value) && name !== "clusters" && name !== "notifyUrls");
		const settings = bareSettings(Object.fromEntries(lists.map(([name]) => [name, [scoped("a/b", 1)]])));
		assert.equal(poolScopes(settings, "a").length, lists.length);
	});
});

describe("limits", () => {
	const two = { kind: "number", nodes: 2 } as const;
	const half = { kind: "percent", percent: 50 } as const;

	test("one node of a cluster at a time unless told", () => assert.deepEqual(clusterLimit(bareSettings(), "prod"), { kind: "number", nodes: 1 }));

	test("a cluster's limit never comes from a pool scope, nor a pool's from a cluster scope", () => {
		const settings = bareSettings({ maxConcurrent: [scoped("prod", half), scoped("*/np1", two)] });
		assert.deepEqual(clusterLimit(settings, "prod"), half);
		assert.deepEqual(poolLimit(settings, "prod", "np1"), two);
		assert.equal(poolLimit(settings, "prod", "np2"), undefined);
		assert.deepEqual(clusterLimit(settings, "dev"), { kind: "number", nodes: 1 });
	});

	test("a percentage is rounded down, but a small pool is not locked out", () => {
		assert.equal(limitNodes(half, 7), 3);
		assert.equal(limitNodes({ kind: "percent", percent: 10 }, 9), 1);
		assert.equal(limitNodes({ kind: "percent", percent: 100 }, 9), 9);
		assert.equal(limitNodes({ kind: "percent", percent: 10 }, 0), 1);
		assert.equal(limitNodes(two, 1), 2);
	});
});

test("every hold that covers a pool counts: a later one releases nothing", () => {
	const settings = bareSettings({ hold: [scoped("*", "freeze"), scoped("prod/np1", "incident"), scoped("dev", "other")] });
	assert.deepEqual(holdsOn(settings, "prod", "np1"), ["freeze", "incident"]);
	assert.deepEqual(holdsOn(settings, "prod", "np2"), ["freeze"]);
});

test("a target is told by its resource id or its context", () => {
	const aks: ClusterTarget = { name: "a", kind: "aks", resourceId: "/subscriptions/s", subscriptionId: "s", resourceGroup: "g", resourceName: "a" };
	assert.equal(targetId(aks), "/subscriptions/s");
	assert.equal(targetId({ name: "k", kind: "kubeconfig", context: "ctx" }), "kubeconfig:ctx");
});
