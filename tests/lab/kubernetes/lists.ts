// Lists, whole or in pages. All pages of a list are of one moment: what is left is kept, by token, until it is too old.
import { randomUUID } from "node:crypto";
import type { LabObject } from "./objects.ts";
import { apiVersionOf, keyOf, metadataOf, type Resource } from "./resources.ts";
import { type FieldRequirement, fieldRequirements, labelRequirements, meetsAll, meetsFields } from "./selectors.ts";
import { badRequest, expired } from "./statuses.ts";
import type { Store } from "./store.ts";

export interface Selection {
	readonly resource: Resource;
	readonly namespace: string | null;
	readonly matches: (object: LabObject) => boolean;
	/** The node whose pods are asked for, where the fields say so. */
	readonly node: string | null;
	readonly name: string | null;
	readonly all: boolean;
}

export function selectionOf(resource: Resource, namespace: string | null, query: URLSearchParams): Selection {
	const labels = labelRequirements(query.get("labelSelector") ?? "");
	const fields = fieldRequirements(resource.plural, query.get("fieldSelector") ?? "");
	return {
		resource,
		namespace,
		matches: (object) => meetsAll(labels, object.metadata.labels) && meetsFields(resource.plural, fields, object),
		node: valueOfField(fields, "spec.nodeName"),
		name: valueOfField(fields, "metadata.name"),
		all: labels.length + fields.length === 0,
	};
}

function valueOfField(fields: readonly FieldRequirement[], field: string): string | null {
	return fields.find((each) => each.field === field && each.equal)?.value ?? null;
}

/** The objects that may match, by the narrowest index. */
function candidates(store: Store, { resource, namespace, node, name }: Selection): Iterable<LabObject> {
	if (resource.plural === "pods" && node !== null) return [...store.podsOn(node)].filter((pod) => namespace === null || pod.metadata.namespace === namespace);
	if (name !== null && (namespace !== null || !resource.namespaced)) return [store.get(resource, namespace, name)].filter((each) => each !== undefined);
	return namespace === null ? store.all(resource) : store.inNamespace(resource, namespace);
}

export function selected(store: Store, selection: Selection): LabObject[] {
	const found: { key: string; object: LabObject }[] = [];
	for (const object of candidates(store, selection)) if (selection.matches(object)) found.push({ key: keyOf(object.metadata), object });
	return found.sort((one, other) => (one.key < other.key ? -1 : 1)).map(({ object }) => object);
}

interface Rest {
	readonly items: readonly LabObject[];
	readonly revision: string;
	readonly keptUntil: number;
}

interface Page {
	readonly items: readonly LabObject[];
	readonly revision: string;
	readonly token: string;
	readonly remaining: number;
}

/** As etcd's compaction of a real API server: every five minutes. */
const keptMs = 300_000;
const tokensMax = 500;

export class Lists {
	readonly #store: Store;
	readonly #rests = new Map<string, Rest>();

	constructor(store: Store) {
		this.#store = store;
	}

	/** Every continue token so far is too old. */
	expire(): void {
		this.#rests.clear();
	}

	answer(selection: Selection, query: URLSearchParams, asMetadata: boolean): object {
		const limit = Number(query.get("limit") ?? 0);
		const token = query.get("continue");
		const page = token ? this.#next(token, limit) : this.#page(selected(this.#store, selection), String(this.#store.revision), limit);
		// As measured: how many are left is told only where nothing is selected by.
		const remaining = page.remaining > 0 && selection.all ? { remainingItemCount: page.remaining } : {};
		const metadata = { resourceVersion: page.revision, ...(page.token === "" ? {} : { continue: page.token }), ...remaining };
		if (asMetadata) {
			// An empty list of metadata alone is null (tests/contract: PartialObjectMetadata pages).
			const items = page.items.length === 0 ? null : page.items.map(metadataOf);
			return { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items };
		}
		const { resource } = selection;
		const items = page.items.map(({ kind, apiVersion, ...rest }) => rest);
		return { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items };
	}

	#page(items: readonly LabObject[], revision: string, limit: number): Page {
		if (limit <= 0 || items.length <= limit) return { items, revision, token: "", remaining: 0 };
		const rest = items.slice(limit);
		return { items: items.slice(0, limit), revision, token: this.#keep(rest, revision), remaining: rest.length };
	}

	#keep(items: readonly LabObject[], revision: string): string {
		const id = randomUUID();
		this.#rests.set(id, { items, revision, keptUntil: Date.now() + keptMs });
		const oldest = this.#rests.keys().next().value;
		if (this.#rests.size > tokensMax && oldest !== undefined) this.#rests.delete(oldest);
		return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: Number(revision), start: id })).toString("base64url");
	}

	#next(token: string, limit: number): Page {
		const rest = this.#rests.get(startOf(token));
		if (rest === undefined || rest.keptUntil < Date.now())
			throw expired(
				"The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.",
			);
		return this.#page(rest.items, rest.revision, limit);
	}
}

function startOf(token: string): string {
	try {
		const { start } = JSON.parse(Buffer.from(token, "base64url").toString()) as { start: unknown };
		if (typeof start === "string") return start;
	} catch {
		// Refused below.
	}
	throw badRequest("continue key is not valid");
}
