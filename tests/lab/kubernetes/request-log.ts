// Every request that was answered: as lines of an audit log, as the real API server writes them, and with their sizes.
import { type AuditLine, matches, type RequestFilter } from "../../real/audit.ts";
import type { Target } from "./resources.ts";

export interface RequestLine extends AuditLine {
	readonly method: string;
	/** `/api/v1/namespaces/{namespace}/pods/{name}/eviction` */
	readonly pattern: string;
	/** Of the answer's body, before compression; a watch counts what was sent until its end. */
	readonly bytes: number;
	readonly status: number;
}

const linesMax = 20_000;

export class RequestLog {
	#lines: RequestLine[] = [];

	add(line: RequestLine): void {
		this.#lines.push(line);
		if (this.#lines.length > 2 * linesMax) this.#lines = this.#lines.slice(-linesMax);
	}

	find(filter: RequestFilter): RequestLine[] {
		return this.#lines.filter((line) => matches(line, filter));
	}

	clear(): void {
		this.#lines = [];
	}
}

export function patternOf(url: string, target: Target | null): string {
	const path = url.split("?")[0] ?? "";
	if (target === null) return path;
	const { resource, namespace, name, subresource } = target;
	const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
	return [
		root,
		namespace === null ? "" : "/namespaces/{namespace}",
		`/${resource.plural}`,
		name === null ? "" : "/{name}",
		subresource === null ? "" : `/${subresource}`,
	].join("");
}
