// What a reboot pod does on a node: the contract of its script, carried out on a simulated machine.
import type { Pod } from "./objects.ts";

export interface MachineSeen {
	readonly bootId: string;
	/** The node's own clock, milliseconds since the epoch. */
	readonly clock: number;
	/** Containers run under AppArmor's default profile unless they say otherwise. */
	readonly appArmor: boolean;
	/** Every signal to PID 1 is refused. */
	readonly deniesSignal: boolean;
}

export interface RebootPodRun {
	/** 0 signal sent, 10 another boot id, 11 too early, 12 too late, 14 the signal was refused; 2 it lacks a variable. */
	readonly exitCode: number;
	readonly message: string;
}

export function isRebootPod(pod: Pod): boolean {
	return pod.metadata.namespace === "aks-reboot-scheduler" && pod.metadata.labels?.app === "reboot";
}

export function runRebootPod(pod: Pod, machine: MachineSeen): RebootPodRun {
	const env = new Map(pod.spec.containers[0]?.env?.map((variable) => [variable.name, variable.value ?? ""]));
	const bootId = env.get("BOOT_ID") ?? "";
	const notBefore = Number(env.get("NOT_BEFORE") || Number.NaN);
	const notAfter = Number(env.get("NOT_AFTER") || Number.NaN);
	if (bootId === "" || !Number.isFinite(notBefore) || !Number.isFinite(notAfter)) {
		return { exitCode: 2, message: "BOOT_ID, NOT_BEFORE and NOT_AFTER are needed" };
	}
	const now = Math.floor(machine.clock / 1000);
	if (bootId !== machine.bootId) return { exitCode: 10, message: `not sent: the running boot is ${machine.bootId}, asked was ${bootId}` };
	if (now < notBefore) return { exitCode: 11, message: `not sent: the node's clock says ${now}, too early: not before ${notBefore}` };
	if (now > notAfter) return { exitCode: 12, message: `not sent: the node's clock says ${now}, too late: not after ${notAfter}` };
	const denied = whyDenied(pod, machine);
	if (denied !== null) return { exitCode: 14, message: `not sent: the signal to PID 1 was refused: ${denied}` };
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
