// What the lab keeps in its folder, so that another start goes on where it was. Secrets are in it: files are for their owner alone.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IssuedCertificate } from "../arm/certificates.ts";
import type { MachineLeft, RebootNeed } from "../real/kubelet-settings.ts";
import type { LabArguments } from "./arguments.ts";
import type { LabSnapshot } from "./kubernetes/cluster.ts";

/** Kept so that whoever knew them before knows them again. */
export interface LabKeys {
	readonly armAuthority: IssuedCertificate;
	/** Signs the certificates of local accounts. */
	readonly clientAuthority: IssuedCertificate;
	readonly armToken: string;
	/** Of the scheduler's identity, for every cluster with Entra ID. */
	readonly clusterToken: string;
	/** Of the user in the kubeconfig of a cluster that has neither Entra ID nor certificates. */
	readonly userToken: string;
	readonly identityHeader: string;
	readonly ports: { readonly arm: number; readonly identity: number; readonly clusters: Readonly<Record<string, number>> };
}

export interface MachineState extends MachineLeft {
	readonly name: string;
	readonly kernelVersion: string;
	readonly needs: { readonly packages: readonly string[]; readonly since: string } | null;
}

export interface ClusterState {
	readonly machines: readonly MachineState[];
	/** Every object; null where the API server keeps them itself. */
	readonly objects: LabSnapshot | null;
}

export interface LabState {
	readonly keys: LabKeys;
	readonly clusters: Readonly<Record<string, ClusterState>>;
}

/** Each fleet has a file of its own: another size is another fleet. */
export function stateFile({ folder, scale, real }: LabArguments): string {
	const fleet = scale === null ? "demonstration" : `${scale.clusters}x${scale.nodes}`;
	return join(folder, `fleet-${fleet}${real ? "-real" : ""}.json`);
}

/** Null: it was never saved. */
export function readState(file: string): LabState | null {
	if (!existsSync(file)) return null;
	try {
		return JSON.parse(readFileSync(file, "utf8")) as LabState;
	} catch {
		throw new Error(`going on with the fleet in ${file}: it cannot be read; remove it to begin anew`);
	}
}

/** All of it or nothing, also when we are killed meanwhile. */
export function writePrivately(file: string, text: string): void {
	writeFileSync(`${file}.new`, text, { mode: 0o600 });
	renameSync(`${file}.new`, file);
}

export function needOf({ needs }: MachineState): RebootNeed | null {
	return needs === null ? null : { packages: needs.packages, since: new Date(needs.since) };
}
