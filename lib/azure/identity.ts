// As whom the scheduler speaks to Azure.
import { DefaultAzureCredential, ManagedIdentityCredential, type TokenCredential } from "@azure/identity";

export type Environment = Readonly<Record<string, string | undefined>>;

function setting(env: Environment, name: string): string | undefined {
	const value = env[name]?.trim();
	return value === undefined || value === "" ? undefined : value;
}

/**
 * The identity of a connection's settings, by the names of Azure Functions' identity-based connections
 * (https://learn.microsoft.com/azure/azure-functions/functions-reference#common-properties-for-identity-based-connections):
 * `AzureWebJobsStorage__credential=managedidentity` with `__clientId` or `__managedIdentityResourceId`, else the system-assigned one.
 * Elsewhere what the developer is signed in with (Azure CLI and its like), where `AZURE_CLIENT_ID` names a user-assigned identity.
 */
export function identityOf(env: Environment): TokenCredential {
	const clientId = setting(env, "AzureWebJobsStorage__clientId") ?? setting(env, "AZURE_CLIENT_ID");
	const resourceId = setting(env, "AzureWebJobsStorage__managedIdentityResourceId");
	const managed = setting(env, "AzureWebJobsStorage__credential")?.toLowerCase() === "managedidentity" || setting(env, "IDENTITY_ENDPOINT") !== undefined;
	if (!managed) return new DefaultAzureCredential(clientId === undefined ? {} : { managedIdentityClientId: clientId });
	if (clientId !== undefined) return new ManagedIdentityCredential({ clientId });
	return resourceId === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ resourceId });
}
