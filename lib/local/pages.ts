// What is served on this machine: the same answers as in Azure.
import type { Wiring } from "../../functions/world.ts";
import { answerMetrics, answerStatus, type FleetRead, readStatusRows } from "../status/answer.ts";
import { answerControls, type Perform } from "../status/controls.ts";
import { type About, aboutOf } from "../status/status.ts";
import { carryOut } from "../tick/control.ts";
import { refused } from "../tick/order.ts";
import type { Configuration } from "../tick/tick.ts";
import type { Route } from "./web.ts";

/** What the pages are made of, once it is there. */
export interface Shown {
	readonly wiring: Wiring;
	readonly configuration: Configuration;
}

const starting = "this run is being started";
const methods = ["GET", "HEAD"];
const unread: About = { clusters: [], problems: [], dryRun: false, settings: null };

/** `shown` null: it is still being started. */
export function pagesOf(shown: () => Shown | null): ReadonlyMap<string, Route> {
	const about = () => {
		const configuration = shown()?.configuration;
		return configuration === undefined ? unread : aboutOf(configuration);
	};
	const fleet = async (): Promise<FleetRead> => {
		const table = shown()?.wiring.world.table;
		return table === undefined ? { kind: "unreadable", why: starting } : await readStatusRows(table);
	};
	const perform: Perform = async (order) => {
		const { wiring, configuration } = shown() ?? { wiring: null, configuration: null };
		return wiring === null ? refused("unavailable", starting) : await carryOut(wiring.world, configuration.clusters, order);
	};
	return new Map<string, Route>([
		["/api/status", { methods, answer: async (asked) => answerStatus(asked, await fleet(), about()) }],
		["/api/metrics", { methods, answer: async (asked) => answerMetrics(asked, await fleet(), about()) }],
		// Who may not ask this way it tells by itself.
		["/api/controls", { methods: null, answer: (asked) => answerControls(asked, perform, "somebody at this machine") }],
	]);
}
