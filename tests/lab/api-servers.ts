// The API server of one cluster of the fleet: the lab's, or a real control plane.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ApiServer } from "../api-server.ts";
import { startControlPlane, type User } from "../real/control-plane.ts";
import { type LabSnapshot, startLabCluster } from "./kubernetes/cluster.ts";

export interface ServerOptions {
	/** Of this cluster alone. */
	readonly folder: string;
	readonly port: number;
	readonly users: readonly User[];
	/** Client certificates that it signed are let in: common name and organization are user and group. */
	readonly clientCaPem: string;
	/** What an earlier one held; null: a new cluster. */
	readonly objects: LabSnapshot | null;
}

export interface FleetServer extends ApiServer {
	/** Every object, where they are not kept by the server itself. */
	objects(): LabSnapshot | null;
}

export async function startRealServer({ folder, port, users, clientCaPem }: ServerOptions): Promise<FleetServer> {
	mkdirSync(folder, { recursive: true });
	const clientCa = join(folder, "client-ca.pem");
	writeFileSync(clientCa, clientCaPem);
	const plane = await startControlPlane({ dir: folder, port, users, audit: false, apiServerFlags: [`--client-ca-file=${clientCa}`] });
	return Object.assign(plane, { objects: () => null });
}

export async function startLabServer({ port, users, clientCaPem, objects }: ServerOptions): Promise<FleetServer> {
	const cluster = await startLabCluster({ port, users, clientCaPem, ...(objects === null ? {} : { snapshot: objects }) });
	return Object.assign(cluster, { objects: () => cluster.snapshot() });
}
