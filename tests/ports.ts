// Ports of this machine.
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const address = server.address();
	server.close();
	await once(server, "close");
	if (address === null || typeof address === "string") throw new Error("finding a free port: the server has no port");
	return address.port;
}

export async function isListening(port: number): Promise<boolean> {
	const socket = connect(port, "127.0.0.1");
	try {
		await once(socket, "connect");
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}

/** Null where somebody has it already: taken it is. */
export async function occupy(port: number): Promise<Server | null> {
	const { promise, resolve } = Promise.withResolvers<Server | null>();
	const server = createServer();
	server.once("error", () => resolve(null));
	server.listen(port, "127.0.0.1", () => resolve(server));
	return promise;
}
