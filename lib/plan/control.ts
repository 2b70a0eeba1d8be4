// What people ask of a running scheduler, applied to the row `control`: hold, release, reboot, cancel. Pure: the same row, command and
// time give the same row and the same words.
import { durationForm, parseDuration } from "./durations.ts";
import { explainInstant } from "./explain.ts";
import type { Control, ControlHold, ControlRequest, Instant } from "./model.ts";

/** What a hold is on. */
export type Place =
	| { readonly kind: "cluster" }
	| { readonly kind: "pool"; readonly pool: string }
	/** `pool`: its own, where that is known. */
	| { readonly kind: "node"; readonly node: string; readonly pool: string | null };

/** A command whose names have been looked up. */
export type Command =
	| { readonly kind: "hold"; readonly place: Place; readonly reason: string; readonly by: string; readonly until: Instant | null }
	| { readonly kind: "release"; readonly place: Place; readonly reason: string; readonly by: string }
	| {
			readonly kind: "reboot";
			readonly node: string;
			readonly pool: string;
			readonly bootId: string;
			readonly reason: string;
			readonly by: string;
			readonly until: Instant;
			readonly ignoreWindow: boolean;
	  }
	| { readonly kind: "cancel"; readonly node: string; readonly reason: string; readonly by: string };

export type CommandKind = Command["kind"];
export const commandKinds: readonly CommandKind[] = ["hold", "release", "reboot", "cancel"];

export type Applied =
	| { readonly kind: "changed"; readonly control: Control; readonly told: string }
	/** The row is not such that this can be done. */
	| { readonly kind: "refused"; readonly why: string };

const reasonChars = 500;
/** Of holds, and of requests: each admission writes them, and a row holds 512 Ki characters. */
const entriesMost = 100;
const hourMs = 3_600_000;
/** A request expires after this unless told. */
export const requestLifeMs = 24 * hourMs;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** What is wrong with a reason or a name that a person gave; null: nothing. */
export function textProblem(text: string, what: string, most = reasonChars): string | null {
	if (text.trim() === "") return `${what}: expected some words`;
	if (text.length > most) return `${what}: expected ${most} characters at most, and it has ${text.length}`;
	return controlCharacters.test(text) ? `${what}: expected one line without control characters` : null;
}

export const untilForm = `an instant with a zone such as 2026-12-24T18:00:00Z, or from now ${durationForm}`;
const instantPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** When something ends, as people write it, or what is wrong with that. `at`: now. */
export function parseUntil(text: string, at: Instant): { readonly until: Instant } | { readonly problem: string } {
	const durationMs = parseDuration(text);
	const until = durationMs !== undefined ? at + durationMs : instantPattern.test(text) ? Date.parse(text) : Number.NaN;
	// Beyond that there are no instants: https://tc39.es/ecma262/#sec-time-values-and-time-range
	if (Number.isNaN(until) || until > 8.64e15) return { problem: `until: ${JSON.stringify(text.slice(0, 40))}, expected ${untilForm}` };
	return until > at ? { until } : { problem: `until: ${text} is past (it is ${explainInstant(at)}), expected ${untilForm}` };
}

/** What is wrong with the form of such a text; null: nothing. Whether it is past only a clock can tell. */
export function untilProblem(text: string): string | null {
	const parsed = parseUntil(text, -8.64e15);
	return "problem" in parsed ? parsed.problem : null;
}

export function placeText(place: Place): string {
	switch (place.kind) {
		case "cluster":
			return "the cluster";
		case "pool":
			return `pool ${place.pool}`;
		case "node":
			return `node ${place.node}`;
		default: {
			const never: never = place;
			return never;
		}
	}
}

function isOn(hold: ControlHold, place: Place): boolean {
	switch (place.kind) {
		case "cluster":
			return hold.pool === null && hold.node === null;
		case "pool":
			return hold.pool === place.pool && hold.node === null;
		case "node":
			return hold.node === place.node;
		default: {
			const never: never = place;
			return never;
		}
	}
}

/** Holds of something wider that the place is part of. */
function wider(holds: readonly ControlHold[], place: Place): readonly ControlHold[] {
	if (place.kind === "cluster") return [];
	return holds.filter((hold) => hold.node === null && (hold.pool === null || (place.kind === "node" && hold.pool === place.pool)));
}

function holdText(hold: ControlHold): string {
	const place = hold.node !== null ? `node ${hold.node}` : hold.pool !== null ? `pool ${hold.pool}` : "the cluster";
	return `the hold of ${place} by ${hold.by} (${hold.reason})`;
}

function untilText(until: Instant | null): string {
	return until === null ? "until it is released" : `until ${explainInstant(until)}`;
}

/** A hold that has not expired. */
export function isInForce({ until }: ControlHold, at: Instant): boolean {
	return until === null || at < until;
}

/** The row without holds that have expired. Requests that have are the scheduler's: it knows whether one has begun, and tells of its end. */
function current({ holds, requests }: Control, at: Instant): Control {
	return { holds: holds.filter((each) => isInForce(each, at)), requests };
}

function applyHold(control: Control, command: Command & { kind: "hold" }, at: Instant): Applied {
	const { place, reason, by, until } = command;
	const hold: ControlHold = {
		pool: place.kind === "pool" ? place.pool : null,
		node: place.kind === "node" ? place.node : null,
		reason,
		by,
		at,
		until,
	};
	// The same person's later word goes before the earlier one; those of others stay, or their holds would end with this one.
	const holds = [...control.holds.filter((each) => !(isOn(each, place) && each.by === by)), hold];
	if (holds.length > entriesMost) return { kind: "refused", why: `there are ${entriesMost} holds already: release some, or hold a pool or the cluster` };
	const told = `${placeText(place)} is on hold ${untilText(until)}: nothing of it begins, and what was not yet asked to reboot is brought back`;
	return { kind: "changed", control: { ...control, holds }, told };
}

function applyRelease(control: Control, { place }: Command & { kind: "release" }): Applied {
	const lifted = control.holds.filter((each) => isOn(each, place));
	const above = wider(control.holds, place).map(holdText);
	if (lifted.length === 0) {
		const covered = above.length === 0 ? "" : `, and is covered by ${above.join(" and ")}, which is to be released by itself`;
		const elsewhere = "(a hold of the setting HOLD or of a node's annotation is lifted there)";
		return { kind: "refused", why: `${placeText(place)} has no hold of its own${covered} ${elsewhere}` };
	}
	const still = above.length === 0 ? "" : `; it still stands still by ${above.join(" and ")}`;
	return {
		kind: "changed",
		control: { ...control, holds: control.holds.filter((each) => !lifted.includes(each)) },
		told: `released: ${lifted.map(holdText).join(" and ")}${still}`,
	};
}

function applyReboot(control: Control, command: Command & { kind: "reboot" }, at: Instant): Applied {
	const { node, pool, bootId, reason, by, until, ignoreWindow } = command;
	const request: ControlRequest = { node, bootId, reason, by, at, until, ignoreWindow };
	const before = control.requests.find((each) => each.node === node);
	const requests = [...control.requests.filter((each) => each !== before), request];
	if (requests.length > entriesMost)
		return { kind: "refused", why: `${entriesMost} reboots have been asked for already: wait for some of them, or cancel some` };
	const place: Place = { kind: "node", node, pool };
	const holds = control.holds.filter((each) => isOn(each, place) || wider([each], place).length > 0).map(holdText);
	const told = [
		`node ${node} is to be rebooted, ${ignoreWindow ? "in its window or out of it" : "in its window"}, ${untilText(until)}`,
		...(before === undefined ? [] : [`this replaces what ${before.by} asked for at ${explainInstant(before.at)} (${before.reason})`]),
		...(holds.length === 0 ? [] : [`it waits for as long as there is ${holds.join(" and ")}`]),
	];
	return { kind: "changed", control: { ...control, requests }, told: told.join("; ") };
}

function applyCancel(control: Control, { node }: Command & { kind: "cancel" }): Applied {
	const before = control.requests.find((each) => each.node === node);
	if (before === undefined)
		return { kind: "refused", why: `nobody has asked for a reboot of node ${node} (any more); what began by itself is stopped by a hold` };
	const told = `the reboot of node ${node} that ${before.by} asked for (${before.reason}) is taken back; if it has begun and was not yet asked of the node, it is brought back`;
	return { kind: "changed", control: { ...control, requests: control.requests.filter((each) => each !== before) }, told };
}

/** The row after the command, and what to tell who gave it. Reason and instants have been checked (`textProblem`, `parseUntil`). */
export function apply(control: Control, command: Command, at: Instant): Applied {
	const before = current(control, at);
	switch (command.kind) {
		case "hold":
			return applyHold(before, command, at);
		case "release":
			return applyRelease(before, command);
		case "reboot":
			return applyReboot(before, command, at);
		case "cancel":
			return applyCancel(before, command);
		default: {
			const never: never = command;
			return never;
		}
	}
}
