// What is needed of a kubeconfig that AKS hands out: the server, its CA, and how to show who we are.
import { X509Certificate } from "node:crypto";
import { parse } from "yaml";
import type { ClusterCredential } from "./credentials.ts";

/** The kubeconfig as such is at fault. The message says which part, never what stands there. */
export class KubeconfigError extends Error {
	constructor(problem: string) {
		super(problem);
		this.name = "KubeconfigError";
	}
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown, what: string): Fields {
	if (typeof value !== "object" || value === null || Array.isArray(value)) throw new KubeconfigError(`${what} is missing or no mapping`);
	return value as Fields;
}

function text(value: unknown): string | null {
	return typeof value === "string" && value !== "" ? value : null;
}

/** The named entry of one of the kubeconfig's lists, which all look like `[{name, KIND: {…}}]`. */
function entry(config: Fields, list: string, kind: string, name: string | null): Fields {
	const items = config[list];
	if (!Array.isArray(items)) throw new KubeconfigError(`${list} is missing or no list`);
	const found = name === null ? undefined : items.find((item) => (item as Fields | null)?.name === name);
	if (found === undefined) throw new KubeconfigError(`${list} has no entry of the name that the current context gives`);
	return fields((found as Fields)[kind], `${kind} in ${list}`);
}

function serverOf(cluster: Fields): string {
	const server = text(cluster.server);
	if (server === null || !URL.canParse(server) || new URL(server).protocol !== "https:") throw new KubeconfigError("server is no https URL");
	return server;
}

function pemOf(data: string, what: string): Buffer {
	const pem = Buffer.from(data, "base64");
	if (!pem.includes("-----BEGIN ")) throw new KubeconfigError(`${what} is no PEM in base64`);
	return pem;
}

function caDataOf(cluster: Fields): string {
	// Without a CA nothing says that the server is the cluster: never connect unverified.
	if (cluster["insecure-skip-tls-verify"] === true) throw new KubeconfigError("it asks not to verify the server's certificate");
	const data = text(cluster["certificate-authority-data"]);
	if (data === null) throw new KubeconfigError("certificate-authority-data is missing");
	pemOf(data, "certificate-authority-data");
	return data;
}

function certificateOf(user: Fields): ClusterCredential["auth"] | null {
	const certData = text(user["client-certificate-data"]);
	const keyData = text(user["client-key-data"]);
	if (certData === null || keyData === null) return null;
	pemOf(keyData, "client-key-data");
	try {
		new X509Certificate(pemOf(certData, "client-certificate-data"));
	} catch {
		throw new KubeconfigError("client-certificate-data is no certificate");
	}
	return { kind: "certificate", certData, keyData };
}

/** AKS writes `exec: kubelogin` for Entra clusters, and wrote `auth-provider: azure` before Kubernetes 1.24. */
function isEntra(user: Fields): boolean {
	const command = text((user.exec as Fields | null | undefined)?.command);
	const provider = text((user["auth-provider"] as Fields | null | undefined)?.name);
	return provider === "azure" || (command !== null && /(^|[/\\])kubelogin(\.exe)?$/.test(command));
}

function authOf(user: Fields): ClusterCredential["auth"] {
	if (isEntra(user)) return { kind: "entra" };
	const certificate = certificateOf(user);
	if (certificate !== null) return certificate;
	const token = text(user.token);
	if (token !== null) return { kind: "token", token };
	throw new KubeconfigError("the user has neither a certificate, nor a token, nor kubelogin");
}

/**
 * The current context's cluster and user.
 *
 * @throws KubeconfigError
 */
export function parseKubeconfig(yaml: string): ClusterCredential {
	let parsed: unknown;
	try {
		parsed = parse(yaml, { logLevel: "silent" });
	} catch {
		// The parser's message quotes the line.
		throw new KubeconfigError("it is no YAML");
	}
	const config = fields(parsed, "the whole");
	const context = entry(config, "contexts", "context", text(config["current-context"]));
	const cluster = entry(config, "clusters", "cluster", text(context.cluster));
	const user = entry(config, "users", "user", text(context.user));
	return { server: serverOf(cluster), caData: caDataOf(cluster), auth: authOf(user) };
}
