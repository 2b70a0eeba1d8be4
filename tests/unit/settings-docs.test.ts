import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Temporal } from "temporal-polyfill";
import { parseWindow, windowState } from "../../lib/plan/windows.ts";
import { settingDefaults } from "../../lib/settings/defaults.ts";
import { parseSettings } from "../../lib/settings/settings.ts";

const text = readFileSync(new URL("../../docs/settings.md", import.meta.url), "utf8");
const rows = text
	.split("\n")
	.filter((line) => line.startsWith("| `"))
	.map((line) => line.split("|").map((cell) => cell.trim()));

describe("docs/settings.md", () => {
	test("names every setting once, with its default and whether it is scoped", () => {
		const documented = rows.filter((cells) => /^`[A-Z_]+`$/.test(cells[1] ?? "")).map(([, name, told, scoped]) => [name, told, scoped]);
		const real = Object.entries(settingDefaults).map(([name, each]) => [`\`${name}\``, each.told, each.scoped ? "yes" : ""]);
		assert.deepEqual(documented, real);
	});

	test("shows only windows that are read", () => {
		const examples = [...text.matchAll(/`((?:[a-z-]+\*?(?:\/\w+)?=)?(?:always|never|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|daily)[A-Za-z,-]* \d\d:\d\d[^`;]*))`/g)];
		assert.ok(examples.length >= 10, String(examples.length));
		for (const [, example = ""] of examples) assert.ok("ok" in parseWindow(example.replace(/^.*=/, "")), example);
	});

	test("shows only settings that are read", () => {
		const id = (name: string) => `/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/${name}`;
		const env = { CLUSTERS: ["prod-1", "prod-2", "dev"].map(id).join(";"), MAINTENANCE_WINDOWS: "always" };
		const examples = [...text.matchAll(/^(?:DRAIN_TIMEOUT|MAX_CONCURRENT|HOLD|MAINTENANCE_WINDOWS)=.*$/gm), ...text.matchAll(/`(HOLD=[^`]*)`/g)].map(([line]) =>
			line.replaceAll("`", ""),
		);
		assert.ok(examples.length >= 6, String(examples.length));
		for (const example of examples) {
			const [name = "", ...value] = example.split("=");
			const parsed = parseSettings({ ...env, [name]: value.join("=") });
			assert.equal("settings" in parsed, example !== "HOLD=ticket=CHG42", example);
		}
	});

	test("tells of the nights when the clocks change what really happens", () => {
		const at = (wall: string) => Temporal.ZonedDateTime.from(`${wall}[Europe/Paris]`).epochMilliseconds;
		const hours = (window: string, wall: string): number | null => {
			const parsed = parseWindow(`${window} Europe/Paris`);
			assert.ok("ok" in parsed);
			const state = windowState([parsed.ok], at(wall));
			return state.open && state.openedAt !== null && state.closesAt !== null ? (state.closesAt - state.openedAt) / 3_600_000 : null;
		};
		assert.deepEqual([hours("Sun 01:00-06:00", "2026-03-29T04:00"), hours("Sun 01:00-06:00", "2026-10-25T04:00")], [4, 6]);
		assert.deepEqual([hours("Sun 01:00+5h", "2026-03-29T06:59"), hours("Sun 01:00+5h", "2026-03-29T07:00")], [5, null]);
		assert.deepEqual([hours("Sun 01:00+5h", "2026-10-25T04:59"), hours("Sun 01:00+5h", "2026-10-25T05:00")], [5, null]);
		assert.deepEqual([hours("Sun 02:30-06:00", "2026-03-29T03:29"), hours("Sun 02:30-06:00", "2026-03-29T03:30")], [null, 2.5]);
		assert.deepEqual([hours("Sun 02:30-06:00", "2026-10-25T02:29"), hours("Sun 02:30-06:00", "2026-10-25T02:30")], [null, 4.5]);
		assert.deepEqual([hours("Sun 02:00-03:00", "2026-03-29T03:00"), hours("Sun 02:00-03:00", "2026-10-25T02:30")], [null, 2]);
	});
});
