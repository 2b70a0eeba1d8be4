// What the app settings mean: which windows, limits and time limits hold for a pool of a cluster.
import type { WindowSpec } from "./windows.ts";

/** Which clusters and pools an entry of a scoped setting is about; `*` in either part is a wildcard. */
export interface Scope {
	readonly cluster: string;
	/** Null: a cluster scope, which covers all its pools. */
	readonly pool: string | null;
}

export interface Scoped<T> {
	readonly scope: Scope;
	readonly value: T;
}

export type Limit = { readonly kind: "number"; readonly nodes: number } | { readonly kind: "percent"; readonly percent: number };

export type DrainTimeoutAction = "give-up" | "delete" | "reboot";
export type WindowCloses = "give-up" | "finish";
export type UnmanagedPods = "delete" | "block";

/** A cluster of `CLUSTERS`. */
export type ClusterTarget =
	| {
			readonly name: string;
			readonly kind: "aks";
			readonly resourceId: string;
			readonly subscriptionId: string;
			readonly resourceGroup: string;
			readonly resourceName: string;
	  }
	| { readonly name: string; readonly kind: "kubeconfig"; readonly context: string };

/** `CLUSTERS`' id of a target: what a record says of its cluster. */
export function targetId(target: ClusterTarget): string {
	return target.kind === "aks" ? target.resourceId : `kubeconfig:${target.context}`;
}

/** When the timer is due, by the clock of UTC: the values of each field that fit. */
export interface Schedule {
	readonly minutes: readonly number[];
	readonly hours: readonly number[];
	/** Days of the month. */
	readonly dates: readonly number[];
	/** January is 1. */
	readonly months: readonly number[];
	/** Sunday is 0. */
	readonly weekdays: readonly number[];
}

/** Every setting, parsed and whole. Lists of scoped entries are in the order in which the last match wins. */
export interface Settings {
	readonly clusters: readonly ClusterTarget[];
	/** One entry per scope; its windows add up. */
	readonly maintenanceWindows: readonly Scoped<readonly WindowSpec[]>[];
	readonly maxConcurrent: readonly Scoped<Limit>[];
	readonly drainTimeoutMs: readonly Scoped<number>[];
	readonly drainTimeoutAction: readonly Scoped<DrainTimeoutAction>[];
	readonly windowCloses: readonly Scoped<WindowCloses>[];
	readonly expectedDurationMs: readonly Scoped<number>[];
	readonly rebootIntervalMs: readonly Scoped<number>[];
	readonly probationMs: readonly Scoped<number>[];
	readonly hold: readonly Scoped<string>[];
	/** Null: each pod's own. */
	readonly drainGracePeriodSeconds: number | null;
	readonly drainPodSelector: string | null;
	/** Null: always wait. */
	readonly drainSkipWaitForDeleteMs: number | null;
	readonly unmanagedPods: UnmanagedPods;
	readonly rebootTimeoutMs: number;
	readonly beforeDrainMs: number;
	readonly beforeRebootMs: number;
	readonly soakMs: number;
	readonly dryRun: boolean;
	readonly stateTable: string;
	readonly tickSchedule: Schedule;
	readonly notifyUrls: readonly string[];
}

/** One thing that is wrong with the settings. */
export interface SettingProblem {
	/** Name of the setting. */
	readonly setting: string;
	/** The part that is wrong, as it was given (never a secret); null: it is not set. */
	readonly part: string | null;
	readonly expected: string;
}

/** The policy of one node: plain data that is stored with its record. */
export interface Policy {
	readonly drainTimeoutMs: number;
	readonly drainTimeoutAction: DrainTimeoutAction;
	readonly windowCloses: WindowCloses;
	readonly expectedDurationMs: number;
	readonly rebootIntervalMs: number;
	readonly probationMs: number;
	readonly drainGracePeriodSeconds: number | null;
	readonly drainPodSelector: string | null;
	readonly drainSkipWaitForDeleteMs: number | null;
	readonly unmanagedPods: UnmanagedPods;
	readonly rebootTimeoutMs: number;
	readonly beforeDrainMs: number;
	readonly beforeRebootMs: number;
	readonly soakMs: number;
}

/** Whether a name matches a pattern in which `*` stands for any number of characters. */
export function matches(pattern: string, name: string): boolean {
	const parts = pattern.split("*");
	const first = parts[0] ?? "";
	if (parts.length === 1) return pattern === name;
	const last = parts[parts.length - 1] ?? "";
	if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
	let rest = name.slice(first.length, name.length - last.length);
	for (const part of parts.slice(1, -1)) {
		const at = rest.indexOf(part);
		if (at < 0) return false;
		rest = rest.slice(at + part.length);
	}
	return true;
}

/** Whether an entry of a scoped setting is about this pool of this cluster. */
export function covers(scope: Scope, cluster: string, pool: string): boolean {
	return matches(scope.cluster, cluster) && (scope.pool === null || matches(scope.pool, pool));
}

/** The value of the last entry that covers the pool. */
export function resolve<T>(entries: readonly Scoped<T>[], cluster: string, pool: string): T | undefined {
	return entries.findLast((entry) => covers(entry.scope, cluster, pool))?.value;
}

function required<T>(entries: readonly Scoped<T>[], cluster: string, pool: string, fallback: T): T {
	return resolve(entries, cluster, pool) ?? fallback;
}

const minuteMs = 60_000;
/** The defaults of the scoped settings (the plain ones are filled in by the parser). */
export const scopedDefaults = {
	drainTimeoutMs: 30 * minuteMs,
	drainTimeoutAction: "give-up",
	windowCloses: "give-up",
	expectedDurationMs: 15 * minuteMs,
	rebootIntervalMs: 20 * 60 * minuteMs,
	probationMs: 30 * minuteMs,
} as const;

export function policyFor(settings: Settings, cluster: string, pool: string): Policy {
	return {
		drainTimeoutMs: required(settings.drainTimeoutMs, cluster, pool, scopedDefaults.drainTimeoutMs),
		drainTimeoutAction: required<DrainTimeoutAction>(settings.drainTimeoutAction, cluster, pool, scopedDefaults.drainTimeoutAction),
		windowCloses: required<WindowCloses>(settings.windowCloses, cluster, pool, scopedDefaults.windowCloses),
		expectedDurationMs: required(settings.expectedDurationMs, cluster, pool, scopedDefaults.expectedDurationMs),
		rebootIntervalMs: required(settings.rebootIntervalMs, cluster, pool, scopedDefaults.rebootIntervalMs),
		probationMs: required(settings.probationMs, cluster, pool, scopedDefaults.probationMs),
		drainGracePeriodSeconds: settings.drainGracePeriodSeconds,
		drainPodSelector: settings.drainPodSelector,
		drainSkipWaitForDeleteMs: settings.drainSkipWaitForDeleteMs,
		unmanagedPods: settings.unmanagedPods,
		rebootTimeoutMs: settings.rebootTimeoutMs,
		beforeDrainMs: settings.beforeDrainMs,
		beforeRebootMs: settings.beforeRebootMs,
		soakMs: settings.soakMs,
	};
}

/** The windows of a pool; undefined when no entry covers it, which never means "always". */
export function windowsFor(settings: Settings, cluster: string, pool: string): readonly WindowSpec[] | undefined {
	return resolve(settings.maintenanceWindows, cluster, pool);
}

/** The limit of the cluster: by entries with a cluster scope alone; 1 unless told. */
export function clusterLimit(settings: Settings, cluster: string): Limit {
	const entry = settings.maxConcurrent.findLast((each) => each.scope.pool === null && matches(each.scope.cluster, cluster));
	return entry?.value ?? { kind: "number", nodes: 1 };
}

/** The limit of the pool, by entries with a pool scope alone; undefined: only the cluster's limit holds. */
export function poolLimit(settings: Settings, cluster: string, pool: string): Limit | undefined {
	return settings.maxConcurrent.findLast((each) => each.scope.pool !== null && covers(each.scope, cluster, pool))?.value;
}

/** Nodes that a limit allows out of so many: percentages are rounded down, but at least 1. */
export function limitNodes(limit: Limit, of: number): number {
	return limit.kind === "number" ? limit.nodes : Math.max(1, Math.floor((of * limit.percent) / 100));
}

/**
 * The pool scopes that the settings have for a cluster. Which of them match no pool of it, only a look can tell: a typing error there would
 * otherwise leave a pool under a policy that nobody meant for it.
 */
export function poolScopes(settings: Settings, cluster: string): readonly (Scope & { readonly setting: string })[] {
	const scoped: readonly (readonly [string, readonly Scoped<unknown>[]])[] = [
		["MAINTENANCE_WINDOWS", settings.maintenanceWindows],
		["MAX_CONCURRENT", settings.maxConcurrent],
		["DRAIN_TIMEOUT", settings.drainTimeoutMs],
		["DRAIN_TIMEOUT_ACTION", settings.drainTimeoutAction],
		["WINDOW_CLOSES", settings.windowCloses],
		["EXPECTED_DURATION", settings.expectedDurationMs],
		["REBOOT_INTERVAL", settings.rebootIntervalMs],
		["PROBATION", settings.probationMs],
		["HOLD", settings.hold],
	];
	return scoped.flatMap(([setting, entries]) =>
		entries.filter(({ scope }) => scope.pool !== null && matches(scope.cluster, cluster)).map(({ scope }) => ({ ...scope, setting })),
	);
}

/** Every hold of the settings on the pool. */
export function holdsOn(settings: Settings, cluster: string, pool: string): readonly string[] {
	return settings.hold.filter((each) => covers(each.scope, cluster, pool)).map((each) => each.value);
}
