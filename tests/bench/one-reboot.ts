// One node from its admission to its return, with the pace of production: what of it is neither drain nor boot.
import { setTimeout as delay } from "node:timers/promises";
import type { ApiServer } from "../api-server.ts";
import { startLabCluster } from "../lab/kubernetes/cluster.ts";
import { shippedManifests } from "../lab/manifests.ts";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import { type Fleet, startKubelets } from "../real/kubelets.ts";
import { applyShipped } from "../real/scenario.ts";
import { apply, deployment } from "../real/workloads.ts";
import { kubeconfigOf } from "./clusters.ts";
import type { Figure } from "./figures.ts";
import { type Place, Scheduler } from "./scheduler.ts";
import type { TimedLine } from "./scheduler-process.ts";

/** From SIGTERM to the end of a pod; from the reboot's signal to Ready. */
const podStopMs = 2_000;
const machine = { stopMs: podStopMs, shutdownMs: 1_000, bootMs: 8_000, notReadyMs: 1_000, startMs: 300, readyMs: 300 };
const bootMs = machine.shutdownMs + machine.bootMs + machine.notReadyMs;

interface Prepared {
	readonly server: ApiServer;
	readonly controlPlane: ControlPlane | null;
}

async function prepare(kind: "lab" | "real"): Promise<Prepared> {
	if (kind === "lab") {
		const server = await startLabCluster();
		await apply(server.api, shippedManifests("scheduler"));
		return { server, controlPlane: null };
	}
	const controlPlane = await startControlPlane({ audit: false });
	await applyShipped(controlPlane);
	return { server: controlPlane, controlPlane };
}

async function startMachines(server: ApiServer): Promise<Fleet> {
	const need = { packages: ["linux-image"], since: new Date() };
	const fleet = await startKubelets(server, [{ name: "drained" }, { name: "rebooted", needsReboot: need }, { name: "other" }], machine);
	await apply(server.api, deployment("app", 6, { budget: { maxUnavailable: "100%" } }));
	const pods = () => fleet.pods().filter(({ metadata }) => metadata.namespace === "default");
	await fleet.until("the pods run and the sentinels report", () => {
		const reports = fleet.pods().filter(({ metadata }) => metadata.annotations?.["aks-reboot-scheduler/report"] !== undefined).length;
		return reports === 3 && pods().length === 6 && pods().every(({ status }) => status.phase === "Running");
	});
	return fleet;
}

/** The other node with as many pods, by hand. */
async function kubectlDrain(controlPlane: ControlPlane): Promise<number> {
	const startedAt = performance.now();
	await controlPlane.kubectl("drain", "drained", "--ignore-daemonsets", "--delete-emptydir-data", "--force");
	const ms = performance.now() - startedAt;
	await controlPlane.kubectl("uncordon", "drained");
	return ms;
}

interface Rebooted {
	readonly tookMs: number;
	readonly phasesMs: Readonly<Record<string, number>>;
	readonly looks: number;
}

async function reboot(scheduler: Scheduler): Promise<Rebooted> {
	const lines: TimedLine[] = [];
	for (let round = 0; round < 5; round++) {
		await scheduler.remote.call("oneRound", { onceEach: false });
		lines.push(...(await scheduler.remote.call<TimedLine[]>("journal")));
		const admitted = lines.find(({ line }) => line.event === "reboot.admitted");
		const ended = lines.find(({ line }) => line.event === "reboot.ended");
		if (ended !== undefined && admitted !== undefined) {
			if (ended.line.end !== "done") throw new Error(ended.line.message);
			const looks = lines.filter(({ line, atMs }) => line.event === "tick.ended" && atMs >= admitted.atMs).length;
			return { tookMs: ended.atMs - admitted.atMs, phasesMs: ended.line.phasesMs as Record<string, number>, looks };
		}
		await delay(1_000);
	}
	throw new Error(`the node was not rebooted: ${lines.map(({ line }) => `${line.event}: ${line.message}`).join("\n")}`);
}

export async function oneReboot(kind: "lab" | "real", place: Place): Promise<Figure[]> {
	const { server, controlPlane } = await prepare(kind);
	const scheduler = new Scheduler(place, `reboot${kind}`);
	let fleet: Fleet | null = null;
	const { file, remove } = kubeconfigOf({ url: server.url, caPem: server.caPem, token: server.token("scheduler") });
	try {
		fleet = await startMachines(server);
		const drainMs = controlPlane === null ? null : await kubectlDrain(controlPlane);
		await scheduler.open(file);
		await scheduler.windows({ MAINTENANCE_WINDOWS: "always" });
		return figuresOf(kind, await reboot(scheduler), drainMs);
	} finally {
		await scheduler.remote.stop();
		await fleet?.stop();
		await server.stop();
		remove();
	}
}

function figuresOf(kind: string, { tookMs, phasesMs, looks }: Rebooted, drainMs: number | null): Figure[] {
	const id = (what: string) => `reboot.${kind}.${what}`;
	const seconds = (ms: number) => [ms / 1000];
	const drain = drainMs ?? podStopMs;
	const phases = Object.entries(phasesMs).map(([phase, ms]) => `${phase} ${(ms / 1000).toFixed(1)} s`);
	const drained = (phasesMs.cordoning ?? 0) + (phasesMs.draining ?? 0);
	return [
		{ id: id("s"), what: "from admission to in service again", unit: "s", values: seconds(tookMs), note: phases.join(", ") },
		{
			id: id("drain"),
			what: "cordon and drain, until the reboot was asked for",
			unit: "s",
			values: seconds(drained),
			peer:
				drainMs === null ? { value: podStopMs / 1000, who: "a pod takes to end" } : { value: drainMs / 1000, who: "kubectl drain of a node with as many pods" },
		},
		{
			id: id("overhead"),
			what: "beyond drain and boot",
			unit: "s",
			values: seconds(tookMs - drain - bootMs),
			note: `${looks} looks, 3 s apart; the machine takes ${bootMs / 1000} s from the signal to Ready`,
		},
	];
}
