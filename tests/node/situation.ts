// What is told when a wait was too long: the end of a red run is all that its reader has, so the most telling lines come first.
import type { Node, Pod } from "../real/objects.ts";
import type { RealNode } from "./cluster.ts";

const last = (text: string, count: number): string => text.trimEnd().split("\n").slice(-count).join("\n");

/** Each part is asked alone: what cannot be read must not hide the rest. */
async function part(name: string, read: () => string | Promise<string>): Promise<string> {
	try {
		return `-- ${name}\n${await read()}`;
	} catch (error) {
		return `-- ${name}: cannot be read: ${String(error).slice(0, 300)}`;
	}
}

function nodeLine({ metadata, spec, status }: Node): string {
	const conditions = (status.conditions ?? []).map(({ type, status: is }) => `${type}=${is}`).join(" ");
	const mark = metadata.annotations?.["aks-reboot-scheduler/reboot"] ?? "none";
	return `${metadata.name} ${conditions} unschedulable=${spec.unschedulable === true} boot=${status.nodeInfo.bootID} kernel=${status.nodeInfo.kernelVersion} mark=${mark}`;
}

function podLine({ metadata, spec, status }: Pod): string {
	const containers = (status.containerStatuses ?? []).map(({ ready, state }) => `${ready ? "ready" : "not ready"} ${JSON.stringify(state)}`).join("; ");
	const going = metadata.deletionTimestamp === undefined ? "" : `, deleted at ${metadata.deletionTimestamp}`;
	return `${metadata.namespace}/${metadata.name} on ${spec.nodeName ?? "no node"}: ${status.phase}${going}: ${containers.slice(0, 200)}`;
}

export async function situationOf({ machine, scenario, controlPlane, node }: RealNode): Promise<string> {
	const { api } = controlPlane;
	const parts = [
		await part("node", async () => nodeLine(await node())),
		await part("pods", async () => (await api.list<Pod>("/api/v1/pods")).map(podLine).join("\n")),
		await part("machine", () => machine.lastSaid(4)),
		await part("scheduler", () => last(scenario.schedulers.at(-1)?.story() ?? "none was started", 8)),
		await part("kubelet", () => machine.run("journalctl --unit kubelet --lines 8 --no-pager --output cat | cut -c 1-200", 30_000)),
		await part("records", async () => [...(await scenario.rows())].map(([row, json]) => `${row} ${json.slice(0, 500)}`).join("\n")),
		await part("events", async () => last(await controlPlane.kubectl("get", "events", "-A", "--sort-by=.lastTimestamp"), 20)),
		await part("more of the machine", () => machine.lastSaid(40)),
		await part("more of the scheduler", () => last(scenario.schedulers.at(-1)?.story() ?? "", 60)),
	];
	return parts.join("\n");
}
