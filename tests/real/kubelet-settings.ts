// What a simulated node is, and everything about it that can be set: durations and troubles, also while it runs.
import type { Pod, Taint } from "./objects.ts";

export interface NodeSpec {
	readonly name: string;
	/** Label `kubernetes.azure.com/agentpool`; null: without it. `nodes` unless told. */
	readonly pool?: string | null;
	readonly zone?: string;
	/** Label `kubernetes.azure.com/mode`; `user` unless told. */
	readonly mode?: "system" | "user";
	readonly os?: "linux" | "windows";
	readonly providerId?: string;
	readonly labels?: Readonly<Record<string, string>>;
	readonly annotations?: Readonly<Record<string, string>>;
	readonly taints?: readonly Taint[];
	/** Cordoned by an operator from the start. */
	readonly cordoned?: boolean;
	readonly kernelVersion?: string;
	/** Waits for a reboot from the start. */
	readonly needsReboot?: RebootNeed;
	/** Of a machine that an earlier process of the simulation left; a new one unless told. */
	readonly left?: MachineLeft;
	readonly settings?: Partial<NodeSettings>;
}

/** Where a simulation ended, for another process that goes on with it. */
export interface MachineLeft {
	readonly bootId: string;
	readonly earlierBootId: string;
	/** When this boot began, in milliseconds since the epoch; 0: before everything that runs on it. */
	readonly bootedAt: number;
	/** False: it was going down or off. It boots, where its settings let it. */
	readonly up: boolean;
}

/** Content of the reboot-required files. */
export interface RebootNeed {
	readonly packages: readonly string[];
	/** When the file was made. */
	readonly since: Date;
}

export interface NodeSettings {
	// Pods. Those marked with * can be set per pod by an annotation, see `podBehaviour`.
	/** * From the binding to the start of the containers. */
	startMs: number;
	/** * From the start of the containers to ready. */
	readyMs: number | "never";
	/** * How long a container takes to end after SIGTERM; SIGKILL comes when its grace is over. `never`: not even SIGKILL ends it. */
	stopMs: number | "never";
	/** Wait before a container that ended is started again. */
	crashBackOffMs: number;
	/** Images that cannot be pulled here. */
	unpullable: (image: string) => boolean;
	/** Pods that this kubelet does not admit: they end Failed with this reason (`OutOfpods` on a full node). */
	refuses: (pod: Pod) => { readonly reason: string; readonly message: string } | null;
	maxPods: number;

	// The sentinel's script on this node.
	/** `silent`: not ready, writes nothing. `stale`: reports an earlier boot. `garbled`: a report that is no JSON. */
	sentinel: "reports" | "silent" | "stale" | "garbled";
	/** From a change to its report. */
	sentinelMs: number;
	/** What becomes of `sentinel` at the next boot; null: stays. */
	sentinelAfterReboot: NodeSettings["sentinel"] | null;

	// The reboot.
	/** Of the node's own clock against the true time. */
	clockOffsetMs: number;
	/** The profile that AppArmor gives a container keeps it from signalling PID 1. */
	appArmor: boolean;
	/** Something on the node (another security module) keeps every container from it, whatever its profile. */
	deniesSignal: boolean;
	/** PID 1 takes the signal and does nothing. */
	ignoresSignal: boolean;
	/** The kubelet posts Ready False before it goes (without it NotReady is seen after 40 s only). */
	announcesShutdown: boolean;
	/** From the signal to the end of kubelet and containers. 0: what the reboot pod said is lost. */
	shutdownMs: number;
	/** From there to the start of the kubelet. */
	bootMs: number;
	/** `sameBoot`: it hung, and goes on where it was. `never`: until `powerOn` is called. */
	comesBack: "newBoot" | "sameBoot" | "never";
	/** From the start of the kubelet to Ready; until then it posts Ready False. 0: is Ready at once. */
	notReadyMs: number;
	/** For this long after a boot the statuses of pods are those from before it, as measured on a real node. */
	staleStatusMs: number;
	/** Null: the present one with a higher number. */
	nextKernelVersion: string | null;
	/** The reboot does not satisfy it: the file is there again after the boot. */
	stillAsks: boolean;

	/** How often the Lease is renewed. */
	leaseMs: number;
}

export const defaultSettings: NodeSettings = {
	startMs: 100,
	readyMs: 100,
	stopMs: 50,
	crashBackOffMs: 2_000,
	unpullable: () => false,
	refuses: () => null,
	maxPods: 250,
	sentinel: "reports",
	sentinelMs: 100,
	sentinelAfterReboot: null,
	clockOffsetMs: 0,
	appArmor: true,
	deniesSignal: false,
	ignoresSignal: false,
	announcesShutdown: true,
	shutdownMs: 300,
	bootMs: 1_000,
	comesBack: "newBoot",
	notReadyMs: 200,
	staleStatusMs: 300,
	nextKernelVersion: null,
	stillAsks: false,
	leaseMs: 10_000,
};

/** A reboot after which nobody has seen the node NotReady. */
export const quickReboot: Partial<NodeSettings> = { announcesShutdown: false, shutdownMs: 50, bootMs: 200, notReadyMs: 0 };

/** Annotations of a pod (so also of a template) that tell the simulated kubelet how it behaves. They may be changed while it runs. */
export const podAnnotations = {
	startMs: "simulated-kubelet/start-ms",
	/** A number or `never`. */
	readyMs: "simulated-kubelet/ready-ms",
	/** A number or `never`. */
	stopMs: "simulated-kubelet/stop-ms",
	/** The container ends by itself after this time … */
	exitMs: "simulated-kubelet/exit-ms",
	/** … with this code (0 unless told). */
	exitCode: "simulated-kubelet/exit-code",
} as const;

export interface PodBehaviour {
	readonly startMs: number;
	readonly readyMs: number | "never";
	readonly stopMs: number | "never";
	readonly exit: { readonly ms: number; readonly code: number } | null;
}

export function podBehaviour(pod: Pod, settings: NodeSettings): PodBehaviour {
	const annotations = pod.metadata.annotations ?? {};
	const duration = <T extends number | "never">(name: string, otherwise: T): T => {
		const text = annotations[name];
		return text === undefined ? otherwise : ((text === "never" ? "never" : Number(text)) as T);
	};
	const exitMs = annotations[podAnnotations.exitMs];
	return {
		startMs: duration(podAnnotations.startMs, settings.startMs),
		readyMs: duration<number | "never">(podAnnotations.readyMs, settings.readyMs),
		stopMs: duration<number | "never">(podAnnotations.stopMs, settings.stopMs),
		exit: exitMs === undefined ? null : { ms: Number(exitMs), code: Number(annotations[podAnnotations.exitCode] ?? 0) },
	};
}
