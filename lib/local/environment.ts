// The environment of a run on this machine: what the person set, and what the parts beside it need.
import type { Environment } from "../azure/identity.ts";

/** Whether a storage account is named, so that no table is needed here. */
export function isTableGiven(env: Environment): boolean {
	return Object.entries(env).some(([name, value]) => (name === "AzureWebJobsStorage" || name.startsWith("AzureWebJobsStorage__")) && value?.trim());
}

/** Settings that make the demonstration: nothing of the person's own clouds, clusters and tables is touched by it. */
const demonstrations = /^(?:CLUSTERS|AZURE_.*|IDENTITY_.*|MSI_.*|AzureWebJobsStorage.*)$/;

/** The person's settings go before those of the lab, but for what makes the demonstration. */
export function demonstrationEnvironment(lab: Environment, person: Environment): Environment {
	return { ...lab, ...Object.fromEntries(Object.entries(person).filter(([name]) => !demonstrations.test(name))) };
}

/** Settings that whoever asks something of a run has to share with it. Storage accounts other than the local table are not written down. */
const shared = /^(?:CLUSTERS|MAINTENANCE_WINDOWS|STATE_TABLE|AZURE_RESOURCE_MANAGER_URL)$/;
/** A secret, unless the endpoint is the demonstration's own. */
const identity = /^IDENTITY_(?:ENDPOINT|HEADER)$/;

export function sharedEnvironment(env: Environment, localTable: string | null, isDemonstration: boolean): Environment {
	const named = Object.fromEntries(Object.entries(env).filter(([name]) => shared.test(name) || (isDemonstration && identity.test(name))));
	return localTable === null ? named : { ...named, AzureWebJobsStorage: localTable };
}

/** Where this machine's own parts are: no proxy leads there. */
const here = "127.0.0.1,localhost";

/** SDKs read their part of the environment from the process: the identity endpoint, proxies. */
export function useEnvironment(env: Environment): void {
	for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name];
	for (const [name, value] of Object.entries(env)) if (value !== undefined) process.env[name] = value;
	const passedBy = process.env.NO_PROXY ?? process.env.no_proxy ?? "";
	process.env.NO_PROXY = passedBy === "" ? here : `${passedBy},${here}`;
}
