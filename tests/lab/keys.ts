// What is drawn once for a fleet: authorities, tokens, ports.
import { randomBytes } from "node:crypto";
import { type Authority, createAuthority, keptAuthority } from "../arm/certificates.ts";
import { freePorts } from "../real/processes.ts";
import type { LabKeys } from "./state.ts";

const armName = "lab Resource Manager";
const clientName = "lab client CA";

export async function newKeys(clusters: readonly string[]): Promise<LabKeys> {
	const [arm = 0, identity = 0, ...others] = await freePorts(2 + clusters.length);
	const authority = ({ certPem, keyPem }: Authority) => ({ certPem, keyPem });
	const secret = () => randomBytes(24).toString("hex");
	return {
		armAuthority: authority(createAuthority(armName)),
		clientAuthority: authority(createAuthority(clientName)),
		armToken: secret(),
		clusterToken: secret(),
		userToken: secret(),
		identityHeader: secret(),
		ports: { arm, identity, clusters: Object.fromEntries(clusters.map((name, index) => [name, others[index] ?? 0])) },
	};
}

export function armAuthority(keys: LabKeys): Authority {
	return keptAuthority(armName, keys.armAuthority);
}

export function clientAuthority(keys: LabKeys): Authority {
	return keptAuthority(clientName, keys.clientAuthority);
}
