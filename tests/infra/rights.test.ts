// The roles of each snapshot, held against the requests that the adapters make.
import assert from "node:assert/strict";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { createServer, request as send } from "node:http";
import { join } from "node:path";
import { before, test } from "node:test";
import { configurationOf } from "../../functions/world.ts";
import { AksClusters } from "../../lib/azure/clusters.ts";
import { openTable } from "../../lib/azure/table.ts";
import { createAuthority } from "../arm/certificates.ts";
import { entraKubeconfig } from "../arm/kubeconfigs.ts";
import { resourceIdOf, startArm } from "../arm/server.ts";
import { connectionStringOf, startAzurite } from "../azurite.ts";
import { parameterSets, root } from "./compiler.ts";
import { allows, armPermission, hostBlobPermissions, hostTelemetryPermissions, type Permission, type Request, roles, tablePermission } from "./permissions.ts";
import { type Assignment, appSettingsOf, assignmentsOf, type Prediction, predictionOf, theOne } from "./prediction.ts";

/** Calls of the SDKs that `armRequests` and `tableRequests` make the adapters make. */
const exercised = [
	"client.createTable",
	"client.listEntities",
	"client.submitTransaction",
	"managedClusters.get",
	"managedClusters.listClusterUserCredentials",
];

async function armRequests(): Promise<readonly Request[]> {
	const where = { subscriptionId: "00000000-0000-0000-0000-000000000001", resourceGroup: "rg", resourceName: "aks" };
	const endpoint = { name: "aks", server: "https://aks.invalid", caPem: createAuthority().certPem };
	const arm = await startArm({ clusters: [{ ...where, managed: { provisioningState: "Succeeded" }, kubeconfig: entraKubeconfig(endpoint) }] });
	try {
		const credential = { getToken: async () => ({ token: "token", expiresOnTimestamp: Date.now() + 3_600_000 }) };
		const clusters = new AksClusters({ credential, armUrl: arm.url, armCaPem: arm.caPem });
		const target = { ...where, name: "aks", kind: "aks" as const, resourceId: resourceIdOf(where) };
		await clusters.aks(target);
		await clusters.credentials(target);
		return arm.calls;
	} finally {
		await arm.stop();
	}
}

/** Stands before a table service and notes what passes, the parts of a transaction one by one. */
async function startRecorder(port: number) {
	const requests: Request[] = [];
	const server = createServer(async (request, response) => {
		const { method = "", url = "", headers } = request;
		const body = Buffer.concat(await request.toArray());
		if (!url.includes("/$batch")) requests.push({ method, url });
		for (const [, part = "", place = ""] of body.toString().matchAll(/^(POST|PUT|PATCH|MERGE|DELETE|GET) (http\S+) HTTP/gm))
			requests.push({ method: part, url: new URL(place).pathname });
		const upstream = send({ port, host: "127.0.0.1", method, path: url, headers }, (answer) => {
			response.writeHead(answer.statusCode ?? 500, answer.headers);
			answer.pipe(response);
		});
		upstream.end(body);
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("starting the recorder: it has no port");
	return {
		port: address.port,
		requests,
		async stop() {
			const closed = once(server, "close");
			server.close();
			server.closeAllConnections();
			await closed;
		},
	};
}

async function tableRequests(): Promise<readonly Request[]> {
	const azurite = await startAzurite();
	const recorder = await startRecorder(azurite.port);
	try {
		const { table } = openTable({ AzureWebJobsStorage: connectionStringOf(recorder.port) }, "reboots");
		await table.query("prod-1");
		const { etags } = await table.transact("prod-1", [{ kind: "insert", key: "lease", values: {} }]);
		const replaced = await table.transact("prod-1", [{ kind: "replace", key: "lease", values: { fence: 1 }, etag: etags[0] ?? "" }]);
		await table.transact("prod-1", [{ kind: "delete", key: "lease", etag: replaced.etags[0] ?? "" }]);
		return recorder.requests;
	} finally {
		await recorder.stop();
		await azurite.stop();
	}
}

interface Need {
	/** Resource id in lower case. */
	readonly scope: string;
	readonly permission: Permission;
}

let arm: readonly Permission[];
let table: readonly Permission[];

before(async () => {
	arm = (await armRequests()).map(armPermission);
	table = (await tableRequests()).map(tablePermission);
});

function needsOf(prediction: Prediction): readonly Need[] {
	const at = (scope: string, permissions: readonly Permission[]) => permissions.map((permission) => ({ scope: scope.toLowerCase(), permission }));
	const { clusters } = configurationOf(appSettingsOf(prediction));
	return [
		...clusters.flatMap((each) => (each.kind === "aks" ? at(each.resourceId, arm) : [])),
		...at(theOne(prediction, "Microsoft.Storage/storageAccounts").id, [...table, ...hostBlobPermissions]),
		...at(theOne(prediction, "Microsoft.Insights/components").id, hostTelemetryPermissions),
	];
}

function unmet(needs: readonly Need[], assignments: readonly Assignment[]): readonly Need[] {
	const met = ({ scope, permission }: Need): boolean =>
		assignments.some((each) => {
			const role = roles[each.roleId];
			return role !== undefined && scope === each.scope && allows(role, permission);
		});
	return needs.filter((need) => !met(need));
}

test("the requests were seen: reading and credentials of a cluster, every kind of write to the table, and its making", () => {
	const names = (permissions: readonly Permission[]) => [...new Set(permissions.map(({ name }) => name.split("/").slice(2).join("/")))].sort();
	assert.deepEqual(names(arm), ["listClusterUserCredential/action", "read"]);
	assert.deepEqual(
		names(table).map((each) => each.replace("tableServices/tables/", "")),
		["entities/delete", "entities/read", "entities/write", "write"],
	);
});

test("docs/security.md lists the roles and all that they cover, and none beside them", () => {
	const [, azure = ""] = /^## Azure\n([\s\S]*?)^## /m.exec(readFileSync(join(root, "docs/security.md"), "utf8")) ?? [];
	const listed = [...azure.matchAll(/^\| ([A-Z][^|]+) \| [^|]+ \| [^|]+ \| ([^|]+) \|$/gm)].map(([, name, covers = ""]) => [
		name,
		[...covers.matchAll(/`([^`]+)`/g)].map(([, each]) => each).sort(),
	]);
	const known = Object.values(roles).map(({ name, actions, dataActions }) => [name, [...actions, ...dataActions].sort()]);
	assert.deepEqual(new Map(listed as [string, string[]][]), new Map(known as [string, string[]][]));
});

test("the adapters call Azure nowhere that was not seen", () => {
	const calls = globSync("lib/azure/**/*.ts", { cwd: root }).flatMap((file) => {
		const text = readFileSync(join(root, file), "utf8");
		return [...text.matchAll(/\b((?:managedClusters|client)\.[a-z]\w*)\(/g)].map(([, call = ""]) => call);
	});
	assert.deepEqual([...new Set(calls)].sort(), exercised);
});

for (const name of parameterSets) {
	test(`${name}: the identity may do what the app does, at each cluster and at its own storage`, () => {
		const prediction = predictionOf(name);
		assert.deepEqual(unmet(needsOf(prediction), assignmentsOf(prediction)), []);
	});

	test(`${name}: none of its rights can be taken away`, () => {
		const prediction = predictionOf(name);
		const assignments = assignmentsOf(prediction);
		for (const taken of assignments) {
			const left = unmet(
				needsOf(prediction),
				assignments.filter((each) => each !== taken),
			);
			assert.ok(left.length > 0, `${roles[taken.roleId]?.name} on ${taken.scope} is needed by nothing`);
		}
	});

	test(`${name}: the identity has no right but on single clusters, its storage account and its telemetry, and nobody else has one`, () => {
		const prediction = predictionOf(name);
		const scopes = new Set(needsOf(prediction).map(({ scope }) => scope));
		const identity = theOne(prediction, "Microsoft.ManagedIdentity/userAssignedIdentities").name;
		for (const { scope, roleId, principal } of assignmentsOf(prediction)) {
			assert.ok(roleId in roles, `a role that is not known here: ${roleId}`);
			assert.ok(scopes.has(scope), `${roles[roleId]?.name} on ${scope}`);
			assert.equal(principal, `<${identity}.principalId>`);
		}
	});

	test(`${name}: nothing can be entered with a key or a password`, () => {
		const prediction = predictionOf(name);
		const propertiesOf = (type: string) => theOne(prediction, type).properties ?? {};
		assert.equal(propertiesOf("Microsoft.Storage/storageAccounts").allowSharedKeyAccess, false);
		assert.equal(propertiesOf("Microsoft.Storage/storageAccounts").allowBlobPublicAccess, false);
		assert.equal(propertiesOf("Microsoft.Insights/components").DisableLocalAuth, true);
		const publishing = prediction.predictedResources.filter(({ type }) => type.endsWith("/basicPublishingCredentialsPolicies"));
		assert.deepEqual(
			publishing.map((each) => [each.name.split("/")[1], each.properties?.allow]),
			[
				["ftp", false],
				["scm", false],
			],
		);
	});
}

test("with private endpoints the storage account has no other way in", () => {
	for (const [name, access] of [
		["one-cluster", "Enabled"],
		["private-network", "Disabled"],
		["everything", "Disabled"],
	] as const) {
		const prediction = predictionOf(name);
		assert.equal(theOne(prediction, "Microsoft.Storage/storageAccounts").properties?.publicNetworkAccess, access, name);
		const endpoints = prediction.predictedResources.filter(({ type }) => type === "Microsoft.Network/privateEndpoints").length;
		assert.equal(endpoints, access === "Disabled" ? 2 : 0, name);
		assert.equal(theOne(prediction, "Microsoft.Web/sites").properties?.virtualNetworkSubnetId === null, access === "Enabled", name);
	}
});
