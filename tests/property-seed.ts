// Loaded before the unit and contract tests: properties draw from a seed of the commit, so that a red run stays red when it is repeated,
// and every commit tries other values; so do the simulation's worlds. `SEED=N npm test` names another one; a file run by itself draws at random.
import { execFileSync } from "node:child_process";
import fc from "fast-check";

function seedOfCommit(): number {
	try {
		const commit = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
		return Number.parseInt(commit.slice(0, 7), 16);
	} catch {
		// Not a checkout.
		return 0;
	}
}

export const seed = process.env.SEED === undefined ? seedOfCommit() : Number(process.env.SEED);

fc.configureGlobal({ seed });
