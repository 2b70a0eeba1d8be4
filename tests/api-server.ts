// A Kubernetes API server that tests, kubelets and workloads work with: the real one (tests/real/control-plane.ts) or the lab's.
import type { ApiClient } from "./real/api-client.ts";

export interface KubeconfigOptions {
	/** Name of the context; the implementation's own unless told. */
	readonly context?: string;
	/** `admin` unless told. */
	readonly user?: string;
	/** Another address than the API server's own. */
	readonly server?: string;
	/** Another CA than the API server's own, as base64 of PEM. */
	readonly caData?: string;
}

export interface ApiServer {
	readonly url: string;
	readonly caPem: string;
	/** `caPem` as a kubeconfig carries it: base64. */
	readonly caData: string;
	/** As `admin`. */
	readonly api: ApiClient;
	/** The bearer token of a known user. `admin` and `kubelets` may do everything, `scheduler` what RBAC says. */
	token(user: string): string;
	/** Every secret in use, for tests that search outputs for them. */
	secrets(): readonly string[];
	/** A client as a known user. Close it when done. */
	client(user: string, options?: { readonly timeoutMs?: number }): ApiClient;
	/** Writes a kubeconfig file and returns its path. */
	kubeconfig(path?: string, options?: KubeconfigOptions): string;
	stop(): Promise<void>;
}
