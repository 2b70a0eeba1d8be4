// A small Kubernetes client for tests: JSON over TLS, one connection pool, errors that carry the Status's reason.
import { Agent, fetch } from "undici";

export interface ApiClientOptions {
	readonly server: string;
	readonly caPem: string;
	readonly token: string;
	/** Of a whole call, body included; watches have none. */
	readonly timeoutMs?: number;
}

/** An object as the API server sends it. */
export interface KubeObject {
	readonly apiVersion?: string;
	readonly kind?: string;
	readonly metadata: ObjectMeta;
	readonly [field: string]: unknown;
}

export interface ObjectMeta {
	readonly name: string;
	readonly namespace?: string;
	readonly uid: string;
	readonly resourceVersion: string;
	readonly creationTimestamp: string;
	readonly deletionTimestamp?: string;
	readonly deletionGracePeriodSeconds?: number;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	readonly ownerReferences?: readonly { readonly kind: string; readonly apiVersion: string; readonly name: string; readonly uid: string }[];
	readonly finalizers?: readonly string[];
	readonly managedFields?: readonly { readonly manager: string; readonly operation: string; readonly fieldsV1?: unknown }[];
}

export interface WatchEvent<T> {
	readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
	readonly object: T;
}

/** An answer of 400 and above. `reason` and the message are those of the Status object. */
export class ApiError extends Error {
	readonly status: number;
	readonly reason: string;

	constructor(doing: string, status: number, reason: string, message: string) {
		super(`${doing}: ${status} ${reason}: ${message}`);
		this.name = "ApiError";
		this.status = status;
		this.reason = reason;
	}
}

export type PatchType = "merge" | "strategic" | "json" | "apply";
const patchContentTypes: Readonly<Record<PatchType, string>> = {
	merge: "application/merge-patch+json",
	strategic: "application/strategic-merge-patch+json",
	json: "application/json-patch+json",
	apply: "application/apply-patch+yaml",
};

/** Paths are absolute, query included: `/api/v1/nodes?limit=5`. */
export class ApiClient {
	readonly #options: ApiClientOptions;
	readonly #agent: Agent;

	constructor(options: ApiClientOptions) {
		this.#options = options;
		this.#agent = new Agent({ connect: { ca: options.caPem }, connections: 32, allowH2: false, bodyTimeout: 0 });
	}

	get<T = KubeObject>(path: string): Promise<T> {
		return this.#call<T>("GET", path);
	}

	/** The object, or null where the answer is 404. */
	async find<T = KubeObject>(path: string): Promise<T | null> {
		try {
			return await this.get<T>(path);
		} catch (error) {
			if (error instanceof ApiError && error.status === 404) return null;
			throw error;
		}
	}

	/** All items, in one page. */
	async list<T = KubeObject>(path: string): Promise<T[]> {
		return (await this.get<{ items: T[] }>(path)).items;
	}

	post<T = KubeObject>(path: string, body: unknown): Promise<T> {
		return this.#call<T>("POST", path, body, "application/json");
	}

	put<T = KubeObject>(path: string, body: unknown): Promise<T> {
		return this.#call<T>("PUT", path, body, "application/json");
	}

	patch<T = KubeObject>(path: string, body: unknown, type: PatchType = "merge"): Promise<T> {
		return this.#call<T>("PATCH", path, body, patchContentTypes[type]);
	}

	/** `options`: DeleteOptions (gracePeriodSeconds, preconditions, propagationPolicy). */
	delete<T = KubeObject>(path: string, options?: unknown): Promise<T> {
		return this.#call<T>("DELETE", path, options, "application/json");
	}

	/** Calls back for every event until the server ends the watch or the signal aborts it; then resolves or throws. */
	async watch<T>(path: string, onEvent: (event: WatchEvent<T>) => void, signal: AbortSignal): Promise<void> {
		const response = await fetch(this.#options.server + path, { dispatcher: this.#agent, headers: this.#headers(), signal });
		if (!response.ok || response.body === null) throw await answerError(`watching ${path}`, response);
		let rest = "";
		const decoder = new TextDecoder();
		for await (const chunk of response.body) {
			const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split("\n");
			rest = lines.pop() ?? "";
			for (const line of lines) if (line !== "") onEvent(JSON.parse(line) as WatchEvent<T>);
		}
	}

	/** Ends all connections. */
	async close(): Promise<void> {
		await this.#agent.destroy();
	}

	#headers(contentType?: string): Record<string, string> {
		const headers: Record<string, string> = { authorization: `Bearer ${this.#options.token}`, accept: "application/json" };
		if (contentType !== undefined) headers["content-type"] = contentType;
		return headers;
	}

	async #call<T>(method: string, path: string, body?: unknown, contentType?: string): Promise<T> {
		const response = await fetch(this.#options.server + path, {
			method,
			dispatcher: this.#agent,
			headers: this.#headers(body === undefined ? undefined : contentType),
			body: body === undefined ? null : JSON.stringify(body),
			signal: AbortSignal.timeout(this.#options.timeoutMs ?? 30_000),
		});
		if (!response.ok) throw await answerError(`${method} ${path}`, response);
		const text = await response.text();
		// `/readyz` and its like answer plain text.
		return (text.startsWith("{") ? JSON.parse(text) : text) as T;
	}
}

async function answerError(doing: string, response: { status: number; text(): Promise<string> }): Promise<ApiError> {
	const text = await response.text().catch(() => "");
	try {
		const status = JSON.parse(text) as { reason?: string; message?: string };
		return new ApiError(doing, response.status, status.reason ?? "", status.message ?? "");
	} catch {
		return new ApiError(doing, response.status, "", text.slice(0, 300));
	}
}
