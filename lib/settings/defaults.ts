// The names of all settings and their defaults as a person writes them. The parser reads an unset setting as if its default were written;
// docs/settings.md is held to this table by a test.

export interface SettingDefault<T extends string | null> {
	/** The default as text; null where leaving the setting out is an error or a value of its own. */
	readonly text: T;
	/** How the documentation names the default. */
	readonly told: string;
	readonly scoped: boolean;
}

function text(value: string, scoped = false): SettingDefault<string> {
	return { text: value, told: `\`${value}\``, scoped };
}

function unset(told: string, scoped = false): SettingDefault<null> {
	return { text: null, told, scoped };
}

export const settingDefaults = {
	CLUSTERS: unset("required"),
	MAINTENANCE_WINDOWS: unset("required", true),
	TICK_SCHEDULE: text("0 * * * * *"),
	MAX_CONCURRENT: text("1", true),
	DRAIN_TIMEOUT: text("30m", true),
	DRAIN_TIMEOUT_ACTION: text("give-up", true),
	WINDOW_CLOSES: text("give-up", true),
	EXPECTED_DURATION: text("15m", true),
	DRAIN_GRACE_PERIOD: unset("the pod's own"),
	DRAIN_POD_SELECTOR: unset("all"),
	DRAIN_SKIP_WAIT_FOR_DELETE: text("off"),
	UNMANAGED_PODS: text("delete"),
	REBOOT_TIMEOUT: text("15m"),
	REBOOT_INTERVAL: text("20h", true),
	BEFORE_DRAIN: text("0s"),
	BEFORE_REBOOT: text("0s"),
	SOAK: text("0s"),
	PROBATION: text("30m", true),
	HOLD: unset("none", true),
	DRY_RUN: text("false"),
	STATE_TABLE: text("reboots"),
	NOTIFY_URLS: unset("none"),
} as const;

export type SettingName = keyof typeof settingDefaults;
/** Settings whose default is a text that the parser reads. */
export type DefaultedName = { [Name in SettingName]: (typeof settingDefaults)[Name] extends SettingDefault<string> ? Name : never }[SettingName];
