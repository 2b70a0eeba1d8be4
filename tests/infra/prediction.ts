// What a snapshot says: the resources that a deployment makes, and the values that only Azure knows, in a form that can be compared.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ParameterSet } from "./compiler.ts";

export interface Resource {
	readonly id: string;
	readonly type: string;
	readonly name: string;
	readonly apiVersion: string;
	readonly location?: string;
	readonly tags?: Readonly<Record<string, string>>;
	readonly properties?: Readonly<Record<string, unknown>>;
	readonly [field: string]: unknown;
}

export interface Prediction {
	readonly predictedResources: readonly Resource[];
	readonly diagnostics: readonly unknown[];
	readonly outputs: Readonly<Record<string, unknown>>;
}

export function readPrediction(file: string): Prediction {
	return JSON.parse(readFileSync(file, "utf8")) as Prediction;
}

export function predictionOf(name: ParameterSet): Prediction {
	return readPrediction(join(import.meta.dirname, "snapshots", `${name}.snapshot.json`));
}

export function ofType(prediction: Prediction, type: string): readonly Resource[] {
	return prediction.predictedResources.filter((each) => each.type === type);
}

export function theOne(prediction: Prediction, type: string): Resource {
	const [resource, ...others] = ofType(prediction, type);
	if (resource === undefined || others.length > 0) throw new Error(`expected one ${type}, there are ${others.length + (resource === undefined ? 0 : 1)}`);
	return resource;
}

/** Left as expressions by the compiler. In the public cloud: */
const environment: Readonly<Record<string, string>> = {
	"environment().suffixes.storage": "core.windows.net",
	"environment().resourceManager": "https://management.azure.com/",
	"environment().authentication.loginEndpoint": "https://login.microsoftonline.com/",
};

/** The value of a text of a snapshot; what a resource says of itself at run time is `<NAME.property>`. Throws where it does not know an expression. */
export function evaluated(text: string): string {
	if (!text.startsWith("[")) return text;
	let expression = text.slice(1, -1);
	for (const [name, value] of Object.entries(environment)) expression = expression.replaceAll(name, `'${value}'`);
	expression = expression.replaceAll(/reference\('[^']*\/([^'/]+)', '[^']+'\)\.(\w+)/g, (_, name: string, property: string) => `'<${name}.${property}>'`);
	const plain = /^'([^']*)'$/.exec(expression)?.[1];
	if (plain !== undefined) return plain;
	const [, form, rest] = /^format\('([^']*)'((?:, '[^']*')*)\)$/.exec(expression) ?? [];
	if (form === undefined) throw new Error(`no such expression is known here: ${text}`);
	const parts = [...(rest ?? "").matchAll(/, '([^']*)'/g)].map(([, part]) => part ?? "");
	return form.replaceAll(/\{(\d+)\}/g, (_, index: string) => parts[Number(index)] ?? "");
}

interface Site {
	readonly siteConfig: { readonly appSettings: readonly { readonly name: string; readonly value: string }[] };
}

/** The environment that the app finds: by Azure's account of the settings, a name that is there twice would be an error. */
export function appSettingsOf(prediction: Prediction): Readonly<Record<string, string>> {
	const { siteConfig } = theOne(prediction, "Microsoft.Web/sites").properties as unknown as Site;
	const names = siteConfig.appSettings.map(({ name }) => name);
	if (new Set(names).size < names.length) throw new Error(`an app setting is there twice: ${names.join(" ")}`);
	return Object.fromEntries(siteConfig.appSettings.map(({ name, value }) => [name, evaluated(value)]));
}

export interface Assignment {
	/** Resource id in lower case: ids are compared without regard to case. */
	readonly scope: string;
	/** Of the role. */
	readonly roleId: string;
	readonly principal: string;
}

export function assignmentsOf(prediction: Prediction): readonly Assignment[] {
	return ofType(prediction, "Microsoft.Authorization/roleAssignments").map(({ id, properties }) => {
		const { roleDefinitionId, principalId } = properties as { roleDefinitionId: string; principalId: string };
		const scope = id.slice(0, id.lastIndexOf("/providers/Microsoft.Authorization/"));
		return { scope: scope.toLowerCase(), roleId: roleDefinitionId.split("/").at(-1) ?? "", principal: evaluated(principalId) };
	});
}
