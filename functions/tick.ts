// The timer: one round over every cluster.
import type { app, InvocationContext, Timer } from "@azure/functions";
import type { Environment } from "../lib/azure/identity.ts";
import { explainProblem } from "../lib/plan/explain.ts";
import type { SettingProblem } from "../lib/plan/policy.ts";
import { settingDefaults } from "../lib/settings/defaults.ts";
import { schedule } from "../lib/settings/values.ts";
import { messageOf } from "../lib/tick/call-error.ts";
import { Journal } from "../lib/tick/journal.ts";
import { journalText } from "../lib/tick/journal-text.ts";
import { type Round, roundLimits } from "../lib/tick/round.ts";
import type { JournalSink } from "../lib/tick/world.ts";
import type { Scheduler } from "./scheduler.ts";

export function registerTick(to: Pick<typeof app, "timer">, scheduler: Scheduler, env: Environment): void {
	to.timer("tick", { schedule: scheduleOf(env), handler: (timer, context) => tick(scheduler, timer, context) });
}

/**
 * The host reads the setting by its name, and would not load the function where it is missing or no schedule. Then nothing in flight would
 * be brought back and nobody told, so the default is registered, and the invocation says what is wrong with the setting.
 */
function scheduleOf(env: Environment): string {
	const text = env.TICK_SCHEDULE?.trim();
	return text !== undefined && "ok" in schedule(text) ? "%TICK_SCHEDULE%" : settingDefaults.TICK_SCHEDULE.text;
}

/** Throws where Azure Monitor must see a failed request: settings that are wrong, a table that cannot be used, clusters that keep failing. */
async function tick(scheduler: Scheduler, timer: Timer, context: InvocationContext): Promise<void> {
	const journal = journalOf(context);
	const { problems, stateTable } = scheduler.configuration;
	const failures: unknown[] = problems.length === 0 ? [] : [settingsError(problems)];
	if (stateTable === null) for (const problem of problems) new Journal(journal).write("settings.wrong", problem);
	else {
		try {
			// Also with wrong settings: what is in flight is brought back.
			const { failing } = await scheduler.round(journal, timer.isPastDue);
			if (failing.length > 0) failures.push(failingError(failing));
		} catch (error) {
			failures.push(error);
		}
	}
	if (failures.length > 1) throw new AggregateError(failures, failures.map(messageOf).join("; "));
	if (failures.length === 1) throw failures[0];
}

function settingsError(problems: readonly SettingProblem[]): Error {
	const told = problems.map(explainProblem);
	return new Error(`${told.length === 1 ? "1 problem" : `${told.length} problems`} in the settings: ${told.join("; ")}`);
}

function failingError(failing: Round["failing"]): AggregateError {
	const told = failing.map(({ cluster, why }) => `${cluster}: ${why}`);
	const bugs = failing.some(({ bug }) => bug);
	const many = failing.length === 1 ? "1 cluster" : `${failing.length} clusters`;
	return new AggregateError(
		told.map((each) => new Error(each)),
		`${many} could not be looked at ${roundLimits.failuresToReport} times in a row or more${bugs ? ", or for a bug of ours" : ""}: ${told.join("; ")}`,
	);
}

/** A line of JSON for each event: the worker passes on one text, and queries take it apart again. */
export function journalOf(context: InvocationContext): JournalSink {
	return {
		write(line) {
			const text = journalText(line);
			switch (line.level) {
				case "debug":
					return context.debug(text);
				case "info":
					return context.log(text);
				case "warning":
					return context.warn(text);
				case "error":
					return context.error(text);
				default:
					return line.level satisfies never;
			}
		},
	};
}
