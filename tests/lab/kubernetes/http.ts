// The lab's API server on the wire: TLS, who calls, troubles on demand, answers as JSON.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import type { IssuedCertificate } from "../../arm/certificates.ts";
import { answerUntruly, type UntrueAnswer } from "../../untrue-answers.ts";
import type { Api } from "./api.ts";
import { authorize, type User } from "./authorization.ts";
import { type Call, callOf, type Heard } from "./calls.ts";
import { selectionOf } from "./lists.ts";
import { patternOf, type RequestLog } from "./request-log.ts";
import { type Cause, Refusal } from "./statuses.ts";
import type { Users } from "./users.ts";
import type { Watches } from "./watches.ts";

/** What a call is answered instead of the truth. */
export type Trouble =
	| {
			readonly kind: "error";
			readonly status: number;
			readonly reason: string;
			readonly message?: string;
			readonly retryAfterSeconds?: number;
			readonly causes?: readonly Cause[];
	  }
	/** Without having any effect. */
	| UntrueAnswer
	/** The call has its effect, but its answer is lost. */
	| { readonly kind: "lostAnswer" };

export interface TroubledCall {
	readonly user: string;
	readonly call: Call;
}

/** Undefined: no trouble, the truth. */
export type TroubleMaker = (asked: TroubledCall) => Trouble | undefined | Promise<Trouble | undefined>;

export interface Parts {
	readonly api: Api;
	readonly watches: Watches;
	readonly users: Users;
	readonly log: RequestLog;
	/** Asked for every call that is understood, before it is answered. */
	readonly trouble: TroubleMaker;
}

/** That of the real server which the lab's answers were compared with. */
const version = JSON.stringify({ major: "1", minor: "36", gitVersion: "v1.36.3" });

export class HttpServer {
	readonly #server: Server;
	readonly #parts: Parts;

	/** `clientCas`: whose client certificates are let in. */
	constructor(certificate: IssuedCertificate, clientCas: readonly string[], parts: Parts) {
		this.#parts = parts;
		const tls = { cert: certificate.certPem, key: certificate.keyPem, ca: [...clientCas], requestCert: true, rejectUnauthorized: false };
		this.#server = createServer({ ...tls, keepAliveTimeout: 120_000 }, (request, response) => {
			this.#serve(request, response).catch(() => response.destroy());
		});
	}

	/** `port`: 0 for a free one. The port it listens on. */
	async listen(port: number): Promise<number> {
		this.#server.listen(port, "127.0.0.1");
		await once(this.#server, "listening");
		const address = this.#server.address();
		if (address === null || typeof address === "string") throw new Error("starting the lab's API server: it has no port");
		return address.port;
	}

	async close(): Promise<void> {
		const closed = once(this.#server, "close");
		this.#server.close();
		this.#server.closeAllConnections();
		await closed;
	}

	async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
		const received = new Date().toISOString();
		const heard = heardOf(request);
		const body = await textOf(request);
		// Which everybody may read.
		if (heard.url === "/version/" || heard.url === "/version") return void response.writeHead(200, { "content-type": "application/json" }).end(version);
		if (heard.url === "/readyz") return void response.writeHead(200, { "content-type": "text/plain" }).end("ok");
		let user: User | null = null;
		let call: Call | null = null;
		const note = (status: number, reason: string | undefined, bytes: number) => this.#note({ heard, received, user, call, status, reason, bytes });
		try {
			user = this.#parts.users.authenticate(request.headers.authorization, request.socket as TLSSocket);
			call = callOf(heard);
			const trouble = await this.#parts.trouble({ user: user.name, call });
			if (trouble !== undefined && trouble.kind !== "lostAnswer") return makeTrouble(response, trouble, note);
			authorize(this.#parts.api.registry.store, user, call.verb, call.target);
			if (call.verb === "watch") return this.#watch(call, response, note);
			const answer = this.#parts.api.answer(call, body, user);
			if (trouble !== undefined) {
				note(answer.code, undefined, 0);
				return void response.destroy();
			}
			await send(request, response, answer.code, answer.body, note);
		} catch (error) {
			await this.#refuse(request, response, error, note);
		}
	}

	#watch(call: Call, response: ServerResponse, note: Note): void {
		const { resource, namespace } = call.target;
		const before = response.socket?.bytesWritten ?? 0;
		response.once("close", () => note(200, undefined, (response.socket?.bytesWritten ?? before) - before));
		this.#parts.watches.start(selectionOf(resource, namespace, call.query), call.query, response);
	}

	async #refuse(request: IncomingMessage, response: ServerResponse, error: unknown, note: Note): Promise<void> {
		const refusal =
			error instanceof Refusal
				? error
				: new Refusal(500, "InternalError", `a bug of the lab: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
		await send(request, response, refusal.status.code, refusal.status, note);
	}

	#note({ heard, received, user, call, status, reason, bytes }: Noted): void {
		const { method, url, userAgent } = heard;
		const target = call?.target ?? null;
		this.#parts.log.add({
			method,
			pattern: patternOf(url, target),
			bytes,
			status,
			verb: call?.verb ?? method.toLowerCase(),
			requestURI: url,
			user: { username: user?.name ?? "" },
			userAgent,
			...(target === null ? {} : { objectRef: objectRef(target) }),
			responseStatus: { code: status, ...(reason === undefined ? {} : { reason }) },
			requestReceivedTimestamp: received,
			stageTimestamp: new Date().toISOString(),
		});
	}
}

type Note = (status: number, reason: string | undefined, bytes: number) => void;

interface Noted {
	readonly heard: Heard;
	readonly received: string;
	readonly user: User | null;
	readonly call: Call | null;
	readonly status: number;
	readonly reason: string | undefined;
	readonly bytes: number;
}

function heardOf({ method = "", url = "", headers }: IncomingMessage): Heard {
	const contentType = (headers["content-type"] ?? "").split(";")[0]?.trim() ?? "";
	return { method, url, accept: headers.accept ?? "", contentType, userAgent: headers["user-agent"] ?? "" };
}

async function textOf(request: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of request) chunks.push(chunk as Buffer);
	return Buffer.concat(chunks).toString("utf8");
}

function objectRef({ resource, namespace, name, subresource }: Call["target"]): Record<string, string> {
	return {
		resource: resource.plural,
		...(subresource === null ? {} : { subresource }),
		...(namespace === null ? {} : { namespace }),
		...(name === null ? {} : { name }),
	};
}

/** Larger answers are compressed for clients that can read it, as on the real server (APIResponseCompression). */
const gzipBytesMin = 128 * 1024;
const gzipAsync = promisify(gzip);

async function send(request: IncomingMessage, response: ServerResponse, code: number, body: object, note: Note): Promise<void> {
	const text = Buffer.from(JSON.stringify(body));
	const { reason, details } = body as { reason?: string; details?: { retryAfterSeconds?: number } };
	const headers: Record<string, string> = { "content-type": "application/json" };
	if (code >= 400 && details?.retryAfterSeconds !== undefined) headers["retry-after"] = String(details.retryAfterSeconds);
	note(code, code >= 400 ? reason : undefined, text.length);
	const zips = text.length > gzipBytesMin && /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
	const sent = zips ? await gzipAsync(text, { level: constants.Z_BEST_SPEED }) : text;
	if (zips) headers["content-encoding"] = "gzip";
	response.writeHead(code, { ...headers, "content-length": sent.length });
	response.end(sent);
}

function makeTrouble(response: ServerResponse, trouble: Exclude<Trouble, { kind: "lostAnswer" }>, note: Note): void {
	if (trouble.kind === "body") note(trouble.status, undefined, trouble.body.length);
	if (trouble.kind !== "error") {
		answerUntruly(response, trouble);
		return;
	}
	const { status, reason, message = `refused: ${reason}`, retryAfterSeconds, causes } = trouble;
	const details = { ...(causes === undefined ? {} : { causes }), ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) };
	const refusal = new Refusal(status, reason, message, details);
	const headers = { "content-type": "application/json", ...(retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) }) };
	note(status, reason, 0);
	response.writeHead(status, headers).end(JSON.stringify(refusal.status));
}
