// What people ask for as they gave it, and what "CLUSTER/NAME" means by the cluster's own word. Where that cannot be asked, the emergency
// brake must still be within reach.
import type { CommandKind, Place } from "../plan/control.ts";
import { type Control, known, type NodeMetadata, type Reading, unknown } from "../plan/model.ts";
import type { ClusterTarget } from "../plan/policy.ts";
import { CallError } from "./call-error.ts";
import type { ClusterApi, Clusters } from "./world.ts";

/** What somebody asks for, as it was given: names and instants are not checked yet. */
export interface Order {
	readonly kind: CommandKind;
	readonly cluster: string;
	/** `name`: a node, or else a pool. */
	readonly about: { readonly kind: "cluster" } | { readonly kind: "pool" | "node" | "name"; readonly name: string };
	readonly reason: string;
	readonly by: string;
	readonly until: string | null;
	readonly ignoreWindow: boolean;
}

/**
 * wrong        the order itself: every problem of it
 * unknownName  there is no such cluster, pool or node
 * conflict     the row or the node is not such that this can be done
 * unavailable  the cluster has to be asked, and could not be
 */
export interface Refusal {
	readonly kind: "refused";
	readonly refusal: "wrong" | "unknownName" | "conflict" | "unavailable";
	readonly why: readonly string[];
}

export function refused(refusal: Refusal["refusal"], ...why: readonly string[]): Refusal {
	return { kind: "refused", refusal, why };
}

export interface Located {
	readonly place: Place;
	/** Why the cluster could not be asked whether there is such a thing; null: there is. */
	readonly unchecked: string | null;
}

interface Seen {
	readonly node: Reading<NodeMetadata | null>;
	readonly pool: Reading<boolean>;
}

async function reading<T>(work: Promise<T>): Promise<Reading<T>> {
	try {
		return known(await work);
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		return unknown(error.message);
	}
}

/** Linux nodes alone are rebooted; pools may have none (yet), and then only Azure knows of them. */
async function seen(api: ClusterApi, clusters: Clusters, target: ClusterTarget, name: string, wanted: { readonly pool: boolean }): Promise<Seen> {
	const nodes = await reading(api.listNodeMetadata());
	const node = nodes.known ? known(nodes.value.find((each) => each.name === name) ?? null) : nodes;
	if (!wanted.pool) return { node, pool: known(false) };
	if (nodes.known && nodes.value.some((each) => each.pool === name)) return { node, pool: known(true) };
	const aks = await reading(clusters.aks(target));
	if (!aks.known) return { node, pool: aks };
	if (aks.value.kind === "managed") return { node, pool: known(aks.value.pools.some((each) => each.name === name)) };
	return { node, pool: nodes.known ? known(false) : nodes };
}

/** Names in the row itself: what is on hold can be released, whether or not it is still there. */
function named(control: Control, name: string): { readonly node: boolean; readonly pool: boolean } {
	return {
		node: control.holds.some((each) => each.node === name) || control.requests.some((each) => each.node === name),
		pool: control.holds.some((each) => each.node === null && each.pool === name),
	};
}

/** @throws CallError never: what cannot be read is told with the place, or refused where that would not be safe. */
export async function locate(api: ClusterApi, clusters: Clusters, target: ClusterTarget, order: Order, control: Control): Promise<Located | Refusal> {
	const { about, kind, cluster } = order;
	if (about.kind === "cluster") return { place: { kind: "cluster" }, unchecked: null };
	const { name } = about;
	const wanted = { node: about.kind !== "pool", pool: about.kind !== "node" };
	const found = await seen(api, clusters, target, name, wanted);
	const lifts = kind === "release" || kind === "cancel";
	const inRow = lifts ? named(control, name) : { node: false, pool: false };
	const isNode = wanted.node && ((found.node.known && found.node.value !== null) || inRow.node);
	const isPool = wanted.pool && ((found.pool.known && found.pool.value) || inRow.pool);
	if (isNode && isPool) return refused("conflict", `${cluster} has a node and a pool called ${name}: say which (${sayWhich})`);
	if (isNode) return { place: { kind: "node", node: name, pool: found.node.known ? (found.node.value?.pool ?? null) : null }, unchecked: null };
	if (isPool) return { place: { kind: "pool", pool: name }, unchecked: null };
	const why = wanted.node && !found.node.known ? found.node.why : wanted.pool && !found.pool.known ? found.pool.why : null;
	if (why === null)
		return refused(
			"unknownName",
			`${cluster} has no ${wanted.node && wanted.pool ? "Linux node or pool" : wanted.node ? "Linux node" : "pool"} called ${name}`,
		);
	if (about.kind === "name")
		return refused("conflict", `whether ${name} is a node or a pool of ${cluster} could not be asked (${why}): say which (${sayWhich})`);
	const place: Place = about.kind === "pool" ? { kind: "pool", pool: name } : { kind: "node", node: name, pool: null };
	return { place, unchecked: why };
}

const sayWhich = '--node or --pool; in JSON "node" or "pool" in place of "name"';
