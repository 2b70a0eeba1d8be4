// The tables of a Log Analytics workspace that queries read, with the columns that they may use: what Application Insights writes there.
// https://learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces (appexceptions, apprequests)

export type ColumnType = "datetime" | "string" | "int" | "long" | "real" | "bool";

/** Of every one of them. */
const common = {
	TimeGenerated: "datetime",
	OperationId: "string",
	OperationName: "string",
	AppRoleInstance: "string",
	AppRoleName: "string",
	ItemCount: "int",
	_ResourceId: "string",
} as const satisfies Readonly<Record<string, ColumnType>>;

export const tables = {
	AppTraces: { ...common, Message: "string", SeverityLevel: "int" },
	AppExceptions: {
		...common,
		ExceptionType: "string",
		InnermostMessage: "string",
		InnermostType: "string",
		OuterMessage: "string",
		OuterType: "string",
		ProblemId: "string",
		SeverityLevel: "int",
	},
	AppRequests: { ...common, DurationMs: "real", Id: "string", Name: "string", ResultCode: "string", Success: "bool", Url: "string" },
} as const satisfies Readonly<Record<string, Readonly<Record<string, ColumnType>>>>;

export type TableName = keyof typeof tables;
