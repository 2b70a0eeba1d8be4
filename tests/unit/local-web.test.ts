import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, type RequestOptions, request } from "node:http";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { type Route, serve, type WebServer } from "../../lib/local/web.ts";
import type { Asked } from "../../lib/status/exchange.ts";

interface Got {
	readonly status: number;
	readonly headers: IncomingMessage["headers"];
	readonly body: string;
}

async function ask(server: WebServer, path: string, options: RequestOptions = {}, body = ""): Promise<Got> {
	const sent = request({ host: "127.0.0.1", port: server.port, path, agent: false, ...options });
	// What is refused is not read to its end.
	sent.on("error", () => {});
	sent.end(body);
	const [response] = (await once(sent, "response")) as [IncomingMessage];
	let text = "";
	for await (const chunk of response) text += chunk;
	return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}

describe("the web server of a run", () => {
	let server: WebServer;
	const asked: Asked[] = [];
	const failures: string[] = [];
	const page: Route = {
		methods: ["GET", "HEAD"],
		answer: async (each) => {
			asked.push(each);
			return { status: 200, headers: { "content-type": "text/html" }, body: "<p>ä</p>" };
		},
	};
	const command: Route = {
		methods: null,
		answer: async (each) => ({ status: 202, headers: {}, body: `${each.method} ${each.header("content-type")} ${each.body}` }),
	};
	const broken: Route = {
		methods: ["GET"],
		answer: async () => {
			throw new Error("secret of the inside");
		},
	};
	const routes = new Map([
		["/api/status", page],
		["/api/controls", command],
		["/api/broken", broken],
	]);

	before(async () => {
		server = (await serve(routes, 0, (why) => failures.push(why))) ?? assert.fail("no port");
	});
	after(() => server.stop());

	test("hands on what was asked, and sends what was answered", async () => {
		const got = await ask(server, "/api/status?format=json&code=a%20b", { headers: { accept: "text/html" } });
		assert.deepEqual([got.status, got.headers["content-type"], got.body], [200, "text/html", "<p>ä</p>"]);
		const last = asked.at(-1);
		assert.deepEqual([last?.query.get("format"), last?.query.get("code"), last?.header("Accept"), last?.header("origin")], ["json", "a b", "text/html", null]);
		assert.equal((await ask(server, "/api/status", { method: "HEAD" })).body, "");
		assert.equal((await ask(server, "/api/controls", { method: "POST", headers: { "content-type": "text/x" } }, "body")).body, "POST text/x body");
	});

	test("/ leads to the page; there is nothing else", async () => {
		assert.deepEqual(await ask(server, "/").then(({ status, headers }) => [status, headers.location]), [302, "/api/status"]);
		for (const path of ["/x", "/api", "/api/status/", "//evil.example/", "/api/../api/status", "http://evil.example/api/status"])
			assert.equal((await ask(server, path)).status, 404, path);
		assert.deepEqual(await ask(server, "/api/status", { method: "POST" }).then(({ status, headers }) => [status, headers.allow]), [405, "GET, HEAD"]);
	});

	test("a name that somebody made to mean this machine reads and commands nothing", async () => {
		for (const host of ["evil.example", `evil.example:${server.port}`, "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example"])
			for (const path of ["/", "/api/status", "/api/controls"])
				assert.ok([400, 421].includes((await ask(server, path, { method: "POST", headers: { host } })).status), host);
		for (const host of ["localhost", `LOCALHOST:${server.port}`, "127.0.0.1", "127.0.0.1:9000"])
			assert.equal((await ask(server, "/api/status", { headers: { host } })).status, 200, host);
	});

	test("a body without measure is not read", async () => {
		assert.equal((await ask(server, "/api/controls", { method: "POST" }, "x".repeat(64 * 1024))).status, 202);
		assert.equal((await ask(server, "/api/controls", { method: "POST" }, "x".repeat(64 * 1024 + 1))).status, 413);
	});

	test("what goes wrong inside is told in the terminal, and not to whoever asked", async () => {
		const got = await ask(server, "/api/broken");
		assert.equal(got.status, 500);
		assert.ok(!got.body.includes("secret"));
		assert.match(failures.at(-1) ?? "", /^answering GET \/api\/broken: secret of the inside$/);
	});

	test("nobody on another machine reaches it", async () => {
		// Any other address of this machine stands for them: only 127.0.0.1 is listened on.
		const socket = connect(server.port, "127.0.0.2");
		const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
		assert.equal(error.code, "ECONNREFUSED");
	});

	test("a port that is taken is not had", async () => {
		assert.equal(await serve(routes, server.port, () => {}), null);
	});

	test("a connection that stays open does not keep it from ending", async () => {
		const other = (await serve(routes, 0, () => {})) ?? assert.fail("no port");
		const socket = connect(other.port, "127.0.0.1");
		await once(socket, "connect");
		socket.write("GET /api/status HTTP/1.1\r\nhost: localhost\r\n\r\n");
		await once(socket, "data");
		socket.on("error", () => {});
		const closed = once(socket, "close");
		other.stop();
		await closed;
	});
});
