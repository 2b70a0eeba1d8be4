// The shipped report.sh as a process against a real API server, with tokens bound to real pods of the shipped DaemonSet.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { parseReport } from "../../lib/kubernetes/sentinel.ts";
import { until } from "../waiting.ts";
import type { KubeObject } from "./api-client.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { asking, idle, type Report, Sentinel, type SentinelOptions, shellMissing, shells, touchAt, waitFor } from "./sentinel-process.ts";

const manifests = resolve(import.meta.dirname, "../../infra/cluster");
const pods = "/api/v1/namespaces/aks-reboot-scheduler/pods";
const label = "aks-reboot-scheduler/reboot-required";
const annotation = "aks-reboot-scheduler/report";
const account = "system:serviceaccount:aks-reboot-scheduler:sentinel";

let plane: ControlPlane;
let nodes = 0;
const running: Sentinel[] = [];

before(async () => {
	plane = await startControlPlane({ serviceAccountAdmission: true });
	await plane.kubectl("apply", "-k", manifests);
});
after(() => plane?.stop());
afterEach(async () => {
	await Promise.all(running.splice(0).map((sentinel) => sentinel.stop()));
});

/** With room for pods, which a kubelet would report: the scheduler binds none elsewhere. */
async function addNode(name: string, labels: Record<string, string>, spec: object = {}): Promise<void> {
	await plane.api.post("/api/v1/nodes", { metadata: { name, labels }, spec });
	const room = { cpu: "2", memory: "4Gi", pods: "30" };
	await plane.api.patch(`/api/v1/nodes/${name}/status`, { status: { capacity: room, allocatable: room } });
}

/** A new node, and the pod that the DaemonSet's controller made for it. */
async function podOfNewNode(): Promise<KubeObject> {
	const name = `node-${++nodes}`;
	await addNode(name, { "kubernetes.io/os": "linux" });
	let found: KubeObject | undefined;
	await until(`a sentinel pod is on ${name}`, async () => {
		found = (await plane.api.list(`${pods}?fieldSelector=spec.nodeName=${name}`))[0];
		return found !== undefined;
	});
	assert(found);
	return found;
}

interface Trial {
	readonly sentinel: Sentinel;
	readonly pod: string;
	readonly token: string;
	now(): Promise<KubeObject>;
	report(): Promise<Report | null>;
	asks(): Promise<boolean>;
	patches(): number;
}

async function start(options: Partial<SentinelOptions> & { readonly prepare?: (dir: string) => void; readonly restarts?: Trial } = {}): Promise<Trial> {
	const pod = options.pod ?? options.restarts?.pod;
	const object = pod === undefined ? await podOfNewNode() : await plane.api.get(`${pods}/${pod}`);
	const { name, uid } = object.metadata;
	const token = options.token ?? (await plane.serviceAccountToken("aks-reboot-scheduler", "sentinel", { name, uid }));
	const dir = options.restarts?.sentinel.dir;
	const given = { server: plane.url, caPem: plane.caPem, ...options, token, pod: name, ...(dir === undefined ? {} : { dir }) };
	const sentinel = new Sentinel(given);
	running.push(sentinel);
	const now = (): Promise<KubeObject> => plane.api.get(`${pods}/${name}`);
	return {
		sentinel,
		pod: name,
		token,
		now,
		async report() {
			const text = (await now()).metadata.annotations?.[annotation];
			if (text === undefined) return null;
			const { kind } = parseReport(text);
			assert.equal(kind, "report", "the scheduler can read it");
			return JSON.parse(text) as Report;
		},
		asks: async () => (await now()).metadata.labels?.[label] === "true",
		patches: () => plane.requests({ user: account, verb: "patch", resource: "pods", name }).length,
	};
}

async function reported(trial: Trial, what: string, check: (report: Report) => boolean): Promise<Report> {
	let last: Report | null = null;
	await waitFor(
		`a report ${what}`,
		async () => {
			last = await trial.report();
			return last !== null && check(last);
		},
		trial.sentinel,
	);
	assert(last);
	return last;
}

function wait(trial: Trial, what: string, check: () => boolean | Promise<boolean>): Promise<void> {
	return waitFor(what, check, trial.sentinel);
}

for (const shell of shells) {
	describe(`report.sh under ${shell}`, { skip: shellMissing(shell) }, () => {
		test("one filtered list finds the node that wants a reboot, since when and for which packages", async () => {
			const trial = await start({ shell });
			const before = await reported(trial, "that nothing is needed", idle);
			assert.deepEqual(before, {
				bootId: "11111111-1111-4111-8111-111111111111",
				since: null,
				kernel: execFileSync("uname", ["-r"], { encoding: "utf8" }).trim(),
				packages: [],
			});
			assert.equal(await trial.asks(), false);

			writeFileSync(`${trial.sentinel.flag}.pkgs`, "linux-image-6.8.0-1021-azure\nlibc6\nlinux-image-6.8.0-1021-azure\n");
			touchAt(trial.sentinel.flag, "2026-02-03T04:05:06.700Z");
			const report = await reported(trial, "that a reboot is needed", asking);
			assert.equal(report.since, "2026-02-03T04:05:06Z");
			assert.deepEqual(report.packages, ["linux-image-6.8.0-1021-azure", "libc6"]);
			const waiting = async (): Promise<string[]> => {
				const found = await plane.api.list(`${pods}?labelSelector=${encodeURIComponent(`${label}=true`)}`);
				return found.map((pod) => pod.metadata.name);
			};
			assert((await waiting()).includes(trial.pod));
			await wait(trial, "readiness", () => trial.sentinel.ready());

			rmSync(trial.sentinel.flag);
			assert.deepEqual(await reported(trial, "that nothing is needed any more", idle), before);
			assert(!(await waiting()).includes(trial.pod));
		});

		test("a node on which nothing changes costs the API server one read and one write, then nothing", async () => {
			const trial = await start({ shell });
			await trial.sentinel.looks(1);
			touchAt(trial.sentinel.flag, "2026-02-03T04:05:06Z");
			await reported(trial, "that a reboot is needed", asking);
			await trial.sentinel.looks(3);
			// Azure Linux touches the file every day.
			touchAt(trial.sentinel.flag, "2026-02-04T04:05:06Z");
			await trial.sentinel.looks(3);
			assert.equal((await trial.report())?.since, "2026-02-03T04:05:06Z");
			assert.equal(trial.patches(), 2);
			assert.equal(trial.sentinel.curlCalls().length, 3);
		});

		test("package names of any bytes become a report that can be read, bounded in number and length", async () => {
			const hostile = [
				'quo"te',
				"back\\slash",
				"$(touch pwned)",
				"`id`",
				"%s%n",
				"\\u003cb\\u003e",
				"<&>",
				'","since":"2001-01-01T00:00:00Z',
				"*",
				"]}",
				"a,b",
				"b",
			];
			const trial = await start({ shell });
			const lines = [...hostile, ...hostile, "x".repeat(5000), "  spaced  ", "", "\ttab"];
			const bytes = [Buffer.from(`${lines.join("\n")}\n`), Buffer.from([0xff, 0xfe, 0x00, 0x1b, 0x0d, 0x0a]), Buffer.from("caf\u00e9\n")];
			const many = Array.from({ length: 500 }, (_, index) => `package-${index}`).join("\n");
			writeFileSync(`${trial.sentinel.flag}.pkgs`, Buffer.concat([...bytes, Buffer.from(many)]));
			writeFileSync(trial.sentinel.flag, "");
			const { packages } = await reported(trial, "that a reboot is needed", asking);
			assert.deepEqual(packages.slice(0, 18), [...hostile, "x".repeat(100), "spaced", "?tab", "?????", "caf??", "package-0"]);
			assert.equal(packages.length, 100);
			await trial.sentinel.looks(2);
			const writes = trial.patches();
			// What it wrote is what it reads: a container that starts again has nothing to write.
			await trial.sentinel.stop({ keep: true });
			const again = await start({ shell, restarts: trial });
			await again.sentinel.looks(2);
			assert.equal(again.patches(), writes);
		});

		test("the time first seen outlives the container, not the boot", async () => {
			const first = await start({ shell });
			touchAt(first.sentinel.flag, "2026-02-03T04:05:06Z");
			await reported(first, "that a reboot is needed", asking);
			await first.sentinel.stop({ keep: true });
			touchAt(first.sentinel.flag, "2026-02-05T04:05:06Z");
			const second = await start({ shell, restarts: first });
			await second.sentinel.looks(2);
			assert.equal((await second.report())?.since, "2026-02-03T04:05:06Z");
			assert.equal(second.patches(), 1);
			second.sentinel.setBootId("22222222-2222-4222-8222-222222222222");
			const report = await reported(second, "about the new boot", (seen) => seen.bootId.startsWith("2222"));
			assert.equal(report.since, "2026-02-05T04:05:06Z");
		});

		test("a look that cannot be made is neither yes nor no: not ready, said why, and the last report stands", async () => {
			const trial = await start({ shell });
			writeFileSync(trial.sentinel.flag, "");
			await reported(trial, "that a reboot is needed", asking);
			await wait(trial, "readiness", () => trial.sentinel.ready());
			chmodSync(trial.sentinel.run, 0o000);
			await wait(trial, "not being ready", () => !trial.sentinel.ready());
			assert.match(trial.sentinel.log(), /unknown whether a reboot is needed: cannot look into .*run/);
			assert.equal(await trial.asks(), true);
			chmodSync(trial.sentinel.run, 0o755);
			rmSync(trial.sentinel.flag);
			symlinkSync("/nowhere", trial.sentinel.flag);
			await wait(trial, "the word about the link", () => trial.sentinel.log().includes("symbolic link"));
			assert.equal(trial.sentinel.ready(), false);
			rmSync(trial.sentinel.flag);
			trial.sentinel.setBootId("not a boot id");
			await wait(trial, "the word about the boot id", () => trial.sentinel.log().includes("cannot read a boot id"));
			assert.equal(await trial.asks(), true);
			trial.sentinel.setBootId("11111111-1111-4111-8111-111111111111");
			await reported(trial, "that nothing is needed", idle);
			await wait(trial, "readiness", () => trial.sentinel.ready());
		});

		test("a command in place of the file: 0 is yes, 1 is no, anything else and anything endless is unknown", async () => {
			const trial = await start({ shell, env: { SENTINEL_COMMAND: '. "$SENTINEL_RUN/answer"', SENTINEL_COMMAND_TIMEOUT: "1" } });
			const answer = (text: string): void => writeFileSync(join(trial.sentinel.run, "answer"), text);
			await wait(trial, "the word about a command that fails", () => /SENTINEL_COMMAND ended with \d+/.test(trial.sentinel.log()));
			assert.equal(await trial.report(), null);
			answer("exit 1");
			await reported(trial, "that nothing is needed", idle);
			await wait(trial, "readiness", () => trial.sentinel.ready());
			answer("exec sleep 600");
			await wait(trial, "the word about a command without end", () => trial.sentinel.log().includes("did not end within 1 s"));
			assert.equal(trial.sentinel.ready(), false);
			const before = Math.floor(Date.now() / 1000) * 1000;
			answer("exit 0");
			const report = await reported(trial, "that a reboot is needed", asking);
			assert(Date.parse(report.since ?? "") >= before, `since is when it was first seen: ${report.since}`);
		});

		test("SIGTERM is answered at once, in a pause, in a call that hangs and in a command that hangs", async (t) => {
			const silent = createServer().listen(0, "127.0.0.1");
			t.after(() => silent.close());
			await once(silent, "listening");
			const address = silent.address();
			assert(address !== null && typeof address === "object");
			const inPause = await start({ shell, env: { SENTINEL_INTERVAL: "600" } });
			await wait(inPause, "readiness", () => inPause.sentinel.ready());
			const inCall = await start({ shell, server: `https://127.0.0.1:${address.port}` });
			await wait(inCall, "a call", () => inCall.sentinel.curlCalls().length > 0);
			const inCommand = await start({ shell, env: { SENTINEL_COMMAND: 'touch "$SENTINEL_STATE/begun"; exec sleep 600' } });
			await wait(inCommand, "the command", () => existsSync(join(inCommand.sentinel.dir, "state", "begun")));
			for (const trial of [inPause, inCall, inCommand]) {
				const { code, tookMs } = await trial.sentinel.terminate();
				assert.equal(code, 0);
				assert(tookMs < 10_000, `took ${tookMs} ms`);
				await wait(trial, "the end of its children", () => trial.sentinel.descendants().length === 0);
			}
		});
	});
}

test("whatever is called reboot-required counts: a directory, a file nobody may read, a link to something", async () => {
	const make: Record<string, (flag: string) => void> = {
		directory: (flag) => mkdirSync(flag),
		unreadable: (flag) => writeFileSync(flag, "", { mode: 0o000 }),
		link: (flag) => symlinkSync("/etc/hostname", flag),
	};
	const trial = await start();
	for (const [kind, create] of Object.entries(make)) {
		await reported(trial, "that nothing is needed", idle);
		create(trial.sentinel.flag);
		await reported(trial, `that a reboot is needed (${kind})`, asking);
		rmSync(trial.sentinel.flag, { recursive: true });
	}
});

test("a package list that is a pipe or may not be read does not keep the node from being reported", async () => {
	const trial = await start();
	const list = `${trial.sentinel.flag}.pkgs`;
	execFileSync("mkfifo", ["-m", "666", list]);
	writeFileSync(trial.sentinel.flag, "");
	assert.deepEqual((await reported(trial, "that a reboot is needed", asking)).packages, []);
	rmSync(list);
	writeFileSync(list, "libc6\n");
	await reported(trial, "with the package", (report) => report.packages.includes("libc6"));
	chmodSync(list, 0o000);
	await reported(trial, "without packages", (report) => report.packages.length === 0);
});

test("as its user, a socket of root's under the mount is not reached, and one for everybody is", {
	skip: process.getuid?.() !== 0 && "only root makes sockets of root's",
}, async (t) => {
	const trial = await start();
	const tries = async (mode: number): Promise<number | null> => {
		const path = join(trial.sentinel.run, `${mode.toString(8)}.sock`);
		const server = createServer((socket) => socket.end()).listen(path);
		t.after(() => server.close());
		await once(server, "listening");
		chmodSync(path, mode);
		return trial.sentinel.exitCodeOf("curl", "--silent", "--max-time", "10", "--unix-socket", path, "http://socket/");
	};
	const [couldNotConnect, emptyReply] = [7, 52];
	assert.equal(await tries(0o660), couldNotConnect);
	assert.equal(await tries(0o666), emptyReply);
});

test("a file from the future was written now: a clock that was off at boot must not put a node last for years", async () => {
	const trial = await start();
	touchAt(trial.sentinel.flag, "2199-01-01T00:00:00Z");
	const report = await reported(trial, "that a reboot is needed", asking);
	assert(Date.parse(report.since ?? "") <= Date.now());
});

test("a token that rotated is read anew, and no token is ever in a command line, an environment or the log", async () => {
	const trial = await start();
	await reported(trial, "that nothing is needed", idle);
	trial.sentinel.setToken("not-a-token");
	writeFileSync(trial.sentinel.flag, "");
	await wait(trial, "a refusal", () => /not reported: PATCH .*: 401/.test(trial.sentinel.log()));
	assert.equal(trial.sentinel.ready(), false);
	const { uid } = (await trial.now()).metadata;
	const next = await plane.serviceAccountToken("aks-reboot-scheduler", "sentinel", { name: trial.pod, uid });
	trial.sentinel.setToken(next);
	await reported(trial, "that a reboot is needed", asking);
	rmSync(join(trial.sentinel.dir, "credentials", "token"));
	rmSync(trial.sentinel.flag);
	await wait(trial, "the word about the token", () => trial.sentinel.log().includes("cannot read"));
	trial.sentinel.setToken(next);
	await reported(trial, "that nothing is needed", idle);
	const seen = JSON.stringify(trial.sentinel.curlCalls()) + trial.sentinel.log();
	for (const token of [trial.token, next, "not-a-token"]) assert(!seen.includes(token));
	assert(seen.includes("--config -"), "the calls were noted");
});

test("a sentinel without its rights is not ready and names the verb and the resource", async () => {
	const pod = await podOfNewNode();
	await plane.api.post("/api/v1/namespaces/aks-reboot-scheduler/serviceaccounts", { metadata: { name: `bare-${pod.metadata.name}` } });
	const token = await plane.serviceAccountToken("aks-reboot-scheduler", `bare-${pod.metadata.name}`);
	const trial = await start({ pod: pod.metadata.name, token });
	await wait(trial, "a refusal", () => trial.sentinel.log().includes("403"));
	assert.match(trial.sentinel.log(), /not reported: GET .*: 403 pods ".*" is forbidden: User ".*" cannot get resource "pods"/);
	assert.equal(trial.sentinel.ready(), false);
	assert.equal(await trial.report(), null);
});

test("an API server with another certificate authority is not talked to", async () => {
	const other = execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-days", "1", "-subj", "/CN=other"], {
		encoding: "utf8",
		stdio: ["ignore", "pipe", "ignore"],
	});
	const trial = await start({ caPem: other });
	await wait(trial, "a refusal", () => /not reported: GET .*curl: \(60\)/.test(trial.sentinel.log()));
	assert.equal(trial.sentinel.ready(), false);
	assert.equal(plane.requests({ user: account, name: trial.pod }).length, 0);
});

test("a report that somebody took off the pod is put back", async () => {
	const trial = await start({ env: { SENTINEL_REREAD_LOOKS: "2" } });
	touchAt(trial.sentinel.flag, "2026-02-03T04:05:06Z");
	await reported(trial, "that a reboot is needed", asking);
	await plane.api.patch(`${pods}/${trial.pod}`, { metadata: { labels: { [label]: null }, annotations: { [annotation]: null } } });
	assert.equal((await reported(trial, "once more", asking)).since, "2026-02-03T04:05:06Z");
	assert.equal(await trial.asks(), true);
});

test("a loop that hangs does not stay ready", async () => {
	const trial = await start();
	await wait(trial, "readiness", () => trial.sentinel.ready());
	await trial.sentinel.terminate();
	assert.equal(trial.sentinel.ready(), true);
	const longAgo = new Date(Date.now() - 3600_000);
	utimesSync(join(trial.sentinel.dir, "state", "ready"), longAgo, longAgo);
	assert.equal(trial.sentinel.ready(), false);
});

// The last one: the controllers that make the pods of the others take their time to come back.
test("an API server that was away is not stormed, and hears of the change when it is back", async () => {
	const trial = await start();
	await reported(trial, "that nothing is needed", idle);
	await wait(trial, "readiness", () => trial.sentinel.ready());
	await plane.killApiServer();
	const before = trial.sentinel.curlCalls().length;
	await trial.sentinel.looks(2);
	assert.equal(trial.sentinel.curlCalls().length, before, "with nothing to say it does not call");
	writeFileSync(trial.sentinel.flag, "");
	await wait(trial, "five calls in vain", () => trial.sentinel.curlCalls().length >= before + 5);
	assert.equal(trial.sentinel.ready(), false);
	assert.match(trial.sentinel.log(), /not reported: PATCH https:.*curl: \(7\)/);
	const at = trial.sentinel.curlCalls().map((call) => call.at);
	const gaps = at.slice(before + 1).map((instant, index) => instant - (at[before + index] ?? 0));
	// 1–2 s after the first failure, 2–4 s (here the longest) after the next ones.
	assert(
		gaps.every((gap, index) => gap >= (index === 0 ? 950 : 1950)),
		`gaps of ${gaps.join(", ")} ms`,
	);
	await plane.startApiServer();
	await reported(trial, "that a reboot is needed", asking);
	await wait(trial, "readiness", () => trial.sentinel.ready());
});
