// docs/security.md and the manifests of infra/cluster say the same, and the reboot pod's policy knows the pod that the scheduler makes.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { rebootCommand, rebootPod } from "../../lib/kubernetes/reboot-pod.ts";
import { shippedImage, shippedManifests } from "../lab/manifests.ts";
import { attempts, thiefTable } from "../real/thief-attempts.ts";

const root = resolve(import.meta.dirname, "../..");
const text = readFileSync(join(root, "docs/security.md"), "utf8");

interface Policy {
	readonly kind: string;
	readonly metadata: { readonly name: string };
	readonly spec: { readonly variables?: readonly { readonly name: string; readonly expression: string }[] };
}

interface Role {
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly namespace?: string };
	readonly rules: readonly { readonly resources: string[]; readonly verbs: string[]; readonly resourceNames?: string[] }[];
}

const objects = globSync("infra/cluster/**/*.yaml", { cwd: root }).flatMap((file) =>
	parseAllDocuments(readFileSync(join(root, file), "utf8")).map((each) => each.toJS() as unknown),
);
const policies = (objects as Policy[]).filter(({ kind }) => kind === "ValidatingAdmissionPolicy");

function section(title: string): string {
	const found = text.split(/^## /m).find((each) => each.startsWith(`${title}\n`));
	assert.ok(found !== undefined, `a section called ${title}`);
	return found;
}

/** The first cells of a section's rows, as they are. */
function rowsOf(title: string): readonly (readonly string[])[] {
	const lines = section(title)
		.split("\n")
		.filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
	return lines.slice(1).map((line) => line.slice(2, -2).split(" | "));
}

test("the thief's table is the one that is tried", () => {
	const [, table] = /<!-- thief: begin -->\n([\s\S]*)<!-- thief: end -->/.exec(text) ?? [];
	assert.equal(table, thiefTable());
	for (const thief of ["scheduler", "sentinel"]) assert.ok(attempts.filter((each) => each.thief === thief).length > 30, thief);
});

test("every right of the scheduler's roles has its row, and there is no other row", () => {
	const roles = (objects as Role[]).filter(({ kind, metadata }) => (kind === "ClusterRole" || kind === "Role") && metadata.name !== "sentinel");
	const shipped = roles.flatMap(({ metadata, rules }) =>
		rules.flatMap(({ resources, verbs, resourceNames }) =>
			verbs.flatMap((verb) =>
				resources.map((resource) => {
					const where = metadata.namespace === undefined ? "cluster" : `\`${metadata.namespace}\``;
					const component = metadata.name === "aks-reboot-scheduler-delete-pods" ? ", component `delete-pods`" : "";
					return `${where}${component}: \`${verb} ${resource}\`${resourceNames === undefined ? "" : ` (\`${resourceNames.join("`, `")}\`)`}`;
				}),
			),
		),
	);
	const listed = rowsOf("The scheduler's rights").map(([where, right]) => `${where}: ${right}`);
	assert.deepEqual(listed.toSorted(), shipped.sort());
});

test("every admission policy has its row, and there is no other row", () => {
	const listed = rowsOf("The policies").map(([name = ""]) => /^`([^`]+)`/.exec(name)?.[1]);
	assert.deepEqual(listed.sort(), policies.map(({ metadata }) => metadata.name.replace("aks-reboot-scheduler-", "")).sort());
});

test("the reboot pod's policy has the very command that the scheduler sends", () => {
	const policy = policies.find(({ metadata }) => metadata.name === "aks-reboot-scheduler-reboot-pods");
	const command = policy?.spec.variables?.find(({ name }) => name === "command")?.expression;
	assert.equal(command, `["/bin/sh", "-c", r"""${rebootCommand}"""]`);
});

/** Every field of the security contexts, and the fields of a pod's spec that decide what it can reach. */
function sensitive(spec: object): readonly string[] {
	const { securityContext = {}, containers = [] } = spec as { securityContext?: object; containers?: readonly { securityContext?: object }[] };
	const reach = ["hostPID", "automountServiceAccountToken"].filter((each) => each in spec);
	return [...Object.keys(securityContext), ...containers.flatMap((each) => Object.keys(each.securityContext ?? {})), ...reach];
}

test("each line of both pods' security contexts has its reason", () => {
	const ask = { node: "n", bootId: "b", ask: 1, notBefore: 0, notAfter: 0, image: shippedImage, imagePullPolicy: "IfNotPresent", imagePullSecrets: [] };
	const daemonSet = shippedManifests("us").find(({ kind }) => kind === "DaemonSet") as unknown as { spec: { template: { spec: object } } };
	const pods = [
		["The sentinel's pod, line by line", daemonSet.spec.template.spec],
		["The reboot pod, line by line", rebootPod(ask).spec ?? {}],
	] as const;
	for (const [title, spec] of pods) {
		const lines = rowsOf(title).map(([line]) => line ?? "");
		const fields = sensitive(spec);
		assert.ok(fields.length > 5, title);
		for (const field of fields)
			assert.ok(
				lines.some((line) => line.includes(field)),
				`${title}: ${field}`,
			);
	}
});
