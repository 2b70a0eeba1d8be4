// Nodes: what is read, what our one patch does, and whose a cordon is by the server's own books.
import assert from "node:assert/strict";
import { fieldManager, type Mark } from "../../lib/plan/model.ts";
import { handedOver } from "../../lib/plan/ownership.ts";
import type { NodePatch } from "../../lib/tick/world.ts";
import type { PatchType } from "../real/api-client.ts";
import { factsOf, failureOf, fresh, makeMany, node } from "./kubernetes-fixtures.ts";
import { contract, type Subject } from "./kubernetes-implementations.ts";

function markOn(nodeUid: string): Mark {
	return { record: "r-1", owner: "tests", nodeUid, bootId: "b", foundCordoned: false, since: Date.parse("2026-11-24T02:00:00Z") };
}

/** Patches as the scheduler does, on the version that is there. */
async function wePatch({ api }: Subject, name: string, change: Pick<NodePatch, "unschedulable"> & { readonly mark?: "set" | "removed" }): Promise<void> {
	const { uid, resourceVersion } = await factsOf(api, name);
	const { mark, ...rest } = change;
	await api.patchNode({ name, resourceVersion, ...rest, ...(mark === undefined ? {} : { mark: mark === "set" ? markOn(uid) : null }) });
}

async function theyPatch({ server }: Subject, name: string, body: object, query = "", type: PatchType = "strategic"): Promise<void> {
	await server.api.patch(`/api/v1/nodes/${name}${query}`, body, type);
}

/** What is done to a node, by whom. Those of kubectl are the requests that it was seen to send. */
const steps = {
	weCordon: (subject: Subject, name: string) => wePatch(subject, name, { unschedulable: true, mark: "set" }),
	weMark: (subject: Subject, name: string) => wePatch(subject, name, { mark: "set" }),
	weUncordon: (subject: Subject, name: string) => wePatch(subject, name, { unschedulable: false, mark: "removed" }),
	kubectlCordon: (subject: Subject, name: string) => theyPatch(subject, name, { spec: { unschedulable: true } }, "?fieldManager=kubectl"),
	kubectlUncordon: (subject: Subject, name: string) => theyPatch(subject, name, { spec: { unschedulable: null } }, "?fieldManager=kubectl"),
	kubectlRemovesMark: (subject: Subject, name: string) =>
		theyPatch(subject, name, { metadata: { annotations: { "aks-reboot-scheduler/reboot": null } } }, "?fieldManager=kubectl-annotate", "merge"),
	kubectlLabels: (subject: Subject, name: string) =>
		theyPatch(subject, name, { metadata: { labels: { by: "kubectl" } } }, "?fieldManager=kubectl-label", "merge"),
	someoneLabelsAndRepeatsTheCordon: (subject: Subject, name: string) =>
		theyPatch(subject, name, { metadata: { labels: { by: "someone" } }, spec: { unschedulable: true } }, "?fieldManager=someone", "merge"),
	namelessCordon: (subject: Subject, name: string) => theyPatch(subject, name, { spec: { unschedulable: true } }, "", "merge"),
	gitopsAppliesCordon: (subject: Subject, name: string) => gitops(subject, name, true),
	gitopsAppliesService: (subject: Subject, name: string) => gitops(subject, name, false),
	kubeletReports: (subject: Subject, name: string) =>
		theyPatch(subject, `${name}/status`, { status: { conditions: [{ type: "Ready", status: "False", reason: "Test" }] } }, "?fieldManager=kubelet"),
	manyLabel: async (subject: Subject, name: string) => {
		for (let i = 0; i < 12; i++) await theyPatch(subject, name, { metadata: { labels: { [`by-${i}`]: "x" } } }, `?fieldManager=label-${i}`, "merge");
	},
	someoneEmptiesTheBooks: (subject: Subject, name: string) => theyPatch(subject, name, { metadata: { managedFields: [{}] } }, "", "merge"),
} as const;

function gitops(subject: Subject, name: string, unschedulable: boolean): Promise<void> {
	const applied = { apiVersion: "v1", kind: "Node", metadata: { name }, spec: { unschedulable } };
	return theyPatch(subject, name, applied, "?fieldManager=gitops&force=true", "apply");
}

interface History {
	readonly name: string;
	readonly steps: readonly (keyof typeof steps)[];
	/** Of the node afterwards. */
	readonly cordoned: boolean;
	readonly marked: boolean;
	readonly managers: readonly string[];
	/** What we take it for. */
	readonly handedOver?: boolean;
}

const us = fieldManager;
const histories: readonly History[] = [
	{ name: "our cordon is in the books as ours alone", steps: ["weCordon"], cordoned: true, marked: true, managers: [us] },
	{ name: "our uncordon leaves no manager of the field", steps: ["weCordon", "weUncordon"], cordoned: false, marked: false, managers: [] },
	{
		name: "a patch by somebody that changes nothing leaves no trace: a second kubectl cordon is not seen",
		steps: ["weCordon", "kubectlCordon"],
		cordoned: true,
		marked: true,
		managers: [us],
	},
	{
		name: "a patch that repeats the cordon beside a change of its own does not take the cordon over",
		steps: ["weCordon", "someoneLabelsAndRepeatsTheCordon"],
		cordoned: true,
		marked: true,
		managers: [us],
	},
	{
		name: "labels and a kubelet's status do not touch the cordon's books",
		steps: ["weCordon", "kubectlLabels", "kubeletReports"],
		cordoned: true,
		marked: true,
		managers: [us],
	},
	{ name: "somebody's uncordon leaves our mark and no manager", steps: ["weCordon", "kubectlUncordon"], cordoned: false, marked: true, managers: [] },
	{
		name: "uncordoned and cordoned again by somebody, it is handed over although our mark is still there",
		steps: ["weCordon", "kubectlUncordon", "kubectlCordon"],
		cordoned: true,
		marked: true,
		managers: ["kubectl"],
		handedOver: true,
	},
	{
		name: "the command that takes a node over removes the mark and keeps the cordon",
		steps: ["weCordon", "kubectlRemovesMark"],
		cordoned: true,
		marked: false,
		managers: [us],
	},
	{
		name: "a cordon that names no field manager is named by its User-Agent",
		steps: ["namelessCordon", "weMark"],
		cordoned: true,
		marked: true,
		managers: ["undici"],
		handedOver: true,
	},
	{
		name: "marking a node that was found cordoned does not make us a manager of its cordon",
		steps: ["kubectlCordon", "weMark"],
		cordoned: true,
		marked: true,
		managers: ["kubectl"],
		handedOver: true,
	},
	{
		name: "cordoning a node that is cordoned already does not make us a manager of its cordon",
		steps: ["kubectlCordon", "weCordon"],
		cordoned: true,
		marked: true,
		managers: ["kubectl"],
		handedOver: true,
	},
	{
		name: "somebody who applies the cordon beside us is named beside us",
		steps: ["weCordon", "gitopsAppliesCordon"],
		cordoned: true,
		marked: true,
		managers: ["gitops", us],
		handedOver: true,
	},
	{
		name: "our uncordon takes the field from him who applied the cordon beside us",
		steps: ["weCordon", "gitopsAppliesCordon", "weUncordon"],
		cordoned: false,
		marked: false,
		managers: [],
	},
	{
		name: "an apply that puts the node in service by force takes the field, although nothing is left of its value",
		steps: ["weCordon", "gitopsAppliesService"],
		cordoned: false,
		marked: true,
		managers: ["gitops"],
	},
	{
		name: "our cordon after that is in the books as ours alone",
		steps: ["gitopsAppliesService", "weCordon"],
		cordoned: true,
		marked: true,
		managers: [us],
	},
	{
		name: "emptied books name nobody, and the cordon is still ours",
		steps: ["weCordon", "someoneEmptiesTheBooks"],
		cordoned: true,
		marked: true,
		managers: [],
	},
	{
		name: "our entry, folded into the old ones by many managers, names nobody that we could have handed over to",
		steps: ["weCordon", "manyLabel"],
		cordoned: true,
		marked: true,
		managers: ["ancient-changes"],
	},
	{
		name: "so does the entry of somebody who took the node over: it is seen before that or not at all",
		steps: ["weCordon", "kubectlUncordon", "kubectlCordon", "manyLabel"],
		cordoned: true,
		marked: true,
		managers: ["ancient-changes"],
	},
	{
		name: "books that were emptied stay so: who uncordons and cordons then is not seen",
		steps: ["weCordon", "someoneEmptiesTheBooks", "kubectlUncordon", "kubectlCordon"],
		cordoned: true,
		marked: true,
		managers: [],
	},
];

type Between = readonly [string, (subject: Subject, name: string) => Promise<unknown>, "conflict" | "notFound"];

/** What happens to a node between our look and our patch. */
const between: readonly Between[] = [
	["somebody labels it", steps.kubectlLabels, "conflict"],
	["its kubelet reports", steps.kubeletReports, "conflict"],
	["it is made anew under its name", (subject, name) => remove(subject, name).then(() => node(subject.server, { name })), "conflict"],
	["it is deleted", remove, "notFound"],
];
const beforeCordon: readonly Between[] = [...between, ["somebody cordons it", steps.kubectlCordon, "conflict"]];
const beforeUncordon: readonly Between[] = [
	...between,
	["somebody uncordons it", steps.kubectlUncordon, "conflict"],
	["somebody uncordons and cordons it", (subject, name) => steps.kubectlUncordon(subject, name).then(() => steps.kubectlCordon(subject, name)), "conflict"],
];

async function remove({ server }: Subject, name: string): Promise<void> {
	await server.api.delete(`/api/v1/nodes/${name}`);
}

async function cordonedByUs(subject: Subject): Promise<string> {
	const name = await node(subject.server);
	await steps.weCordon(subject, name);
	return name;
}

contract((subject) => {
	for (const history of histories)
		subject.test(`books: ${history.name}`, async () => {
			const name = await node(subject.server);
			for (const step of history.steps) await steps[step](subject, name);
			const facts = await factsOf(subject.api, name);
			assert.deepEqual([facts.unschedulable, facts.mark.kind === "mark"], [history.cordoned, history.marked]);
			assert.deepEqual([...facts.unschedulableManagers].sort(), [...history.managers].sort());
			assert.equal(facts.unschedulable && handedOver(facts), history.handedOver ?? false);
			// The list that finds cordons carries the same books.
			const listed = (await subject.api.listCordoned()).find((each) => each.name === name);
			assert.deepEqual(listed, history.cordoned ? facts : undefined);
		});

	subject.test("books: a node that was made with nothing but its name has none, whoever cordons it", async () => {
		const name = fresh("bare");
		await subject.server.api.post("/api/v1/nodes", { metadata: { name } });
		await steps.kubectlCordon(subject, name);
		assert.deepEqual((await factsOf(subject.api, name)).unschedulableManagers, []);
	});

	for (const unschedulable of [true, false])
		for (const [what, happens, failure] of unschedulable ? beforeCordon : beforeUncordon)
			subject.test(`a node is not ${unschedulable ? "cordoned" : "uncordoned"} on a view that is stale: ${what}`, async () => {
				const name = unschedulable ? await node(subject.server) : await cordonedByUs(subject);
				const { resourceVersion, uid } = await factsOf(subject.api, name);
				await happens(subject, name);
				const before = await subject.api.node(name);
				const error = await failureOf(subject.api.patchNode({ name, resourceVersion, unschedulable, mark: unschedulable ? markOn(uid) : null }));
				assert.deepEqual([error.failure, error.status, error.mayHaveApplied], [failure, failure === "conflict" ? 409 : 404, false]);
				const said = failure === "conflict" ? "409 Conflict: .*the object has been modified" : '404 NotFound: nodes ".*" not found';
				assert.match(error.message, new RegExp(`^patching node ${name}: ${said}`));
				assert.deepEqual(await subject.api.node(name), before);
			});

	subject.test("a patch that changes nothing is no new version, and is refused on a stale one all the same", async () => {
		const name = await cordonedByUs(subject);
		const stale = (await factsOf(subject.api, await node(subject.server))).resourceVersion;
		const before = await factsOf(subject.api, name);
		await steps.weCordon(subject, name);
		assert.deepEqual(await factsOf(subject.api, name), before);
		assert.equal((await failureOf(subject.api.patchNode({ name, resourceVersion: stale, unschedulable: true }))).failure, "conflict");
		await steps.weUncordon(subject, name);
		const inService = await factsOf(subject.api, name);
		await steps.weUncordon(subject, name);
		assert.deepEqual(await factsOf(subject.api, name), inService, "a mark that is not there is removed");
	});

	subject.test("every cordon is found by the filtered list, with its mark, and no node in service is", async () => {
		const ours = await cordonedByUs(subject);
		const theirs = await node(subject.server, { unschedulable: true });
		const garbled = await node(subject.server, { unschedulable: true, annotations: { "aks-reboot-scheduler/reboot": "{" } });
		const absent = await node(subject.server);
		const saysFalse = await node(subject.server, { unschedulable: false });
		const kinds = new Map((await subject.api.listCordoned()).map((each) => [each.name, each.mark.kind]));
		assert.deepEqual(
			[ours, theirs, garbled, absent, saysFalse].map((name) => kinds.get(name)),
			["mark", "none", "garbled", undefined, undefined],
		);
	});

	subject.test("metadata of Linux nodes comes with pool and hold, and without those of Windows", async () => {
		const held = await node(subject.server, { labels: { "kubernetes.azure.com/mode": "system" }, annotations: { "aks-reboot-scheduler/hold": "disk swap" } });
		const virtual = await node(subject.server, { labels: { type: "virtual-kubelet", "kubernetes.azure.com/agentpool": "" } });
		const windows = await node(subject.server, { labels: { "kubernetes.io/os": "windows" } });
		const byName = new Map((await subject.api.listNodeMetadata()).map((each) => [each.name, each]));
		const { uid } = await factsOf(subject.api, held);
		assert.deepEqual(byName.get(held), { name: held, uid, pool: "blue", systemPool: true, hold: "disk swap", virtual: false });
		assert.deepEqual([byName.get(virtual)?.virtual, byName.get(virtual)?.pool, byName.has(windows)], [true, "default", false]);
	});

	subject.test("a node's state is read whole, and one that is not there is absent", async () => {
		const facts = await factsOf(subject.api, await node(subject.server, { ready: false }));
		assert.deepEqual([facts.ready, facts.bootId, facts.kernelVersion, facts.pool], [false, `boot-of-${facts.name}`, "6.8.0-1", "blue"]);
		assert.deepEqual([facts.deleting, facts.virtual, facts.systemPool, facts.hold], [false, false, false, null]);
		assert.equal((await factsOf(subject.api, await node(subject.server))).ready, true);
		assert.equal(await subject.api.node(fresh("nowhere")), "absent");
	});

	subject.test("lists of more nodes than a page holds are read to their end, and a selector goes on selecting", async () => {
		const prefix = fresh("many");
		const linux = { "kubernetes.io/os": "linux" };
		// Those that are not selected stand between those that are.
		const states = [{ unschedulable: true }, { unschedulable: false }, {}, ...Array.from({ length: 17 }, () => ({ unschedulable: true }))];
		await makeMany(600, (index) =>
			subject.server.api.post("/api/v1/nodes", {
				metadata: { name: `${prefix}-${index}`, labels: index % 20 === 7 ? { "kubernetes.io/os": "windows" } : linux },
				spec: states[index % 20],
			}),
		);
		const ofMany = (nodes: readonly { readonly name: string }[]) => new Set(nodes.filter(({ name }) => name.startsWith(`${prefix}-`)).map(({ name }) => name));
		assert.equal(ofMany(await subject.api.listCordoned()).size, 540);
		assert.equal(ofMany(await subject.api.listNodeMetadata()).size, 570);
	});

	subject.realTest("kubectl sends what the steps above send, and nothing where the node is as it should be", async (controlPlane) => {
		const name = await cordonedByUs(subject);
		const before = await factsOf(subject.api, name);
		assert.match(await controlPlane.kubectl("cordon", name), /already cordoned/);
		assert.deepEqual(await factsOf(subject.api, name), before);
		await controlPlane.kubectl("uncordon", name);
		assert.deepEqual((await factsOf(subject.api, name)).unschedulableManagers, []);
		await controlPlane.kubectl("cordon", name);
		assert.deepEqual((await factsOf(subject.api, name)).unschedulableManagers, ["kubectl"]);
		await controlPlane.kubectl("annotate", "node", name, "aks-reboot-scheduler/reboot-");
		assert.equal((await factsOf(subject.api, name)).mark.kind, "none");
	});
});
