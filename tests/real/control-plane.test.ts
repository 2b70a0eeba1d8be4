// The harness itself: nothing of it may outlive a test, whatever becomes of the test.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { alive } from "../../lib/local/processes.ts";
import { until } from "../waiting.ts";
import { ApiError } from "./api-client.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";

let plane: ControlPlane;
before(async () => {
	plane = await startControlPlane({ users: [{ name: "guest", groups: ["guests"] }] });
});
after(() => plane?.stop());

test("a test process that is killed leaves no process and no directory behind", async () => {
	const dir = mkdtempSync(join(tmpdir(), "killed-"));
	const program = join(dir, "main.ts");
	const module = resolve(import.meta.dirname, "control-plane.ts");
	writeFileSync(
		program,
		`import { startControlPlane } from ${JSON.stringify(module)};
		const plane = await startControlPlane({ controllers: false, scheduler: false });
		console.log(JSON.stringify({ pids: Object.values(plane.pids), dir: plane.dir }));`,
	);
	const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
	const [line] = (await once(child.stdout, "data")) as [Buffer];
	const told = JSON.parse(String(line)) as { pids: number[]; dir: string };
	assert.equal(told.pids.filter(alive).length, 2);
	child.kill("SIGKILL");
	await until("all is gone", () => !told.pids.some(alive) && !existsSync(told.dir));
	rmSync(dir, { recursive: true });
});

test("the scheduler's user may do nothing until somebody allows it, and the audit log tells who asked what", async () => {
	const client = plane.client("scheduler");
	await assert.rejects(client.get("/api/v1/nodes"), (error) => error instanceof ApiError && error.status === 403);
	await client.close();
	await until("the log has it", () => plane.requests({ user: "scheduler", verb: "list", resource: "nodes" }).length === 1);
	await plane.api.post("/api/v1/namespaces?dryRun=All", { metadata: { name: "tried" } });
	await plane.api.post("/api/v1/namespaces", { metadata: { name: "made" } });
	const created = (writes: boolean): number => plane.requests({ user: "admin", verb: "create", resource: "namespaces", writes }).length;
	await until("the log has both", () => created(false) === 2);
	assert.equal(created(true), 1, "a dry run is no write");
	const guest = plane.client("guest");
	await assert.rejects(guest.get("/api/v1/nodes"), /guest/);
	await guest.close();
});

test("the API server comes back with another CA, and the old one is refused", async () => {
	const old = plane.client("admin", { timeoutMs: 5_000 });
	await plane.killApiServer();
	await assert.rejects(old.get("/readyz"));
	await plane.startApiServer({ newCa: true });
	await assert.rejects(old.get("/readyz"), (error: Error) =>
		/certificate|CERT|SELF_SIGNED|signature/i.test(String((error.cause as Error | undefined)?.message)),
	);
	await old.close();
	assert.match(await plane.kubectl("get", "namespaces"), /made/);
});

test("a paused etcd makes calls hang, a continued one answers them", async () => {
	const hasty = plane.client("admin", { timeoutMs: 1_500 });
	plane.pauseEtcd();
	await assert.rejects(hasty.post("/api/v1/namespaces", { metadata: { name: "late" } }), /abort|timeout/i);
	plane.continueEtcd();
	await until("writes work again", () =>
		plane.api.patch("/api/v1/namespaces/made", { metadata: { labels: { again: "true" } } }).then(
			() => true,
			() => false,
		),
	);
	await hasty.close();
});
