// The command line of `npm start`.
import { parseArgs } from "node:util";

/** Clusters of the person's own, or the demonstration fleet. */
export type Fleet =
	| { readonly kind: "own"; readonly kubeconfig: string | null; readonly contexts: readonly string[] }
	/** `shape`: what of the command line is the lab's. */
	| { readonly kind: "demonstration"; readonly shape: readonly string[] };

export interface Arguments {
	readonly fleet: Fleet;
	/** Of the web server; null: the usual one, or another where that is taken. */
	readonly port: number | null;
	readonly untilSettled: boolean;
	/** The journal as JSON lines rather than for people. */
	readonly json: boolean;
}

export type Parsed = Arguments | { readonly problem: string } | { readonly help: true };

export const usualPort = 7071;

export const usage = `usage: npm start -- [ARGUMENTS]

A fleet on this machine, to see the scheduler at work:
  npm start                    a demonstration fleet: a lab of simulated clusters
  --fast                       nodes that boot quicker
  --clusters N                 so many clusters
  --nodes N                    so many nodes in each
  --real                       real control planes (KUBEBUILDER_ASSETS names their programs)

Clusters of your own:
  --kubeconfig FILE            how they are reached
  --context NAME               a cluster, again for each; replaces CLUSTERS
Their settings come from the environment: MAINTENANCE_WINDOWS is required (docs/settings.md).

Both:
  --until-settled              end when nothing is in flight and nothing may begin now
  --port N                     of the status page on 127.0.0.1; ${usualPort} unless told, or another where that is taken
  --json                       the journal as JSON lines
  --help                       this`;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const options = {
	"until-settled": flag,
	json: flag,
	help: flag,
	port: text,
	fast: flag,
	real: flag,
	clusters: text,
	nodes: text,
	kubeconfig: text,
	context: { type: "string", multiple: true },
} as const;
const ofOwn = ["kubeconfig", "context"] as const;
const ofDemonstration = ["fast", "real", "clusters", "nodes"] as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];

/** The arguments, or what is wrong with them. */
export function parseArguments(argv: readonly string[]): Parsed {
	const values = valuesOf(argv);
	if (typeof values === "string") return { problem: values };
	if (values.help === true) return { help: true };
	const { kubeconfig, context: contexts = [], port, clusters, nodes } = values;
	if (kubeconfig === "" || contexts.includes("")) return { problem: `--${kubeconfig === "" ? "kubeconfig" : "context"}: expected a value after it` };
	for (const [name, value] of Object.entries({ clusters, nodes }))
		if (value !== undefined && !/^[1-9]\d{0,5}$/.test(value)) return { problem: `--${name}: ${JSON.stringify(value)}, expected a whole number from 1 on` };
	if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535))
		return { problem: `--port: ${JSON.stringify(port)}, expected a port from 1 to 65535, or 0 for any that is free` };
	return withFleet(values, { port: port === undefined ? null : Number(port), untilSettled: values["until-settled"] === true, json: values.json === true });
}

function withFleet(values: Values, both: Omit<Arguments, "fleet">): Parsed {
	const own = ofOwn.filter((name) => values[name] !== undefined).map((name) => `--${name}`);
	const demonstration = ofDemonstration.filter((name) => values[name] !== undefined);
	if (own.length === 0) {
		const shape = demonstration.flatMap((name) => [`--${name}`, ...(typeof values[name] === "string" ? [values[name]] : [])]);
		return { ...both, fleet: { kind: "demonstration", shape } };
	}
	if (demonstration.length > 0) {
		const shape = demonstration.map((name) => `--${name}`).join(" and ");
		return {
			problem: `${own.join(" and ")} and ${shape}: the first is about clusters of your own, the second about the demonstration fleet; one run has one of them`,
		};
	}
	return { ...both, fleet: { kind: "own", kubeconfig: values.kubeconfig ?? null, contexts: values.context ?? [] } };
}

/** Or what is wrong, in one line. */
function valuesOf(argv: readonly string[]): Values | string {
	try {
		return parseArgs({ args: [...argv], options }).values;
	} catch (error) {
		return error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
	}
}
