// Whose cordon is it, and does the node still carry our mark?
import { fieldManager, type NodeFacts, type Reboot } from "./model.ts";

/** Names that the API server gives when it folds entries together: nobody's in particular. */
const folded = "ancient-changes";

/**
 * Another named manager holds `spec.unschedulable`, alone or beside us: somebody cordoned the node after we did, and the cordon is
 * theirs. An entry folded into `ancient-changes` or an emptied list says nothing, and the cordon is still ours.
 */
export function handedOver(node: NodeFacts): boolean {
	return node.unschedulable && node.unschedulableManagers.some((manager) => manager !== fieldManager && manager !== folded && manager !== "");
}

export type Hold =
	/** Our mark, as we left it. */
	| "ours"
	/** No mark, or that of another record. */
	| "unmarked"
	/** Marked by us, and not cordoned (any more). */
	| "uncordoned"
	/** Marked by us, and cordoned by somebody else since. */
	| "handedOver";

/** What a node says of a reboot's hold on it. A garbled mark is still a mark of ours. */
export function holdOn(node: NodeFacts, reboot: Pick<Reboot, "id" | "foundCordoned">): Hold {
	if (node.mark.kind === "none") return "unmarked";
	if (node.mark.kind === "mark" && node.mark.mark.record !== reboot.id) return "unmarked";
	if (!node.unschedulable) return "uncordoned";
	if (!reboot.foundCordoned && handedOver(node)) return "handedOver";
	return "ours";
}

/** Whether the node carries a mark that this reboot has to remove: its own, one that cannot be read, or one copied from another node object. */
export function hasMarkToRemove({ mark, uid }: NodeFacts, reboot: Pick<Reboot, "id">): boolean {
	return mark.kind === "garbled" || (mark.kind === "mark" && (mark.mark.record === reboot.id || mark.mark.nodeUid !== uid));
}
