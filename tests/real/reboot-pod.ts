// What a reboot pod does on a simulated machine. Where this machine gives us namespaces its own command line runs, against a stand-in PID 1;
// elsewhere (a laptop that shows the demonstration) what it means is carried out, and a test holds the two together.
import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import type { Pod } from "./objects.ts";

export interface MachineSeen {
	/** Null: it cannot be read. */
	readonly bootId: string | null;
	/** The node's own clock, milliseconds since the epoch. */
	readonly clock: number;
	/** Containers run under AppArmor's default profile unless they say otherwise. */
	readonly appArmor: boolean;
	/** Every signal to PID 1 is refused. */
	readonly deniesSignal: boolean;
}

export interface RebootPodRun {
	/** 0 signal sent, 10 another boot id, 11 too early, 12 too late, 13 the boot id cannot be read, 14 the signal was refused. */
	readonly exitCode: number;
	/** What the API server shows as its termination message. */
	readonly message: string;
	/** Signal 39 arrived at PID 1. */
	readonly signalled: boolean;
}

export function isRebootPod(pod: Pod): boolean {
	return pod.metadata.namespace === "aks-reboot-scheduler" && pod.metadata.labels?.app === "reboot";
}

let missing: string | null | undefined;

/** Why a pod's command line cannot be run here, or null. Without a PID namespace it would reach this machine's own PID 1. */
export function namespacesMissing(): string | null {
	missing ??= triedNamespaces();
	return missing;
}

function triedNamespaces(): string | null {
	if (process.platform !== "linux" || process.getuid?.() !== 0) return "PID and mount namespaces are given to root on Linux only";
	const { status, stderr } = spawnSync("unshare", ["--pid", "--fork", "--mount-proc", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { encoding: "utf8" });
	return status === 0 ? null : `no PID and mount namespaces: ${stderr ?? "unshare is not installed"}`;
}

/** On a simulated machine. */
export function runRebootPod(pod: Pod, machine: MachineSeen): Promise<RebootPodRun> {
	return namespacesMissing() === null ? runCommandLine(pod, machine) : Promise.resolve(meaningOf(pod, machine));
}

// PID 1 of a namespace of its own. The node's boot id, clock and termination log are mounted over this machine's, in a mount namespace that ends
// with it. MACHINE_UID: whose signals PID 1 does not take.
const standIn = `set -eu
mount -t tmpfs tmpfs /mnt
printf '%s\\n' "$MACHINE_BOOT_ID" >/mnt/boot_id
chmod 644 /mnt/boot_id
# Reading it is an error, as of a file that root itself cannot read.
[ -n "$MACHINE_BOOT_ID" ] || { umask 022; rm /mnt/boot_id; ln -s /proc/1/mem /mnt/boot_id; }
mount --bind /mnt/boot_id /proc/sys/kernel/random/boot_id
printf '#!/bin/sh\\necho %s\\n' "$MACHINE_CLOCK" >/mnt/date
chmod 755 /mnt/date
mount --bind /mnt/date "$(command -v date)"
: >/mnt/null
mount --bind /dev/null /mnt/null
mount -t tmpfs tmpfs /dev
: >/dev/null
mount --bind /mnt/null /dev/null
: >/dev/termination-log
chmod 666 /dev/termination-log
signalled=false
trap 'signalled=true' 39
( set +e; setpriv --reuid="$MACHINE_UID" --regid="$MACHINE_UID" --clear-groups -- env -i PATH="$PATH" "$@" >/dev/null 2>&1; echo $? >/mnt/code ) &
until [ -s /mnt/code ]; do wait || :; done
echo "$(cat /mnt/code) $signalled $(cat /dev/termination-log)"
`;

/** Throws where it cannot be run here. `shell`: in place of the image's own `/bin/sh`. */
export async function runCommandLine(pod: Pod, machine: MachineSeen, shell: readonly string[] = ["/bin/sh"]): Promise<RebootPodRun> {
	const { command = [], env = [] } = pod.spec.containers[0] ?? {};
	if (command[0] !== "/bin/sh") throw new Error(`running ${pod.metadata.name}: the command is ${command[0]}, expected /bin/sh`);
	const { PATH = "" } = process.env;
	const machineEnv = {
		PATH,
		MACHINE_BOOT_ID: machine.bootId ?? "",
		MACHINE_CLOCK: String(Math.floor(machine.clock / 1000)),
		// A user whose signals to root's processes the kernel refuses is the nearest thing to a security module that does.
		MACHINE_UID: whyDenied(pod, machine) === null ? "0" : "65534",
	};
	const variables = env.map(({ name, value }) => `${name}=${value ?? ""}`);
	const args = ["--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "-c", standIn, "stand-in", ...variables, ...shell, ...command.slice(1)];
	const { stdout } = await promisify(execFile)("unshare", args, { env: machineEnv, timeout: 60_000, killSignal: "SIGKILL" });
	const [exitCode = "", signalled = "", ...message] = stdout.trim().split(" ");
	return { exitCode: Number(exitCode), message: message.join(" "), signalled: signalled === "true" };
}

/** What the command line comes to. */
export function meaningOf(pod: Pod, machine: MachineSeen): RebootPodRun {
	const { exitCode, message } = judged(pod, machine);
	return { exitCode, message, signalled: exitCode === 0 };
}

function judged(pod: Pod, machine: MachineSeen): Omit<RebootPodRun, "signalled"> {
	const env = new Map(pod.spec.containers[0]?.env?.map((variable) => [variable.name, variable.value ?? ""]));
	const bootId = env.get("BOOT_ID") ?? "";
	const notBefore = Number(env.get("NOT_BEFORE"));
	const notAfter = Number(env.get("NOT_AFTER"));
	const now = Math.floor(machine.clock / 1000);
	if (machine.bootId === null) return { exitCode: 13, message: "not sent: the boot id cannot be read" };
	if (bootId !== machine.bootId) return { exitCode: 10, message: `not sent: the running boot is ${machine.bootId}, asked was ${bootId}` };
	if (now < notBefore) return { exitCode: 11, message: `not sent: the node's clock says ${now}, too early: not before ${notBefore}` };
	if (now > notAfter) return { exitCode: 12, message: `not sent: the node's clock says ${now}, too late: not after ${notAfter}` };
	if (whyDenied(pod, machine) !== null) return { exitCode: 14, message: "not sent: the signal to PID 1 was refused" };
	return { exitCode: 0, message: `sent: signal 39 to PID 1 of boot ${bootId} at ${now}` };
}

/** As measured on a real node: only uid 0 in the host's PID namespace and without AppArmor's default profile reaches PID 1. */
function whyDenied(pod: Pod, machine: MachineSeen): string | null {
	const container = pod.spec.containers[0]?.securityContext;
	const user = container?.runAsUser ?? pod.spec.securityContext?.runAsUser;
	const profile = container?.appArmorProfile?.type ?? pod.spec.securityContext?.appArmorProfile?.type;
	if (pod.spec.hostPID !== true) return "PID 1 is the container's own, hostPID is not set";
	if (user !== undefined && user !== 0) return `uid ${user} may not`;
	if (machine.deniesSignal) return "permission denied";
	if (machine.appArmor && profile !== "Unconfined") return "the AppArmor profile denies it";
	return null;
}
