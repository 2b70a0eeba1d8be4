// The smallest scenario that fails alike: faults first written down one by one, then taken away, then events, outages, workloads, nodes.
import type { Fired } from "./faults.ts";
import { type Result, run } from "./run.ts";
import type { Scenario } from "./scenario.ts";

/** Whether a candidate still breaks the same promise. */
type Fails = (scenario: Scenario) => Promise<boolean>;

export async function shrink(scenario: Scenario, told: (what: string) => void): Promise<{ readonly scenario: Scenario; readonly result: Result } | null> {
	const first = await run(scenario);
	if (first.verdict === "ok") return null;
	const fails: Fails = async (candidate) => {
		const result = await run(candidate);
		return result.verdict === first.verdict && result.id === first.id;
	};
	const listed: Scenario = { ...scenario, faults: { kind: "listed", fired: first.fired } };
	let smallest = (await fails(listed)) ? listed : scenario;
	for (let before = ""; before !== sizeOf(smallest); ) {
		before = sizeOf(smallest);
		smallest = await smallerBy(smallest, fails);
		told(sizeOf(smallest));
	}
	return { scenario: smallest, result: await run(smallest) };
}

function sizeOf({ faults, events, outages, clusters }: Scenario): string {
	const nodes = clusters.reduce((sum, each) => sum + each.nodes.length, 0);
	const workloads = clusters.reduce((sum, each) => sum + each.workloads.length, 0);
	const fired = faults.kind === "listed" ? faults.fired.length : "seeded";
	return `${fired} faults, ${events.length} events, ${outages.length} outages, ${clusters.length} clusters, ${nodes} nodes, ${workloads} workloads`;
}

async function smallerBy(start: Scenario, fails: Fails): Promise<Scenario> {
	let scenario = start;
	if (scenario.faults.kind === "listed") {
		const fired = await fewest<Fired>(scenario.faults.fired, (kept) => fails({ ...scenario, faults: { kind: "listed", fired: kept } }));
		scenario = { ...scenario, faults: { kind: "listed", fired } };
	}
	const events = await fewest(scenario.events, (kept) => fails({ ...scenario, events: kept }));
	scenario = { ...scenario, events };
	const outages = await fewest(scenario.outages, (kept) => fails({ ...scenario, outages: kept }));
	scenario = { ...scenario, outages };
	const clusters = await fewest(scenario.clusters, (kept) => (kept.length === 0 ? Promise.resolve(false) : fails({ ...scenario, clusters: kept })));
	scenario = { ...scenario, clusters };
	for (const [i, cluster] of scenario.clusters.entries()) {
		const withCluster = (changes: Partial<typeof cluster>) => ({
			...scenario,
			clusters: scenario.clusters.map((each, k) => (k === i ? { ...each, ...changes } : each)),
		});
		const workloads = await fewest(cluster.workloads, (kept) => fails(withCluster({ workloads: kept })));
		scenario = withCluster({ workloads });
		const nodes = await fewest(cluster.nodes, (kept) => (kept.length === 0 ? Promise.resolve(false) : fails(withCluster({ nodes: kept, workloads }))));
		scenario = withCluster({ workloads, nodes });
	}
	return scenario;
}

/** Delta debugging: halves, quarters, … of the list are left out for as long as what is left still fails. */
async function fewest<T>(items: readonly T[], fails: (kept: readonly T[]) => Promise<boolean>): Promise<readonly T[]> {
	let kept = items;
	for (let size = Math.ceil(kept.length / 2); size >= 1 && kept.length > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
		for (let from = 0; from < kept.length; ) {
			const without = [...kept.slice(0, from), ...kept.slice(from + size)];
			if (await fails(without)) kept = without;
			else from += size;
		}
	}
	return kept;
}
