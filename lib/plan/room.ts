// Room: how many nodes of a cluster and of a pool may be in flight at once (MAX_CONCURRENT).
import type { Reboot, View } from "./model.ts";
import { clusterLimit, type Limit, limitNodes, poolLimit, type Settings } from "./policy.ts";
import type { Reason } from "./reasons.ts";

/** How many may be in flight in a cluster, and who is. */
export interface RoomInput {
	readonly cluster: string;
	readonly view: Pick<View, "sentinel" | "poolSizes">;
	readonly settings: Settings;
	/** Every reboot that keeps its room in this cluster. */
	readonly inFlight: readonly Reboot[];
}

interface Room {
	/** Null: there was room for it, and it is taken now. `begins`: it does so in this look; else room is kept for it, and it is not named. */
	take(node: string, pool: string, begins: boolean): Reason | "kept" | null;
}

/** How many may be in flight, for the cluster and for each pool; both hold. */
export function roomOf(input: RoomInput): Room {
	const { settings, cluster, view, inFlight } = input;
	const desired = view.sentinel.known && view.sentinel.value !== "absent" ? view.sentinel.value.desired : 0;
	const limit = limitNodes(clusterLimit(settings, cluster), desired);
	const taken = inFlight.map((each) => ({ node: each.node.name, pool: each.node.pool, begun: true }));
	const begun = (pool: string | null) => taken.filter((each) => each.begun && (pool === null || each.pool === pool)).map((each) => each.node);
	return {
		take(node, pool, begins) {
			if (taken.length >= limit) return begun(null).length >= limit ? { kind: "clusterFull", limit, nodes: begun(null) } : "kept";
			const ofPool = poolLimit(settings, cluster, pool);
			if (ofPool !== undefined) {
				const size = poolSize(ofPool, view, pool);
				if (typeof size !== "number") return size;
				const inPool = taken.filter((each) => each.pool === pool);
				if (inPool.length >= size) return begun(pool).length >= size ? { kind: "poolFull", pool, limit: size, nodes: begun(pool) } : "kept";
			}
			taken.push({ node, pool, begun: begins });
			return null;
		},
	};
}

function poolSize(limit: Limit, view: RoomInput["view"], pool: string): number | Reason {
	if (limit.kind === "number") return limit.nodes;
	if (!view.poolSizes.known) return { kind: "poolSizeUnknown", why: view.poolSizes.why };
	return limitNodes(limit, view.poolSizes.value.get(pool) ?? 0);
}

/**
 * Why a node that was adopted has to go back: the room is taken by others. Its cordon may have been applied long after its reboot had
 * ended and another had begun, so what let it begin holds no more. Of those that were admitted here, less room brings nothing back.
 */
export function crowdedOut(input: RoomInput, reboot: Reboot): Reason | null {
	if (!mayGiveWay(reboot) || !input.view.sentinel.known) return null;
	const ahead = input.inFlight.filter((each) => each.id !== reboot.id && isAhead(each, reboot));
	const full = roomOf({ ...input, inFlight: ahead }).take(reboot.node.name, reboot.node.pool, true);
	if (full === null || full === "kept") return null;
	return full.kind === "clusterFull" || full.kind === "poolFull" ? full : null;
}

function mayGiveWay({ adopted, asks, phase }: Reboot): boolean {
	return adopted && asks.length === 0 && phase === "draining";
}

function isAhead(other: Reboot, reboot: Reboot): boolean {
	if (!mayGiveWay(other)) return true;
	return other.admittedAt < reboot.admittedAt || (other.admittedAt === reboot.admittedAt && other.node.name < reboot.node.name);
}
