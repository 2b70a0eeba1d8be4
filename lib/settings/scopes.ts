// Scoped settings: lists of `[SCOPE=]VALUE` with `;` or line ends between them.
import { matches, type Scope, type Scoped, type SettingProblem } from "../plan/policy.ts";
import type { ReadValue } from "./values.ts";

/** The entries of a list, without the empty ones that a trailing separator or a blank line leaves. */
export function entriesOf(text: string): readonly string[] {
	return text
		.split(/[;\r\n]/)
		.map((each) => each.trim())
		.filter((each) => each !== "");
}

/** Names that a cluster scope may mean. `known` false: `CLUSTERS` itself is wrong, so nothing can be said about scopes. */
export interface ClusterNames {
	readonly known: boolean;
	readonly names: readonly string[];
}

/** One part of a scope: letters, digits, `-`, `_` and the wildcard. */
const scopeForm = /^[A-Za-z0-9_*-]+(?:\/[A-Za-z0-9_*-]+)?$/;

/** Entries in the order in which they are written: the last match wins. */
export function readScoped<T>(setting: string, text: string, clusters: ClusterNames, read: ReadValue<T>, problems: SettingProblem[]): readonly Scoped<T>[] {
	const entries = entriesOf(text);
	if (entries.length === 0) problems.push({ setting, part: text, expected: "[SCOPE=]VALUE, or the setting left out" });
	return entries.flatMap((entry) => {
		const found = readEntry(entry, clusters, read);
		problems.push(...found.problems.map((each) => ({ setting, ...each })));
		return found.entry === null ? [] : [found.entry];
	});
}

type Problem = Omit<SettingProblem, "setting">;

/** A wrong scope does not hide a wrong value: both are told. */
function readEntry<T>(entry: string, clusters: ClusterNames, read: ReadValue<T>): { readonly entry: Scoped<T> | null; readonly problems: readonly Problem[] } {
	const at = entry.indexOf("=");
	const written = at < 0 ? "*" : entry.slice(0, at).trim();
	const text = entry.slice(at + 1).trim();
	const problems: Problem[] = [];
	const [cluster = "*", pool = null] = written.split("/");
	if (!scopeForm.test(written)) {
		const expected = "a scope before `=`: cluster or cluster/pool, of letters, digits, - and _, with * as wildcard";
		problems.push({ part: written === "" ? entry : written, expected });
	} else if (clusters.known && !clusters.names.some((name) => matches(cluster, name))) {
		problems.push({ part: written, expected: `a scope whose cluster is one of CLUSTERS (${clusters.names.join(", ")})` });
	}
	if (text === "") return { entry: null, problems: [...problems, { part: entry, expected: "a value after `=`" }] };
	const value = read(text);
	if (!("ok" in value)) return { entry: null, problems: [...problems, { part: value.part ?? text, expected: value.expected }] };
	return { entry: problems.length > 0 ? null : { scope: { cluster, pool }, value: value.ok }, problems };
}

/** Entries of one scope as one list, which stands where the last of them stood. */
export function addUp<T>(entries: readonly Scoped<T>[]): readonly Scoped<readonly T[]>[] {
	const lists = new Map<string, { scope: Scope; value: T[] }>();
	for (const { scope, value } of entries) {
		const key = `${scope.cluster}/${scope.pool ?? ""}`;
		const list = lists.get(key) ?? { scope, value: [] };
		list.value.push(value);
		lists.delete(key);
		lists.set(key, list);
	}
	return [...lists.values()];
}
