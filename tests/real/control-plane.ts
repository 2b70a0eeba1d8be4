// Starts a real control plane (etcd, kube-apiserver, controllers, scheduler) for one run, with ports and a directory of its own.
// The programs are found by KUBEBUILDER_ASSETS, as controller-runtime's envtest does.
import { execFile } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { ApiServer, KubeconfigOptions } from "../api-server.ts";
import { ApiClient } from "./api-client.ts";
import { type AuditLine, matches, parseAuditLog, type RequestFilter } from "./audit.ts";
import { freePorts, type Guard, lastLines, type Running, startGuard } from "./processes.ts";

export interface User {
	readonly name: string;
	readonly groups?: readonly string[];
	/** A random one unless told. */
	readonly token?: string;
}

export interface ControlPlaneOptions {
	/** kube-controller-manager; on unless false. */
	readonly controllers?: boolean;
	/** kube-scheduler; on unless false. */
	readonly scheduler?: boolean;
	/** Every request in the audit log (level Metadata); on unless false. */
	readonly audit?: boolean;
	/** An existing directory to work in, which is kept; else a fresh one that is removed at the end. */
	readonly dir?: string;
	/** Of the API server; a free one unless told. */
	readonly port?: number;
	/** Users beside the fixed ones. */
	readonly users?: readonly User[];
	/** The ServiceAccount admission plugin (mounts tokens into pods, wants the account to exist); off unless true. */
	readonly serviceAccountAdmission?: boolean;
	readonly apiServerFlags?: readonly string[];
	readonly controllerFlags?: readonly string[];
}

export type FixedUser = "admin" | "scheduler" | "kubelets" | "controllers" | "kube-scheduler";

/** `scheduler` may do nothing until RBAC says so; the others are in `system:masters`. Each has a name of its own for the audit log. */
const fixedUsers: readonly User[] = [
	{ name: "admin", groups: ["system:masters"] },
	{ name: "scheduler" },
	{ name: "kubelets", groups: ["system:masters"] },
	{ name: "controllers", groups: ["system:masters"] },
	{ name: "kube-scheduler", groups: ["system:masters"] },
];

/** `caPem` and `api` change when the API server is started with another CA. */
export interface ControlPlane extends ApiServer {
	readonly dir: string;
	readonly pids: Readonly<Record<string, number>>;
	/** Without TLS, for whoever stores objects past the API server. */
	readonly etcdUrl: string;
	/** The bundled kubectl as `admin`; its standard output. Throws with its standard error. */
	kubectl(...args: string[]): Promise<string>;
	/** A token of a service account, bound to a pod where one is named. */
	serviceAccountToken(namespace: string, name: string, pod?: { readonly name: string; readonly uid: string }): Promise<string>;
	/** Every request that was answered so far. */
	auditLog(): AuditLine[];
	requests(filter?: RequestFilter): AuditLine[];
	/** SIGKILL. Resolves once it is gone. */
	killApiServer(): Promise<void>;
	/** On the same port; `newCa`: with a new certificate of a new CA. Resolves once it is ready. */
	startApiServer(options?: { readonly newCa?: boolean }): Promise<void>;
	/** SIGSTOP: the API server's calls hang. */
	pauseEtcd(): void;
	continueEtcd(): void;
	/** Kills everything and removes the directory unless it was given. */
	stop(): Promise<void>;
}

const auditPolicy = { apiVersion: "audit.k8s.io/v1", kind: "Policy", omitStages: ["RequestReceived", "ResponseStarted"], rules: [{ level: "Metadata" }] };

/** Takes about three seconds. Throws, naming the part and the end of its log, when one does not come up. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
	const assets = process.env.KUBEBUILDER_ASSETS;
	if (!assets) throw new Error("starting a control plane: KUBEBUILDER_ASSETS is not set; expected the directory of etcd, kube-apiserver and kubectl");
	const dir = options.dir ?? mkdtempSync(join(tmpdir(), "control-plane-"));
	const guard = startGuard(options.dir === undefined ? dir : null);
	try {
		const parts = new Parts(assets, dir, guard, options, await freePorts(5));
		await parts.start();
		return parts;
	} catch (error) {
		await guard.stop();
		throw error;
	}
}

class Parts implements ControlPlane {
	readonly url: string;
	readonly dir: string;
	caPem = "";
	readonly #assets: string;
	readonly #guard: Guard;
	readonly #options: ControlPlaneOptions;
	readonly #ports: { etcd: number; peer: number; api: number; controllers: number; scheduler: number };
	readonly #tokens: ReadonlyMap<string, string>;
	readonly #running = new Map<string, Running>();
	#api: ApiClient | null = null;
	#stopped = false;

	constructor(assets: string, dir: string, guard: Guard, options: ControlPlaneOptions, ports: readonly number[]) {
		const [etcd = 0, peer = 0, api = 0, controllers = 0, scheduler = 0] = ports;
		this.#ports = { etcd, peer, api: options.port ?? api, controllers, scheduler };
		this.#assets = assets;
		this.dir = dir;
		this.#guard = guard;
		this.#options = options;
		this.url = `https://127.0.0.1:${this.#ports.api}`;
		const users = [...fixedUsers, ...(options.users ?? [])];
		this.#tokens = new Map(users.map((user) => [user.name, user.token ?? randomBytes(24).toString("hex")]));
		this.#writeFiles(users);
	}

	get api(): ApiClient {
		if (this.#api === null) throw new Error("the API server was not started yet");
		return this.#api;
	}

	get caData(): string {
		return Buffer.from(this.caPem).toString("base64");
	}

	get pids(): Record<string, number> {
		return Object.fromEntries([...this.#running].map(([name, running]) => [name, running.pid]));
	}

	get etcdUrl(): string {
		return `http://127.0.0.1:${this.#ports.etcd}`;
	}

	token(user: string): string {
		const token = this.#tokens.get(user);
		if (token === undefined) throw new Error(`no user ${user}: expected one of ${[...this.#tokens.keys()].join(", ")}`);
		return token;
	}

	secrets(): readonly string[] {
		return [...this.#tokens.values()];
	}

	client(user: string, options: { readonly timeoutMs?: number } = {}): ApiClient {
		return new ApiClient({ server: this.url, caPem: this.caPem, token: this.token(user), ...options });
	}

	kubeconfig(path?: string, options: KubeconfigOptions = {}): string {
		const user = options.user ?? "admin";
		const file = path ?? join(this.dir, `${user}.kubeconfig`);
		const cluster = { server: options.server ?? this.url, "certificate-authority-data": options.caData ?? this.caData };
		writeKubeconfig(file, options.context ?? "real", cluster, user, this.token(user));
		return file;
	}

	async kubectl(...args: string[]): Promise<string> {
		const env = { ...process.env, KUBECONFIG: this.kubeconfig(join(this.dir, "kubectl.kubeconfig")) };
		try {
			const { stdout } = await promisify(execFile)(join(this.#assets, "kubectl"), args, { env, maxBuffer: 64 << 20 });
			return stdout;
		} catch (error) {
			const { stderr = "" } = error as { stderr?: string };
			throw new Error(`kubectl ${args.join(" ")}: ${stderr.trim() || String(error)}`);
		}
	}

	async serviceAccountToken(namespace: string, name: string, pod?: { readonly name: string; readonly uid: string }): Promise<string> {
		const boundObjectRef = pod === undefined ? undefined : { kind: "Pod", apiVersion: "v1", name: pod.name, uid: pod.uid };
		const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 3600, boundObjectRef } };
		const answer = await this.api.post<{ status: { token: string } }>(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, request);
		return answer.status.token;
	}

	auditLog(): AuditLine[] {
		if (this.#options.audit === false) throw new Error("there is no audit log: the control plane was started with audit: false");
		return parseAuditLog(readFileSync(join(this.dir, "audit.log"), "utf8"));
	}

	requests(filter: RequestFilter = {}): AuditLine[] {
		return this.auditLog().filter((line) => matches(line, filter));
	}

	async start(): Promise<void> {
		this.#startEtcd();
		await this.startApiServer();
		const waits: Promise<void>[] = [this.#systemNamespaces()];
		if (this.#options.controllers !== false) waits.push(this.#startControllers());
		if (this.#options.scheduler !== false) this.#startScheduler();
		await Promise.all(waits);
	}

	async killApiServer(): Promise<void> {
		await this.#running.get("kube-apiserver")?.kill();
	}

	async startApiServer(options: { readonly newCa?: boolean } = {}): Promise<void> {
		await this.killApiServer();
		// It makes a CA and a certificate of its own where it finds none.
		if (options.newCa === true) for (const file of ["apiserver.crt", "apiserver.key"]) rmSync(join(this.dir, "certs", file), { force: true });
		const running = this.#startPart("kube-apiserver", this.#apiServerFlags());
		await until("kube-apiserver", running, async () => {
			await this.#readCa();
			return (await this.api.get<string>("/readyz")) === "ok";
		});
	}

	pauseEtcd(): void {
		this.#running.get("etcd")?.signal("SIGSTOP");
	}

	continueEtcd(): void {
		this.#running.get("etcd")?.signal("SIGCONT");
	}

	async stop(): Promise<void> {
		if (this.#stopped) return;
		this.#stopped = true;
		await this.#guard.stop();
		await this.#api?.close();
	}

	#writeFiles(users: readonly User[]): void {
		mkdirSync(join(this.dir, "certs"), { recursive: true });
		const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" });
		writeFileSync(join(this.dir, "sa.key"), key, { mode: 0o600 });
		const lines = users.map((user) => `${this.token(user.name)},${user.name},${user.name},"${(user.groups ?? []).join(",")}"`);
		writeFileSync(join(this.dir, "tokens.csv"), `${lines.join("\n")}\n`, { mode: 0o600 });
		writeFileSync(join(this.dir, "audit-policy.json"), JSON.stringify(auditPolicy));
		writeFileSync(join(this.dir, "audit.log"), "");
		// Without a check of the server's certificate: they go on after a change of CA.
		const cluster = { server: this.url, "insecure-skip-tls-verify": true };
		for (const name of ["controllers", "kube-scheduler"]) writeKubeconfig(join(this.dir, `${name}.conf`), "real", cluster, name, this.token(name));
	}

	#startPart(name: string, flags: readonly string[]): Running {
		const running = this.#guard.start(join(this.#assets, name), flags, join(this.dir, `${name}.log`));
		this.#running.set(name, running);
		return running;
	}

	#startEtcd(): void {
		const client = this.etcdUrl;
		const peer = `http://127.0.0.1:${this.#ports.peer}`;
		this.#startPart("etcd", [
			`--data-dir=${join(this.dir, "etcd")}`,
			`--listen-client-urls=${client}`,
			`--advertise-client-urls=${client}`,
			`--listen-peer-urls=${peer}`,
			`--initial-advertise-peer-urls=${peer}`,
			`--initial-cluster=default=${peer}`,
			// What is lost with the machine is a test's: no write need wait for the disk.
			"--unsafe-no-fsync",
		]);
	}

	#apiServerFlags(): string[] {
		const inDir = (file: string): string => join(this.dir, file);
		const audit = [`--audit-policy-file=${inDir("audit-policy.json")}`, `--audit-log-path=${inDir("audit.log")}`, "--audit-log-maxsize=1000"];
		return [
			`--etcd-servers=${this.etcdUrl}`,
			`--cert-dir=${inDir("certs")}`,
			`--secure-port=${this.#ports.api}`,
			"--bind-address=127.0.0.1",
			"--service-cluster-ip-range=10.96.0.0/16",
			`--service-account-issuer=${this.url}`,
			`--service-account-key-file=${inDir("sa.key")}`,
			`--service-account-signing-key-file=${inDir("sa.key")}`,
			`--token-auth-file=${inDir("tokens.csv")}`,
			"--authorization-mode=Node,RBAC",
			"--allow-privileged=true",
			...(this.#options.serviceAccountAdmission === true ? [] : ["--disable-admission-plugins=ServiceAccount"]),
			...(this.#options.audit === false ? [] : audit),
			...(this.#options.apiServerFlags ?? []),
		];
	}

	#startControllers(): Promise<void> {
		const running = this.#startPart("kube-controller-manager", [
			`--kubeconfig=${join(this.dir, "controllers.conf")}`,
			`--service-account-private-key-file=${join(this.dir, "sa.key")}`,
			"--use-service-account-credentials",
			"--leader-elect=false",
			"--controllers=*,-nodeipam",
			"--bind-address=127.0.0.1",
			`--cert-dir=${join(this.dir, "certs")}`,
			`--secure-port=${this.#ports.controllers}`,
			// Its start is a few hundred requests; at the 20 per second of the default it would take five seconds.
			"--kube-api-qps=1000",
			"--kube-api-burst=2000",
			...(this.#options.controllerFlags ?? []),
		]);
		// A default service account in a namespace is the sign that its controllers are at work.
		return until("kube-controller-manager", running, async () => (await this.api.find("/api/v1/namespaces/default/serviceaccounts/default")) !== null);
	}

	#startScheduler(): void {
		this.#startPart("kube-scheduler", [
			`--kubeconfig=${join(this.dir, "kube-scheduler.conf")}`,
			"--leader-elect=false",
			"--bind-address=127.0.0.1",
			`--cert-dir=${join(this.dir, "certs")}`,
			`--secure-port=${this.#ports.scheduler}`,
		]);
	}

	#systemNamespaces(): Promise<void> {
		const running = this.#running.get("kube-apiserver");
		return until("namespace kube-node-lease", running, async () => (await this.api.find("/api/v1/namespaces/kube-node-lease")) !== null);
	}

	async #readCa(): Promise<void> {
		const caPem = readFileSync(join(this.dir, "certs", "apiserver.crt"), "utf8");
		if (caPem === this.caPem) return;
		await this.#api?.close();
		this.caPem = caPem;
		this.#api = this.client("admin");
	}
}

function writeKubeconfig(file: string, context: string, cluster: Record<string, unknown>, user: string, token: string): void {
	const config = {
		apiVersion: "v1",
		kind: "Config",
		clusters: [{ name: context, cluster }],
		users: [{ name: user, user: { token } }],
		contexts: [{ name: context, context: { cluster: context, user } }],
		"current-context": context,
	};
	// At once: a process that was started a moment ago may be reading it.
	writeFileSync(`${file}.new`, JSON.stringify(config, null, 2), { mode: 0o600 });
	renameSync(`${file}.new`, file);
}

/** Waits for a condition while a part comes up; a check that throws is not fulfilled yet. */
async function until(what: string, running: Running | undefined, check: () => Promise<boolean>, timeoutMs = 180_000): Promise<void> {
	const deadline = Date.now() + timeoutMs;
	let last = "";
	for (;;) {
		if (running?.hasEnded()) throw new Error(`starting ${what}: it ended with ${await running.ended}:\n${lastLines(running.logFile)}`);
		try {
			if (await check()) return;
		} catch (error) {
			last = String(error);
		}
		if (Date.now() > deadline) throw new Error(`starting ${what}: not ready after ${timeoutMs} ms: ${last}\n${running ? lastLines(running.logFile) : ""}`);
		await delay(100);
	}
}
