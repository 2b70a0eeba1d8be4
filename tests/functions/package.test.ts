// `npm run package`: what is in the zip, read by other people's tools, and that it is the app.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { packageApp, zipOf } from "../../package.ts";
import { sources, startHost } from "./host.ts";

/** Programs that unpack `zip` into the working directory. */
const unpackers: readonly (readonly [command: string, ...options: string[]])[] = [
	["unzip", "-q"],
	["busybox", "unzip", "-q"],
	["python3", "-m", "zipfile", "-e"],
];

function isThere([command]: readonly string[]): boolean {
	return spawnSync(command ?? "", ["--help"], { stdio: "ignore" }).error === undefined;
}

function unpack([command, ...options]: (typeof unpackers)[number], zip: string, folder: string): void {
	mkdirSync(folder, { recursive: true });
	const place = command === "python3" ? ["."] : [];
	const { status, stderr } = spawnSync(command, [...options, zip, ...place], { cwd: folder, encoding: "utf8" });
	assert.equal(status, 0, `${command} unpacks it: ${stderr}`);
}

const hash = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

describe("npm run package", () => {
	let folder: string;
	let zip: string;
	before(async () => {
		folder = mkdtempSync(join(tmpdir(), "package-"));
		zip = join(folder, "app.zip");
		await packageApp(zip);
	});
	after(() => rmSync(folder, { recursive: true, force: true }));

	function unpacked(context: TestContext, name: string): string | null {
		const tool = unpackers.find(isThere);
		if (tool === undefined) {
			context.skip("there is no unzip, busybox or python3");
			return null;
		}
		const place = join(folder, name);
		unpack(tool, zip, place);
		return place;
	}

	it("gives the same bytes when it is repeated, wherever it is called", async () => {
		const again = join(folder, "again.zip");
		const before = process.cwd();
		process.chdir(folder);
		try {
			await packageApp(again);
		} finally {
			process.chdir(before);
		}
		assert.equal(hash(readFileSync(again)), hash(readFileSync(zip)));
	});

	it("holds the bundle, host.json and package.json, and nothing else, to be read by everybody", (context) => {
		const place = unpacked(context, "content");
		if (place === null) return;
		assert.deepEqual(readdirSync(place).sort(), ["host.json", "main.js", "package.json"]);
		for (const name of readdirSync(place)) assert.equal(statSync(join(place, name)).mode & 0o444, 0o444, name);
	});

	it("is the app: without node_modules its entry point registers the same functions as the sources", async (context) => {
		const place = unpacked(context, "app");
		if (place === null) return;
		const { main } = JSON.parse(readFileSync(join(place, "package.json"), "utf8")) as { main: string };
		const hosts = [await startHost(join(place, main), {}), await startHost(sources, {})];
		try {
			const [app, source] = hosts.map(({ functions }) => functions.map(({ name, bindings }) => ({ name, bindings: Object.values(bindings) })));
			const plain = (text: unknown): string => JSON.stringify(text).replaceAll(/(Trigger|Output|return)[0-9a-f]{10,}/g, "$1");
			assert.equal(plain(app), plain(source));
			assert.ok((app ?? []).length > 1);
		} finally {
			await Promise.all(hosts.map((host) => host.stop()));
		}
	});
});

describe("the zip", () => {
	for (const tool of unpackers)
		it(`is understood by ${tool[0]}: names, order, empty files and bytes of every kind`, (context) => {
			if (!isThere(tool)) return context.skip(`there is no ${tool[0]}`);
			const folder = mkdtempSync(join(tmpdir(), "zip-"));
			try {
				const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256);
				const made = zipOf([
					{ name: "b.bin", data: bytes },
					{ name: "a.txt", data: new Uint8Array() },
				]);
				const same = zipOf([
					{ name: "a.txt", data: new Uint8Array() },
					{ name: "b.bin", data: bytes },
				]);
				assert.deepEqual(made, same);
				const file = join(folder, "it.zip");
				writeFileSync(file, made);
				unpack(tool, file, join(folder, "out"));
				assert.deepEqual(readdirSync(join(folder, "out")).sort(), ["a.txt", "b.bin"]);
				assert.deepEqual(Uint8Array.from(readFileSync(join(folder, "out", "b.bin"))), bytes);
				assert.equal(statSync(join(folder, "out", "a.txt")).size, 0);
			} finally {
				rmSync(folder, { recursive: true, force: true });
			}
		});
});
