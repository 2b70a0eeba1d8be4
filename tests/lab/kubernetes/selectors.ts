// Label and field selectors, as queries and as objects hold them (k8s.io/apimachinery, pkg/labels and pkg/fields).
import type { LabelSelector, Labels, LabObject, PodObject, Requirement } from "./objects.ts";
import { badRequest } from "./statuses.ts";

/** All requirements hold. */
export function meetsAll(requirements: readonly Requirement[], labels: Labels = {}): boolean {
	return requirements.every((each) => meets(each, labels));
}

function meets({ key, operator, values = [] }: Requirement, labels: Labels): boolean {
	const value = labels[key];
	switch (operator) {
		case "In":
			return value !== undefined && values.includes(value);
		case "NotIn":
			return value === undefined || !values.includes(value);
		case "Exists":
			return value !== undefined;
		case "DoesNotExist":
			return value === undefined;
		case "Gt":
			return value !== undefined && Number(value) > Number(values[0]);
		case "Lt":
			return value !== undefined && Number(value) < Number(values[0]);
		default:
			return false;
	}
}

/** No selector matches nothing, an empty one everything (policy/v1). */
export function selects(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
	if (selector === undefined) return false;
	return meetsAll(requirementsOf(selector), labels);
}

function requirementsOf({ matchLabels = {}, matchExpressions = [] }: LabelSelector): readonly Requirement[] {
	return [...Object.entries(matchLabels).map(([key, value]) => ({ key, operator: "In", values: [value] })), ...matchExpressions];
}

const keyPattern = String.raw`(?:[A-Za-z0-9][-A-Za-z0-9.]*\/)?[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?`;
const valuePattern = String.raw`(?:[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?)?`;
const inSet = new RegExp(String.raw`^(${keyPattern})\s+(in|notin)\s*\(([^()]*)\)$`);
const equality = new RegExp(String.raw`^(${keyPattern})\s*(==|=|!=)\s*(${valuePattern})$`);
const existence = new RegExp(String.raw`^(!?)\s*(${keyPattern})$`);
const wholeValue = new RegExp(`^${valuePattern}$`);

/** `a=b,c!=d,e in (f,g),h,!i`. A selector that cannot be parsed is a 400 (tests/contract: an invalid drain selector fails). */
export function labelRequirements(text: string): readonly Requirement[] {
	if (text.trim() === "") return [];
	return splitOutsideParentheses(text).map((part) => requirementOf(part.trim(), text));
}

function splitOutsideParentheses(text: string): readonly string[] {
	return text.split(/,(?![^(]*\))/);
}

function requirementOf(part: string, whole: string): Requirement {
	const set = inSet.exec(part);
	const values = set?.[3]?.split(",").map((each) => each.trim());
	if (set?.[1] && values?.every((each) => wholeValue.test(each))) return { key: set[1], operator: set[2] === "in" ? "In" : "NotIn", values };
	const equal = equality.exec(part);
	if (equal?.[1]) return { key: equal[1], operator: equal[2] === "!=" ? "NotIn" : "In", values: [equal[3] ?? ""] };
	const exists = existence.exec(part);
	if (exists?.[2]) return { key: exists[2], operator: exists[1] === "!" ? "DoesNotExist" : "Exists" };
	throw badRequest(`unable to parse requirement: found '${part}' in "${whole}", expected: a label selector`);
}

export interface FieldRequirement {
	readonly field: string;
	readonly equal: boolean;
	readonly value: string;
}

/** The fields that a resource may be selected by, beside name and namespace. */
const selectable: Readonly<Record<string, Readonly<Record<string, (object: LabObject) => string>>>> = {
	pods: { "spec.nodeName": (pod) => (pod as PodObject).spec.nodeName ?? "", "status.phase": (pod) => (pod as PodObject).status.phase ?? "" },
	nodes: { "spec.unschedulable": (node) => String((node.spec as { unschedulable?: boolean } | undefined)?.unschedulable ?? false) },
};

export function fieldRequirements(plural: string, text: string): readonly FieldRequirement[] {
	if (text === "") return [];
	return text.split(",").map((part) => {
		const parsed = /^([^=!]+)(!=|==|=)(.*)$/.exec(part);
		if (parsed === null) throw badRequest(`invalid field selector: "${text}"; can't understand '${part}'`);
		const [, field = "", operator, value = ""] = parsed;
		if (!isMetadataField(field) && selectable[plural]?.[field] === undefined) throw badRequest(`field label not supported: ${field}`);
		return { field, equal: operator !== "!=", value };
	});
}

function isMetadataField(field: string): boolean {
	return field === "metadata.name" || field === "metadata.namespace";
}

export function meetsFields(plural: string, requirements: readonly FieldRequirement[], object: LabObject): boolean {
	return requirements.every(({ field, equal, value }) => (fieldOf(plural, field, object) === value) === equal);
}

function fieldOf(plural: string, field: string, object: LabObject): string {
	if (field === "metadata.name") return object.metadata.name;
	if (field === "metadata.namespace") return object.metadata.namespace ?? "";
	return selectable[plural]?.[field]?.(object) ?? "";
}
