// A server in the API server's place that answers as a test wants it to, also as no API server should.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request as httpsRequest, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TestContext } from "node:test";
import { openCluster } from "../../lib/kubernetes/client.ts";
import type { Authentication, Credential } from "../../lib/kubernetes/credentials.ts";
import type { ClusterApi } from "../../lib/tick/world.ts";
import type { ApiServer } from "../api-server.ts";
import { type Authority, createAuthority } from "../arm/certificates.ts";
import { credentialOf, TestSource } from "./kubernetes-fixtures.ts";

export interface Asked {
	readonly method: string;
	/** Path and query. */
	readonly url: string;
	readonly authorization: string | undefined;
	/** Common name of the client's certificate. */
	readonly client: string | undefined;
	readonly userAgent: string | undefined;
}

export type Answer = (asked: Asked, response: ServerResponse, request: IncomingMessage) => void;

export const hang: Answer = () => {};

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
	return (_asked, response) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

export function raw(status: number, contentType: string, body: string): Answer {
	return (_asked, response) => response.writeHead(status, { "content-type": contentType }).end(body);
}

export function refusal(code: number, reason: string, message = "because", details: object = {}): Answer {
	return json(code, { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message, details });
}

export const emptyNodes: Answer = json(200, { kind: "NodeList", apiVersion: "v1", metadata: {}, items: [] });

export function nodeNamed(name: string): object {
	return { kind: "Node", apiVersion: "v1", metadata: { name, uid: `uid-of-${name}`, resourceVersion: "1" } };
}

export class StandIn {
	readonly asked: Asked[] = [];
	readonly #sockets = new Set<Socket>();
	answer: Answer = emptyNodes;
	readonly authority: Authority;
	readonly #server: Server;

	constructor(authority: Authority, hosts: readonly string[] = ["127.0.0.1", "localhost"]) {
		this.authority = authority;
		const { certPem, keyPem } = authority.issue({ commonName: "stand-in", hosts });
		this.#server = createServer({ cert: certPem, key: keyPem, requestCert: true, rejectUnauthorized: false }, (request, response) => {
			const socket = request.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } };
			const { method = "", url = "", headers } = request;
			const client = socket.getPeerCertificate().subject?.CN;
			const asked = { method, url, authorization: headers.authorization, client, userAgent: headers["user-agent"] };
			this.asked.push(asked);
			request.resume();
			this.answer(asked, response, request);
		});
		this.#server.on("connection", (socket: Socket) => this.#sockets.add(socket));
	}

	get connections(): number {
		return this.#sockets.size;
	}

	/** On the wire, TLS included. */
	get bytesSent(): number {
		return [...this.#sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0);
	}

	async listen(): Promise<this> {
		this.#server.listen(0, "127.0.0.1");
		await once(this.#server, "listening");
		return this;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	get caData(): string {
		return Buffer.from(this.authority.certPem).toString("base64");
	}

	credential(auth: Authentication = { kind: "token", token: firstToken }): Credential {
		return { server: `https://127.0.0.1:${this.port}`, caData: this.caData, auth };
	}

	close(): void {
		this.#server.closeAllConnections();
		this.#server.close();
	}
}

/** Passes every request on to an API server, and its answer back; `onAnswer` is told each status. */
export function passOn(to: ApiServer, onAnswer: (asked: Asked, status: number) => unknown = () => {}): Answer {
	return (asked, response, request) => {
		const { method, headers } = request;
		const onward = httpsRequest(to.url + asked.url, { method, headers, ca: to.caPem, agent: false }, (answer) => {
			onAnswer(asked, answer.statusCode ?? 0);
			response.writeHead(answer.statusCode ?? 502, answer.headers);
			answer.pipe(response);
		});
		onward.on("error", () => response.destroy());
		request.pipe(onward);
	};
}

export const firstToken = "first-token-that-is-a-secret";
export const secondToken = "second-token-that-is-a-secret";

/** Once each, in order; the last one for ever. */
export function inOrder(...answers: readonly [Answer, ...Answer[]]): Answer {
	let next = 0;
	return (asked, response, request) => answers[Math.min(next++, answers.length - 1)]?.(asked, response, request);
}

export function standIn(authority: Authority = createAuthority()): Promise<StandIn> {
	return new StandIn(authority).listen();
}

export function opened(source: TestSource, callTimeoutMs = 5_000): ClusterApi {
	return openCluster(source, { version: "0.0.0-test", callTimeoutMs });
}

/** The adapter as the scheduler with a recorder between it and the API server; closed when the test ends. */
export async function recording(
	server: ApiServer,
	context: TestContext,
	onAnswer?: (asked: Asked, status: number) => unknown,
): Promise<{ readonly api: ClusterApi; readonly recorder: StandIn }> {
	const recorder = await standIn();
	context.after(() => recorder.close());
	recorder.answer = passOn(server, onAnswer);
	const credential = recorder.credential(credentialOf(server).auth);
	return { api: opened(new TestSource(credential), 20_000), recorder };
}
