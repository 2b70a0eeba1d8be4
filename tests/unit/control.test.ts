// Holding, releasing and asking for reboots: what the row says after each command, and what becomes of it when others write too.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { apply, type Command, parseUntil, textProblem } from "../../lib/plan/control.ts";
import { type Control, nothingAsked } from "../../lib/plan/model.ts";
import { holdOf, hour, minute, now, requestOfNode } from "./states.ts";

const cluster = { kind: "cluster" } as const;
const pool = { kind: "pool", pool: "np1" } as const;
const node = { kind: "node", node: "node-1", pool: "np1" } as const;

function hold(changes: Partial<Command & { kind: "hold" }> = {}): Command {
	return { kind: "hold", place: cluster, reason: "freeze", by: "ana", until: null, ...changes };
}

function release(place: (Command & { kind: "release" })["place"]): Command {
	return { kind: "release", place, reason: "over", by: "bo" };
}

function reboot(changes: Partial<Command & { kind: "reboot" }> = {}): Command {
	return { kind: "reboot", node: "node-1", pool: "np1", bootId: "boot", reason: "leaks", by: "bo", until: now + hour, ignoreWindow: false, ...changes };
}

/** The row after all of them, each of which must be possible. */
function after(control: Control, ...commands: readonly Command[]): Control {
	return commands.reduce((row, command) => {
		const applied = apply(row, command, now);
		assert.equal(applied.kind, "changed", "why" in applied ? applied.why : "");
		return applied.kind === "changed" ? applied.control : row;
	}, control);
}

function told(control: Control, command: Command): string {
	const applied = apply(control, command, now);
	return applied.kind === "changed" ? applied.told : `refused: ${applied.why}`;
}

describe("a hold", () => {
	test("of a cluster, a pool and a node stand beside each other", () => {
		const row = after(nothingAsked, hold(), hold({ place: pool }), hold({ place: node }));
		assert.deepEqual(
			row.holds.map((each) => [each.pool, each.node]),
			[
				[null, null],
				["np1", null],
				[null, "node-1"],
			],
		);
	});

	test("of somebody else stays beside mine, or theirs would end with mine; my later word goes before my earlier one", () => {
		const row = after(nothingAsked, hold({ until: now + 9 * hour }), hold({ by: "bo", until: now + hour }), hold({ by: "bo", until: now + 2 * hour }));
		assert.deepEqual(
			row.holds.map((each) => [each.by, each.until]),
			[
				["ana", now + 9 * hour],
				["bo", now + 2 * hour],
			],
		);
	});

	test("withdraws no request: the node is rebooted once it is released", () => {
		const row = after({ holds: [], requests: [requestOfNode()] }, hold({ place: node }));
		assert.deepEqual(row.requests, [requestOfNode()]);
	});

	test("too many are refused with a way out, so that the row never outgrows what a transaction takes", () => {
		const full = { holds: Array.from({ length: 100 }, (_, i) => holdOf({ node: `n${i}` })), requests: [] };
		assert.match(told(full, hold()), /^refused: there are 100 holds already/);
		assert.match(told({ holds: [], requests: full.holds.map(({ node: name }) => requestOfNode({ node: name ?? "" })) }, reboot()), /^refused: 100 reboots/);
	});
});

describe("a release", () => {
	test("lifts every hold of the very place, by whomever, and says whose", () => {
		const row = { holds: [holdOf({ node: "node-1" }), holdOf({ node: "node-1", by: "bo", reason: "debugging" }), holdOf({ node: "node-2" })], requests: [] };
		assert.deepEqual(after(row, release(node)).holds, [row.holds[2]]);
		assert.match(told(row, release(node)), /by ana \(freeze\) and .* by bo \(debugging\)/);
	});

	test("of what is held by something wider only is refused, and names the wider hold", () => {
		for (const wide of [holdOf(), holdOf({ pool: "np1" })])
			for (const place of wide.pool === null ? [pool, node] : [node]) {
				const said = told({ holds: [wide], requests: [] }, release(place));
				assert.match(said, /^refused: .* has no hold of its own, and is covered by the hold of (the cluster|pool np1) by ana \(freeze\)/);
			}
		assert.doesNotMatch(told({ holds: [holdOf({ pool: "gpu" })], requests: [] }, release(node)), /covered/);
	});

	test("of a node that a wider hold covers too says that it still stands still", () => {
		assert.match(told({ holds: [holdOf(), holdOf({ node: "node-1" })], requests: [] }, release(node)), /still stands still by the hold of the cluster/);
	});

	test("of a cluster leaves the holds of its pools and nodes, which others may rely on", () => {
		const row = { holds: [holdOf(), holdOf({ pool: "np1" }), holdOf({ node: "node-1" })], requests: [] };
		assert.deepEqual(after(row, release(cluster)).holds, row.holds.slice(1));
	});

	test("takes no request back: whoever holds a node, asks for its reboot and releases it wants the reboot", () => {
		const row = { holds: [holdOf({ node: "node-1" })], requests: [requestOfNode()] };
		assert.deepEqual(after(row, release(node)).requests, [requestOfNode()]);
	});
});

describe("a request", () => {
	test("of a node is one at most: the later replaces the earlier, and says whose it was", () => {
		const row = { holds: [], requests: [requestOfNode(), requestOfNode({ node: "node-2" })] };
		assert.deepEqual(
			after(row, reboot({ ignoreWindow: true })).requests.map((each) => [each.node, each.by, each.ignoreWindow]),
			[
				["node-2", "ana", false],
				["node-1", "bo", true],
			],
		);
		assert.match(told(row, reboot()), /replaces what ana asked for/);
	});

	test("of a node that is on hold is written, and says what it waits for", () => {
		for (const wide of [holdOf(), holdOf({ pool: "np1" }), holdOf({ node: "node-1" })])
			assert.match(told({ holds: [wide], requests: [] }, reboot()), /waits for as long as there is the hold of/);
		assert.doesNotMatch(told({ holds: [holdOf({ pool: "gpu" })], requests: [] }, reboot()), /as long as/);
	});

	test("is taken back by a cancel, and one that is not there is said not to be", () => {
		const row = { holds: [holdOf()], requests: [requestOfNode()] };
		assert.deepEqual(after(row, { kind: "cancel", node: "node-1", reason: "mistake", by: "bo" }), { holds: row.holds, requests: [] });
		assert.match(told(row, { kind: "cancel", node: "node-2", reason: "mistake", by: "bo" }), /^refused: nobody has asked/);
	});
});

test("a hold that has expired goes when the row is written, and does not stand in the way of anything", () => {
	const expired = { holds: [holdOf({ until: now })], requests: [] };
	assert.deepEqual(after(expired, hold({ place: pool })).holds.length, 1);
	assert.match(told(expired, release(cluster)), /^refused/);
});

test("a request that has expired is left to the scheduler, which knows whether its reboot has begun, and tells of its end", () => {
	const expired = requestOfNode({ until: now });
	assert.deepEqual(after({ holds: [], requests: [expired] }, hold()).requests, [expired]);
});

describe("when something ends", () => {
	const until = (text: string) => {
		const parsed = parseUntil(text, now);
		return "until" in parsed ? parsed.until - now : parsed.problem;
	};

	test("is an instant with a zone or a duration from now", () => {
		assert.equal(until("2h"), 2 * hour);
		assert.equal(until(new Date(now + minute).toISOString()), minute);
		assert.equal(until("2099-01-01T00:00:00+02:00"), Date.parse("2098-12-31T22:00:00Z") - now);
	});

	test("is not past, not now, and never guessed: a time without a zone is nobody's", () => {
		for (const wrong of [
			"0s",
			"2020-01-01T00:00:00Z",
			new Date(now).toISOString(),
			"2099-01-01",
			"2099-01-01T00:00:00",
			"tomorrow",
			"",
			"2h ago",
			"2099-13-01T00:00:00Z",
			"999999999d",
		])
			assert.match(String(until(wrong)), /expected an instant/, wrong);
	});
});

test("a reason is some words on one line, 500 characters at most, and nothing that a terminal or a page would obey", () => {
	assert.equal(textProblem('"><script>alert(1)</script> ☃ 日本', "reason"), null, "what is only text is written as it is");
	for (const wrong of ["", "  ", "a".repeat(501), "two\nlines", "\u001b[2J", "\u0000", "\u202eevil", "a\u0085b"])
		assert.match(textProblem(wrong, "reason") ?? "", /^reason: expected/, JSON.stringify(wrong));
});

test("whatever is asked in whatever order, a hold goes only by its end or by a release of its place", () => {
	const places = fc.constantFrom(cluster, pool, node, { kind: "node", node: "node-2", pool: "gpu" } as const);
	const by = fc.constantFrom("ana", "bo");
	const commands = fc.array(
		fc.oneof(
			fc.record({ place: places, by }).map((each) => hold(each)),
			places.map(release),
			by.map((each) => reboot({ by: each })),
			fc.constant<Command>({ kind: "cancel", node: "node-1", reason: "mistake", by: "bo" }),
		),
		{ maxLength: 12 },
	);
	const key = (place: (Command & { kind: "hold" })["place"]) => (place.kind === "node" ? place.node : place.kind);
	const property = fc.property(commands, (all) => {
		let row: Control = nothingAsked;
		const held = new Set<string>();
		for (const command of all) {
			const applied = apply(row, command, now);
			if (applied.kind === "changed") row = applied.control;
			if (command.kind === "hold") held.add(`${key(command.place)} ${command.by}`);
			if (command.kind === "release") for (const each of held) if (each.startsWith(`${key(command.place)} `)) held.delete(each);
			const left = row.holds.map((each) => `${each.node ?? (each.pool === null ? "cluster" : "pool")} ${each.by}`);
			assert.deepEqual(left.sort(), [...held].sort());
			assert.ok(row.requests.length <= 1);
		}
	});
	fc.assert(property, { numRuns: 300 });
});
