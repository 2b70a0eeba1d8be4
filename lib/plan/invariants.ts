// The promise, checked on every plan before anything of it is done. A violation is a bug of ours: it is told, and what violates is dropped.
import type { Action } from "./actions.ts";
import { handedOver } from "./ownership.ts";
import type { Plan, PlanInput } from "./plan.ts";
import { clusterLimit, limitNodes, poolLimit, windowsFor } from "./policy.ts";
import { windowState } from "./windows.ts";

export interface Violation {
	/** S1…S11 of the design. */
	readonly id: string;
	readonly what: string;
	/** Id of the record that must not go on. */
	readonly record: string;
}

function roomViolations(input: PlanInput, plan: Plan): readonly Violation[] {
	const { settings, view, target } = input;
	const first = plan.admitted[0];
	if (first === undefined) return [];
	if (settings === null) return plan.admitted.map((each) => ({ id: "S9", what: "a node was admitted under wrong settings", record: each.id }));
	const endedIds = new Set(plan.ended.map((each) => each.reboot.id));
	const keeping = [...plan.steps.map((each) => each.reboot).filter((each) => !endedIds.has(each.id)), ...plan.adopted, ...plan.admitted];
	const desired = view.sentinel.known && view.sentinel.value !== "absent" ? view.sentinel.value.desired : 0;
	const limit = limitNodes(clusterLimit(settings, target.name), desired);
	const violations: Violation[] = [];
	if (keeping.length > limit) violations.push({ id: "S1", what: `${keeping.length} nodes in flight, and the cluster has room for ${limit}`, record: first.id });
	for (const each of plan.admitted) {
		const ofPool = poolLimit(settings, target.name, each.node.pool);
		if (ofPool?.kind !== "number") continue;
		const inPool = keeping.filter((one) => one.node.pool === each.node.pool).length;
		if (inPool > ofPool.nodes)
			violations.push({ id: "S1", what: `${inPool} nodes of pool ${each.node.pool} in flight, and it has room for ${ofPool.nodes}`, record: each.id });
	}
	return violations;
}

function windowViolations(input: PlanInput, plan: Plan): readonly Violation[] {
	const { settings, view, target } = input;
	const open = (pool: string) => {
		const windows = settings === null ? undefined : windowsFor(settings, target.name, pool);
		return windows !== undefined && windowState(windows, view.at).open;
	};
	const admitted = plan.admitted
		.filter((each) => !open(each.node.pool))
		.map((each) => ({ id: "S3", what: `${each.node.name} was admitted outside its window`, record: each.id }));
	const asked = plan.steps
		.filter(({ before, reboot }) => reboot.asks.length > before.asks.length && reboot.policy.windowCloses !== "finish" && !open(reboot.node.pool))
		.map(({ reboot }) => ({ id: "S3", what: `the reboot of ${reboot.node.name} was asked for outside its window`, record: reboot.id }));
	return [...admitted, ...asked];
}

function actionViolation(input: PlanInput, plan: Plan, action: Action): Violation | null {
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
			return null;
		case "delete":
			return reboot.policy.drainTimeoutAction === "delete"
				? null
				: violation("S7", `pod ${action.pod.namespace}/${action.pod.name} would be deleted, and no setting says so`);
		case "cordon":
		case "mark":
		case "evict":
		case "deleteRebootPod":
			return null;
		default: {
			const never: never = action;
			return never;
		}
	}
}

export function violations(input: PlanInput, plan: Plan): readonly Violation[] {
	return [...roomViolations(input, plan), ...windowViolations(input, plan), ...plan.actions.flatMap((action) => actionViolation(input, plan, action) ?? [])];
}
