// A request as the API server understands it: which verb on which resource, and whether anybody is answered such a call at all.

import { type Target, targetOf } from "./resources.ts";
import { described, notImplemented, Refusal } from "./statuses.ts";

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export interface Call {
	readonly method: string;
	/** Path and query, as they came. */
	readonly url: string;
	readonly query: URLSearchParams;
	readonly verb: Verb;
	readonly target: Target;
	readonly accept: string;
	readonly contentType: string;
	readonly userAgent: string;
}

const dryRunnable = ["fieldManager", "dryRun"];
const selecting = ["labelSelector", "fieldSelector"];
/** Parameters that are understood; any other is a 501, never silently ignored. */
const parameters: Readonly<Record<Verb, readonly string[]>> = {
	get: [],
	list: [...selecting, "limit", "continue"],
	watch: [...selecting, "watch", "resourceVersion", "allowWatchBookmarks", "timeoutSeconds"],
	create: dryRunnable,
	update: dryRunnable,
	patch: [...dryRunnable, "force"],
	delete: ["gracePeriodSeconds", "propagationPolicy", "dryRun"],
	deletecollection: [...selecting, "gracePeriodSeconds"],
};

const patchTypes = ["application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"];

export interface Heard {
	readonly method: string;
	readonly url: string;
	readonly accept: string;
	readonly contentType: string;
	readonly userAgent: string;
}

/** Throws 501 for what is not simulated. */
export function callOf(heard: Heard): Call {
	const { pathname, searchParams: query } = new URL(heard.url, "https://lab");
	const target = targetOf(pathname);
	if (target === null) throw notImplemented(`${heard.method} ${pathname}`);
	const verb = verbOf(heard.method, target, query);
	if (verb === null) throw notImplemented(`${heard.method} ${pathname}`);
	const { resource, subresource } = target;
	if (!resource.verbs.has(subresource === null ? verb : `${subresource}/${verb}`)) throw notImplemented(described(verb, target));
	const unknown = [...query.keys()].find((name) => !parameters[verb].includes(name));
	if (unknown !== undefined) throw notImplemented(`${described(verb, target)} with parameter ${unknown}`);
	if (verb === "patch" && !patchTypes.includes(heard.contentType)) throw notImplemented(`${described(verb, target)} with content type ${heard.contentType}`);
	return { ...heard, query, verb, target };
}

function verbOf(method: string, { name }: Target, query: URLSearchParams): Verb | null {
	switch (method) {
		case "GET":
			if (name !== null) return "get";
			return query.get("watch") === "true" ? "watch" : "list";
		case "POST":
			return "create";
		case "PUT":
			return "update";
		case "PATCH":
			return "patch";
		case "DELETE":
			return name === null ? "deletecollection" : "delete";
		default:
			return null;
	}
}

/** The real server wants JSON bodies to be whole; what is none is the client's mistake. */
export function parsedBody(text: string): Record<string, unknown> {
	if (text === "") return {};
	try {
		const parsed: unknown = JSON.parse(text);
		if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
	} catch {
		// Refused below.
	}
	throw new Refusal(400, "BadRequest", "the object provided is unrecognized: expected a JSON object");
}
