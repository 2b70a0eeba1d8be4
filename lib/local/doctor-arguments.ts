// The command line of `npm run doctor`.
import { parseArgs } from "node:util";

export interface DoctorArguments {
	readonly kubeconfig: string | null;
	/** Clusters of the kubeconfig; they replace `CLUSTERS`. */
	readonly contexts: readonly string[];
	/** One cluster alone. */
	readonly cluster: string | null;
	readonly json: boolean;
}

export const doctorUsage = `usage: npm run doctor -- [ARGUMENTS]

Asks everything that has to be so before nodes can be rebooted, and says what to do where it is not. It writes one row to the table, which it
removes, and nothing to a cluster but dry runs.
  --cluster NAME       this one alone
  --kubeconfig FILE    how clusters of a kubeconfig are reached
  --context NAME       a cluster, again for each; replaces CLUSTERS
  --json               for programs
  --help               this

It is about the scheduler whose settings the environment holds (docs/settings.md), else about the one that runs in this folder (npm start).
Ends with 0 when all is good, 1 when something is not, 2 when the settings are wrong.`;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const options = { kubeconfig: text, context: { type: "string", multiple: true }, cluster: text, json: flag, help: flag } as const;

/** The arguments, or what is wrong with them. */
export function parseDoctorArguments(argv: readonly string[]): DoctorArguments | { readonly problem: string } | { readonly help: true } {
	try {
		const { kubeconfig, context: contexts = [], cluster, json = false, help = false } = parseArgs({ args: [...argv], options }).values;
		if (help) return { help };
		const empty = Object.entries({ kubeconfig, cluster, context: contexts.find((each) => each === "") }).find(([, value]) => value === "");
		if (empty !== undefined) return { problem: `--${empty[0]}: expected a value after it` };
		return { kubeconfig: kubeconfig ?? null, contexts, cluster: cluster ?? null, json };
	} catch (error) {
		return { problem: error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error) };
	}
}
