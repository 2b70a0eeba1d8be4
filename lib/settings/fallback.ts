// The policy for what is adopted while the settings are wrong: the defaults, and no window.
import type { Settings } from "../plan/policy.ts";
import { parseSettings } from "./settings.ts";

function fallback(): Settings {
	const parsed = parseSettings({ CLUSTERS: "none=kubeconfig:none", MAINTENANCE_WINDOWS: "never", EXPECTED_DURATION: "0s" });
	if ("settings" in parsed) return { ...parsed.settings, clusters: [] };
	throw new Error(`the defaults are wrong: ${JSON.stringify(parsed.problems)}`);
}

export const fallbackSettings: Settings = fallback();
