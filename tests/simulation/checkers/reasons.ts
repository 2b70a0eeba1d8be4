// L2: is a reason true? Each kind is held to the universe as it is when all is calm.
import type { ReasonKind } from "../../../lib/plan/reasons.ts";
import { controlKey, controlOf, partitionOf } from "../../../lib/tick/rows.ts";
import type { Scheduler } from "../processes.ts";
import type { Cluster } from "../universe/cluster.ts";
import type { ApiNode } from "../universe/nodes.ts";
import type { Universe } from "../universe.ts";
import { begunMs } from "./checker.ts";
import { isStuck, ownerOf } from "./obstacles.ts";
import { holds, openAt, scopedMs } from "./settings-meaning.ts";

export interface Seen {
	readonly universe: Universe;
	readonly cluster: Cluster;
	readonly node: ApiNode;
	readonly owner: Scheduler;
	/** When that was seen. */
	readonly at: number;
	/** Since when nodes are told to be chosen and not yet cordoned: BEFORE_DRAIN leaves no trace on them. Believed for so long as that may take. */
	readonly chosen: readonly number[];
}

/** In calm a cluster, its namespace and its rights are in order, and everything can be read. */
const calmly: ReadonlySet<string> = new Set<ReasonKind>([
	"sameCluster",
	"ownerUnknown",
	"notClaimable",
	"clusterUnknown",
	"sentinelAbsent",
	"sentinelUnknown",
	"waitingUnknown",
	"clusterState",
	"clusterStateUnknown",
	"poolState",
	"poolScopeUnmatched",
	"poolSizeUnknown",
	"nodeUnknown",
	"nodeGone",
	"nodeLeaving",
	"virtualNode",
	"rebootPodRefused",
	"rebootPodUnknown",
	"noWindow",
]);

/** The kind, where it is not true. */
export function falseReason(kind: string, seen: Seen): string | null {
	return calmly.has(kind) || isFalse(kind, seen) ? kind : null;
}

function isFalse(kind: string, { universe, cluster, node, owner, at, chosen }: Seen): boolean {
	const { environment, current } = owner;
	const { name, pool } = node.facts;
	switch (kind) {
		case "settingsWrong":
			return current.settings !== null;
		case "dryRun":
		case "wouldBegin":
			return environment.DRY_RUN !== "true";
		case "removed":
			return current.clusters.some((each) => each.name === cluster.name);
		case "held":
			return holds(environment, cluster.name, pool).length === 0 && node.facts.hold === null && !heldByControl(owner, cluster, name, at);
		case "windowClosed":
			return openAt(environment, cluster.name, pool, at) !== null;
		case "windowTooShort": {
			const open = openAt(environment, cluster.name, pool, at);
			return open === null || open.until - at >= scopedMs(environment, "EXPECTED_DURATION", "15m", cluster.name, pool);
		}
		case "reportUnreadable":
			// On a machine that is down nobody writes a better one.
			return node.facts.ready;
		case "rebootedRecently":
			return node.machine.boots === 1;
		case "notOwner":
			return ownerOf(universe, cluster) === owner;
		case "stuck":
			return !cluster.nodes.all().some((each) => isStuck(each) || (!each.facts.ready && each.machine.rebootedByUsAt.length > 0));
		case "takenOver":
			return node.touchedByOthersAt === null;
		case "nodeNotReady":
			return node.facts.ready && universe.now - node.machine.bootedAt > 10 * 60_000;
		case "nodeMarked":
			return node.facts.mark.kind === "none";
		case "clusterFull":
		case "poolFull":
			if (chosen.some((since) => at - since < begunMs)) return false;
			return !cluster.nodes.all().some((each) => each.facts.mark.kind !== "none" || each.machine.rebootedByUsAt.some((then) => at - then < 30 * 60_000));
		default:
			return false;
	}
}

function heldByControl(owner: Scheduler, cluster: Cluster, name: string, at: number): boolean {
	const row = owner.rows.rows(partitionOf(cluster.name)).get(controlKey);
	const control = row === undefined ? null : controlOf(row.values);
	return control?.holds.some((each) => (each.node === null || each.node === name) && (each.until === null || at < each.until)) === true;
}
