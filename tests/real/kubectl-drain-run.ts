// `kubectl drain` with the flags that mean what our settings mean, and what it made of each pod.
import { execFile } from "node:child_process";
import { join } from "node:path";
import type { ControlPlane } from "./control-plane.ts";
import type { KubectlOutcome } from "./kubectl-drain-differences.ts";

/** The settings that decide which pods leave. */
export interface DrainSettings {
	readonly unmanagedPods: "delete" | "block";
	readonly podSelector: string | null;
	readonly gracePeriodSeconds: number | null;
	readonly skipWaitForDeleteSeconds: number | null;
}

export const drainDefaults: DrainSettings = { unmanagedPods: "delete", podSelector: null, gracePeriodSeconds: null, skipWaitForDeleteSeconds: null };

function flagsOf({ unmanagedPods, podSelector, gracePeriodSeconds, skipWaitForDeleteSeconds }: DrainSettings): string[] {
	return [
		"--ignore-daemonsets",
		"--delete-emptydir-data",
		...(unmanagedPods === "delete" ? ["--force"] : []),
		...(podSelector === null ? [] : [`--pod-selector=${podSelector}`]),
		...(gracePeriodSeconds === null ? [] : [`--grace-period=${gracePeriodSeconds}`]),
		...(skipWaitForDeleteSeconds === null ? [] : [`--skip-wait-for-delete-timeout=${skipWaitForDeleteSeconds}`]),
	];
}

/** What it said and how it ended. */
export interface KubectlDrain {
	readonly exitCode: number;
	readonly stdout: string;
	readonly stderr: string;
}

export interface KubectlOptions {
	readonly dryRun: boolean;
	readonly timeoutSeconds: number;
	/** `admin` unless told. */
	readonly user?: string;
}

/**
 * Its own time limit does not end it: an eviction that is answered 429 with a Retry-After is sent up to ten times more before kubectl looks at
 * its clock: 105 s where no controller ever counts for the budget (docs/drain.md).
 */
const pastItsTimeoutMs = 180_000;

/**
 * Of one node or of several, one after the other. Its answer is one about each pod, so that refusing a node is no error here. Fails where it
 * had to be killed.
 */
export function kubectlDrain(server: ControlPlane, nodes: readonly string[], settings: DrainSettings, options: KubectlOptions): Promise<KubectlDrain> {
	const flags = [...flagsOf(settings), `--timeout=${options.timeoutSeconds}s`, ...(options.dryRun ? ["--dry-run=server"] : [])];
	const env = { ...process.env, KUBECONFIG: server.kubeconfig(undefined, { user: options.user ?? "admin" }) };
	const limits = { timeout: options.timeoutSeconds * 1_000 * nodes.length + pastItsTimeoutMs, killSignal: "SIGKILL", maxBuffer: 64 << 20 } as const;
	return new Promise((resolve, reject) => {
		execFile(join(process.env.KUBEBUILDER_ASSETS ?? "", "kubectl"), ["drain", ...nodes, ...flags], { env, ...limits }, (error, stdout, stderr) => {
			const exitCode = error === null ? 0 : error.code;
			if (typeof exitCode === "number") resolve({ exitCode, stdout, stderr });
			else reject(new Error(`kubectl drain ${nodes.join(" ")}: ${error}`));
		});
	});
}

/** By `NAMESPACE/POD`, for pods of these nodes. */
export class SaidByKubectl {
	readonly #evicted: ReadonlySet<string>;
	readonly #ignored: ReadonlySet<string>;
	readonly #refused: ReadonlySet<string>;

	constructor({ stdout, stderr }: KubectlDrain) {
		const podsIn = (text: string): string[] => text.match(/[a-z0-9-]+\/[a-z0-9-]+/g) ?? [];
		const lines = stderr.split("\n");
		this.#evicted = new Set([...stdout.matchAll(/^evicting pod (\S+)/gm)].map(([, pod = ""]) => pod));
		// "Warning: ignoring DaemonSet-managed Pods: a/b, a/c; deleting Pods that declare no controller: a/d"
		const warnings = lines.filter((line) => line.startsWith("Warning: ")).flatMap((line) => line.split("; "));
		this.#ignored = new Set(warnings.filter((each) => each.includes("ignoring DaemonSet-managed Pods: ")).flatMap(podsIn));
		this.#refused = new Set(lines.filter((line) => line.startsWith("error: unable to drain node ")).flatMap(podsIn));
	}

	/** `among`: all pods of the node. */
	outcomeOf(pod: string, among: readonly string[]): KubectlOutcome {
		if (this.#refused.has(pod)) return "refuses";
		if (this.#evicted.has(pod)) return "evicts";
		if (among.some((each) => this.#refused.has(each))) return "notReached";
		return this.#ignored.has(pod) ? "ignores" : "passesOver";
	}
}
