// Objects of the size that they have in clusters at work: a node of 12 to 13 kB (25 images, labels of AKS, managed fields of four managers),
// pods of 4 to 5 kB.
import { createHash } from "node:crypto";
import { rebootRequiredLabel, reportAnnotation, sentinelName } from "../../lib/kubernetes/sentinel.ts";
import { namespace } from "../../lib/plan/model.ts";

/** Beside its sentinel each node runs so many: 30,000 pods on 5,000 nodes. */
export const otherPods = 5;
const kernel = "6.8.0-1031-azure";
const packages = ["linux-image-6.8.0-1032-azure", "linux-base", "libc6", "libssl3t64", "systemd"];
const createdAt = "2026-11-03T04:05:06Z";

export interface SeedObject {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
	readonly [field: string]: unknown;
}

/** The same for the same name, in the form of a UUID. */
export function uuidOf(name: string): string {
	const digest = createHash("sha256").update(name).digest("hex");
	return [digest.slice(0, 8), digest.slice(8, 12), `4${digest.slice(13, 16)}`, `8${digest.slice(17, 20)}`, digest.slice(20, 32)].join("-");
}

export function nodeName(index: number): string {
	return `aks-work${Math.floor(index / 1000) + 1}-30712345-vmss${index.toString(36).toUpperCase().padStart(6, "0").toLowerCase()}`;
}

function keys(object: object): object {
	return Object.fromEntries(Object.keys(object).map((key) => [`f:${key}`, {}]));
}

function managed(manager: string, fieldsV1: object, subresource?: string): object {
	const at = { manager, operation: "Update", apiVersion: "v1", time: createdAt, fieldsType: "FieldsV1", fieldsV1 };
	return subresource === undefined ? at : { ...at, subresource };
}

function nodeLabels(name: string, index: number): Record<string, string> {
	const pool = `work${Math.floor(index / 1000) + 1}`;
	return {
		agentpool: pool,
		"beta.kubernetes.io/arch": "amd64",
		"beta.kubernetes.io/instance-type": "Standard_D8ds_v5",
		"beta.kubernetes.io/os": "linux",
		"failure-domain.beta.kubernetes.io/region": "westeurope",
		"failure-domain.beta.kubernetes.io/zone": `westeurope-${(index % 3) + 1}`,
		"kubernetes.azure.com/agentpool": pool,
		"kubernetes.azure.com/cluster": "MC_rg-production_production_westeurope",
		"kubernetes.azure.com/consolidated-additional-properties": uuidOf(`additional-${name}`),
		"kubernetes.azure.com/kubelet-identity-client-id": uuidOf("kubelet"),
		"kubernetes.azure.com/mode": index < 3 ? "system" : "user",
		"kubernetes.azure.com/node-image-version": "AKSUbuntu-2404gen2containerd-202611.03.0",
		"kubernetes.azure.com/nodepool-type": "VirtualMachineScaleSets",
		"kubernetes.azure.com/os-sku": "Ubuntu",
		"kubernetes.azure.com/role": "agent",
		"kubernetes.azure.com/storageprofile": "managed",
		"kubernetes.azure.com/storagetier": "Premium_LRS",
		"kubernetes.io/arch": "amd64",
		"kubernetes.io/hostname": name,
		"kubernetes.io/os": "linux",
		"kubernetes.io/role": "agent",
		"node-role.kubernetes.io/agent": "",
		"node.kubernetes.io/instance-type": "Standard_D8ds_v5",
		storageprofile: "managed",
		storagetier: "Premium_LRS",
		"topology.disk.csi.azure.com/zone": `westeurope-${(index % 3) + 1}`,
		"topology.kubernetes.io/region": "westeurope",
		"topology.kubernetes.io/zone": `westeurope-${(index % 3) + 1}`,
	};
}

/** Up to 50 are told of by a kubelet (`--node-status-max-images`). */
const images = Array.from({ length: 25 }, (_, index) => {
	const repository = `mcr.microsoft.com/oss/kubernetes/component-${index}`;
	const digest = createHash("sha256").update(repository).digest("hex");
	return { names: [`${repository}@sha256:${digest}`, `${repository}:v1.${index}.3`], sizeBytes: 31_415_926 + index };
});

const conditions = [
	"KernelDeadlock",
	"FrequentKubeletRestart",
	"FilesystemCorruptionProblem",
	"VMEventScheduled",
	"MemoryPressure",
	"DiskPressure",
	"PIDPressure",
];

function nodeConditions(): object[] {
	const times = { lastHeartbeatTime: createdAt, lastTransitionTime: createdAt };
	const healthy = conditions.map((type) => ({ type, status: "False", ...times, reason: `No${type}`, message: `${type} is not the case on this node` }));
	return [...healthy, { type: "Ready", status: "True", ...times, reason: "KubeletReady", message: "kubelet is posting ready status" }];
}

export function bootIdOf(node: string): string {
	return uuidOf(`boot of ${node}`);
}

export function node(index: number): SeedObject {
	const name = nodeName(index);
	const labels = nodeLabels(name, index);
	const annotations = {
		"csi.volume.kubernetes.io/nodeid": JSON.stringify({ "disk.csi.azure.com": name, "file.csi.azure.com": name }),
		"node.alpha.kubernetes.io/ttl": "0",
		"volumes.kubernetes.io/controller-managed-attach-detach": "true",
	};
	const fields = [
		managed("kubelet", { "f:metadata": { "f:annotations": keys(annotations), "f:labels": keys(labels) }, "f:spec": { "f:providerID": {} } }),
		managed("cloud-node-manager", { "f:metadata": { "f:labels": keys(labels) } }),
		managed("kube-controller-manager", { "f:metadata": { "f:annotations": { "f:node.alpha.kubernetes.io/ttl": {} } }, "f:spec": { "f:podCIDR": {} } }),
		managed(
			"kubelet",
			{ "f:status": { "f:conditions": keys(Object.fromEntries(conditions.map((each) => [`{"type":"${each}"}`, 1]))), "f:images": {} } },
			"status",
		),
	];
	const capacity = { cpu: "8", "ephemeral-storage": "129886128Ki", "hugepages-1Gi": "0", "hugepages-2Mi": "0", memory: "32863000Ki", pods: "110" };
	return {
		apiVersion: "v1",
		kind: "Node",
		metadata: { name, uid: uuidOf(name), creationTimestamp: createdAt, labels, annotations, managedFields: fields },
		spec: { providerID: `azure:///subscriptions/${uuidOf("subscription")}/resourceGroups/mc_rg/providers/Microsoft.Compute/virtualMachineScaleSets/${name}` },
		status: {
			addresses: [
				{ type: "InternalIP", address: `10.224.${Math.floor(index / 250)}.${index % 250}` },
				{ type: "Hostname", address: name },
			],
			allocatable: capacity,
			capacity,
			conditions: nodeConditions(),
			daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
			images,
			nodeInfo: {
				architecture: "amd64",
				bootID: bootIdOf(name),
				containerRuntimeVersion: "containerd://2.0.5",
				kernelVersion: kernel,
				kubeProxyVersion: "",
				kubeletVersion: "v1.36.1",
				machineID: uuidOf(`machine of ${name}`).replaceAll("-", ""),
				operatingSystem: "linux",
				osImage: "Ubuntu 24.04.3 LTS",
				systemUUID: uuidOf(`system of ${name}`),
			},
		},
	};
}

function owner(kind: "DaemonSet" | "ReplicaSet", name: string, uid: string): object[] {
	return [{ apiVersion: "apps/v1", kind, name, uid, controller: true, blockOwnerDeletion: true }];
}

function podStatus(node: string, container: string): object {
	const types = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];
	const state = { running: { startedAt: createdAt } };
	const id = createHash("sha256").update(`${node}${container}`).digest("hex");
	return {
		phase: "Running",
		conditions: types.map((type) => ({ type, status: "True", lastProbeTime: null, lastTransitionTime: createdAt })),
		containerStatuses: [
			{
				name: container,
				image: "mcr.microsoft.com/a",
				imageID: `sha256:${id}`,
				containerID: `containerd://${id}`,
				ready: true,
				started: true,
				restartCount: 0,
				state,
				lastState: {},
			},
		],
		hostIP: "10.224.0.4",
		podIP: "10.244.1.7",
		podIPs: [{ ip: "10.244.1.7" }],
		qosClass: "Burstable",
		startTime: createdAt,
	};
}

function podSpec(nodeName: string, container: string): object {
	const mounts = [
		{ mountPath: "/host/run", name: "run", readOnly: true },
		{ mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", name: "kube-api-access", readOnly: true },
	];
	return {
		nodeName,
		restartPolicy: "Always",
		dnsPolicy: "ClusterFirst",
		schedulerName: "default-scheduler",
		terminationGracePeriodSeconds: 30,
		serviceAccountName: "default",
		securityContext: { runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, seccompProfile: { type: "RuntimeDefault" } },
		containers: [
			{
				name: container,
				image: `mcr.microsoft.com/azurelinux/base/core@sha256:${"a1".repeat(32)}`,
				imagePullPolicy: "IfNotPresent",
				command: ["/bin/sh", "/program/run.sh"],
				env: [
					{ name: "POD_NAME", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } } },
					{ name: "POD_NAMESPACE", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } } },
				],
				readinessProbe: {
					exec: { command: ["/bin/sh", "/program/run.sh", "ready"] },
					periodSeconds: 10,
					timeoutSeconds: 5,
					successThreshold: 1,
					failureThreshold: 3,
				},
				resources: { limits: { cpu: "200m", memory: "64Mi" }, requests: { cpu: "5m", memory: "16Mi" } },
				securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
				terminationMessagePath: "/dev/termination-log",
				terminationMessagePolicy: "File",
				volumeMounts: mounts,
			},
		],
		tolerations: [
			{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
			{ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
		],
		volumes: ["run", "kube-api-access"].map((name) => ({ name, emptyDir: {} })),
	};
}

function podFields(labels: object): object[] {
	const container = keys({ command: 1, image: 1, imagePullPolicy: 1, name: 1, resources: 1, securityContext: 1, terminationMessagePath: 1, volumeMounts: 1 });
	const spec = {
		"f:containers": { 'k:{"name":"main"}': container },
		...keys({ dnsPolicy: 1, nodeName: 1, restartPolicy: 1, securityContext: 1, tolerations: 1 }),
	};
	const status = {
		"f:conditions": keys({ Ready: 1, Initialized: 1, ContainersReady: 1 }),
		...keys({ containerStatuses: 1, hostIP: 1, phase: 1, podIP: 1, startTime: 1 }),
	};
	return [
		managed("kube-controller-manager", { "f:metadata": { "f:generateName": {}, "f:labels": keys(labels), "f:ownerReferences": {} }, "f:spec": spec }),
		managed("kubelet", { "f:status": status }, "status"),
	];
}

/** `waits`: its node asks for a reboot. */
export function sentinel(index: number, daemonSetUid: string, waits: boolean): SeedObject {
	const node = nodeName(index);
	const name = `${sentinelName}-${uuidOf(`sentinel ${node}`).slice(0, 5)}-${index}`;
	const labels = { app: sentinelName, "app.kubernetes.io/component": "sentinel", "controller-revision-hash": "5d4f8c7b9", "pod-template-generation": "1" };
	const report = JSON.stringify({ bootId: bootIdOf(node), since: waits ? createdAt : null, kernel, packages: waits ? packages : [] });
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name,
			namespace,
			uid: uuidOf(name),
			creationTimestamp: createdAt,
			generateName: `${sentinelName}-`,
			labels: { ...labels, ...(waits ? { [rebootRequiredLabel]: "true" } : {}) },
			annotations: { [reportAnnotation]: report },
			ownerReferences: owner("DaemonSet", sentinelName, daemonSetUid),
			managedFields: [...podFields(labels), managed("sentinel", { "f:metadata": { "f:annotations": { [`f:${reportAnnotation}`]: {} } } })],
		},
		spec: podSpec(node, sentinelName),
		status: podStatus(node, sentinelName),
	};
}

export function pod(nodeIndex: number, index: number): SeedObject {
	const node = nodeName(nodeIndex);
	const name = `app-${index}-6f7c9d8b5-${uuidOf(`${node} ${index}`).slice(0, 5)}-${nodeIndex}`;
	const labels = { app: `app-${index}`, "app.kubernetes.io/name": `app-${index}`, "pod-template-hash": "6f7c9d8b5" };
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name,
			namespace: "default",
			uid: uuidOf(name),
			creationTimestamp: createdAt,
			generateName: `app-${index}-6f7c9d8b5-`,
			labels,
			ownerReferences: owner("ReplicaSet", `app-${index}-6f7c9d8b5`, uuidOf(`app-${index}`)),
			managedFields: podFields(labels),
		},
		spec: podSpec(node, "main"),
		status: podStatus(node, "main"),
	};
}

/** Nodes `from` to `before` with all that runs on them; nobody asks for a reboot. */
export function* nodesWithPods(from: number, before: number, daemonSetUid: string): Generator<SeedObject> {
	for (let index = from; index < before; index++) {
		yield node(index);
		yield sentinel(index, daemonSetUid, false);
		for (let each = 0; each < otherPods; each++) yield pod(index, each);
	}
}
