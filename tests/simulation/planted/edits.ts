// Every planted bug: at least one for each promise of the design.
import type { Edit } from "./edit.ts";
import { planEdits } from "./plan-edits.ts";
import { tickEdits } from "./tick-edits.ts";

export const edits: readonly Edit[] = [...planEdits, ...tickEdits];
