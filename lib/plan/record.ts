// The record of a reboot that begins here: what is not known of it yet is empty in every one of them.
import type { Reboot } from "./model.ts";

type Given = "id" | "cluster" | "node" | "bootId" | "kernelVersion" | "foundCordoned" | "policy" | "admittedAt" | "phase" | "phaseSince" | "deadlineAt";

export function newReboot(given: Pick<Reboot, Given> & Partial<Reboot>): Reboot {
	return {
		schema: 1,
		packages: [],
		waitingSince: null,
		adopted: false,
		request: null,
		deadlinePutOff: false,
		notBefore: null,
		ending: null,
		asks: [],
		daemonPods: [],
		obstacles: [],
		drainedAt: null,
		harsher: null,
		alarmed: false,
		trouble: null,
		rebooted: null,
		timeline: [{ phase: given.phase, at: given.phaseSince }],
		...given,
	};
}
