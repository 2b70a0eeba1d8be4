// How to reach the API server of a cluster and what to show there; how long that is good.
import { X509Certificate } from "node:crypto";
import type { TokenCredential } from "@azure/identity";
import { CallError } from "../tick/call-error.ts";
import type { Connection } from "../tick/world.ts";
import { boundedCall } from "./bounded-call.ts";

/** Everything that a client of a cluster needs. Secret as a whole: it is never stored, logged or shown. */
export interface ClusterCredential {
	/** https URL of the API server. */
	readonly server: string;
	/** The CA that signs the server's certificate: PEM, base64. */
	readonly caData: string;
	readonly auth:
		| { readonly kind: "entra" }
		/** PEM, base64, both. */
		| { readonly kind: "certificate"; readonly certData: string; readonly keyData: string }
		| { readonly kind: "token"; readonly token: string };
}

/** What may be remembered outside of this process: nothing but of Entra clusters, whose server and CA are no secrets. */
export function connectionOf(credential: ClusterCredential): Connection | undefined {
	return credential.auth.kind === "entra" ? { server: credential.server, caData: credential.caData } : undefined;
}

/**
 * The application "Azure Kubernetes Service AAD Server": the same in every tenant
 * (https://learn.microsoft.com/azure/aks/kubelogin-authentication).
 */
export const aksScope = "6dae42f8-4368-4678-94ff-3960e28e3630/.default";

const minuteMs = 60_000;
/** A certificate is replaced this long before it ends … */
const certificateMarginMs = 60 * minuteMs;
/** … but ARM is not asked more often than this for one that is as short-lived as that. */
const shortestLifeMs = 5 * minuteMs;
const tokenMarginMs = 5 * minuteMs;
const tokenLimitMs = 10_000;

function jwtEnd(token: string): number {
	try {
		const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
		return typeof exp === "number" ? exp * 1000 : Number.POSITIVE_INFINITY;
	} catch {
		return Number.POSITIVE_INFINITY;
	}
}

function endOf(auth: ClusterCredential["auth"]): number {
	switch (auth.kind) {
		case "entra":
			// Nothing in it ends: the token is fetched apart.
			return Number.POSITIVE_INFINITY;
		case "certificate":
			return new X509Certificate(Buffer.from(auth.certData, "base64")).validToDate.getTime();
		case "token":
			return jwtEnd(auth.token);
		default:
			return auth satisfies never;
	}
}

/** When a credential that was fetched at `now` is to be fetched again, in milliseconds since the epoch. */
export function renewAt(credential: ClusterCredential, now: number): number {
	return Math.max(endOf(credential.auth) - certificateMarginMs, now + shortestLifeMs);
}

/** The token of the scheduler's identity for every Entra cluster of the tenant. */
export class EntraTokens {
	readonly #credential: TokenCredential;
	readonly #now: () => number;
	readonly #limitMs: number;
	#cached: { readonly token: string; readonly expiresAt: number } | undefined;
	#fetching: Promise<string> | undefined;

	constructor(credential: TokenCredential, options: { readonly now?: () => number; readonly limitMs?: number } = {}) {
		this.#credential = credential;
		this.#now = options.now ?? Date.now;
		this.#limitMs = options.limitMs ?? tokenLimitMs;
	}

	/**
	 * The token, cached until 5 minutes before it expires.
	 *
	 * @throws CallError `unauthorized` when the identity gets none, `timedOut` after 10 s.
	 */
	async token(): Promise<string> {
		const cached = this.#cached;
		if (cached !== undefined && this.#now() < cached.expiresAt - tokenMarginMs) return cached.token;
		this.#fetching ??= this.#fetch().finally(() => {
			this.#fetching = undefined;
		});
		try {
			return await this.#fetching;
		} catch (error) {
			// Entra being away for five minutes is no reason to stop a reboot half way.
			if (cached !== undefined && this.#now() < cached.expiresAt) return cached.token;
			throw error;
		}
	}

	#fetch(): Promise<string> {
		const doing = "getting a token for the clusters' API servers";
		return boundedCall({ doing, write: false, limitMs: this.#limitMs, retries: 0 }, async (abortSignal) => {
			const answer = await this.#credential.getToken(aksScope, { abortSignal });
			if (answer === null) throw new CallError({ failure: "unauthorized", doing, answer: "Entra ID gave no token" });
			this.#cached = { token: answer.token, expiresAt: answer.expiresOnTimestamp };
			return answer.token;
		});
	}
}
