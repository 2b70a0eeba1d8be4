// A Kubernetes API server in this process: it answers the calls of the adapters, the simulated kubelets and the workloads of the tests,
// and says 501 to all others. With controllers it is a whole cluster without nodes.
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApiServer, KubeconfigOptions } from "../../api-server.ts";
import { type Authority, createAuthority, type IssuedCertificate, keptAuthority } from "../../arm/certificates.ts";
import { ApiClient } from "../../real/api-client.ts";
import type { RequestFilter } from "../../real/audit.ts";
import { Api } from "./api.ts";
import type { User } from "./authorization.ts";
import { type ControllerOptions, type Controllers, startControllers } from "./controllers/start.ts";
import { HttpServer, type TroubleMaker } from "./http.ts";
import type { LabObject, Metadata } from "./objects.ts";
import { controllerManager } from "./registry.ts";
import { type RequestLine, RequestLog } from "./request-log.ts";
import { resourceNamed, resourceOfKind } from "./resources.ts";
import { Store } from "./store.ts";
import { type KnownUser, Users } from "./users.ts";
import { Watches } from "./watches.ts";

/** What an earlier process was; JSON. It holds secrets. */
export interface LabSnapshot {
	readonly revision: number;
	readonly port: number;
	readonly authority: IssuedCertificate;
	readonly tokens: Readonly<Record<string, string>>;
	readonly objects: readonly LabObject[];
}

export interface LabClusterOptions {
	/** A free one unless told, or that of the snapshot. */
	readonly port?: number;
	/** Goes on where that cluster was. */
	readonly snapshot?: LabSnapshot;
	/** On unless false: an API server alone. */
	readonly controllers?: boolean | ControllerOptions;
	/** Users beside `admin`, `scheduler`, `kubelets` and `controllers`, each with a token of its own. */
	readonly users?: readonly KnownUser[];
	/** Client certificates of this CA are let in as well, as those of the cluster's own. */
	readonly clientCaPem?: string;
	/** Who bears a token that is none of the users': as Entra vouches for identities. Undefined: nobody. */
	readonly identity?: (token: string) => User | undefined;
	/** Asked before every call is answered; may be replaced while it runs. */
	readonly trouble?: TroubleMaker;
}

export interface LabCluster extends ApiServer {
	/** Replaced at will. */
	trouble: TroubleMaker;
	/** Requests that were answered, the last 20,000 at least. */
	requests(filter?: RequestFilter): RequestLine[];
	clearRequests(): void;
	/** A client certificate of the cluster's CA, as a local account of AKS has: user and group. */
	clientCertificate(user: string, group?: string): IssuedCertificate;
	/** Puts an object into the store as it is given, past HTTP and admission; for benches. Name and namespace are needed, the rest is made. */
	seed(object: object): void;
	/** As etcd's compaction: watches of before and continue tokens are too old. */
	compact(): void;
	/** Looks of controllers that failed: none, unless the lab has a bug. */
	problems(): readonly string[];
	snapshot(): LabSnapshot;
}

const authorityName = "lab cluster";

export async function startLabCluster(options: LabClusterOptions = {}): Promise<LabCluster> {
	const cluster = new Cluster(options);
	await cluster.listen();
	return cluster;
}

class Cluster implements LabCluster {
	url = "";
	trouble: TroubleMaker;
	readonly #options: LabClusterOptions;
	readonly #authority: Authority;
	readonly #store: Store;
	readonly #api: Api;
	readonly #watches: Watches;
	readonly #users: Users;
	readonly #log = new RequestLog();
	readonly #server: HttpServer;
	#port = 0;
	#controllers: Controllers | null = null;
	#client: ApiClient | null = null;
	#dir: string | null = null;

	constructor(options: LabClusterOptions) {
		const { snapshot } = options;
		this.#options = options;
		this.trouble = options.trouble ?? (() => undefined);
		this.#authority = snapshot === undefined ? createAuthority(authorityName) : keptAuthority(authorityName, snapshot.authority);
		this.#store = new Store(snapshot?.revision);
		this.#api = new Api(this.#store);
		this.#watches = new Watches(this.#store);
		this.#users = new Users(options.users ?? [], snapshot?.tokens ?? {}, options.identity ?? (() => undefined));
		const certificate = this.#authority.issue({ commonName: "kube-apiserver", hosts: ["127.0.0.1", "localhost"] });
		this.#server = new HttpServer(certificate, [this.caPem, ...(options.clientCaPem === undefined ? [] : [options.clientCaPem])], {
			api: this.#api,
			watches: this.#watches,
			users: this.#users,
			log: this.#log,
			trouble: (asked) => this.trouble(asked),
		});
		if (snapshot === undefined) this.#makeNamespaces();
		else this.#store.restore(snapshot.objects);
	}

	async listen(): Promise<void> {
		this.#port = await this.#server.listen(this.#options.port ?? this.#options.snapshot?.port ?? 0);
		this.url = `https://127.0.0.1:${this.#port}`;
		const { controllers = true } = this.#options;
		if (controllers !== false) this.#controllers = startControllers(this.#api.registry, controllers === true ? {} : controllers);
	}

	get caPem(): string {
		return this.#authority.certPem;
	}

	get caData(): string {
		return Buffer.from(this.caPem).toString("base64");
	}

	get api(): ApiClient {
		this.#client ??= this.client("admin");
		return this.#client;
	}

	token(user: string): string {
		return this.#users.token(user);
	}

	secrets(): readonly string[] {
		return Object.values(this.#users.tokens());
	}

	client(user: string, options: { readonly timeoutMs?: number } = {}): ApiClient {
		return new ApiClient({ server: this.url, caPem: this.caPem, token: this.token(user), ...options });
	}

	kubeconfig(path?: string, options: KubeconfigOptions = {}): string {
		const { user = "admin", context = "lab", server = this.url, caData = this.caData } = options;
		this.#dir ??= path === undefined ? mkdtempSync(join(tmpdir(), "lab-cluster-")) : null;
		const file = path ?? join(this.#dir ?? tmpdir(), `${user}.kubeconfig`);
		const config = {
			apiVersion: "v1",
			kind: "Config",
			clusters: [{ name: context, cluster: { server, "certificate-authority-data": caData } }],
			users: [{ name: user, user: { token: this.token(user) } }],
			contexts: [{ name: context, context: { cluster: context, user } }],
			"current-context": context,
		};
		writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
		return file;
	}

	requests(filter: RequestFilter = {}): RequestLine[] {
		return this.#log.find(filter);
	}

	clearRequests(): void {
		this.#log.clear();
	}

	clientCertificate(user: string, group?: string): IssuedCertificate {
		return this.#authority.issue({ commonName: user, ...(group === undefined ? {} : { organization: group }) });
	}

	seed(object: object): void {
		const { apiVersion, kind, metadata } = object as LabObject;
		const resource = resourceOfKind(apiVersion, kind);
		if (resource === undefined) throw new Error(`seeding ${kind} of ${apiVersion}: the lab knows no such resource`);
		const made: Partial<Metadata> = { uid: randomUUID(), creationTimestamp: new Date().toISOString().replace(/\.\d+/, "") };
		this.#store.put(resource, { ...(object as LabObject), metadata: { ...made, ...metadata } as Metadata });
	}

	compact(): void {
		this.#store.compact();
		this.#api.lists.expire();
	}

	problems(): readonly string[] {
		return this.#controllers?.problems ?? [];
	}

	snapshot(): LabSnapshot {
		const { certPem, keyPem } = this.#authority;
		return { revision: this.#store.revision, port: this.#port, authority: { certPem, keyPem }, tokens: this.#users.tokens(), objects: this.#store.objects() };
	}

	async stop(): Promise<void> {
		this.#controllers?.stop();
		this.#watches.end();
		await this.#client?.close();
		await this.#server.close();
		if (this.#dir !== null) rmSync(this.#dir, { recursive: true, force: true });
	}

	#makeNamespaces(): void {
		const namespaces = resourceNamed("namespaces");
		for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"])
			this.#api.registry.create(namespaces, null, { apiVersion: "v1", kind: "Namespace", metadata: { name } as Metadata }, controllerManager);
	}
}
