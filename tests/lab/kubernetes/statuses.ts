// Answers that refuse, in the words of the real server (k8s.io/apimachinery, pkg/api/errors): the adapters read reasons, causes and messages.
import type { Resource, Target } from "./resources.ts";

export interface Cause {
	readonly reason: string;
	readonly message: string;
	readonly field?: string;
}

export interface StatusDetails {
	readonly name?: string;
	readonly group?: string;
	readonly kind?: string;
	readonly uid?: string;
	readonly causes?: readonly Cause[];
	readonly retryAfterSeconds?: number;
}

export interface Status {
	readonly kind: "Status";
	readonly apiVersion: "v1";
	readonly metadata: object;
	readonly status: "Success" | "Failure";
	readonly message?: string;
	readonly reason?: string;
	readonly details?: StatusDetails;
	readonly code: number;
}

/** Thrown where a request is refused; becomes the answer. */
export class Refusal extends Error {
	readonly status: Status;

	constructor(code: number, reason: string | null, message: string, details?: StatusDetails) {
		super(message);
		this.status = failure(code, reason, message, details);
	}
}

function failure(code: number, reason: string | null, message: string, details?: StatusDetails): Status {
	return {
		kind: "Status",
		apiVersion: "v1",
		metadata: {},
		status: "Failure",
		message,
		...(reason === null ? {} : { reason }),
		...(details === undefined ? {} : { details }),
		code,
	};
}

/** `deployments.apps`, `nodes`. */
export function qualified({ plural, group }: Resource): string {
	return group === "" ? plural : `${plural}.${group}`;
}

function detailsOf({ plural, group }: Resource, name: string): StatusDetails {
	return { name, ...(group === "" ? {} : { group }), kind: plural };
}

export function success(code: number, details?: StatusDetails): Status {
	return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", ...(details === undefined ? {} : { details }), code };
}

export function deleted(of: Resource, name: string, uid: string): Status {
	return success(200, { ...detailsOf(of, name), uid });
}

export function notFound(of: Resource, name: string): Refusal {
	return new Refusal(404, "NotFound", `${qualified(of)} "${name}" not found`, detailsOf(of, name));
}

export function alreadyExists(of: Resource, name: string): Refusal {
	return new Refusal(409, "AlreadyExists", `${qualified(of)} "${name}" already exists`, detailsOf(of, name));
}

export function conflict(of: Resource, name: string, why: string): Refusal {
	return new Refusal(409, "Conflict", `Operation cannot be fulfilled on ${qualified(of)} "${name}": ${why}`, detailsOf(of, name));
}

export const objectModified = "the object has been modified; please apply your changes to the latest version and try again";

export function uidDiffers(wanted: string, found: string): string {
	return `the UID in the precondition (${wanted}) does not match the UID in record (${found}). The object might have been deleted and then recreated`;
}

export function badRequest(message: string): Refusal {
	return new Refusal(400, "BadRequest", message);
}

export function invalid(of: Resource, name: string, field: string, why: string, reason = "FieldValueInvalid"): Refusal {
	const message = `${qualified({ ...of, plural: of.kind })} "${name}" is invalid: ${field}: ${why}`;
	return new Refusal(422, "Invalid", message, { ...detailsOf({ ...of, plural: of.kind }, name), causes: [{ reason, message: why, field }] });
}

export function forbidden(of: Resource, name: string | null, why: string, causes?: readonly Cause[]): Refusal {
	const what = name === null ? qualified(of) : `${qualified(of)} "${name}"`;
	const details = { ...(name === null ? {} : { name }), ...(of.group === "" ? {} : { group: of.group }), kind: of.plural };
	return new Refusal(403, "Forbidden", `${what} is forbidden: ${why}`, { ...details, ...(causes === undefined ? {} : { causes }) });
}

export function namespaceTerminating(of: Resource, name: string, namespace: string): Refusal {
	const cause = { reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated`, field: "metadata.namespace" };
	return forbidden(of, name, `unable to create new content in namespace ${namespace} because it is being terminated`, [cause]);
}

export function unauthorized(): Refusal {
	return new Refusal(401, "Unauthorized", "Unauthorized");
}

export function expired(message: string): Refusal {
	return new Refusal(410, "Expired", message);
}

/** What nobody calls is not simulated: it says so instead of answering something that is not true. */
export function notImplemented(call: string): Refusal {
	return new Refusal(501, "NotImplemented", `the lab's API server does not answer this call: ${call}`);
}

/** `GET nodes/status`, for a 501. */
export function described(verb: string, target: Target): string {
	const { resource, subresource } = target;
	return `${verb} ${qualified(resource)}${subresource === null ? "" : `/${subresource}`}`;
}
