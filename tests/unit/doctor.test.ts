// The doctor: its questions are those of the manifests, and what goes wrong with one cluster or one answer stays there.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { examine } from "../../lib/doctor/doctor.ts";
import { allFindings, type Check, clusterChecks, type Diagnosis, type Finding, notAsked, schedulerChecks, standingOf } from "../../lib/doctor/findings.ts";
import type { ClusterInArm, ClusterProbe, DoctorWorld, Right } from "../../lib/doctor/ports.ts";
import { admissionPolicies, deletePodsRight, neededRights, rightText } from "../../lib/doctor/rights.ts";
import { doctorLines } from "../../lib/local/doctor-lines.ts";
import type { ClusterTarget, Settings } from "../../lib/plan/policy.ts";
import { fallbackSettings } from "../../lib/settings/fallback.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import type { Configuration } from "../../lib/tick/tick.ts";
import type { ClusterApi } from "../../lib/tick/world.ts";
import { MemoryTable, StillClock } from "./memory-table.ts";
import { defaultSettings, everywhere, nodeInService } from "./states.ts";

interface Manifest {
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly namespace?: string };
	readonly rules?: readonly Rule[];
}

interface Rule {
	readonly apiGroups: readonly string[];
	readonly resources: readonly string[];
	readonly verbs: readonly string[];
	readonly resourceNames?: readonly string[];
}

const cluster = new URL("../../infra/cluster/", import.meta.url);

function manifests(pattern: string): readonly Manifest[] {
	return globSync(pattern, { cwd: cluster }).flatMap((file) =>
		parseAllDocuments(readFileSync(new URL(file, cluster), "utf8")).map((each) => each.toJS() as Manifest),
	);
}

function rightsOf({ rules = [], metadata }: Manifest): readonly Right[] {
	const named = ({ resourceNames }: Rule): readonly (string | null)[] => resourceNames ?? [null];
	return rules.flatMap((rule) =>
		rule.apiGroups.flatMap((group) =>
			rule.resources.flatMap((resource) =>
				rule.verbs.flatMap((verb) => named(rule).map((name) => ({ verb, group, resource, namespace: metadata.namespace ?? null, name }))),
			),
		),
	);
}

const texts = (rights: readonly Right[]) => rights.map(rightText).sort();

describe("what is asked of a cluster", () => {
	it("is every right that the scheduler's roles give, and no other", () => {
		assert.deepEqual(texts(neededRights), texts(manifests("scheduler-rights.yaml").flatMap(rightsOf)));
		assert.deepEqual(texts([deletePodsRight]), texts(manifests("components/delete-pods/rights.yaml").flatMap(rightsOf)));
	});

	it("is every admission policy of the manifests", () => {
		const policies = manifests("*.yaml").filter(({ kind }) => kind === "ValidatingAdmissionPolicy");
		assert.deepEqual([...admissionPolicies].sort(), policies.map(({ metadata }) => metadata.name).sort());
	});
});

it("docs/doctor.md tells what each check asks, in their order", () => {
	const rows = readFileSync(new URL("../../docs/doctor.md", import.meta.url), "utf8").matchAll(/^\| [^|]+ \| `(\w+)` \|/gm);
	assert.deepEqual(
		[...rows].map(([, check]) => check),
		[...new Set<Check>([...schedulerChecks, ...clusterChecks])],
	);
});

const now = new StillClock().time;
const prod: ClusterTarget = { name: "prod", kind: "kubeconfig", context: "prod" };
const dev: ClusterTarget = { name: "dev", kind: "kubeconfig", context: "dev" };

function configured(settings: Partial<Settings> = {}, clusters: readonly ClusterTarget[] = [prod]): Configuration {
	return { settings: { ...defaultSettings(settings), clusters }, problems: [], clusters, fallback: fallbackSettings };
}

interface Answers {
	readonly probe: Partial<ClusterProbe>;
	readonly api: Partial<ClusterApi>;
	readonly inArm: ClusterInArm | null;
}

const managed: ClusterInArm = { facts: { kind: "managed", provisioningState: "Succeeded", powerState: "Running", pools: [] }, nodeOsChannel: "Unmanaged" };

async function refusedBy(policy: string): Promise<never> {
	const answer = `403 Forbidden: ValidatingAdmissionPolicy 'aks-reboot-scheduler-${policy}' denied request`;
	throw new CallError({ failure: "forbidden", doing: "trying", answer });
}

/** A world in which all is good, but for what is said of clusters by name. */
function worldWith(ill: Readonly<Record<string, Partial<Answers>>> = {}, changes: Partial<DoctorWorld> = {}): () => DoctorWorld {
	const probe: ClusterProbe = {
		credential: async () => "entra",
		version: async () => ({ version: "v1.33.1", at: now }),
		user: async () => "scheduler",
		allows: async ({ verb }) => verb !== "*",
		hasAdmissionPolicy: async () => true,
		someNodes: async () => [nodeInService()],
		someSentinelPod: async () => "sentinel-a",
		tryForbidden: ({ kind }) => refusedBy({ labelNode: "nodes", deleteSentinelPod: "deletions", createLease: "owner", createEventOfPod: "events" }[kind]),
	};
	const daemonSet = { uid: "d", image: "i", imagePullPolicy: "IfNotPresent", imagePullSecrets: [], desired: 3, ready: 3 };
	const api = {
		sentinelDaemonSet: async () => daemonSet,
		createRebootPod: async ({ image }) => (image === daemonSet.image ? undefined : refusedBy("reboot-pods")),
		owner: async () => ({ kind: "named", holder: "us" }) as const,
	} as Partial<ClusterApi> as ClusterApi;
	return () => ({
		table: new MemoryTable(new StillClock()),
		clusters: { open: ({ name }) => ({ ...api, ...ill[name]?.api }), aks: async () => ({ kind: "notManaged" }) },
		probes: {
			inArm: async ({ name }) => (ill[name]?.inArm === undefined ? managed : ill[name].inArm),
			of: ({ name }) => ({ ...probe, ...ill[name]?.probe }),
		},
		ids: { next: () => "id-1" },
		us: "us",
		now: () => now,
		...changes,
	});
}

const quick = { checkMs: 50, atOnce: 2 };
const never = () => new Promise<never>(() => {});

async function diagnosed(world: () => DoctorWorld, configuration: Configuration = configured(), limits = quick): Promise<Diagnosis> {
	const diagnosis = await examine({ configuration, world, cluster: null, limits });
	assert.ok(diagnosis !== null);
	return diagnosis;
}

function finding({ scheduler, clusters }: Diagnosis, check: Check, of: string | null = "prod"): Finding {
	const findings = of === null ? scheduler : (clusters.find(({ cluster: name }) => name === of)?.findings ?? []);
	const found = findings.find((each) => each.check === check);
	assert.ok(found !== undefined, `${of} ${check}`);
	return found;
}

function failure(kind: CallError["failure"]): () => Promise<never> {
	return async () => {
		throw new CallError({ failure: kind, doing: "asking", answer: kind });
	};
}

describe("the doctor", () => {
	it("makes every check in its order, and says nothing but good of what is healthy", async () => {
		const diagnosis = await diagnosed(worldWith());
		assert.deepEqual(
			allFindings(diagnosis).map(({ check }) => check),
			[...schedulerChecks, ...clusterChecks],
		);
		assert.equal(standingOf(diagnosis), "good");
	});

	it("leaves no row of its own in the table", async () => {
		const table = new MemoryTable(new StillClock());
		await diagnosed(worldWith({}, { table }));
		assert.equal(table.transactions, 2);
		assert.deepEqual([...table.rows("doctor")], []);
	});

	it("asks ARM nothing about a cluster of a kubeconfig", async () => {
		const { clusters } = await diagnosed(worldWith({ prod: { inArm: null } }));
		assert.deepEqual(clusters[0]?.findings.map(({ check }) => check).slice(0, 2), ["credentials", "apiServer"]);
	});

	for (const { hangs, answers } of [
		{ hangs: "apiServer", answers: { probe: { version: never } } },
		{ hangs: "sentinel", answers: { api: { sentinelDaemonSet: never } } },
	] as const)
		it(`is not kept from the other clusters by one that hangs at ${hangs}, and asks that one nothing more`, async () => {
			const diagnosis = await diagnosed(worldWith({ prod: answers }), configured({}, [prod, dev]), { ...quick, atOnce: 1 });
			assert.match(finding(diagnosis, hangs).says, /no answer within 0.05 s/);
			assert.notEqual(finding(diagnosis, hangs).standing, "good");
			assert.deepEqual(finding(diagnosis, "owner"), { check: "owner", ...notAsked });
			assert.ok(diagnosis.clusters[1]?.findings.every(({ standing }) => standing === "good"));
		});

	it("takes no answer for a good one, whatever kept it from coming", async () => {
		for (const kind of ["forbidden", "serverError", "garbled", "throttled", "unreachable", "timedOut"] as const) {
			const diagnosis = await diagnosed(worldWith({ prod: { api: { sentinelDaemonSet: failure(kind), owner: failure(kind) } } }));
			for (const check of ["sentinel", "rebootPod", "owner"] as const) assert.equal(finding(diagnosis, check).standing, "unknown", `${kind} ${check}`);
		}
	});

	it("tells a bug of ours as one, and goes on", async () => {
		const diagnosis = await diagnosed(
			worldWith({
				prod: {
					probe: {
						hasAdmissionPolicy: () => {
							throw new TypeError("x is undefined");
						},
					},
				},
			}),
		);
		assert.match(finding(diagnosis, "admissionPolicies").says, /a bug of ours: TypeError: x is undefined/);
		assert.equal(finding(diagnosis, "owner").standing, "good");
	});

	it("finds an admission policy that is missing", async () => {
		const diagnosis = await diagnosed(worldWith({ prod: { probe: { hasAdmissionPolicy: async (name) => !name.endsWith("-nodes") } } }));
		assert.match(finding(diagnosis, "admissionPolicies").says, /^missing: aks-reboot-scheduler-nodes$/);
		assert.equal(finding(diagnosis, "admissionPolicies").standing, "bad");
	});

	it("finds a policy that lets through what it has to refuse, and takes no other refusal for the policy's", async () => {
		const accepted = await diagnosed(worldWith({ prod: { probe: { tryForbidden: async () => {} } } }));
		assert.equal(finding(accepted, "admissionPolicies").standing, "bad");
		for (const name of ["nodes", "deletions", "owner", "events"])
			assert.match(finding(accepted, "admissionPolicies").says, new RegExp(`aks-reboot-scheduler-${name} does not bind scheduler`));
		for (const probe of [{ tryForbidden: failure("forbidden") }, { tryForbidden: failure("serverError") }, { someSentinelPod: async () => null }])
			assert.equal(finding(await diagnosed(worldWith({ prod: { probe } })), "admissionPolicies").standing, "unknown");
	});

	it("tries nothing that is forbidden as a cluster admin, whom no policy binds", async () => {
		const never = () => assert.fail("was tried");
		const { standing, says } = finding(await diagnosed(worldWith({ prod: { probe: { allows: async () => true, tryForbidden: never } } })), "admissionPolicies");
		assert.equal(standing, "good");
		assert.match(says, /none binds this cluster admin/);
	});

	it("finds a clock that is off, this machine's or the API server's", async () => {
		const late = await diagnosed(worldWith({}, { now: () => now - 90_000 }));
		assert.match(finding(late, "clock", null).says, /this machine's is 90 s behind the table service's/);
		assert.equal(finding(late, "clock", null).standing, "bad");
		const fast = await diagnosed(worldWith({ prod: { probe: { version: async () => ({ version: "v1.33.1", at: now + 31_000 }) } } }));
		assert.equal(finding(fast, "clock", null).standing, "good");
		assert.match(finding(fast, "clock").says, /the API server's is 31 s ahead of the table service's/);
		assert.equal(finding(fast, "clock").standing, "bad");
	});

	it("judges versions by their numbers, and needs none that says who we are", async () => {
		for (const [version, standing] of [
			["v1.29.15", "bad"],
			["v1.30.0-alpha.1", "good"],
			["v1.100.0", "good"],
			["v2.0.0", "good"],
			["unknown", "unknown"],
		] as const) {
			const probe = { version: async () => ({ version, at: now }), user: async () => null };
			assert.equal(finding(await diagnosed(worldWith({ prod: { probe } })), "version").standing, standing, version);
		}
	});

	it("says of each node OS channel whether anything will ask", async () => {
		for (const [nodeOsChannel, standing] of [
			["Unmanaged", "good"],
			["None", "good"],
			["NodeImage", "bad"],
			["SecurityPatch", "bad"],
			["Another", "unknown"],
			[null, "unknown"],
		] as const)
			assert.equal(finding(await diagnosed(worldWith({ prod: { inArm: { ...managed, nodeOsChannel } } })), "nodeOsChannel").standing, standing);
	});

	it("tells apart windows that never open and those that are not given, by cluster and pool", async () => {
		const maintenanceWindows = [
			{ scope: { cluster: "dev", pool: null }, value: [{ text: "always", kind: "always" as const }] },
			{ scope: { cluster: "dev", pool: "gpu" }, value: [{ text: "never", kind: "never" as const }] },
		];
		const { scheduler } = await diagnosed(worldWith(), configured({ maintenanceWindows }, [prod, dev]));
		assert.deepEqual(
			scheduler.filter(({ check }) => check === "windows").map(({ says }) => says.split(",")[0]),
			["prod: no entry of MAINTENANCE_WINDOWS covers it", "dev/gpu: its window never opens"],
		);
	});

	it("says at once what of the settings keeps everything from beginning", async () => {
		const { scheduler } = await diagnosed(worldWith(), configured({ dryRun: true, hold: everywhere("CHG0042") }));
		assert.match(scheduler[0]?.says ?? "", /DRY_RUN is true.*on hold: CHG0042/);
	});

	it("lets no cluster write into the terminal of whoever reads it", async () => {
		const diagnosis = await diagnosed(worldWith({ prod: { api: { owner: async () => ({ kind: "named", holder: "\u001b[2Jevil\nline" }) } } }));
		const lines = doctorLines(diagnosis, 80, (_, text) => text);
		for (const line of lines) assert.doesNotMatch(line, /\p{Cc}/u);
		assert.ok(lines.every((line) => line.length <= 80 || !line.trim().includes(" ")));
		assert.equal(lines.at(-1), "bad=1 unknown=0 good=14");
	});
});
