// What the host is told when it loads the app, from the sources and from the bundle.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Scheduler } from "../../functions/scheduler.ts";
import { registerTick } from "../../functions/tick.ts";
import { buildBundle, type Host, sources, startHost } from "./host.ts";
import type { Binding } from "./worker.ts";

let bundle: Awaited<ReturnType<typeof buildBundle>>;
before(async () => {
	bundle = await buildBundle();
});
after(() => bundle?.remove());

function triggerOf(host: Host, name: string): Binding {
	const bindings = Object.values(host.functions.find((each) => each.name === name)?.bindings ?? {});
	const trigger = bindings.find((each) => each.type.endsWith("Trigger"));
	assert.ok(trigger, `${name} has a trigger`);
	return trigger;
}

const everythingWrong = {
	CLUSTERS: "nonsense",
	MAINTENANCE_WINDOWS: "sometimes",
	TICK_SCHEDULE: "every minute",
	STATE_TABLE: "1",
	AzureWebJobsStorage: "none",
	AZURE_RESOURCE_MANAGER_URL: "http://management.azure.com",
};

for (const kind of ["sources", "bundle"] as const) {
	describe(`the app, loaded from the ${kind}`, () => {
		let unset: Host;
		let set: Host;
		let wrong: Host;
		before(async () => {
			const app = kind === "sources" ? sources : bundle.app;
			unset = await startHost(app, {});
			set = await startHost(app, { TICK_SCHEDULE: "0 */5 * * * *" });
			wrong = await startHost(app, everythingWrong);
		});
		after(async () => {
			await Promise.all([unset, set, wrong].map((host) => host?.stop()));
		});

		it("registers the timer, the page, the metrics, the controls and the doctor, and nothing else", () => {
			assert.deepEqual(unset.functions.map(({ name }) => name).sort(), ["controls", "doctor", "metrics", "status", "tick"]);
		});

		it("registers the default schedule where TICK_SCHEDULE is unset: the host cannot resolve a missing setting", () => {
			const { type, schedule, runOnStartup, useMonitor } = triggerOf(unset, "tick");
			assert.deepEqual({ type, schedule }, { type: "timerTrigger", schedule: "0 * * * * *" });
			// Every scale-out and restart would be a round of its own.
			assert.notEqual(runOnStartup, true);
			assert.notEqual(useMonitor, false);
		});

		it("names the setting where it is set, so that the host reads it", () => {
			assert.equal(triggerOf(set, "tick").schedule, "%TICK_SCHEDULE%");
			assert.notEqual(triggerOf(set, "tick").runOnStartup, true);
		});

		it("asks for the function's key before it shows anything, and answers GET alone", () => {
			for (const name of ["status", "metrics", "doctor"]) {
				const { type, authLevel, methods, route } = triggerOf(unset, name);
				assert.deepEqual({ type, authLevel, methods, route }, { type: "httpTrigger", authLevel: "function", methods: ["GET"], route: name });
			}
		});

		it("asks for the function's key before it is told what to do, and never by GET", () => {
			const { type, authLevel, methods, route } = triggerOf(unset, "controls");
			assert.deepEqual({ type, authLevel, methods, route }, { type: "httpTrigger", authLevel: "function", methods: ["POST"], route: "controls" });
		});

		it("is loaded whatever the settings say, and does nothing while it is loaded", () => {
			assert.deepEqual(wrong.functions.map(({ name }) => name).sort(), ["controls", "doctor", "metrics", "status", "tick"]);
			assert.equal(triggerOf(wrong, "tick").schedule, "0 * * * * *");
			for (const host of [unset, set, wrong]) assert.equal(host.output(), "");
		});

		it("costs little to load", (context) => {
			const mb = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`;
			const { importMs, importCpuMs, rssBytes } = unset;
			const size = kind === "bundle" ? `${mb(readFileSync(bundle.app).length)}, ` : "";
			context.diagnostic(`${kind}: ${size}imported in ${importMs.toFixed(0)} ms (${importCpuMs.toFixed(0)} ms of processor time), ${mb(rssBytes)} resident`);
			assert.ok(kind === "sources" || readFileSync(bundle.app).length < 6_000_000);
		});
	});
}

describe("the bundle", () => {
	it("is a function app by itself: one file, host.json and the package.json that names it", () => {
		assert.deepEqual(readdirSync(bundle.directory).sort(), ["host.json", "main.js", "package.json"]);
		const manifest = JSON.parse(readFileSync(join(bundle.directory, "package.json"), "utf8")) as Record<string, unknown>;
		assert.equal(manifest.main, "main.js");
		assert.equal(manifest.type, "module");
		// A publish that found some would install them.
		assert.equal(manifest.dependencies, undefined);
	});
});

describe("a TICK_SCHEDULE that is no schedule", () => {
	const registered = (text: string): string => {
		const env = { TICK_SCHEDULE: text };
		let schedule = "";
		const timer = (_name: string, options: { readonly schedule: string }): void => {
			schedule = options.schedule;
		};
		registerTick({ timer }, new Scheduler(env), env);
		return schedule;
	};

	it("does not keep the host from loading the timer, without which nothing in flight would be brought back", () => {
		for (const wrong of ["", "  ", "* * * * *", "0 61 * * * *", "01:00:00"]) assert.equal(registered(wrong), "0 * * * * *", JSON.stringify(wrong));
		for (const right of ["0 */5 * * * *", "0 0 2-6 * * Sat,Sun"]) assert.equal(registered(right), "%TICK_SCHEDULE%", right);
	});
});
