// What the Node.js worker of the Functions host does with an app, in a process of its own: answers `@azure/functions-core`, loads the app,
// and invokes its functions through the model that the real library registers. (Without a host and gRPC; see azure-functions-nodejs-worker.)
//   node worker.ts APP      asked by messages of the parent
import Module from "node:module";
import { pathToFileURL } from "node:url";
import { serialize } from "node:v8";

export interface Binding {
	readonly name?: string;
	readonly type: string;
	readonly direction: string;
	readonly [field: string]: unknown;
}

export interface FunctionMetadata {
	readonly name: string;
	readonly bindings: Readonly<Record<string, Binding>>;
}

export interface Log {
	readonly level: string;
	/** `user`: the app's own lines. */
	readonly category: string;
	readonly text: string;
}

export interface Invocation {
	readonly id: number;
	readonly name: string;
	/** Of the trigger, as the host sends it. */
	readonly data: object;
}

export interface HttpAnswer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
}

export interface Invoked {
	readonly error: { readonly name: string; readonly message: string } | null;
	readonly logs: readonly Log[];
	readonly http: HttpAnswer | null;
}

export type FromWorker =
	| {
			readonly kind: "loaded";
			readonly functions: readonly FunctionMetadata[];
			readonly importMs: number;
			readonly importCpuMs: number;
			readonly rssBytes: number;
	  }
	| { readonly kind: "invoked"; readonly id: number; readonly invoked: Invoked };

type Handler = (...inputs: unknown[]) => unknown;

interface InvocationModel {
	getArguments(): Promise<{ context: object; inputs: unknown[] }>;
	invokeFunction(context: object, inputs: unknown[], handler: Handler): Promise<unknown>;
	getResponse(context: object, result: unknown): Promise<{ returnValue?: { http?: RpcHttp } }>;
}

interface RpcHttp {
	readonly statusCode: string;
	readonly headers: Record<string, string>;
	readonly body?: { readonly bytes?: Uint8Array };
}

let model: { getInvocationModel(context: object): InvocationModel } | null = null;
const registered = new Map<string, { readonly metadata: FunctionMetadata; readonly handler: Handler }>();

const core = {
	version: "3.13.0",
	hostVersion: "4.1047.100",
	workerConfig: {},
	setProgrammingModel: (given: typeof model) => {
		model = given;
	},
	getProgrammingModel: () => model,
	registerHook: () => ({ dispose() {} }),
	log() {},
	registerFunction(metadata: FunctionMetadata, handler: Handler) {
		registered.set(metadata.name, { metadata, handler });
		return { dispose() {} };
	},
	Disposable: class {
		dispose() {}
	},
};

const prototype = Module.prototype as unknown as { require: (this: unknown, id: string) => unknown };
const original = prototype.require;
prototype.require = function (id) {
	return id === "@azure/functions-core" ? core : original.call(this, id);
};

/** The host's messages are protocol buffers: nothing but plain data passes. */
function plain<T>(value: T): T {
	serialize(value);
	return JSON.parse(JSON.stringify(value)) as T;
}

async function invoke({ id, name, data }: Invocation): Promise<Invoked> {
	const found = registered.get(name);
	if (found === undefined || model === null) throw new Error(`invoking ${name}: no such function`);
	const { metadata, handler } = found;
	const [binding = ""] = Object.entries(metadata.bindings).find(([, each]) => each.type.endsWith("Trigger")) ?? [];
	const logs: Log[] = [];
	const invocation = model.getInvocationModel({
		invocationId: `invocation-${id}`,
		metadata: { name, bindings: metadata.bindings },
		request: { invocationId: `invocation-${id}`, functionId: name, inputData: [{ name: binding, data }], triggerMetadata: {} },
		state: undefined,
		log: (level: string, category: string, text: string) => logs.push({ level, category, text }),
	});
	const { context, inputs } = await invocation.getArguments();
	try {
		const result = await invocation.invokeFunction(context, inputs, handler);
		const http = (await invocation.getResponse(context, result)).returnValue?.http;
		return { error: null, logs, http: http === undefined ? null : httpAnswer(http) };
	} catch (error) {
		const { name, message } = error instanceof Error ? error : { name: typeof error, message: String(error) };
		return { error: { name, message }, logs, http: null };
	}
}

function httpAnswer({ statusCode, headers, body }: RpcHttp): HttpAnswer {
	return { status: Number(statusCode), headers, body: Buffer.from(body?.bytes ?? []).toString("utf8") };
}

function say(message: FromWorker): void {
	process.send?.(plain(message));
}

if (process.send !== undefined) {
	// The parent is gone, however it ended: so is this.
	process.once("disconnect", () => process.exit(0));
	process.on("message", (message) => {
		const invocation = message as Invocation;
		void invoke(invocation).then((invoked) => say({ kind: "invoked", id: invocation.id, invoked }));
	});
	const startedAt = performance.now();
	const before = process.cpuUsage();
	await import(pathToFileURL(process.argv[2] ?? "").href);
	const importMs = performance.now() - startedAt;
	const { user, system } = process.cpuUsage(before);
	const importCpuMs = (user + system) / 1_000;
	const functions = [...registered.values()].map(({ metadata }) => metadata);
	say({ kind: "loaded", functions, importMs, importCpuMs, rssBytes: process.memoryUsage().rss });
}
