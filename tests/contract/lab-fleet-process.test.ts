// The lab as a process: what a scheduler finds there, and that a killed fleet goes on where it was.
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Ready } from "../lab/lab.ts";
import type { ApiClient, KubeObject } from "../real/api-client.ts";
import { conditionStatus, type Node, type Pod } from "../real/objects.ts";
import { apply, rebootPod } from "../real/workloads.ts";
import { adminOf, eventually, LabProcess, labFolder, removeFolder, schedulerOf } from "./lab-process.ts";

const slow = "aks-shop-31415926-vmss000001";
const quick = "aks-shop-31415926-vmss000002";

describe("the lab as a process", { timeout: 240_000 }, () => {
	const folder = labFolder();
	const admins = new Map<string, ApiClient>();
	let lab: LabProcess;
	let ready: Ready;

	const admin = (cluster: string): ApiClient => {
		const client = admins.get(cluster) ?? adminOf(ready, cluster);
		admins.set(cluster, client);
		return client;
	};
	const nodeNamed = (name: string): Promise<Node> => admin("prod-west").get<Node>(`/api/v1/nodes/${name}`);
	const isReady = (node: Node): boolean => conditionStatus(node, "Ready") === "True";
	const start = async (): Promise<void> => {
		lab = new LabProcess(folder, ["--fast"]);
		ready = await lab.ready();
	};
	/** As the scheduler does it. */
	const askForReboot = async (name: string): Promise<string> => {
		const { bootID } = (await nodeNamed(name)).status.nodeInfo;
		const second = Math.floor(Date.now() / 1000);
		await apply(admin("prod-west"), rebootPod({ node: name, bootId: bootID, notBefore: second - 60, notAfter: second + 60 }));
		return bootID;
	};
	/** UIDs and boots: what must not change by our being killed. */
	const identities = async (): Promise<object> => {
		const all: [string, string, string][] = [];
		for (const { name } of schedulerOf(ready).targets) {
			const system = await admin(name).get("/api/v1/namespaces/kube-system");
			all.push([name, "kube-system", system.metadata.uid]);
			for (const node of await admin(name).list<Node>("/api/v1/nodes")) all.push([node.metadata.name, node.metadata.uid, node.status.nodeInfo.bootID]);
		}
		return all.sort();
	};
	/** Pods that run, with the containers that they run in. */
	const containers = async (): Promise<string[]> => {
		const pods = await admin("prod-west").list<Pod>("/api/v1/pods");
		return pods.map((pod) => `${pod.metadata.uid} ${pod.status.containerStatuses?.[0]?.containerID}`).sort();
	};

	before(start);
	after(async () => {
		await lab?.kill("SIGKILL");
		await Promise.all([...admins.values()].map((client) => client.close()));
		removeFolder(folder);
	});

	it("keeps what it says for its owner alone, and takes no second lab into its folder", async () => {
		const file = join(folder, "lab.json");
		assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), ready);
		assert.equal(ready.process, lab.child.pid);
		for (const each of [file, ready.kubeconfig, join(folder, "fleet-demonstration.json")]) assert.equal(statSync(each).mode & 0o777, 0o600, each);
		const { code, stderr } = await new LabProcess(folder).ended();
		assert.equal(code, 1);
		assert.match(stderr, new RegExp(`^lab: ${file}: a lab is running there already, process ${ready.process}\n$`));
	});

	it("is reached by the scheduler as Azure is: by an identity's token, a local account's certificate, a token", async () => {
		const { targets, clusters } = schedulerOf(ready);
		assert.deepEqual(
			targets.map(({ name }) => name),
			["prod-west", "prod-north", "dev"],
		);
		for (const target of targets) {
			const api = clusters.open(target);
			assert.match(await api.clusterUid(), /^[0-9a-f-]{36}$/);
			const daemonSet = await api.sentinelDaemonSet();
			const nodes = await api.listNodeMetadata();
			assert.ok(daemonSet !== "absent" && daemonSet.desired === nodes.length, `${target.name}: a sentinel on every node`);
			const aks = await clusters.aks(target);
			assert.ok(aks.kind === "managed" && aks.provisioningState === "Succeeded" && aks.powerState === "Running");
			assert.deepEqual(aks.pools.map(({ name }) => name).sort(), [...new Set(nodes.map(({ pool }) => pool))].sort());
		}
	});

	it("shows who waits, who is on hold, and what an operator has cordoned", async () => {
		const { targets, clusters } = schedulerOf(ready);
		const waiting = new Map<string, readonly string[]>();
		for (const target of targets) waiting.set(target.name, (await clusters.open(target).listWaiting()).sentinels.map(({ node }) => node).sort());
		assert.deepEqual(Object.fromEntries(waiting), {
			"prod-west": ["aks-batch-14142135-vmss000000", "aks-shop-31415926-vmss000000", "aks-shop-31415926-vmss000001"],
			"prod-north": ["aks-system-22360679-vmss000000", ...["0", "1", "2"].map((each) => `aks-web-17320508-vmss00000${each}`)],
			dev: ["aks-spot-26457513-vmss000000", "aks-spot-26457513-vmss000001"],
		});
		const north = clusters.open(targets[1] ?? assert.fail());
		const cordoned = await north.listCordoned();
		assert.deepEqual(
			cordoned.map(({ name, unschedulableManagers }) => [name, unschedulableManagers]),
			[["aks-web-17320508-vmss000002", ["kubectl"]]],
		);
		const held = (await north.listNodeMetadata()).filter(({ hold }) => hold !== null);
		assert.deepEqual(
			held.map(({ name }) => name),
			["aks-web-17320508-vmss000001"],
		);
	});

	it("lets the scheduler's identity do what the shipped rights say, and no more", async () => {
		const { targets, clusters } = schedulerOf(ready);
		const west = clusters.open(targets[0] ?? assert.fail());
		const pods = await west.podsOn(quick, null);
		const cart = pods.find(({ namespace }) => namespace === "shop") ?? assert.fail("no pod of the shop on the node");
		assert.equal((await west.evict(cart, { gracePeriodSeconds: null, dryRun: true })).kind, "evicted");
		await assert.rejects(west.deletePod(cart, { gracePeriodSeconds: null }), /403 Forbidden/);
	});

	it("makes the troubles that its file names, tells what is wrong with the file, and ends them with it", async () => {
		const file = join(folder, "troubles.json");
		const { targets, clusters } = schedulerOf(ready);
		const [west, , dev] = targets;
		assert.ok(west && dev);
		const trouble = { kind: "error", status: 403, code: "AuthorizationFailed" };
		writeFileSync(
			file,
			JSON.stringify({
				nodes: { [`prod-west/${quick}`]: { comesBack: "never" } },
				arm: { "prod-west": trouble },
				clusters: { dev: { provisioningState: "Upgrading" } },
			}),
		);
		const stateOf = async (): Promise<string> => {
			const aks = await clusters.aks(dev);
			return aks.kind === "managed" ? aks.provisioningState : aks.kind;
		};
		await eventually("dev is upgrading", async () => (await stateOf()) === "Upgrading");
		await assert.rejects(clusters.aks(west), /lacks Microsoft\.ContainerService\/managedClusters\/read/);
		const bootId = await askForReboot(quick);
		await eventually("the node has gone away", async () => !isReady(await nodeNamed(quick)));

		writeFileSync(file, JSON.stringify({ nodes: { "prod-west/nobody": {} } }));
		await eventually("the file's mistake is told", () => lab.stderr.includes(`${file}: prod-west/nobody is no node, expected cluster/node`));
		assert.ok(!isReady(await nodeNamed(quick)), "a file with a mistake changes no node");

		rmSync(file);
		await eventually("the node is back under another boot", async () => {
			const node = await nodeNamed(quick);
			return isReady(node) && node.status.nodeInfo.bootID !== bootId;
		});
		assert.equal(await stateOf(), "Succeeded");
		assert.equal((await clusters.aks(west)).kind, "managed");
	});

	it("goes on where it was after kill -9: every object, boot and container, at the same addresses, and a node that was booting boots", async () => {
		const { targets, clusters } = schedulerOf(ready);
		const west = clusters.open(targets[0] ?? assert.fail());
		await west.clusterUid();
		const note = await admin("dev").post<KubeObject>("/api/v1/namespaces/default/configmaps", { metadata: { name: "note" }, data: { a: "1" } });
		await admin("dev").patch(`/api/v1/nodes/aks-spot-26457513-vmss000002?fieldManager=kubectl`, { spec: { unschedulable: true } }, "strategic");
		const [before, running] = [await identities(), await containers()];
		const bootId = await askForReboot(slow);
		await eventually("the node is going down", async () => !isReady(await nodeNamed(slow)));
		// So much is saved later.
		await eventually("that is saved", () => {
			const saved = readFileSync(join(folder, "fleet-demonstration.json"), "utf8");
			return JSON.parse(saved).clusters["prod-west"].machines.some((each: { name: string; up: boolean }) => each.name === slow && !each.up);
		});
		const { caPem, environment } = ready;
		await lab.kill("SIGKILL");
		assert.ok(existsSync(join(folder, "lab.json")), "a killed lab leaves its note");
		await start();

		assert.equal(ready.caPem, caPem);
		const { MAINTENANCE_WINDOWS: _, ...addresses } = environment;
		const { MAINTENANCE_WINDOWS: __, ...addressesNow } = ready.environment;
		assert.deepEqual(addressesNow, addresses);
		assert.match(await west.clusterUid(), /^[0-9a-f-]{36}$/);
		assert.equal((await admin("dev").get("/api/v1/namespaces/default/configmaps/note")).metadata.uid, note.metadata.uid);
		assert.equal((await admin("dev").get<Node>("/api/v1/nodes/aks-spot-26457513-vmss000002")).spec.unschedulable, true);
		await eventually("the node that was booting has booted", async () => {
			const node = await nodeNamed(slow);
			return isReady(node) && node.status.nodeInfo.bootID !== bootId;
		});
		const { bootID } = (await nodeNamed(slow)).status.nodeInfo;
		const changed = JSON.stringify(before).replace(bootId, bootID);
		assert.deepEqual(await identities(), JSON.parse(changed));
		const onSlow = new Set((await admin("prod-west").list<Pod>(`/api/v1/pods?fieldSelector=spec.nodeName%3D${slow}`)).map(({ metadata }) => metadata.uid));
		const elsewhere = (all: string[]) => all.filter((each) => !onSlow.has(each.split(" ")[0] ?? ""));
		assert.deepEqual(elsewhere(await containers()), elsewhere(running), "containers of machines that stayed up");
	});

	it("ends within two seconds of SIGTERM, and goes on from there", async () => {
		const before = await identities();
		const { code, tookMs } = await lab.kill("SIGTERM");
		assert.equal(code, 0);
		assert.ok(tookMs < 2_000, `${tookMs} ms`);
		assert.ok(!existsSync(join(folder, "lab.json")));
		await start();
		assert.deepEqual(await identities(), before);
	});
});
