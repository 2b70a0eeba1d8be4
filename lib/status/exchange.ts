// An HTTP request and its answer, whoever serves them: the function app or the local web server.

export interface Asked {
	readonly method: string;
	readonly query: URLSearchParams;
	/** Null: it is not there. */
	header(name: string): string | null;
	/** Empty where there is none. */
	readonly body: string;
}

export interface Answer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string;
}
