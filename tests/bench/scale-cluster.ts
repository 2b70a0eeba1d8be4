// A cluster of a real API server. What a scheduler reads whole went through the API server, so that defaults and managed fields are those of
// clusters at work; the other nodes and pods are copies of those, written into etcd, since their creation would take minutes.
// Nobody is at work in it: no kubelets that renew leases, and no controllers that would find out that there are none.
import { sideBySide } from "../../lib/tick/perform.ts";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import { applyShipped } from "../real/scenario.ts";
import { apply, daemonSet } from "../real/workloads.ts";
import { bootIdOf, nodeName, node as nodeObject, otherPods, pod, type SeedObject, sentinel, uuidOf } from "./cluster-objects.ts";
import { daemonSetPath, store, untilCached } from "./clusters.ts";

/** As many of the other pods of a node belong to these; the rest to ReplicaSets. */
const nodeAgents = ["azure-cns", "csi-azuredisk-node"];
const agentsNamespace = "kube-system";
const callsAtOnce = 24;

interface Owner {
	readonly name: string;
	readonly uid: string;
}

/** Without a UID: the API server gives one. */
function fresh(object: SeedObject, namespace = object.metadata.namespace, owner?: Owner): SeedObject {
	const { uid: _uid, managedFields: _managedFields, ...metadata } = object.metadata;
	const ownerReferences = owner && [{ apiVersion: "apps/v1", kind: "DaemonSet", ...owner, controller: true, blockOwnerDeletion: true }];
	return { ...object, metadata: { ...metadata, ...(namespace && { namespace }), ...(ownerReferences && { ownerReferences }) } };
}

function pathOf({ metadata }: SeedObject): string {
	return `/api/v1/namespaces/${metadata.namespace}/pods`;
}

/** The API server drops the status of a pod that is created. */
async function create({ api }: ControlPlane, object: SeedObject): Promise<void> {
	await api.post(`${pathOf(object)}?fieldManager=kube-controller-manager`, object);
	await api.put(`${pathOf(object)}/${object.metadata.name}/status?fieldManager=kubelet`, object);
}

async function createNode(controlPlane: ControlPlane, index: number, sentinelUid: string, agents: readonly Owner[]): Promise<void> {
	await controlPlane.api.post("/api/v1/nodes?fieldManager=kubelet", fresh(nodeObject(index)));
	await create(controlPlane, fresh(sentinel(index, sentinelUid, false)));
	for (let each = 0; each < otherPods; each++) {
		const agent = agents[each];
		await create(controlPlane, agent === undefined ? fresh(pod(index, each)) : fresh(pod(index, each), agentsNamespace, agent));
	}
}

async function uidOf({ api }: ControlPlane, path: string): Promise<string> {
	return (await api.get(path)).metadata.uid;
}

/** A node of the API server and its pods, as JSON. */
interface Template {
	readonly node: string;
	readonly objects: readonly { readonly name: string; readonly uid: string; readonly json: string }[];
}

async function templateOf({ api }: ControlPlane, node: string): Promise<Template> {
	const own = await api.get(`/api/v1/nodes/${node}`);
	const pods = await api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${node}`);
	const objects = [own, ...pods.map((each) => ({ apiVersion: "v1", kind: "Pod", ...each }))];
	return { node, objects: objects.map((each) => ({ name: each.metadata.name, uid: each.metadata.uid, json: JSON.stringify(each) })) };
}

/** Nodes `from` to `before`, with names, UIDs and boots of their own. */
function* copies({ node, objects }: Template, from: number, before: number): Generator<SeedObject> {
	for (let index = from; index < before; index++) {
		const copy = nodeName(index);
		for (const { name, uid, json } of objects) {
			const named = name === node ? json : json.replaceAll(name, `${name}-${index}`);
			yield JSON.parse(
				named
					.replaceAll(node, copy)
					.replaceAll(bootIdOf(node), bootIdOf(copy))
					.replaceAll(uid, uuidOf(`${name} ${index}`)),
			);
		}
	}
}

/** Nobody asks for a reboot. `created`: as many nodes went through the API server with their pods. */
export async function startCluster(nodes: number, created: number): Promise<ControlPlane> {
	const controlPlane = await startControlPlane({ controllers: false, scheduler: false, audit: false });
	try {
		await applyShipped(controlPlane);
		await apply(controlPlane.api, ...nodeAgents.map((name) => daemonSet(name, { namespace: agentsNamespace })));
		const agents: Owner[] = [];
		for (const name of nodeAgents) agents.push({ name, uid: await uidOf(controlPlane, `/apis/apps/v1/namespaces/${agentsNamespace}/daemonsets/${name}`) });
		const sentinelUid = await uidOf(controlPlane, daemonSetPath);
		const indices = Array.from({ length: created }, (_, index) => index);
		await sideBySide(indices, callsAtOnce, (index) => createNode(controlPlane, index, sentinelUid, agents));
		await store(controlPlane.etcdUrl, copies(await templateOf(controlPlane, nodeName(0)), created, nodes));
		const status = { desiredNumberScheduled: nodes, currentNumberScheduled: nodes, numberReady: nodes, numberMisscheduled: 0 };
		await controlPlane.api.patch(`${daemonSetPath}/status`, { status });
		await untilCached(controlPlane.api);
		return controlPlane;
	} catch (error) {
		await controlPlane.stop();
		throw error;
	}
}

/** As their sentinels would say it. */
export async function askForReboots({ api }: ControlPlane, nodes: number): Promise<void> {
	for (let index = 0; index < nodes; index++) {
		const asking = sentinel(index, "", true);
		const { labels, annotations, name } = asking.metadata;
		await api.patch(`${pathOf(asking)}/${name}?fieldManager=sentinel`, { metadata: { labels, annotations } });
	}
}

/** What the kubelets of so many cordoned nodes would do: pods that are to end are gone. */
export async function endPods({ api }: ControlPlane, nodes: number): Promise<void> {
	const cordoned = await api.list("/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue");
	for (const node of cordoned.slice(0, nodes)) {
		const pods = await api.list(`/api/v1/pods?fieldSelector=spec.nodeName%3D${node.metadata.name}`);
		for (const { metadata } of pods)
			if (metadata.deletionTimestamp !== undefined)
				await api.delete(`/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`, { gracePeriodSeconds: 0 });
	}
}
