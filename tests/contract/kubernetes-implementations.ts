// One suite, two implementations of the Kubernetes API: the lab's server and a real kube-apiserver. Every test runs on each, by name.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { parseAllDocuments } from "yaml";
import type { ClusterApi } from "../../lib/tick/world.ts";
import type { ApiServer } from "../api-server.ts";
import { type Authority, createAuthority } from "../arm/certificates.ts";
import { startLabCluster } from "../lab/kubernetes/cluster.ts";
import { shippedManifests } from "../lab/manifests.ts";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import { applyShipped } from "../real/scenario.ts";
import { apply, type Manifest } from "../real/workloads.ts";
import { fresh, openAs } from "./kubernetes-fixtures.ts";

export interface ServerOptions {
	/** Users without any right, beside the fixed ones. */
	readonly strangers?: readonly string[];
	/** Old versions are forgotten within moments: continue tokens and watches of them are too old. */
	readonly forgetsQuickly?: boolean;
}

/** A server without controllers: what objects say is what a test has written. */
interface Started {
	readonly server: ApiServer;
	/** The shipped manifests with their rights, as a user applies them. */
	applyShipped(options?: { readonly deletePods?: boolean }): Promise<void>;
	/** Where the server does not forget old versions by itself within moments: now. */
	forgetOld(): Promise<void>;
	/** Calls of a user are answered 429 by flow control, some of many at least, until the returned function is called. */
	throttle(user: string): Promise<() => Promise<void>>;
	/** The CA whose client certificates are let in. */
	readonly clientAuthority: Authority;
	/** Null where there is none. */
	readonly controlPlane: ControlPlane | null;
}

interface Implementation {
	readonly name: string;
	/** Why it cannot run here; false: it can. */
	readonly skip: string | false;
	start(options: ServerOptions): Promise<Started>;
}

const real: Implementation = {
	name: "real",
	skip: process.env.KUBEBUILDER_ASSETS ? false : "KUBEBUILDER_ASSETS is not set: a real kube-apiserver and etcd are needed",
	async start({ strangers = [], forgetsQuickly = false }) {
		const clientAuthority = createAuthority();
		const dir = mkdtempSync(join(tmpdir(), "client-ca-"));
		const clientCa = join(dir, "ca.crt");
		writeFileSync(clientCa, clientAuthority.certPem);
		const controlPlane = await startControlPlane({
			controllers: false,
			scheduler: false,
			users: strangers.map((name) => ({ name })),
			// The watch cache keeps more than etcd does, and for longer.
			apiServerFlags: [`--client-ca-file=${clientCa}`, ...(forgetsQuickly ? ["--etcd-compaction-interval=1s", "--watch-cache=false"] : [])],
		}).finally(() => rmSync(dir, { recursive: true }));
		return {
			server: controlPlane,
			controlPlane,
			clientAuthority,
			applyShipped: (options) => applyShipped(controlPlane, options?.deletePods === true ? ["delete-pods"] : []),
			// etcd compacts to the revision of an interval ago: there has to be another.
			forgetOld: async () => void (await controlPlane.api.patch("/api/v1/namespaces/default", { metadata: { labels: { touched: fresh("at") } } })),
			throttle: (user) => limitFlow(controlPlane, user),
		};
	},
};

const flowControl = "/apis/flowcontrol.apiserver.k8s.io/v1";

/** Leaves a user no share of the server: of calls at the same time all but one are rejected. */
async function limitFlow({ api }: ControlPlane, user: string): Promise<() => Promise<void>> {
	const limited = { nominalConcurrencyShares: 0, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse: { type: "Reject" } };
	const everything = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] };
	const rules = [{ subjects: [{ kind: "User", user: { name: user } }], resourceRules: [everything] }];
	const level = { metadata: { name: "tests" }, spec: { type: "Limited", limited } };
	await api.post(`${flowControl}/prioritylevelconfigurations`, level);
	await api.post(`${flowControl}/flowschemas`, {
		metadata: { name: "tests" },
		spec: { matchingPrecedence: 2, priorityLevelConfiguration: { name: "tests" }, rules },
	});
	return async () => {
		await api.delete(`${flowControl}/flowschemas/tests`);
		await api.delete(`${flowControl}/prioritylevelconfigurations/tests`);
	};
}

const deletePodsRights = resolve(import.meta.dirname, "../../infra/cluster/components/delete-pods/rights.yaml");

/** The optional component, as kustomize would bind it. */
function deletePodsManifests(): Manifest[] {
	const text = readFileSync(deletePodsRights, "utf8").replaceAll("SET-BY-KUSTOMIZE", "scheduler");
	return parseAllDocuments(text).map((each) => each.toJS() as Manifest);
}

const lab: Implementation = {
	name: "lab",
	skip: false,
	async start({ strangers = [] }) {
		const clientAuthority = createAuthority();
		const users = strangers.map((name) => ({ name }));
		const server = await startLabCluster({ controllers: false, users, clientCaPem: clientAuthority.certPem });
		return {
			server,
			controlPlane: null,
			clientAuthority,
			forgetOld: async () => server.compact(),
			throttle: async (throttled) => {
				const tooMany = { kind: "error", status: 429, reason: "TooManyRequests", message: "too many requests", retryAfterSeconds: 1 } as const;
				server.trouble = ({ user }) => (user === throttled ? tooMany : undefined);
				return async () => {
					server.trouble = () => undefined;
				};
			},
			applyShipped: ({ deletePods = false } = {}) => apply(server.api, shippedManifests("scheduler"), deletePods ? deletePodsManifests() : []),
		};
	},
};

const implementations: readonly Implementation[] = [lab, real];

/** What a suite is told of the server that it runs on. */
export class Subject {
	readonly #implementation: Implementation;
	#started: Started | null = null;
	#api: ClusterApi | null = null;

	constructor(implementation: Implementation) {
		this.#implementation = implementation;
	}

	get runs(): boolean {
		return this.#implementation.skip === false;
	}

	async start(options: ServerOptions): Promise<void> {
		this.#started = await this.#implementation.start(options);
		await this.#started.applyShipped();
		this.#api = openAs(this.server);
	}

	get server(): ApiServer {
		return this.#running.server;
	}

	/** The adapter as the scheduler, with the shipped rights. */
	get api(): ClusterApi {
		if (this.#api === null) throw new Error("the server was not started yet");
		return this.#api;
	}

	applyShipped(options?: { readonly deletePods?: boolean }): Promise<void> {
		return this.#running.applyShipped(options);
	}

	get clientAuthority(): Authority {
		return this.#running.clientAuthority;
	}

	forgetOld(): Promise<void> {
		return this.#running.forgetOld();
	}

	throttle(user: string): Promise<() => Promise<void>> {
		return this.#running.throttle(user);
	}

	async stop(): Promise<void> {
		await this.#started?.server.stop();
	}

	/** A test of this implementation, skipped by its name where it cannot run. */
	test(name: string, body: (context: TestContext) => Promise<void>): void {
		const { name: implementation, skip } = this.#implementation;
		test(`${implementation}: ${name}`, { skip }, body);
	}

	/** A test of what only a real control plane has: admission of every kind, kubectl. */
	realTest(name: string, body: (controlPlane: ControlPlane) => Promise<void>): void {
		if (this.#implementation === real) this.test(name, () => body(this.#running.controlPlane as ControlPlane));
	}

	get #running(): Started {
		if (this.#started === null) throw new Error("the server was not started yet");
		return this.#started;
	}
}

/** Defines a suite once for every implementation, each with a server of its own. */
export function contract(define: (subject: Subject) => void, options: ServerOptions = {}): void {
	for (const implementation of implementations) {
		const subject = new Subject(implementation);
		describe(implementation.name, () => {
			before(async () => {
				if (subject.runs) await subject.start(options);
			});
			after(() => subject.stop());
			define(subject);
		});
	}
}
