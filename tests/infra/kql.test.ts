// The queries of alerts and workbook: Microsoft's analyser has nothing to say of them, the journal has what they take, and rules and queries
// fit each other. And that the evaluator which runs them does what KQL does.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { ends, phases } from "../../lib/plan/model.ts";
import { rulesOf } from "./alerts/rules.ts";
import { type ParameterSet, parameterSets, root } from "./compiler.ts";
import { compileQuery, type Row, type Tables } from "./kql/evaluator.ts";
import { fieldsOfAll, fieldsTaken } from "./kql/journal-fields.ts";
import { parse } from "./kql/parser.ts";
import { referencesOf } from "./kql/references.ts";
import { ofType, predictionOf, theOne } from "./prediction.ts";

function queries(folder: string): readonly { readonly name: string; readonly text: string }[] {
	const files = globSync(`infra/${folder}/*.kql`, { cwd: root }).sort();
	assert.ok(files.length > 5);
	// A parameter of the workbook is put into the text before it is sent.
	return files.map((file) => ({ name: basename(file, ".kql"), text: readFileSync(join(root, file), "utf8").replaceAll("{Cluster}", "'prod-1','prod-2'") }));
}

const alertQueries = queries("alerts");
const workbookQueries = queries("workbook");
const component = 'let component = "";';

describe("queries", () => {
	for (const { name, text } of [...alertQueries, ...workbookQueries]) {
		test(`${name}: is KQL, of tables and columns that there are`, () => {
			const { diagnostics, columns } = parse(text);
			assert.deepEqual(diagnostics, []);
			assert.ok(columns.length > 0);
			assert.ok(text.includes(component), "a deployment has it read its own lines alone");
		});

		test(`${name}: the journal has the events and the fields that it takes`, () => {
			const { events, fields } = referencesOf(parse(text).tree);
			const known = Object.entries(fieldsTaken).filter(([event]) => events.has(event));
			assert.deepEqual(known.map(([event]) => event).sort(), [...events].sort());
			const taken = new Set<string>([...fieldsOfAll, ...(known.length === 0 ? ["cluster"] : known.flatMap(([, each]) => each))]);
			for (const field of fields) {
				const [first = "", second] = field.split(".");
				assert.ok(taken.has(first), `${first} is no field of ${[...events].join(" or ")}`);
				if (second !== undefined) assert.ok(first === "phasesMs" && (phases as readonly string[]).includes(second), field);
			}
		});
	}

	test("what is wrong is found: a column, a function, a type, an event, a field", () => {
		for (const wrong of [
			"AppTraces | where Mesage == ''",
			"AppTraces | extend a = tostrin(Message)",
			"AppTraces | where SeverityLevel startswith 'a'",
			"AppTrace",
		])
			assert.notDeepEqual(parse(wrong).diagnostics, [], wrong);
		const { events, fields } = referencesOf(
			parse('AppTraces | extend line = parse_json(Message) | where line.event == "node.gone" | project x = line.a.b, y = line.c').tree,
		);
		assert.deepEqual([[...events], [...fields].sort()], [["node.gone"], ["a.b", "c", "event"]]);
	});

	test("ends that are named are ends", () => {
		for (const { text } of [...alertQueries, ...workbookQueries])
			for (const [, list = ""] of text.matchAll(/line\.end\) (?:in \(|== )([^)\n]+)/g))
				for (const [, end = ""] of list.matchAll(/"(\w+)"/g)) assert.ok((ends as readonly string[]).includes(end), end);
	});
});

function textOf(name: string): string {
	const found = alertQueries.find((each) => each.name === name);
	assert.ok(found, `no query is called ${name}`);
	return found.text;
}

/** The query of a rule, with what a deployment puts in its place put back. */
function undone(parameters: ParameterSet, query: string): string {
	const { id } = theOne(predictionOf(parameters), "Microsoft.Insights/components");
	return query.replace(`let component = "${id}";`, component);
}

describe("rules", () => {
	for (const parameters of parameterSets) {
		const rules = rulesOf(parameters);

		test(`${parameters}: there is one for each query, and it takes columns that its query has`, () => {
			assert.deepEqual(
				rules.map(({ name }) => name).sort(),
				alertQueries.map(({ name }) => name),
			);
			for (const { name, criterion } of rules) {
				const columns = new Map(parse(criterion.query).columns.map((column) => [column.name, column.type]));
				assert.ok(["long", "real"].includes(columns.get(criterion.metricMeasureColumn) ?? ""), `${name}: ${criterion.metricMeasureColumn}`);
				for (const dimension of criterion.dimensions) assert.equal(columns.get(dimension.name), "string", `${name}: ${dimension.name}`);
			}
		});

		test(`${parameters}: each tells the action group, of the workspace's lines that are this scheduler's, and resolves by itself`, () => {
			const [ours] = ofType(predictionOf(parameters), "Microsoft.Insights/actionGroups").map(({ id }) => id);
			for (const { name, properties, criterion, everyMs, windowMs } of rules) {
				assert.ok(properties.enabled && properties.autoMitigate && properties.skipQueryValidation, name);
				assert.notEqual(undone(parameters, criterion.query), criterion.query, name);
				assert.equal(properties.actions.actionGroups.length, 1);
				if (ours !== undefined) assert.deepEqual(properties.actions.actionGroups, [ours]);
				assert.equal(properties.scopes.length, 1);
				// Azure takes windows up to two days, and one run a minute at most.
				assert.ok(60_000 <= everyMs && everyMs <= windowMs && windowMs <= 2 * 86_400_000, name);
				assert.ok(criterion.operator === "GreaterThan" && criterion.threshold === 0, "what found() in alerts/rules.ts goes by");
				assert.deepEqual(criterion.failingPeriods, { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 });
			}
		});
	}

	test("what the parameters leave out is as the files have it, and what they give is in the queries", () => {
		for (const { name, criterion } of rulesOf("one-cluster")) assert.equal(undone("one-cluster", criterion.query), textOf(name));
		const given = new Map(rulesOf("everything").map((rule) => [rule.name, rule]));
		const expected = { "node-waiting-long": "let waitingLimit = 21d;", "node-cordoned-long": "let cordonedLimit = 8h;", "drain-given-up": "let again = 4;" };
		for (const [name, line] of Object.entries(expected)) assert.ok(given.get(name)?.criterion.query.includes(line), name);
		assert.equal(given.get("no-tick")?.windowMs, 15 * 60_000);
	});
});

interface WorkbookItem {
	readonly name: string;
	readonly content: {
		readonly query?: string;
		readonly crossComponentResources: readonly string[];
		readonly parameters?: readonly { readonly query?: string }[];
	};
}

test("the workbook shows every query of its folder, over the workspace that is written to", () => {
	for (const parameters of parameterSets) {
		const { properties } = theOne(predictionOf(parameters), "Microsoft.Insights/workbooks");
		const { items } = JSON.parse(String(properties?.serializedData)) as { readonly items: readonly WorkbookItem[] };
		const shown = items.flatMap(({ content }) => [content.query ?? [], ...(content.parameters ?? []).map(({ query }) => query ?? [])].flat());
		const files = globSync("infra/workbook/*.kql", { cwd: root }).map((file) => readFileSync(join(root, file), "utf8"));
		assert.deepEqual(shown.map((query) => undone(parameters, query)).sort(), files.sort());
		const [rule] = rulesOf(parameters);
		for (const { content } of items) assert.deepEqual(content.crossComponentResources, rule?.properties.scopes);
	}
});

const at = Date.UTC(2026, 10, 28);

function trace(Message: string, minutes: number, SeverityLevel = 1): Row {
	return { TimeGenerated: at + minutes * 60_000, Message, SeverityLevel, _ResourceId: "a" };
}

function run(query: string, rows: readonly Row[] = []): readonly Row[] {
	const tables: Tables = { AppTraces: rows, AppExceptions: [], AppRequests: [] };
	return compileQuery(query)(tables, at);
}

/** Of one expression, over one row with `line` taken apart. */
function value(expression: string, message = "{}") {
	return run(`AppTraces | extend line = parse_json(Message) | project value = ${expression}`, [trace(message, 0)])[0]?.value;
}

describe("the evaluator does as KQL", () => {
	for (const [expression, expected] of [
		["7 / 2", 3],
		["7 / 2.0", 3.5],
		["1h / 1m", 60],
		["1 / 0", null],
		["1 == 1 or 1 / 0 > 1 and false", true],
		["'Tick Ended' startswith 'tick'", true],
		["'tick' == 'Tick'", false],
		["'tick' in ('a', 'tick')", true],
		["'a.reboot.b' has 'REBOOT'", true],
		["'rebooted' has 'reboot'", false],
		["'rebooted' contains 'REBOOT'", true],
		["'rebooted' !contains 'x'", true],
		["tolong(line.none)", null],
		["tolong(line.none) > 0", null],
		["tostring(line.none) == ''", true],
		["tostring(line.list) has 'b'", true],
		["array_length(line.list)", 2],
		["array_length(line.text)", null],
		["strcat_array(line.list, ', ')", "a-c, b"],
		["tobool(line.yes)", true],
		["tostring(line.text.deeper)", ""],
		["case(tolong(line.n) > 5, 'many', tolong(line.n) > 1, 'some', 'few')", "some"],
		["iff(tolong(line.none) > 0, 1, 2)", 2],
		["round(2.345, 1)", 2.3],
		["now() - unixtime_milliseconds_todatetime(tolong(line.at))", 60_000],
		["strcat('a', tostring(1), tostring(line.yes))", "a1true"],
	] as const)
		test(`${expression} is ${JSON.stringify(expected)}`, () => {
			const message = JSON.stringify({ list: ["a-c", "b"], text: "t", yes: true, n: 2, at: at - 60_000 });
			assert.deepEqual(value(expression, message), expected);
		});

	test("a text that is no JSON has no fields, and stops nothing", () => {
		assert.equal(value("tostring(line.event)", "Executing 'Functions.tick' (Reason='Timer fired')"), "");
	});

	test("no rows are one group without by, and none with it", () => {
		assert.deepEqual(run("AppTraces | summarize n = count(), last = max(TimeGenerated)".replace("last", "latest")), [{ n: 0, latest: null }]);
		assert.deepEqual(run("AppTraces | summarize n = count() by Message"), []);
	});

	test("groups, the latest row of each, and what ignores null", () => {
		const rows = [trace('{"k":"a","v":1}', 1), trace('{"k":"a","v":3}', 3), trace('{"k":"a"}', 2), trace('{"k":"b"}', 1)];
		const query = `AppTraces | extend line = parse_json(Message) | extend v = tolong(line.v)
			| summarize n = count(), some = countif(v > 1), least = min(v), mean = avg(v), kinds = dcount(v), half = percentile(v, 50), arg_max(TimeGenerated, v) by k = tostring(line.k)
			| project-away TimeGenerated | order by k asc`;
		assert.throws(() => run(query, rows), /not known here: ProjectAwayOperator/);
		assert.deepEqual(run(query.replace("| project-away TimeGenerated", ""), rows), [
			{ k: "a", n: 3, some: 1, least: 1, mean: 2, kinds: 2, half: 1, TimeGenerated: at + 180_000, v: 3 },
			{ k: "b", n: 1, some: 0, least: null, mean: null, kinds: 0, half: null, TimeGenerated: at + 60_000, v: null },
		]);
	});

	test("order, top, distinct, bin, union and named tables", () => {
		const rows = [trace("a", 1), trace("b", 61), trace("a", 62)];
		assert.deepEqual(run("AppTraces | top 2 by TimeGenerated desc | project Message", rows), [{ Message: "a" }, { Message: "b" }]);
		assert.deepEqual(run("AppTraces | distinct Message | order by Message desc", rows), [{ Message: "b" }, { Message: "a" }]);
		assert.deepEqual(run("AppTraces | summarize n = count() by bin(TimeGenerated, 1h)", rows), [
			{ TimeGenerated: at, n: 1 },
			{ TimeGenerated: at + 3_600_000, n: 2 },
		]);
		const both = run(
			"let x = AppTraces | where Message == 'b'; let limit = 30m; union x, AppTraces | where TimeGenerated > ago(limit) | summarize n = count()",
			rows,
		);
		assert.deepEqual(both, [{ n: 4 }]);
	});

	for (const query of [
		"AppTraces | take 1",
		"AppTraces | summarize make_set(Message)",
		"AppTraces | summarize dcount(Message)",
		"AppTraces | extend a = Message matches regex 'x'",
		"AppTraces | extend a = toupper(Message)",
		"AppTraces | summarize arg_max(TimeGenerated, *)",
		"AppTraces | join AppRequests on OperationId",
	])
		test(`what it does not know it refuses before the first row: ${query}`, () => {
			assert.deepEqual(parse(query).diagnostics, []);
			assert.throws(() => compileQuery(query), /not known here/);
		});
});
