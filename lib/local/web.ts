// The pages on this machine: what the function app serves over HTTP, on 127.0.0.1 alone.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Answer, Asked } from "../status/exchange.ts";

export interface Route {
	/** Those that are answered; null: what answers tells by itself. */
	readonly methods: readonly string[] | null;
	readonly answer: (asked: Asked) => Promise<Answer>;
}

export interface WebServer {
	/** Of its first page. */
	readonly url: string;
	readonly port: number;
	stop(): void;
}

/** No command or form is longer. */
const longestBody = 64 * 1024;
const requestMs = 10_000;
const address = "127.0.0.1";

/** Serves the routes, by their paths; `/` leads to the first. Null: the port can't be had. Port 0: any that is free. */
export async function serve(routes: ReadonlyMap<string, Route>, port: number, failed: (why: string) => void): Promise<WebServer | null> {
	const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (request, response) => {
		respond(routes, request).then(
			(answer) => send(response, answer, request.method === "HEAD"),
			(error: unknown) => {
				failed(`answering ${request.method} ${pathOf(request)}: ${error instanceof Error ? error.message : String(error)}`);
				send(response, plain(500, "It could not be answered; the terminal says why."));
			},
		);
	});
	const got = await listen(server, port);
	if (got === null) return null;
	return {
		url: `http://${address}:${got}${routes.keys().next().value ?? "/"}`,
		port: got,
		stop() {
			server.close();
			server.closeAllConnections();
		},
	};
}

/** The port; null: it is taken. */
function listen(server: Server, port: number): Promise<number | null> {
	const { promise, resolve, reject } = Promise.withResolvers<number | null>();
	const onError = (error: NodeJS.ErrnoException) =>
		error.code === "EADDRINUSE" || error.code === "EACCES" ? resolve(null) : reject(new Error(`serving the status page on port ${port}: ${error.message}`));
	server.once("error", onError);
	server.listen(port, address, () => {
		server.off("error", onError);
		const bound = server.address();
		resolve(bound === null || typeof bound === "string" ? null : bound.port);
	});
	return promise;
}

async function respond(routes: ReadonlyMap<string, Route>, request: IncomingMessage): Promise<Answer> {
	// A page from elsewhere whose name was made to mean this machine would read and command as if it were ours.
	if (!isOurs(request.headers.host)) return plain(421, "This is served as 127.0.0.1 and localhost only.");
	const path = pathOf(request);
	if (path === "/") return { status: 302, headers: { location: routes.keys().next().value ?? "/" }, body: "" };
	const route = routes.get(path);
	if (route === undefined) return plain(404, `There is nothing here; there is ${[...routes.keys()].join(", ")}.`);
	const { method = "GET" } = request;
	if (route.methods !== null && !route.methods.includes(method)) return plain(405, `${method} is not answered here.`, { allow: route.methods.join(", ") });
	const body = await bodyOf(request);
	if (body === null) return plain(413, `At most ${longestBody} bytes are read.`, { connection: "close" });
	const header = (name: string) => [request.headers[name.toLowerCase()] ?? []].flat().join(", ") || null;
	return await route.answer({ method, query: new URL(request.url ?? "/", `http://${address}`).searchParams, header, body });
}

function pathOf(request: IncomingMessage): string {
	return (request.url ?? "/").replace(/[?#].*$/, "");
}

function isOurs(host: string | undefined): boolean {
	return host !== undefined && /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/i.test(host);
}

/** Null: it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of request) {
		length += (chunk as Buffer).length;
		if (length > longestBody) return null;
		chunks.push(chunk as Buffer);
	}
	return Buffer.concat(chunks).toString("utf8");
}

function plain(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Answer {
	return { status, headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", ...headers }, body: `${text}\n` };
}

function send(response: ServerResponse, { status, headers, body }: Answer, headOnly = false): void {
	response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
	response.end(headOnly ? "" : body);
}
