// A server in the API server's place that answers as a test wants it to, also as no API server should.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { openCluster } from "../../lib/kubernetes/client.ts";
import type { Authentication, Credential } from "../../lib/kubernetes/credentials.ts";
import type { ClusterApi } from "../../lib/tick/world.ts";
import { type Authority, createAuthority } from "../arm/certificates.ts";
import type { TestSource } from "./kubernetes-fixtures.ts";

export interface Asked {
	readonly method: string;
	/** Path and query. */
	readonly url: string;
	readonly authorization: string | undefined;
	/** Common name of the client's certificate. */
	readonly client: string | undefined;
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
	answer: Answer = emptyNodes;
	readonly authority: Authority;
	readonly #server: Server;

	constructor(authority: Authority, hosts: readonly string[] = ["127.0.0.1", "localhost"]) {
		this.authority = authority;
		const { certPem, keyPem } = authority.issue({ commonName: "stand-in", hosts });
		this.#server = createServer({ cert: certPem, key: keyPem, requestCert: true, rejectUnauthorized: false }, (request, response) => {
			const socket = request.socket as unknown as { getPeerCertificate(): { subject?: { CN?: string } } };
			const { method = "", url = "" } = request;
			const asked = { method, url, authorization: request.headers.authorization, client: socket.getPeerCertificate().subject?.CN };
			this.asked.push(asked);
			request.resume();
			this.answer(asked, response, request);
		});
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
