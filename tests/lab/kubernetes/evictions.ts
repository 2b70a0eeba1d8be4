// The eviction subresource. Every answer is a row of the table that was measured on kube-apiserver 1.36 (docs, and the tests named
// "evict…" in tests/contract): a budget is asked before the UID, a pending or leaving pod not at all.
import { type BudgetObject, instantText, isFinished, isLeaving, isReady, type PodObject, withCondition } from "./objects.ts";
import type { Registry } from "./registry.ts";
import { resourceNamed } from "./resources.ts";
import { selects } from "./selectors.ts";
import { conflict, namespaceTerminating, Refusal, type Status, success, uidDiffers } from "./statuses.ts";

export interface Eviction {
	readonly gracePeriodSeconds?: number;
	readonly preconditions?: { readonly uid?: string };
	readonly dryRun: boolean;
}

const pods = resourceNamed("pods");
const budgets = resourceNamed("poddisruptionbudgets");
const namespaces = resourceNamed("namespaces");
/** More pods under way than this: the controller does not keep up (registry/core/pod/storage/eviction.go, MaxDisruptedPodSize). */
const disruptedPodsMax = 2000;

export function evict(registry: Registry, namespace: string, name: string, eviction: Eviction): Status {
	const home = registry.require(namespaces, null, namespace);
	// Row "the pod's namespace is being deleted": 403, also for pods that are there.
	if (isLeaving(home)) throw namespaceTerminating(pods, name, namespace);
	const pod = registry.require(pods, namespace, name) as PodObject;
	if (!isFinished(pod) && pod.status.phase !== "Pending" && !isLeaving(pod)) takeFromBudget(registry, pod, eviction.dryRun);
	const { uid } = eviction.preconditions ?? {};
	if (uid !== undefined && uid !== pod.metadata.uid) throw conflict(pods, name, uidDiffers(uid, pod.metadata.uid));
	if (!eviction.dryRun) registry.delete(pods, disrupted(registry, pod), { ...eviction, dryRun: false });
	return success(201);
}

/** The reason why the pod goes, for whoever reads its conditions. */
function disrupted(registry: Registry, pod: PodObject): PodObject {
	if (isLeaving(pod)) return pod;
	const condition = { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI", message: "Eviction API: evicting" };
	return registry.store.put(pods, withCondition(pod, condition));
}

function takeFromBudget(registry: Registry, pod: PodObject, dryRun: boolean): void {
	const { namespace = "" } = pod.metadata;
	const matching = ([...registry.store.inNamespace(budgets, namespace)] as BudgetObject[]).filter((each) => selects(each.spec.selector, pod.metadata.labels));
	const [budget, second] = matching;
	if (budget === undefined) return;
	// Row "two budgets match the pod": no reason and no details.
	if (second !== undefined) throw new Refusal(500, null, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
	if (!isReady(pod) && mayGoUnready(budget)) return;
	refuseWithoutRoom(budget);
	if (dryRun) return;
	const { status } = budget;
	const disruptedPods = { ...status.disruptedPods, [pod.metadata.name]: instantText() };
	registry.store.put(budgets, { ...budget, status: { ...status, disruptionsAllowed: status.disruptionsAllowed - 1, disruptedPods } });
}

/** Rows "running but not ready": only where enough others are healthy, or the budget lets every such pod go. */
function mayGoUnready({ spec, status }: BudgetObject): boolean {
	return spec.unhealthyPodEvictionPolicy === "AlwaysAllow" || (status.desiredHealthy > 0 && status.currentHealthy >= status.desiredHealthy);
}

function refuseWithoutRoom({ metadata, status }: BudgetObject): void {
	// Row "its status not computed yet".
	if ((status.observedGeneration ?? 0) < (metadata.generation ?? 1))
		throw tooManyRequests(`The disruption budget ${metadata.name} is still being processed by the server.`, 10);
	if (Object.keys(status.disruptedPods ?? {}).length > disruptedPodsMax) throw controllerBehind(metadata.name);
	if (status.disruptionsAllowed === 0) throw tooManyRequests(`The disruption budget ${metadata.name} ${whyNoRoom(status)}`, 0);
}

/** Rows "budget leaves no room", and "… although more are healthy than it needs". */
function whyNoRoom({ currentHealthy, desiredHealthy }: BudgetObject["status"]): string {
	if (currentHealthy > desiredHealthy) return "does not allow evicting pods currently";
	return `needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
}

/** tests/contract: "a budget whose controller does not keep up". */
function controllerBehind(name: string): Refusal {
	const message = `poddisruptionbudget.policy "${name}" is forbidden: DisruptedPods map too big - too many evictions not confirmed by PDB controller`;
	return new Refusal(403, "Forbidden", message, { name, group: "policy", kind: "poddisruptionbudget" });
}

function tooManyRequests(message: string, retryAfterSeconds: number): Refusal {
	const causes = [{ reason: "DisruptionBudget", message }];
	const details = retryAfterSeconds === 0 ? { causes } : { causes, retryAfterSeconds };
	return new Refusal(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", details);
}
