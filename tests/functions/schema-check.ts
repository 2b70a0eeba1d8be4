// As much of JSON Schema as docs/status.schema.json uses (https://json-schema.org/draft/2020-12). A keyword that is not known here fails.

export interface Schema {
	readonly $ref?: string;
	readonly $defs?: Readonly<Record<string, Schema>>;
	readonly type?: string | readonly string[];
	readonly const?: unknown;
	readonly enum?: readonly unknown[];
	readonly minimum?: number;
	readonly format?: string;
	readonly required?: readonly string[];
	readonly properties?: Readonly<Record<string, Schema>>;
	readonly items?: Schema;
	readonly oneOf?: readonly Schema[];
}

const known: readonly string[] = ["$ref", "$defs", "$schema", "title", "description", "type", "const", "enum", "minimum", "format"];
const structural: readonly string[] = ["required", "properties", "items", "oneOf"];

function typeOf(value: unknown): string {
	if (value === null) return "null";
	if (Array.isArray(value)) return "array";
	return Number.isInteger(value) ? "integer" : typeof value;
}

function hasType(value: unknown, type: string): boolean {
	return typeOf(value) === type || (type === "number" && typeof value === "number");
}

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/;

/** Everything that is wrong, each with its place. A field that the schema does not tell of is wrong as well: it is not documented. */
export function schemaProblems(value: unknown, schema: Schema, root: Schema, place = "$"): readonly string[] {
	const unknown = Object.keys(schema).find((keyword) => !known.includes(keyword) && !structural.includes(keyword));
	if (unknown !== undefined) throw new Error(`${place}: keyword ${unknown} is not checked here`);
	if (schema.$ref !== undefined) {
		const found = root.$defs?.[schema.$ref.replace("#/$defs/", "")];
		return found === undefined ? [`${place}: ${schema.$ref} is not there`] : schemaProblems(value, found, root, place);
	}
	if (schema.oneOf !== undefined) {
		const tried = schema.oneOf.map((each) => schemaProblems(value, each, root, place));
		return tried.filter((each) => each.length === 0).length === 1 ? [] : [`${place}: is not one of them: ${tried.map((each) => each[0]).join(" / ")}`];
	}
	const problems: string[] = [];
	const types = schema.type === undefined ? [] : [schema.type].flat();
	if (types.length > 0 && !types.some((type) => hasType(value, type))) problems.push(`${place}: ${typeOf(value)}, expected ${types.join(" or ")}`);
	if ("const" in schema && value !== schema.const) problems.push(`${place}: ${JSON.stringify(value)}, expected ${JSON.stringify(schema.const)}`);
	if (schema.enum !== undefined && !schema.enum.includes(value)) problems.push(`${place}: ${JSON.stringify(value)} is none of ${schema.enum.join()}`);
	if (schema.minimum !== undefined && typeof value === "number" && value < schema.minimum) problems.push(`${place}: ${value} is below ${schema.minimum}`);
	if (schema.format === "date-time" && typeof value === "string" && !dateTime.test(value)) problems.push(`${place}: ${value} is no date-time`);
	if (Array.isArray(value)) return [...problems, ...value.flatMap((each, i) => schemaProblems(each, schema.items ?? {}, root, `${place}[${i}]`))];
	if (typeof value !== "object" || value === null) return problems;
	return [...problems, ...fieldProblems(value, schema, root, place)];
}

function fieldProblems(value: object, { required = [], properties = {} }: Schema, root: Schema, place: string): readonly string[] {
	const missing = required.filter((name) => !(name in value)).map((name) => `${place}.${name}: is missing`);
	const wrong = Object.entries(value).flatMap(([name, each]) => {
		const schema = properties[name];
		return schema === undefined ? [`${place}.${name}: is not in the schema`] : schemaProblems(each, schema, root, `${place}.${name}`);
	});
	return [...missing, ...wrong];
}
