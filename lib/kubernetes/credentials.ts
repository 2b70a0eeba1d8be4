// Where a cluster's address and credential come from. The AKS source is made elsewhere; this one reads a kubeconfig.
import type { RequestOptions } from "node:https";
import { type Cluster, KubeConfig, type User } from "@kubernetes/client-node";
import { CallError } from "../tick/call-error.ts";
import type { Connection } from "../tick/world.ts";
import { shortened } from "./errors.ts";

export type Authentication =
	| { readonly kind: "token"; readonly token: string }
	/** PEM, base64. */
	| { readonly kind: "certificate"; readonly certData: string; readonly keyData: string }
	| { readonly kind: "none" };

export interface Credential {
	/** `https://host[:port][/path]`. */
	readonly server: string;
	/** PEM, base64. Null: the system's CAs. */
	readonly caData: string | null;
	readonly auth: Authentication;
	/** The name in the server's certificate, where it is not the host's. */
	readonly tlsServerName?: string;
	readonly skipTlsVerify?: boolean;
	readonly proxyUrl?: string;
	/** An exec plugin gave it. */
	readonly byPlugin?: boolean;
}

export interface CredentialSource {
	/** Cached by the source while it is valid; asked before every call. Fails with CallError. */
	credential(): Promise<Credential>;
	/** What was given last was refused or leads nowhere: forget it. */
	invalidate(): void;
	/** What should be remembered, for sources that need ARM to find it. */
	connection(): Connection | undefined;
}

/** A context of a kubeconfig file: token, token file, client certificate and exec plugins, as the client library reads them. */
export function kubeconfigSource(file: string, context: string): CredentialSource {
	let config: KubeConfig | null = null;
	return {
		async credential() {
			const doing = `reading context ${context} of ${file}`;
			try {
				config ??= load(file, context);
				return await resolve(config);
			} catch (error) {
				throw error instanceof CallError ? error : new CallError({ failure: "unreachable", doing, answer: plain(error) });
			}
		},
		// The file is read anew too: a rotated credential may be there, and an exec plugin's token is forgotten with the object.
		invalidate: () => {
			config = null;
		},
		connection: () => undefined,
	};
}

function load(file: string, context: string): KubeConfig {
	const config = new KubeConfig();
	config.loadFromFile(file);
	const found = config.getContextObject(context);
	if (found === null) {
		const names = config.contexts.map((each) => each.name).join(", ");
		throw new Error(`there is no such context; expected one of: ${names || "(the file has none)"}`);
	}
	config.setCurrentContext(context);
	if (config.getCurrentCluster() === null) throw new Error(`its cluster ${found.cluster} is not in the file`);
	const user = config.getCurrentUser();
	if (user === null) throw new Error(`its user ${found.user} is not in the file`);
	// Acting with other rights than the file says would be worse than not acting.
	if (user.impersonateUser) throw new Error("impersonation (`as`) is not supported");
	if (user.username) throw new Error("a user name with a password is not supported; expected a token, a client certificate or an exec plugin");
	return config;
}

async function resolve(config: KubeConfig): Promise<Credential> {
	const cluster = config.getCurrentCluster() as Cluster;
	const options: RequestOptions & { servername?: string } = {};
	await config.applyToHTTPSOptions(options);
	const caData = base64(options.ca);
	return {
		server: cluster.server,
		caData,
		auth: authentication(options, config.getCurrentUser()),
		...(cluster.tlsServerName ? { tlsServerName: cluster.tlsServerName } : {}),
		...(cluster.skipTLSVerify ? { skipTlsVerify: true } : {}),
		...(cluster.proxyUrl ? { proxyUrl: cluster.proxyUrl } : {}),
		...(config.getCurrentUser()?.exec === undefined ? {} : { byPlugin: true }),
	};
}

/** The token first: AKS's own kubeconfigs hold both, and a token needs no connection of its own. */
function authentication(options: RequestOptions, user: User | null): Authentication {
	const headers = options.headers as Record<string, unknown> | undefined;
	const header = headers?.Authorization;
	if (typeof header === "string" && header.startsWith("Bearer ")) return { kind: "token", token: header.slice("Bearer ".length).trim() };
	const certData = base64(options.cert);
	const keyData = base64(options.key);
	if (certData !== null && keyData !== null) return { kind: "certificate", certData, keyData };
	if (user?.exec !== undefined) throw new Error("its exec plugin gave neither a token nor a client certificate");
	return { kind: "none" };
}

function base64(pem: unknown): string | null {
	return typeof pem === "string" || Buffer.isBuffer(pem) ? Buffer.from(pem).toString("base64") : null;
}

/** An exec plugin's words are for people, but may quote what they were given; a parser's message quotes the plugin's output. */
function plain(error: unknown): string {
	if (error instanceof SyntaxError || error instanceof TypeError) return "it (or the output of its exec plugin) cannot be parsed";
	if (!(error instanceof Error)) return "it cannot be read";
	if (error.name === "YAMLException" || error.name === "YAMLParseError") return "it is not YAML";
	return shortened(error.message.replace(/[\w+/=.-]{40,}/g, "…"), 200) || "its exec plugin failed";
}
