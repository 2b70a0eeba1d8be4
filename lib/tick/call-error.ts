/**
 * How a call to the outside failed, for every adapter alike.
 *
 * unreachable      no connection (refused, no such name, network down)
 * untrusted        the server's certificate was not signed by the CA that was given
 * timedOut         no answer within the call's time limit
 * unauthorized     401: the credential is not accepted (any more)
 * forbidden        403
 * notFound         404
 * conflict         409: exists already, or another resourceVersion or UID than asked for
 * precondition     412: another ETag than asked for
 * invalid          400, 415, 422: the request as such is refused (admission policies answer so)
 * expired          410: a continue token that is too old
 * throttled        429
 * serverError      5xx
 * garbled          an answer that is not what the API promises
 */
export type CallFailure =
	| "unreachable"
	| "untrusted"
	| "timedOut"
	| "unauthorized"
	| "forbidden"
	| "notFound"
	| "conflict"
	| "precondition"
	| "invalid"
	| "expired"
	| "throttled"
	| "serverError"
	| "garbled";

/**
 * A call that failed. The message names what was being done, to what, and what was answered; it never carries a header, a token, a
 * kubeconfig or a whole body.
 */
export class CallError extends Error {
	readonly failure: CallFailure;
	/** What was being done, in the -ing form: "listing cordoned nodes". */
	readonly doing: string;
	/** HTTP status, or null where there was no answer. */
	readonly status: number | null;
	/** The server asked to come back no sooner. */
	readonly retryAfterMs: number | null;
	/** The call may have been applied, or may still be: only a later look tells. Always false for reads. */
	readonly mayHaveApplied: boolean;

	constructor(fields: {
		failure: CallFailure;
		doing: string;
		answer: string;
		status?: number | null;
		retryAfterMs?: number | null;
		mayHaveApplied?: boolean;
	}) {
		super(`${fields.doing}: ${fields.answer}`);
		this.name = "CallError";
		this.failure = fields.failure;
		this.doing = fields.doing;
		this.status = fields.status ?? null;
		this.retryAfterMs = fields.retryAfterMs ?? null;
		this.mayHaveApplied = fields.mayHaveApplied ?? false;
	}
}

/** The server understood the call and says no to it; another failure says nothing of what it would answer. */
export function isRefusal({ failure }: CallError): boolean {
	return failure === "forbidden" || failure === "invalid" || failure === "notFound";
}

/** A row is not as it was when the write was decided on: somebody else wrote, or deleted, it in between. */
export function isWriteConflict({ failure }: CallError): boolean {
	return failure === "precondition" || failure === "conflict" || failure === "notFound";
}

/** What a person should read of any thrown thing: messages only, never stacks or causes. */
export function messageOf(error: unknown): string {
	return error instanceof Error ? error.message : String(error);
}

/**
 * What a person should read of an error that no call made: a bug of ours. Its kind, its message and where it was thrown. A SyntaxError's
 * message quotes what was read.
 */
export function bugOf(error: unknown): string {
	if (!(error instanceof Error)) return `a bug of ours: ${typeof error} was thrown`;
	const message = error instanceof SyntaxError ? "" : `: ${error.message.slice(0, 300)}`;
	const place = /^\s+at (?:(\S+) )?.*?([^/\\()\s]+:\d+:\d+)\)?$/m.exec(error.stack ?? "");
	return `a bug of ours: ${error.name}${message}${place === null ? "" : ` (${[place[1], place[2]].filter((each) => each !== undefined).join(" ")})`}`;
}
