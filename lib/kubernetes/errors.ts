// The one translation of what the client library and the network throw into CallError.
import { ApiException } from "@kubernetes/client-node";
import { CallError, type CallFailure } from "../tick/call-error.ts";

/** An answer that is not what the API promises. Its message says what was expected, never what came. */
export class GarbledAnswer extends Error {
	constructor(expected: string) {
		super(`expected ${expected}`);
		this.name = "GarbledAnswer";
	}
}

/** The value, or a GarbledAnswer that names what is missing. */
export function required<T>(value: T | null | undefined, what: string): T {
	if (value === undefined || value === null || value === "") throw new GarbledAnswer(`${what} in the answer`);
	return value;
}

/** The object, if it is of one of these kinds. (A proxy's page or another object deserializes to one without a kind or with another.) */
export function ofKind<T extends { readonly kind?: string | undefined }>(answer: T, ...kinds: readonly string[]): T {
	if (answer?.kind === undefined || !kinds.includes(answer.kind)) throw new GarbledAnswer(`an object of kind ${kinds.join(" or ")}`);
	return answer;
}

export interface StatusCause {
	readonly reason: string;
	readonly message: string;
}

/** The parts of a Kubernetes Status object that decisions are made of. */
export interface StatusBody {
	readonly reason: string;
	readonly message: string;
	readonly causes: readonly StatusCause[];
	readonly retryAfterSeconds: number | null;
}

function text(value: unknown): string {
	return typeof value === "string" ? value : "";
}

function fields(value: unknown): Record<string, unknown> {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

/** Reads a Status object from a body that is JSON text or already parsed; null when it is none (a page of a proxy, nothing at all). */
export function statusBody(body: unknown): StatusBody | null {
	let parsed = body;
	if (typeof body === "string") {
		try {
			parsed = JSON.parse(body);
		} catch {
			return null;
		}
	}
	const status = fields(parsed);
	if (status.kind !== "Status") return null;
	const details = fields(status.details);
	const causes = Array.isArray(details.causes) ? details.causes.map(fields) : [];
	return {
		reason: text(status.reason),
		message: text(status.message),
		causes: causes.map((cause) => ({ reason: text(cause.reason), message: text(cause.message) })),
		retryAfterSeconds: typeof details.retryAfterSeconds === "number" ? details.retryAfterSeconds : null,
	};
}

/** The Status of an answer that was an error; null for anything else. */
export function statusOf(error: unknown): StatusBody | null {
	return error instanceof ApiException ? statusBody(error.body) : null;
}

const messageLengthMax = 300;

/** Control characters and line breaks would let a server write lines into our log. */
export function shortened(message: string, lengthMax: number = messageLengthMax): string {
	const line = message.replace(/\p{Cc}+/gu, " ").trim();
	return line.length <= lengthMax ? line : `${line.slice(0, lengthMax - 1)}…`;
}

function retryAfterMs(error: ApiException<unknown>, status: StatusBody | null): number | null {
	const header = Number.parseInt(error.headers?.["retry-after"] ?? "", 10);
	const seconds = Number.isFinite(header) ? header : status?.retryAfterSeconds;
	return seconds === undefined || seconds === null || seconds < 0 ? null : seconds * 1000;
}

/** What must be a Status with this reason to be believed: a proxy's 404 is not the API's word that a node is gone. */
const believedReasons: Readonly<Record<number, string>> = { 404: "NotFound", 410: "Expired" };

function failureOf(code: number, status: StatusBody | null): CallFailure {
	const believed = believedReasons[code];
	if (believed !== undefined && status?.reason !== believed && !(code === 410 && status?.reason === "Gone")) return "garbled";
	switch (code) {
		case 400:
		case 405:
		case 413:
		case 415:
		case 422:
			return "invalid";
		case 401:
			return "unauthorized";
		case 403:
			return "forbidden";
		case 404:
			return "notFound";
		case 409:
			return "conflict";
		case 410:
			return "expired";
		case 412:
			return "precondition";
		case 429:
			return "throttled";
		default:
			return code >= 500 ? "serverError" : "garbled";
	}
}

function answered(doing: string, write: boolean, error: ApiException<unknown>): CallError {
	const status = statusBody(error.body);
	const failure = failureOf(error.code, status);
	const said = status === null ? "without a Status object" : [status.reason, shortened(status.message)].filter((part) => part !== "").join(": ");
	return new CallError({
		failure,
		doing,
		// A 401 has no body in the library: its number says all.
		answer: error.code === 401 ? "401 Unauthorized" : `${error.code} ${said}`,
		status: error.code,
		retryAfterMs: retryAfterMs(error, status),
		// The API server also answers 5xx when it does not know whether its own store took the write.
		mayHaveApplied: write && (failure === "serverError" || failure === "garbled"),
	});
}

/** Error codes by which no byte of the request was sent. */
const notSent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL", "UND_ERR_CONNECT_TIMEOUT"]);
/** A proxy of ours that refuses, a handshake that fails: nothing was sent either. */
const notSentPrefixes = ["ERR_SSL_", "ERR_OSSL_", "ERR_TLS_", "UND_ERR_PRX"];
const untrustedCodes = new Set([
	"UNABLE_TO_GET_ISSUER_CERT",
	"UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
	"UNABLE_TO_VERIFY_LEAF_SIGNATURE",
	"UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY",
	"UNABLE_TO_DECRYPT_CERT_SIGNATURE",
	"DEPTH_ZERO_SELF_SIGNED_CERT",
	"SELF_SIGNED_CERT_IN_CHAIN",
	"INVALID_CA",
	"INVALID_PURPOSE",
	"PATH_LENGTH_EXCEEDED",
	"HOSTNAME_MISMATCH",
	"ERROR_IN_CERT_NOT_BEFORE_FIELD",
	"ERROR_IN_CERT_NOT_AFTER_FIELD",
]);

function isUntrusted(code: string): boolean {
	// ERR_OSSL_PEM_…: the CA or client certificate that we were given cannot be read.
	return untrustedCodes.has(code) || code.startsWith("CERT_") || code.startsWith("ERR_TLS_CERT_") || code.startsWith("ERR_OSSL_");
}

interface NetworkFault {
	readonly code: string;
	readonly connecting: boolean;
}

/** The system's or undici's code at the end of the chain of causes; undefined when it is no fault of the network. */
function networkFault(error: unknown): NetworkFault | undefined {
	for (let cause = error, depth = 0; cause instanceof Error && depth < 6; cause = cause.cause, depth++) {
		const { code, syscall } = cause as { code?: unknown; syscall?: unknown };
		if (typeof code === "string") return { code, connecting: syscall === "connect" || syscall === "getaddrinfo" };
		if (cause instanceof AggregateError && cause.errors.length > 0) {
			const inner = networkFault(cause.errors[0]);
			if (inner !== undefined) return inner;
		}
	}
	return undefined;
}

const timeoutCodes = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);

function isTimeout(error: unknown): boolean {
	return error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError");
}

function disconnected(doing: string, write: boolean, fault: NetworkFault): CallError {
	const { code } = fault;
	if (isUntrusted(code)) return new CallError({ failure: "untrusted", doing, answer: `the server's certificate is not trusted (${code})` });
	if (timeoutCodes.has(code)) return new CallError({ failure: "timedOut", doing, answer: `no answer (${code})`, mayHaveApplied: write });
	const sent = !fault.connecting && !notSent.has(code) && !notSentPrefixes.some((prefix) => code.startsWith(prefix));
	const answer = sent ? `the connection broke (${code})` : `no connection (${code})`;
	return new CallError({ failure: "unreachable", doing, answer, mayHaveApplied: write && sent });
}

/** Anything else that was thrown while an answer was read. A SyntaxError's message quotes the body: it is never passed on. */
function garbled(doing: string, write: boolean, error: unknown): CallError {
	const why = error instanceof GarbledAnswer ? error.message : error instanceof TypeError ? shortened(error.message) : "it cannot be parsed";
	return new CallError({ failure: "garbled", doing, answer: `the answer is not what the Kubernetes API promises: ${why}`, mayHaveApplied: write });
}

export interface CallContext {
	/** In the -ing form, for the message. */
	readonly doing: string;
	readonly write: boolean;
	readonly timeoutMs: number;
}

export function translate(error: unknown, { doing, write, timeoutMs }: CallContext): CallError {
	if (error instanceof CallError) return error;
	if (error instanceof ApiException) return answered(doing, write, error);
	if (isTimeout(error)) return new CallError({ failure: "timedOut", doing, answer: `no answer within ${timeoutMs} ms`, mayHaveApplied: write });
	const fault = networkFault(error);
	return fault === undefined ? garbled(doing, write, error) : disconnected(doing, write, fault);
}

/** Whether a credential that is made anew may help: it was refused, or it leads to the wrong server. None of these calls was applied. */
export function asksForNewCredential(error: unknown): boolean {
	if (error instanceof CallError) return error.failure === "unauthorized" || error.failure === "untrusted";
	if (error instanceof ApiException) return error.code === 401;
	const code = networkFault(error)?.code;
	return code !== undefined && (code === "ENOTFOUND" || isUntrusted(code));
}
