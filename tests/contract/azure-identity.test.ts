// Tokens for the clusters, who we are, and what the table and its owner are called.
import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { type AccessToken, AuthenticationError, CredentialUnavailableError, DefaultAzureCredential, ManagedIdentityCredential } from "@azure/identity";
import fc from "fast-check";
import { EntraTokens } from "../../lib/azure/credentials.ts";
import { identityOf } from "../../lib/azure/identity.ts";
import { openTable } from "../../lib/azure/table.ts";
import { withDeleteETags } from "../../lib/azure/table-exchange.ts";
import { decodeKey, encodeKey } from "../../lib/azure/table-keys.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import { connectionStringOf, devKey } from "../azurite.ts";

const minuteMs = 60_000;

function tokensOf(answers: (() => AccessToken | null | Promise<AccessToken | null>)[], clock: { ms: number }) {
	const scopes: unknown[] = [];
	const credential = {
		async getToken(scope: string | string[]) {
			scopes.push(scope);
			const answer = answers.shift() ?? assert.fail("one more token was asked for");
			return await answer();
		},
	};
	return { tokens: new EntraTokens(credential, { now: () => clock.ms, limitMs: 300 }), scopes };
}

function aToken(token: string, expiresOnTimestamp: number): () => AccessToken {
	return () => ({ token, expiresOnTimestamp });
}

async function failureOf(call: Promise<unknown>): Promise<CallError> {
	const error = await call.then(
		() => assert.fail("expected the call to fail"),
		(reason: unknown) => reason,
	);
	assert.ok(error instanceof CallError, `expected a CallError, got ${error}`);
	return error;
}

test("one token serves every cluster until 5 minutes before it expires", async () => {
	const clock = { ms: 0 };
	const { tokens, scopes } = tokensOf([aToken("one", 60 * minuteMs), aToken("two", 120 * minuteMs)], clock);
	assert.deepEqual(await Promise.all([tokens.token(), tokens.token()]), ["one", "one"]);
	clock.ms = 55 * minuteMs - 1;
	assert.equal(await tokens.token(), "one");
	clock.ms = 55 * minuteMs;
	assert.equal(await tokens.token(), "two");
	assert.deepEqual(scopes, ["6dae42f8-4368-4678-94ff-3960e28e3630/.default", "6dae42f8-4368-4678-94ff-3960e28e3630/.default"]);
});

test("a token that still holds is used while Entra is away, and no longer", async () => {
	const clock = { ms: 0 };
	const away = () => Promise.reject(new AuthenticationError(500, { error: "server_error", error_description: "AADSTS90033: secret detail" }));
	const { tokens } = tokensOf([aToken("one", 60 * minuteMs), away, away], clock);
	await tokens.token();
	clock.ms = 57 * minuteMs;
	assert.equal(await tokens.token(), "one");
	clock.ms = 60 * minuteMs;
	const failed = await failureOf(tokens.token());
	assert.equal(failed.failure, "unauthorized");
	assert.match(failed.message, /AuthenticationError AADSTS90033/);
	assert.ok(!failed.message.includes("secret detail"));
});

test("no identity, no token and no answer are told apart", async () => {
	const unavailable = () => Promise.reject(new CredentialUnavailableError("secret detail"));
	const { tokens } = tokensOf([unavailable, () => null, () => new Promise<null>(() => {}), aToken("late", minuteMs)], { ms: 0 });
	const failures = [await failureOf(tokens.token()), await failureOf(tokens.token()), await failureOf(tokens.token())];
	assert.deepEqual(
		failures.map((each) => each.failure),
		["unauthorized", "unauthorized", "timedOut"],
	);
	assert.match(failures[0]?.message ?? "", /no identity is available here \(CredentialUnavailableError\)$/);
	assert.equal(await tokens.token(), "late");
});

test("a function app speaks as its managed identity, a developer as themselves", () => {
	assert.ok(identityOf({ AzureWebJobsStorage__credential: "managedidentity", AzureWebJobsStorage__clientId: "id" }) instanceof ManagedIdentityCredential);
	assert.ok(identityOf({ IDENTITY_ENDPOINT: "http://localhost:8081/msi/token" }) instanceof ManagedIdentityCredential);
	assert.ok(identityOf({}) instanceof DefaultAzureCredential);
});

function ownerOf(env: Record<string, string>, dataFolder?: string): string {
	return openTable(env, "reboots", dataFolder === undefined ? {} : { dataFolder }).owner;
}

test("an owner is the table's endpoint and name, and never its key or signature", () => {
	const key = `DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=${devKey};EndpointSuffix=core.windows.net`;
	const sas = "TableEndpoint=https://acct.table.core.windows.net/;SharedAccessSignature=sv=2019-02-02&sig=secret";
	const expected = "acct.table.core.windows.net/reboots";
	assert.equal(ownerOf({ AzureWebJobsStorage: key }), expected);
	assert.equal(ownerOf({ AzureWebJobsStorage: sas }), expected);
	assert.equal(ownerOf({ AzureWebJobsStorage__accountName: "acct", AzureWebJobsStorage__credential: "managedidentity" }), expected);
	assert.equal(ownerOf({ AzureWebJobsStorage__tableServiceUri: "https://acct.table.core.windows.net/" }), expected);
});

test("two machines, two folders or two emulators on one machine are two owners; a restart on another port is the same one", () => {
	const local = { AzureWebJobsStorage: connectionStringOf(10_002) };
	assert.equal(ownerOf(local, "/home/me/.local"), `127.0.0.1/devstoreaccount1/reboots@${hostname()}:/home/me/.local`);
	assert.equal(ownerOf({ AzureWebJobsStorage: connectionStringOf(10_003) }, "/home/me/.local"), ownerOf(local, "/home/me/.local"));
	assert.equal(ownerOf(local), `127.0.0.1:10002/devstoreaccount1/reboots@${hostname()}`);
	assert.equal(ownerOf({ AzureWebJobsStorage: "UseDevelopmentStorage=true" }), ownerOf(local));
});

test("settings that name no table are refused without quoting a secret", () => {
	const refusals: [Record<string, string>, string, RegExp][] = [
		[{}, "reboots", /^AzureWebJobsStorage is not set/],
		[{ AzureWebJobsStorage: "AccountKey=secret" }, "reboots", /^AzureWebJobsStorage: not a connection string/],
		[
			{ AzureWebJobsStorage: "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=secret;TableEndpoint=::secret" },
			"reboots",
			/^AzureWebJobsStorage: not a connection string/,
		],
		[{ AzureWebJobsStorage__tableServiceUri: "http://acct.table.core.windows.net" }, "reboots", /^AzureWebJobsStorage__tableServiceUri/],
		[{ AzureWebJobsStorage__accountName: "Not-An-Account" }, "reboots", /^AzureWebJobsStorage__accountName/],
		[{ AzureWebJobsStorage: connectionStringOf(1) }, "my-table", /^STATE_TABLE: "my-table"/],
	];
	for (const [env, name, message] of refusals) {
		assert.throws(
			() => openTable(env, name),
			(error: Error) => message.test(error.message) && !error.message.includes("secret"),
		);
	}
});

const anyKey = fc.string({
	unit: fc.oneof(
		fc.constantFrom(..."/\\#?%.$>[\"'~ !-0Az\u0000\u001f\u007f\u009f\u00a0".split("")),
		fc.integer({ min: 0, max: 0xd7ff }).map((code) => String.fromCharCode(code)),
	),
});

test("every key survives its encoding, keeps its place in the order, and holds nothing that the service forbids", () => {
	fc.assert(
		fc.property(anyKey, anyKey, (one, other) => {
			const [a, b] = [encodeKey(one), encodeKey(other)];
			assert.equal(decodeKey(a), one);
			// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
			assert.doesNotMatch(a, /[/\\#?%\u0000-\u001f\u007f-\u009f]/);
			assert.equal(a < b, one < other);
		}),
		{ numRuns: 2_000 },
	);
});

test("a transaction that the SDK built otherwise than we know is not sent", () => {
	const part = (line: string, ifMatch = "If-Match: *") => `--changeset_0a\r\ncontent-type: application/http\r\n\r\n${line} HTTP/1.1\r\n${ifMatch}\r\n\r\n\r\n`;
	const body = (...parts: string[]) => `--batch_1\r\n\r\n${parts.join("")}--changeset_0a--\r\n`;
	const url = "http://h/t(PartitionKey='p',RowKey='k')";
	const removal = { kind: "delete", key: "k", etag: 'W/"1"' } as const;
	assert.equal(withDeleteETags(body(part(`DELETE ${url}`)), [removal]), body(part(`DELETE ${url}`, 'If-Match: W/"1"')));
	const others = [
		body(),
		body(part(`PUT ${url}`)),
		body(part("DELETE http://h/t(PartitionKey='p',RowKey='other')")),
		body(part(`DELETE ${url}`, "Accept: x")),
		body(part(`DELETE ${url}`), part(`DELETE ${url}`)),
		"nothing",
	];
	for (const other of others) assert.throws(() => withDeleteETags(other, [removal]), /not sent/);
});
