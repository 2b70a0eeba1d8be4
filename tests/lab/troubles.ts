// Troubles on demand: a file in the lab's folder that anybody may write, and whose troubles last as long as it names them.
//   {"nodes": {"dev/aks-spot-26457513-vmss000000": {"comesBack": "never"}},
//    "arm": {"prod-west": {"kind": "error", "status": 503, "code": "ServiceUnavailable"}},
//    "clusters": {"dev": {"provisioningState": "Upgrading"}}}
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Arm, ArmCall, ArmTrouble } from "../arm/server.ts";
import type { NodeSettings } from "../real/kubelet-settings.ts";
import type { SimulatedNode } from "../real/simulated-node.ts";
import type { Member } from "./member.ts";

interface Troubles {
	/** By `cluster/node`: settings of the machine (tests/real/kubelet-settings.ts), and `cutOff`. A machine that was kept from coming back comes back. */
	readonly nodes: Readonly<Record<string, Partial<NodeSettings> & { readonly cutOff?: boolean }>>;
	/** By cluster, `*` for all: what ARM answers. */
	readonly arm: Readonly<Record<string, ArmTrouble>>;
	/** By cluster: what ARM says of it. */
	readonly clusters: Readonly<Record<string, { readonly provisioningState?: string; readonly powerState?: string }>>;
}

const none: Troubles = { nodes: {}, arm: {}, clusters: {} };
const lookEveryMs = 500;

export function troublesFile(folder: string): string {
	return join(folder, "troubles.json");
}

export class TroubleFile {
	readonly #file: string;
	readonly #members: readonly Member[];
	readonly #tell: (line: string) => void;
	readonly #normal = new Map<SimulatedNode, NodeSettings>();
	readonly #timer: NodeJS.Timeout;
	#arm: Arm | null = null;
	#seen = "";
	#troubles = none;

	/** `tell`: for what is wrong with the file. */
	constructor(file: string, members: readonly Member[], tell: (line: string) => void) {
		this.#file = file;
		this.#members = members;
		this.#tell = tell;
		this.#timer = setInterval(() => this.#look(), lookEveryMs);
	}

	/** For `startArm`. */
	ofCall({ resourceName }: ArmCall): ArmTrouble | undefined {
		return this.#troubles.arm[resourceName] ?? this.#troubles.arm["*"];
	}

	begin(arm: Arm): void {
		this.#arm = arm;
		this.#look();
	}

	stop(): void {
		clearInterval(this.#timer);
	}

	#look(): void {
		const seen = existsSync(this.#file) ? String(statSync(this.#file).mtimeMs) : "";
		if (seen === this.#seen) return;
		this.#seen = seen;
		try {
			const troubles = seen === "" ? none : this.#checked({ ...none, ...(JSON.parse(readFileSync(this.#file, "utf8")) as Partial<Troubles>) });
			const keys = new Set([...Object.keys(this.#troubles.nodes), ...Object.keys(troubles.nodes)]);
			this.#troubles = troubles;
			for (const key of keys) this.#trouble(this.#machine(key), troubles.nodes[key] ?? {});
			this.#stateClusters();
		} catch (error) {
			this.#tell(`${this.#file}: ${error instanceof Error ? error.message : String(error)}; nothing is changed`);
		}
	}

	#checked(troubles: Troubles): Troubles {
		for (const [key, { cutOff: _, ...settings }] of Object.entries(troubles.nodes)) {
			const known = this.#machine(key).settings;
			for (const name of Object.keys(settings)) if (!(name in known)) throw new Error(`${key}: ${name} is no setting of a machine`);
		}
		return troubles;
	}

	#machine(key: string): SimulatedNode {
		const [cluster, name = ""] = key.split("/");
		const machines = this.#members.find(({ spec }) => spec.name === cluster)?.machines;
		if (machines === undefined || !machines.names().includes(name)) throw new Error(`${key} is no node, expected cluster/node`);
		return machines.node(name);
	}

	#trouble(machine: SimulatedNode, { cutOff = false, ...settings }: Troubles["nodes"][string]): void {
		const normal = this.#normal.get(machine) ?? { ...machine.settings };
		this.#normal.set(machine, normal);
		const lost = machine.settings.comesBack === "never";
		machine.set({ ...normal, ...settings });
		if (lost && machine.settings.comesBack !== "never") machine.powerOn({ sameBoot: machine.settings.comesBack === "sameBoot" });
		if (cutOff) machine.cutOff();
		else machine.reconnect();
	}

	#stateClusters(): void {
		for (const cluster of this.#arm?.clusters.values() ?? []) {
			const { provisioningState = "Succeeded", powerState = "Running" } = this.#troubles.clusters[cluster.resourceName] ?? {};
			cluster.managed = { ...cluster.managed, provisioningState, powerState: { code: powerState } };
		}
	}
}
