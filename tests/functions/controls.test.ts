// The controls over HTTP: who may ask, how, and what the answers say.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { controlForm, pageAddress, toldParameter, typedOf } from "../../lib/status/control-form.ts";
import { answerControls, type Perform } from "../../lib/status/controls.ts";
import type { Answer } from "../../lib/status/exchange.ts";
import { CallError } from "../../lib/tick/call-error.ts";
import type { Written } from "../../lib/tick/control.ts";
import { type Order, type Refusal, refused } from "../../lib/tick/order.ts";

const host = "app.azurewebsites.net";
const json = { "content-type": "application/json" };
const form = { "content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin" };
const hold = { command: "hold", cluster: "prod", reason: "freeze" };

interface Request {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly query?: string;
	readonly body?: string;
}

function written(order: Order): Written {
	const command = { kind: "hold", place: { kind: "cluster" }, reason: order.reason, by: order.by, until: null } as const;
	return { kind: "written", cluster: order.cluster, command, told: "the cluster is on hold", notes: [] };
}

/** The answer, and the orders that were to be carried out. */
async function ask(
	request: Request,
	perform: (order: Order) => Written | Refusal = written,
): Promise<{ readonly answer: Answer; readonly orders: readonly Order[] }> {
	const orders: Order[] = [];
	const headers: Readonly<Record<string, string>> = { host, ...request.headers };
	const keep: Perform = async (order) => {
		orders.push(order);
		return perform(order);
	};
	const asked = {
		method: request.method ?? "POST",
		query: new URLSearchParams(request.query),
		header: (name: string) => headers[name] ?? null,
		body: request.body ?? "",
	};
	return { answer: await answerControls(asked, keep, "the function key"), orders };
}

function askJson(fields: unknown, headers: Readonly<Record<string, string>> = {}, perform?: (order: Order) => Written | Refusal) {
	return ask({ headers: { ...json, ...headers }, body: JSON.stringify(fields) }, perform);
}

function askForm(fields: Record<string, string>, headers: Readonly<Record<string, string>> = form, query = "code=k%2B%2F%3D") {
	return ask({ headers, query, body: new URLSearchParams(fields).toString() });
}

function problemsOf({ answer }: { readonly answer: Answer }): readonly string[] {
	return (JSON.parse(answer.body) as { problems: string[] }).problems;
}

describe("a program", () => {
	test("is told what was written, and when it takes effect", async () => {
		const { answer, orders } = await askJson({ ...hold, by: "ana", until: "2h", node: "node-1" });
		assert.equal(answer.status, 202);
		assert.deepEqual(orders, [
			{ kind: "hold", cluster: "prod", about: { kind: "node", name: "node-1" }, reason: "freeze", by: "ana", until: "2h", ignoreWindow: false },
		]);
		const body = JSON.parse(answer.body) as Record<string, unknown>;
		assert.deepEqual(body.written, { command: "hold", cluster: "prod", pool: null, node: null, reason: "freeze", by: "ana", until: null });
		assert.match(String(body.takesEffect), /next look/);
	});

	test("that misspells a field is told so: a hold without the end that was meant for it would stay for ever", async () => {
		const result = await askJson({ command: "freeze", cluster: 1, node: "a", pool: "b", untill: "2h", ignoreWindow: "yes" });
		assert.equal(result.answer.status, 400);
		assert.deepEqual(
			problemsOf(result).map((each) => each.split(":")[0]),
			['"untill"', "command", "cluster", "pool, node", "reason", "ignoreWindow"],
		);
		assert.deepEqual(result.orders, []);
	});

	test("hears of a wrong end together with all else that is wrong", async () => {
		const result = await askJson({ command: "freeze", cluster: "prod", node: "n".repeat(300), reason: "\u202e", until: "soon", by: "ana" });
		assert.deepEqual(
			problemsOf(result).map((each) => each.split(":")[0]),
			["command", "reason", "node", "until"],
		);
	});

	test("learns from the status why it was refused", async () => {
		for (const [refusal, status] of [
			["wrong", 400],
			["unknownName", 404],
			["conflict", 409],
			["unavailable", 503],
		] as const) {
			const result = await askJson(hold, {}, () => refused(refusal, "because"));
			assert.deepEqual([result.answer.status, problemsOf(result)], [status, ["because"]]);
		}
	});

	test("is told whether it may have been written when the table fails", async () => {
		for (const [mayHaveApplied, said] of [
			[true, /^it may have been written: writing: no answer/],
			[false, /^it was not written/],
		] as const) {
			const result = await askJson(hold, {}, () => {
				throw new CallError({ failure: "timedOut", doing: "writing", answer: "no answer", mayHaveApplied });
			});
			assert.equal(result.answer.status, 503);
			assert.match(problemsOf(result)[0] ?? "", said);
		}
	});

	test("that sends no JSON object, too much, or something else is refused without a quote from it", async () => {
		for (const body of ["", "secret", "[]", "null", '"secret"', "{secret"]) {
			const { answer, orders } = await ask({ headers: json, body });
			assert.deepEqual([answer.status, orders.length, answer.body.includes("secret")], [400, 0, false], body);
		}
		assert.equal((await ask({ headers: json, body: " ".repeat(20_000) })).answer.status, 413);
		for (const type of ["text/plain", "multipart/form-data; boundary=x", ""])
			assert.equal((await ask({ headers: { "content-type": type }, body: JSON.stringify(hold) })).answer.status, 415);
		assert.equal((await ask({ headers: { "content-type": "Application/JSON; charset=utf-8" }, body: JSON.stringify(hold) })).answer.status, 202);
	});

	test("changes nothing by GET or HEAD, whatever it asks for", async () => {
		for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"]) {
			const { answer, orders } = await ask({ method, headers: form, query: new URLSearchParams(hold).toString(), body: JSON.stringify(hold) });
			assert.deepEqual([answer.status, answer.headers.allow, orders.length], [405, "POST", 0]);
		}
	});
});

describe("another site's page in the browser of somebody who may", () => {
	const type = { "content-type": form["content-type"] };
	const foreign: readonly Readonly<Record<string, string>>[] = [
		{ ...type, "sec-fetch-site": "cross-site" },
		{ ...type, "sec-fetch-site": "same-site" },
		{ ...type, "sec-fetch-site": "none" },
		{ ...type, "sec-fetch-site": "cross-site", origin: `https://${host}` },
		{ ...type, origin: "https://evil.example" },
		{ ...type, origin: `https://${host}.evil.example` },
		{ ...type, origin: "null" },
		{ ...type },
		{ ...json, "sec-fetch-site": "cross-site" },
		{ ...json, origin: "https://evil.example" },
	];
	for (const headers of foreign)
		test(`does nothing, though the address holds the key: ${JSON.stringify(headers)}`, async () => {
			const { answer, orders } = await ask({
				headers,
				query: "code=key",
				body: headers["content-type"] === type["content-type"] ? new URLSearchParams(hold).toString() : JSON.stringify(hold),
			});
			assert.deepEqual([answer.status, orders.length], [403, 0]);
		});

	test("is not our own: a browser that says so is heard, an old one by its Origin, and a program that says nothing with JSON", async () => {
		for (const headers of [form, { ...type, origin: `https://${host.toUpperCase()}` }]) assert.equal((await askForm(hold, headers)).answer.status, 303);
		for (const headers of [{}, { "sec-fetch-site": "same-origin" }, { "sec-fetch-site": "none" }])
			assert.equal((await askJson(hold, headers)).answer.status, 202);
	});
});

describe("the page's form", () => {
	test("leads back to the page with the key that opened it, and a message", async () => {
		const { answer } = await askForm({ ...hold, until: "", node: "", by: "" });
		const location = new URL(answer.headers.location ?? "", "https://app/api/controls");
		assert.equal(location.pathname, "/api/status");
		assert.deepEqual([answer.status, location.searchParams.get("code")], [303, "k+/="]);
		assert.match(location.searchParams.get(toldParameter) ?? "", /^the cluster is on hold/);
		assert.doesNotMatch((await askForm(hold, form, "")).answer.headers.location ?? "", /code/);
	});

	test("tells a refusal the same way, and stays within what an address may hold", async () => {
		const { answer, orders } = await askForm({ command: "hold", cluster: "prod", ["x".repeat(3_000)]: "y\r\nx: y" });
		assert.equal(orders.length, 0);
		const { location = "" } = answer.headers;
		assert.ok(location.length < 4_000 && !/[\r\n]/.test(location));
		assert.match(new URL(location, "https://app/").searchParams.get(toldParameter) ?? "", /^Nothing was changed/);
	});

	test("still holds what was typed after a refusal, as long as an address may be, and is empty after a hold", async () => {
		const fields = { ...hold, until: "soon", name: "n1", by: "ana", ignoreWindow: "true" };
		const body = new URLSearchParams(fields).toString();
		const refusing = (order: Order) => refused("wrong", `until: ${order.until}`);
		const locationOf = ({ answer }: { readonly answer: Answer }) => new URL(answer.headers.location ?? "", "https://app/api/controls");
		const { searchParams } = locationOf(await ask({ headers: form, query: "code=k&cluster=prod", body }, refusing));
		assert.deepEqual([searchParams.get("code"), searchParams.get("cluster")], ["k", "prod"], "it is the page that was left");
		const { command: _, ...typed } = fields;
		assert.deepEqual({ ...typedOf(searchParams) }, typed);
		const { text } = controlForm("prod", {}, typedOf(searchParams));
		for (const shown of ["<details[^>]* open>", 'value="freeze"', 'value="soon"', 'value="n1"', 'value="ana"', "checked"])
			assert.match(text, new RegExp(shown));
		const long = new URLSearchParams({ ...fields, reason: "ю".repeat(500), name: "ю".repeat(250), by: "ю".repeat(200) }).toString();
		assert.ok(locationOf(await ask({ headers: form, body: long }, refusing)).search.length < 8_000);
		assert.equal(typedOf(locationOf(await ask({ headers: form, body })).searchParams), null);
	});

	test("leaves out what the pressed button has no use for", async () => {
		const { orders } = await askForm({ ...hold, command: "release", until: "2h", ignoreWindow: "true" });
		assert.deepEqual([orders[0]?.until, orders[0]?.ignoreWindow], [null, false]);
		assert.equal((await askForm({ ...hold, command: "reboot", node: "a", ignoreWindow: "true" })).orders[0]?.ignoreWindow, true);
	});

	test("asks in the name of whom App Service authenticated, whatever the form says; else of whom it says, else of the key", async () => {
		const by = async (fields: Record<string, string>, headers: Record<string, string> = {}) =>
			(await askForm({ ...hold, ...fields }, { ...form, ...headers })).orders[0]?.by;
		assert.equal(await by({ by: "eve" }, { "x-ms-client-principal-name": "ana@contoso.example" }), "ana@contoso.example");
		assert.equal(await by({ by: "bo" }), "bo");
		assert.equal(await by({}), "the function key");
	});

	const attack = `"><script>alert('x')</script>&`;
	test("names what it is about inertly, and carries the key in its action alone", () => {
		const typed = { cluster: attack, name: attack, reason: attack, until: attack, by: attack, ignoreWindow: attack };
		const { text } = controlForm(attack, pageAddress(`${attack}the-key`, attack), typed);
		assert.doesNotMatch(text, /<script/);
		assert.equal(text.split("the-key").length, 2);
		assert.doesNotMatch(controlForm("a", pageAddress(null, null), null).text, /code/);
	});

	test("has a label for every field, asks for a reason, and holds where somebody just presses Enter", () => {
		const { text } = controlForm("prod", {}, null);
		const fields = [...text.matchAll(/<input (?!type="hidden")/g)];
		assert.equal([...text.matchAll(/<label>[^<]*<input |<label><input /g)].length, fields.length);
		assert.match(text, /name="reason" required/);
		assert.match(text.slice(text.indexOf("<button")), /^<button name="command" value="hold">/);
	});
});
