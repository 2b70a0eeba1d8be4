// `npm run package`: the function app of `npm run build` as one zip, ready for `az functionapp deployment source config-zip`.
// The same sources and packages give the same bytes on every machine, so that a hash says what is deployed.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { buildApp } from "./build.ts";

export interface ZipEntry {
	/** Of ASCII letters, without folders. */
	readonly name: string;
	readonly data: Uint8Array;
}

const archive = resolve(import.meta.dirname, "aks-reboot-scheduler.zip");

/** 1980-01-01, the first day that a zip can name: what is built does not depend on when. */
const date = (1 << 5) | 1;
const version = 20;
/** Made on Unix, so that the mode below counts: unpacked as a file that everybody may read. */
const madeOnUnix = (3 << 8) | version;
const mode = 0o100644 * 2 ** 16;

interface Placed extends ZipEntry {
	readonly at: number;
	readonly crc: number;
}

/** The fields that both headers of an entry have: needed version, flags, method, time, date, CRC, both sizes, lengths of name and extra field. */
function commonFields({ name, data, crc }: Placed): Buffer {
	const fields = Buffer.alloc(26);
	fields.writeUInt16LE(version, 0);
	// Method 0, stored: what deflate gives differs between processors and versions of zlib.
	fields.writeUInt16LE(0, 4);
	fields.writeUInt16LE(date, 8);
	fields.writeUInt32LE(crc, 10);
	fields.writeUInt32LE(data.length, 14);
	fields.writeUInt32LE(data.length, 18);
	fields.writeUInt16LE(name.length, 22);
	return fields;
}

function localHeader(entry: Placed): Buffer {
	return Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), commonFields(entry), Buffer.from(entry.name, "latin1")]);
}

function centralHeader(entry: Placed): Buffer {
	const made = Buffer.alloc(2);
	made.writeUInt16LE(madeOnUnix);
	const rest = Buffer.alloc(14);
	rest.writeUInt32LE(mode, 6);
	rest.writeUInt32LE(entry.at, 10);
	return Buffer.concat([Buffer.from("PK\x01\x02", "latin1"), made, commonFields(entry), rest, Buffer.from(entry.name, "latin1")]);
}

function endOf(entries: number, directoryBytes: number, directoryAt: number): Buffer {
	const end = Buffer.alloc(22);
	end.write("PK\x05\x06", "latin1");
	end.writeUInt16LE(entries, 8);
	end.writeUInt16LE(entries, 10);
	end.writeUInt32LE(directoryBytes, 12);
	end.writeUInt32LE(directoryAt, 16);
	return end;
}

/** A zip of these files, sorted by name (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3). */
export function zipOf(entries: readonly ZipEntry[]): Buffer {
	const parts: Buffer[] = [];
	const placed: Placed[] = [];
	let at = 0;
	for (const { name, data } of entries.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
		const entry = { name, data, at, crc: crc32(data) };
		const header = localHeader(entry);
		parts.push(header, Buffer.from(data));
		placed.push(entry);
		at += header.length + data.length;
	}
	const directory = Buffer.concat(placed.map(centralHeader));
	return Buffer.concat([...parts, directory, endOf(placed.length, directory.length, at)]);
}

/** Builds the app and writes its zip; replaces what is there. */
export async function packageApp(file: string): Promise<void> {
	const folder = await mkdtemp(join(tmpdir(), "function-app-"));
	try {
		await buildApp(folder);
		const names = await readdir(folder);
		const entries = await Promise.all(names.map(async (name) => ({ name, data: await readFile(join(folder, name)) })));
		await writeFile(file, zipOf(entries));
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

if (import.meta.main) {
	await packageApp(archive);
	console.log(archive);
}
