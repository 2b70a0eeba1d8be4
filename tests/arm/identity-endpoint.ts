// The managed identity endpoint of App Service and Functions, as far as @azure/identity calls it
// (https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference).
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export interface IdentityEndpoint {
	/** The settings by which a function app finds it. */
	readonly env: { readonly IDENTITY_ENDPOINT: string; readonly IDENTITY_HEADER: string };
	/** Resources that tokens were asked for, in order. */
	readonly asked: readonly string[];
	stop(): Promise<void>;
}

export interface IdentityEndpointOptions {
	/** Of 127.0.0.1; a free one unless told. */
	readonly port?: number;
	/** What `IDENTITY_HEADER` says; a new one unless told. */
	readonly secret?: string;
}

/** `tokens`: by resource, as it is asked for. */
export async function startIdentityEndpoint(
	tokens: Readonly<Record<string, string>>,
	{ port = 0, secret = randomBytes(16).toString("hex") }: IdentityEndpointOptions = {},
): Promise<IdentityEndpoint> {
	const asked: string[] = [];

	const refused = (status: number, message: string) => ({ status, body: { statusCode: status, message } });
	const answerTo = (request: IncomingMessage): { readonly status: number; readonly body: object } => {
		const { searchParams } = new URL(request.url ?? "", "http://identity");
		const resource = searchParams.get("resource") ?? "";
		if (request.headers["x-identity-header"] !== secret) return refused(401, "Unauthorized");
		if (searchParams.get("api-version") !== "2019-08-01") return refused(400, "Unsupported api-version");
		asked.push(resource);
		const token = tokens[resource];
		if (token === undefined) return refused(400, "AADSTS500011: The resource principal was not found in the tenant.");
		const expiresOn = String(Math.floor(Date.now() / 1000) + 86_400);
		const body = { access_token: token, expires_on: expiresOn, resource, token_type: "Bearer", client_id: "00000000-0000-0000-0000-000000000009" };
		return { status: 200, body };
	};
	const answer = (request: IncomingMessage, response: ServerResponse): void => {
		const { status, body } = answerTo(request);
		response.writeHead(status, { "content-type": "application/json" });
		response.end(JSON.stringify(body));
	};

	const server = createServer(answer).listen(port, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("starting the identity endpoint: the server has no port");
	return {
		env: { IDENTITY_ENDPOINT: `http://127.0.0.1:${address.port}/msi/token`, IDENTITY_HEADER: secret },
		asked,
		async stop() {
			const closed = once(server, "close");
			server.close();
			server.closeAllConnections();
			await closed;
		},
	};
}
