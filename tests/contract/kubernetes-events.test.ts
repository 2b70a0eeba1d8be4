// Events about nodes, with the shipped rights: what the API server takes, what it refuses, and that `kubectl describe node` shows them.
import assert from "node:assert/strict";
import { eventOf, eventsNamespace } from "../../lib/kubernetes/events.ts";
import { namespace as ours } from "../../lib/plan/model.ts";
import { ApiError } from "../real/api-client.ts";
import { anotherUid, eventOfNode, factsOf, failureOf, node } from "./kubernetes-fixtures.ts";
import { contract, type Subject } from "./kubernetes-implementations.ts";
import { hang, recording } from "./kubernetes-server.ts";

const pathIn = (namespace: string) => `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
const eventsPath = pathIn(eventsNamespace);
const inTime = () => AbortSignal.timeout(20_000);

async function aNode({ server, api }: Subject): Promise<{ readonly name: string; readonly uid: string }> {
	return factsOf(api, await node(server));
}

contract((subject) => {
	subject.test("an event that exists already is no error: it is told once", async (context) => {
		const { name, uid } = await aNode(subject);
		const statuses: number[] = [];
		const { api } = await recording(subject.server, context, (_asked, status) => statuses.push(status));
		const event = eventOfNode(name, uid);
		await api.createEvent(event, inTime());
		await api.createEvent({ ...event, note: "another word for it" }, inTime());
		assert.deepEqual(statuses, [201, 409]);
	});

	subject.test("a note of any length, of letters of any width, is cut to what the API takes; lines are joined", async () => {
		const { name, uid } = await aNode(subject);
		for (const note of ["x".repeat(5_000), "→".repeat(1_024), "🂡".repeat(400), `${"é".repeat(511)}xx`, "one\nline\u0000after another"])
			await subject.api.createEvent(eventOfNode(name, uid, { note }), inTime());
	});

	subject.test("what the API refuses of an event is refused", async () => {
		const { name, uid } = await aNode(subject);
		const sound = JSON.parse(JSON.stringify(eventOf(eventOfNode(name, uid)))) as Record<string, unknown>;
		const refused: readonly (readonly [string, object])[] = [
			["message", { note: "x".repeat(1_025) }],
			["reportingInstance", { reportingInstance: "x".repeat(129) }],
			["action", { action: "" }],
			["reason", { reason: "" }],
			["type", { type: "Error" }],
			["eventTime", { eventTime: undefined }],
			["reportingController", { reportingController: "" }],
		];
		const elsewhere = { metadata: { name: "x.elsewhere", namespace: ours } };
		const rows = [...refused.map(([field, change]) => [field, change, eventsPath] as const), ["involvedObject.namespace", elsewhere, pathIn(ours)] as const];
		for (const [field, change, path] of rows) {
			const error = await subject.server.api.post(path, { ...sound, metadata: { name: `x.${field.toLowerCase()}` }, ...change }).then(
				() => assert.fail(`an event with another ${field} was taken`),
				(reason: unknown) => reason,
			);
			assert.ok(error instanceof ApiError && error.status === 422, `${field}: ${error}`);
			assert.match(error.message, new RegExp(field.replace(".", "\\.")), field);
		}
		await subject.server.api.post(eventsPath, { ...sound, metadata: { name: "x.sound" } });
	});

	subject.test("who waits no longer gives the call up at once", async (context) => {
		const { api, recorder } = await recording(subject.server, context);
		recorder.answer = hang;
		const error = await failureOf(api.createEvent(eventOfNode("n", "u"), AbortSignal.timeout(50)));
		assert.deepEqual([error.failure, error.mayHaveApplied], ["timedOut", true]);
	});

	subject.realTest("kubectl describe node shows them in the order of their names, and none of another node of that name", async (plane) => {
		const { name, uid } = await aNode(subject);
		const reasons = ["RebootRequired", "Cordoned", "Draining", "RebootRequested", "Rebooted", "Uncordoned"];
		const events = reasons.map((reason, i) =>
			eventOfNode(name, uid, { reason, name: `aks-reboot-scheduler.${name}-${i}`, at: Date.now() - (7 - i) * 86_400_000 }),
		);
		// Made in another order than that in which they are listed.
		for (const event of [...events].reverse()) await subject.api.createEvent(event, inTime());
		await subject.api.createEvent(eventOfNode(name, anotherUid, { reason: "Stuck" }), inTime());
		const told = (await plane.kubectl("describe", "node", name)).split("\nEvents:")[1] ?? "";
		const rows = [...told.matchAll(/^ {2}(Normal|Warning) +(\S+) +(\S+) +(\S+) /gm)].map(([, type, reason, age, from]) => [type, reason, age, from]);
		assert.deepEqual(
			rows,
			reasons.map((reason, i) => ["Normal", reason, `${7 - i}d`, "aks-reboot-scheduler"]),
			told,
		);
		const ofNode = await plane.kubectl("events", "-n", eventsNamespace, "--for", `node/${name}`);
		const ours = await plane.kubectl("get", "events", "-n", eventsNamespace, "--field-selector", "reportingComponent=aks-reboot-scheduler");
		for (const reason of reasons) for (const list of [ofNode, ours]) assert.match(list, new RegExp(`Normal +${reason} .*${name}`, "i"));
	});
});
