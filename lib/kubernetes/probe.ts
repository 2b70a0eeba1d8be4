// What only the doctor asks an API server. Nothing of it changes anything: reviews are answered, and never stored; all else is a dry run.
import type { V1ResourceAttributes } from "@kubernetes/client-node";
import type { ClusterProbe, ForbiddenAct, Right } from "../doctor/ports.ts";
import { fieldManager, type Instant, type NodeFacts, namespace } from "../plan/model.ts";
import { CallError } from "../tick/call-error.ts";
import type { CredentialSource } from "./credentials.ts";
import { ofKind, required } from "./errors.ts";
import { eventOf, eventsNamespace } from "./events.ts";
import { nodeFacts } from "./nodes.ts";
import { sentinelName } from "./sentinel.ts";
import { type Apis, mergePatch, Session, type SessionOptions } from "./session.ts";

const dryRun = "All";

/** One of them may be virtual, or new and without a report of its own. */
const nodesRead = 10;

/** All but the credential, of which only its source knows the kind. */
export function probeCluster(source: CredentialSource, options: SessionOptions): Omit<ClusterProbe, "credential"> {
	const session = new Session(source, options);
	return {
		version() {
			return session.read("reading the version of Kubernetes", async ({ version }) => {
				const { data, headers } = await version.getCodeWithHttpInfo();
				return { version: required(data?.gitVersion, "gitVersion"), at: instantOf(headers.date) };
			});
		},
		async user() {
			try {
				return await session.read("asking who we are", async ({ authentication }) => {
					const review = await authentication.createSelfSubjectReview({ body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" } });
					return required(ofKind(review, "SelfSubjectReview").status?.userInfo?.username, "the user's name");
				});
			} catch (error) {
				// New in 1.28.
				if (error instanceof CallError && error.failure === "notFound") return null;
				throw error;
			}
		},
		allows(right) {
			return session.read(`asking whether we may ${right.verb} ${right.resource}`, async ({ authorization }) => {
				const spec = { resourceAttributes: attributesOf(right) };
				const body = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec };
				const review = ofKind(await authorization.createSelfSubjectAccessReview({ body }), "SelfSubjectAccessReview");
				return required(review.status, "the review's status").allowed;
			});
		},
		async hasAdmissionPolicy(name) {
			try {
				await session.read(`reading admission policy ${name}`, async ({ admission }) =>
					ofKind(await admission.readValidatingAdmissionPolicy({ name }), "ValidatingAdmissionPolicy"),
				);
				return true;
			} catch (error) {
				if (error instanceof CallError && error.failure === "notFound") return false;
				throw error;
			}
		},
		someNodes() {
			return session.read("listing a few Linux nodes", async ({ core }): Promise<readonly NodeFacts[]> => {
				const list = ofKind(await core.listNode({ labelSelector: "kubernetes.io/os=linux", limit: nodesRead }), "NodeList");
				return required(list.items, "a list with items").map(nodeFacts);
			});
		},
		someSentinelPod() {
			return session.read("listing a sentinel pod", async ({ core }) => {
				const list = ofKind(await core.listNamespacedPod({ namespace, labelSelector: `app=${sentinelName}`, limit: 1 }), "PodList");
				return required(list.items, "a list with items")[0]?.metadata?.name ?? null;
			});
		},
		tryForbidden(act) {
			return session.read(`trying by dry run what has to be refused (${act.kind} ${act.name})`, (apis) => tryForbidden(apis, act));
		},
	};
}

/** Every one of these names dryRun: where nothing refuses it, nothing may come of it. */
async function tryForbidden({ core, coordination, eventsUntil }: Apis, { kind, name }: ForbiddenAct): Promise<void> {
	switch (kind) {
		case "labelNode": {
			const body = { metadata: { labels: { "aks-reboot-scheduler/doctor": "dry-run" } } };
			await core.patchNode({ name, body, dryRun, fieldManager }, mergePatch());
			return;
		}
		case "deleteSentinelPod":
			await core.deleteNamespacedPod({ name, namespace, dryRun, body: { dryRun: [dryRun] } });
			return;
		case "createLease":
			await coordination.createNamespacedLease({ namespace, body: { metadata: { name }, spec: {} }, dryRun, fieldManager });
			return;
		case "createEventOfPod": {
			const told = { name, node: name, nodeUid: "", type: "Normal", reason: "Tried", note: "", at: Date.now(), instance: name } as const;
			const body = { ...eventOf(told), regarding: { apiVersion: "v1", kind: "Pod", name, namespace: eventsNamespace } };
			await eventsUntil(new AbortController().signal).createNamespacedEvent({ namespace: eventsNamespace, body, dryRun, fieldManager });
			return;
		}
		default:
			return kind satisfies never;
	}
}

function attributesOf({ verb, group, resource, namespace, name }: Right): V1ResourceAttributes {
	const [plain = "", subresource] = resource.split("/");
	return {
		verb,
		group,
		resource: plain,
		...(subresource === undefined ? {} : { subresource }),
		...(namespace === null ? {} : { namespace }),
		...(name === null ? {} : { name }),
	};
}

function instantOf(date: string | undefined): Instant | null {
	const at = date === undefined ? Number.NaN : Date.parse(date);
	return Number.isNaN(at) ? null : at;
}
