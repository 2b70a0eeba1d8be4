// What a look comes to. A look ends with the very view that it was thought through with, to see whether more has to be read: the plan is made once.
import type { Control, View } from "../plan/model.ts";
import { type Plan, type PlanInput, plan } from "../plan/plan.ts";
import type { Ledger } from "./ledger.ts";

export interface Thought {
	readonly input: PlanInput;
	readonly planned: Plan;
}

/** Keeps the last thought, for as long as neither what was seen nor what people ask is another. */
export function thinker(planInput: (view: View) => PlanInput, ledger: Ledger): (view: View) => Thought {
	let last: (Thought & { readonly asked: Control | null }) | null = null;
	return (view) => {
		if (last === null || last.input.view !== view || last.asked !== ledger.control) {
			const input = planInput(view);
			last = { input, planned: plan(input), asked: ledger.control };
		}
		return last;
	};
}
