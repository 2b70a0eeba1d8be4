import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseArguments } from "../../lib/local/arguments.ts";

function problemOf(...argv: readonly string[]): string {
	const parsed = parseArguments(argv);
	return "problem" in parsed ? parsed.problem : assert.fail(`${argv.join(" ")} was accepted`);
}

describe("the command line of npm start", () => {
	test("alone it is the demonstration fleet, and never clusters of one's own", () => {
		assert.deepEqual(parseArguments([]), { fleet: { kind: "demonstration", shape: [] }, port: null, untilSettled: false, json: false });
	});

	test("what is the lab's is passed on to it, and nothing else", () => {
		assert.deepEqual(parseArguments(["--clusters=20", "--until-settled", "--nodes", "50", "--fast", "--json", "--real", "--port", "0"]), {
			fleet: { kind: "demonstration", shape: ["--fast", "--real", "--clusters", "20", "--nodes", "50"] },
			port: 0,
			untilSettled: true,
			json: true,
		});
	});

	test("a kubeconfig or a context is about clusters of one's own", () => {
		for (const [argv, kubeconfig, contexts] of [
			[["--kubeconfig", "a"], "a", []],
			[["--context", "a", "--context=b"], null, ["a", "b"]],
		] as const)
			assert.deepEqual(parseArguments(argv), { fleet: { kind: "own", kubeconfig, contexts }, port: null, untilSettled: false, json: false });
	});

	test("clusters of one's own and the demonstration in one run are refused, with both named", () => {
		for (const shape of [["--fast"], ["--real"], ["--clusters", "3"], ["--nodes", "3"]])
			assert.match(problemOf("--context", "prod", ...shape), new RegExp(`^--context and ${shape[0]}: .*one run has one of them$`));
	});

	test("what is wrong is named, with what was expected", () => {
		assert.match(problemOf("--port", "70000"), /^--port: "70000", expected a port from 1 to 65535/);
		assert.match(problemOf("--port", "-1"), /--port/);
		assert.match(problemOf("--nodes", "many"), /^--nodes: "many", expected a whole number/);
		assert.match(problemOf("--clusters", "0"), /^--clusters: "0"/);
		assert.match(problemOf("--kubeconfig"), /--kubeconfig/);
		assert.match(problemOf("--kubeconfig", "--json"), /--kubeconfig/);
		assert.match(problemOf("--context="), /^--context: expected a value/);
		assert.match(problemOf("--untill-settled"), /--untill-settled/);
		assert.match(problemOf("prod-west"), /prod-west/);
		assert.match(problemOf("--json=yes"), /--json/);
		for (const argv of [["--kubeconfig", "--json"], ["x"], ["--port"]]) assert.ok(!problemOf(...argv).includes("\n"), "one line");
	});

	test("help is given whatever else is there", () => {
		assert.deepEqual(parseArguments(["--port", "1", "--help"]), { help: true });
	});
});
