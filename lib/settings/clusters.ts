// CLUSTERS: `[NAME=]RESOURCE_ID` of managed clusters, or `[NAME=]kubeconfig:CONTEXT`.
import { type ClusterTarget, type SettingProblem, targetId } from "../plan/policy.ts";
import { type ClusterNames, entriesOf } from "./scopes.ts";

const setting = "CLUSTERS";
const resourceIdForm = "/subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/…";
const expectedEntry = `[NAME=]${resourceIdForm} or [NAME=]kubeconfig:CONTEXT`;
/** Segments of ARM ids are compared without regard to case. */
const resourceId = /^\/subscriptions\/([^/\s]+)\/resourceGroups\/([^/\s]+)\/providers\/Microsoft\.ContainerService\/managedClusters\/([A-Za-z0-9_-]+)\/?$/i;
const kubeconfig = /^kubeconfig:\s*(\S.*)$/i;

export interface ClustersRead {
	readonly targets: readonly ClusterTarget[];
	readonly names: ClusterNames;
}

export function readClusters(text: string | undefined, problems: SettingProblem[]): ClustersRead {
	const entries = entriesOf(text ?? "");
	if (entries.length === 0) {
		problems.push({ setting, part: text?.trim() ?? null, expected: `at least one cluster: ${expectedEntry}` });
		return { targets: [], names: { known: false, names: [] } };
	}
	const targets: ClusterTarget[] = [];
	const before = problems.length;
	for (const entry of entries) {
		const found = readCluster(entry);
		if ("problem" in found) problems.push(found.problem);
		else {
			const clash = clashOf(found.ok, entry, targets);
			if (clash === null) targets.push(found.ok);
			else problems.push(clash);
		}
	}
	return { targets, names: { known: problems.length === before, names: targets.map((each) => each.name) } };
}

function readCluster(entry: string): { readonly ok: ClusterTarget } | { readonly problem: SettingProblem } {
	const bare = entry.startsWith("/") || kubeconfig.test(entry);
	const at = bare ? -1 : entry.indexOf("=");
	const name = at < 0 ? null : entry.slice(0, at).trim();
	const id = entry.slice(at + 1).trim();
	if (name !== null && !/^[A-Za-z0-9_-]+$/.test(name)) {
		return { problem: { setting, part: name === "" ? entry : name, expected: "a name of letters, digits, - and _ before `=`" } };
	}
	const arm = resourceId.exec(id);
	if (arm !== null) {
		const [, subscriptionId = "", resourceGroup = "", resourceName = ""] = arm;
		const canonical = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/providers/Microsoft.ContainerService/managedClusters/${resourceName}`;
		return { ok: { name: name ?? resourceName, kind: "aks", resourceId: canonical, subscriptionId, resourceGroup, resourceName } };
	}
	const context = kubeconfig.exec(id)?.[1];
	if (context !== undefined) return { ok: { name: name ?? context.replaceAll(/[^A-Za-z0-9_-]/g, "-"), kind: "kubeconfig", context } };
	return { problem: { setting, part: id === "" ? entry : id, expected: expectedEntry } };
}

/** Names stand in scopes, commands and the table: two that differ in case alone would be taken for each other. */
function clashOf(target: ClusterTarget, entry: string, others: readonly ClusterTarget[]): SettingProblem | null {
	if (others.some((other) => identity(other) === identity(target))) return { setting, part: entry, expected: "each cluster once" };
	const twin = others.find((other) => other.name.toLowerCase() === target.name.toLowerCase());
	if (twin === undefined) return null;
	return { setting, part: entry, expected: `a name of its own before \`=\`: ${twin.name} is the name of ${targetId(twin)} already` };
}

function identity(target: ClusterTarget): string {
	return target.kind === "aks" ? target.resourceId.toLowerCase() : targetId(target);
}
