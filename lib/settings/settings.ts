// App settings → Settings, or every problem of every setting at once.
import type { ClusterTarget, Scoped, SettingProblem, Settings } from "../plan/policy.ts";
import { parseWindow, type WindowSpec } from "../plan/windows.ts";
import { readClusters } from "./clusters.ts";
import { type DefaultedName, type SettingName, settingDefaults } from "./defaults.ts";
import { addUp, type ClusterNames, entriesOf, readScoped } from "./scopes.ts";
import { withoutSecrets } from "./secrets.ts";
import { boolean, duration, durationOrOff, graceSeconds, labelSelector, limit, oneOf, type ReadValue, schedule, tableName, webhook } from "./values.ts";
import { windowsTooShort } from "./window-lengths.ts";

/**
 * With problems nothing is admitted and no reboot is asked for; what is in flight is brought back. For that, what could be read of
 * `CLUSTERS` and `STATE_TABLE` is given all the same (null: the table's name is wrong).
 */
export type ParsedSettings =
	| { readonly settings: Settings }
	| { readonly problems: readonly SettingProblem[]; readonly clusters: readonly ClusterTarget[]; readonly stateTable: string | null };

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads every setting of an environment. Never throws. */
export function parseSettings(env: Environment): ParsedSettings {
	const problems: SettingProblem[] = [];
	const clusters = readClusters(env.CLUSTERS, problems);
	const windows = readWindows(env, clusters.names, problems);
	const scoped = readScopedSettings(env, clusters.names, problems);
	const plain = readPlainSettings(env, problems);
	if (!problems.some((each) => each.setting === "EXPECTED_DURATION")) {
		problems.push(...windowsTooShort(windows, scoped.expectedDurationMs, clusters.targets));
	}
	if (problems.length > 0) {
		const stateTable = problems.some((each) => each.setting === "STATE_TABLE") ? null : plain.stateTable;
		return { problems: withoutSecrets(problems, env), clusters: clusters.targets, stateTable };
	}
	const maintenanceWindows = windows.map(({ scope, value }) => ({ scope, value: value.filter((each) => each !== null) }));
	return { settings: { clusters: clusters.targets, maintenanceWindows, ...scoped, ...plain } };
}

/** The entries of each scope as one list, with null for each that could not be read. */
function readWindows(env: Environment, clusters: ClusterNames, problems: SettingProblem[]): readonly Scoped<readonly (WindowSpec | null)[]>[] {
	const setting = "MAINTENANCE_WINDOWS";
	const text = env[setting];
	if (text === undefined || entriesOf(text).length === 0) {
		// Missing never means "always": nothing would be said, and nodes would go down at noon.
		problems.push({ setting, part: text?.trim() ?? null, expected: "at least one window such as Sat,Sun 02:00-06:00 Europe/Paris, or the word always" });
		return [];
	}
	const read = (entry: string) => {
		const window = parseWindow(entry);
		if ("ok" in window) return window;
		problems.push({ setting, ...window.problem });
		return { ok: null };
	};
	return addUp(readScoped<WindowSpec | null>(setting, text, clusters, read, problems));
}

function readScopedSettings(env: Environment, clusters: ClusterNames, problems: SettingProblem[]) {
	/** An unset setting is an empty list: the policy knows the defaults of the scoped settings. */
	const read = <T>(setting: SettingName, value: ReadValue<T>): readonly Scoped<T>[] => {
		const text = env[setting];
		return text === undefined ? [] : readScoped(setting, text, clusters, value, problems);
	};
	return {
		maxConcurrent: read("MAX_CONCURRENT", limit),
		drainTimeoutMs: read("DRAIN_TIMEOUT", duration(1_000)),
		drainTimeoutAction: read("DRAIN_TIMEOUT_ACTION", oneOf("give-up", "delete", "reboot")),
		windowCloses: read("WINDOW_CLOSES", oneOf("give-up", "finish")),
		expectedDurationMs: read("EXPECTED_DURATION", duration(0)),
		rebootIntervalMs: read("REBOOT_INTERVAL", duration(0)),
		probationMs: read("PROBATION", duration(0)),
		hold: read("HOLD", (text) => ({ ok: text })),
	};
}

function readPlainSettings(env: Environment, problems: SettingProblem[]) {
	const defaulted = <T>(setting: DefaultedName, value: ReadValue<T>): T => {
		const read = readPlain(env, setting, value, problems);
		// With a problem nobody sees the settings; the default only fills the place.
		return read === null ? defaultOf(setting, value) : read;
	};
	return {
		tickSchedule: defaulted("TICK_SCHEDULE", schedule),
		drainGracePeriodSeconds: readPlain(env, "DRAIN_GRACE_PERIOD", graceSeconds, problems),
		drainPodSelector: readPlain(env, "DRAIN_POD_SELECTOR", labelSelector, problems),
		drainSkipWaitForDeleteMs: defaulted("DRAIN_SKIP_WAIT_FOR_DELETE", durationOrOff),
		unmanagedPods: defaulted("UNMANAGED_PODS", oneOf("delete", "block")),
		rebootTimeoutMs: defaulted("REBOOT_TIMEOUT", duration(1_000)),
		beforeDrainMs: defaulted("BEFORE_DRAIN", duration(0)),
		beforeRebootMs: defaulted("BEFORE_REBOOT", duration(0)),
		soakMs: defaulted("SOAK", duration(0)),
		dryRun: defaulted("DRY_RUN", boolean),
		stateTable: defaulted("STATE_TABLE", tableName),
		notifyUrls: readWebhooks(env, problems),
	};
}

/** Null: not set, or wrong and told. */
function readPlain<T>(env: Environment, setting: SettingName, value: ReadValue<T>, problems: SettingProblem[]): T | null {
	const text = env[setting]?.trim();
	if (text === undefined) return null;
	const read = value(text);
	if ("ok" in read) return read.ok;
	problems.push({ setting, part: read.part ?? text, expected: text === "" ? `${read.expected}, or the setting left out` : read.expected });
	return null;
}

function defaultOf<T>(setting: DefaultedName, value: ReadValue<T>): T {
	const { text } = settingDefaults[setting];
	const read = value(text);
	if ("ok" in read) return read.ok;
	throw new Error(`reading the default of ${setting}: ${text} is not ${read.expected}`);
}

/** The address of a webhook is its secret: problems count the entries and show none. */
function readWebhooks(env: Environment, problems: SettingProblem[]): readonly string[] {
	const setting = "NOTIFY_URLS";
	const text = env[setting];
	if (text === undefined) return [];
	const entries = entriesOf(text);
	if (entries.length === 0) problems.push({ setting, part: "", expected: "addresses with ; or line ends between them, or the setting left out" });
	return entries.flatMap((entry, index) => {
		const read = webhook(entry);
		if ("ok" in read) return [read.ok];
		problems.push({ setting, part: `entry ${index + 1} (not shown)`, expected: read.expected });
		return [];
	});
}
