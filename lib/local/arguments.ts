// The command line of `npm start`.

export interface Arguments {
	readonly kubeconfig: string | null;
	readonly contexts: readonly string[];
	readonly untilSettled: boolean;
	/** The journal as JSON lines rather than for people. */
	readonly json: boolean;
}

export const usage = `usage: npm start -- --kubeconfig FILE --context NAME [--context NAME …] [--until-settled] [--json]

  --kubeconfig FILE   how the clusters are reached
  --context NAME      a cluster; replaces CLUSTERS
  --until-settled     end when nothing is in flight and nothing may begin now
  --json              the journal as JSON lines
Settings come from the environment: MAINTENANCE_WINDOWS is required (docs/settings.md).`;

/** The arguments, or what is wrong with them. */
export function parseArguments(argv: readonly string[]): Arguments | { readonly problem: string } {
	let kubeconfig: string | null = null;
	const contexts: string[] = [];
	let untilSettled = false;
	let json = false;
	for (let i = 0; i < argv.length; i++) {
		const [flag = "", inline] = splitFlag(argv[i] ?? "");
		if (flag === "--until-settled") untilSettled = true;
		else if (flag === "--json") json = true;
		else if (flag === "--kubeconfig" || flag === "--context") {
			const value = inline ?? argv[++i];
			if (value === undefined || value === "" || value.startsWith("--")) return { problem: `${flag}: expected a value after it` };
			if (flag === "--context") contexts.push(value);
			else kubeconfig = value;
		} else return { problem: `${argv[i]}: no such argument` };
	}
	return { kubeconfig, contexts, untilSettled, json };
}

function splitFlag(argument: string): [string, string?] {
	const at = argument.indexOf("=");
	return argument.startsWith("--") && at > 0 ? [argument.slice(0, at), argument.slice(at + 1)] : [argument];
}
