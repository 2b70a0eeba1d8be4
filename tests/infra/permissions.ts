// What Azure's built-in roles allow, and what a request needs, by Microsoft's documentation.

export interface Role {
	readonly name: string;
	readonly actions: readonly string[];
	readonly dataActions: readonly string[];
}

const blobs = "Microsoft.Storage/storageAccounts/blobServices";
const tables = "Microsoft.Storage/storageAccounts/tableServices/tables";
const clusters = "Microsoft.ContainerService/managedClusters";

/** Those that the templates assign. https://learn.microsoft.com/azure/role-based-access-control/built-in-roles */
export const roles: Readonly<Record<string, Role>> = {
	"4abbcc35-e782-43d8-92c5-2d3f1bd2253f": {
		name: "Azure Kubernetes Service Cluster User Role",
		actions: [`${clusters}/listClusterUserCredential/action`, `${clusters}/read`],
		dataActions: [],
	},
	"b7e6dc6d-f1e8-4753-8033-0f276bb0955b": {
		name: "Storage Blob Data Owner",
		actions: [`${blobs}/containers/*`, `${blobs}/generateUserDelegationKey/action`],
		dataActions: [`${blobs}/containers/blobs/*`],
	},
	"0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": {
		name: "Storage Table Data Contributor",
		actions: [`${tables}/read`, `${tables}/write`, `${tables}/delete`],
		dataActions: ["read", "write", "delete", "add/action", "update/action"].map((each) => `${tables}/entities/${each}`),
	},
	"3913510d-42f4-4e42-8a64-420c390055eb": {
		name: "Monitoring Metrics Publisher",
		actions: ["Microsoft.Insights/Register/Action", "Microsoft.Support/*", "Microsoft.Resources/subscriptions/resourceGroups/read"],
		dataActions: ["Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"],
	},
};

export interface Permission {
	readonly kind: "action" | "dataAction";
	readonly name: string;
}

/** A request as it was seen on its way. */
export interface Request {
	readonly method: string;
	/** Path and query. */
	readonly url: string;
}

/** https://learn.microsoft.com/azure/role-based-access-control/permissions/containers#microsoftcontainerservice */
export function armPermission({ method, url }: Request): Permission {
	const path = url.split("?")[0] ?? "";
	if (method === "GET" && /\/managedClusters\/[^/]+$/i.test(path)) return { kind: "action", name: `${clusters}/read` };
	if (method === "POST" && /\/listClusterUserCredential$/i.test(path)) return { kind: "action", name: `${clusters}/listClusterUserCredential/action` };
	throw new Error(`no permission is known for ${method} ${path}`);
}

/** https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory#permissions-for-table-service-operations */
export function tablePermission({ method, url }: Request): Permission {
	const path = url.split("?")[0] ?? "";
	if (method === "POST" && path.endsWith("/Tables")) return { kind: "action", name: `${tables}/write` };
	const known: Readonly<Record<string, string>> = { GET: "read", POST: "write", PUT: "write", PATCH: "write", MERGE: "write", DELETE: "delete" };
	const name = /\/Tables\b/.test(path) ? undefined : known[method];
	if (name === undefined) throw new Error(`no permission is known for ${method} ${path}`);
	return { kind: "dataAction", name: `${tables}/entities/${name}` };
}

/**
 * What the Functions host does with its storage by the same identity: leases and state of the timer, keys, and the package that it runs.
 * https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
 */
export const hostBlobPermissions: readonly Permission[] = [
	...["read", "write"].map((each) => ({ kind: "action" as const, name: `${blobs}/containers/${each}` })),
	...["read", "write", "delete"].map((each) => ({ kind: "dataAction" as const, name: `${blobs}/containers/blobs/${each}` })),
];

/** https://learn.microsoft.com/azure/azure-monitor/app/azure-ad-authentication */
export const hostTelemetryPermissions: readonly Permission[] = [{ kind: "dataAction", name: "Microsoft.Insights/Telemetry/Write" }];

export function allows(role: Role, { kind, name }: Permission): boolean {
	const patterns = kind === "action" ? role.actions : role.dataActions;
	return patterns.some((pattern) =>
		new RegExp(`^${pattern.replaceAll(/[.*/]/g, (character) => (character === "*" ? ".*" : `\\${character}`))}$`, "i").test(name),
	);
}
