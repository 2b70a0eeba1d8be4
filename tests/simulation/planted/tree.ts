// The scheduler and its simulation in a folder of their own, so that a bug can be planted without touching anybody's work.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applied, type Edit } from "./edit.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

export interface Tree {
	readonly folder: string;
	remove(): void;
}

const trees = new Set<Tree>();
process.once("exit", () => {
	for (const tree of trees) tree.remove();
});

/** A copy of what the simulation needs, of the project's own or of a copy of it; packages are shared. It goes with the process at the latest. */
export function copiedTree(from = root): Tree {
	const folder = mkdtempSync(join(tmpdir(), "planted-"));
	const tree: Tree = {
		folder,
		remove() {
			rmSync(folder, { recursive: true, force: true });
			trees.delete(tree);
		},
	};
	trees.add(tree);
	for (const each of ["lib", "tests/simulation", "package.json"]) cpSync(join(from, each), join(folder, each), { recursive: true });
	symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
	return tree;
}

/** Puts the bug into a copy. @throws Error where its text does not stand there exactly once. */
export function plant(tree: Tree, edit: Edit): void {
	const file = join(tree.folder, "lib", edit.file);
	writeFileSync(file, applied(edit, readFileSync(file, "utf8")));
}
