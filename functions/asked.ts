// A request of the Functions host, as what answers it knows it.
import type { HttpRequest } from "@azure/functions";
import type { Asked } from "../lib/status/exchange.ts";

export async function askedOf(request: HttpRequest): Promise<Asked> {
	const body = request.method === "GET" ? "" : await request.text();
	return { method: request.method, query: new URLSearchParams([...request.query]), header: (name) => request.headers.get(name), body };
}
