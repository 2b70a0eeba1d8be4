// The API server's audit log: every request with who made it and what was answered.

export interface AuditLine {
	readonly verb: string;
	readonly requestURI: string;
	readonly user: {
		readonly username: string;
		readonly groups?: readonly string[];
		readonly extra?: Readonly<Record<string, readonly string[]>>;
	};
	readonly userAgent?: string;
	readonly objectRef?: { readonly resource?: string; readonly subresource?: string; readonly namespace?: string; readonly name?: string };
	readonly responseStatus?: { readonly code?: number; readonly reason?: string };
	readonly requestReceivedTimestamp: string;
	readonly stageTimestamp: string;
	readonly annotations?: Readonly<Record<string, string>>;
}

/** What is absent matches everything. */
export interface RequestFilter {
	readonly user?: string;
	readonly verb?: string;
	readonly resource?: string;
	readonly subresource?: string;
	readonly namespace?: string;
	readonly name?: string;
	/** Received at or after this instant. */
	readonly since?: number;
	/** Only requests that change something: no reads, no dry runs. */
	readonly writes?: boolean;
	/** Only those of them that do something to the cluster: events tell of it, and change nothing. */
	readonly acts?: boolean;
}

const reads = new Set(["get", "list", "watch"]);

export function matches(line: AuditLine, filter: RequestFilter): boolean {
	const object = line.objectRef ?? {};
	const wanted: readonly (readonly [string | undefined, string | undefined])[] = [
		[filter.user, line.user.username],
		[filter.verb, line.verb],
		[filter.resource, object.resource],
		[filter.subresource, object.subresource],
		[filter.namespace, object.namespace],
		[filter.name, object.name],
	];
	if (wanted.some(([want, have]) => want !== undefined && want !== have)) return false;
	if (filter.since !== undefined && Date.parse(line.requestReceivedTimestamp) < filter.since) return false;
	if (filter.acts === true && object.resource === "events") return false;
	return (filter.writes !== true && filter.acts !== true) || isWrite(line);
}

function isWrite(line: AuditLine): boolean {
	if (reads.has(line.verb) || isReview(line)) return false;
	return new URL(line.requestURI, "https://api").searchParams.get("dryRun") !== "All";
}

/** Asking what one may do is sent as a creation and changes nothing. */
function isReview(line: AuditLine): boolean {
	return line.objectRef?.resource?.endsWith("reviews") === true;
}

/** A last line that is being written yet is left out. */
export function parseAuditLog(text: string): AuditLine[] {
	const whole = text.slice(0, text.lastIndexOf("\n") + 1);
	return whole
		.split("\n")
		.filter((line) => line !== "")
		.map((line) => JSON.parse(line) as AuditLine);
}
