// Processes of a bench that answer calls: what is measured must share neither memory nor event loop with what it is measured against.
import { fork } from "node:child_process";
import { once } from "node:events";

export interface Remote {
	readonly pid: number;
	/** Rejects with what the other process says of its failure, or when it has ended. */
	call<T>(name: string, argument?: unknown): Promise<T>;
	/** SIGKILL, and waits for the end. */
	stop(): Promise<void>;
}

interface Answer {
	readonly id: number;
	readonly value?: unknown;
	readonly error?: string;
}

/** Starts a program that calls `serve`, with this environment and no other. */
export function startRemote(program: string, env: Readonly<Record<string, string>> = {}): Remote {
	const { PATH = "", HOME = "", NODE_EXTRA_CA_CERTS = "" } = process.env;
	const child = fork(program, { env: { PATH, HOME, ...(NODE_EXTRA_CA_CERTS === "" ? {} : { NODE_EXTRA_CA_CERTS }), NO_PROXY: "127.0.0.1", ...env } });
	const waiting = new Map<number, (answer: Answer) => void>();
	let next = 0;
	child.on("message", (answer: Answer) => {
		waiting.get(answer.id)?.(answer);
		waiting.delete(answer.id);
	});
	const ended = once(child, "exit").then(([code, signal]) => {
		for (const [id, tell] of waiting) tell({ id, error: `${program} has ended with ${code ?? signal}` });
		waiting.clear();
	});
	return {
		pid: child.pid ?? 0,
		async call<T>(name: string, argument?: unknown): Promise<T> {
			if (!child.connected) throw new Error(`${program} has ended`);
			const id = next++;
			const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
			child.send({ id, name, argument });
			const { value, error } = await answered;
			if (error !== undefined) throw new Error(`${name}: ${error}`);
			return value as T;
		},
		async stop() {
			child.kill("SIGKILL");
			await ended;
		},
	};
}

// biome-ignore lint/suspicious/noExplicitAny: each handler knows what it is called with.
type Handlers = Readonly<Record<string, (argument: any) => unknown>>;

/** Answers the calls of the process that started this one, and ends with it. */
export function serve(handlers: Handlers): void {
	process.on("disconnect", () => process.exit(0));
	process.on("message", async ({ id, name, argument }: { id: number; name: string; argument: unknown }) => {
		try {
			process.send?.({ id, value: await handlers[name]?.(argument) });
		} catch (error) {
			process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
		}
	});
}
