// What a server of ours answers a call instead of the truth, whatever it serves.
import type { ServerResponse } from "node:http";

export type UntrueAnswer =
	| { readonly kind: "body"; readonly status: number; readonly contentType: string; readonly body: string }
	/** Nothing ever comes. */
	| { readonly kind: "hang" }
	/** The connection is cut. */
	| { readonly kind: "cut" };

export function answerUntruly(response: ServerResponse, answer: UntrueAnswer): void {
	switch (answer.kind) {
		case "body":
			response.writeHead(answer.status, { "content-type": answer.contentType }).end(answer.body);
			return;
		case "hang":
			return;
		case "cut":
			response.socket?.destroy();
			return;
		default:
			answer satisfies never;
	}
}
