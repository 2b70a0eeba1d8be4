// What came of the reboots that ended in this run, as its journal told it.
import type { End } from "../plan/model.ts";
import type { FieldsOf } from "../tick/journal.ts";
import type { JournalLine, JournalSink } from "../tick/world.ts";

export type Outcome = FieldsOf<"reboot.ended"> & { readonly message: string };

export class Outcomes {
	readonly all: Outcome[] = [];

	count(end: End): number {
		return this.all.filter((each) => each.end === end).length;
	}

	sink(inner: JournalSink): JournalSink {
		return {
			write: (line) => {
				if (isEnd(line)) this.all.push(line);
				inner.write(line);
			},
		};
	}
}

function isEnd(line: JournalLine): line is JournalLine & Outcome {
	return line.event === "reboot.ended";
}
