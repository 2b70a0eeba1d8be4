// The shape of the code: who imports whom, what lib/plan may not know, and how large things get.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, posix, sep } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { blanked, functionsOf, importsOf } from "./sources.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

interface Source {
	readonly path: string;
	readonly text: string;
}

function sources(...patterns: readonly string[]): readonly Source[] {
	const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).map((file) => file.split(sep).join("/"));
	return files.sort().map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

const code = sources("functions/**/*.ts", "lib/**/*.ts");
const all = sources("functions/**/*.ts", "lib/**/*.ts", "tests/**/*.ts", "*.ts");

/** `lib/plan`, `lib/local`, `functions`. */
function areaOf(path: string): string {
	const [first, second] = path.split("/");
	return first === "lib" && second !== undefined ? `lib/${second}` : (first ?? "");
}

const adapters = ["lib/doctor", "lib/azure", "lib/kubernetes", "lib/status", "lib/settings"];
/** Which areas each may import, itself always. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
	"lib/plan": [],
	"lib/tick": ["lib/plan"],
	"lib/doctor": ["lib/status", "lib/tick", "lib/plan"],
	"lib/azure": ["lib/doctor", "lib/tick", "lib/plan"],
	"lib/kubernetes": ["lib/doctor", "lib/tick", "lib/plan"],
	"lib/status": ["lib/tick", "lib/plan"],
	"lib/settings": ["lib/tick", "lib/plan"],
	functions: [...adapters, "lib/tick", "lib/plan"],
	"lib/local": [...adapters, "lib/tick", "lib/plan"],
};
/** The wiring of the real world serves the local run too. */
const wiring = "functions/world.ts";

/** Packages by who may import them; whatever is not named is nobody's. */
const packages: Readonly<Record<string, readonly string[]>> = {
	"@azure/arm-containerservice": ["lib/azure", "functions"],
	"@azure/core-rest-pipeline": ["lib/azure", "functions"],
	"@azure/data-tables": ["lib/azure", "functions"],
	"@azure/identity": ["lib/azure", "functions"],
	"@azure/functions": ["functions"],
	"@kubernetes/client-node": ["lib/kubernetes", "functions"],
	undici: ["lib/kubernetes", "functions"],
	yaml: ["lib/azure", "lib/kubernetes", "functions"],
	"temporal-polyfill": ["lib/plan/windows"],
};

function packageOf(specifier: string): string {
	return specifier
		.split("/")
		.slice(0, specifier.startsWith("@") ? 2 : 1)
		.join("/");
}

/** What is wrong with the imports of a file; none is the empty list. */
function importProblems({ path, text }: Source): readonly string[] {
	const area = areaOf(path);
	return importsOf(text).flatMap((specifier) => {
		if (specifier.startsWith("node:")) return area === "lib/plan" ? [`${path} imports ${specifier}: lib/plan imports nothing but itself`] : [];
		if (!specifier.startsWith(".")) {
			const allowed = (packages[packageOf(specifier)] ?? []).some((place) => path.startsWith(`${place}/`) || path.startsWith(place));
			return allowed ? [] : [`${path} imports the package ${specifier}`];
		}
		const target = posix.join(posix.dirname(path), specifier);
		const to = areaOf(target);
		const wired = area === "lib/local" && target === wiring;
		return to === area || wired || (mayImport[area] ?? []).includes(to) ? [] : [`${path} imports ${target}: ${area} must not know ${to}`];
	});
}

describe("imports point one way", () => {
	test("every area is known, and imports only those below it and packages of its own", () => {
		for (const { path } of code) assert.ok(areaOf(path) in mayImport, `${path}: ${areaOf(path)} is no area of the layout`);
		assert.deepEqual(code.flatMap(importProblems), []);
	});

	for (const [path, text] of [
		["lib/plan/planted.ts", 'import { tick } from "../tick/tick.ts";'],
		["lib/plan/planted.ts", 'import { readFileSync } from "node:fs";'],
		["lib/plan/planted.ts", 'import { Temporal } from "temporal-polyfill";'],
		["lib/plan/planted.ts", 'export { tick } from "../tick/tick.ts";'],
		["lib/plan/planted.ts", 'import "../tick/tick.ts";'],
		["lib/plan/planted.ts", 'const { tick } = await import("../tick/tick.ts");'],
		["lib/tick/planted.ts", 'import {\n\topenTable,\n} from "../azure/table.ts";'],
		["lib/tick/planted.ts", 'import { TableClient } from "@azure/data-tables";'],
		["lib/azure/planted.ts", 'import { openCluster } from "../kubernetes/client.ts";'],
		["lib/azure/planted.ts", 'import { KubeConfig } from "@kubernetes/client-node";'],
		["lib/kubernetes/planted.ts", 'import { main } from "../local/main.ts";'],
		["lib/tick/planted.ts", 'import { world } from "../../functions/world.ts";'],
		["lib/local/planted.ts", 'import { tick } from "../../functions/tick.ts";'],
		["lib/local/planted.ts", 'import leftPad from "left-pad";'],
	] as const)
		test(`${text.replaceAll(/\s+/g, " ")} is found in ${path}`, () => {
			assert.equal(importProblems({ path, text }).length, 1);
		});

	test("the wiring may be imported by the local run, and words in comments and strings are no imports", () => {
		assert.deepEqual(importProblems({ path: "lib/local/planted.ts", text: 'import { wire } from "../../functions/world.ts";' }), []);
		assert.deepEqual(importProblems({ path: "lib/plan/planted.ts", text: '// import x from "node:fs"\nconst a = `import x from "node:fs"`;' }), []);
	});
});

/** What a pure function cannot do: know a clock, chance, the environment, or wait. */
const impure: readonly (readonly [string, RegExp])[] = [
	["Date.now", /\bDate\s*\.\s*now\b/],
	["new Date()", /\bnew\s+Date\s*(?:\(\s*\)|(?![\s(]))/],
	["Date()", /(?<!\bnew\s+)(?<![.\w$])Date\s*\(/],
	["Temporal.Now", /\bTemporal\s*\.\s*Now\b/],
	["performance", /(?<![.\w$])performance\b/],
	["timers", /(?<![\w$])(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
	["Math.random", /\bMath\s*\.\s*random\b/],
	["crypto", /(?<![.\w$])crypto\b/],
	["process", /(?<![.\w$])process\b/],
	["console", /(?<![.\w$])console\b/],
	["globalThis", /\bglobalThis\b/],
	["fetch", /(?<![.\w$])fetch\s*\(/],
	["async", /(?<![.\w$])async\b(?!\s*:)/],
	["await", /(?<![.\w$])await\b/],
	["Promise", /(?<![.\w$])Promise\b/],
	["import()", /(?<![.\w$])import\s*\(/],
	["a module-level variable", /^let\b/m],
];

function impurities({ path, text }: Source): readonly string[] {
	const bare = blanked(text);
	return impure.filter(([, pattern]) => pattern.test(bare)).map(([what]) => `${path}: ${what}`);
}

describe("lib/plan is pure", () => {
	test("no clock, chance, environment, I/O or waiting anywhere in it", () => {
		const plan = code.filter(({ path }) => path.startsWith("lib/plan/"));
		assert.ok(plan.length > 10, "lib/plan was not found");
		assert.deepEqual(plan.flatMap(impurities), []);
	});

	for (const planted of [
		"const a = Date.now();",
		"const a = new Date();",
		"const a = new Date;",
		"const a = Date();",
		"const a = Temporal.Now.instant();",
		"const a = performance.now();",
		"setTimeout(f, 1);",
		"const a = Math.random();",
		"const a = crypto.randomUUID();",
		"const a = process.env.HOME;",
		'console.log("a");',
		"const a = globalThis.Date;",
		'fetch("http://a");',
		"async function f() {}",
		"for await (const a of b) f(a);",
		"const a = Promise.resolve(1);",
		'const a = import("./b.ts");',
		"const a = `#{Date.now()}`;".replace("#", "$"),
		"let counter = 0;",
	])
		test(`${planted} is found`, () => {
			assert.notDeepEqual(impurities({ path: "planted.ts", text: planted }), []);
		});

	test("what only looks like it is not: instants made of numbers, words in comments and strings, names that end alike", () => {
		const text =
			'const a = new Date(at).toISOString(); // Date.now() await\nconst b = "process.env"; /* async */ const c = reboot.process; const reprocess = 1;';
		assert.deepEqual(impurities({ path: "planted.ts", text }), []);
	});
});

describe("names", () => {
	const vague = /^(?:utils?|helpers?|managers?|types?|common|misc)$/;
	const problems = (path: string) => path.split("/").flatMap((part) => (vague.test(part.split(".")[0] ?? "") ? [path] : []));

	test("no file or folder is called utils, helpers, managers or types", () => {
		assert.deepEqual(
			all.flatMap(({ path }) => problems(path)),
			[],
		);
		for (const planted of ["lib/plan/utils.ts", "lib/helpers/a.ts", "tests/unit/types.test.ts", "lib/manager.ts"])
			assert.deepEqual(problems(planted), [planted]);
	});
});

/** Files over 400 lines, each with the reason why it is one piece. */
const longFiles: Readonly<Record<string, string>> = {
	"lib/plan/step.ts": "the state machine: every phase beside the others, to be read in one go",
	"tests/unit/step.test.ts": "follows lib/plan/step.ts phase by phase",
	"tests/unit/states.ts": "every state beside the others; each is a few lines",
};
/** Functions over 60 lines, as `path name`, each with the reason why it is one piece. */
const longFunctions: Readonly<Record<string, string>> = {
	"lib/plan/explain.ts explainReason": "one sentence per reason: a table in the form of a switch",
	"lib/plan/explain.ts explainCause": "one sentence per cause: a table in the form of a switch",
};

const longest = { file: 400, function: 60 };

function linesOf(text: string): number {
	return text.trimEnd().split("\n").length;
}

describe("sizes", () => {
	test("no file is over 400 lines but those that say why", () => {
		const long = all.filter(({ text }) => linesOf(text) > longest.file).map(({ path }) => path);
		assert.deepEqual(
			long.filter((path) => !(path in longFiles)),
			[],
		);
		for (const path of Object.keys(longFiles)) assert.ok(!existsSync(join(root, path)) || long.includes(path), `${path} is short enough: take it off the list`);
	});

	test("no function is over 60 lines but those that say why", () => {
		const long = code.flatMap(({ path, text }) => functionsOf(text).flatMap(({ name, lines }) => (lines > longest.function ? [`${path} ${name}`] : [])));
		assert.deepEqual(
			long.filter((name) => !(name in longFunctions)),
			[],
		);
		for (const name of Object.keys(longFunctions)) assert.ok(long.includes(name), `${name} is short enough: take it off the list`);
	});

	test("a long one is found, as a function, a method and an arrow", () => {
		const body = "\tf();\n".repeat(60);
		for (const [text, name] of [
			[`export async function planted(a: {\n\tb: string;\n}): Promise<void> {\n${body}}\n`, "planted"],
			[`class A {\n\tasync #planted(a = {}): Promise<B> {\n${body}\t}\n}\n`, "#planted"],
			[`const planted = (a: string) => {\n${body}};\n`, "planted"],
		] as const) {
			const found = functionsOf(text).filter((each) => each.lines > longest.function);
			assert.deepEqual(
				found.map((each) => each.name),
				[name],
			);
		}
		assert.deepEqual(
			functionsOf("function short() {\n}\n").map((each) => each.lines),
			[2],
		);
	});

	test("the folders of the layout are there", () => {
		for (const area of ["lib/plan", "lib/tick", "lib/azure", "lib/kubernetes", "lib/settings", "lib/local"])
			assert.ok(
				code.some(({ path }) => dirname(path) === area && basename(path) !== ""),
				area,
			);
	});
});
