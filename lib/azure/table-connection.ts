// Which table: from the settings of the function app's own storage account.
import { hostname } from "node:os";
import { TableClient, type TableServiceClientOptions } from "@azure/data-tables";
import { type Environment, identityOf } from "./identity.ts";

// The SDK's own retries are off: a write that was repeated would answer a conflict with itself. Reads are repeated by us.
const clientOptions: TableServiceClientOptions = { retryOptions: { maxRetries: 0 } };

function serviceUri(env: Environment): string | undefined {
	const uri = env.AzureWebJobsStorage__tableServiceUri?.trim();
	if (uri) return uri;
	const account = env.AzureWebJobsStorage__accountName?.trim();
	if (!account) return undefined;
	if (!/^[a-z0-9]{3,24}$/.test(account)) throw new Error(`AzureWebJobsStorage__accountName: "${account}" is not the name of a storage account`);
	return `https://${account}.table.core.windows.net`;
}

function byIdentity(env: Environment, uri: string, tableName: string): TableClient {
	if (!URL.canParse(uri) || new URL(uri).protocol !== "https:") {
		throw new Error("AzureWebJobsStorage__tableServiceUri: expected https://ACCOUNT.table.core.windows.net or its like");
	}
	const { origin, pathname } = new URL(uri);
	return new TableClient(`${origin}${pathname.replace(/\/+$/, "")}`, tableName, identityOf(env), clientOptions);
}

function byConnectionString(connectionString: string, tableName: string): TableClient {
	try {
		const insecure = /(^|;)\s*(DefaultEndpointsProtocol\s*=\s*http|TableEndpoint\s*=\s*http:[^;]*)\s*(;|$)/i.test(connectionString);
		return TableClient.fromConnectionString(connectionString, tableName, { ...clientOptions, allowInsecureConnection: insecure });
	} catch {
		// Whatever the SDK said may quote the string.
		throw new Error("AzureWebJobsStorage: not a connection string of a storage account with a table endpoint");
	}
}

/**
 * The SDK's client of the table.
 *
 * @throws Error when the settings name no storage account, name it wrongly, or the table's name is none.
 */
export function tableClientOf(env: Environment, tableName: string): TableClient {
	if (!/^[A-Za-z][A-Za-z0-9]{2,62}$/.test(tableName)) {
		throw new Error(`STATE_TABLE: "${tableName}" is not a table's name (3 to 63 letters and digits, a letter first)`);
	}
	const connectionString = env.AzureWebJobsStorage?.trim();
	if (connectionString) return byConnectionString(connectionString, tableName);
	const uri = serviceUri(env);
	if (uri !== undefined) return byIdentity(env, uri, tableName);
	throw new Error("AzureWebJobsStorage is not set: expected a connection string, or AzureWebJobsStorage__accountName or __tableServiceUri");
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "[::1]" || /^127\./.test(host);
}

/**
 * Who a scheduler with this table is: what the `owner` Lease of its clusters names.
 * The table's endpoint and name; a loopback endpoint is everybody's, so there the machine and the data folder tell. With a data folder
 * the port is left out: it is another one when the usual one is taken.
 */
export function ownerOf(client: TableClient, dataFolder?: string): string {
	// A SAS stands behind the '?': only host and path may leave here.
	const { hostname: name, host, pathname } = new URL(client.url);
	const path = `${pathname.replace(/\/+$/, "")}/${client.tableName}`;
	if (!isLoopback(name)) return `${host}${path}`;
	return dataFolder === undefined ? `${host}${path}@${hostname()}` : `${name}${path}@${hostname()}:${dataFolder}`;
}
