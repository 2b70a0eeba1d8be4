// infra/cluster's scripts: a cluster is onboarded and left by their output alone, and what is left behind is nothing.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";

const manifests = resolve(import.meta.dirname, "../../infra/cluster");
const ours = "aks-reboot-scheduler";
const identity = "5f1d3c52-7a0e-4a57-9c0b-000000000001";
const cluster = "/subscriptions/sub/resourceGroups/it's a group/providers/Microsoft.ContainerService/managedClusters/prod";
const markKey = `${ours}/reboot`;

/** As the pod in which AKS runs the command: its files side by side in a folder of their own. */
const az = `#!/bin/sh
printf '%s|' "$@" >>"$AZ_CALLS"
printf '\\n' >>"$AZ_CALLS"
dir=$(mktemp -d)
while [ $# -gt 0 ]; do
	case $1 in
	--command) command=$2 ;;
	--file) cp "$2" "$dir" ;;
	esac
	shift
done
cd "$dir"
sh -c "$command"
code=$?
rm -r "$dir"
exit $code
`;

interface Ran {
	readonly code: number;
	readonly out: string;
	readonly err: string;
}

let plane: ControlPlane;
let dir: string;
/** A copy of infra/cluster with the identity in its place. */
let own: string;

before(async () => {
	plane = await startControlPlane({ scheduler: false });
	dir = mkdtempSync(join(tmpdir(), "onboarding-"));
	own = join(dir, "cluster");
	cpSync(manifests, own, { recursive: true });
	const file = join(own, "scheduler-identity.yaml");
	writeFileSync(file, readFileSync(file, "utf8").replace("00000000-0000-0000-0000-000000000000", identity));
	mkdirSync(join(dir, "bin"));
	writeFileSync(join(dir, "bin", "az"), az);
	chmodSync(join(dir, "bin", "az"), 0o755);
});
after(async () => {
	await plane?.stop();
	rmSync(dir, { recursive: true, force: true });
});

function sh(...args: readonly string[]): Promise<Ran> {
	const path = [join(dir, "bin"), process.env.KUBEBUILDER_ASSETS, process.env.PATH].join(":");
	const env = { PATH: path, HOME: dir, KUBECONFIG: plane.kubeconfig(), AZ_CALLS: join(dir, "az-calls") };
	return new Promise((settle) => {
		execFile("sh", args, { cwd: dir, env, timeout: 300_000 }, (error, out, err) => {
			settle({ code: error === null ? 0 : typeof error.code === "number" ? error.code : -1, out, err });
		});
	});
}

/** What the script prints, run by a shell. */
async function printedAndRun(...args: readonly string[]): Promise<Ran> {
	const printed = await sh(join(own, "invoke.sh"), ...args);
	assert.equal(printed.code, 0, printed.err);
	return await sh("-c", printed.out);
}

const nodePath = (name: string) => `/api/v1/nodes/${name}`;

interface Marked {
	readonly foundCordoned?: boolean;
	/** The mark is that of another node object. */
	readonly copied?: boolean;
	readonly garbled?: boolean;
	/** Who set the cordon; nobody: it is not cordoned. */
	readonly cordonedBy?: readonly string[];
	readonly hold?: string;
	readonly unmarked?: boolean;
}

/** A node as the scheduler, and people, leave it. */
async function node(name: string, { foundCordoned = false, copied, garbled, cordonedBy = [ours], hold, unmarked }: Marked): Promise<void> {
	const { api } = plane;
	const { metadata } = await api.post("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata: { name, labels: { "kubernetes.io/os": "linux" } } });
	const mark = {
		record: "r-1",
		owner: "o",
		nodeUid: copied === true ? "another" : metadata.uid,
		bootId: "b-1",
		foundCordoned,
		since: "2026-02-03T04:05:06.000Z",
	};
	for (const manager of cordonedBy) {
		if (manager !== cordonedBy[0]) await api.patch(`${nodePath(name)}?fieldManager=${manager}`, { spec: { unschedulable: null } });
		await api.patch(`${nodePath(name)}?fieldManager=${manager}`, { spec: { unschedulable: true } });
	}
	const text = garbled === true ? 'not "JSON"\nat all' : JSON.stringify(mark);
	const annotations = { ...(unmarked === true ? {} : { [markKey]: text }), ...(hold === undefined ? {} : { [`${ours}/hold`]: hold }) };
	await api.patch(`${nodePath(name)}?fieldManager=${ours}`, { metadata: { annotations } });
}

/** Nodes and what becomes of their cordon. */
const nodes: readonly (readonly [name: string, left: "in service" | "cordoned", Marked])[] = [
	["ours", "in service", {}],
	["folded", "in service", { cordonedBy: ["ancient-changes"] }],
	["garbled", "in service", { garbled: true }],
	["uncordoned", "in service", { cordonedBy: [] }],
	["found", "cordoned", { foundCordoned: true, cordonedBy: ["kubectl-cordon"] }],
	["handed-over", "cordoned", { cordonedBy: [ours, "kubectl-cordon"] }],
	["copied", "cordoned", { copied: true }],
	["not-ours", "cordoned", { unmarked: true, cordonedBy: ["kubectl-cordon"], hold: "INC-7" }],
];

interface Discovered {
	readonly groups: readonly { readonly preferredVersion: { readonly groupVersion: string } }[];
	readonly resources: readonly { readonly name: string; readonly kind: string; readonly verbs: readonly string[] }[];
}

/** Every object that bears our name, of every kind that the API server has; events age out by themselves. */
async function leftovers(): Promise<string[]> {
	const { groups } = await plane.api.get<Discovered>("/apis");
	const found: string[] = [];
	for (const path of ["/api/v1", ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)]) {
		const { resources } = await plane.api.get<Discovered>(path);
		for (const { name: plural, kind, verbs } of resources) {
			if (!verbs.includes("list") || kind === "Event" || kind === "ComponentStatus") continue;
			for (const { metadata } of await plane.api.list(`${path}/${plural}`)) {
				const { name, namespace = "", labels, annotations } = metadata;
				if (JSON.stringify([name, namespace, labels, annotations]).includes(ours)) found.push(`${kind} ${namespace}/${name}`);
			}
		}
	}
	return found;
}

async function allows(verb: string, resource: string): Promise<boolean> {
	const spec = { user: identity, resourceAttributes: { verb, resource } };
	const review = { apiVersion: "authorization.k8s.io/v1", kind: "SubjectAccessReview", spec };
	return (await plane.api.post<{ status: { allowed: boolean } }>("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)).status.allowed;
}

describe("a cluster that is reached through az aks command invoke", () => {
	it("is not onboarded for nobody, nor without being named in full", async () => {
		const nobody = await sh(join(manifests, "invoke.sh"), "apply", cluster);
		assert.equal(nobody.code, 2);
		assert.match(nobody.err, /it names nobody as the scheduler/);
		for (const wrong of [["apply"], ["apply", "prod"], ["appyl", cluster], ["remove", `${cluster}/more`]]) {
			const { code, out } = await sh(join(own, "invoke.sh"), ...wrong);
			assert.deepEqual([code, out], [2, ""], wrong.join(" "));
		}
	});

	it("is onboarded by what the script prints, and the identity has its rights", async () => {
		assert.deepEqual(await leftovers(), []);
		const both = await sh(join(own, "invoke.sh"), "apply", cluster, cluster.replace("prod", "prod-2"));
		assert.deepEqual(
			both.out.split("\n").map((line) => / --name (\S+) /.exec(line)?.[1]),
			["'prod'", "'prod-2'", undefined],
		);
		const { code, err } = await printedAndRun("apply", cluster);
		assert.equal(code, 0, err);
		assert.match(
			readFileSync(join(dir, "az-calls"), "utf8"),
			/^aks\|command\|invoke\|--subscription\|sub\|--resource-group\|it's a group\|--name\|prod\|--command\|kubectl apply -f /,
		);
		assert.ok(await allows("patch", "nodes"));
		assert.ok(!(await allows("delete", "nodes")));
		assert.ok((await leftovers()).length > 15);
	});

	it("keeps all of it while reboots are in flight", async () => {
		for (const [name, , how] of nodes) await node(name, how);
		const before = await leftovers();
		const since = Date.now();
		const { code, err } = await printedAndRun("remove", cluster);
		assert.equal(code, 3);
		assert.match(err, /in flight: copied folded found garbled handed-over ours uncordoned/);
		assert.match(err, /HOLD.*wait/);
		assert.deepEqual(await leftovers(), before);
		assert.deepEqual(
			plane.requests({ user: "admin", since, writes: true }).map(({ verb, requestURI }) => `${verb} ${requestURI}`),
			[],
		);
	});

	it("loses our cordons when forced, and none of anybody else's; nothing with our name is left", async () => {
		const { code, out, err } = await printedAndRun("remove", "--force", cluster);
		assert.equal(code, 0, err);
		assert.match(out, /nothing of aks-reboot-scheduler is left/);
		for (const [name, left] of nodes) {
			const { spec } = await plane.api.get<{ spec: { unschedulable?: boolean } }>(nodePath(name));
			assert.equal(spec.unschedulable === true ? "cordoned" : "in service", left, `${name}\n${out}`);
		}
		assert.deepEqual(await leftovers(), []);
	});
});

describe("a cluster that kubectl reaches", () => {
	it("is left by remove.sh alone, also when there is nothing of ours any more", async () => {
		const { code, out, err } = await sh(join(own, "remove.sh"), "--context", "real");
		assert.equal(code, 0, err);
		assert.match(out, /nothing of aks-reboot-scheduler is left/);
		const elsewhere = await sh(join(own, "remove.sh"), "--context", "none");
		assert.notEqual(elsewhere.code, 0);
		assert.match(elsewhere.err, /context.* none/);
	});
});
