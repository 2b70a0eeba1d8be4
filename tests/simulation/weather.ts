// A world and its weather, drawn from a seed. First the mix is drawn (how large, which faults at all and how often, what kind of settings), then
// the run: each is extreme in its own way.
import type { ClusterTarget } from "../../lib/plan/policy.ts";
import { Chance } from "./chance.ts";
import { nights, someDay, type Windows, windows } from "./days.ts";
import type { Disturbance } from "./disturbances/events.ts";
import { type FaultName, faultNames, type Outage, type Port, type Rates } from "./faults.ts";
import type { Environment, Scenario } from "./scenario.ts";
import type { ClusterShape, NodeShape } from "./universe/cluster.ts";
import type { Budget, WorkloadShape } from "./universe/controllers.ts";
import type { Temperament } from "./universe/kubelets.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

export function scenarioOf(seed: number): Scenario {
	const chance = new Chance(seed ^ 0x5eed);
	const night = chance.happens("clocks change", 0.08) ? chance.pick("night", nights) : undefined;
	const clusters = drawClusters(chance);
	const settings = drawSettings(chance, clusters, night?.windows ?? windows);
	const weatherMs = chance.between("weather", 30, 120) * minute;
	const startAt = night === undefined ? someDay : night.changeAt - chance.between("evening", 10, 100) * minute;
	const events = drawEvents(chance, { clusters, weatherMs, settings: settings.length });
	return {
		name: `seed ${seed}`,
		seed,
		startAt,
		weatherMs,
		calmMs: 14 * hour,
		inFlightEveryMs: chance.pick("in flight every", [3, 6, 10, 20] as const) * second,
		clusters,
		settings,
		faults: { kind: "seeded", rates: drawRates(chance) },
		outages: drawOutages(chance, clusters, weatherMs),
		events,
	};
}

function drawClusters(chance: Chance): readonly ClusterShape[] {
	const count = chance.happens("two clusters", 0.2) ? 2 : 1;
	return Array.from({ length: count }, (_, i) => drawCluster(chance, i === 0 ? "prod" : "test"));
}

function drawCluster(chance: Chance, name: string): ClusterShape {
	const pools = chance.happens(`${name} two pools`, 0.4) ? ["np1", "np2"] : ["np1"];
	const large = chance.happens(`${name} is large`, 0.002);
	const count = large ? chance.between(`${name} many nodes`, 150, 300) : chance.between(`${name} nodes`, 1, 5);
	const bad = chance.happens(`${name} bad machines`, 0.25);
	const nodes = Array.from({ length: count }, (_, i) => {
		const node = drawNode(chance, `n${i + 1}`, pools[i % pools.length] ?? "np1", bad);
		// Of a large cluster a few wait: its reboots have to fit into the calm.
		return large ? { ...node, needsReboot: node.needsReboot && i % 30 === 0 } : node;
	});
	const workloads = Array.from({ length: chance.between(`${name} workloads`, 0, 3) }, (_, i) => drawWorkload(chance, `${name} w${i + 1}`, `w${i + 1}`));
	return { target: targetOf(chance, name), nodes, workloads };
}

function targetOf(chance: Chance, name: string): ClusterTarget {
	if (chance.happens(`${name} kubeconfig`, 0.3)) return { name, kind: "kubeconfig", context: name };
	const ids = { subscriptionId: "s", resourceGroup: "g", resourceName: name };
	return { name, kind: "aks", resourceId: `/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/${name}`, ...ids };
}

export function drawNode(chance: Chance, name: string, pool: string, bad: boolean): NodeShape {
	return {
		name,
		pool,
		systemPool: pool === "np2",
		temperament: drawTemperament(chance, name, bad),
		clockOffsetMs: chance.happens(`${name} clock`, 0.2) ? chance.pick(`${name} clock off`, [-600, -55, -20, 20, 55, 600] as const) * second : 0,
		needsReboot: chance.happens(`${name} needs`, 0.6),
		cordoned: chance.happens(`${name} cordoned`, 0.08),
		hold: chance.happens(`${name} held`, 0.05) ? "a test of ours" : null,
	};
}

function drawTemperament(chance: Chance, name: string, bad: boolean): Temperament {
	const ms = (what: string, least: number, most: number) => chance.between(`${name} ${what}`, least, most) * second;
	const slow = bad && chance.happens(`${name} slow`, 0.3);
	return {
		onSignal: bad ? chance.pick(`${name} signal`, ["reboots", "reboots", "reboots", "ignores", "hangs"] as const) : "reboots",
		shutdownMs: ms("shutdown", 1, slow ? 200 : 30),
		bootMs: ms("boot", 5, slow ? 400 : 60),
		readyMs: ms("ready", 1, 20),
		servicesMs: ms("services", 1, slow ? 300 : 20),
		alwaysNeeds: bad && chance.happens(`${name} always`, 0.3),
		pullMs: bad && chance.happens(`${name} pull`, 0.2) ? chance.pick(`${name} pull ms`, [null, 100_000, 250_000] as const) : ms("pull", 1, 8),
	};
}

function drawWorkload(chance: Chance, label: string, name: string): WorkloadShape {
	const replicas = chance.between(`${label} replicas`, 1, 4);
	return {
		name,
		namespace: `ns-${name}`,
		kind: chance.pick(`${label} kind`, ["ReplicaSet", "ReplicaSet", "StatefulSet", "Job", "none"] as const),
		replicas,
		budget: chance.happens(`${label} budget`, 0.5) ? drawBudget(chance, label, replicas) : null,
		toleratesCordon: chance.happens(`${label} tolerates`, 0.15),
		emptyDir: chance.happens(`${label} emptyDir`, 0.3),
		labelled: chance.happens(`${label} labelled`, 0.7),
		startMs: chance.between(`${label} start`, 1, 40) * second,
		stopMs: chance.between(`${label} stop`, 0, 40) * second,
		graceSeconds: chance.pick(`${label} grace`, [0, 5, 30, 60, 300] as const),
		lingers: chance.happens(`${label} lingers`, 0.08) ? chance.pick(`${label} lingers for`, ["weather", "weather", "forGood"] as const) : "no",
	};
}

function drawBudget(chance: Chance, label: string, replicas: number): Budget {
	const forGood = chance.happens(`${label} budget for good`, 0.12);
	return {
		minAvailable: forGood ? replicas : chance.between(`${label} least`, 0, replicas - 1),
		twice: chance.happens(`${label} twice`, 0.08),
		unhealthyMayGo: chance.happens(`${label} unhealthy`, 0.3),
		forGood,
	};
}

/** The first settings; others that are deployed in the weather (some wrong); and the last, which are in force when it is calm. */
function drawSettings(chance: Chance, clusters: readonly ClusterShape[], among: Windows): readonly [Environment, ...Environment[]] {
	const all = Array.from({ length: chance.between("settings", 1, 4) }, (_, i) => drawEnvironment(chance, `settings ${i}`, { clusters, windows: among }, i));
	return [all[0] ?? drawEnvironment(chance, "settings", { clusters, windows: among }, 0), ...all.slice(1)];
}

interface About {
	readonly clusters: readonly ClusterShape[];
	readonly windows: Windows;
}

function drawEnvironment(chance: Chance, label: string, { clusters, windows: among }: About, nth: number): Environment {
	const pick = <T extends string>(name: string, items: readonly [T, ...T[]]) => chance.pick(`${label} ${name}`, items);
	const some = (name: string, probability: number, value: string) => (chance.happens(`${label} ${name}?`, probability) ? { [name]: value } : {});
	const dropped = nth > 0 && clusters.length > 1 && chance.happens(`${label} drops`, 0.25);
	const named = dropped ? clusters.slice(0, 1) : clusters;
	return {
		CLUSTERS: named.map(({ target }) => `${target.name}=${target.kind === "aks" ? target.resourceId : `kubeconfig:${target.context}`}`).join(";"),
		MAINTENANCE_WINDOWS: pick("windows", among),
		EXPECTED_DURATION: pick("expected", ["5m", "10m", "15m"]),
		REBOOT_TIMEOUT: pick("reboot timeout", ["4m", "6m", "10m"]),
		DRAIN_TIMEOUT: pick("drain timeout", ["3m", "5m", "10m"]),
		DRAIN_TIMEOUT_ACTION: pick("drain action", ["give-up", "give-up", "delete", "reboot"]),
		WINDOW_CLOSES: pick("window closes", ["give-up", "give-up", "finish"]),
		PROBATION: pick("probation", ["0s", "2m", "10m"]),
		REBOOT_INTERVAL: pick("interval", ["30m", "1h", "20h"]),
		...some("MAX_CONCURRENT", 0.5, pick("concurrent", ["2", "50%", "3;*/np1=1", "34%"])),
		...some("DRAIN_POD_SELECTOR", 0.1, "drain=yes"),
		...some("DRAIN_SKIP_WAIT_FOR_DELETE", 0.2, "1m"),
		...some("DRAIN_GRACE_PERIOD", 0.15, pick("grace", ["5", "10"])),
		...some("UNMANAGED_PODS", 0.15, "block"),
		...some("BEFORE_DRAIN", 0.2, "40s"),
		...some("BEFORE_REBOOT", 0.2, "30s"),
		...some("SOAK", 0.3, pick("soak", ["30s", "3m"])),
		...(nth > 0 ? some("HOLD", 0.15, "*=change freeze") : {}),
		...(nth > 0 ? some("DRY_RUN", 0.1, "true") : {}),
		...(nth > 0 ? some("SOAK", 0.1, "three minutes") : {}),
		NOTIFY_URLS: "https://hooks.example/secret-5ecre7",
	};
}

/** Each fault is on in some runs only, and then rare or frequent. */
function drawRates(chance: Chance): Rates {
	const ports: readonly Port[] = ["table", "kubernetes", "arm"];
	const rates: { [port in Port]?: { [name in FaultName]?: number } } = {};
	if (chance.happens("no faults", 0.1)) return rates;
	for (const port of ports) {
		const ofPort: { [name in FaultName]?: number } = {};
		for (const fault of faultNames) {
			if (!chance.happens(`${port} ${fault} is on`, 0.3)) continue;
			const grave = fault === "dies" || fault === "stalls";
			ofPort[fault] = chance.pick(`${port} ${fault} rate`, grave ? ([0.0005, 0.003, 0.01] as const) : ([0.001, 0.01, 0.06] as const));
		}
		rates[port] = ofPort;
	}
	return rates;
}

function drawOutages(chance: Chance, clusters: readonly ClusterShape[], weatherMs: number): readonly Outage[] {
	return Array.from({ length: chance.pick("outages", [0, 0, 1, 1, 2, 3] as const) }, (_, i): Outage => {
		const label = `outage ${i}`;
		const port = chance.pick(`${label} port`, ["table", "kubernetes", "kubernetes", "arm"] as const);
		const fromMs = chance.between(`${label} from`, 0, weatherMs);
		const methods = [
			"patchNode",
			"evict",
			"owner",
			"podsOn",
			"node",
			"listWaiting",
			"sentinelDaemonSet",
			"createRebootPod",
			"deleteRebootPod",
			"listDaemonSets",
		] as const;
		return {
			fromMs,
			untilMs: fromMs + chance.pick(`${label} for`, [30, 120, 300, 900, 1800] as const) * second,
			port,
			cluster: port === "table" ? null : (chance.pick(`${label} cluster`, clusters)?.target.name ?? null),
			method: port === "kubernetes" && chance.happens(`${label} one method`, 0.5) ? chance.pick(`${label} method`, methods) : null,
			failure: chance.pick(`${label} failure`, ["unreachable", "timedOut", "throttled", "serverError", "forbidden", "unauthorized"] as const),
		};
	});
}

interface Place {
	readonly clusters: readonly ClusterShape[];
	readonly weatherMs: number;
	readonly settings: number;
}

function drawEvents(chance: Chance, place: Place): readonly Disturbance[] {
	const events: Disturbance[] = [];
	// Patch day: those that do not wait from the beginning may do so later.
	for (const { target, nodes } of place.clusters) {
		for (const { name } of nodes) {
			if (!chance.happens(`${target.name} ${name} patched`, nodes.length > 100 ? 0.03 : 0.5)) continue;
			events.push({ atMs: chance.between(`${target.name} ${name} patched at`, 0, place.weatherMs), kind: "needsReboot", cluster: target.name, node: name });
		}
	}
	const busy = chance.pick("disturbances", [0, 2, 5, 10, 20] as const);
	for (let i = 0; i < busy; i++) events.push(drawEvent(chance, `event ${i}`, place));
	events.push(...drawAsked(chance, place));
	for (let i = 1; i < place.settings; i++) {
		events.push({
			atMs: chance.between(`deployed ${i}`, 0, place.weatherMs),
			kind: "deployed",
			settings: i,
			killed: chance.happens(`deployed ${i} killed`, 0.5),
		});
	}
	return events.sort((a, b) => a.atMs - b.atMs);
}

/** Reboots that somebody asks for by hand, some taken back; rows of an earlier release; and a sentinel whose word cannot be read. */
function drawAsked(chance: Chance, place: Place): readonly Disturbance[] {
	const shape = chance.pick("asked cluster", place.clusters);
	const cluster = shape?.target.name ?? "";
	const nodeOf = (label: string) => chance.pick(`${label} node`, shape?.nodes ?? [])?.name ?? "";
	const events: Disturbance[] = [];
	const requests = chance.happens("requests", 0.25) ? chance.between("requests", 1, 3) : 0;
	for (let i = 0; i < requests; i++) {
		const label = `request ${i}`;
		const [node, atMs] = [nodeOf(label), chance.between(`${label} at`, 0, place.weatherMs)];
		const forMs = chance.pick(`${label} for`, [120, 600, 3600] as const) * second;
		events.push({ atMs, kind: "rebootRequested", cluster, node, forMs, ignoreWindow: chance.happens(`${label} whatever the window`, 0.5) });
		if (chance.happens(`${label} withdrawn`, 0.3))
			events.push({ atMs: atMs + chance.between(`${label} after`, 1, 180) * second, kind: "requestWithdrawn", cluster, node });
	}
	if (chance.happens("rows of before", 0.1)) events.push({ atMs: chance.between("rows of before at", 0, place.weatherMs), kind: "rowsOfBefore" });
	if (chance.happens("garbled", 0.1))
		events.push({ atMs: chance.between("garbled at", 0, place.weatherMs), kind: "reportGarbled", cluster, node: nodeOf("garbled") });
	return events;
}

const nodeKinds = [
	"needGone",
	"operatorCordons",
	"operatorUncordons",
	"operatorRecordons",
	"appliedCordon",
	"markRemoved",
	"markGarbled",
	"managersFolded",
	"nodeTouched",
	"nodeDeleted",
	"nodeReimaged",
	"machineCrashes",
	"rebootedByOthers",
	"autoscalerTaint",
	"podLands",
	"held",
	"holdRemoved",
	"markCopied",
	"cutOff",
	"sentinelSilent",
] as const;
const clusterKinds = [
	"nodeAdded",
	"poolUpgraded",
	"clusterStopped",
	"clusterUpgrading",
	"namespaceDeleted",
	"sentinelDeleted",
	"daemonSetDeleted",
	"ownerLeaseDeleted",
	"ownerLeaseWritten",
	"leaseRowDeleted",
	"fleetRowDeleted",
	"budgetTightened",
	"workloadNamespaceEnding",
	"controlHold",
] as const;
const schedulerKinds = [
	"tableDeleted",
	"secondScheduler",
	"workerDies",
	"workerDies",
	"timerTwice",
	"timerTwice",
	"timerSilent",
	"workerStalls",
	"workerStalls",
] as const;

function drawEvent(chance: Chance, label: string, place: Place): Disturbance {
	const atMs = chance.between(`${label} at`, 0, place.weatherMs);
	const forMs = chance.pick(`${label} for`, [20, 60, 200, 600, 1500] as const) * second;
	const shape = chance.pick(`${label} cluster`, place.clusters);
	const cluster = shape?.target.name ?? "";
	const node = chance.pick(`${label} node`, shape?.nodes ?? [])?.name ?? "";
	const workload = chance.pick(`${label} workload`, shape?.workloads ?? [])?.name ?? "";
	const about = chance.draw(`${label} about`);
	if (about < 0.6) {
		const kind = chance.pick(`${label} kind`, nodeKinds);
		switch (kind) {
			case "held":
				return { atMs, kind, cluster, node, reason: "investigating" };
			case "markCopied":
				return { atMs, kind, cluster, node, to: chance.pick(`${label} to`, shape?.nodes ?? [])?.name ?? "" };
			case "cutOff":
			case "sentinelSilent":
				return { atMs, kind, cluster, node, forMs };
			default:
				return { atMs, kind, cluster, node };
		}
	}
	if (about < 0.8) {
		const kind = chance.pick(`${label} kind`, clusterKinds);
		switch (kind) {
			case "nodeAdded":
				return { atMs, kind, cluster, shape: drawNode(chance, `${label}x`.replace("event ", "e"), "np1", false) };
			case "poolUpgraded":
				return { atMs, kind, cluster, pool: "np1", forMs };
			case "ownerLeaseWritten":
				return { atMs, kind, cluster, to: chance.pick(`${label} to`, ["one", "two", "stranger"] as const) };
			case "budgetTightened":
			case "workloadNamespaceEnding":
				return { atMs, kind, cluster, workload, forMs };
			case "controlHold":
				return { atMs, kind, cluster, node: chance.happens(`${label} all`, 0.3) ? null : node, reason: "freeze", forMs };
			case "clusterStopped":
			case "clusterUpgrading":
			case "namespaceDeleted":
			case "sentinelDeleted":
				return { atMs, kind, cluster, forMs };
			default:
				return { atMs, kind, cluster };
		}
	}
	const kind = chance.pick(`${label} kind`, schedulerKinds);
	switch (kind) {
		case "tableDeleted":
		case "timerSilent":
			return { atMs, kind, forMs };
		case "workerStalls":
			return { atMs, kind, forMs: Math.min(forMs, 300 * second), clockStops: chance.happens(`${label} clock`, 0.3) };
		default:
			return { atMs, kind };
	}
}
