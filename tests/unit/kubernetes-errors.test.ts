import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiException } from "@kubernetes/client-node";
import { GarbledAnswer, translate } from "../../lib/kubernetes/errors.ts";
import { meaning } from "../../lib/kubernetes/evictions.ts";
import type { CallFailure } from "../../lib/tick/call-error.ts";

const secret = "eyJhbGciOiJSUzI1NiJ9.secret";

function status(code: number, reason: string, message = "", details: object = {}): object {
	return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message, details };
}

function answered(code: number, body: unknown, headers: Record<string, string> = {}): ApiException<unknown> {
	return new ApiException(code, "Unknown API Status Code!", body, { authorization: `Bearer ${secret}`, ...headers });
}

function failed(error: unknown, write = true) {
	return translate(error, { doing: "patching node a", write, timeoutMs: 10_000 });
}

function broken(code: string, fields: object = {}): TypeError {
	return new TypeError("fetch failed", { cause: Object.assign(new Error(`x ${secret}`), { code, ...fields }) });
}

test("every status has its failure, and a message that says what was done and what was answered", () => {
	const cases: [number, string, CallFailure][] = [
		[400, "BadRequest", "invalid"],
		[401, "Unauthorized", "unauthorized"],
		[403, "Forbidden", "forbidden"],
		[404, "NotFound", "notFound"],
		[409, "Conflict", "conflict"],
		[410, "Expired", "expired"],
		[412, "PreconditionFailed", "precondition"],
		[415, "UnsupportedMediaType", "invalid"],
		[422, "Invalid", "invalid"],
		[429, "TooManyRequests", "throttled"],
		[500, "InternalError", "serverError"],
		[504, "Timeout", "serverError"],
	];
	for (const [code, reason, failure] of cases) {
		const error = failed(answered(code, JSON.stringify(status(code, reason, "because"))));
		assert.deepEqual([error.failure, error.status], [failure, code]);
		if (code !== 401) assert.equal(error.message, `patching node a: ${code} ${reason}: because`);
	}
});

test("a Status is read from text as well as from an object, and its message is cut", () => {
	const long = status(403, "Forbidden", `User "x" cannot patch resource "nodes" ${"y".repeat(9000)}`);
	for (const body of [long, JSON.stringify(long)]) {
		const { message } = failed(answered(403, body));
		assert.match(message, /cannot patch resource "nodes"/);
		assert.ok(message.length < 400);
	}
});

test("a 404 that is not the API server's own word is garbled: a proxy's page must not make a node absent", () => {
	for (const body of ["<html>404</html>", "404 page not found", undefined, status(404, "SomethingElse"), { kind: "Error", reason: "NotFound" }]) {
		assert.equal(failed(answered(404, body)).failure, "garbled");
	}
});

test("the time after which to come back is the header's, else the Status object's", () => {
	const body = status(429, "TooManyRequests", "busy", { retryAfterSeconds: 10 });
	assert.equal(failed(answered(429, body, { "retry-after": "3" })).retryAfterMs, 3000);
	assert.equal(failed(answered(429, body)).retryAfterMs, 10_000);
	assert.equal(failed(answered(429, status(429, "TooManyRequests"))).retryAfterMs, null);
});

test("a write that may have reached the server says so; a read never does, nor does one that was not sent", () => {
	const cases: [unknown, CallFailure, boolean][] = [
		[broken("ECONNREFUSED", { syscall: "connect" }), "unreachable", false],
		[broken("ENOTFOUND", { syscall: "getaddrinfo" }), "unreachable", false],
		[broken("UND_ERR_CONNECT_TIMEOUT"), "unreachable", false],
		[broken("ETIMEDOUT", { syscall: "connect" }), "unreachable", false],
		[broken("DEPTH_ZERO_SELF_SIGNED_CERT"), "untrusted", false],
		[broken("ERR_TLS_CERT_ALTNAME_INVALID"), "untrusted", false],
		[broken("CERT_HAS_EXPIRED"), "untrusted", false],
		[broken("ECONNRESET"), "unreachable", true],
		[broken("UND_ERR_SOCKET"), "unreachable", true],
		[new DOMException("x", "TimeoutError"), "timedOut", true],
		[broken("UND_ERR_HEADERS_TIMEOUT"), "timedOut", true],
		[new SyntaxError(`Unexpected token, "${secret}" is not valid JSON`), "garbled", true],
		[new GarbledAnswer("a node"), "garbled", true],
		[answered(500, status(500, "InternalError", "etcdserver: request timed out")), "serverError", true],
		[answered(409, status(409, "Conflict")), "conflict", false],
	];
	for (const [thrown, failure, mayHaveApplied] of cases) {
		const error = failed(thrown);
		assert.deepEqual([error.failure, error.mayHaveApplied], [failure, mayHaveApplied], error.message);
		assert.equal(failed(thrown, false).mayHaveApplied, false);
	}
});

test("refused connections of every address of a name are one failure with its code", () => {
	const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect" });
	const error = failed(new TypeError("fetch failed", { cause: new AggregateError([refused, refused]) }));
	assert.match(error.message, /no connection \(ECONNREFUSED\)/);
});

test("no message holds a header, a body or a cause's words", () => {
	const thrown = [
		answered(500, `<html>${secret}</html>`),
		answered(401, undefined),
		answered(302, { kind: "Thing", token: secret }),
		broken("ECONNRESET"),
		new SyntaxError(`Unexpected token, "${secret}" is not valid JSON`),
		new Error(secret),
		secret,
	];
	for (const each of thrown) assert.ok(!failed(each).message.includes("secret"), failed(each).message);
});

test("an eviction that is refused for another reason than a budget is no answer about the pod", () => {
	const plain = { message: "", causes: [], retryAfterSeconds: null };
	assert.equal(meaning({ ...plain, reason: "TooManyRequests", message: "too many requests, please try again later" }).kind, "failed");
	assert.equal(meaning({ ...plain, reason: "Conflict", message: "the object has been modified" }).kind, "failed");
	assert.equal(meaning({ ...plain, reason: "Forbidden", message: "pods is forbidden" }).kind, "failed");
});
