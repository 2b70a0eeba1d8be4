// What the doctor asks an API server, of the lab's and of a real one: the version, who may what, and whether the shipped policies bind.
import assert from "node:assert/strict";
import type { ForbiddenAct } from "../../lib/doctor/ports.ts";
import { adminRight, admissionPolicies, deletePodsRight, neededRights } from "../../lib/doctor/rights.ts";
import { probeCluster } from "../../lib/kubernetes/probe.ts";
import { namespace } from "../../lib/plan/model.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import type { KubeObject } from "../real/api-client.ts";
import { until } from "../waiting.ts";
import { credentialOf, failureOf, node, openAs, pod, TestSource } from "./kubernetes-fixtures.ts";
import { contract, type Subject } from "./kubernetes-implementations.ts";

const [aNode, aSentinel] = ["node-of-doctor", "sentinel-of-doctor"];
const admission = "/apis/admissionregistration.k8s.io/v1";

/** What each policy refuses, and in which words. */
const forbidden: readonly (readonly [ForbiddenAct, policy: string, object: string, message: string])[] = [
	[{ kind: "labelNode", name: aNode }, "nodes", `nodes "${aNode}"`, "of a node's metadata the scheduler changes annotations only"],
	[{ kind: "deleteSentinelPod", name: aSentinel }, "deletions", `pods "${aSentinel}"`, "in its namespace the scheduler deletes reboot pods only"],
	[{ kind: "createLease", name: "doctor" }, "owner", 'leases.coordination.k8s.io "doctor"', "the scheduler makes no Lease but owner"],
	[{ kind: "createEventOfPod", name: "doctor" }, "events", 'events.events.k8s.io "doctor"', "the scheduler's events are about nodes"],
];

const inAnotherImage = {
	node: aNode,
	bootId: "0f0e0d0c-1111-4222-8333-000000000001",
	ask: 9_999,
	notBefore: 0,
	notAfter: 60_000,
	image: "not.the.sentinels/image",
	imagePullPolicy: "Never",
	imagePullSecrets: [],
};

const probeOf = ({ server }: Subject, user = "scheduler") => probeCluster(new TestSource(credentialOf(server, user)), { version: "0.0.0-test" });

function refusal(policy: string, object: string, message: string): string {
	const name = `aks-reboot-scheduler-${policy}`;
	return `403 Forbidden: ${object} is forbidden: ValidatingAdmissionPolicy '${name}' with binding '${name}' denied request: ${message}`;
}

/** A policy holds a moment after it was made. */
async function refusedBy(policy: string, call: () => Promise<unknown>): Promise<CallError> {
	let error: unknown;
	await until(`${policy} is in force`, async () => {
		error = await call().then(
			() => null,
			(reason: unknown) => reason,
		);
		return error instanceof CallError && error.message.includes(`ValidatingAdmissionPolicy 'aks-reboot-scheduler-${policy}'`);
	});
	return error as CallError;
}

contract(
	(subject) => {
		subject.test("the version is one of numbers, with the server's clock, and nobody needs a right to read it", async () => {
			for (const user of ["scheduler", "stranger"]) {
				const { version, at } = await probeOf(subject, user).version();
				assert.match(version, /^v1\.\d+\.\d+/);
				assert.ok(at !== null && Math.abs(at - Date.now()) < 60_000);
				assert.equal(await probeOf(subject, user).user(), user);
			}
		});

		subject.test("an access review allows what the shipped rights give, and nothing else", async () => {
			const allowed = async (user: string) => {
				const { allows } = probeOf(subject, user);
				return Promise.all([...neededRights, deletePodsRight, adminRight].map(allows));
			};
			assert.deepEqual(await allowed("scheduler"), [...neededRights.map(() => true), false, false]);
			assert.deepEqual(await allowed("stranger"), [...neededRights.map(() => false), false, false]);
			assert.deepEqual(await allowed("admin"), [...neededRights.map(() => true), true, true]);
		});

		subject.test("the shipped policies are there, and another one is not", async () => {
			const { hasAdmissionPolicy } = probeOf(subject);
			assert.deepEqual(await Promise.all([...admissionPolicies, "another"].map(hasAdmissionPolicy)), [...admissionPolicies.map(() => true), false]);
			const error = await failureOf(probeOf(subject, "stranger").hasAdmissionPolicy("another"));
			assert.match(error.message, /cannot get resource "validatingadmissionpolicies" in API group "admissionregistration.k8s.io"/);
		});

		subject.test("what the policies have to refuse the scheduler is refused in their words, and let through to others, and nothing comes of it", async () => {
			const { server } = subject;
			await node(server, { name: aNode });
			await pod(server, { name: aSentinel, namespace, labels: { app: "sentinel" } });
			assert.equal(await probeOf(subject).someSentinelPod(), aSentinel);
			assert.deepEqual(
				(await probeOf(subject).someNodes()).map(({ name }) => name).filter((name) => name === aNode),
				[aNode],
			);
			const contents = async () => {
				const paths = [`/api/v1/nodes/${aNode}`, `/api/v1/namespaces/${namespace}/pods/${aSentinel}`];
				const objects = await Promise.all(paths.map((path) => server.api.get<KubeObject>(path)));
				return JSON.stringify([...objects, await server.api.list(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`)]);
			};
			const before = await contents();
			for (const [act, policy, object, message] of forbidden) {
				const error = await refusedBy(policy, () => probeOf(subject).tryForbidden(act));
				assert.equal(error.message, `trying by dry run what has to be refused (${act.kind} ${act.name}): ${refusal(policy, object, message)}`);
				await probeOf(subject, "admin").tryForbidden(act);
			}
			const error = await refusedBy("reboot-pods", () => openAs(server).createRebootPod(inAnotherImage, { dryRun: true }));
			assert.ok(error.message.endsWith("denied request: a reboot pod's image is that of the sentinel DaemonSet"), error.message);
			await openAs(server, "admin").createRebootPod(inAnotherImage, { dryRun: true });
			assert.equal(await contents(), before);
		});

		subject.test("a policy without its binding lets them through", async () => {
			await subject.server.api.delete(`${admission}/validatingadmissionpolicybindings/aks-reboot-scheduler-nodes`);
			const act = { kind: "labelNode", name: await node(subject.server) } as const;
			const passes = () =>
				probeOf(subject)
					.tryForbidden(act)
					.then(
						() => true,
						() => false,
					);
			await until("the binding is gone", passes);
		});
	},
	{ strangers: ["stranger"] },
);
