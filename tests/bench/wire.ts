// What curl does by hand, with its time, and its bytes on the wire counted by a proxy that passes TLS on as it is.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Reached } from "./clusters.ts";

export interface Bytes {
	readonly received: number;
	readonly sent: number;
}

export class CountingProxy {
	#received = 0;
	#sent = 0;
	readonly #server;
	url = "";

	constructor(to: string) {
		const { hostname, port } = new URL(to);
		this.#server = createServer((client) => {
			const server = connect(Number(port), hostname);
			client.on("data", (chunk) => {
				this.#sent += chunk.length;
			});
			server.on("data", (chunk) => {
				this.#received += chunk.length;
			});
			client.pipe(server).pipe(client);
			for (const socket of [client, server])
				socket.on("error", () => {
					client.destroy();
					server.destroy();
				});
		});
	}

	async listen(): Promise<this> {
		this.#server.listen(0, "127.0.0.1");
		await once(this.#server, "listening");
		this.url = `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
		return this;
	}

	/** Since the last call. */
	take(): Bytes {
		const bytes = { received: this.#received, sent: this.#sent };
		this.#received = 0;
		this.#sent = 0;
		return bytes;
	}

	close(): void {
		this.#server.close();
	}
}

export interface ByHand {
	/** Of all requests one after the other, without the start of curl. */
	readonly ms: number;
	readonly bodyBytes: number;
}

/** One curl, one connection. */
export async function curl({ caPem, token }: Reached, server: string, paths: readonly string[], compressed = false): Promise<ByHand> {
	const dir = mkdtempSync(join(tmpdir(), "bench-curl-"));
	try {
		writeFileSync(join(dir, "ca.pem"), caPem);
		const each = (path: string) => `url = "${server}${path}"\noutput = "/dev/null"\n`;
		const config = [
			"silent\nshow-error\ngloboff\n",
			`cacert = "${join(dir, "ca.pem")}"\nnoproxy = "*"\nheader = "Authorization: Bearer ${token}"\n`,
			'write-out = "%{time_total} %{size_download} %{http_code}\\n"\n',
			compressed ? "compressed\n" : "",
			...paths.map(each),
		].join("");
		const lines = (await output("curl", ["--config", "-"], config)).trim().split("\n");
		const numbers = lines.map((line) => line.split(" ").map(Number));
		// An owner Lease that nobody has made yet is a 404.
		const refused = numbers.find(([, , status = 0]) => status !== 200 && status !== 404);
		if (refused !== undefined) throw new Error(`${server} answered curl with ${refused[2]}`);
		const sum = (index: number) => numbers.reduce((total, parts) => total + (parts[index] ?? 0), 0);
		return { ms: sum(0) * 1000, bodyBytes: sum(1) };
	} finally {
		rmSync(dir, { recursive: true, force: true });
	}
}

async function output(program: string, args: readonly string[], input: string): Promise<string> {
	const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
	let told = "";
	let complaint = "";
	child.stdout.on("data", (chunk) => {
		told += chunk;
	});
	child.stderr.on("data", (chunk) => {
		complaint += chunk;
	});
	child.stdin.end(input);
	const [code] = await once(child, "close");
	if (code !== 0) throw new Error(`${program} ended with ${code}: ${complaint.trim().slice(0, 300)}`);
	return told;
}
