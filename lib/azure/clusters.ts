// The ARM half of the `Clusters` port: what state a cluster is in, and the way to its API server.
import { ContainerServiceClient, type ContainerServiceClientOptionalParams, type ManagedCluster } from "@azure/arm-containerservice";
import type { TokenCredential } from "@azure/identity";
import type { ClusterInArm } from "../doctor/ports.ts";
import type { AksFacts } from "../plan/model.ts";
import type { ClusterTarget } from "../plan/policy.ts";
import { CallError } from "../tick/call-error.ts";
import type { Connection } from "../tick/world.ts";
import { boundedCall, orAborted } from "./bounded-call.ts";
import { type ClusterCredential, EntraTokens, renewAt } from "./credentials.ts";
import { retryAfterMs, serviceCode, statusOf } from "./failure.ts";
import { Gate } from "./gate.ts";
import { KubeconfigError, parseKubeconfig } from "./kubeconfig.ts";

type AksTarget = Extract<ClusterTarget, { kind: "aks" }>;

export interface AksClustersOptions {
	/** As whom ARM and the clusters are spoken to. */
	readonly credential: TokenCredential;
	/** Base URL of ARM, for other clouds and for tests; https only. The public cloud unless told. */
	readonly armUrl?: string;
	/** CA of ARM, PEM, where it is not one that Node trusts. */
	readonly armCaPem?: string;
	/** Time limit of one call with its waits and retries; 15 s unless told. */
	readonly limitMs?: number;
	/** How old the facts of ARM may be; 60 s unless told. */
	readonly factsMaxAgeMs?: number;
	/** Milliseconds since the epoch, for what expires. */
	readonly now?: () => number;
}

const defaultLimitMs = 15_000;
const defaultFactsMaxAgeMs = 60_000;
/** AKS answers 429 beyond a burst of 60 and one a second after that; so many calls are under way at once. */
const maxCalls = 60;
const retries = 3;

const rights = {
	get: "Microsoft.ContainerService/managedClusters/read",
	credentials: "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
} as const;
const role = "Azure Kubernetes Service Cluster User Role";

/** 404s by which ARM says that the cluster itself is not there. Any other (a proxy's, another tenant's subscription) says nothing of it. */
const absentCodes = new Set(["ResourceNotFound", "ResourceGroupNotFound", "NotFound"]);

/** What is known of one cluster. */
interface Entry {
	/** One call at once. */
	readonly gate: Gate;
	credential?: { readonly value: ClusterCredential; readonly renewAt: number };
	inArm?: { readonly value: ClusterInArm; readonly readAt: number };
	/** A remembered connection turned out wrong: ARM is asked. */
	distrusted: boolean;
	fetchingCredential?: Promise<ClusterCredential>;
	fetchingInArm?: Promise<ClusterInArm>;
}

/** AKS clusters through ARM, for the whole fleet. One per process: limits and caches are shared by what it serves. */
export class AksClusters {
	readonly #options: AksClustersOptions;
	readonly #now: () => number;
	readonly #tokens: EntraTokens;
	readonly #gate = new Gate(maxCalls);
	readonly #clients = new Map<string, ContainerServiceClient>();
	readonly #entries = new Map<string, Entry>();
	/** By subscription: ARM counts calls there and said when to come back. */
	readonly #throttledUntil = new Map<string, number>();

	constructor(options: AksClustersOptions) {
		this.#options = options;
		this.#now = options.now ?? Date.now;
		this.#tokens = new EntraTokens(options.credential, { now: this.#now });
	}

	/**
	 * State of the cluster and its pools, at most a minute old. A cluster that ARM does not know is `absent`.
	 *
	 * @throws CallError
	 */
	async aks(target: ClusterTarget): Promise<AksFacts> {
		return (await this.inArm(target))?.facts ?? { kind: "notManaged" };
	}

	/**
	 * The same, with what only people want to know of it; null: it is reached by a kubeconfig.
	 *
	 * @throws CallError
	 */
	async inArm(target: ClusterTarget): Promise<ClusterInArm | null> {
		if (target.kind !== "aks") return null;
		const entry = this.#entryOf(target);
		const maxAgeMs = this.#options.factsMaxAgeMs ?? defaultFactsMaxAgeMs;
		if (entry.inArm !== undefined && this.#now() - entry.inArm.readAt < maxAgeMs) return entry.inArm.value;
		entry.fetchingInArm ??= this.#fetchInArm(target, entry).finally(() => {
			delete entry.fetchingInArm;
		});
		return await entry.fetchingInArm;
	}

	/**
	 * How to reach the cluster. `remembered`, of an earlier instance, spares asking ARM, until `invalidate` says that it is wrong.
	 *
	 * @throws CallError `notFound` names the cluster's resource id; `garbled` when the kubeconfig is none that we understand.
	 */
	async credentials(target: ClusterTarget, remembered?: Connection): Promise<ClusterCredential> {
		if (target.kind !== "aks")
			throw new CallError({ failure: "invalid", doing: `getting credentials of ${target.name}`, answer: "ARM has none: it is reached by a kubeconfig" });
		const entry = this.#entryOf(target);
		if (entry.credential !== undefined && this.#now() < entry.credential.renewAt) return entry.credential.value;
		if (entry.credential === undefined && remembered !== undefined && !entry.distrusted) {
			entry.credential = { value: { ...remembered, auth: { kind: "entra" } }, renewAt: Number.POSITIVE_INFINITY };
			return entry.credential.value;
		}
		entry.fetchingCredential ??= this.#fetchCredential(target, entry).finally(() => {
			delete entry.fetchingCredential;
		});
		try {
			return await entry.fetchingCredential;
		} catch (error) {
			// What is about to end has not ended yet, and the cluster itself judges it: a renewal that fails stops no recovery.
			if (entry.credential !== undefined) return entry.credential.value;
			throw error;
		}
	}

	/**
	 * What is known of the way to the cluster is wrong (a 401, a certificate that does not match the CA, a name that does not resolve):
	 * the next `credentials` asks ARM. With `used`, only if it is still the one that was used: a late 401 must not undo a renewal.
	 */
	invalidate(target: ClusterTarget, used?: ClusterCredential): void {
		if (target.kind !== "aks") return;
		const entry = this.#entryOf(target);
		if (used !== undefined && entry.credential !== undefined && entry.credential.value !== used) return;
		entry.distrusted = true;
		delete entry.credential;
	}

	/**
	 * The bearer token for Entra clusters, cached until 5 minutes before it expires.
	 *
	 * @throws CallError
	 */
	entraToken(): Promise<string> {
		return this.#tokens.token();
	}

	#entryOf(target: AksTarget): Entry {
		// Resource ids are case-insensitive.
		const key = target.resourceId.toLowerCase();
		const entry = this.#entries.get(key) ?? { gate: new Gate(1), distrusted: false };
		this.#entries.set(key, entry);
		return entry;
	}

	async #fetchInArm(target: AksTarget, entry: Entry): Promise<ClusterInArm> {
		const doing = `reading cluster ${target.name} from ARM`;
		const value = await this.#call(target, entry, doing, "get", async (client, abortSignal): Promise<ClusterInArm> => {
			try {
				const cluster = await client.managedClusters.get(target.resourceGroup, target.resourceName, { abortSignal });
				return { facts: factsOf(doing, cluster), nodeOsChannel: cluster.autoUpgradeProfile?.nodeOSUpgradeChannel ?? null };
			} catch (error) {
				if (statusOf(error) === 404 && absentCodes.has(serviceCode(error) ?? "")) return { facts: { kind: "absent" }, nodeOsChannel: null };
				throw error;
			}
		});
		entry.inArm = { value, readAt: this.#now() };
		return value;
	}

	async #fetchCredential(target: AksTarget, entry: Entry): Promise<ClusterCredential> {
		const doing = `getting credentials of cluster ${target.name} from ARM`;
		const value = await this.#call(target, entry, doing, "credentials", async (client, abortSignal) => {
			const answer = await client.managedClusters.listClusterUserCredentials(target.resourceGroup, target.resourceName, { format: "exec", abortSignal });
			return credentialOf(doing, answer.kubeconfigs);
		});
		entry.credential = { value, renewAt: renewAt(value, this.#now()) };
		return value;
	}

	#call<T>(
		target: AksTarget,
		entry: Entry,
		doing: string,
		right: keyof typeof rights,
		request: (client: ContainerServiceClient, signal: AbortSignal) => Promise<T>,
	): Promise<T> {
		const advice = (status: number | null, code: string | null): string | undefined => adviceOf(target, right, status, code);
		const bounds = { doing, write: false, advice, limitMs: this.#options.limitMs ?? defaultLimitMs, retries, leaveThrottled: true };
		return boundedCall(bounds, (signal) =>
			entry.gate.pass(signal, () =>
				this.#gate.pass(signal, async () => {
					this.#heedThrottling(target, doing);
					try {
						return await orAborted(request(this.#clientOf(target), signal), signal);
					} catch (error) {
						this.#noteThrottling(target, error);
						throw error;
					}
				}),
			),
		);
	}

	#heedThrottling(target: AksTarget, doing: string): void {
		const leftMs = (this.#throttledUntil.get(target.subscriptionId) ?? 0) - this.#now();
		if (leftMs <= 0) return;
		throw new CallError({
			failure: "throttled",
			doing,
			answer: `ARM throttles subscription ${target.subscriptionId}; not asked`,
			status: 429,
			retryAfterMs: leftMs,
		});
	}

	#noteThrottling(target: AksTarget, error: unknown): void {
		const afterMs = statusOf(error) === 429 ? retryAfterMs(error, this.#now()) : null;
		if (afterMs !== null) this.#throttledUntil.set(target.subscriptionId, this.#now() + afterMs);
	}

	#clientOf(target: AksTarget): ContainerServiceClient {
		const known = this.#clients.get(target.subscriptionId);
		if (known !== undefined) return known;
		const { armUrl, armCaPem, credential } = this.#options;
		// Retries are ours: only we know the time limit. Redirects would carry the token elsewhere.
		const options: ContainerServiceClientOptionalParams = { retryOptions: { maxRetries: 0 }, redirectOptions: { maxRetries: 0 } };
		if (armUrl !== undefined) {
			options.endpoint = armUrl;
			// Left out, a token for the public cloud's ARM would be asked for, and sent to this one.
			options.credentials = { scopes: [`${armUrl}/.default`] };
		}
		if (armCaPem !== undefined) options.tlsOptions = { ca: armCaPem };
		const client = new ContainerServiceClient(credential, target.subscriptionId, options);
		this.#clients.set(target.subscriptionId, client);
		return client;
	}
}

function adviceOf(target: AksTarget, right: keyof typeof rights, status: number | null, code: string | null): string | undefined {
	if (status === 403 && code === "AuthorizationFailed") return `the scheduler's identity lacks ${rights[right]} on ${target.resourceId} (role ${role})`;
	return status === 404 ? `no such cluster: ${target.resourceId}` : undefined;
}

function factsOf(doing: string, cluster: ManagedCluster): AksFacts {
	const { provisioningState, powerState, agentPoolProfiles } = cluster;
	if (typeof provisioningState !== "string") throw new CallError({ failure: "garbled", doing, answer: "the answer is no managed cluster", status: 200 });
	return {
		kind: "managed",
		provisioningState,
		// What ARM does not say is not taken for "Running".
		powerState: powerState?.code ?? "unknown",
		pools: (agentPoolProfiles ?? []).map((pool) => ({
			name: pool.name ?? "unknown",
			provisioningState: pool.provisioningState ?? "unknown",
			powerState: pool.powerState?.code ?? "unknown",
		})),
	};
}

function credentialOf(doing: string, kubeconfigs: readonly { readonly name?: string; readonly value?: Uint8Array }[] | undefined): ClusterCredential {
	const garbled = (answer: string): CallError => new CallError({ failure: "garbled", doing, answer, status: 200 });
	const value = (kubeconfigs?.find((each) => each.name === "clusterUser") ?? kubeconfigs?.[0])?.value;
	if (value === undefined) throw garbled("the answer holds no kubeconfig");
	try {
		return parseKubeconfig(Buffer.from(value).toString("utf8"));
	} catch (error) {
		throw garbled(error instanceof KubeconfigError ? `the kubeconfig is not usable: ${error.message}` : "the kubeconfig is not usable");
	}
}
