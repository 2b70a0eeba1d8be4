import assert from "node:assert/strict";
import { test } from "node:test";
import { demonstrationEnvironment, isTableGiven, sharedEnvironment } from "../../lib/local/environment.ts";

const lab = {
	CLUSTERS: "lab",
	MAINTENANCE_WINDOWS: "always",
	DRAIN_TIMEOUT: "90s",
	AZURE_RESOURCE_MANAGER_URL: "https://127.0.0.1:1",
	IDENTITY_ENDPOINT: "http://127.0.0.1:2",
	IDENTITY_HEADER: "of-the-lab",
};

test("in the demonstration a setting of the person's goes before the lab's", () => {
	const env = demonstrationEnvironment(lab, { DRAIN_TIMEOUT: "10s", HOLD: "dev=coffee", PATH: "/bin" });
	assert.deepEqual(env, { ...lab, DRAIN_TIMEOUT: "10s", HOLD: "dev=coffee", PATH: "/bin" });
});

test("the demonstration never touches the person's own clusters, cloud or table", () => {
	const own = {
		CLUSTERS: "/subscriptions/real",
		AzureWebJobsStorage: "AccountKey=real",
		AzureWebJobsStorage__accountName: "real",
		AZURE_CLIENT_ID: "real",
		AZURE_TENANT_ID: "real",
		AZURE_RESOURCE_MANAGER_URL: "https://management.azure.com",
		IDENTITY_ENDPOINT: "http://169.254.0.1",
		IDENTITY_HEADER: "real",
		MSI_ENDPOINT: "http://169.254.0.1",
	};
	const env = demonstrationEnvironment(lab, own);
	assert.deepEqual(env, lab);
	assert.equal(isTableGiven(env), false);
});

test("a run notes what others need to speak of the same fleet, and no storage account's key nor the header of an identity of one's own", () => {
	const env = { ...lab, HOME: "/root", NOTIFY_URLS: "https://hooks.example/secret", AzureWebJobsStorage: "AccountKey=secret", AZURE_CLIENT_SECRET: "secret" };
	const { DRAIN_TIMEOUT: _, ...named } = lab;
	assert.deepEqual(sharedEnvironment(env, null, true), named);
	assert.deepEqual(sharedEnvironment(env, "the local table", true), { ...named, AzureWebJobsStorage: "the local table" });
	const { IDENTITY_ENDPOINT: __, IDENTITY_HEADER: ___, ...withoutIdentity } = named;
	assert.deepEqual(sharedEnvironment(env, null, false), withoutIdentity);
});

test("an empty setting names no table", () => {
	assert.equal(isTableGiven({ AzureWebJobsStorage: " " }), false);
	assert.equal(isTableGiven({ AzureWebJobsStorage__tableServiceUri: "https://a.table.core.windows.net" }), true);
});
