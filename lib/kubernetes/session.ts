// One cluster's connection: the client library on a Configuration of our own, with one connection pool for all calls.
// (The library's own authentication makes a new pool, and so a new TLS connection, for every request.)
import { setImmediate as nextTurn } from "node:timers/promises";
import {
	AdmissionregistrationV1Api,
	AppsV1Api,
	AuthenticationV1Api,
	AuthorizationV1Api,
	CoordinationV1Api,
	CoreV1Api,
	createConfiguration,
	EventsV1Api,
	PatchStrategy,
	PolicyV1Api,
	type RequestContext,
	type SecurityAuthentication,
	ServerConfiguration,
	setHeaderOptions,
	VersionApi,
} from "@kubernetes/client-node";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import type { CallError } from "../tick/call-error.ts";
import type { Credential, CredentialSource } from "./credentials.ts";
import { asksForNewCredential, translate } from "./errors.ts";

export interface Apis {
	readonly core: CoreV1Api;
	readonly apps: AppsV1Api;
	readonly policy: PolicyV1Api;
	readonly coordination: CoordinationV1Api;
	readonly admission: AdmissionregistrationV1Api;
	readonly authentication: AuthenticationV1Api;
	readonly authorization: AuthorizationV1Api;
	readonly version: VersionApi;
	/** Its calls are given up when the signal is aborted. */
	readonly eventsUntil: (aborted: AbortSignal) => EventsV1Api;
}

export interface SessionOptions {
	/** Of this software, for the User-Agent. */
	readonly version: string;
	/** Of one request with its answer's body, and of obtaining a credential. 20 s unless told. */
	readonly callTimeoutMs?: number;
}

/** For the one call that it is given with. */
export const mergePatch = () => setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

const callTimeoutMsDefault = 20_000;
/** More calls than this at a time wait for each other: drains evict many pods at once. */
const connectionsMax = 4;
/**
 * From one minute's look to the next one's; shorter than the 90 s after which an API server closes a connection, and than the 4 minutes
 * after which Azure's load balancers forget one without a word.
 */
const keepAliveTimeoutMs = 75_000;
/** A new credential that did not help is not asked for again before this: a cluster that refuses us must not use up ARM's limits. */
const invalidationPauseMs = 60_000;

interface Opened {
	readonly key: string;
	readonly dispatcher: Dispatcher;
	readonly apis: Apis;
	/** The newest token; calls of one pool may use different ones. */
	token: string | null;
}

export class Session {
	readonly #source: CredentialSource;
	readonly #userAgent: string;
	readonly #timeoutMs: number;
	#opened: Opened | null = null;
	/** Counts invalidations, so that calls that failed side by side cause one. */
	#generation = 0;
	#helplessSinceMs: number | null = null;

	constructor(source: CredentialSource, options: SessionOptions) {
		this.#source = source;
		this.#userAgent = `aks-reboot-scheduler/${options.version}`;
		this.#timeoutMs = options.callTimeoutMs ?? callTimeoutMsDefault;
	}

	/** A call that changes nothing. `use` makes one request and may judge its answer. Fails with CallError. */
	read<T>(doing: string, use: (apis: Apis) => Promise<T>): Promise<T> {
		return this.#call(doing, false, use);
	}

	/** A call that changes something. */
	write<T>(doing: string, use: (apis: Apis) => Promise<T>): Promise<T> {
		return this.#call(doing, true, use);
	}

	async #call<T>(doing: string, write: boolean, use: (apis: Apis) => Promise<T>): Promise<T> {
		const generation = this.#generation;
		try {
			return await this.#attempt(doing, use);
		} catch (error) {
			if (!asksForNewCredential(error) || !this.#invalidate(generation)) throw this.#translated(error, doing, write);
		}
		try {
			const answer = await this.#attempt(doing, use);
			this.#helplessSinceMs = null;
			return answer;
		} catch (error) {
			if (asksForNewCredential(error)) this.#helplessSinceMs = performance.now();
			throw this.#translated(error, doing, write);
		}
	}

	#translated(error: unknown, doing: string, write: boolean): CallError {
		return translate(error, { doing, write, timeoutMs: this.#timeoutMs });
	}

	/** Whether another attempt with another credential is worth it. */
	#invalidate(generation: number): boolean {
		if (this.#generation !== generation) return true;
		if (this.#helplessSinceMs !== null && performance.now() - this.#helplessSinceMs < invalidationPauseMs) return false;
		this.#generation++;
		this.#source.invalidate();
		return true;
	}

	async #attempt<T>(doing: string, use: (apis: Apis) => Promise<T>): Promise<T> {
		const credential = await within(this.#timeoutMs, this.#source.credential(), `obtaining a credential for ${doing}`);
		// undici gives back the connection of the call before only in the next turn of the event loop: until then it would open another one.
		await nextTurn();
		return use(this.#open(credential).apis);
	}

	#open(credential: Credential): Opened {
		const key = connectionKey(credential);
		const token = credential.auth.kind === "token" ? credential.auth.token : null;
		if (this.#opened?.key === key) {
			this.#opened.token = token;
			return this.#opened;
		}
		// Calls under way end first.
		this.#opened?.dispatcher.close().catch(() => {});
		const dispatcher = connectionPool(credential);
		const opened: Opened = {
			key,
			dispatcher,
			token,
			apis: makeApis(credential.server, (aborted) => this.#authentication(dispatcher, () => opened.token, aborted)),
		};
		this.#opened = opened;
		return opened;
	}

	#authentication(dispatcher: Dispatcher, token: () => string | null, aborted?: AbortSignal): SecurityAuthentication {
		return {
			getName: () => "aks-reboot-scheduler",
			applySecurityAuthentication: (context: RequestContext) => {
				const bearer = token();
				if (bearer !== null) context.setHeaderParam("Authorization", `Bearer ${bearer}`);
				context.setHeaderParam("User-Agent", this.#userAgent);
				context.setDispatcher(dispatcher);
				// Covers the answer's body too.
				const limit = AbortSignal.timeout(this.#timeoutMs);
				context.setSignal(aborted === undefined ? limit : AbortSignal.any([limit, aborted]));
			},
		};
	}
}

/** All that a TLS connection depends on. The token is not part of it. */
function connectionKey({ auth, ...where }: Credential): string {
	return JSON.stringify([where, auth.kind === "certificate" ? auth : null]);
}

function decoded(base64: string): string {
	return Buffer.from(base64, "base64").toString("utf8");
}

function connectionPool({ auth, caData, tlsServerName, skipTlsVerify, proxyUrl }: Credential): Dispatcher {
	const tls = {
		...(caData === null ? {} : { ca: decoded(caData) }),
		...(auth.kind === "certificate" ? { cert: decoded(auth.certData), key: decoded(auth.keyData) } : {}),
		...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
		...(skipTlsVerify === true ? { rejectUnauthorized: false } : {}),
	};
	const limits = { connections: connectionsMax, keepAliveTimeout: keepAliveTimeoutMs, allowH2: false };
	return proxyUrl === undefined ? new Agent({ ...limits, connect: tls }) : new ProxyAgent({ ...limits, uri: proxyUrl, requestTls: tls });
}

function makeApis(server: string, authentication: (aborted?: AbortSignal) => SecurityAuthentication): Apis {
	const baseServer = new ServerConfiguration(server.replace(/\/+$/, ""), {});
	const configured = (aborted?: AbortSignal) => createConfiguration({ baseServer, authMethods: { default: authentication(aborted) } });
	const configuration = configured();
	return {
		core: new CoreV1Api(configuration),
		apps: new AppsV1Api(configuration),
		policy: new PolicyV1Api(configuration),
		coordination: new CoordinationV1Api(configuration),
		admission: new AdmissionregistrationV1Api(configuration),
		authentication: new AuthenticationV1Api(configuration),
		authorization: new AuthorizationV1Api(configuration),
		version: new VersionApi(configuration),
		eventsUntil: (aborted) => new EventsV1Api(configured(aborted)),
	};
}

/** A source's promise within a time limit: it may wait for a program of somebody else. */
async function within<T>(timeoutMs: number, promise: Promise<T>, doing: string): Promise<T> {
	const { promise: late, reject } = Promise.withResolvers<never>();
	const timer = setTimeout(() => reject(translate(new DOMException("", "TimeoutError"), { doing, write: false, timeoutMs })), timeoutMs);
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}
