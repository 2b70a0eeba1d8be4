// Placeholder signatures; the grammar is written by its own step.
import type { Instant } from "./model.ts";

export type WindowSpec = { readonly text: string; readonly kind: "always" | "never" };

/** Open from `openedAt` (null: without a beginning) to `closesAt` (null: without an end); or closed until `opensAt` (null: never). */
export type WindowState =
	| { readonly open: true; readonly openedAt: Instant | null; readonly closesAt: Instant | null }
	| { readonly open: false; readonly opensAt: Instant | null };

export function windowState(_windows: readonly WindowSpec[], _at: Instant): WindowState {
	return { open: false, opensAt: null };
}
