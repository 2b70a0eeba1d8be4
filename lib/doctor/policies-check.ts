// Whether the admission policies bind this identity. That they are there says nothing of it: a binding may have been forgotten, and each names
// an identity of its own. Bindings cannot be read with our rights, so each is asked for something that it has to refuse, by dry run.
import { CallError, isRefusal } from "../tick/call-error.ts";
import type { Subject } from "./cluster-checks.ts";
import { bad, good, notKnown, type Verdict } from "./findings.ts";
import type { ForbiddenAct } from "./ports.ts";
import { admissionPolicies, policyNamed } from "./rights.ts";

interface Attempt {
	readonly policy: string;
	/** What is let through where the policy does not bind. */
	readonly what: string;
	/** Undefined: there is nothing to try it on. */
	readonly send: (() => Promise<void>) | undefined;
}

type Tried =
	| { readonly kind: "refused" }
	| { readonly kind: "accepted"; readonly policy: string; readonly what: string }
	| { readonly kind: "notShown"; readonly policy: string; readonly why: string };

async function attempts({ api, probe, someNode }: Subject): Promise<readonly Attempt[]> {
	const [node, sentinelPod] = await Promise.all([someNode(), probe.someSentinelPod()]);
	const act = (kind: ForbiddenAct["kind"], name: string) => () => probe.tryForbidden({ kind, name });
	// A reboot pod, but in an image that is not the sentinel's; no ask has this number.
	const rebootPod = { bootId: node?.bootId ?? "", ask: 9_999, image: "not.the.sentinels/image", imagePullPolicy: "Never", imagePullSecrets: [] };
	const interval = { notBefore: 0, notAfter: 60_000 };
	const createRebootPod = (name: string) => () => api.createRebootPod({ ...rebootPod, ...interval, node: name }, { dryRun: true });
	return [
		{ policy: policyNamed("nodes"), what: `a label of node ${node?.name} could be changed`, send: node && act("labelNode", node.name) },
		{ policy: policyNamed("reboot-pods"), what: "a privileged pod could be created in another image", send: node && createRebootPod(node.name) },
		{
			policy: policyNamed("deletions"),
			what: "a sentinel pod could be deleted",
			send: sentinelPod === null ? undefined : act("deleteSentinelPod", sentinelPod),
		},
		{ policy: policyNamed("owner"), what: "a Lease of any name could be made", send: act("createLease", "doctor") },
		{ policy: policyNamed("events"), what: "an event could tell of anything, in anybody's name", send: act("createEventOfPod", "doctor") },
	];
}

/** Fails with CallError where the answer says nothing of the policy. */
async function tried({ policy, what, send }: Attempt): Promise<Tried> {
	if (send === undefined) return { kind: "notShown", policy, why: "there is nothing to try it on" };
	try {
		await send();
		return { kind: "accepted", policy, what };
	} catch (error) {
		if (!(error instanceof CallError)) throw error;
		if (!isRefusal(error)) throw error;
		const { message } = error;
		return message.includes(`ValidatingAdmissionPolicy '${policy}'`) ? { kind: "refused" } : { kind: "notShown", policy, why: message };
	}
}

export async function policies(subject: Subject): Promise<Verdict> {
	const { probe } = subject;
	const there = await Promise.all(admissionPolicies.map((each) => probe.hasAdmissionPolicy(each)));
	const absent = admissionPolicies.filter((_, index) => there[index] !== true);
	if (absent.length > 0) return bad(`missing: ${absent.join(", ")}`, applyAdvice);
	const all = `all ${admissionPolicies.length} of them`;
	if (subject.isAdmin) return good(`${all}; they bind another identity, and none binds this cluster admin`);
	const asked = await attempts(subject);
	const answers = await Promise.all(asked.map(tried));
	const accepted = answers.filter((each) => each.kind === "accepted");
	if (accepted.length > 0) {
		const who = (await probe.user()) ?? "this identity";
		const says = accepted.map(({ policy, what }) => `admission policy ${policy} does not bind ${who}: ${what} (dry run)`);
		return bad(says.join("; "), bindAdvice(who));
	}
	const notShown = answers.filter((each) => each.kind === "notShown");
	if (notShown.length > 0) return notKnown(`${all}; not shown to bind: ${notShown.map(({ policy, why }) => `${policy} (${why})`).join("; ")}`);
	return good(`${all}; the ${asked.length} about this identity refuse what they have to (dry runs)`);
}

export const applyAdvice = "kubectl apply -k infra/cluster (docs/deploy.md, Clusters)";

function bindAdvice(who: string): string {
	return `every policy has to name ${who} in its first condition and to have its binding, which denies: write ${who} into infra/cluster/scheduler-identity.yaml (an overlay has to patch the policies too: docs/sentinel.md), and ${applyAdvice}`;
}
