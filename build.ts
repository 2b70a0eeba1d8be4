// `npm run build`: dist/ is a whole function app: one bundled file, host.json and a package.json that names it. No node_modules.
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const root = import.meta.dirname;

/** What packages of the CommonJS kind expect to find, in a file that is an ES module. */
const banner = [
	'import { createRequire as __bundleRequire } from "node:module";',
	"const require = __bundleRequire(import.meta.url);",
	"const __bundleFilename = import.meta.filename;",
	"const __bundleDirname = import.meta.dirname;",
].join("\n");

/** Bundles a program as the function app is bundled. */
export async function bundle(entryPoint: string, outfile: string): Promise<void> {
	await build({
		// The names of sources in it do not depend on where it was called.
		absWorkingDir: root,
		entryPoints: [entryPoint],
		outfile,
		bundle: true,
		platform: "node",
		target: "node24",
		format: "esm",
		// The worker of the Functions host answers this name itself.
		external: ["@azure/functions-core"],
		banner: { js: banner },
		// Not declared under these names: packages that are ES modules declare them themselves.
		define: { __filename: "__bundleFilename", __dirname: "__bundleDirname" },
		minify: true,
		// Stacks are read by people; what it costs to load could not be measured.
		keepNames: true,
		legalComments: "eof",
		logLevel: "warning",
	});
}

/** Replaces what is in the directory. */
export async function buildApp(directory: string): Promise<void> {
	await rm(directory, { recursive: true, force: true });
	await mkdir(directory, { recursive: true });
	await bundle(join(root, "functions", "main.ts"), join(directory, "main.js"));
	const { name, version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { name: string; version: string };
	const manifest = { name, version, private: true, type: "module", main: "main.js" };
	await writeFile(join(directory, "package.json"), `${JSON.stringify(manifest, null, "\t")}\n`);
	await copyFile(join(root, "host.json"), join(directory, "host.json"));
}

if (import.meta.main) await buildApp(resolve(root, "dist"));
