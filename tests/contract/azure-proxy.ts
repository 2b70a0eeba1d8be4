// A TCP proxy that loses things on the way.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

export interface LossyProxy {
	readonly port: number;
	/** `swallow`: the request arrives, its answer is lost with the connection. `hang`: nothing is passed on. `cutAnswer`: half of it comes. */
	mode: "pass" | "swallow" | "hang" | "cutAnswer";
	stop(): Promise<void>;
}

function relay(client: Socket, upstream: Socket, proxy: LossyProxy): void {
	client.on("data", (chunk) => {
		if (proxy.mode !== "hang") upstream.write(chunk);
	});
	upstream.on("data", (chunk) => {
		if (proxy.mode === "pass") client.write(chunk);
		if (proxy.mode === "cutAnswer") client.end(chunk.subarray(0, Math.floor(chunk.length / 2)));
		if (proxy.mode === "swallow") client.destroy();
	});
	for (const [socket, other] of [
		[client, upstream],
		[upstream, client],
	] as const) {
		socket.on("error", () => other.destroy());
		socket.on("close", () => other.destroy());
	}
}

export async function startProxy(targetPort: number): Promise<LossyProxy> {
	const sockets = new Set<Socket>();
	const server = createServer((client) => {
		const upstream = connect(targetPort, "127.0.0.1");
		for (const socket of [client, upstream]) {
			sockets.add(socket);
			socket.once("close", () => sockets.delete(socket));
		}
		relay(client, upstream, proxy);
	}).listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("starting a proxy: it has no port");
	const proxy: LossyProxy = {
		port: address.port,
		mode: "pass",
		async stop() {
			const closed = once(server, "close");
			server.close();
			for (const socket of sockets) socket.destroy();
			await closed;
		},
	};
	return proxy;
}
