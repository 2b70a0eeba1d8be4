// What nodes, pods, records and looks are like, named after their states. Plain values: a test changes what it is about.
import type {
	ControlHold,
	ControlRequest,
	DaemonSetRef,
	EndedReboot,
	Instant,
	Mark,
	NodeFacts,
	NodeMemory,
	NodeMetadata,
	Obstacle,
	Phase,
	PodFacts,
	Reading,
	Reboot,
	SentinelDaemonSet,
	SentinelPod,
	View,
} from "../../lib/plan/model.ts";
import { known, nothingAsked } from "../../lib/plan/model.ts";
import { phaseTimeoutMs } from "../../lib/plan/phases.ts";
import type { PlanInput } from "../../lib/plan/plan.ts";
import { type ClusterTarget, type Policy, policyFor, type Schedule, type Settings } from "../../lib/plan/policy.ts";
import { newReboot } from "../../lib/plan/record.ts";
import type { RebootView } from "../../lib/plan/step.ts";
import type { WindowSpec, WindowState } from "../../lib/plan/windows.ts";

export const second = 1_000;
export const minute = 60 * second;
export const hour = 60 * minute;

function upTo(from: number, to: number): readonly number[] {
	return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}

export const everyMinute: Schedule = { minutes: upTo(0, 59), hours: upTo(0, 23), dates: upTo(1, 31), months: upTo(1, 12), weekdays: upTo(0, 6) };
/** The look that most tests are about. A Saturday, 02:30 UTC. */
export const now: Instant = Date.UTC(2026, 10, 28, 2, 30);
export const us = "https://store.example/reboots";
export const other = "https://elsewhere.example/reboots";
export const target: ClusterTarget = { name: "prod", kind: "kubeconfig", context: "prod" };
export const oldBoot = "11111111-1111-4111-8111-111111111111";
export const newBoot = "22222222-2222-4222-8222-222222222222";

export const always: WindowSpec = { text: "always", kind: "always" };
export const never: WindowSpec = { text: "never", kind: "never" };

/** Saturdays from 02:00 UTC; open at `now` with 210 minutes left. */
export const saturdayNight: WindowSpec = {
	text: "Sat 02:00-06:00",
	kind: "weekly",
	days: [6],
	startMinute: 120,
	length: { kind: "wallClock", endMinute: 360 },
	zone: "UTC",
};

/** Every setting at its default, and always open. */
export function defaultSettings(changes: Partial<Settings> = {}): Settings {
	return {
		clusters: [target],
		maintenanceWindows: [{ scope: { cluster: "*", pool: null }, value: [always] }],
		maxConcurrent: [],
		drainTimeoutMs: [],
		drainTimeoutAction: [],
		windowCloses: [],
		expectedDurationMs: [],
		rebootIntervalMs: [],
		probationMs: [],
		hold: [],
		drainGracePeriodSeconds: null,
		drainPodSelector: null,
		drainSkipWaitForDeleteMs: null,
		unmanagedPods: "delete",
		rebootTimeoutMs: 16 * minute,
		beforeDrainMs: 0,
		beforeRebootMs: 0,
		soakMs: 0,
		dryRun: false,
		stateTable: "reboots",
		tickSchedule: everyMinute,
		notifyUrls: [],
		...changes,
	};
}

/** A scoped entry for every pool of every cluster. */
export function everywhere<T>(value: T): readonly { readonly scope: { readonly cluster: string; readonly pool: null }; readonly value: T }[] {
	return [{ scope: { cluster: "*", pool: null }, value }];
}

export function defaultPolicy(changes: Partial<Policy> = {}): Policy {
	return { ...policyFor(defaultSettings(), "prod", "np1"), ...changes };
}

/** Ready, schedulable, of pool np1, under the boot that is to be ended. */
export function nodeInService(changes: Partial<NodeFacts> = {}): NodeFacts {
	return {
		name: "node-1",
		uid: "uid-node-1",
		resourceVersion: "100",
		pool: "np1",
		systemPool: false,
		bootId: oldBoot,
		kernelVersion: "6.8.0-1",
		ready: true,
		unschedulable: false,
		unschedulableManagers: [],
		mark: { kind: "none" },
		hold: null,
		virtual: false,
		taints: [],
		deleting: false,
		...changes,
	};
}

export function ourMark(changes: Partial<Mark> = {}): Mark {
	return { record: "reboot-a", owner: us, nodeUid: "uid-node-1", bootId: oldBoot, foundCordoned: false, since: now - 10 * minute, ...changes };
}

/** Cordoned and marked by us. */
export function nodeHeldByUs(changes: Partial<NodeFacts> = {}, mark: Partial<Mark> = {}): NodeFacts {
	return nodeInService({
		unschedulable: true,
		unschedulableManagers: ["aks-reboot-scheduler"],
		taints: ["node.kubernetes.io/unschedulable"],
		mark: { kind: "mark", mark: ourMark(mark) },
		...changes,
	});
}

/** Cordoned before we came, and not by us. */
export function nodeCordonedByOperator(changes: Partial<NodeFacts> = {}): NodeFacts {
	return nodeInService({ unschedulable: true, unschedulableManagers: ["kubectl-cordon"], taints: ["node.kubernetes.io/unschedulable"], ...changes });
}

/** Marked by us, and uncordoned by somebody since. */
export function nodeUncordonedByOperator(changes: Partial<NodeFacts> = {}): NodeFacts {
	return nodeHeldByUs({ unschedulable: false, unschedulableManagers: [], taints: [], ...changes });
}

/** Marked by us; somebody uncordoned it and cordoned it again. */
export function nodeHandedOver(changes: Partial<NodeFacts> = {}): NodeFacts {
	return nodeHeldByUs({ unschedulableManagers: ["kubectl-cordon"], ...changes });
}

/** Cordoned by us; somebody removed our mark. */
export function nodeWithoutMark(changes: Partial<NodeFacts> = {}): NodeFacts {
	return nodeHeldByUs({ mark: { kind: "none" }, ...changes });
}

/** Rebooted, cordoned and marked, Ready again. */
export function nodeBootedAnew(changes: Partial<NodeFacts> = {}): NodeFacts {
	return nodeHeldByUs({ bootId: newBoot, kernelVersion: "6.8.0-2", ...changes }, { askedAt: now - 5 * minute });
}

export const noPods: Reading<readonly PodFacts[]> = known([]);

/** Of a Deployment; runs since yesterday. */
export function deploymentPod(changes: Partial<PodFacts> = {}): PodFacts {
	return {
		namespace: "shop",
		name: "web-1",
		uid: "uid-web-1",
		node: "node-1",
		phase: "Running",
		ready: true,
		createdAt: now - 24 * hour,
		deletionAt: null,
		controller: { kind: "ReplicaSet", apiVersion: "apps/v1", name: "web", uid: "uid-rs-web" },
		mirror: false,
		emptyDir: false,
		toleratesCordon: false,
		selected: true,
		ours: null,
		sentinel: null,
		containerIds: ["containerd://web-1"],
		trouble: null,
		...changes,
	};
}

export const logs: DaemonSetRef = { namespace: "logging", name: "logs", uid: "uid-ds-logs" };

export function daemonPod(changes: Partial<PodFacts> = {}): PodFacts {
	return deploymentPod({
		namespace: "logging",
		name: "logs-x",
		uid: "uid-logs-x",
		toleratesCordon: true,
		controller: { kind: "DaemonSet", apiVersion: "apps/v1", name: "logs", uid: logs.uid },
		containerIds: ["containerd://logs-before"],
		...changes,
	});
}

/** A sentinel that asks for a reboot of the old boot. */
export function sentinelThatAsks(changes: Partial<SentinelPod> = {}): SentinelPod {
	return {
		node: "node-1",
		podName: "sentinel-1",
		ready: true,
		deleting: false,
		asks: true,
		report: { kind: "report", report: { bootId: oldBoot, since: now - 24 * hour, kernelVersion: "6.8.0-1", packages: ["linux-image"] } },
		...changes,
	};
}

export function sentinelThatAsksNothing(bootId: string, changes: Partial<SentinelPod> = {}): SentinelPod {
	const report = { bootId, since: null, kernelVersion: "6.8.0-1", packages: [] };
	return sentinelThatAsks({ asks: false, report: { kind: "report", report }, ...changes });
}

export function sentinelPod(sentinel: SentinelPod): PodFacts {
	const controller = { kind: "DaemonSet", apiVersion: "apps/v1", name: "sentinel", uid: "uid-ds-sentinel" };
	return daemonPod({ namespace: "aks-reboot-scheduler", name: sentinel.podName, uid: `uid-${sentinel.podName}`, ours: "sentinel", sentinel, controller });
}

export function rebootPod(ask: number, changes: Partial<PodFacts> = {}): PodFacts {
	const name = `reboot-${oldBoot}-${ask}`;
	return deploymentPod({ namespace: "aks-reboot-scheduler", name, uid: `uid-pod-${ask}`, controller: null, ours: "reboot", createdAt: now, ...changes });
}

export function budgetObstacle(changes: Partial<Obstacle> = {}): Obstacle {
	return {
		namespace: "shop",
		name: "web-1",
		uid: "uid-web-1",
		kind: "budget",
		budgets: ["web"],
		message: "the budget web needs 3 healthy pods and has 3 currently",
		retryAt: now,
		...changes,
	};
}

export const sentinelDaemonSet: SentinelDaemonSet = {
	uid: "uid-ds-sentinel",
	image: "registry.example/curl@sha256:0000",
	imagePullPolicy: "IfNotPresent",
	imagePullSecrets: [],
	desired: 5,
	ready: 5,
};

/** How long ago the record of each phase below was admitted and entered its phase. */
export const enteredAgoMs = 4 * minute;

function recordIn(phase: Phase, changes: Partial<Reboot>): Reboot {
	const policy = changes.policy ?? defaultPolicy();
	const timeoutMs = phaseTimeoutMs(phase, policy);
	const phaseSince = now - enteredAgoMs;
	return newReboot({
		id: "reboot-a",
		cluster: { name: "prod", id: "kubeconfig:prod", uid: "uid-kube-system" },
		node: { name: "node-1", uid: "uid-node-1", pool: "np1" },
		bootId: oldBoot,
		kernelVersion: "6.8.0-1",
		packages: ["linux-image"],
		waitingSince: now - 24 * hour,
		foundCordoned: false,
		policy,
		admittedAt: now - 10 * minute,
		phase,
		phaseSince,
		deadlineAt: timeoutMs === null ? null : phaseSince + timeoutMs,
		timeline: timelineTo(phase, phaseSince),
		...changes,
	});
}

function timelineTo(phase: Phase, at: Instant): Reboot["timeline"] {
	const way: readonly Phase[] = ["cordoning", "draining", "rebooting", "rejoining", "uncordoning", "soaking"];
	const before = phase === "stuck" ? way.slice(0, 3) : way.slice(0, way.indexOf(phase));
	return [...before.map((each, i) => ({ phase: each, at: at - (before.length - i) * second })), { phase, at }];
}

export function cordoningRecord(changes: Partial<Reboot> = {}): Reboot {
	return recordIn("cordoning", { phaseSince: now - minute, deadlineAt: now + minute, notBefore: now - minute, ...changes });
}

export function drainingRecord(changes: Partial<Reboot> = {}): Reboot {
	return recordIn("draining", changes);
}

/** Asked for once; its pod was seen. */
export function rebootingRecord(changes: Partial<Reboot> = {}): Reboot {
	const at = now - 3 * minute;
	const ask = { number: 1, at, notBefore: at - minute, notAfter: at + 4 * minute, pod: "seen" as const };
	return recordIn("rebooting", { phaseSince: at, deadlineAt: at + 16 * minute, asks: [ask], drainedAt: at, ...changes });
}

export function rejoiningRecord(changes: Partial<Reboot> = {}): Reboot {
	return rebootingRecord({
		...recordIn("rejoining", {}),
		asks: rebootingRecord().asks,
		deadlineAt: now + 10 * minute,
		rebooted: { at: now - minute, bootId: newBoot, kernelVersion: "6.8.0-2" },
		...changes,
	});
}

/** Back from its reboot; mark and cordon are being removed. */
export function uncordoningRecord(changes: Partial<Reboot> = {}): Reboot {
	const { asks, rebooted } = rejoiningRecord();
	const ending: Reboot["ending"] = { end: "done", cause: { kind: "rejoined", tookMs: minute } };
	return recordIn("uncordoning", { phaseSince: now - minute, deadlineAt: now + minute, asks, rebooted, ending, ...changes });
}

export function soakingRecord(changes: Partial<Reboot> = {}): Reboot {
	const { asks, rebooted } = rejoiningRecord();
	return recordIn("soaking", { policy: defaultPolicy({ soakMs: 10 * minute }), asks, rebooted, ...changes });
}

/** Asked for, and not Ready when its time was over. */
export function stuckRecord(changes: Partial<Reboot> = {}): Reboot {
	const at = now - 30 * minute;
	const ask = { number: 1, at, notBefore: at - minute, notAfter: at + 4 * minute, pod: "over" as const };
	return recordIn("stuck", { asks: [ask], ...changes });
}

export const recordOf: Readonly<Record<Phase, (changes?: Partial<Reboot>) => Reboot>> = {
	cordoning: cordoningRecord,
	draining: drainingRecord,
	rebooting: rebootingRecord,
	rejoining: rejoiningRecord,
	uncordoning: uncordoningRecord,
	soaking: soakingRecord,
	stuck: stuckRecord,
};

export const openWindow: WindowState & { readonly open: true } = { open: true, openedAt: now - 30 * minute, closesAt: now + 210 * minute };
export const closedWindow: WindowState = { open: false, opensAt: now + 6 * 24 * hour };

/** A look at one reboot in which nothing is in the way. */
export function lookAt(node: NodeFacts | "absent", changes: Partial<RebootView> = {}): RebootView {
	return {
		at: now,
		node: known(node),
		pods: noPods,
		daemonSets: known([logs]),
		forbidden: null,
		dropped: false,
		impediments: [],
		window: openWindow,
		lastLookAt: now - 5 * second,
		...changes,
	};
}

export function metadataOf(node: NodeFacts): NodeMetadata {
	const { name, uid, pool, systemPool, hold, virtual } = node;
	return { name, uid, pool, systemPool, hold, virtual };
}

/** A look at a cluster whose nodes are given, each read by itself; those in `waiting` ask for a reboot and passed their dry runs. */
export function lookAtCluster(nodes: readonly NodeFacts[], waiting: readonly NodeFacts[] = [], changes: Partial<View> = {}): View {
	const asking = waiting.map((node) =>
		sentinelThatAsks({
			node: node.name,
			podName: `sentinel-${node.name}`,
			report: { kind: "report", report: { bootId: node.bootId, since: now - 24 * hour, kernelVersion: node.kernelVersion, packages: [] } },
		}),
	);
	return {
		at: now,
		clusterUid: known("uid-kube-system"),
		owner: known({ kind: "named", holder: us }),
		aks: known({ kind: "notManaged" }),
		sentinel: known(sentinelDaemonSet),
		waiting: known(asking),
		rebootPods: [],
		metadata: new Map(nodes.map((node) => [node.name, metadataOf(node)])),
		poolSizes: known(new Map([["np1", nodes.length]])),
		cordoned: nodes.filter((node) => node.unschedulable),
		nodes: new Map(nodes.map((node) => [node.name, known(node)])),
		pods: new Map(nodes.map((node) => [node.name, noPods])),
		daemonSets: known([logs]),
		preflights: new Map(waiting.map((node) => [node.name, { rebootPod: { kind: "accepted" } as const, blocked: [] }])),
		...changes,
	};
}

export function planInput(view: View, changes: Partial<PlanInput> = {}): PlanInput {
	return {
		target,
		us,
		view,
		records: [],
		memory: [],
		control: nothingAsked,
		settings: defaultSettings(),
		problems: [],
		configured: true,
		twin: null,
		fallback: defaultSettings(),
		lastLookAt: now - 5 * second,
		newId: "new",
		...changes,
	};
}

/** What is remembered of node-1 after a reboot of ours. */
export function rebootedMemory(agoMs: number, changes: Partial<NodeMemory> = {}): NodeMemory {
	return {
		node: "node-1",
		nodeUid: "uid-node-1",
		bootId: newBoot,
		waitingSince: null,
		rebootedAt: now - agoMs,
		rebootIntervalMs: 20 * hour,
		probationMs: 30 * minute,
		attempts: 0,
		lastEnd: null,
		...changes,
	};
}

/** What is remembered of node-1 after it was given up so long ago. */
export function givenUpMemory(agoMs: number, changes: Partial<NodeMemory> = {}): NodeMemory {
	return rebootedMemory(0, {
		bootId: oldBoot,
		rebootedAt: null,
		rebootIntervalMs: 0,
		probationMs: 0,
		attempts: 1,
		lastEnd: { end: "gaveUp", why: "not drained after 30 min", at: now - agoMs, backOffUntil: now - agoMs + 15 * minute, blocked: [] },
		...changes,
	});
}

export function endedAs(end: EndedReboot["end"], cause: EndedReboot["cause"], reboot: Reboot = drainingRecord(), endedAt: Instant = now): EndedReboot {
	return { reboot, end, cause, endedAt };
}

/** Somebody wants node-1 rebooted now, under the boot it runs. */
export function requestOfNode(changes: Partial<ControlRequest> = {}): ControlRequest {
	return { node: "node-1", bootId: oldBoot, reason: "leaks memory", by: "ana", at: now - minute, until: now + 24 * hour, ignoreWindow: false, ...changes };
}

export function holdOf(changes: Partial<ControlHold> = {}): ControlHold {
	return { pool: null, node: null, reason: "freeze", by: "ana", at: now - minute, until: null, ...changes };
}
