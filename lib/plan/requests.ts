// What becomes of "reboot this node now": it is one try of one boot, and ends with that.
import { isInForce } from "./control.ts";
import type { Control, ControlRequest, EndedReboot, Instant, Reboot, View } from "./model.ts";
import type { RequestOver } from "./reasons.ts";

export interface FinishedRequest {
	readonly request: ControlRequest;
	readonly why: RequestOver;
}

/**
 * Whether a reboot was begun for the request, or for one that it replaced. One that was being brought back when the request was made is the
 * try before it.
 */
function isFor(reboot: Reboot, request: ControlRequest): boolean {
	if (reboot.ending !== null && reboot.phaseSince < request.at) return false;
	return reboot.request !== null && reboot.node.name === request.node && reboot.bootId === request.bootId;
}

function overBecause(request: ControlRequest, view: View, going: readonly Reboot[], ended: readonly EndedReboot[]): RequestOver | null {
	const end = ended.find((each) => isFor(each.reboot, request));
	if (end !== undefined) return { kind: "rebootEnded", end: end.end, cause: end.cause, foundCordoned: end.reboot.foundCordoned };
	if (going.some((each) => isFor(each, request))) return null;
	const reading = view.nodes.get(request.node);
	if (reading?.known && reading.value === "absent") return { kind: "nodeGone" };
	if (reading?.known && reading.value !== "absent" && reading.value.bootId !== "" && reading.value.bootId !== request.bootId)
		return { kind: "bootedSince", bootId: reading.value.bootId };
	return view.at >= request.until ? { kind: "expired" } : null;
}

/** Requests that are over: to be taken out of the row `control` and told of. */
export function finishedRequests(control: Control, view: View, going: readonly Reboot[], ended: readonly EndedReboot[]): readonly FinishedRequest[] {
	return control.requests.flatMap((request) => {
		const why = overBecause(request, view, going, ended);
		return why === null ? [] : [{ request, why }];
	});
}

/** What people asked, without what is over. */
export function standing(control: Control, finished: readonly FinishedRequest[], at: Instant): Control {
	const over = new Set(finished.map((each) => each.request));
	return { holds: control.holds.filter((each) => isInForce(each, at)), requests: control.requests.filter((each) => !over.has(each)) };
}

/** Somebody took back what this reboot was begun for. (What has expired meanwhile was not: it goes on.) */
export function isWithdrawn(reboot: Reboot, control: Control, at: Instant): boolean {
	return reboot.request !== null && at < reboot.request.until && !control.requests.some((each) => isFor(reboot, each));
}

/** Somebody asked that this node be rebooted whatever its window says. */
export function mayIgnoreWindow(reboot: Reboot, control: Control, at: Instant): boolean {
	return control.requests.some((each) => each.ignoreWindow && at < each.until && isFor(reboot, each));
}
