// What people ask of the running scheduler, by the row that the controls write.
import type { Control } from "../../../lib/plan/model.ts";
import { controlKey, controlOf, controlValues, partitionOf } from "../../../lib/tick/rows.ts";
import type { Cluster } from "../universe/cluster.ts";
import { first, type Universe } from "../universe.ts";
import type { ControlEvent } from "./events.ts";

export function ask(universe: Universe, cluster: Cluster, event: ControlEvent): void {
	const { now } = cluster.calls;
	cluster.note(event.node ?? "", `event: ${event.kind}`);
	change(universe, cluster, ({ holds, requests }) => {
		switch (event.kind) {
			case "controlHold":
				return { requests, holds: [...holds, { pool: null, node: event.node, reason: event.reason, by: "ana", at: now, until: now + event.forMs }] };
			case "rebootRequested": {
				const node = cluster.nodes.get(event.node);
				if (node === undefined) return { holds, requests };
				const request = { bootId: node.facts.bootId, at: now, until: now + event.forMs, ignoreWindow: event.ignoreWindow };
				const before = node.requested?.bootId === request.bootId ? node.requested : request;
				// What was begun for an earlier one goes on.
				node.requested = { ...request, at: before.at, ignoreWindow: before.ignoreWindow || request.ignoreWindow };
				const asked = { node: event.node, reason: "asked by hand", by: "ben", ...request };
				return { holds, requests: [...requests.filter((each) => each.node !== event.node), asked] };
			}
			case "requestWithdrawn": {
				const node = cluster.nodes.get(event.node);
				if (node?.requested) node.requested = { ...node.requested, until: Math.min(now, node.requested.until) };
				return { holds, requests: requests.filter((each) => each.node !== event.node) };
			}
			default:
				return event satisfies never;
		}
	});
}

function change(universe: Universe, cluster: Cluster, next: (control: Control) => Control): void {
	const rows = universe.scheduler(first)?.rows;
	const partition = partitionOf(cluster.name);
	const row = rows?.rows(partition).get(controlKey);
	const control = row === undefined ? null : controlOf(row.values);
	rows?.put(partition, controlKey, controlValues(next({ holds: [], requests: [], ...control })), cluster.calls.now);
}
