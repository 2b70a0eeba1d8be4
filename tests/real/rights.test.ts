// A right that is missing: the reason names verb and resource, nothing is begun that could not be ended, and recovery goes on.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { assertNoLeaks, assertTidy, newStory, nodeOf, untilServes } from "./expectations.ts";
import { type Scenario, type Scheduler, startScenario } from "./scenario.ts";
import { apply, barePod, budget, deployment } from "./workloads.ts";

interface Rule {
	readonly apiGroups: readonly string[];
	readonly resources: readonly string[];
	readonly verbs: readonly string[];
}

const ours = "aks-reboot-scheduler";
const doctor = resolve(import.meta.dirname, "../../lib/local/doctor.ts");
const rbac = "/apis/rbac.authorization.k8s.io/v1";
const roles = {
	cluster: `${rbac}/clusterroles/${ours}`,
	own: `${rbac}/namespaces/${ours}/roles/${ours}`,
	system: `${rbac}/namespaces/kube-system/roles/${ours}`,
	events: `${rbac}/namespaces/default/roles/${ours}`,
} as const;

interface Right {
	readonly role: keyof typeof roles;
	readonly group: string;
	readonly resource: string;
	readonly verb: string;
}

function right(role: Right["role"], verb: string, resource: string, group = ""): Right {
	return { role, verb, resource, group };
}

describe("a right that is missing", () => {
	let scenario: Scenario;

	before(async () => {
		scenario = await startScenario({ nodes: [{ name: "n-1" }, { name: "n-2" }] });
	});

	after(async () => {
		await scenario?.stop();
	});

	async function allowed({ role, verb, resource, group }: Right): Promise<boolean> {
		const [name, subresource] = resource.split("/");
		const namespace = { cluster: "", own: ours, system: "kube-system", events: "default" }[role];
		// A Role is about names too: whatever it names is asked for.
		const names: Readonly<Record<string, string>> = { leases: verb === "create" ? "" : "owner", namespaces: "kube-system" };
		const resourceAttributes = { namespace, verb, group, resource: name, subresource, name: names[name ?? ""] ?? "" };
		const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec: { user: "scheduler", resourceAttributes } };
		const answer = await scenario.controlPlane.api.post<{ status: { allowed: boolean } }>("/apis/authorization.k8s.io/v1/subjectaccessreviews", review);
		return answer.status.allowed;
	}

	async function untilAllowed(missing: readonly Right[], expected: boolean): Promise<void> {
		const endsAt = Date.now() + 120_000;
		for (const each of missing) {
			while ((await allowed(each)) !== expected) {
				assert.ok(Date.now() < endsAt, `${each.verb} ${each.resource}: still ${expected ? "refused" : "allowed"}`);
				await new Promise((resolve) => setTimeout(resolve, 50));
			}
		}
	}

	/** Rights that were missing by themselves in a story. */
	const told = new Set<string>();

	/** Takes rights out of the shipped roles while `story` is told; it may give them back earlier. */
	async function without(missing: readonly Right[], story: (giveBack: () => Promise<void>) => Promise<void>): Promise<void> {
		const { api } = scenario.controlPlane;
		const paths = [...new Set(missing.map((each) => roles[each.role]))];
		const before = await Promise.all(paths.map(async (path) => ({ path, rules: (await api.get<{ rules: Rule[] }>(path as string)).rules })));
		const giveBack = async () => {
			for (const { path, rules } of before) await api.patch(path, { rules });
			await untilAllowed(missing, true);
		};
		for (const { path, rules } of before) {
			const gone = missing.filter((each) => roles[each.role] === path);
			const left = rules.map((rule) => ({ ...rule, verbs: rule.verbs.filter((verb) => !gone.some((each) => each.verb === verb && covers(rule, each))) }));
			await api.patch(path, { rules: left.filter((rule) => rule.verbs.length > 0) });
		}
		await untilAllowed(missing, false);
		const [alone, ...others] = missing;
		if (alone !== undefined && others.length === 0) told.add(rightText(alone));
		try {
			await story(giveBack);
		} finally {
			await giveBack();
		}
	}

	/** Requests of the scheduler that did do something to the cluster. */
	function changes(since: number): string[] {
		const lines = scenario.controlPlane.requests({ user: "scheduler", acts: true, since });
		return lines.filter((line) => (line.responseStatus?.code ?? 0) < 300).map((line) => `${line.verb} ${line.requestURI}`);
	}

	async function settled(settings: Readonly<Record<string, string>> = {}): Promise<Scheduler> {
		const scheduler = scenario.scheduler(settings);
		assert.equal(await scheduler.ended(), 0, scheduler.story().slice(-4_000));
		return scheduler;
	}

	/** All that people read of it: the journal, and the summary that the status page shows. */
	async function everythingTold(scheduler: Scheduler): Promise<string> {
		const rows = await scenario.rows();
		return `${scheduler.story()}\n${[...rows].find(([key]) => key === "reboots/fleet/real")?.[1].replaceAll("\\", "") ?? ""}`;
	}

	describe("keeps anything from being begun", () => {
		const missing: readonly (readonly [Right, string?])[] = [
			[right("cluster", "get", "nodes")],
			[right("cluster", "list", "pods")],
			[right("cluster", "get", "daemonsets", "apps")],
			[right("own", "create", "pods")],
			[right("own", "get", "leases", "coordination.k8s.io")],
			[right("system", "get", "namespaces")],
		];
		for (const [each] of missing) {
			it(`${each.verb} ${each.resource}`, async () => {
				await newStory(scenario, { "n-1": 60 });
				await without([each], async () => {
					const since = Date.now();
					const scheduler = await settled();
					assert.match(scheduler.lastLine, /^settled rebooted=0 gave-up=0 stuck=0 waiting=\d held=0 /);
					assert.match(await everythingTold(scheduler), names(each));
					assert.deepEqual(changes(since), []);
				});
			});
		}

		it("list nodes: the look itself fails", async () => {
			await newStory(scenario, { "n-1": 60 });
			await without([right("cluster", "list", "nodes")], async () => {
				const since = Date.now();
				const scheduler = scenario.scheduler();
				const { message } = await scheduler.says("tick.failed");
				assert.match(message, names(right("cluster", "list", "nodes")));
				await scheduler.kill();
				assert.deepEqual(changes(since), []);
			});
		});

		for (const verb of ["create", "update"]) {
			it(`${verb} leases: a cluster that nobody owns cannot be claimed`, async () => {
				await newStory(scenario, { "n-1": 60 });
				const { api } = scenario.controlPlane;
				const leases = `/apis/coordination.k8s.io/v1/namespaces/${ours}/leases`;
				if ((await api.find(`${leases}/owner`)) !== null) await api.delete(`${leases}/owner`);
				// One that names nobody is nobody's too, and is written over.
				if (verb === "update") await api.post(leases, { metadata: { name: "owner" }, spec: {} });
				await without([right("own", verb, "leases", "coordination.k8s.io")], async () => {
					const since = Date.now();
					const scheduler = await settled();
					assert.match(scheduler.lastLine, /^settled rebooted=0 gave-up=0 stuck=0 waiting=1 held=0 /);
					assert.match(await everythingTold(scheduler), names(right("own", verb, "leases")));
					assert.deepEqual(changes(since), []);
				});
				if (verb === "update") await api.delete(`${leases}/owner`);
			});
		}
	});

	describe("is survived by what was begun", () => {
		it("patch nodes: the cordon is refused, and goes on when the right is there", async () => {
			await newStory(scenario, { "n-1": 60 });
			await without([right("cluster", "patch", "nodes")], async (giveBack) => {
				const scheduler = scenario.scheduler();
				const { message } = await scheduler.says("act.failed", { act: "cordon" });
				assert.match(message, names(right("cluster", "patch", "nodes")));
				await giveBack();
				assert.equal(await scheduler.ended(), 0, scheduler.story().slice(-4_000));
				assert.match(scheduler.lastLine, /^settled rebooted=1 /);
				await assertTidy(scenario);
			});
		});

		it("create events: told once, and every node is rebooted all the same", async () => {
			await newStory(scenario, { "n-1": 60, "n-2": 50 });
			await without([right("events", "create", "events", "events.k8s.io")], async () => {
				const since = Date.now();
				const scheduler = await settled();
				assert.match(scheduler.lastLine, /^settled rebooted=2 gave-up=0 stuck=0 /);
				const told = scheduler.told("events.lost").map((line) => line.message);
				assert.equal(told.length, 1, told.join("\n"));
				assert.match(told[0] ?? "", names(right("events", "create", "events")));
				const tried = scenario.controlPlane.requests({ user: "scheduler", resource: "events", since });
				// The rest of a look's events are not tried after one that is refused.
				const looks = scheduler.told("tick.ended").length;
				assert.ok(tried.length > 0 && tried.length <= looks, `${tried.length} tries in ${looks} looks`);
				await assertTidy(scenario);
			});
		});

		it("create pods/eviction: given up at its deadline, and the node is back in service", async () => {
			await apply(scenario.controlPlane.api, barePod("alone", { node: "n-1" }));
			await untilServes(scenario, "alone", 1);
			await newStory(scenario, { "n-1": 60 });
			await without([right("cluster", "create", "pods/eviction")], async () => {
				const scheduler = await settled({ DRAIN_TIMEOUT: "3s" });
				assert.match(scheduler.lastLine, /rebooted=0 gave-up=1 /);
				assert.match(scheduler.told("reboot.ended")[0]?.message ?? "", names(right("cluster", "create", "pods/eviction")));
				await assertTidy(scenario);
			});
		});

		it("list daemonsets: not known is not drained, given up at its deadline", async () => {
			await newStory(scenario, { "n-1": 60 });
			await without([right("cluster", "list", "daemonsets", "apps")], async () => {
				const since = Date.now();
				await apply(scenario.controlPlane.api, { apiVersion: "apps/v1", kind: "DaemonSet", ...agent });
				await untilServes(scenario, "agent", 2);
				const scheduler = await settled({ DRAIN_TIMEOUT: "3s" });
				assert.match(scheduler.lastLine, /rebooted=0 gave-up=1 /);
				assert.match(scheduler.told("reboot.ended")[0]?.message ?? "", names(right("cluster", "list", "daemonsets")));
				assert.deepEqual(
					scenario.fleet.reboots().filter((each) => each.at >= since),
					[],
				);
				await assertTidy(scenario);
			});
		});

		it("get pods, list poddisruptionbudgets: a pod that two budgets keep is told of all the same, and why they are not named", async () => {
			await apply(
				scenario.controlPlane.api,
				deployment("kept", 1, { nodeSelector: { "kubernetes.io/hostname": "n-2" } }),
				budget("one", { minAvailable: 0 }, "default", "kept"),
				budget("two", { minAvailable: 0 }, "default", "kept"),
			);
			await untilServes(scenario, "kept", 1);
			for (const each of [right("cluster", "get", "pods"), right("cluster", "list", "poddisruptionbudgets", "policy")]) {
				await newStory(scenario, { "n-2": 60 });
				await without([each], async () => {
					const scheduler = await settled({ DRAIN_TIMEOUT: "3s" });
					assert.match(scheduler.lastLine, /rebooted=0 gave-up=1 /);
					const { message = "" } = scheduler.told("reboot.ended")[0] ?? {};
					assert.match(message, /pod default\/kept-\S+ can never be evicted: more than one budget covers it/);
					assert.match(message, names(each));
					await assertTidy(scenario);
				});
			}
			for (const name of ["one", "two"]) await scenario.controlPlane.api.delete(`/apis/policy/v1/namespaces/default/poddisruptionbudgets/${name}`);
		});

		it("delete pods: a node that was rebooted is in service, however long its reboot pod stays", async () => {
			await newStory(scenario, { "n-1": 60 });
			await without([right("own", "delete", "pods")], async (giveBack) => {
				const scheduler = scenario.scheduler({ REBOOT_TIMEOUT: "12s" });
				const { message } = await scheduler.says("act.failed", { act: "deleteRebootPod" });
				assert.match(message, names(right("own", "delete", "pods")));
				await scheduler.says("reboot.moved", { to: "uncordoning" });
				const inService = () => scenario.fleet.nodeObjects().every((node) => node.spec.unschedulable !== true);
				await scenario.fleet.until("n-1 is in service", inService);
				await giveBack();
				assert.equal(await scheduler.ended(), 0, scheduler.story().slice(-4_000));
				assert.match(scheduler.lastLine, /^settled rebooted=1 /);
				await assertTidy(scenario);
			});
		});

		it("what only new work needs: a node that drains is uncordoned without any of it", async () => {
			await apply(scenario.controlPlane.api, barePod("slow", { node: "n-1", stopMs: 3_600_000, graceSeconds: 7_200 }));
			await untilServes(scenario, "slow", 1);
			await newStory(scenario, { "n-1": 60 });
			const first = scenario.scheduler();
			await scenario.fleet.until("n-1 drains", () =>
				scenario.fleet.pods().some((pod) => pod.metadata.name === "slow" && pod.metadata.deletionTimestamp !== undefined),
			);
			await first.kill();
			await scenario.expireLease();
			const missing = [
				right("cluster", "get", "daemonsets", "apps"),
				right("cluster", "list", "daemonsets", "apps"),
				right("cluster", "list", "pods"),
				right("own", "get", "leases", "coordination.k8s.io"),
				right("own", "create", "pods"),
				right("system", "get", "namespaces"),
			];
			await without(missing, async (giveBack) => {
				const second = scenario.scheduler({ HOLD: "real=stop" });
				const back = () => scenario.fleet.nodeObjects().every((node) => node.spec.unschedulable !== true);
				await scenario.fleet.until("n-1 is back in service", back);
				assert.equal((await nodeOf(scenario, "n-1")).status.nodeInfo.bootID, scenario.fleet.node("n-1").bootId);
				await giveBack();
				assert.equal(await second.ended(), 0, second.story().slice(-4_000));
				assert.equal(second.told("reboot.ended", { node: "n-1" })[0]?.end, "cancelled");
				await assertTidy(scenario);
			});
		});
	});

	it("get validatingadmissionpolicies: the doctor says so", async () => {
		const missing = right("cluster", "get", "validatingadmissionpolicies", "admissionregistration.k8s.io");
		await without([missing], async () => {
			const kubeconfig = scenario.controlPlane.kubeconfig(join(scenario.dir, "doctor"), { context: "real", user: "scheduler" });
			const env = { PATH: process.env.PATH, MAINTENANCE_WINDOWS: "always", AzureWebJobsStorage: scenario.azurite.connectionString };
			const run = promisify(execFile)(process.execPath, [doctor, "--kubeconfig", kubeconfig, "--context", "real"], { env, cwd: scenario.dir });
			const { code, stdout = "" } = await run.then(
				() => ({ code: 0 }) as { code: number; stdout?: string },
				(error: { code: number; stdout: string }) => error,
			);
			assert.equal(code, 1, stdout);
			assert.match(stdout, /missing: get validatingadmissionpolicies\.admissionregistration\.k8s\.io/);
		});
	});

	it("every right of the scheduler's roles was missing in a story of its own", async () => {
		const { api } = scenario.controlPlane;
		const shipped = await Promise.all(
			(Object.keys(roles) as Right["role"][]).map(async (role) => {
				const { rules } = await api.get<{ rules: Rule[] }>(roles[role] as string);
				return rules.flatMap(({ apiGroups, resources, verbs }) =>
					apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => rightText({ role, group, resource, verb })))),
				);
			}),
		);
		assert.deepEqual([...told].sort(), shipped.flat().sort());
	});

	it("no secret is printed or stored", async () => {
		await assertNoLeaks(scenario);
	});
});

function rightText({ role, verb, resource, group }: Right): string {
	return `${role}: ${verb} ${resource}${group === "" ? "" : `.${group}`}`;
}

/** As the API server says it: User "scheduler" cannot get resource "nodes" in API group … */
function names({ verb, resource }: Right): RegExp {
	return new RegExp(`cannot ${verb} resource "${resource}"`);
}

function covers(rule: Rule, each: Right): boolean {
	return rule.apiGroups.includes(each.group) && rule.resources.includes(each.resource);
}

const agent = {
	metadata: { name: "agent", namespace: "default" },
	spec: {
		selector: { matchLabels: { app: "agent" } },
		template: {
			metadata: { labels: { app: "agent" } },
			spec: { tolerations: [{ operator: "Exists" }], containers: [{ name: "main", image: "registry.test/app:1" }] },
		},
	},
};
