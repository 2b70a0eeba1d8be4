// The status that a kubelet reports of a pod, from what it knows locally. Pure.
import type { Pod } from "./objects.ts";

export interface ExitedContainers {
	readonly exitCode: number;
	readonly reason: string;
	readonly message: string;
	readonly startedAt: string;
	readonly finishedAt: string;
}

/** All containers of a pod go together here. */
export type Stage =
	| { readonly kind: "new" }
	| { readonly kind: "starting" }
	| { readonly kind: "pulling"; readonly reason: "ErrImagePull" | "ImagePullBackOff"; readonly message: string }
	| { readonly kind: "running"; readonly startedAt: string; readonly ready: boolean }
	/** Will be started again. */
	| { readonly kind: "exited"; readonly exit: ExitedContainers; readonly byMachine: boolean }
	| { readonly kind: "finished"; readonly exit: ExitedContainers }
	| { readonly kind: "rejected"; readonly reason: string; readonly message: string };

export interface LocalPod {
	readonly stage: Stage;
	/** Of the containers that run or ran last; empty before the first start. */
	readonly containerIds: readonly string[];
	readonly restartCount: number;
	readonly lastExit: ExitedContainers | null;
	readonly readySince: string;
	readonly firstStartAt: string | null;
}

export function podStatus(pod: Pod, local: LocalPod): unknown {
	const { stage } = local;
	if (stage.kind === "rejected") return { phase: "Failed", reason: stage.reason, message: stage.message };
	const ready = stage.kind === "running" && stage.ready;
	return {
		phase: phaseOf(local),
		conditions: conditions(local, ready),
		...(local.firstStartAt === null ? {} : { startTime: local.firstStartAt }),
		containerStatuses: pod.spec.containers.map((container, index) => ({
			name: container.name,
			image: container.image,
			imageID: `${container.image}@simulated`,
			ready,
			started: stage.kind === "running",
			restartCount: local.restartCount,
			...(local.containerIds[index] === undefined ? {} : { containerID: local.containerIds[index] }),
			state: containerState(stage, local.containerIds[index] ?? ""),
			lastState: local.lastExit === null ? {} : { terminated: local.lastExit },
		})),
	};
}

function phaseOf(local: LocalPod): Pod["status"]["phase"] {
	switch (local.stage.kind) {
		case "new":
		case "starting":
		case "pulling":
			return local.firstStartAt === null ? "Pending" : "Running";
		case "running":
		case "exited":
			return "Running";
		case "finished":
			return local.stage.exit.exitCode === 0 ? "Succeeded" : "Failed";
		case "rejected":
			return "Failed";
	}
}

function containerState(stage: Stage, containerId: string): unknown {
	switch (stage.kind) {
		case "new":
		case "starting":
			return { waiting: { reason: "ContainerCreating" } };
		case "pulling":
			return { waiting: { reason: stage.reason, message: stage.message } };
		case "running":
			return { running: { startedAt: stage.startedAt } };
		case "exited":
			return { waiting: { reason: "CrashLoopBackOff", message: "back-off restarting failed container" } };
		case "finished":
			return { terminated: { ...stage.exit, containerID: containerId } };
		case "rejected":
			return {};
	}
}

function conditions(local: LocalPod, ready: boolean): unknown[] {
	const finished = local.stage.kind === "finished" && local.stage.exit.exitCode === 0;
	const notReady = { reason: finished ? "PodCompleted" : "ContainersNotReady" };
	const condition = (type: string, status: boolean): unknown => ({
		type,
		status: status ? "True" : "False",
		// A merge keeps what is not named: null takes the reason away.
		reason: status ? null : notReady.reason,
		lastTransitionTime: local.readySince,
	});
	return [condition("Initialized", true), condition("ContainersReady", ready), condition("Ready", ready)];
}
