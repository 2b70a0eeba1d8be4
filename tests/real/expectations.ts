// What several stories expect alike, asked of the API server and of the simulated machines, never of the journal.
import assert from "node:assert/strict";
import type { RebootNeed } from "./kubelet-settings.ts";
import type { Node, Pod } from "./objects.ts";
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

/** Requests of the scheduler that changed something, since an instant. */
export function writesOfScheduler(scenario: Scenario, since = 0): string[] {
	return scenario.controlPlane.requests({ user: "scheduler", writes: true, since }).map((line) => `${line.verb} ${line.requestURI}`);
}
