// Bugs in how it is looked, written and done: lib/tick, and what reads the settings.
import type { Edit } from "./edit.ts";

const table: readonly Edit[] = [
	{
		name: "the ETag of records and of what people asked",
		breaks: "S9",
		file: "tick/ledger.ts",
		old: '{ kind: "replace", key, values, etag };',
		new: '{ kind: "replace", key, values, etag: "*" };',
	},
	{
		name: "an ask whose interval is over is not sent",
		breaks: "S5",
		file: "tick/perform.ts",
		old: 'if (action.kind === "ask" && lease.now() >= action.notAfter) {',
		new: 'if (action.kind === "ask" && lease.now() < 0) {',
	},
	{
		name: "the ETag of the lease on every write",
		breaks: "S6",
		file: "tick/lease.ts",
		old: '{ kind: "replace", key: leaseKey, values, etag: this.#etag };',
		new: '{ kind: "replace", key: leaseKey, values, etag: "*" };',
	},
	{
		name: "the lease of another worker",
		breaks: "S6",
		file: "tick/lease.ts",
		old: "before.holder !== worker && read.at - row.writtenAt < leaseMs)",
		new: "before.holder !== worker && read.at - row.writtenAt < 0)",
	},
	{
		name: "a new holder has a new fence",
		breaks: "S6",
		file: "tick/lease.ts",
		old: "Math.max(fenceFloor, before?.fence ?? 0) + 1",
		new: "Math.max(fenceFloor, before?.fence ?? 1)",
	},
	{
		name: "the fence outlives its row",
		breaks: "S6",
		file: "tick/lease.ts",
		old: "Math.max(fenceFloor, before?.fence ?? 0) + 1",
		new: "(before?.fence ?? 0) + 1",
	},
	{
		name: "the fence of the fleet's row",
		breaks: "S6",
		file: "tick/fleet.ts",
		old: 'if (current !== null && current.fence > next.fence) return { kind: "overtaken", row: current };',
		new: "",
	},
	{
		name: "read back: the writeId",
		breaks: "S6",
		file: "tick/lease.ts",
		old: "found !== undefined && leaseOf(found.values).writeId === row.writeId",
		new: "found !== undefined",
	},
	{
		name: "the lease is held before every act",
		breaks: "S6",
		file: "tick/perform.ts",
		old: "if (!(await lease.holdFor(decidedAt))) return",
		new: "if (false) return",
	},
	{
		name: "in flight is told before the first admission",
		breaks: "L3",
		file: "tick/tick.ts",
		old: "if (!(await this.#markInFlight())) return [];",
		new: "",
	},
	{
		name: "the lease is given back before the uncordon, as kured does",
		breaks: "S1",
		file: "plan/step.ts",
		old: '				current = enter(current, "uncordoning", view.at, { ending: { end: next.end, cause: next.cause } });\n				moves',
		new: "				return { reboot: current, ended: { end: next.end, cause: next.cause }, moves };\n				moves",
	},
];

const rounds: readonly Edit[] = [
	{
		name: "clusters that were dropped are looked at while something is in flight",
		breaks: "L3",
		file: "tick/round.ts",
		old: "fleetRow?.inFlight === true && !names.has(",
		new: "false && !names.has(",
	},
	{
		name: "one cluster under two names",
		breaks: "S1",
		file: "tick/tick.ts",
		old: "return holder === name ? null : holder;",
		new: "return null;",
	},
	{
		name: "a deletion past a budget is told",
		breaks: "S7",
		file: "tick/tell.ts",
		old: 'this.#journal.write("pod.deleted"',
		new: 'if (false) this.#journal.write("pod.deleted"',
	},
];

const looks: readonly Edit[] = [
	{
		name: "how long nobody had looked",
		breaks: "S8",
		file: "tick/tick.ts",
		old: "const lastLookAt = lease.lookedAt;",
		new: "const lastLookAt = lease.now();",
	},
	{
		name: "a failed list of pods is not an empty one",
		breaks: "S11",
		file: "tick/observe.ts",
		old: "this.#reading(this.#api.podsOn(name, selector ?? null))",
		new: "this.#reading(this.#api.podsOn(name, selector ?? null).catch(() => []))",
	},
	{
		name: "a failed read of a node is not its absence",
		breaks: "S11",
		file: "tick/observe.ts",
		old: "			nodes.set(name, await this.#reading(this.#api.node(name)));\n			// What is adopted",
		new: '			nodes.set(name, await this.#reading(this.#api.node(name).catch(() => "absent" as const)));\n			// What is adopted',
	},
	{
		name: "a failed list of DaemonSets is not an empty one",
		breaks: "S11",
		file: "tick/observe.ts",
		old: "this.#reading(this.#api.listDaemonSets())",
		new: "this.#reading(this.#api.listDaemonSets().catch(() => []))",
	},
	{
		name: "a failed read of the owner is not its absence",
		breaks: "S11",
		file: "tick/observe.ts",
		old: "this.#reading(this.#api.owner())",
		new: 'this.#reading(this.#api.owner().catch(() => ({ kind: "absent" as const })))',
	},
];

const acts: readonly Edit[] = [
	{
		name: "resourceVersion of the uncordon",
		breaks: "S4",
		file: "tick/perform.ts",
		old: "resourceVersion: action.resourceVersion,\n				mark: null,",
		new: 'resourceVersion: "",\n				mark: null,',
	},
	{
		name: "resourceVersion of the cordon",
		breaks: "S9",
		file: "tick/perform.ts",
		old: "resourceVersion: action.resourceVersion,\n				mark: action.mark,",
		new: 'resourceVersion: "",\n				mark: action.mark,',
	},
	{
		name: "the UID of evictions",
		breaks: "S7",
		file: "tick/perform.ts",
		old: "await api.evict(action.pod,",
		new: 'await api.evict({ ...action.pod, uid: "" },',
	},
	{
		name: "a wrong setting is not quoted with a secret in it",
		breaks: "S10",
		file: "settings/settings.ts",
		old: "problems: withoutSecrets(problems, env)",
		new: "problems",
	},
];

export const tickEdits: readonly Edit[] = [...table, ...rounds, ...looks, ...acts];
