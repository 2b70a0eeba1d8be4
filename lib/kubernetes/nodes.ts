// Nodes, reduced to facts, and the one patch that we ever send to them.
import type { V1ManagedFieldsEntry, V1Node, V1ObjectMeta } from "@kubernetes/client-node";
import type { Mark, MarkSeen, NodeFacts, NodeMetadata } from "../plan/model.ts";
import type { NodePatch } from "../tick/world.ts";
import { required, shortened } from "./errors.ts";

export const markAnnotation = "aks-reboot-scheduler/reboot";
export const holdAnnotation = "aks-reboot-scheduler/hold";

/** Labels of AKS (its documentation, "reserved labels"). */
const poolLabel = "kubernetes.azure.com/agentpool";
const modeLabel = "kubernetes.azure.com/mode";
/** Label of virtual nodes (Virtual Kubelet); their taint bears the provider's name. */
const virtualLabel = "type";
const virtualTaint = "virtual-kubelet.io/provider";
const garbledTextMax = 300;

/** Throws GarbledAnswer where name, UID or resourceVersion is missing. */
export function nodeFacts(node: V1Node): NodeFacts {
	const metadata = required(node.metadata, "a node's metadata");
	const taints = (node.spec?.taints ?? []).map((taint) => taint.key);
	const common = nodeMetadata(metadata);
	return {
		...common,
		virtual: common.virtual || taints.includes(virtualTaint),
		resourceVersion: required(metadata.resourceVersion, "a node's resourceVersion"),
		bootId: node.status?.nodeInfo?.bootID ?? "",
		kernelVersion: node.status?.nodeInfo?.kernelVersion ?? "",
		ready: node.status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") ?? false,
		unschedulable: node.spec?.unschedulable === true,
		unschedulableManagers: unschedulableManagers(metadata.managedFields ?? []),
		mark: parseMark(metadata.annotations?.[markAnnotation]),
		taints,
		deleting: metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null,
	};
}

export function nodeMetadata(metadata: V1ObjectMeta): NodeMetadata {
	const labels = metadata.labels ?? {};
	return {
		name: required(metadata.name, "a node's name"),
		uid: required(metadata.uid, "a node's UID"),
		pool: labels[poolLabel] || "default",
		systemPool: labels[modeLabel]?.toLowerCase() === "system",
		hold: holdReason(metadata.annotations?.[holdAnnotation]),
		virtual: labels[virtualLabel] === "virtual-kubelet",
	};
}

/** A hold without a reason is a hold. */
function holdReason(annotation: string | undefined): string | null {
	return annotation === undefined ? null : shortened(annotation) || "no reason given";
}

/** Whoever set `spec.unschedulable` last, by `metadata.managedFields`: status and apply entries included, each name once. */
export function unschedulableManagers(entries: readonly V1ManagedFieldsEntry[]): readonly string[] {
	const holders = entries.filter((entry) => {
		const spec: unknown = (entry.fieldsV1 as Record<string, unknown> | undefined)?.["f:spec"];
		return typeof spec === "object" && spec !== null && "f:unschedulable" in spec;
	});
	return [...new Set(holders.map((entry) => entry.manager ?? ""))];
}

/** Never throws: a mark that cannot be read still says that the cordon was ours. */
export function parseMark(annotation: string | undefined): MarkSeen {
	if (annotation === undefined) return { kind: "none" };
	const mark = readMark(annotation);
	return mark === null ? { kind: "garbled", text: shortened(annotation, garbledTextMax) } : { kind: "mark", mark };
}

function readMark(annotation: string): Mark | null {
	const fields = parsedObject(annotation);
	if (fields === null) return null;
	const { record, owner, nodeUid, bootId, foundCordoned } = fields;
	const since = instant(fields.since);
	const askedAt = fields.askedAt === undefined ? undefined : instant(fields.askedAt);
	if (!isName(record) || typeof owner !== "string" || !isName(nodeUid) || !isName(bootId) || typeof foundCordoned !== "boolean") return null;
	// An `askedAt` that cannot be read must not be taken for none: the node may go down at any moment.
	if (since === null || askedAt === null) return null;
	return { record, owner, nodeUid, bootId, foundCordoned, since, ...(askedAt === undefined ? {} : { askedAt }) };
}

function isName(value: unknown): value is string {
	return typeof value === "string" && value !== "";
}

/** The JSON object in an annotation, or null. */
export function parsedObject(annotation: string): Record<string, unknown> | null {
	try {
		const value: unknown = JSON.parse(annotation);
		return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
	} catch {
		return null;
	}
}

/** RFC 3339, as `date -u +%Y-%m-%dT%H:%M:%SZ` and `toISOString` write it; anything laxer depends on the machine. */
const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** Milliseconds since the epoch, or null for anything but an instant. */
export function instant(value: unknown): number | null {
	if (typeof value !== "string" || !rfc3339.test(value)) return null;
	const at = Date.parse(value);
	return Number.isFinite(at) ? at : null;
}

export function markText(mark: Mark): string {
	const { since, askedAt, ...rest } = mark;
	return JSON.stringify({
		...rest,
		since: new Date(since).toISOString(),
		...(askedAt === undefined ? {} : { askedAt: new Date(askedAt).toISOString() }),
	});
}

/** A merge patch (RFC 7396: null removes). The resourceVersion in it makes the API server refuse it for a node that changed since. */
export function nodePatchBody(patch: NodePatch): object {
	return {
		metadata: {
			resourceVersion: patch.resourceVersion,
			...(patch.mark === undefined ? {} : { annotations: { [markAnnotation]: patch.mark === null ? null : markText(patch.mark) } }),
		},
		...(patch.unschedulable === undefined ? {} : { spec: { unschedulable: patch.unschedulable ? true : null } }),
	};
}
