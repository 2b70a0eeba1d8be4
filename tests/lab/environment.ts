// The settings of the demonstration: names as in production, values so short that one can watch.
import type { Azure } from "./azure.ts";
import type { FleetSpec } from "./fleet.ts";

/** A window that opens soon opens no sooner than this: long enough to be seen closed. Windows have minutes only: it may be a minute more. */
const closedAtLeastMs = 8_000;
const minuteMs = 60_000;

const patience: Readonly<Record<string, string>> = {
	MAX_CONCURRENT: "1",
	DRAIN_TIMEOUT: "90s",
	// A second ask comes after a quarter of it: later than the slowest boot.
	REBOOT_TIMEOUT: "3m",
	EXPECTED_DURATION: "1m",
	REBOOT_INTERVAL: "2m",
	SOAK: "2s",
};

/** `HH:MM` in UTC: the next full minute that is far enough away. */
export function opensAt(now: Date): string {
	return new Date(Math.ceil((now.getTime() + closedAtLeastMs) / minuteMs) * minuteMs).toISOString().slice(11, 16);
}

export function environmentOf({ opensSoon }: FleetSpec, { arm, identity, resourceIds }: Azure, now: Date): Record<string, string> {
	return {
		CLUSTERS: resourceIds.join(";"),
		MAINTENANCE_WINDOWS: opensSoon === null ? "always" : `always; ${opensSoon}=daily ${opensAt(now)}+4h`,
		...patience,
		AZURE_RESOURCE_MANAGER_URL: arm.url,
		...identity.env,
	};
}
