// The very command line of the reboot pod, as a process, with a stand-in PID 1 in a PID namespace of its own.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { rebootExit, rebootPod } from "../../lib/kubernetes/reboot-pod.ts";
import type { Pod } from "../real/objects.ts";
import { type MachineSeen, meaningOf, namespacesMissing, runCommandLine } from "../real/reboot-pod.ts";

const bootId = "11111111-1111-4111-8111-111111111111";
const at = Date.UTC(2026, 1, 3, 4, 5, 6);
const lifeMs = 120_000;
/** The interval is rounded to whole seconds inside of it. */
const spec = { notBefore: at + 400, notAfter: at + lifeMs + 400 };
const machine: MachineSeen = { bootId, clock: at + 60_000, appArmor: true, deniesSignal: false };

function podOf(): Pod {
	const image = { image: "registry.test/sentinel:1", imagePullPolicy: "IfNotPresent", imagePullSecrets: [] };
	return rebootPod({ node: "node1", bootId, ask: 1, ...spec, ...image }) as unknown as Pod;
}

function underDefaultProfile(): Pod {
	const pod = podOf();
	const containers = pod.spec.containers.map((each) => ({
		...each,
		securityContext: { ...each.securityContext, appArmorProfile: { type: "RuntimeDefault" } },
	}));
	return { ...pod, spec: { ...pod.spec, containers } };
}

const exits: Readonly<Record<string, { readonly on?: Partial<MachineSeen>; readonly pod?: () => Pod; readonly exitCode: number; readonly says: RegExp }>> = {
	"the boot that it was made for, within its interval": { exitCode: rebootExit.sent, says: /^sent: signal 39 to PID 1 of boot 1{8}-\S+ at \d+$/ },
	"the first second of its interval": { on: { clock: at + 1_000 }, exitCode: rebootExit.sent, says: /^sent: / },
	"the last second of its interval": { on: { clock: at + lifeMs + 399 }, exitCode: rebootExit.sent, says: /^sent: / },
	"another boot": {
		on: { bootId: "22222222-2222-4222-8222-222222222222" },
		exitCode: rebootExit.anotherBoot,
		says: /^not sent: the running boot is 2{8}-\S+, asked was 1{8}-\S+$/,
	},
	"a boot id that cannot be read": { on: { bootId: null }, exitCode: rebootExit.unreadable, says: /^not sent: the boot id cannot be read$/ },
	"a clock just before its interval": { on: { clock: at + 999 }, exitCode: rebootExit.tooEarly, says: /too early: not before \d+$/ },
	"a clock just after its interval": { on: { clock: at + lifeMs + 1_000 }, exitCode: rebootExit.tooLate, says: /too late: not after \d+$/ },
	"a clock that is an hour behind": { on: { clock: at - 3_600_000 }, exitCode: rebootExit.tooEarly, says: /the node's clock says \d+, too early/ },
	"a clock that stands at 1970": { on: { clock: 0 }, exitCode: rebootExit.tooEarly, says: /the node's clock says 0, too early/ },
	"a clock that is years ahead": { on: { clock: at + 1e11 }, exitCode: rebootExit.tooLate, says: /too late/ },
	"a PID 1 that takes no signal from it": { on: { deniesSignal: true }, exitCode: rebootExit.refused, says: /^not sent: the signal to PID 1 was refused$/ },
	"the default profile of AppArmor": { pod: underDefaultProfile, exitCode: rebootExit.refused, says: /^not sent: the signal to PID 1 was refused$/ },
};

for (const shell of [["dash"], ["busybox", "sh"], ["bash", "--posix"]]) {
	const absent = spawnSync("/bin/sh", ["-c", `command -v ${shell[0]}`]).status === 0 ? false : `${shell[0]} is not installed`;
	describe(`the reboot pod's command line under ${shell.join(" ")}`, { skip: namespacesMissing() ?? absent }, () => {
		for (const [name, { on, pod = podOf, exitCode, says }] of Object.entries(exits)) {
			it(`${exitCode === rebootExit.sent ? "signals PID 1" : "sends nothing, and says so"}: ${name}`, async () => {
				const seen = { ...machine, ...on };
				const run = await runCommandLine(pod(), seen, shell);
				assert.deepEqual([run.exitCode, run.signalled], [exitCode, exitCode === rebootExit.sent], run.message);
				assert.match(run.message, says);
				assert.deepEqual(run, meaningOf(pod(), seen), "what simulated machines without namespaces go by");
			});
		}

		it("ends without a signal where it cannot say what it was made for", async () => {
			const pod = podOf();
			const containers = pod.spec.containers.map((each) => ({ ...each, env: [] }));
			const run = await runCommandLine({ ...pod, spec: { ...pod.spec, containers } }, machine, shell);
			assert.deepEqual([run.exitCode, run.signalled], [rebootExit.anotherBoot, false]);
		});
	});
}
