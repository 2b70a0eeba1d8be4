// How the errors of the Azure SDKs become CallErrors. Nothing of an SDK's own message is passed on: it may quote a body, a URL with a
// signature, or the string that was signed.
import { CallError, type CallFailure } from "../tick/call-error.ts";

/** What is known of a call before it is made. */
export interface CallContext {
	/** In the -ing form, with the object: "reading cluster prod from ARM". */
	readonly doing: string;
	/** It changes something: an unknown end may have been applied. */
	readonly write: boolean;
	/** Names a place in the request that the service counts ("write 0 of 3"). */
	readonly place?: (index: number) => string | undefined;
	/** What a person should do about an answer, in one clause. */
	readonly advice?: (status: number | null, code: string | null) => string | undefined;
}

/** The parts of an SDK's RestError that are read. Structural: two copies of the pipeline package may be installed. */
interface RestLike {
	readonly name?: unknown;
	readonly code?: unknown;
	readonly message?: unknown;
	readonly statusCode?: unknown;
	readonly details?: unknown;
	readonly response?: { readonly headers?: { get?(name: string): string | undefined } };
}

/** Never left this machine, or the handshake failed: the request itself was not sent. */
const notSentCodes = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN"]);
const certificateCode = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH$|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$)/;
/** Names of @azure/identity's errors: no token could be had, so no request was sent. */
const identityErrors = new Set(["CredentialUnavailableError", "AuthenticationError", "AuthenticationRequiredError", "AggregateAuthenticationError"]);

/** The machine-readable code of an error answer ("AuthorizationFailed"), or null. Only what looks like a code is let through. */
export function serviceCode(error: unknown): string | null {
	const { code, details } = (error ?? {}) as RestLike;
	const { odataError, error: armError } = (details ?? {}) as { odataError?: { code?: unknown }; error?: { code?: unknown } };
	const found = [odataError?.code, armError?.code, code].find((each) => typeof each === "string" && /^[A-Za-z][A-Za-z0-9_.]{1,63}$/.test(each));
	return typeof found === "string" ? found : null;
}

/** HTTP status of an error answer, or null. */
export function statusOf(error: unknown): number | null {
	const status = ((error ?? {}) as RestLike).statusCode;
	return typeof status === "number" && (error as RestLike).name === "RestError" ? status : null;
}

function failureOf(status: number, code: string | null): CallFailure {
	if (status === 401) return "unauthorized";
	if (status === 403) return "forbidden";
	if (status === 404) return "notFound";
	if (status === 408) return "timedOut";
	// 409 has more than one meaning: TableBeingDeleted and its like say "later", not "somebody was first".
	if (status === 409) return code === null || /AlreadyExists$|Conflict$/.test(code) ? "conflict" : "serverError";
	if (status === 410) return "expired";
	if (status === 412) return "precondition";
	if (status === 429) return "throttled";
	if (status >= 500) return "serverError";
	return status >= 400 ? "invalid" : "garbled";
}

/** Whether an answer leaves open what became of a write. One of 4xx says that nothing was done, unless it says "too slow" or "too many". */
function leavesOpen(status: number): boolean {
	return status < 400 || status === 408 || status === 429 || status >= 500;
}

/** `Retry-After` in milliseconds (seconds or a date, or Azure's millisecond headers), or null. */
export function retryAfterMs(error: unknown, now: number): number | null {
	const headers = ((error ?? {}) as RestLike).response?.headers;
	const read = (name: string): string | undefined => headers?.get?.(name);
	const ms = read("retry-after-ms") ?? read("x-ms-retry-after-ms");
	if (ms !== undefined && /^\d{1,9}$/.test(ms)) return Number(ms);
	const after = read("retry-after");
	if (after === undefined) return null;
	if (/^\d{1,6}$/.test(after)) return Number(after) * 1000;
	const until = Date.parse(after);
	return Number.isNaN(until) ? null : Math.max(0, until - now);
}

/** The index that Table Storage puts before the message of a failed transaction: "0:The update condition …". */
function failedIndex(error: RestLike): number | null {
	const found = typeof error.message === "string" ? /^(\d{1,3}):/.exec(error.message) : null;
	return found?.[1] === undefined ? null : Number(found[1]);
}

function answered(error: RestLike, status: number, context: CallContext, now: number): CallError {
	const code = serviceCode(error);
	const failure = failureOf(status, code);
	const index = failedIndex(error);
	const place = index === null ? undefined : context.place?.(index);
	const parts = [`answered ${status}${code === null ? "" : ` ${code}`}${place === undefined ? "" : ` at ${place}`}`];
	if (failure === "garbled") parts[0] = `the answer (status ${status}) is not what the API promises`;
	const advice = context.advice?.(status, code);
	if (advice !== undefined) parts.push(advice);
	return new CallError({
		failure,
		doing: context.doing,
		answer: parts.join("; "),
		status,
		retryAfterMs: retryAfterMs(error, now),
		mayHaveApplied: context.write && leavesOpen(status),
	});
}

function disconnected(error: RestLike, code: string, context: CallContext): CallError {
	const untrusted = certificateCode.test(code);
	const connecting = notSentCodes.has(code) || (typeof error.message === "string" && error.message.startsWith("connect "));
	return new CallError({
		failure: untrusted ? "untrusted" : "unreachable",
		doing: context.doing,
		answer: untrusted ? `the server's certificate is not accepted (${code})` : `no answer (${code})`,
		mayHaveApplied: context.write && !untrusted && !connecting,
	});
}

/** Why no token could be had: the identity library's error by name, with Entra's code where there is one. */
function withoutToken(error: Error, context: CallContext): CallError {
	const entraCode = /AADSTS\d{3,7}/.exec(error.message)?.[0];
	const what = error.name === "CredentialUnavailableError" ? "no identity is available here" : "Entra ID gave no token";
	return new CallError({ failure: "unauthorized", doing: context.doing, answer: `${what} (${error.name}${entraCode === undefined ? "" : ` ${entraCode}`})` });
}

/** Any error of a call as a CallError; one that is a CallError already is passed on. */
export function toCallError(error: unknown, context: CallContext, now: number = Date.now()): CallError {
	if (error instanceof CallError) return error;
	if (error instanceof Error && identityErrors.has(error.name)) return withoutToken(error, context);
	const status = statusOf(error);
	if (status !== null) return answered(error as RestLike, status, context, now);
	const { name, code } = (error ?? {}) as RestLike;
	if (name === "RestError" || (typeof code === "string" && /^E[A-Z_]+$/.test(code))) {
		return disconnected(error as RestLike, typeof code === "string" ? code : "no code", context);
	}
	// The SDK stumbled over the answer, or over something of ours: its message may quote what it read.
	return new CallError({
		failure: "garbled",
		doing: context.doing,
		answer: `the answer is not what the API promises (${typeof name === "string" ? name : typeof error})`,
		mayHaveApplied: context.write,
	});
}
