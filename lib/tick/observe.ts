// Looking at a cluster. Idle: three small requests, whatever its size. Beyond that, only nodes that matter now are read. What only new
// work needs may fail and becomes a reason; what recovery needs (the cordoned nodes) fails the look.
import { podsToTry, probationToRead } from "../plan/admission.ts";
import {
	type AksFacts,
	type ControlRequest,
	type DaemonSetRef,
	type Instant,
	known,
	type NodeFacts,
	type NodeMemory,
	type NodeMetadata,
	type Obstacle,
	type OwnerSeen,
	type Preflight,
	type Reading,
	type Reboot,
	type SentinelDaemonSet,
	type SentinelPod,
	unknown,
	type View,
} from "../plan/model.ts";
import { leftBehind, scopesWithoutPool, toAdopt } from "../plan/plan.ts";
import { type ClusterTarget, poolScopes, type Settings, targetId } from "../plan/policy.ts";
import { CallError, isRefusal } from "./call-error.ts";
import { sideBySide } from "./perform.ts";
import { type Clock, type ClusterApi, type Clusters, pageSize } from "./world.ts";

const minuteMs = 60_000;
const metadataMs = 10 * minuteMs;
const ownerMs = 10 * minuteMs;
const aksMs = 30_000;
const daemonSetsMs = 30_000;
/** Nodes whose metadata is read one by one rather than by a list of all, however small the cluster is. */
const fewNodes = 20;
const readsAtOnce = 8;
/** How often the line is read on behind candidates that turn out not to be fit. */
const candidateRounds = 5;

interface Cached<T> {
	readonly at: number;
	readonly value: T;
}

/** What a worker keeps of a cluster between looks. Nothing depends on it but the number of requests. */
export class ClusterCache {
	metadata = new Map<string, Cached<NodeMetadata>>();
	allMetadataAt: number | null = null;
	poolSizes: ReadonlyMap<string, number> | null = null;
	clusterUid: string | null = null;
	owner: Cached<OwnerSeen> | null = null;
	aks: Cached<AksFacts> | null = null;
	daemonSets: Cached<readonly DaemonSetRef[]> | null = null;
}

export interface ObserveInput {
	readonly target: ClusterTarget;
	readonly us: string;
	readonly at: Instant;
	readonly records: readonly Reboot[];
	readonly memory: readonly NodeMemory[];
	/** Their nodes are read whether or not they wait: only they themselves tell which boot they run. */
	readonly requests: readonly ControlRequest[];
	/** Null: they are wrong; candidates are not read. */
	readonly settings: Settings | null;
	/** Which nodes would have to be read next, by what was seen so far. */
	readonly nextToRead: (view: View) => readonly string[];
}

/** Failures that another try may not meet; the others are the API's word, and stay until a person mends them. */
function passes(error: CallError): boolean {
	return !isRefusal(error) && error.failure !== "conflict";
}

export class Observer {
	readonly #api: ClusterApi;
	readonly #clusters: Clusters;
	readonly #clock: Clock;
	readonly #cache: ClusterCache;
	#unsure: string | null = null;

	constructor(ports: { api: ClusterApi; clusters: Clusters; clock: Clock; cache: ClusterCache }) {
		this.#api = ports.api;
		this.#clusters = ports.clusters;
		this.#clock = ports.clock;
		this.#cache = ports.cache;
	}

	/** What could not be read for a reason that may pass, in the look so far: what is missing then says nothing of the cluster. */
	get unsure(): string | null {
		return this.#unsure;
	}

	async #reading<T>(work: Promise<T>): Promise<Reading<T>> {
		try {
			return known(await work);
		} catch (error) {
			if (!(error instanceof CallError)) throw error;
			if (passes(error)) this.#unsure ??= error.message;
			return unknown(error.message);
		}
	}

	async look(input: ObserveInput): Promise<View> {
		// One after the other: side by side each would need a connection of its own, and most clusters are asked nothing else for a minute.
		// First what the look cannot do without.
		const cordoned = await this.#api.listCordoned();
		const listed = await this.#reading(this.#api.listWaiting());
		const waiting: View["waiting"] = listed.known ? known(listed.value.sentinels) : listed;
		const rebootPods = listed.known ? listed.value.rebootPods : [];
		const sentinel = await this.#reading(this.#api.sentinelDaemonSet());
		const marked = cordoned.filter((node) => node.mark.kind !== "none");
		const waits = waiting.known && waiting.value.length > 0;
		const left = leftBehind({ rebootPods, cordoned }, input.records).length > 0;
		const work = input.records.length > 0 || input.requests.length > 0 || marked.length > 0 || waits || left;
		const owner = await this.#owner(work);
		const view: View = {
			at: input.at,
			clusterUid: work ? await this.#clusterUid() : unknown("it was not needed"),
			owner,
			aks: input.records.length > 0 || marked.length > 0 ? await this.#aks(input.target) : null,
			sentinel,
			waiting,
			rebootPods,
			metadata: new Map(),
			poolSizes: unknown("they were not needed"),
			cordoned,
			nodes: new Map(),
			pods: new Map(),
			daemonSets: unknown("they were not needed"),
			preflights: new Map(),
		};
		if (!work) return view;
		const inFlight = await this.#readInFlight(view, input);
		const requested = await this.#readRequested(inFlight, input.requests);
		const described = { ...requested, ...(await this.#describe(requested, input)) };
		const { settings, target } = input;
		const stated = settings !== null && scopesWithoutPool(settings, target.name, described.poolSizes).length > 0;
		return this.#readCandidates(stated ? await this.#stated(described, input) : described, input);
	}

	/** The owner Lease is read when there is something to do, and otherwise now and then, so that a stranger's cluster is told of. */
	async #owner(work: boolean): Promise<Reading<OwnerSeen>> {
		const cached = this.#cache.owner;
		if (!work && cached !== null && this.#clock.now() - cached.at < ownerMs) return known(cached.value);
		const owner = await this.#reading(this.#api.owner());
		if (owner.known) this.#cache.owner = { at: this.#clock.now(), value: owner.value };
		return owner;
	}

	async #clusterUid(): Promise<Reading<string>> {
		if (this.#cache.clusterUid !== null) return known(this.#cache.clusterUid);
		const uid = await this.#reading(this.#api.clusterUid());
		if (uid.known) this.#cache.clusterUid = uid.value;
		return uid;
	}

	async #stated(view: View, { target }: ObserveInput): Promise<View> {
		return view.aks === null ? { ...view, aks: await this.#aks(target) } : view;
	}

	async #aks(target: ClusterTarget): Promise<Reading<AksFacts>> {
		const cached = this.#cache.aks;
		if (cached !== null && this.#clock.now() - cached.at < aksMs) return known(cached.value);
		const aks = await this.#reading(this.#clusters.aks(target));
		if (aks.known) this.#cache.aks = { at: this.#clock.now(), value: aks.value };
		return aks;
	}

	async #daemonSets(): Promise<Reading<readonly DaemonSetRef[]>> {
		const cached = this.#cache.daemonSets;
		if (cached !== null && this.#clock.now() - cached.at < daemonSetsMs) return known(cached.value);
		const list = await this.#reading(this.#api.listDaemonSets());
		if (list.known) this.#cache.daemonSets = { at: this.#clock.now(), value: list.value };
		return list;
	}

	/** Nodes with a record or a mark, each with its pods: the node first, so that a pod that came after the cordon is seen. */
	async #readInFlight(view: View, input: ObserveInput): Promise<View> {
		const nodes = new Map(view.nodes);
		const pods = new Map(view.pods);
		const wanted = new Map<string, Reboot | null>(toAdopt(view, input.records, input.us).map((node) => [node.name, null]));
		for (const record of input.records) wanted.set(record.node.name, record);
		await sideBySide([...wanted], readsAtOnce, async ([name, record]) => {
			nodes.set(name, await this.#reading(this.#api.node(name)));
			// What is adopted takes today's policy, and drains in this very look.
			const selector = record === null ? input.settings?.drainPodSelector : record.policy.drainPodSelector;
			if (record?.phase !== "soaking") pods.set(name, await this.#reading(this.#api.podsOn(name, selector ?? null)));
		});
		const needed = input.records.some(
			(each) => each.phase === "draining" || each.phase === "cordoning" || each.phase === "rejoining" || each.phase === "rebooting",
		);
		const daemonSets = needed || wanted.size > input.records.length ? await this.#daemonSets() : view.daemonSets;
		return { ...view, nodes, pods, daemonSets };
	}

	async #readRequested(view: View, requests: readonly ControlRequest[]): Promise<View> {
		const nodes = new Map(view.nodes);
		const names = requests.map((each) => each.node).filter((name) => !nodes.has(name));
		await sideBySide(names, readsAtOnce, async (name) => {
			const node = await this.#reading(this.#api.node(name));
			nodes.set(name, node);
			if (node.known && node.value !== "absent") this.#cache.metadata.set(name, { at: this.#clock.now(), value: node.value });
		});
		return { ...view, nodes };
	}

	/** Pool and hold of those that wait: by metadata, at most every 10 minutes. */
	async #describe(view: View, input: ObserveInput): Promise<Pick<View, "metadata" | "poolSizes" | "nodes">> {
		const cache = this.#cache;
		const now = this.#clock.now();
		const waiting: readonly SentinelPod[] = view.waiting.known ? view.waiting.value : [];
		const fresh = (name: string) => {
			const cached = cache.metadata.get(name);
			if (cached === undefined) return false;
			// A hold that was taken away should not take ten minutes to be seen.
			return now - cached.at < (cached.value.hold === null ? metadataMs : minuteMs);
		};
		const missing = [...new Set(waiting.map((pod) => pod.node))].filter((name) => !fresh(name));
		const sizesNeeded = input.settings !== null && waiting.length > 0 && poolScopes(input.settings, input.target.name).length > 0;
		const listAge = cache.allMetadataAt === null ? Number.POSITIVE_INFINITY : now - cache.allMetadataAt;
		const most = readOneByOne(view.sentinel);
		let why = "they were not needed";
		if ((sizesNeeded && listAge >= metadataMs) || (missing.length > most && listAge >= minuteMs)) {
			const all = await this.#reading(this.#api.listNodeMetadata());
			if (all.known) this.#keepAll(all.value, now);
			else why = all.why;
		}
		const one = missing.filter((name) => !fresh(name)).slice(0, most);
		const nodes = new Map(view.nodes);
		await sideBySide(one, readsAtOnce, async (name) => {
			const node = await this.#reading(this.#api.node(name));
			if (node.known && node.value !== "absent") cache.metadata.set(name, { at: now, value: node.value });
			if (node.known && node.value === "absent") cache.metadata.delete(name);
			// Why its pool is not known is a reason that a person can act on.
			if (!node.known && !nodes.has(name)) nodes.set(name, node);
		});
		const metadata = new Map([...cache.metadata].map(([name, cached]) => [name, cached.value]));
		return { metadata, nodes, poolSizes: cache.poolSizes === null ? unknown(why) : known(cache.poolSizes) };
	}

	#keepAll(all: readonly NodeMetadata[], now: number): void {
		const sizes = new Map<string, number>();
		for (const node of all) if (!node.virtual) sizes.set(node.pool, (sizes.get(node.pool) ?? 0) + 1);
		this.#cache.metadata = new Map(all.map((node) => [node.name, { at: now, value: node }]));
		this.#cache.poolSizes = sizes;
		this.#cache.allMetadataAt = now;
	}

	/** Those next in line are read afresh and tried by dry run; behind those that are not fit, the line is read on. */
	async #readCandidates(start: View, input: ObserveInput): Promise<View> {
		if (input.nextToRead(start).length === 0) return start;
		let view = await this.#stated(start, input);
		for (let i = 0; i < candidateRounds; i++) {
			const names = input.nextToRead(view).filter((name) => !view.nodes.has(name) || !view.preflights.has(name));
			if (names.length === 0) return view;
			if (i === 0) view = await this.#readProbation(view, input);
			const nodes = new Map(view.nodes);
			const preflights = new Map(view.preflights);
			await sideBySide(names, readsAtOnce, async (name) => {
				const node = nodes.get(name) ?? (await this.#reading(this.#api.node(name)));
				nodes.set(name, node);
				if (node.known && node.value !== "absent") preflights.set(name, await this.#preflight(node.value, view, input));
			});
			view = { ...view, nodes, preflights };
		}
		return view;
	}

	async #readProbation(view: View, { memory, records }: ObserveInput): Promise<View> {
		const wanted = probationToRead(memory, view);
		// One that soaks may end in this very look, and is on probation then.
		const soaking = records.filter(({ phase }) => phase === "soaking").map(({ node }) => node.name);
		const nodes = new Map(view.nodes);
		const pods = new Map(view.pods);
		await sideBySide([...new Set([...wanted.nodes, ...soaking])], readsAtOnce, async (name) => {
			if (!nodes.has(name)) nodes.set(name, await this.#reading(this.#api.node(name)));
			if (wanted.pods && !pods.has(name)) pods.set(name, await this.#reading(this.#api.podsOn(name, null)));
		});
		return { ...view, nodes, pods };
	}

	async #preflight(node: NodeFacts, view: View, input: ObserveInput): Promise<Preflight> {
		if (!view.sentinel.known || view.sentinel.value === "absent")
			return { rebootPod: { kind: "unknown", why: "the sentinel DaemonSet was not read" }, blocked: [] };
		return {
			rebootPod: await this.#tryRebootPod(node, view.at, view.sentinel.value),
			blocked: await this.#tryEvictions(await this.#stillToLeave(node, input), view.at),
		};
	}

	/** Pods whose budgets ended the last drain, but for those that DRAIN_POD_SELECTOR leaves out by now. */
	async #stillToLeave(node: NodeFacts, { memory, settings }: ObserveInput): Promise<readonly Obstacle[]> {
		const pods = podsToTry(memory, node);
		const selector = settings?.drainPodSelector ?? null;
		if (pods.length === 0 || selector === null) return pods;
		const found = await this.#reading(this.#api.podsOn(node.name, selector));
		return found.known ? pods.filter(({ uid }) => found.value.some((pod) => pod.uid === uid && pod.selected)) : pods;
	}

	async #tryRebootPod(node: NodeFacts, at: Instant, sentinel: SentinelDaemonSet): Promise<Preflight["rebootPod"]> {
		const { image, imagePullPolicy, imagePullSecrets } = sentinel;
		const spec = { node: node.name, bootId: node.bootId, ask: 1, notBefore: at, notAfter: at + minuteMs, image, imagePullPolicy, imagePullSecrets };
		try {
			await this.#api.createRebootPod(spec, { dryRun: true });
			return { kind: "accepted" };
		} catch (error) {
			if (!(error instanceof CallError)) throw error;
			if (passes(error)) this.#unsure ??= error.message;
			return { kind: isRefusal(error) ? "refused" : "unknown", why: error.message };
		}
	}

	/** Pods that ended the last drain, and would do so again. Not known counts as blocked. */
	async #tryEvictions(pods: readonly Obstacle[], at: Instant): Promise<readonly Obstacle[]> {
		const tried = await sideBySide(pods, readsAtOnce, async (pod): Promise<Obstacle | null> => {
			try {
				const answer = await this.#api.evict(pod, { gracePeriodSeconds: null, dryRun: true });
				if (answer.kind === "evicted" || answer.kind === "gone" || answer.kind === "namespaceEnding") return null;
				return { ...pod, kind: answer.kind === "blocked" ? "budget" : "twoBudgets", budgets: answer.budgets, message: answer.message, retryAt: at };
			} catch (error) {
				if (!(error instanceof CallError)) throw error;
				if (passes(error)) this.#unsure ??= error.message;
				return { ...pod, ...(passes(error) ? { kind: "unknown" } : { kind: "refused", budgets: [] }), message: error.message, retryAt: at };
			}
		});
		return tried.filter((each) => each !== null);
	}
}

/** As many as a list of all would take requests: what a look asks for grows with the nodes that wait, and not with the others. */
function readOneByOne(sentinel: View["sentinel"]): number {
	const nodes = sentinel.known && sentinel.value !== "absent" ? sentinel.value.desired : 0;
	return Math.max(fewNodes, Math.ceil(nodes / pageSize));
}

/** States of an operation that is over: the cluster is not being changed (any more), however the operation went. */
const overStates: readonly string[] = ["Succeeded", "Failed", "Canceled"];

/** Why a cluster that cannot be looked at is no failure of ours: it is stopped, gone, or being changed. */
export async function excuse(clusters: Clusters, target: ClusterTarget): Promise<{ readonly why: string; readonly gone: boolean } | null> {
	try {
		const aks = await clusters.aks(target);
		if (aks.kind === "notManaged") return null;
		if (aks.kind === "absent") return { why: `it does not exist in Azure (any more): ${targetId(target)}`, gone: true };
		if (aks.powerState !== "Running") return { why: `it is ${aks.powerState} in Azure`, gone: false };
		return overStates.includes(aks.provisioningState) ? null : { why: `it is ${aks.provisioningState} in Azure`, gone: false };
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		return null;
	}
}

/** Sentinels that do not report, by the DaemonSet's own count, without those on nodes whose reboot we asked for: they go down with them. */
export function silentSentinels({ sentinel, cordoned, pods }: View): number {
	if (!sentinel.known || sentinel.value === "absent") return 0;
	const away = cordoned.filter((node) => {
		const own = pods.get(node.name);
		const reports = own?.known !== true || own.value.some((pod) => pod.sentinel?.ready === true);
		return node.mark.kind === "mark" && node.mark.mark.askedAt !== undefined && !(node.ready && reports);
	});
	return Math.max(0, sentinel.value.desired - sentinel.value.ready - away.length);
}
