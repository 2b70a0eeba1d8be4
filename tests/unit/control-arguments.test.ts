import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAsk } from "../../lib/local/ask-arguments.ts";

function order(...argv: string[]) {
	const parsed = parseAsk(argv, "ana@laptop");
	return "order" in parsed ? parsed.order : parsed;
}

function problems(...argv: string[]): string {
	const parsed = parseAsk(argv, "ana@laptop");
	return "problems" in parsed ? parsed.problems.join("; ") : "none";
}

const reason = ["--reason", "leaks memory"];
const plain = { cluster: "prod", reason: "leaks memory", by: "ana@laptop", until: null, ignoreWindow: false };

test("what is after the slash is a node or else a pool, unless it is said which; a reboot is of a node", () => {
	assert.deepEqual(order("hold", "prod", ...reason), { ...plain, kind: "hold", about: { kind: "cluster" } });
	assert.deepEqual(order("release", "prod/np1", ...reason), { ...plain, kind: "release", about: { kind: "name", name: "np1" } });
	assert.deepEqual(order("hold", "prod/np1", "--pool", ...reason), { ...plain, kind: "hold", about: { kind: "pool", name: "np1" } });
	assert.deepEqual(order("hold", "prod/np1", "--node", ...reason), { ...plain, kind: "hold", about: { kind: "node", name: "np1" } });
	assert.deepEqual(order("reboot", "prod/n", "--ignore-window", "--until", "2h", "--by", "bo", ...reason), {
		...plain,
		kind: "reboot",
		about: { kind: "node", name: "n" },
		by: "bo",
		until: "2h",
		ignoreWindow: true,
	});
	assert.deepEqual(order("reboot", "prod/n", "--cancel", ...reason), { ...plain, kind: "cancel", about: { kind: "node", name: "n" } });
});

test("arguments that are wrong are named, all of them, and nothing is guessed", () => {
	assert.match(problems("reboot"), /"": expected CLUSTER or CLUSTER\/NAME; --reason: expected some words/);
	assert.match(problems("stop", "prod", ...reason), /stop: expected hold, release or reboot/);
	assert.match(problems("hold", "prod/", ...reason), /"prod\/": expected/);
	assert.match(problems("hold", "prod", "np1", ...reason), /np1: expected one CLUSTER/);
	assert.match(problems("hold", "prod", "--node", ...reason), /--node: expected CLUSTER\/NAME/);
	assert.match(problems("hold", "prod/a", "--node", "--pool", ...reason), /expected one of them/);
	assert.match(problems("hold", "prod", "--cancel", ...reason), /--cancel: it is for npm run reboot/);
	assert.match(problems("hold", "prod", "--untill", "2h", ...reason), /untill/);
	assert.match(problems("hold", "prod", "--reason"), /reason/);
	assert.deepEqual(parseAsk(["hold", "--help"], "ana"), { help: true });
});
