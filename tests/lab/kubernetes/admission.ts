// What the real server adds to an object that is created, and why it refuses one: defaults, validation and admission, as far as
// anybody here sees them.
import type { LabObject, PodObject, PodSpec, Toleration } from "./objects.ts";
import type { Resource } from "./resources.ts";
import { badRequest, forbidden, invalid } from "./statuses.ts";

/** The two classes that every cluster has (scheduling.k8s.io, system priority classes). */
const priorities: Readonly<Record<string, number>> = { "system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000 };

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const subdomainRule =
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character " +
	"(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/** Throws 422 or 403 where the real server would refuse to create the object (tests/contract: a name that is none, Pod Security). */
export function admit(of: Resource, object: LabObject, namespace: LabObject | undefined): void {
	validate(of, object);
	if (of.plural === "pods") podSecurity(of, object as PodObject, namespace);
	if (of.plural === "events") validateEvent(of, object);
}

/** Of the rules for new events those that anybody here could break (kubernetes, pkg/apis/core/validation/events.go; tests/contract: kubernetes-events). */
function validateEvent(of: Resource, event: LabObject): void {
	const { name, namespace } = event.metadata;
	const { regarding, eventTime, type, note } = event as { readonly regarding?: { readonly namespace?: string }; readonly [field: string]: unknown };
	// What stands in no namespace is told of in one of these.
	if (regarding?.namespace === undefined && namespace !== "default" && namespace !== "kube-system")
		throw invalid(of, name, "involvedObject.namespace", 'Invalid value: "": does not match event.namespace');
	if (eventTime === undefined) throw invalid(of, name, "eventTime", "Required value", "FieldValueRequired");
	for (const [field, bytesMax] of Object.entries({ reportingController: Number.POSITIVE_INFINITY, reportingInstance: 128, action: 128, reason: 128 })) {
		const value = event[field];
		if (typeof value !== "string" || value === "") throw invalid(of, name, field, "Required value", "FieldValueRequired");
		if (Buffer.byteLength(value) > bytesMax) throw invalid(of, name, field, `Invalid value: "": can have at most ${bytesMax} characters`);
	}
	if (type !== "Normal" && type !== "Warning") throw invalid(of, name, "type", 'Invalid value: "": has invalid value');
	if (typeof note === "string" && Buffer.byteLength(note) > 1024) throw invalid(of, name, "message", 'Invalid value: "": can have at most 1024 characters');
}

export function validate(of: Resource, object: LabObject): void {
	const { name, labels = {} } = object.metadata;
	// RBAC names may hold more.
	if (of.group !== "rbac.authorization.k8s.io" && (!subdomain.test(name) || name.length > 253))
		throw invalid(of, name, "metadata.name", `Invalid value: ${JSON.stringify(name)}: ${subdomainRule}`);
	const wrong = Object.entries(labels).find(([, value]) => typeof value !== "string" || !labelValue.test(value) || value.length > 63);
	if (wrong !== undefined) throw invalid(of, name, "metadata.labels", `Invalid value: ${JSON.stringify(wrong[1])}: a valid label must be an empty string or …`);
	const { containers } = (object.spec ?? {}) as { containers?: readonly unknown[] };
	if (of.plural === "pods" && (!Array.isArray(containers) || containers.length === 0))
		throw invalid(of, name, "spec.containers", "Required value", "FieldValueRequired");
}

/** Pod Security at the levels baseline and restricted, for what the reboot pod and the sentinel ask for. */
function podSecurity(of: Resource, pod: PodObject, namespace: LabObject | undefined): void {
	const level = namespace?.metadata.labels?.["pod-security.kubernetes.io/enforce"] ?? "privileged";
	if (level === "privileged") return;
	const unconfined = containersOf(pod).filter(({ securityContext }) => securityContext?.appArmorProfile?.type === "Unconfined");
	const violations = [
		...unconfined.map(({ name }) => `forbidden AppArmor profile (container "${name}" must not set AppArmor profile type to "Unconfined")`),
		...(pod.spec.hostPID === true ? ["host namespaces (hostPID=true)"] : []),
		...volumesOf(pod).flatMap((volume) => ("hostPath" in volume ? [`hostPath volumes (volume "${volume.name}")`] : [])),
	];
	if (violations.length > 0) throw forbidden(of, pod.metadata.name, `violates PodSecurity "${level}:latest": ${violations.join(", ")}`);
}

interface Container {
	readonly name: string;
	readonly securityContext?: { readonly appArmorProfile?: { readonly type: string } };
}

function containersOf(pod: PodObject): readonly Container[] {
	return (pod.spec as { containers?: readonly Container[] }).containers ?? [];
}

function volumesOf(pod: PodObject): readonly { readonly name: string }[] {
	return (pod.spec as { volumes?: readonly { readonly name: string }[] }).volumes ?? [];
}

/** Spec and status as they are stored when the object is created. */
export function withDefaults(of: Resource, object: LabObject): LabObject {
	switch (of.plural) {
		case "pods":
			return { ...object, spec: podDefaults(object.spec as PodSpec), status: { phase: "Pending", qosClass: "BestEffort" } };
		case "nodes":
			return { ...object, spec: nodeSpec(object), status: { ...((object.status ?? {}) as object) } };
		case "namespaces": {
			const labels = { "kubernetes.io/metadata.name": object.metadata.name, ...object.metadata.labels };
			return { ...object, metadata: { ...object.metadata, labels }, spec: { finalizers: ["kubernetes"] }, status: { phase: "Active" } };
		}
		case "poddisruptionbudgets":
			return { ...object, status: { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 } };
		case "daemonsets":
			return { ...object, status: { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 } };
		case "deployments":
		case "statefulsets":
		case "replicasets":
			return { ...object, spec: { replicas: 1, ...((object.spec ?? {}) as object) }, status: { replicas: 0 } };
		default:
			return object;
	}
}

/** The NoExecute taints of a node that is away are tolerated for five minutes unless a pod says otherwise (DefaultTolerationSeconds). */
const awayTaints = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

function podDefaults(spec: PodSpec): PodSpec {
	const { priorityClassName } = spec;
	const priority = priorityClassName === undefined ? 0 : priorities[priorityClassName];
	if (priority === undefined) throw badRequest(`no PriorityClass with name ${priorityClassName} was found`);
	const tolerations: readonly Toleration[] = spec.tolerations ?? [];
	const added = awayTaints
		.filter((key) => !tolerations.some((each) => (!each.key || each.key === key) && (!each.effect || each.effect === "NoExecute")))
		.map((key) => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }));
	return {
		restartPolicy: "Always",
		terminationGracePeriodSeconds: 30,
		dnsPolicy: "ClusterFirst",
		schedulerName: "default-scheduler",
		enableServiceLinks: true,
		preemptionPolicy: "PreemptLowerPriority",
		securityContext: {},
		...spec,
		priority,
		...(added.length + tolerations.length === 0 ? {} : { tolerations: [...tolerations, ...added] }),
	};
}

/** A node is not ready before its kubelet says so (admission plugin TaintNodesByCondition). */
function nodeSpec(node: LabObject): object {
	const spec = (node.spec ?? {}) as { taints?: readonly object[] };
	return { ...spec, taints: [...(spec.taints ?? []), { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }] };
}
