// The command line of `npm run hold`, `release` and `reboot`.
import { parseArgs } from "node:util";
import { untilForm, untilProblem } from "../plan/control.ts";
import type { Order } from "../tick/order.ts";

export type ParsedAsk = { readonly order: Order } | { readonly problems: readonly string[] } | { readonly help: true };

export const askUsage = `usage: npm run hold    -- CLUSTER[/NAME] --reason REASON [--until WHEN]
       npm run release -- CLUSTER[/NAME] --reason REASON
       npm run reboot  -- CLUSTER/NODE   --reason REASON [--until WHEN] [--ignore-window]
       npm run reboot  -- CLUSTER/NODE   --reason REASON --cancel

NAME is a node, or else a pool; without it the whole cluster is meant.
  --node, --pool     which of them, where there are both
  --until WHEN       ${untilForm}
  --ignore-window    begin it, and ask for it, outside the maintenance window too
  --cancel           take back the reboot that was asked for
  --by WHO           in whose name; you unless told
  --help             this

It speaks to the scheduler whose settings the environment holds (CLUSTERS and the storage account), else to the one that runs in this
folder (npm start).`;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const options = { reason: text, until: text, by: text, node: flag, pool: flag, "ignore-window": flag, cancel: flag, help: flag } as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>["values"];

/** The order, or what is wrong with the arguments. `who` asks, unless told. */
export function parseAsk(argv: readonly string[], who: string): ParsedAsk {
	let parsed: { readonly values: Values; readonly positionals: readonly string[] };
	try {
		parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
	} catch (error) {
		return { problems: [error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error)] };
	}
	const { values, positionals } = parsed;
	if (values.help === true) return { help: true };
	const [command, place = "", ...rest] = positionals;
	const problems = rest.length === 0 ? [] : [`${rest.join(" ")}: expected one CLUSTER or CLUSTER/NAME`];
	const kind = kindOf(command, values.cancel === true);
	if (kind === null) problems.push(values.cancel === true ? "--cancel: it is for npm run reboot" : `${command ?? ""}: expected hold, release or reboot`);
	const slash = place.indexOf("/");
	const cluster = slash < 0 ? place : place.slice(0, slash);
	const name = slash < 0 ? null : place.slice(slash + 1);
	if (cluster === "" || name === "") problems.push(`${JSON.stringify(place)}: expected CLUSTER or CLUSTER/NAME`);
	const { reason = "", until = null, by = who, node = false, pool = false, "ignore-window": ignoreWindow = false } = values;
	if (node && pool) problems.push("--node and --pool: expected one of them");
	if ((node || pool) && name === null) problems.push(`--${node ? "node" : "pool"}: expected CLUSTER/NAME`);
	if (reason === "") problems.push("--reason: expected some words after it");
	const wrongEnd = until === null ? null : untilProblem(until);
	if (wrongEnd !== null) problems.push(`--${wrongEnd}`);
	if (problems.length > 0 || kind === null) return { problems };
	const about =
		name === null
			? ({ kind: "cluster" } as const)
			: { kind: node || kind === "reboot" || kind === "cancel" ? ("node" as const) : pool ? ("pool" as const) : ("name" as const), name };
	return { order: { kind, cluster, about, reason, by, until, ignoreWindow } };
}

function kindOf(command: string | undefined, cancel: boolean): Order["kind"] | null {
	if (command === "reboot") return cancel ? "cancel" : "reboot";
	return !cancel && (command === "hold" || command === "release") ? command : null;
}
