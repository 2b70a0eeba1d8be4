// What is asked before any cluster: settings, windows, the table, the clock.
import { explainDuration, explainInstant, explainProblem } from "../plan/explain.ts";
import type { Instant } from "../plan/model.ts";
import { poolWindows } from "../status/windows.ts";
import { CallError } from "../tick/call-error.ts";
import type { Configuration } from "../tick/tick.ts";
import { bad, type Finding, good, notKnown, type Verdict } from "./findings.ts";
import type { DoctorWorld } from "./ports.ts";

/** A reboot pod acts from 60 s before it was asked for, by its node's clock and the table's. */
export const skewMaxMs = 30_000;

/** Every problem is a finding of its own. */
export function settingsFindings({ settings, problems, clusters }: Configuration): readonly Finding[] {
	const toDo = "set it right (docs/settings.md); until then nothing is begun";
	if (settings === null) return problems.map((each) => ({ check: "settings", ...bad(explainProblem(each), toDo) }));
	const notes = [
		clusters.length === 1 ? "1 cluster" : `${clusters.length} clusters`,
		...(settings.dryRun ? ["DRY_RUN is true, so nothing is begun"] : []),
		...settings.hold.map(({ scope, value }) => `${scope.cluster}${scope.pool === null ? "" : `/${scope.pool}`} is on hold: ${value}`),
	];
	return [{ check: "settings", ...good(`read without a problem: ${notes.join("; ")}`) }];
}

/** Whether the windows of these clusters ever open; each that does not is a finding of its own. */
export function windowFindings({ settings, clusters }: Configuration, at: Instant): readonly Finding[] {
	if (settings === null) return [{ check: "windows", ...notKnown("not looked at: the settings are wrong") }];
	const windows = clusters.flatMap(({ name }) =>
		poolWindows(settings, name, [], at).map(({ pool, window }) => ({ place: pool === null ? name : `${name}/${pool}`, window })),
	);
	const shut = windows.filter(({ window }) => window === null || (!window.open && window.opensAt === null));
	if (shut.length === 0) return [{ check: "windows", ...good(nextOpening(windows, at)) }];
	return shut.map(({ place, window }) => {
		const says = window === null ? `${place}: no entry of MAINTENANCE_WINDOWS covers it, so nothing ever begins` : `${place}: its window never opens`;
		return { check: "windows", ...bad(says, "give it a window in MAINTENANCE_WINDOWS; where nothing is meant to begin, HOLD says why") };
	});
}

type Place = { readonly place: string; readonly window: ReturnType<typeof poolWindows>[number]["window"] };

function nextOpening(windows: readonly Place[], at: Instant): string {
	const open = windows.filter(({ window }) => window?.open === true).length;
	const opensAt = windows.flatMap(({ window }) => (window?.open === false && window.opensAt !== null ? [window.opensAt] : []));
	const next = opensAt.length === 0 ? [] : [`the next opens in ${explainDuration(Math.min(...opensAt) - at)}, at ${explainInstant(Math.min(...opensAt))}`];
	return ["every window opens", ...(open === 0 ? [] : [`${open} of ${windows.length} are open now`]), ...next].join("; ");
}

/** Partition of the row that is written and removed: nobody else's. */
const partition = "doctor";

/** The service's clock, when it was all well. */
export async function tryTable({ table, ids }: DoctorWorld): Promise<{ readonly verdict: Verdict; readonly at: Instant | null }> {
	const key = ids.next();
	try {
		await table.query(partition);
		await table.transact(partition, [{ kind: "insert", key, values: { schema: 1 } }]);
		const { rows } = await table.query(partition, { from: key });
		const row = rows.find((each) => each.key === key);
		if (row === undefined) return { verdict: bad("a row that was written is not there", tableAdvice), at: null };
		const { at } = await table.transact(partition, [{ kind: "delete", key, etag: row.etag }]);
		return { verdict: good("a row was written, read and removed"), at };
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		return { verdict: bad(error.message, tableAdvice), at: null };
	}
}

const tableAdvice =
	"AzureWebJobsStorage names the storage account, by a connection string or by its name and an identity that has the role Storage Table Data Contributor there; its network has to let us in";

export function clockVerdict(whose: string, clock: Instant, service: Instant): Verdict {
	const aheadMs = clock - service;
	if (Math.abs(aheadMs) <= skewMaxMs) return good(`${whose} and the table service's agree to ${Math.round(Math.abs(aheadMs) / 1000)} s`);
	const differs = `${whose} is ${explainDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"} the table service's`;
	return bad(differs, `let it be set by NTP: up to ${skewMaxMs / 1000} s do no harm, beyond that a reboot pod may end without a reboot, or a token be refused`);
}
