// What was read in kured's source as its defects, E1 to E17, and which live test shows what ours does there: on a real control plane, with
// simulated kubelets. (Each is simulated as well: tests/simulation/scenarios/kured.ts.)

export interface Defect {
	readonly id: string;
	/** The situation in which kured fails. */
	readonly situation: string;
	/** Under tests/real. */
	readonly file: string;
	/** Title of the test. */
	readonly test: string;
}

const oneOfSeven = "is given up after its time, with every node back in service";
const goneNode = "that is deleted while it drains or reboots frees its room: the next one is rebooted";

export const defects: readonly Defect[] = [
	{
		id: "E1",
		situation: "the API server cannot be reached when the node is back",
		file: "outages.test.ts",
		test: "is waited for, and both go on where they were",
	},
	{
		id: "E2",
		situation: "the lock runs out in the drain or the reboot",
		file: "two-schedulers.test.ts",
		test: "take over from one that stands still, once its lease is over",
	},
	{ id: "E3", situation: "the process dies in the drain", file: "killed.test.ts", test: "has ended every node's boot exactly once" },
	{ id: "E4", situation: "a drain fails", file: "hazards-drain.test.ts", test: "give up their drains at the deadline, and the others go on" },
	{
		id: "E5",
		situation: "the drain of a node fails that a person had cordoned",
		file: "kured.test.ts",
		test: "E5: a drain that fails leaves a person's cordon",
	},
	{ id: "E6", situation: "a holder of one of several places vanishes", file: "hazards-gone.test.ts", test: goneNode },
	{
		id: "E7",
		situation: "the concurrency changes, and a pause",
		file: "kured.test.ts",
		test: "E7: MAX_CONCURRENT goes from 1 to 2 and back with reboots in flight, and the pause holds",
	},
	{
		id: "E8",
		situation: "an eviction that a budget refuses",
		file: "kured.test.ts",
		test: "E8: an eviction that a budget refuses is not sent again within five seconds",
	},
	{ id: "E9", situation: "the signal is sent, and nothing happens", file: "hazards-reboot.test.ts", test: oneOfSeven },
	{ id: "E10", situation: "the reboot itself fails", file: "hazards-reboot.test.ts", test: oneOfSeven },
	{
		id: "E11",
		situation: "the sentinel asks again after the boot",
		file: "hazards-return.test.ts",
		test: "and still asks: it is in service, told of, and not rebooted again within REBOOT_INTERVAL, whoever looks",
	},
	{
		id: "E12",
		situation: "the node does not come back",
		file: "hazards-return.test.ts",
		test: "is stuck: cordoned and marked, for every scheduler that looks, and nothing else is begun",
	},
	{ id: "E12", situation: "the node is deleted", file: "hazards-gone.test.ts", test: goneNode },
	{ id: "E13", situation: "the machine is up, and its node not Ready", file: "kured.test.ts", test: "E13: a node that is up and not Ready is not given back" },
	{
		id: "E14",
		situation: "another node is not Ready",
		file: "hazards-return.test.ts",
		test: "since it is not Ready any more: nothing new begins in its cluster",
	},
	{ id: "E15", situation: "the cordoned node is scaled away", file: "hazards-gone.test.ts", test: goneNode },
	{
		id: "E16",
		situation: "a node that a person had cordoned asks for a reboot",
		file: "kured.test.ts",
		test: "CordonningIsKeptWithoutConcurrency: the worker that was cordoned by hand is rebooted and stays cordoned",
	},
	{
		id: "E17",
		situation: "a pod without a controller",
		file: "settings.test.ts",
		test: "never evicts a pod without a controller under UNMANAGED_PODS=block, and says which one it was",
	},
];
