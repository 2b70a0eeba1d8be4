// The one-shot pod that ends one boot of one node, once: the only privileged thing that we ever put on a node.
import type { V1Container, V1Pod, V1PodSpec } from "@kubernetes/client-node";
import { namespace } from "../plan/model.ts";
import { rebootPodName } from "../plan/step.ts";
import type { RebootPodSpec } from "../tick/world.ts";
import { askedValue, rebootRequiredLabel } from "./sentinel.ts";

export const rebootPodApp = "reboot";
/** Label: the number of the ask. */
export const askLabel = "aks-reboot-scheduler/ask";

/** How the reboot pod's container ends. */
export const rebootExit = { sent: 0, anotherBoot: 10, tooEarly: 11, tooLate: 12, unreadable: 13, refused: 14 } as const;

/**
 * POSIX shell, run by dash and busybox ash alike. The boot id and the clock are read as the last things before the signal: a pod that
 * stayed Pending while its kubelet was away starts hours late. 39 is SIGRTMIN+5 by glibc's count, systemd's reboot.target; a number,
 * since shells count differently. One line goes to the termination message, which the API server shows.
 */
export const rebootCommand = `trap 'exit 0' TERM
end() {
	{ printf '%s\\n' "$2" >/dev/termination-log; } 2>/dev/null
	printf '%s\\n' "$2"
	exit "$1"
}
boot=
{ IFS= read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
[ -n "$boot" ] || end ${rebootExit.unreadable} "not sent: the boot id cannot be read"
[ "$boot" = "$BOOT_ID" ] || end ${rebootExit.anotherBoot} "not sent: the running boot is $boot, asked was $BOOT_ID"
now=$(date +%s)
[ "$now" -ge "$NOT_BEFORE" ] || end ${rebootExit.tooEarly} "not sent: the node's clock says $now, too early: not before $NOT_BEFORE"
[ "$now" -le "$NOT_AFTER" ] || end ${rebootExit.tooLate} "not sent: the node's clock says $now, too late: not after $NOT_AFTER"
kill -39 1 || end ${rebootExit.refused} "not sent: the signal to PID 1 was refused"
end ${rebootExit.sent} "sent: signal 39 to PID 1 of boot $boot at $now"
`;

/** Whole seconds inside the interval: rounding must not widen it. */
function environment(spec: RebootPodSpec): { name: string; value: string }[] {
	return [
		{ name: "BOOT_ID", value: spec.bootId },
		{ name: "NOT_BEFORE", value: String(Math.ceil(spec.notBefore / 1000)) },
		{ name: "NOT_AFTER", value: String(Math.floor(spec.notAfter / 1000)) },
	];
}

function container(spec: RebootPodSpec): V1Container {
	return {
		name: rebootPodApp,
		image: spec.image,
		imagePullPolicy: spec.imagePullPolicy,
		command: ["/bin/sh", "-c", rebootCommand],
		env: environment(spec),
		resources: { requests: { cpu: "5m", memory: "16Mi" }, limits: { cpu: "200m", memory: "64Mi" } },
		securityContext: {
			// The uid of PID 1: with it the signal needs no capability at all.
			runAsUser: 0,
			runAsGroup: 0,
			runAsNonRoot: false,
			privileged: false,
			allowPrivilegeEscalation: false,
			readOnlyRootFilesystem: true,
			capabilities: { drop: ["ALL"] },
			seccompProfile: { type: "RuntimeDefault" },
			// The default profile denies signals to unconfined processes, and PID 1 is one.
			appArmorProfile: { type: "Unconfined" },
		},
	};
}

function podSpec(spec: RebootPodSpec): V1PodSpec {
	return {
		// Past the scheduler: the node is cordoned.
		nodeName: spec.node,
		hostPID: true,
		restartPolicy: "Never",
		terminationGracePeriodSeconds: 5,
		automountServiceAccountToken: false,
		enableServiceLinks: false,
		priorityClassName: "system-node-critical",
		tolerations: [{ operator: "Exists" }],
		...(spec.imagePullSecrets.length === 0 ? {} : { imagePullSecrets: spec.imagePullSecrets.map((name) => ({ name })) }),
		containers: [container(spec)],
	};
}

export function rebootPod(spec: RebootPodSpec): V1Pod {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name: rebootPodName(spec.bootId, spec.ask),
			namespace,
			labels: { app: rebootPodApp, [askLabel]: String(spec.ask), [rebootRequiredLabel]: askedValue },
		},
		spec: podSpec(spec),
	};
}

/** Whether a pod of that name asks for just this: the same boot of the same node in the same interval, and not on its way out. */
export function asksTheSame(pod: V1Pod, spec: RebootPodSpec): boolean {
	const env = pod.spec?.containers.find((each) => each.name === rebootPodApp)?.env ?? [];
	return (
		pod.spec?.nodeName === spec.node &&
		!pod.metadata?.deletionTimestamp &&
		environment(spec).every(({ name, value }) => env.some((each) => each.name === name && each.value === value))
	);
}
