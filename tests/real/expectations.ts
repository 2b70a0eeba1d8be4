// What several stories expect alike, asked of the API server and of the simulated machines, never of the journal.
import assert from "node:assert/strict";
import { leaseMs } from "../../lib/tick/lease.ts";
import type { KubeObject } from "./api-client.ts";
import type { RebootNeed } from "./kubelet-settings.ts";
import { conditionStatus, type Node, type Pod } from "./objects.ts";
import type { Scenario } from "./scenario.ts";

export const markAnnotation = "aks-reboot-scheduler/reboot";

/** A need of a reboot since so many minutes. */
export function waitsFor(minutes: number, packages: readonly string[] = ["linux-image-azure"]): RebootNeed {
	return { packages, since: new Date(Date.now() - minutes * 60_000) };
}

/** The node as the API server has it now. */
export function nodeOf(scenario: Scenario, name: string): Promise<Node> {
	return scenario.controlPlane.api.get<Node>(`/api/v1/nodes/${name}`);
}

export function markOf(node: Node): string | undefined {
	return node.metadata.annotations?.[markAnnotation];
}

/** Managers of `spec.unschedulable`. */
export function cordonManagers(node: Node): string[] {
	return (node.metadata.managedFields ?? []).filter((each) => JSON.stringify(each.fieldsV1 ?? {}).includes('"f:unschedulable"')).map((each) => each.manager);
}

/** Nothing of ours is left on any node, and no cordon but those of the nodes named. */
export async function assertTidy(scenario: Scenario, cordonedByOthers: readonly string[] = []): Promise<void> {
	const nodes = await scenario.controlPlane.api.list<Node>("/api/v1/nodes");
	const marked = nodes.filter((node) => markOf(node) !== undefined).map((node) => node.metadata.name);
	assert.deepEqual(marked, [], "nodes that still carry our mark");
	const cordoned = nodes.filter((node) => node.spec.unschedulable === true).map((node) => node.metadata.name);
	assert.deepEqual(cordoned.sort(), [...cordonedByOthers].sort(), "cordoned nodes");
	assert.deepEqual(await rebootPodsLeft(scenario), [], "reboot pods that are left");
}

export async function rebootPodsLeft(scenario: Scenario): Promise<string[]> {
	const pods = await scenario.controlPlane.api.list<Pod>("/api/v1/namespaces/aks-reboot-scheduler/pods?labelSelector=app%3Dreboot");
	return pods.map((pod) => pod.metadata.name);
}

/** No secret in use was printed or stored. */
export async function assertNoLeaks(scenario: Scenario, others: readonly string[] = []): Promise<void> {
	assert.deepEqual(await scenario.leaks(others), [], "places where a secret stands");
}

/** Requests of the scheduler that did something to the cluster, since an instant. */
export function actsOfScheduler(scenario: Scenario, since = 0): string[] {
	return scenario.controlPlane.requests({ user: "scheduler", acts: true, since }).map((line) => `${line.verb} ${line.requestURI}`);
}

/** Another story on the same cluster: no table, and just these nodes wait, for so many minutes each. Resolves once their sentinels say so. */
export async function newStory(scenario: Scenario, minutesByNode: Readonly<Record<string, number>>): Promise<void> {
	const { fleet } = scenario;
	await Promise.all(scenario.schedulers.map((each) => each.kill()));
	await scenario.deleteTables();
	for (const name of fleet.names()) {
		const minutes = minutesByNode[name];
		fleet.node(name).needReboot(minutes === undefined ? null : waitsFor(minutes));
	}
	await fleet.until("the sentinels say who waits", () => fleet.names().every((name) => asksNow(scenario, name) === name in minutesByNode));
	for (const log of [fleet.down, fleet.unavailable, fleet.marked]) log.moments.length = 0;
}

/** As if the last scheduler had ended long ago: the table's clock is moved on, and those of the nodes with it. */
export async function leaseRunsOut(scenario: Scenario, ms = leaseMs + 1_000): Promise<void> {
	await scenario.azurite.advance(ms);
	for (const name of scenario.fleet.names()) scenario.fleet.node(name).set({ clockOffsetMs: scenario.azurite.aheadMs });
}

/** Whether a ready sentinel of this boot asks; null while there is none. */
function asksNow(scenario: Scenario, node: string): boolean | null {
	const { fleet } = scenario;
	const pod = fleet
		.pods()
		.find((each) => each.spec.nodeName === node && each.metadata.labels?.app === "sentinel" && fleet.node(node).serves(each.metadata.uid));
	if (pod?.metadata.annotations?.["aks-reboot-scheduler/report"]?.includes(fleet.node(node).bootId) !== true) return null;
	return pod.metadata.labels?.["aks-reboot-scheduler/reboot-required"] === "true";
}

/** Pods of an app on a node, as they were last seen. */
export function podsOf(scenario: Scenario, app: string, node: string): Pod[] {
	return scenario.fleet.pods().filter((pod) => pod.metadata.labels?.app === app && pod.spec.nodeName === node);
}

/** Resolves once so many pods of an app serve. */
export function untilServes(scenario: Scenario, app: string, count: number): Promise<void> {
	const { fleet } = scenario;
	const serving = () => fleet.pods().filter((pod) => pod.metadata.labels?.app === app && fleet.node(pod.spec.nodeName ?? "").serves(pod.metadata.uid));
	return fleet.until(`${count} pods of ${app} serve`, () => serving().length === count);
}

/** Nodes, pods and budgets, for the message of a wait that was too long. */
export async function situation(scenario: Scenario): Promise<string> {
	const nodes = scenario.fleet.nodeObjects().map((node) => {
		const machine = scenario.fleet.node(node.metadata.name);
		const taints = (node.spec.taints ?? []).map((taint) => taint.key).join(" ");
		return `${node.metadata.name}: ${machine.up ? "up" : "down"}, Ready ${conditionStatus(node, "Ready")}, ${markOf(node) === undefined ? "unmarked" : "marked"}, ${taints}`;
	});
	const pods = scenario.fleet.pods().map((pod) => {
		const leaves = pod.metadata.deletionTimestamp === undefined ? "" : `, leaving since ${pod.metadata.deletionTimestamp}`;
		return `${pod.metadata.namespace}/${pod.metadata.name} on ${pod.spec.nodeName}: ${pod.status?.phase}, Ready ${conditionStatus(pod, "Ready")}${leaves}`;
	});
	const budgets = await scenario.controlPlane.api
		.list<KubeObject & { status: unknown }>("/apis/policy/v1/poddisruptionbudgets")
		.catch((error: unknown) => [{ metadata: { name: "not read" }, status: String(error) }]);
	const rooms = budgets.map(({ metadata, status }) => `budget ${metadata.name}: ${JSON.stringify(status)}`);
	return [...nodes, ...pods, ...rooms, ...scenario.fleet.problems.slice(-10)].join("\n");
}
