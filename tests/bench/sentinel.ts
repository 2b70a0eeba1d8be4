// Ten minutes of the sentinel's script as it is shipped, five of them without an API server that it has something to say to.
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type ControlPlane, startControlPlane } from "../real/control-plane.ts";
import { applyShipped } from "../real/scenario.ts";
import { Sentinel } from "../real/sentinel-process.ts";
import { type Figure, median } from "./figures.ts";

const pods = "/api/v1/namespaces/aks-reboot-scheduler/pods";
const name = "sentinel-bench";
const minuteMs = 60_000;
/** Of /proc/PID/stat. */
const tickMs = 10;
const pageBytes = 4_096;

async function start(plane: ControlPlane): Promise<Sentinel> {
	await applyShipped(plane);
	const pod = {
		metadata: { name, labels: { app: "sentinel" } },
		spec: { serviceAccountName: "sentinel", containers: [{ name: "sentinel", image: "sentinel" }] },
	};
	const { uid } = (await plane.api.post(pods, pod)).metadata;
	const token = await plane.serviceAccountToken("aks-reboot-scheduler", "sentinel", { name, uid });
	const asShipped = { SENTINEL_INTERVAL: "60", SENTINEL_BACKOFF_MAX: "300" };
	return new Sentinel({ server: plane.url, caPem: plane.caPem, token, pod: name, env: asShipped });
}

function statOf(pid: number): string[] {
	return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
}

/** Of the shell and all that it has waited for. */
function processorMs(sentinel: Sentinel): number {
	const [utime = 0, stime = 0, cutime = 0, cstime = 0] = statOf(sentinel.pid).slice(11, 15).map(Number);
	return (utime + stime + cutime + cstime) * tickMs;
}

/** Of the shell and what it runs now. */
function memory(sentinel: Sentinel): number {
	const resident = (pid: number): number => {
		try {
			return Number(statOf(pid)[21]) * pageBytes;
		} catch {
			return 0;
		}
	};
	return [sentinel.pid, ...sentinel.descendants()].reduce((sum, pid) => sum + resident(pid), 0);
}

/** Looks at its memory until that time. */
async function watched(sentinel: Sentinel, endsAt: number, memories: number[]): Promise<void> {
	while (Date.now() < endsAt) {
		memories.push(memory(sentinel));
		await delay(500);
	}
}

async function untilReported(plane: ControlPlane): Promise<number> {
	const since = Date.now();
	while ((await plane.api.get(`${pods}/${name}`)).metadata.labels?.["aks-reboot-scheduler/reboot-required"] !== "true") {
		if (Date.now() > since + 10 * minuteMs) throw new Error("the sentinel has not reported ten minutes after the API server came back");
		await delay(500);
	}
	return Date.now() - since;
}

export async function tenMinutesOfSentinel(): Promise<Figure[]> {
	const plane = await startControlPlane({ scheduler: false, audit: false });
	const sentinel = await start(plane);
	try {
		const begun = Date.now();
		const memories: number[] = [];
		// Without its start and its first report.
		await watched(sentinel, begun + minuteMs / 2, memories);
		const startedMs = processorMs(sentinel);
		await watched(sentinel, begun + 2.5 * minuteMs, memories);
		const idleMs = (processorMs(sentinel) - startedMs) / 2;
		await plane.killApiServer();
		writeFileSync(sentinel.flag, "");
		const before = sentinel.curlCalls().length;
		await watched(sentinel, begun + 7.5 * minuteMs, memories);
		const inVain = sentinel.curlCalls().length - before;
		await plane.startApiServer();
		const backMs = await untilReported(plane);
		await watched(sentinel, begun + 10 * minuteMs, memories);
		const ranMs = Date.now() - begun;
		const id = (what: string) => `sentinel.${what}`;
		return [
			{
				id: id("cpu-idle"),
				what: "processor time a minute while nothing is needed",
				unit: "ms",
				values: [idleMs],
				note: "without the readiness probe; in steps of 5 ms",
			},
			{
				id: id("cpu"),
				what: "processor time a minute of the ten",
				unit: "ms",
				values: [(processorMs(sentinel) * minuteMs) / ranMs],
				note: "without the readiness probe",
			},
			{ id: id("memory"), what: "resident memory", unit: "bytes", values: [median(memories)] },
			{ id: id("memory-most"), what: "resident memory, most, while it calls", unit: "bytes", values: [Math.max(...memories)], atMost: 64 * 1024 * 1024 },
			{ id: id("calls-in-vain"), what: "calls in 5 minutes without an API server", unit: "count", values: [inVain], atMost: 10 },
			{ id: id("back"), what: "from the API server's return to the report", unit: "s", values: [backMs / 1000], atMost: 300 },
		];
	} finally {
		await sentinel.stop();
		await plane.stop();
	}
}
