// What the doctor is tried on: one cluster in a real API server with the shipped manifests, an ARM that hands it out, and a table.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { configurationOf, doctorWorldOf, wire } from "../../functions/world.ts";
import { examine, type Limits } from "../../lib/doctor/doctor.ts";
import { allFindings, type Diagnosis, type Finding } from "../../lib/doctor/findings.ts";
import { entraKubeconfig } from "../arm/kubeconfigs.ts";
import { type Arm, type ArmCall, type ArmCluster, type ArmTrouble, resourceIdOf, startArm } from "../arm/server.ts";
import { type Azurite, startAzurite } from "../azurite.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { applyShipped } from "./scenario.ts";

const ours = "aks-reboot-scheduler";
const where = { subscriptionId: "00000000-0000-0000-0000-000000000001", resourceGroup: "rg", resourceName: "prod" } as const;
export const sentinelPath = `/apis/apps/v1/namespaces/${ours}/daemonsets/sentinel`;

export const leases = `/apis/coordination.k8s.io/v1/namespaces/${ours}/leases`;

type Environment = Readonly<Record<string, string | undefined>>;

export interface Visit {
	readonly env?: Environment;
	readonly limits?: Limits;
	readonly cluster?: string;
	readonly kubeconfig?: string;
}

export class Patient {
	readonly plane: ControlPlane;
	readonly arm: Arm;
	readonly azurite: Azurite;
	readonly dir: string;
	/** What ARM answers instead of the truth. */
	readonly armTrouble: { of: ((call: ArmCall) => ArmTrouble | undefined) | null };
	/** As whom the identity is known to the cluster. */
	user = "scheduler";

	constructor(parts: Pick<Patient, "plane" | "arm" | "azurite" | "dir" | "armTrouble">) {
		this.plane = parts.plane;
		this.arm = parts.arm;
		this.azurite = parts.azurite;
		this.dir = parts.dir;
		this.armTrouble = parts.armTrouble;
	}

	/** The cluster in ARM; may be changed. */
	get inArm(): ArmCluster {
		const cluster = this.arm.clusters.get(resourceIdOf(where).toLowerCase());
		if (cluster === undefined) throw new Error("the cluster was taken out of ARM");
		return cluster;
	}

	/** Another cluster for ARM to hand out. */
	otherCluster(resourceName: string, kubeconfig: string): string {
		const cluster = { ...this.inArm, resourceName, kubeconfig };
		const id = resourceIdOf(cluster);
		this.arm.clusters.set(id.toLowerCase(), cluster);
		return id;
	}

	kubeconfigOf(server: string, caPem: string): string {
		return entraKubeconfig({ name: where.resourceName, server, caPem });
	}

	get env(): Environment {
		return { CLUSTERS: resourceIdOf(where), MAINTENANCE_WINDOWS: "Sat,Sun 02:00-06:00", AzureWebJobsStorage: this.azurite.connectionString };
	}

	/** As a process that has just begun: nothing is remembered of an earlier visit. */
	async visit({ env, limits, cluster, kubeconfig }: Visit = {}): Promise<Diagnosis> {
		const given = { ...this.env, ...env };
		const configuration = configurationOf(given);
		const world = () =>
			doctorWorldOf(
				wire(given, configuration.stateTable ?? "", {
					journal: { write() {} },
					...(kubeconfig === undefined ? {} : { kubeconfig }),
					arm: {
						armUrl: this.arm.url,
						armCaPem: this.arm.caPem,
						credential: { getToken: async () => ({ token: this.plane.token(this.user), expiresOnTimestamp: Date.now() + 3_600_000 }) },
					},
				}),
			);
		const diagnosis = await examine({ configuration, world, cluster: cluster ?? null, ...(limits === undefined ? {} : { limits }) });
		if (diagnosis === null) throw new Error(`there is no cluster ${cluster}`);
		return diagnosis;
	}

	/** Visits until it says so: the API server takes its time with changed rights and policies. */
	async visitUntil(what: string, isSo: (diagnosis: Diagnosis) => boolean, visit: Visit = {}): Promise<Diagnosis> {
		const endsAt = Date.now() + 180_000;
		for (;;) {
			const diagnosis = await this.visit(visit);
			if (isSo(diagnosis)) return diagnosis;
			if (Date.now() > endsAt) throw new Error(`${what}: not so; the doctor says ${told(diagnosis)}`);
			await delay(50);
		}
	}

	async setSentinels(desired: number, ready: number): Promise<void> {
		const status = { currentNumberScheduled: desired, desiredNumberScheduled: desired, numberMisscheduled: 0, numberReady: ready };
		await this.plane.api.patch(`${sentinelPath}/status`, { status });
	}

	async stop(): Promise<void> {
		await Promise.all([this.plane.stop(), this.arm.stop(), this.azurite.stop()]);
		rmSync(this.dir, { recursive: true, force: true });
	}
}

export function told(diagnosis: Diagnosis): string {
	return allFindings(diagnosis)
		.map(({ check, standing, says }) => `\n${standing} ${check}: ${says}`)
		.join("");
}

export function firstBad(diagnosis: Diagnosis): Finding | undefined {
	return allFindings(diagnosis).find(({ standing }) => standing === "bad");
}

/** A healthy one: two nodes, their sentinels ready. */
export async function startPatient(): Promise<Patient> {
	const [plane, azurite] = await Promise.all([startControlPlane({ controllers: false, scheduler: false, users: [{ name: "stranger" }] }), startAzurite()]);
	await applyShipped(plane);
	for (const name of ["n-1", "n-2"]) await registerNode(plane, name);
	const containers = [{ name: "sentinel", image: "registry.test/sentinel:1" }];
	await plane.api.post(`/api/v1/namespaces/${ours}/pods`, {
		metadata: { name: "sentinel-a", labels: { app: "sentinel" } },
		spec: { nodeName: "n-1", containers },
	});
	const armTrouble: Patient["armTrouble"] = { of: null };
	const managed = { provisioningState: "Succeeded", powerState: { code: "Running" }, autoUpgradeProfile: { nodeOSUpgradeChannel: "Unmanaged" } };
	const kubeconfig = entraKubeconfig({ name: where.resourceName, server: plane.url, caPem: plane.caPem });
	const arm = await startArm({ clusters: [{ ...where, managed, kubeconfig }], trouble: (call) => armTrouble.of?.(call) });
	const patient = new Patient({ plane, arm, azurite, dir: mkdtempSync(join(tmpdir(), "doctor-")), armTrouble });
	await patient.setSentinels(2, 2);
	return patient;
}

async function registerNode({ api }: ControlPlane, name: string): Promise<void> {
	await api.post("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name, labels: { "kubernetes.io/os": "linux" } } });
	const about = { machineID: name, systemUUID: name, osImage: "", containerRuntimeVersion: "", kubeletVersion: "", kubeProxyVersion: "" };
	const nodeInfo = {
		...about,
		bootID: `00000000-0000-4000-8000-00000000000${name.slice(-1)}`,
		kernelVersion: "6.8.0",
		operatingSystem: "linux",
		architecture: "amd64",
	};
	await api.patch(`/api/v1/nodes/${name}/status`, { status: { nodeInfo } });
}
