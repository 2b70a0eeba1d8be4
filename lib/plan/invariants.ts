// The promise, checked on every plan before anything of it is done. A violation is a bug of ours: it is told, and what violates is dropped.
import type { Action } from "./actions.ts";
import { holdReasons } from "./admission.ts";
import { explainReason } from "./explain.ts";
import type { Reboot } from "./model.ts";
import { handedOver } from "./ownership.ts";
import type { Plan, PlanInput } from "./plan.ts";
import { clusterLimit, limitNodes, poolLimit, windowsFor } from "./policy.ts";
import { mayIgnoreWindow } from "./requests.ts";
import { windowState } from "./windows.ts";

export interface Violation {
	/** S1…S11 of the design. */
	readonly id: string;
	readonly what: string;
	/** Id of the record that must not go on. */
	readonly record: string;
}

/** Those beyond the room: the last to be admitted. */
function beyond(admitted: readonly Reboot[], keeping: number, room: number): readonly Reboot[] {
	const excess = Math.min(admitted.length, Math.max(0, keeping - room));
	return excess === 0 ? [] : admitted.slice(-excess);
}

function roomViolations(input: PlanInput, plan: Plan): readonly Violation[] {
	const { settings, view, target } = input;
	const { admitted } = plan;
	if (settings === null || admitted.length === 0) return [];
	const endedIds = new Set(plan.ended.map((each) => each.reboot.id));
	const keeping = [...plan.steps.map((each) => each.reboot).filter((each) => !endedIds.has(each.id)), ...plan.adopted, ...admitted];
	const desired = view.sentinel.known && view.sentinel.value !== "absent" ? view.sentinel.value.desired : 0;
	const limit = limitNodes(clusterLimit(settings, target.name), desired);
	const what = `${keeping.length} nodes in flight, and the cluster has room for ${limit}`;
	const violations: Violation[] = beyond(admitted, keeping.length, limit).map(({ id }) => ({ id: "S1", what, record: id }));
	for (const pool of new Set(admitted.map((each) => each.node.pool))) {
		const ofPool = poolLimit(settings, target.name, pool);
		if (ofPool === undefined) continue;
		const room = ofPool.kind === "number" || view.poolSizes.known ? limitNodes(ofPool, view.poolSizes.known ? (view.poolSizes.value.get(pool) ?? 0) : 0) : 0;
		const inPool = (all: readonly Reboot[]) => all.filter((each) => each.node.pool === pool);
		const kept = inPool(keeping).length;
		const text = `${kept} nodes of pool ${pool} in flight, and it has room for ${room}`;
		violations.push(...beyond(inPool(admitted), kept, room).map(({ id }) => ({ id: "S1", what: text, record: id })));
	}
	return violations;
}

/** Why nothing may begin on a node, and no reboot of it be asked for; null: nothing keeps it. */
function heldBy(input: PlanInput, reboot: Reboot): string | null {
	const { settings, target, control, view } = input;
	if (settings === null) return "the settings are wrong";
	if (!input.configured) return "the cluster was dropped";
	if (settings.dryRun) return "it is a dry run";
	const reading = view.nodes.get(reboot.node.name);
	const annotation = reading?.known && reading.value !== "absent" ? reading.value.hold : null;
	const [held] = holdReasons({ cluster: target.name, settings, control, at: view.at }, reboot.node.name, reboot.node.pool, annotation);
	return held === undefined ? null : explainReason(held);
}

function holdViolations(input: PlanInput, plan: Plan): readonly Violation[] {
	return plan.admitted.flatMap((each) => {
		const why = heldBy(input, each);
		return why === null ? [] : [{ id: "S9", what: `${each.node.name} was admitted, and ${why}`, record: each.id }];
	});
}

function windowViolations(input: PlanInput, plan: Plan): readonly Violation[] {
	const { settings, view, target } = input;
	const open = (pool: string) => {
		const windows = settings === null ? undefined : windowsFor(settings, target.name, pool);
		return windows !== undefined && windowState(windows, view.at).open;
	};
	const admitted = plan.admitted
		.filter((each) => !open(each.node.pool) && !mayIgnoreWindow(each, input.control, view.at))
		.map((each) => ({ id: "S3", what: `${each.node.name} was admitted outside its window`, record: each.id }));
	const asked = plan.steps
		.filter(({ before, reboot }) => reboot.asks.length > before.asks.length && reboot.policy.windowCloses !== "finish" && !open(reboot.node.pool))
		.map(({ reboot }) => ({ id: "S3", what: `the reboot of ${reboot.node.name} was asked for outside its window`, record: reboot.id }));
	return [...admitted, ...asked];
}

function actionViolation(input: PlanInput, plan: Plan, action: Action): Violation | null {
	if (action.kind === "deleteRebootPod") return null;
	const all = [...plan.steps.map((each) => each.reboot), ...plan.adopted, ...plan.admitted];
	const reboot = all.find((each) => each.id === action.record);
	const violation = (id: string, what: string): Violation => ({ id, what, record: action.record });
	if (reboot === undefined) return violation("S6", `an action ${action.kind} without a record`);
	const reading = input.view.nodes.get(reboot.node.name);
	const cordoned = input.view.cordoned.find((each) => each.name === reboot.node.name);
	const node = reading?.known && reading.value !== "absent" ? reading.value : (cordoned ?? null);
	switch (action.kind) {
		case "uncordon":
			if (!action.removeCordon) return null;
			if (reboot.foundCordoned) return violation("S4", `${action.node} was found cordoned, and would be uncordoned`);
			return node !== null && handedOver(node) ? violation("S4", `the cordon of ${action.node} is somebody else's`) : null;
		case "ask":
			if (node === null || node.bootId !== action.bootId) return violation("S5", `${action.node} does not run the boot that is to end`);
			if (reboot.phase !== "rebooting") return violation("S2", `${action.node} is ${reboot.phase} and would be rebooted`);
			if (!node.unschedulable) return violation("S2", `${action.node} takes pods, and would be rebooted`);
			return heldBy(input, reboot) === null ? null : violation("S9", `${action.node} would be rebooted, and ${heldBy(input, reboot)}`);
		case "delete":
			return reboot.policy.drainTimeoutAction === "delete" && reboot.harsher === "delete"
				? null
				: violation("S7", `pod ${action.pod.namespace}/${action.pod.name} would be deleted, and no setting says so`);
		case "cordon":
		case "mark":
		case "evict":
			return null;
		default: {
			const never: never = action;
			return never;
		}
	}
}

export function violations(input: PlanInput, plan: Plan): readonly Violation[] {
	return [
		...roomViolations(input, plan),
		...windowViolations(input, plan),
		...holdViolations(input, plan),
		...plan.actions.flatMap((action) => actionViolation(input, plan, action) ?? []),
	];
}
