// A real control plane with a real Linux node (node1) and a simulated one (spare), where evicted pods find room.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { startAzurite } from "../azurite.ts";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import { startKubelets } from "../real/kubelets.ts";
import { conditionStatus, type Node, type Pod } from "../real/objects.ts";
import { type Guard, startGuard, together } from "../real/processes.ts";
import { Scenario } from "../real/scenario.ts";
import type { Manifest } from "../real/workloads.ts";
import { Machine } from "./machine.ts";
import { situationOf } from "./situation.ts";

const manifests = resolve(import.meta.dirname, "../../infra/cluster");
const kubelet = "system:node:node1";
/** The API server's address in every cluster; the node has no kube-proxy. */
const serviceAddress = "10.96.0.1";
/** Where the machine finds the API server. */
const apiServer = "10.0.2.100";

/** Beside those of the image. */
const kubeletSettings = {
	// An emulated processor is some fifty times slower: what the shipped limits give would not do for a TLS handshake.
	cpuCFSQuota: false,
	// Looked after for kube-proxy and ports of the host, of which there are none.
	makeIPTablesUtilChains: false,
};

const podAddresses = "10.244.1.0/24";
const inTable = (rule: string): string => `ExecStart=iptables -w -t nat -A ${rule}`;
const redirect = (chain: string): string => inTable(`${chain} -d ${serviceAddress} -p tcp --dport 443 -j DNAT --to-destination ${apiServer}:6443`);
const networkUnit = `[Unit]
After=net.service
Before=kubelet.service
[Service]
Type=oneshot
RemainAfterExit=yes
${redirect("PREROUTING")}
${redirect("OUTPUT")}
${inTable(`POSTROUTING -s ${podAddresses} ! -d ${podAddresses} -j MASQUERADE`)}
[Install]
WantedBy=multi-user.target
`;

/** That of the image without rules for each pod: each is a start of iptables, which takes an emulated processor a second. */
const podNetwork = {
	cniVersion: "0.4.0",
	name: "pods",
	plugins: [
		{ type: "bridge", bridge: "cni0", isGateway: true, ipam: { type: "host-local", ranges: [[{ subnet: podAddresses }]], routes: [{ dst: "0.0.0.0/0" }] } },
	],
};

export interface RealNode {
	readonly machine: Machine;
	readonly scenario: Scenario;
	readonly controlPlane: ControlPlane;
	node(): Promise<Node>;
	/** Of an app, on node1. */
	pods(app: string): Promise<Pod[]>;
	/** Fails, with the situation, after ten minutes, and as soon as the machine hangs. */
	until(what: string, holds: () => boolean | Promise<boolean>): Promise<void>;
	stop(): Promise<void>;
}

/** Resolves once the node is Ready. The shipped manifests are not applied yet. `tell` hears of a machine that had to be started again. */
export async function startRealNode(tell: (what: string) => void): Promise<RealNode> {
	const dir = mkdtempSync(join(tmpdir(), "real-node-"));
	// Removes it, however this test ends.
	const guard = startGuard(dir);
	const controlPlane = await startControlPlane({
		dir,
		serviceAccountAdmission: true,
		users: [{ name: kubelet, groups: ["system:nodes"] }],
		apiServerFlags: ["--enable-admission-plugins=NodeRestriction"],
		// What pods are given to know the API server by.
		controllerFlags: [`--root-ca-file=${join(dir, "certs", "apiserver.crt")}`],
	});
	const [machine, azurite, fleet] = await together(
		Machine.start(new URL(controlPlane.url), tell),
		startAzurite(),
		startKubelets(controlPlane, [{ name: "spare", cordoned: true }]),
	).catch(async (error: unknown) => {
		await controlPlane.stop();
		await guard.stop();
		throw error;
	});
	const scenario = new Scenario(controlPlane, fleet, azurite, dir);
	const cluster = realNode(machine, scenario, guard);
	try {
		await joinCluster(cluster);
	} catch (error) {
		await cluster.stop();
		throw error;
	}
	return cluster;
}

function realNode(machine: Machine, scenario: Scenario, guard: Guard): RealNode {
	const { controlPlane } = scenario;
	const cluster: RealNode = {
		machine,
		scenario,
		controlPlane,
		node: () => controlPlane.api.get<Node>("/api/v1/nodes/node1"),
		pods: (app) => controlPlane.api.list<Pod>(`/api/v1/pods?labelSelector=app%3D${app}&fieldSelector=spec.nodeName%3Dnode1`),
		until: (what, holds) => machine.until(what, holds, () => situationOf(cluster)),
		async stop() {
			await machine.stop();
			await scenario.stop();
			await guard.stop();
		},
	};
	return cluster;
}

/** Gives the machine this run's API server and waits for its kubelet. */
async function joinCluster(cluster: RealNode): Promise<void> {
	const { machine, controlPlane } = cluster;
	const config = {
		apiVersion: "v1",
		kind: "Config",
		clusters: [
			{
				name: "c",
				cluster: { server: `https://${apiServer}:6443`, "tls-server-name": "kubernetes.default.svc", "certificate-authority-data": controlPlane.caData },
			},
		],
		users: [{ name: "u", user: { token: controlPlane.token(kubelet) } }],
		contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
		"current-context": "c",
	};
	const files = {
		"/etc/kubernetes/kubelet.conf": JSON.stringify(config),
		"/etc/kubernetes/ca.crt": controlPlane.caPem,
		"/etc/systemd/system/service-address.service": networkUnit,
		"/etc/cni/net.d/10-bridge.conflist": JSON.stringify(podNetwork),
	};
	const writes = Object.entries(files).map(([file, text]) => `base64 -d >${file} <<'E'\n${Buffer.from(text).toString("base64")}\nE`);
	const kubeletConfig = Object.entries(kubeletSettings).map(([name, value]) => `echo '${name}: ${value}' >>/var/lib/kubelet/config.yaml`);
	await machine.run(["set -e", ...writes, ...kubeletConfig, "systemctl enable --now service-address", "systemctl start kubelet"].join("\n"));
	await cluster.until("the kubelet posts Ready", () => isReady(cluster));
}

export async function isReady(cluster: RealNode): Promise<boolean> {
	return conditionStatus(await cluster.node(), "Ready") === "True";
}

/** The shipped manifests as an overlay of a user's: another image, the scheduler's identity, and nothing else. */
export async function applyShipped(controlPlane: ControlPlane): Promise<void> {
	const dir = mkdtempSync(join(tmpdir(), "overlay-"));
	const identity = "- { op: replace, path: /subjects/0/name, value: scheduler }";
	const overlay = {
		resources: [relative(dir, manifests)],
		images: [{ name: "mcr.microsoft.com/azurelinux/base/core", newName: "registry.test/sentinel", newTag: "1" }],
		patches: [{ target: { labelSelector: "app.kubernetes.io/component=scheduler" }, patch: identity }],
	};
	try {
		writeFileSync(join(dir, "kustomization.yaml"), JSON.stringify(overlay));
		await controlPlane.kubectl("apply", "-k", dir);
	} finally {
		rmSync(dir, { recursive: true });
	}
}

/**
 * This node's kubelet is older than the field `appArmorProfile` and reads the annotation that came before it: what a current kubelet does
 * with the field is done by writing the one for the other.
 */
export async function annotateAppArmor(cluster: RealNode, probe: Manifest): Promise<void> {
	const { api } = cluster.controlPlane;
	const annotation = "container.apparmor.security.beta.kubernetes.io/reboot";
	const expression = `Object{metadata: Object.metadata{annotations: {"${annotation}": "unconfined"}}}`;
	const path = "/apis/admissionregistration.k8s.io/v1";
	const metadata = { name: "apparmor-annotation" };
	await api.post(`${path}/mutatingadmissionpolicies`, {
		metadata,
		spec: {
			matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }] },
			matchConditions: [
				{ name: "unconfined", expression: 'object.spec.containers.exists(c, c.?securityContext.?appArmorProfile.?type.orValue("") == "Unconfined")' },
			],
			reinvocationPolicy: "Never",
			mutations: [{ patchType: "ApplyConfiguration", applyConfiguration: { expression } }],
		},
	});
	await api.post(`${path}/mutatingadmissionpolicybindings`, { metadata, spec: { policyName: metadata.name } });
	await cluster.until("the annotation is written", async () => {
		const tried = await api.post<Pod>("/api/v1/namespaces/aks-reboot-scheduler/pods?dryRun=All", probe);
		return tried.metadata.annotations?.[annotation] !== undefined;
	});
}
