// The doctor against a real API server: a healthy cluster is all good, and each broken one names its trouble first.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { allFindings, type Check, type Diagnosis, type Finding, standingOf } from "../../lib/doctor/findings.ts";
import { createAuthority } from "../arm/certificates.ts";
import { localAccountKubeconfig } from "../arm/kubeconfigs.ts";
import { devKey } from "../azurite.ts";
import { httpData, sources, startHost } from "../functions/host.ts";
import { firstBad, leases, type Patient, startPatient, told } from "./doctor-patient.ts";
import { identityOf, ofScheduler, troubles } from "./doctor-troubles.ts";

const ours = "aks-reboot-scheduler";

const program = resolve(import.meta.dirname, "../../lib/local/doctor.ts");

let patient: Patient;
before(async () => {
	patient = await startPatient();
});
after(() => patient?.stop());

const isGood = (diagnosis: Diagnosis) => standingOf(diagnosis) === "good";

function found(diagnosis: Diagnosis, check: Check): Finding | undefined {
	return diagnosis.clusters[0]?.findings.find((each) => each.check === check);
}

describe("a healthy cluster", () => {
	it("is all good within seconds, every check is made, and nothing is written to it but dry runs", async () => {
		await patient.visitUntil("all is good", isGood);
		const since = Date.now();
		const diagnosis = await patient.visit();
		const tookMs = Date.now() - since;
		assert.equal(standingOf(diagnosis), "good", told(diagnosis));
		assert.ok(tookMs < 30_000, `${tookMs} ms`);
		assert.deepEqual(
			allFindings(diagnosis).map(({ check }) => check),
			["settings", "windows", "table", "clock", "azure", "nodeOsChannel", "credentials", "apiServer", "clock", "version", "rights", "sentinel"].concat([
				"admissionPolicies",
				"rebootPod",
				"owner",
			]),
		);
		const asked = patient.plane.requests({ user: "scheduler", since });
		const others = asked.filter(({ verb, requestURI }) => verb !== "get" && verb !== "list" && !/selfsubject(access)?reviews$/.test(requestURI));
		assert.deepEqual(others.map(({ verb, requestURI }) => `${verb} ${requestURI.replace(/&fieldManager=.*/, "")}`).sort(), [
			"create /api/v1/namespaces/aks-reboot-scheduler/pods?dryRun=All",
			"create /api/v1/namespaces/aks-reboot-scheduler/pods?dryRun=All",
			"create /apis/coordination.k8s.io/v1/namespaces/aks-reboot-scheduler/leases?dryRun=All",
			"create /apis/events.k8s.io/v1/namespaces/default/events?dryRun=All",
			"delete /api/v1/namespaces/aks-reboot-scheduler/pods/sentinel-a?dryRun=All",
			"patch /api/v1/nodes/n-1?dryRun=All",
		]);
		assert.match(found(diagnosis, "admissionPolicies")?.says ?? "", /^all 6 of them; the 5 about this identity refuse what they have to/);
	});

	it("is as it was also where no policy binds, and all that they have to refuse was accepted", async () => {
		const contents = async () => {
			const paths = ["/api/v1/nodes", `/api/v1/namespaces/${ours}/pods`, leases, "/apis/events.k8s.io/v1/namespaces/default/events"];
			return JSON.stringify(await Promise.all(paths.map((path) => patient.plane.api.list(path))));
		};
		const before = await contents();
		const mend = await identityOf(patient, "others", ...ofScheduler);
		try {
			const unbound = (diagnosis: Diagnosis) =>
				(found(diagnosis, "admissionPolicies")?.says.match(/does not bind scheduler/g) ?? []).length === ofScheduler.length;
			const diagnosis = await patient.visitUntil("no policy binds", unbound);
			assert.equal(firstBad(diagnosis)?.check, "admissionPolicies");
			assert.equal(await contents(), before);
		} finally {
			await mend();
		}
		await patient.visitUntil("it is mended", isGood);
	});

	it("asks for no right to read the version, or to be told who we are", async () => {
		patient.user = "stranger";
		try {
			const diagnosis = await patient.visit();
			assert.match(found(diagnosis, "apiServer")?.says ?? "", /knows us as stranger/);
			assert.equal(found(diagnosis, "version")?.standing, "good");
		} finally {
			patient.user = "scheduler";
		}
	});

	it("of local accounts is told to hold none of the narrow rights", async () => {
		const { kubeconfig } = patient.inArm;
		const certificate = createAuthority().issue({ commonName: "masterclient" });
		const cluster = { name: "prod", server: patient.plane.url, caPem: patient.plane.caPem };
		// AKS's has both; an API server of another CA knows the token alone.
		patient.inArm.kubeconfig = localAccountKubeconfig(cluster, certificate, patient.plane.token("admin")).replaceAll(
			/^ *client-(certificate|key)-data:.*\n/gm,
			"",
		);
		const diagnosis = await patient.visit();
		patient.inArm.kubeconfig = kubeconfig;
		for (const check of ["credentials", "rights"] as const) assert.match(found(diagnosis, check)?.says ?? "", /cluster admin.*do not hold here/);
	});
});

const quick = { checkMs: 2_000, atOnce: 16 };

describe("a broken one names its trouble first", () => {
	for (const [name, { check, says, toDo, visit, break: breakIt }] of Object.entries(troubles)) {
		it(name, async () => {
			const mend = await breakIt?.(patient);
			try {
				const how = typeof visit === "function" ? await visit(patient) : (visit ?? {});
				const names = (diagnosis: Diagnosis) => firstBad(diagnosis)?.check === check && says.test(firstBad(diagnosis)?.says ?? "");
				const diagnosis = await patient.visitUntil(name, names, { limits: quick, ...how });
				assert.match(firstBad(diagnosis)?.toDo ?? "", toDo ?? /./);
			} finally {
				await mend?.();
			}
			await patient.visitUntil("it is mended", isGood);
		});
	}
});

describe("clusters side by side", () => {
	it("are not kept waiting by one that takes a connection and never answers", async () => {
		const silent = createServer(() => {}).listen(0, "127.0.0.1");
		await once(silent, "listening");
		const { port } = silent.address() as AddressInfo;
		const id = patient.otherCluster("hangs", patient.kubeconfigOf(`https://127.0.0.1:${port}`, patient.plane.caPem));
		try {
			const limits = { checkMs: 5_000, atOnce: 2 };
			const since = Date.now();
			const { clusters } = await patient.visit({ env: { CLUSTERS: `${id};${patient.env.CLUSTERS}` }, limits });
			const tookMs = Date.now() - since;
			assert.ok(tookMs < 30_000, `${tookMs} ms`);
			assert.equal(clusters[0]?.findings.find(({ standing }) => standing === "bad")?.check, "apiServer");
			assert.ok(clusters[1]?.findings.every(({ standing }) => standing === "good"));
		} finally {
			silent.close();
		}
	});
});

interface Ran {
	readonly code: number;
	readonly out: string;
}

/** `npm run doctor`, as a process of its own in a folder of its own. */
function run(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<Ran> {
	const { PATH = "" } = process.env;
	return new Promise((settle) => {
		const given = { PATH, HOME: patient.dir, MAINTENANCE_WINDOWS: "always", ...env };
		execFile(process.execPath, [program, ...args], { cwd: patient.dir, env: given, timeout: 120_000 }, (error, out, err) => {
			settle({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, out: out + err });
		});
	});
}

describe("npm run doctor, and /api/doctor", () => {
	/** What is printed carries no secret, whatever else it says. */
	function assertNoSecret(out: string): void {
		for (const secret of [...patient.plane.secrets(), devKey]) assert.ok(!out.includes(secret), "a secret is printed");
	}

	it("ends with 0 where all is good, with a table of its own for a kubeconfig and its exec plugin", async () => {
		const kubeconfig = join(patient.dir, "plugin.kubeconfig");
		const status = { token: patient.plane.token("scheduler") };
		const credential = JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status });
		const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "printf", args: ["%s", credential], interactiveMode: "Never" };
		const cluster = { server: patient.plane.url, "certificate-authority-data": patient.plane.caData };
		const contexts = [{ name: "real", context: { cluster: "real", user: "plugin" } }];
		const lists = { clusters: [{ name: "real", cluster }], contexts, users: [{ name: "plugin", user: { exec } }] };
		writeFileSync(kubeconfig, JSON.stringify({ apiVersion: "v1", kind: "Config", ...lists }));
		const { code, out } = await run(["--kubeconfig", kubeconfig, "--context", "real"], {});
		assert.equal(code, 0, out);
		assert.match(out, /^cluster real\n.*good +credentials +by the exec plugin of the kubeconfig\n/m);
		assert.match(out, /all is good\n$/);
		assertNoSecret(out);
	});

	it("ends with 1 where something is not, with 2 where the settings are wrong, and tells programs the same", async () => {
		const { AzureWebJobsStorage } = patient.env;
		const kubeconfig = patient.plane.kubeconfig(join(patient.dir, "stranger.kubeconfig"), { context: "real", user: "stranger" });
		const given = { CLUSTERS: "real=kubeconfig:real;gone=kubeconfig:gone", AzureWebJobsStorage };
		const one = await run(["--kubeconfig", kubeconfig, "--cluster", "real", "--json"], given);
		assert.equal(one.code, 1, one.out);
		const { standing, clusters } = JSON.parse(one.out) as Diagnosis & { readonly standing: string };
		assert.deepEqual([standing, clusters.map(({ cluster }) => cluster)], ["bad", ["real"]]);
		assert.equal(clusters[0]?.findings.find((each) => each.standing === "bad")?.check, "rights");
		const wrong = await run(["--kubeconfig", kubeconfig], { ...given, MAINTENANCE_WINDOWS: "sometimes", DRAIN_TIMEOUT: "soon" });
		assert.equal(wrong.code, 2, wrong.out);
		for (const name of ["MAINTENANCE_WINDOWS", "DRAIN_TIMEOUT"]) assert.match(wrong.out, new RegExp(`bad +settings +${name}: `));
		assert.match(wrong.out, /there is no such context; expected one of: real/);
		for (const { out } of [one, wrong]) assertNoSecret(out);
	});

	it("answers as JSON over HTTP, of all clusters or of one", async () => {
		mkdirSync(join(patient.dir, ".kube"), { recursive: true });
		patient.plane.kubeconfig(join(patient.dir, ".kube", "config"), { context: "real", user: "scheduler" });
		const { AzureWebJobsStorage = "", MAINTENANCE_WINDOWS = "" } = patient.env;
		const host = await startHost(sources, { CLUSTERS: "real=kubeconfig:real", MAINTENANCE_WINDOWS, AzureWebJobsStorage, HOME: patient.dir });
		try {
			const { http } = await host.invoke("doctor", httpData("doctor"));
			assert.equal(http?.status, 200);
			assert.equal((JSON.parse(http?.body ?? "") as { standing: string }).standing, "good", http?.body);
			assertNoSecret(http?.body ?? "");
			const data = httpData("doctor?cluster=another") as { http: object };
			const { http: other } = await host.invoke("doctor", { http: { ...data.http, query: { cluster: "another" } } });
			assert.equal(other?.status, 404);
		} finally {
			await host.stop();
		}
	});
});
