// The controls over HTTP: what a person or a program asks for, checked and carried out.
import { commandKinds, untilProblem } from "../plan/control.ts";
import { CallError } from "../tick/call-error.ts";
import { takesEffect, textProblems, type Written } from "../tick/control.ts";
import type { Order, Refusal } from "../tick/order.ts";
import { pageAddress, toldParameter, typedParameters } from "./control-form.ts";
import type { Answer, Asked } from "./exchange.ts";

/** Carries out an order; throws CallError where the table cannot be used. */
export type Perform = (order: Order) => Promise<Written | Refusal>;

const bodyChars = 16 * 1024;
/**
 * The answer to what was asked of the controls: JSON to JSON, and to the page's form the way back to the page, with a message.
 *
 * @param nobody who asks where neither App Service authentication nor the request says so
 */
export async function answerControls(asked: Asked, perform: Perform, nobody: string): Promise<Answer> {
	if (asked.method !== "POST") return problems(405, [`${asked.method} changes nothing here: expected POST`], { allow: "POST" });
	const type = (asked.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
	if (type !== "application/json" && type !== formType) return problems(415, [`content type: expected application/json or ${formType}`]);
	const foreign = fromElsewhere(asked, type === formType);
	if (foreign !== null) return problems(403, [foreign]);
	if (asked.body.length > bodyChars) return problems(413, [`the body: expected ${bodyChars} characters at most`]);
	const by = asked.header("x-ms-client-principal-name");
	if (type === formType) {
		const fields = formFields(asked.body);
		return backToPage(asked, await performed(orderOf(fields, by, nobody), perform), asked.body);
	}
	const fields = jsonFields(asked.body);
	return "problem" in fields ? problems(400, [fields.problem]) : jsonAnswer(await performed(orderOf(fields.fields, by, nobody), perform));
}

const formType = "application/x-www-form-urlencoded";

/**
 * Why a request may have been made by another site's page in the browser of somebody who may: null where it was not. A form needs no
 * permission to cross sites, so it has to prove where it comes from; with JSON a browser asks first, and is never allowed.
 */
function fromElsewhere(asked: Asked, form: boolean): string | null {
	const site = asked.header("sec-fetch-site");
	if (site !== null) return site === "same-origin" || (site === "none" && !form) ? null : "the request comes from another site";
	const origin = asked.header("origin");
	if (origin !== null) return hostOf(origin) === asked.header("host")?.toLowerCase() ? null : "the request comes from another site";
	return form ? "a form has to come from this page, and the request does not say where it comes from: send JSON instead" : null;
}

function hostOf(origin: string): string | null {
	return URL.canParse(origin) ? new URL(origin).host : null;
}

type Fields = Readonly<Record<string, unknown>>;
const names = ["command", "cluster", "pool", "node", "name", "reason", "until", "by", "ignoreWindow"];

function jsonFields(body: string): { readonly fields: Fields } | { readonly problem: string } {
	try {
		const parsed: unknown = JSON.parse(body);
		if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return { fields: parsed as Fields };
	} catch {
		// What it says of the body is a quote from it.
	}
	return { problem: "the body: expected one JSON object" };
}

/** Fields that were left empty are not there, nor those that the pressed button has no use for: all buttons share one form. */
function formFields(body: string): Fields {
	const fields = Object.fromEntries([...new URLSearchParams(body)].filter(([, value]) => value.trim() !== ""));
	const { command, until, ignoreWindow, ...rest } = fields;
	return {
		...rest,
		...(command === undefined ? {} : { command }),
		...(until !== undefined && (command === "hold" || command === "reboot") ? { until } : {}),
		...(ignoreWindow === "true" && command === "reboot" ? { ignoreWindow: true } : {}),
	};
}

/** The order, or everything that is wrong with the fields as such. */
function orderOf(fields: Fields, principal: string | null, nobody: string): Order | readonly string[] {
	const wrong: string[] = Object.keys(fields).flatMap((name) => (names.includes(name) ? [] : [`${JSON.stringify(name.slice(0, 40))}: there is no such field`]));
	const text = (name: string): string | null => {
		const value = fields[name];
		if (value === undefined || value === null) return null;
		if (typeof value === "string" && value !== "") return value;
		wrong.push(`${name}: expected a text`);
		return null;
	};
	const kind = commandKinds.find((each) => each === fields.command);
	if (kind === undefined) wrong.push(`command: expected ${commandKinds.join(", ")}`);
	const cluster = text("cluster");
	if (cluster === null && fields.cluster === undefined) wrong.push("cluster: expected its name");
	const named = (["pool", "node", "name"] as const).flatMap((place) => {
		const name = text(place);
		return name === null ? [] : [{ kind: place, name }];
	});
	if (named.length > 1) wrong.push(`${named.map((each) => each.kind).join(", ")}: expected one of them at most`);
	const reason = text("reason");
	if (reason === null && fields.reason === undefined) wrong.push("reason: expected some words");
	const { ignoreWindow = false } = fields;
	if (typeof ignoreWindow !== "boolean") wrong.push("ignoreWindow: expected true or false");
	const until = text("until");
	const by = principal ?? text("by") ?? nobody;
	const texts = { about: named[0] ?? { kind: "cluster" as const }, reason: reason ?? "", by };
	if (wrong.length === 0 && kind !== undefined) return { kind, cluster: cluster ?? "", ...texts, until, ignoreWindow: ignoreWindow === true };
	// All at once: whoever mends one thing should not be told of the next only then.
	const more = [...textProblems(texts), until === null ? null : untilProblem(until)].filter((each) => each !== null);
	return [...wrong, ...more.filter((each) => !wrong.includes(each))];
}

async function performed(order: Order | readonly string[], perform: Perform): Promise<Written | Refusal> {
	if (!("kind" in order)) return { kind: "refused", refusal: "wrong", why: order };
	try {
		return await perform(order);
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		const unsure = error.mayHaveApplied ? "it may have been written" : "it was not written";
		return { kind: "refused", refusal: "unavailable", why: [`${unsure}: ${error.message}`] };
	}
}

function statusOf({ refusal }: Refusal): number {
	switch (refusal) {
		case "wrong":
			return 400;
		case "unknownName":
			return 404;
		case "conflict":
			return 409;
		case "unavailable":
			return 503;
		default: {
			const never: never = refusal;
			return never;
		}
	}
}

function jsonAnswer(result: Written | Refusal): Answer {
	if (result.kind === "refused") return problems(statusOf(result), result.why, result.refusal === "unavailable" ? { "retry-after": "5" } : {});
	const { command, cluster, told, notes } = result;
	const place = command.kind === "hold" || command.kind === "release" ? command.place : { kind: "node" as const, node: command.node };
	const until = command.kind === "hold" || command.kind === "reboot" ? command.until : null;
	const written = {
		command: command.kind,
		cluster,
		pool: place.kind === "pool" ? place.pool : null,
		node: place.kind === "node" ? place.node : null,
		reason: command.reason,
		by: command.by,
		until: until === null ? null : new Date(until).toISOString(),
		...(command.kind === "reboot" ? { ignoreWindow: command.ignoreWindow, bootId: command.bootId } : {}),
	};
	// Accepted: the scheduler has yet to see it.
	return json(202, { version: 1, written, told, notes, takesEffect });
}

function problems(status: number, why: readonly string[], headers: Readonly<Record<string, string>> = {}): Answer {
	return json(status, { version: 1, problems: why }, headers);
}

function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): Answer {
	return {
		status,
		headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store", "x-content-type-options": "nosniff", ...headers },
		body: JSON.stringify(body),
	};
}

const toldChars = 1_000;
/** A server may refuse a request line of more than 8 KiB. */
const addressChars = 7_000;

/** The page again, with the answer; after a refusal also with what was typed, so that nobody has to type it twice. */
function backToPage(asked: Asked, result: Written | Refusal, body: string): Answer {
	const told = result.kind === "written" ? [result.told, ...result.notes, `It takes effect ${takesEffect}.`] : ["Nothing was changed.", ...result.why];
	const query = new URLSearchParams(pageAddress(asked.query.get("code"), asked.query.get("cluster")));
	query.set(toldParameter, told.join(" · ").slice(0, toldChars));
	const typed = new URLSearchParams([...query, ...(result.kind === "refused" ? typedParameters(body) : [])]);
	const address = typed.toString().length <= addressChars ? typed : query;
	return { status: 303, headers: { location: `status?${address}`, "cache-control": "no-store", "referrer-policy": "no-referrer" }, body: "" };
}
