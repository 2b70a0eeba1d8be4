// What the Functions host and Application Insights make of an app: the rows of their tables.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InvocationContext, type LogLevel } from "@azure/functions";
import { journalOf } from "../../../functions/tick.ts";
import type { JournalLine } from "../../../lib/tick/world.ts";
import { root } from "../compiler.ts";
import type { Row, Tables } from "../kql/evaluator.ts";
import { predictionOf, theOne } from "../prediction.ts";

const severities: Readonly<Partial<Record<LogLevel, number>>> = { trace: 0, debug: 0, information: 1, warning: 2, error: 3, critical: 4 };

interface HostJson {
	readonly logging: { readonly logLevel: { readonly default: string } };
}

const { logging } = JSON.parse(readFileSync(join(root, "host.json"), "utf8")) as HostJson;
const leastSeverity = severities[logging.logLevel.default.toLowerCase() as LogLevel] ?? Number.NaN;

/** Azure writes ids in lower case there. */
const component = theOne(predictionOf("one-cluster"), "Microsoft.Insights/components").id.toLowerCase();

function common(at: number) {
	return { TimeGenerated: at, OperationId: "1", OperationName: "tick", AppRoleInstance: "1", AppRoleName: "func", ItemCount: 1, _ResourceId: component };
}

export class Telemetry implements Tables {
	readonly AppTraces: Row[] = [];
	readonly AppExceptions: Row[] = [];
	readonly AppRequests: Row[] = [];
	#at = 0;
	readonly #journal = journalOf(
		new InvocationContext({
			invocationId: "1",
			functionName: "tick",
			// The library has made one text of it, as of everything that is logged.
			logHandler: (level, text) => this.#trace(level, String(text)),
		}),
	);

	#trace(level: LogLevel, text: string): void {
		const severity = severities[level] ?? Number.NaN;
		if (severity >= leastSeverity) this.AppTraces.push({ ...common(this.#at), Message: text, SeverityLevel: severity });
	}

	/** A line of the journal, as functions/tick.ts passes it on. */
	line(at: number, line: JournalLine): void {
		this.#at = at;
		this.#journal.write(line);
	}

	/** What the host itself writes beside it. */
	hostLine(at: number, text: string): void {
		this.#at = at;
		this.#trace("information", text);
	}

	request(at: number, { name = "tick", code = "0", success = true, tookMs = 1_000 }): void {
		this.AppRequests.push({ ...common(at), OperationName: name, Name: name, ResultCode: code, Success: success, DurationMs: tookMs, Id: "1", Url: "" });
	}

	/** An invocation that threw. https://github.com/Azure/azure-functions-host: RpcException, as the inner one of a FunctionInvocationException. */
	exception(at: number, name: string, error: { readonly name: string; readonly message: string }): void {
		this.AppExceptions.push({
			...common(at),
			OperationName: name,
			ExceptionType: "Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException",
			OuterType: "Microsoft.Azure.WebJobs.Host.FunctionInvocationException",
			OuterMessage: `Exception while executing function: Functions.${name}`,
			InnermostType: "Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException",
			InnermostMessage: `Result: Failure\nException: ${error.message}\nStack: ${error.name}: ${error.message}`,
			ProblemId: "1",
			SeverityLevel: 3,
		});
	}
}
