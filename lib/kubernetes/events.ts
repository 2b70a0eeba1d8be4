// Events about nodes. The API server wants those about objects without a namespace in `default`; `kubectl describe node` finds them there
// by the node's name and UID.
import { type EventsV1Event, V1MicroTime } from "@kubernetes/client-node";
import { fieldManager } from "../plan/model.ts";
import type { NodeEvent } from "../tick/world.ts";
import { shortened } from "./errors.ts";

export const eventsNamespace = "default";
/** Bytes of UTF-8 (kubernetes, pkg/apis/core/validation/events.go). */
const noteBytesMax = 1024;

/** The text, cut at a whole character where it is longer than so many bytes. */
export function cutToBytes(text: string, bytesMax: number): string {
	if (Buffer.byteLength(text) <= bytesMax) return text;
	const ellipsis = "…";
	let [cut, bytes] = ["", Buffer.byteLength(ellipsis)];
	for (const character of text) {
		bytes += Buffer.byteLength(character);
		if (bytes > bytesMax) break;
		cut += character;
	}
	return cut + ellipsis;
}

export function eventOf({ name, node, nodeUid, type, reason, note, at, instance }: NodeEvent): EventsV1Event {
	return {
		apiVersion: "events.k8s.io/v1",
		kind: "Event",
		metadata: { name, namespace: eventsNamespace },
		regarding: { apiVersion: "v1", kind: "Node", name: node, uid: nodeUid },
		eventTime: new V1MicroTime(at),
		type,
		reason,
		action: "Reboot",
		note: cutToBytes(shortened(note, noteBytesMax), noteBytesMax),
		reportingController: fieldManager,
		reportingInstance: instance,
	};
}
