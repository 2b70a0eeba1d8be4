// The events that queries name, and the fields that they take from each: the compiler holds that the journal has them.
import type { EventId, FieldsOf } from "../../../lib/tick/journal.ts";

type FieldsTaken = { readonly [Id in EventId]?: readonly (keyof FieldsOf<Id> & string)[] };

export const fieldsTaken = {
	"round.ended": [],
	"settings.wrong": ["setting"],
	"tick.failed": ["cluster", "why"],
	"cluster.state": ["cluster", "waiting", "held", "inFlight", "needPerson", "silent", "fence", "reasons"],
	"cluster.notLooked": ["cluster", "why"],
	"lease.lost": ["cluster"],
	"node.waiting": ["cluster", "node", "pool", "since"],
	"node.state": ["cluster", "node", "pool", "since", "blockedBy"],
	"reboot.admitted": ["cluster", "node"],
	"reboot.state": ["cluster", "node", "pool", "phase", "phaseSince", "cordonedSince", "needsPerson", "why"],
	"reboot.ended": ["cluster", "node", "pool", "end", "tookMs", "phasesMs", "kernelBefore", "kernelAfter", "blockedBy"],
	"invariant.violated": ["cluster"],
	"record.unreadable": ["cluster"],
} as const satisfies FieldsTaken;

/** Of every line. */
export const fieldsOfAll = ["event", "level", "message"];
