// When the pools of a cluster may be rebooted, by the settings: asked when the page is made, so that it costs no row and is never old.
import type { Instant } from "../plan/model.ts";
import { matches, poolScopes, type Settings, windowsFor } from "../plan/policy.ts";
import { type WindowSpec, type WindowState, windowState } from "../plan/windows.ts";

export interface PoolWindow {
	/** Null: every pool that is not named beside it. */
	readonly pool: string | null;
	/** Null: no entry of the settings covers it, which never means "always". */
	readonly window: WindowState | null;
}

/** By pool: those that are known, and those that the settings name. `known`: pools with something to tell of. */
export function poolWindows(settings: Settings, cluster: string, known: readonly string[], at: Instant): readonly PoolWindow[] {
	const named = poolScopes(settings, cluster).flatMap(({ setting, pool }) =>
		setting === "MAINTENANCE_WINDOWS" && pool !== null && !pool.includes("*") ? [pool] : [],
	);
	const pools = [...new Set([...known, ...named])].sort();
	const stateOf = (windows: readonly WindowSpec[] | undefined) => (windows === undefined ? null : windowState(windows, at));
	const rest = stateOf(settings.maintenanceWindows.findLast(({ scope }) => scope.pool === null && matches(scope.cluster, cluster))?.value);
	const each = pools.map((pool) => ({ pool, window: stateOf(windowsFor(settings, cluster, pool)) }));
	return pools.length > 0 && rest === null ? each : [...each, { pool: null, window: rest }];
}

export interface Place {
	readonly cluster: string;
	readonly pool: string | null;
}

export interface FleetWindows {
	/** Places that are open now, and when the first of them closes (null: none does). */
	readonly open: readonly Place[];
	readonly closesAt: Instant | null;
	/** The next opening of a place that is closed, and the places that open then; null: none opens. */
	readonly opensAt: Instant | null;
	readonly opening: readonly Place[];
}

export function fleetWindows(clusters: readonly { readonly name: string; readonly windows: readonly PoolWindow[] }[]): FleetWindows {
	const all = clusters.flatMap(({ name, windows }) => windows.map(({ pool, window }) => ({ cluster: name, pool, window })));
	const open = all.flatMap(({ cluster, pool, window }) => (window?.open ? [{ cluster, pool, closesAt: window.closesAt }] : []));
	const later = all.flatMap(({ cluster, pool, window }) => (window?.open === false && window.opensAt !== null ? [{ cluster, pool, at: window.opensAt }] : []));
	const opensAt = earliest(later.map(({ at }) => at));
	return {
		open: open.map(({ cluster, pool }) => ({ cluster, pool })),
		closesAt: earliest(open.flatMap(({ closesAt }) => (closesAt === null ? [] : [closesAt]))),
		opensAt,
		opening: later.filter(({ at }) => at === opensAt).map(({ cluster, pool }) => ({ cluster, pool })),
	};
}

function earliest(instants: readonly Instant[]): Instant | null {
	return instants.reduce<Instant | null>((first, at) => (first === null || at < first ? at : first), null);
}
