// The part of Azure Resource Manager that the scheduler calls, over HTTPS: GET of a managed cluster and its listClusterUserCredential.
// What it answers is made of the SDK's own types, in the shape of the wire (properties nested, values in base64).
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { CredentialResults, ManagedCluster } from "@azure/arm-containerservice";
import { answerUntruly, type UntrueAnswer } from "../untrue-answers.ts";
import { type Authority, createAuthority } from "./certificates.ts";

export interface ArmCluster {
	readonly subscriptionId: string;
	readonly resourceGroup: string;
	readonly resourceName: string;
	/** What ARM says of it; may be changed while the server runs. */
	managed: Pick<ManagedCluster, "provisioningState" | "powerState" | "agentPoolProfiles" | "aadProfile" | "disableLocalAccounts" | "autoUpgradeProfile">;
	/** YAML. */
	kubeconfig: string;
}

export interface ArmCall {
	readonly operation: "get" | "credentials" | "unknown";
	readonly method: string;
	/** Path and query as they came. */
	readonly url: string;
	readonly subscriptionId: string;
	readonly resourceGroup: string;
	readonly resourceName: string;
}

/** What a call is answered instead of the truth. */
export type ArmTrouble =
	| { readonly kind: "error"; readonly status: number; readonly code: string; readonly message?: string; readonly retryAfterSeconds?: number }
	| UntrueAnswer;

export interface ArmOptions {
	readonly clusters: readonly ArmCluster[];
	/** Bearer tokens that are accepted; any unless told. */
	readonly tokens?: readonly string[];
	/** Asked for every call, before it is answered; may take its time. */
	readonly trouble?: (call: ArmCall) => ArmTrouble | undefined | Promise<ArmTrouble | undefined>;
	readonly authority?: Authority;
	/** Of 127.0.0.1; a free one unless told. */
	readonly port?: number;
}

export interface Arm {
	readonly url: string;
	readonly caPem: string;
	/** Every call, in the order in which they came. */
	readonly calls: readonly ArmCall[];
	/** By resource id in lower case: add and remove at will. */
	readonly clusters: Map<string, ArmCluster>;
	/** The most calls that were under way at once. */
	peak(): number;
	stop(): Promise<void>;
}

export function resourceIdOf(cluster: Pick<ArmCluster, "subscriptionId" | "resourceGroup" | "resourceName">): string {
	return `/subscriptions/${cluster.subscriptionId}/resourceGroups/${cluster.resourceGroup}/providers/Microsoft.ContainerService/managedClusters/${cluster.resourceName}`;
}

const path =
	/^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.ContainerService\/managedClusters\/([^/?]+)(\/listClusterUserCredential)?\?(.+)$/i;

function callOf(request: IncomingMessage): ArmCall {
	const { method = "", url = "" } = request;
	const [, subscriptionId = "", resourceGroup = "", resourceName = "", credentials, query = ""] = path.exec(url) ?? [];
	const versioned = /^\d{4}-\d{2}-\d{2}$/.test(new URLSearchParams(query).get("api-version") ?? "");
	const meant = credentials === undefined ? ("get" as const) : ("credentials" as const);
	const operation = versioned && method === (meant === "get" ? "GET" : "POST") ? meant : "unknown";
	return { operation, method, url, subscriptionId, resourceGroup: decodeURIComponent(resourceGroup), resourceName: decodeURIComponent(resourceName) };
}

function managedClusterWire(cluster: ArmCluster): object {
	const { resourceName: name, managed } = cluster;
	return { id: resourceIdOf(cluster), name, type: "Microsoft.ContainerService/ManagedClusters", location: "westeurope", properties: managed };
}

function credentialsWire(cluster: ArmCluster): object {
	const typed: CredentialResults = { kubeconfigs: [{ name: "clusterUser", value: Buffer.from(cluster.kubeconfig) }] };
	return { kubeconfigs: typed.kubeconfigs?.map(({ name, value }) => ({ name, value: Buffer.from(value ?? []).toString("base64") })) };
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
	response.writeHead(status, { "content-type": "application/json; charset=utf-8", "x-ms-request-id": "00000000-0000-0000-0000-000000000000", ...headers });
	response.end(JSON.stringify(body));
}

function sendError(response: ServerResponse, status: number, code: string, message: string, headers: Record<string, string> = {}): void {
	send(response, status, { error: { code, message } }, headers);
}

function makeTrouble(response: ServerResponse, trouble: ArmTrouble): void {
	if (trouble.kind !== "error") {
		answerUntruly(response, trouble);
		return;
	}
	const headers = trouble.retryAfterSeconds === undefined ? {} : { "retry-after": String(trouble.retryAfterSeconds) };
	sendError(response, trouble.status, trouble.code, trouble.message ?? `refused: ${trouble.code}`, headers);
}

function sendTruth(response: ServerResponse, call: ArmCall, clusters: ReadonlyMap<string, ArmCluster>): void {
	const cluster = clusters.get(resourceIdOf(call).toLowerCase());
	if (call.operation === "unknown") {
		sendError(response, 400, "InvalidRequest", `not an operation of this API: ${call.method} ${call.url}`);
	} else if (cluster === undefined) {
		sendError(response, 404, "ResourceNotFound", `The Resource '${resourceIdOf(call)}' under resource group '${call.resourceGroup}' was not found.`);
	} else {
		send(response, 200, call.operation === "get" ? managedClusterWire(cluster) : credentialsWire(cluster));
	}
}

/** Starts it on 127.0.0.1; its certificate is signed by `caPem`. */
export async function startArm(options: ArmOptions): Promise<Arm> {
	const authority = options.authority ?? createAuthority("ARM test authority");
	const { certPem, keyPem } = authority.issue({ commonName: "management.azure.test", hosts: ["127.0.0.1", "localhost"] });
	const clusters = new Map(options.clusters.map((cluster) => [resourceIdOf(cluster).toLowerCase(), cluster]));
	const calls: ArmCall[] = [];
	let underWay = 0;
	let peak = 0;

	const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
		const call = callOf(request);
		calls.push(call);
		peak = Math.max(peak, ++underWay);
		response.once("close", () => underWay--);
		const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
		if (token === undefined || (options.tokens !== undefined && !options.tokens.includes(token))) {
			return sendError(response, 401, "InvalidAuthenticationToken", "The access token is invalid.");
		}
		const trouble = await options.trouble?.(call);
		if (trouble !== undefined) makeTrouble(response, trouble);
		else sendTruth(response, call, clusters);
	};

	const server = createServer({ cert: certPem, key: keyPem }, (request, response) => {
		request.resume();
		answer(request, response).catch(() => response.destroy());
	});
	server.listen(options.port ?? 0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("starting ARM: the server has no port");
	return {
		url: `https://127.0.0.1:${address.port}`,
		caPem: authority.certPem,
		calls,
		clusters,
		peak: () => peak,
		async stop() {
			const closed = once(server, "close");
			server.close();
			server.closeAllConnections();
			await closed;
		},
	};
}
