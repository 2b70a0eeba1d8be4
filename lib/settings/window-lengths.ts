// A window that is shorter than EXPECTED_DURATION would never let anything begin, without a word: it is a problem of the settings.
import { formatDuration } from "../plan/durations.ts";
import { type ClusterTarget, matches, resolve, type Scoped, type SettingProblem, scopedDefaults } from "../plan/policy.ts";
import { nominalLengthMs, type WindowSpec } from "../plan/windows.ts";

/** Stands for the pools that no pool scope names; no pool scope but a wildcard matches it. */
const anyPool = "\u0000";

/**
 * One problem for each window, about the longest duration that applies to a pool that it covers. `null` in a list: a window that could not be
 * read, which might touch the others; such a list is not judged.
 */
export function windowsTooShort(
	windows: readonly Scoped<readonly (WindowSpec | null)[]>[],
	expectedDurationMs: readonly Scoped<number>[],
	clusters: readonly ClusterTarget[],
): readonly SettingProblem[] {
	const strictest = new Map<WindowSpec, { readonly lengthMs: number; readonly expectedMs: number; readonly place: string }>();
	for (const { name: cluster } of clusters) {
		for (const pool of samplePools([...windows, ...expectedDurationMs], cluster)) {
			const expectedMs = resolve(expectedDurationMs, cluster, pool) ?? scopedDefaults.expectedDurationMs;
			for (const { window, lengthMs } of lengths(resolve(windows, cluster, pool) ?? [])) {
				if (lengthMs >= expectedMs || expectedMs <= (strictest.get(window)?.expectedMs ?? 0)) continue;
				strictest.set(window, { lengthMs, expectedMs, place: pool === anyPool ? cluster : `${cluster}/${pool}` });
			}
		}
	}
	return [...strictest].map(([window, { lengthMs, expectedMs, place }]) => ({
		setting: "MAINTENANCE_WINDOWS",
		part: window.text,
		expected: `a window of at least ${formatDuration(expectedMs)} (EXPECTED_DURATION of ${place}), not of ${formatDuration(lengthMs)}`,
	}));
}

function lengths(windows: readonly (WindowSpec | null)[]): readonly { readonly window: WindowSpec; readonly lengthMs: number }[] {
	const read = windows.filter((each) => each !== null);
	if (read.length < windows.length) return [];
	return read.filter((each) => each.kind !== "never").map((window) => ({ window, lengthMs: nominalLengthMs(window, read) }));
}

/** Pools are not known here: one name for each pool scope, and for each two that overlap, stands for the pools that they cover. */
function samplePools(entries: readonly Scoped<unknown>[], cluster: string): readonly string[] {
	const scopes = entries.map((each) => each.scope).filter((each) => matches(each.cluster, cluster));
	const patterns = [...new Set(scopes.map((each) => each.pool).filter((pool) => pool !== null))];
	const pairs = patterns.flatMap((one) => patterns.map((other) => `${beforeWildcard(one)}${afterWildcard(other)}`));
	const samples = patterns.map((pattern) => pattern.replaceAll("*", ""));
	return [...new Set([anyPool, ...samples, ...pairs.filter((name) => patterns.some((pattern) => matches(pattern, name)))])].filter((name) => name !== "");
}

function beforeWildcard(pattern: string): string {
	return pattern.split("*")[0] ?? "";
}

function afterWildcard(pattern: string): string {
	return pattern.includes("*") ? (pattern.split("*").at(-1) ?? "") : "";
}
