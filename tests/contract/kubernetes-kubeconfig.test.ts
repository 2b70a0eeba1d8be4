// Credentials from a kubeconfig file, as people's files have them. No API server is needed.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { openCluster } from "../../lib/kubernetes/client.ts";
import { kubeconfigSource } from "../../lib/kubernetes/credentials.ts";
import { failureOf } from "./kubernetes-fixtures.ts";
import { emptyNodes, firstToken, refusal, type StandIn, secondToken, standIn } from "./kubernetes-server.ts";

let server: StandIn;
let dir: string;
const secrets = [firstToken, secondToken];

before(async () => {
	server = await standIn();
	dir = mkdtempSync(join(tmpdir(), "kubeconfig-"));
});
beforeEach(() => {
	server.answer = emptyNodes;
	server.asked.length = 0;
});
after(() => {
	server.close();
	rmSync(dir, { recursive: true, force: true });
});

function kubeconfig(user: object, cluster: object = { "certificate-authority-data": server.caData }): string {
	const file = join(dir, "config");
	const config = {
		apiVersion: "v1",
		kind: "Config",
		clusters: [{ name: "c", cluster: { server: `https://127.0.0.1:${server.port}`, ...cluster } }],
		users: [{ name: "u", user }],
		contexts: [
			{ name: "prod", context: { cluster: "c", user: "u" } },
			{ name: "lost", context: { cluster: "gone", user: "u" } },
		],
	};
	writeFileSync(file, JSON.stringify(config));
	return file;
}

function open(file: string, context = "prod") {
	return openCluster(kubeconfigSource(file, context), { version: "0.0.0-test", callTimeoutMs: 10_000 });
}

/** An exec plugin: a shell script with this body. */
function plugin(body: string): object {
	return { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "/bin/sh", args: ["-c", body], interactiveMode: "Never" } };
}

function execCredential(token: string, expirationTimestamp?: string): string {
	const status = { token, ...(expirationTimestamp === undefined ? {} : { expirationTimestamp }) };
	return JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status });
}

const bearers = (): (string | undefined)[] => server.asked.map((each) => each.authorization?.replace("Bearer ", ""));

test("a token and the CA of the file are used", async () => {
	await open(kubeconfig({ token: firstToken })).listCordoned();
	assert.deepEqual(bearers(), [firstToken]);
});

test("a client certificate of the file is used, also where CA, certificate and key are files", async () => {
	const { certPem, keyPem } = server.authority.issue({ commonName: "admin" });
	const written = (name: string, pem: string): string => {
		writeFileSync(join(dir, name), pem);
		return name;
	};
	const user = { "client-certificate": written("crt", certPem), "client-key": written("key", keyPem) };
	await open(kubeconfig(user, { "certificate-authority": written("ca", server.authority.certPem) })).listCordoned();
	assert.deepEqual(
		server.asked.map((each) => each.client),
		["admin"],
	);
});

test("a file that was rewritten with a new token is read again after a refusal", async () => {
	server.answer = (asked, response, request) =>
		(asked.authorization === `Bearer ${secondToken}` ? emptyNodes : refusal(401, "Unauthorized"))(asked, response, request);
	const source = kubeconfigSource(kubeconfig({ token: firstToken }), "prod");
	await source.credential();
	kubeconfig({ token: secondToken });
	await openCluster(source, { version: "0" }).listCordoned();
	assert.deepEqual(bearers(), [firstToken, secondToken]);
});

test("an exec plugin is run once while its token is valid, again when it expired, and again after a refusal", async () => {
	const runs = join(dir, "runs");
	writeFileSync(runs, "");
	const says = (expires?: string) => plugin(`echo run >>'${runs}'; echo '${execCredential(firstToken, expires)}'`);
	const counted = () => readFileSync(runs, "utf8").split("\n").length - 1;
	const valid = open(kubeconfig(says(new Date(Date.now() + 3_600_000).toISOString())));
	await valid.listCordoned();
	await valid.listCordoned();
	assert.equal(counted(), 1);
	const expired = open(kubeconfig(says(new Date(Date.now() - 1000).toISOString())));
	await expired.listCordoned();
	await expired.listCordoned();
	assert.equal(counted(), 3);
	server.answer = refusal(401, "Unauthorized");
	await failureOf(valid.listCordoned(), secrets);
	assert.equal(counted(), 4);
	assert.ok(bearers().every((each) => each === firstToken));
});

test("a plugin that fails is told in its own words but never with a token", async () => {
	const failed = await failureOf(open(kubeconfig(plugin("echo 'please run az login' >&2; exit 1"))).listCordoned());
	assert.match(failed.message, /^reading context prod of .*config: please run az login$/);
	const token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAiLCJ0eXAiOiJKV1QifQ.payload.signature";
	for (const body of [
		`echo 'refused ${token}' >&2; exit 1`,
		`echo '${token}'`,
		`echo '{"status":{"tok": ${token}'`,
		"echo '{}'",
		`echo '{"status":{}}'`,
		"exit 7",
	]) {
		const error = await failureOf(open(kubeconfig(plugin(body))).listCordoned(), [token, token.slice(0, 12)]);
		assert.equal(error.failure, "unreachable", body);
	}
	assert.equal(server.asked.length, 0);
});

test("a context, cluster or file that is not there is told by name", async () => {
	const file = kubeconfig({ token: firstToken });
	assert.match(
		(await failureOf(open(file, "staging").listCordoned())).message,
		/context staging of .*config: there is no such context; expected one of: prod, lost$/,
	);
	assert.match((await failureOf(open(file, "lost").listCordoned())).message, /its cluster gone is not in the file$/);
	assert.match((await failureOf(open(join(dir, "none")).listCordoned())).message, /ENOENT/);
	writeFileSync(join(dir, "bad"), `users: [\n ${firstToken}`);
	await failureOf(open(join(dir, "bad")).listCordoned(), secrets);
});

test("a file that asks for impersonation or a password is refused rather than acted on with other rights", async () => {
	const impersonated = await failureOf(open(kubeconfig({ token: firstToken, as: "auditor" })).listCordoned(), secrets);
	assert.match(impersonated.message, /impersonation/);
	await failureOf(open(kubeconfig({ username: "u", password: secondToken })).listCordoned(), secrets);
	assert.equal(server.asked.length, 0);
});
