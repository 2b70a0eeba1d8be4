// How records become rows of the table and back. Instants are ISO strings; long texts are cut over several properties, since one holds
// 32 Ki characters. A row that cannot be read is kept and told of, never dropped.
import type { Command } from "../plan/control.ts";
import { type Control, type EndedReboot, type Instant, type NodeMemory, nothingAsked, type Reboot } from "../plan/model.ts";
import type { ClusterTarget } from "../plan/policy.ts";
import { messageOf } from "./call-error.ts";
import type { Connection, Row, Scalar } from "./world.ts";

/** Below this the rows that every look reads; history lies behind it. */
export const hotBefore = "z";
export const leaseKey = "lease";
export const controlKey = "control";
const memoryKey = "memory";
export const fleetPartition = "fleet";
/** The row of the last round in partition `fleet`; no cluster can have that name. */
export const roundKey = "!round";
const recordPrefix = "reboot-";

/** Partition of a cluster; its name holds letters, digits, `-` and `_` only. */
export function partitionOf(cluster: string): string {
	return `cluster-${cluster}`;
}

export function recordKey(id: string): string {
	return `${recordPrefix}${id}`;
}

/** History is sorted newest first. */
function newestFirst(at: Instant): string {
	return String(9_999_999_999_999 - at).padStart(13, "0");
}

export function historyKey(ended: EndedReboot): string {
	return `z-ended-${newestFirst(ended.endedAt)}-${ended.reboot.id}`;
}

/** Of what somebody asked for. */
export function askedKey(at: Instant, id: string): string {
	return `z-asked-${newestFirst(at)}-${id}`;
}

export function askedValues(command: Command, at: Instant, told: string): Values {
	const { kind, by, reason } = command;
	return { schema: 1, command: kind, by, reason, askedAt: isoOf(at), told: told.slice(0, propertyChars), ...textValues("json", JSON.stringify(command)) };
}

type Values = Readonly<Record<string, Scalar>>;

/** Characters in one property: below the service's 32 Ki, which it counts in UTF-16. */
const propertyChars = 32_000;

export function textValues(name: string, text: string): Record<string, string> {
	const values: Record<string, string> = {};
	for (let i = 0, from = 0; from < text.length || i === 0; i++, from += propertyChars)
		values[i === 0 ? name : `${name}${i}`] = text.slice(from, from + propertyChars);
	return values;
}

export function textOf(values: Values, name: string): string {
	let text = "";
	for (let i = 0; ; i++) {
		const part = values[i === 0 ? name : `${name}${i}`];
		if (typeof part !== "string") return text;
		text += part;
	}
}

export function isoOf(at: Instant): string {
	return new Date(at).toISOString();
}

function instantOf(value: Scalar | undefined): Instant | null {
	const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
	return Number.isNaN(at) ? null : at;
}

export interface LeaseRow {
	readonly holder: string;
	/** Grows with every change of holder, and never goes back. */
	readonly fence: number;
	/** Of the last write: one that finds its own id there was applied. */
	readonly writeId: string;
	/** The last successful look at the cluster. */
	readonly lookedAt: Instant | null;
}

export function leaseValues(lease: LeaseRow): Values {
	const { holder, fence, writeId, lookedAt } = lease;
	return { holder, fence, writeId, ...(lookedAt === null ? {} : { lookedAt: isoOf(lookedAt) }) };
}

export function leaseOf(values: Values): LeaseRow {
	const fence = typeof values.fence === "number" ? values.fence : 0;
	return { holder: String(values.holder ?? ""), fence, writeId: String(values.writeId ?? ""), lookedAt: instantOf(values.lookedAt) };
}

export function recordValues(reboot: Reboot): Values {
	return {
		schema: reboot.schema,
		node: reboot.node.name,
		phase: reboot.phase,
		phaseSince: isoOf(reboot.phaseSince),
		...textValues("json", JSON.stringify(reboot)),
	};
}

export type ReadRecord = { readonly kind: "record"; readonly reboot: Reboot } | { readonly kind: "unreadable"; readonly why: string };

export function recordOf(row: Row): ReadRecord {
	if (row.values.schema !== 1) return { kind: "unreadable", why: `schema ${String(row.values.schema)}, expected 1` };
	try {
		// Records of before there were requests have none.
		return { kind: "record", reboot: { request: null, ...(JSON.parse(textOf(row.values, "json")) as Omit<Reboot, "request">) } };
	} catch (error) {
		return { kind: "unreadable", why: messageOf(error) };
	}
}

export function isRecordKey(key: string): boolean {
	return key.startsWith(recordPrefix);
}

export function historyValues(ended: EndedReboot): Values {
	const { reboot, end, endedAt } = ended;
	return { schema: 1, node: reboot.node.name, pool: reboot.node.pool, end, endedAt: isoOf(endedAt), ...textValues("json", JSON.stringify(ended)) };
}

/** Characters of one memory row: a row holds 1 MiB, two bytes to each. 5,000 nodes that wait need four of them. */
const memoryRowChars = 400_000;

export function isMemoryKey(key: string): boolean {
	return key === memoryKey || key.startsWith(`${memoryKey}-`);
}

/** The memory as rows, by key, in as few as hold it. */
export function memoryRows(memory: readonly NodeMemory[]): ReadonlyMap<string, Values> {
	const rows: string[][] = [];
	let chars = Number.POSITIVE_INFINITY;
	for (const each of memory) {
		const text = JSON.stringify(each);
		if (chars + text.length > memoryRowChars) {
			rows.push([]);
			chars = 0;
		}
		rows.at(-1)?.push(text);
		chars += text.length + 1;
	}
	const key = (i: number) => (i === 0 ? memoryKey : `${memoryKey}-${i}`);
	return new Map(rows.map((texts, i) => [key(i), { schema: 1, ...textValues("json", `[${texts.join()}]`) }]));
}

export function memoryOfRow(values: Values): readonly NodeMemory[] {
	try {
		const parsed: unknown = JSON.parse(textOf(values, "json"));
		return Array.isArray(parsed) ? (parsed as NodeMemory[]) : [];
	} catch {
		// Losing the memory costs at most one more reboot per node; refusing to go on would cost every node.
		return [];
	}
}

export function controlValues(control: Control): Values {
	return { schema: 1, ...textValues("json", JSON.stringify(control)) };
}

/** What people asked; null when it cannot be read, which is no permission for anything. */
export function controlOf(values: Values): Control | null {
	const text = textOf(values, "json");
	if (text === "") return nothingAsked;
	try {
		const { holds, requests } = { ...nothingAsked, ...(JSON.parse(text) as Partial<Control> | null) };
		return Array.isArray(holds) && Array.isArray(requests) ? { holds, requests } : null;
	} catch {
		return null;
	}
}

/** A cluster's row of the partition `fleet`. */
export interface FleetRow {
	readonly target: ClusterTarget;
	readonly fence: number;
	/** Reboots may be in flight there, also when the cluster is no longer in `CLUSTERS`. */
	readonly inFlight: boolean;
	readonly connection: Connection | null;
	readonly writtenAt: Instant;
	/** JSON of what people see of the cluster. */
	readonly summary: string;
	/** `metadata.uid` of its namespace kube-system, once it was read. */
	readonly clusterUid: string;
	readonly etag: string;
}

export function fleetValues(row: Omit<FleetRow, "etag" | "writtenAt">): Values {
	const { target, fence, inFlight, connection, summary, clusterUid } = row;
	const server = connection === null ? {} : { server: connection.server, ...textValues("caData", connection.caData) };
	return { schema: 1, target: JSON.stringify(target), fence, inFlight, clusterUid, ...server, ...textValues("summary", summary) };
}

export function fleetOf(row: Row): FleetRow | null {
	try {
		const target = JSON.parse(String(row.values.target)) as ClusterTarget;
		if (typeof target.name !== "string") return null;
		const { server } = row.values;
		return {
			target,
			fence: typeof row.values.fence === "number" ? row.values.fence : 0,
			inFlight: row.values.inFlight === true,
			connection: typeof server === "string" ? { server, caData: textOf(row.values, "caData") } : null,
			writtenAt: row.writtenAt,
			summary: textOf(row.values, "summary"),
			clusterUid: String(row.values.clusterUid ?? ""),
			etag: row.etag,
		};
	} catch {
		return null;
	}
}

/** The last round that ended, whichever worker's. */
export interface RoundRow {
	/** When it ended, by the service's clock. */
	readonly endedAt: Instant;
	readonly worker: string;
	readonly clusters: number;
	/** Clusters that could not be looked at. */
	readonly failed: number;
	readonly tookMs: number;
}

export function roundValues({ worker, clusters, failed, tookMs }: Omit<RoundRow, "endedAt">): Values {
	return { schema: 1, worker, clusters, failed, tookMs: Math.round(tookMs) };
}

export function roundOf(row: Row): RoundRow {
	const { worker, clusters, failed, tookMs } = row.values;
	const count = (value: Scalar | undefined) => (typeof value === "number" ? value : 0);
	return { endedAt: row.writtenAt, worker: String(worker ?? ""), clusters: count(clusters), failed: count(failed), tookMs: count(tookMs) };
}
