// The alert rules as they are deployed, out of a snapshot, and what Azure Monitor does with them: runs each in its interval over its window, and
// has one alert for each combination of dimensions, which ends when a run does not find it any more.
import { basename } from "node:path";
import type { ParameterSet } from "../compiler.ts";
import { compileQuery, type Row, type Run, type Tables } from "../kql/evaluator.ts";
import { ofType, predictionOf } from "../prediction.ts";

interface Criterion {
	readonly query: string;
	readonly metricMeasureColumn: string;
	readonly timeAggregation: string;
	readonly operator: string;
	readonly threshold: number;
	readonly dimensions: readonly { readonly name: string; readonly operator: string; readonly values: readonly string[] }[];
	readonly failingPeriods: { readonly numberOfEvaluationPeriods: number; readonly minFailingPeriodsToAlert: number };
}

interface RuleProperties {
	readonly displayName: string;
	readonly severity: number;
	readonly enabled: boolean;
	readonly autoMitigate: boolean;
	readonly skipQueryValidation: boolean;
	readonly scopes: readonly string[];
	readonly evaluationFrequency: string;
	readonly windowSize: string;
	readonly criteria: { readonly allOf: readonly Criterion[] };
	readonly actions: { readonly actionGroups: readonly string[] };
}

export interface Rule {
	/** That of its query's file. */
	readonly name: string;
	readonly properties: RuleProperties;
	readonly criterion: Criterion;
	readonly everyMs: number;
	readonly windowMs: number;
}

const units: Readonly<Record<string, number>> = { M: 60_000, H: 3_600_000, D: 86_400_000 };

/** `PT5M`, `PT1H`, `P2D`. */
function durationMs(text: string): number {
	const [, count, unit = ""] = /^P(?:T(?=\d+[MH]$)|(?=\d+D$))(\d+)([MHD])$/.exec(text) ?? [];
	return Number(count) * (units[unit] ?? Number.NaN);
}

export function rulesOf(parameters: ParameterSet): readonly Rule[] {
	return ofType(predictionOf(parameters), "Microsoft.Insights/scheduledQueryRules").map((resource) => {
		const properties = resource.properties as unknown as RuleProperties;
		const [criterion, ...others] = properties.criteria.allOf;
		if (criterion === undefined || others.length > 0) throw new Error(`${resource.name}: expected one criterion`);
		const name = basename(properties.displayName.replace("aks-reboot-scheduler: ", ""));
		return { name, properties, criterion, everyMs: durationMs(properties.evaluationFrequency), windowMs: durationMs(properties.windowSize) };
	});
}

/** One alert. `untilMs` null: it had not ended when the watch did. */
export interface Alert {
	readonly of: Row;
	readonly row: Row;
	readonly fromMs: number;
	readonly untilMs: number | null;
}

/** Rows are there this long after they were written: a query sees the last minutes never. */
const ingestionMs = 3 * 60_000;

const queries = new Map<string, Run>();

function queryOf({ query }: Criterion): Run {
	const run = queries.get(query) ?? compileQuery(query);
	queries.set(query, run);
	return run;
}

/** The first row that is later than that, in rows by time. */
function firstAfter(rows: readonly Row[], at: number): number {
	let [low, high] = [0, rows.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (Number(rows[middle]?.TimeGenerated) > at) high = middle;
		else low = middle + 1;
	}
	return low;
}

function between(tables: Tables, afterMs: number, untilMs: number): Tables {
	const cut = (rows: readonly Row[]): readonly Row[] => rows.slice(firstAfter(rows, afterMs), firstAfter(rows, untilMs));
	return { AppTraces: cut(tables.AppTraces), AppExceptions: cut(tables.AppExceptions), AppRequests: cut(tables.AppRequests) };
}

/** What one run of a rule finds. Of every rule the measure has to be above 0, and each combination of dimensions has one row. */
export function found(rule: Rule, tables: Tables, at: number): readonly Row[] {
	const rows = queryOf(rule.criterion)(between(tables, at - rule.windowMs, at - ingestionMs), at);
	return rows.filter((row) => Number(row[rule.criterion.metricMeasureColumn]) > rule.criterion.threshold);
}

/** Every alert of a rule from one instant to another. Rows of each table are in the order of their time. */
export function watch(rule: Rule, tables: Tables, fromMs: number, untilMs: number): readonly Alert[] {
	const ended: Alert[] = [];
	let active = new Map<string, Alert>();
	for (let at = fromMs; at <= untilMs; at += rule.everyMs) {
		const now = new Map<string, Alert>();
		for (const row of found(rule, tables, at)) {
			const of = Object.fromEntries(rule.criterion.dimensions.map(({ name }) => [name, row[name] ?? null]));
			const key = JSON.stringify(of);
			if (now.has(key)) throw new Error(`${rule.name}: two rows of ${key}`);
			now.set(key, active.get(key) ?? { of, row, fromMs: at, untilMs: null });
		}
		for (const [key, alert] of active) if (!now.has(key)) ended.push({ ...alert, untilMs: at });
		active = now;
	}
	return [...ended, ...active.values()];
}
