// A TLS server in the place of an API server: one that answers nonsense, or a cluster in which nothing is.
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createAuthority } from "../arm/certificates.ts";

export interface StubAnswer {
	readonly status: number;
	readonly contentType: string;
	readonly body: string;
}

export interface StubApi {
	readonly url: string;
	/** Base64 of PEM, as a kubeconfig carries it. */
	readonly caData: string;
	/** `METHOD URL` of every request so far. */
	readonly requests: readonly string[];
	stop(): Promise<void>;
}

export async function startStubApi(answer: (method: string, url: string) => StubAnswer): Promise<StubApi> {
	const authority = createAuthority();
	const { certPem, keyPem } = authority.issue({ commonName: "stub", hosts: ["127.0.0.1"] });
	const requests: string[] = [];
	const server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
		const { method = "", url = "" } = request;
		requests.push(`${method} ${url}`);
		const { status, contentType, body } = answer(method, url);
		response.writeHead(status, { "content-type": contentType }).end(body);
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return {
		url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
		caData: Buffer.from(authority.certPem).toString("base64"),
		requests,
		async stop() {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

function json(status: number, object: unknown): StubAnswer {
	return { status, contentType: "application/json", body: JSON.stringify(object) };
}

/** A cluster without nodes and without anything of ours. */
export function emptyCluster(_method: string, url: string): StubAnswer {
	const { pathname } = new URL(url, "https://stub");
	const list = (apiVersion: string, kind: string) => json(200, { apiVersion, kind, metadata: { resourceVersion: "1" }, items: [] });
	if (pathname.endsWith("/pods")) return list("v1", "PodList");
	if (pathname.endsWith("/nodes")) return list("v1", "NodeList");
	return json(404, { apiVersion: "v1", kind: "Status", status: "Failure", reason: "NotFound", message: "not found", code: 404 });
}
