import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { asksTheSame, rebootCommand, rebootExit, rebootPod } from "../../lib/kubernetes/reboot-pod.ts";
import type { RebootPodSpec } from "../../lib/tick/world.ts";

const dir = mkdtempSync(join(tmpdir(), "reboot-pod-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const bootId = "0f0e0d0c-1111-4222-8333-444455556666";

function anAsk(): RebootPodSpec {
	return {
		node: "node-1",
		bootId,
		ask: 1,
		notBefore: 1_000_000_000_001,
		notAfter: 1_000_000_300_999,
		image: "sentinel@sha256:0",
		imagePullPolicy: "IfNotPresent",
		imagePullSecrets: [],
	};
}

test("rounding to seconds never widens the interval of an ask", () => {
	const env = Object.fromEntries((rebootPod(anAsk()).spec?.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
	assert.deepEqual(env, { BOOT_ID: bootId, NOT_BEFORE: "1000000001", NOT_AFTER: "1000000300" });
});

test("the reboot pod has the host's process ids and uid 0, and nothing else that is privileged", () => {
	const pod = rebootPod({ ...anAsk(), imagePullSecrets: ["pull"] });
	const { containers, ...spec } = pod.spec ?? { containers: [] };
	assert.equal(pod.metadata?.name, `reboot-${bootId}-1`);
	assert.deepEqual(pod.metadata?.labels, { app: "reboot", "aks-reboot-scheduler/ask": "1", "aks-reboot-scheduler/reboot-required": "asked" });
	assert.deepEqual(spec, {
		nodeName: "node-1",
		hostPID: true,
		restartPolicy: "Never",
		terminationGracePeriodSeconds: 5,
		automountServiceAccountToken: false,
		enableServiceLinks: false,
		priorityClassName: "system-node-critical",
		tolerations: [{ operator: "Exists" }],
		imagePullSecrets: [{ name: "pull" }],
	});
	assert.deepEqual(containers[0]?.securityContext, {
		runAsUser: 0,
		runAsGroup: 0,
		runAsNonRoot: false,
		privileged: false,
		allowPrivilegeEscalation: false,
		readOnlyRootFilesystem: true,
		capabilities: { drop: ["ALL"] },
		seccompProfile: { type: "RuntimeDefault" },
		appArmorProfile: { type: "Unconfined" },
	});
});

test("a pod of the same name passes for the ask only with the same node, boot and interval, and while it is not being deleted", () => {
	const pod = rebootPod(anAsk());
	assert.equal(asksTheSame(pod, anAsk()), true);
	assert.equal(asksTheSame(pod, { ...anAsk(), node: "node-2" }), false);
	assert.equal(asksTheSame(pod, { ...anAsk(), bootId: "another" }), false);
	assert.equal(asksTheSame(pod, { ...anAsk(), notAfter: anAsk().notAfter + 60_000 }), false);
	assert.equal(asksTheSame({ ...pod, metadata: { ...pod.metadata, deletionTimestamp: new Date() } }, anAsk()), false);
});

interface Machine {
	readonly bootIdFile?: string | null;
	readonly now?: string;
	readonly killExit?: number;
	readonly env?: Record<string, string>;
}

/** The command as it is shipped, with the machine's files elsewhere, `date` and `kill` replaced: the test must not signal PID 1. */
function run(shell: readonly string[], { bootIdFile = `${bootId}\n`, now = "1000000100", killExit = 0, env = {} }: Machine = {}) {
	const bootPath = join(dir, "boot_id");
	const logPath = join(dir, "termination-log");
	rmSync(bootPath, { force: true });
	if (bootIdFile !== null) writeFileSync(bootPath, bootIdFile);
	writeFileSync(logPath, "");
	const command = rebootCommand.replaceAll("/proc/sys/kernel/random/boot_id", bootPath).replaceAll("/dev/termination-log", logPath);
	const replaced = `date() { echo '${now}'; }\nkill() { echo "kill $*"; return ${killExit}; }\n${command}`;
	const defaults = { BOOT_ID: bootId, NOT_BEFORE: "1000000001", NOT_AFTER: "1000000300" };
	const [program = "sh", ...args] = shell;
	// bash takes a socket as its standard input for a remote login, and reads its startup files.
	const stdio: ("ignore" | "pipe")[] = ["ignore", "pipe", "pipe"];
	const ended = spawnSync(program, [...args, "-c", replaced], { env: { PATH: process.env.PATH ?? "", ...defaults, ...env }, encoding: "utf8", stdio });
	return { exit: ended.status, signalled: ended.stdout.includes("kill -39 1"), said: readFileSync(logPath, "utf8") };
}

const shells: readonly (readonly string[])[] = [["dash"], ["busybox", "sh"], ["bash", "--posix"], ["sh"]];

for (const shell of shells) {
	const missing = spawnSync(shell[0] ?? "", ["-c", "true"]).error !== undefined || spawnSync(shell[0] ?? "", [...shell.slice(1), "-c", "true"]).status !== 0;
	const skip = missing ? `${shell[0]} is not installed` : false;

	test(`under ${shell[0]} the signal is sent to PID 1 of the boot that was asked for, within the interval`, { skip }, () => {
		for (const now of ["1000000001", "1000000100", "1000000300"]) {
			const { exit, signalled, said } = run(shell, { now });
			assert.deepEqual([exit, signalled], [rebootExit.sent, true]);
			assert.equal(said, `sent: signal 39 to PID 1 of boot ${bootId} at ${now}\n`);
		}
	});

	test(`under ${shell[0]} no signal is sent to another boot, outside the interval, or when either cannot be told`, { skip }, () => {
		const cases: [Machine, number, RegExp][] = [
			[{ bootIdFile: "another\n" }, rebootExit.anotherBoot, /the running boot is another, asked was 0f0e/],
			[{ bootIdFile: "" }, rebootExit.unreadable, /cannot be read/],
			[{ bootIdFile: null }, rebootExit.unreadable, /cannot be read/],
			[{ now: "1000000000" }, rebootExit.tooEarly, /says 1000000000, too early: not before 1000000001/],
			[{ now: "1000000301" }, rebootExit.tooLate, /says 1000000301, too late: not after 1000000300/],
			[{ now: "" }, rebootExit.tooEarly, /not sent/],
			[{ now: "soon" }, rebootExit.tooEarly, /not sent/],
			[{ env: { NOT_AFTER: "" } }, rebootExit.tooLate, /not sent/],
			[{ env: { BOOT_ID: "" } }, rebootExit.anotherBoot, /not sent/],
		];
		for (const [machine, expected, words] of cases) {
			const { exit, signalled, said } = run(shell, machine);
			assert.deepEqual([exit, signalled], [expected, false], JSON.stringify(machine));
			assert.match(said, words);
		}
	});

	test(`under ${shell[0]} a signal that is refused is told`, { skip }, () => {
		const { exit, said } = run(shell, { killExit: 1 });
		assert.deepEqual([exit, said], [rebootExit.refused, "not sent: the signal to PID 1 was refused\n"]);
	});
}
