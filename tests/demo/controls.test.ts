// What people ask of the running demonstration: a hold from the page while a node drains, a release, a reboot from another terminal.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Diagnosis } from "../../lib/doctor/findings.ts";
import { type LocalRun, Place } from "../local/local-run.ts";
import { until } from "../waiting.ts";
import { type Line, Told } from "./told.ts";
import { WatchedFleet } from "./watched-fleet.ts";

const ask = resolve(import.meta.dirname, "../../lib/local/ask.ts");
const doctor = resolve(import.meta.dirname, "../../lib/local/doctor.ts");
const secondsMs = 30_000;
/** The first in line of its cluster: a budget blocks its drain for half a minute. */
const blocked = "prod-north/aks-web-17320508-vmss000000";
const shop = "prod-west/aks-shop-31415926-vmss000000";
/** Its sentinel asks for nothing. */
const content = "dev/aks-system-16180339-vmss000001";

/** The fields and the address of a form as it stands on the page. */
interface Form {
	readonly action: string;
	readonly hidden: Readonly<Record<string, string>>;
	readonly names: readonly string[];
	readonly commands: readonly string[];
}

function attribute(tag: string, name: string): string {
	return new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
}

function formOf(page: string, cluster: string): Form {
	const forms = page.match(/<form method="post"[\s\S]*?<\/form>/g) ?? [];
	const form = forms.find((each) => each.includes(`name="cluster" value="${cluster}"`) && each.includes('name="name"')) ?? assert.fail(`no form of ${cluster}`);
	const inputs = form.match(/<input [^>]*>/g) ?? [];
	const hidden = inputs.filter((each) => attribute(each, "type") === "hidden").map((each) => [attribute(each, "name"), attribute(each, "value")]);
	const commands = (form.match(/<button [^>]*>/g) ?? []).map((each) => attribute(each, "value"));
	return { action: attribute(form, "action"), hidden: Object.fromEntries(hidden), names: inputs.map((each) => attribute(each, "name")), commands };
}

describe("people who ask something of the running demonstration", { timeout: 600_000 }, () => {
	const place = new Place();
	let run: LocalRun;
	let told: Told;
	let fleet: WatchedFleet;

	before(async () => {
		// A drain that somebody can come to hold while it goes on.
		run = place.start(["--fast", "--json", "--port", "0"], { BEFORE_REBOOT: "25s" });
		told = new Told(run);
		fleet = await WatchedFleet.of(place);
	});
	after(async () => {
		await fleet?.stop();
		await place.leave();
	});

	/** `key`: a cluster, or a node of one. */
	const lines = (event: string, key: string, more: Partial<Line> = {}) => {
		const [cluster = "", node] = key.split("/");
		return told.lines({ event, cluster, ...(node === undefined ? {} : { node }), ...more });
	};

	async function says(event: string, key: string, more: Partial<Line> = {}, times = 1): Promise<void> {
		await until(`it tells ${event} of ${key} ${JSON.stringify(more)} ${times} times`, () => {
			assert.ok(run.running, run.output);
			return lines(event, key, more).length >= times;
		});
	}

	const pageUrl = () => place.note?.url ?? assert.fail("the run has noted where its pages are");

	/** As a browser sends the form when a button of it is pressed; answers what the page says then. */
	async function presses(command: string, cluster: string, reason: string): Promise<string> {
		const page = await (await fetch(pageUrl())).text();
		const { action, hidden, names, commands } = formOf(page, cluster);
		assert.ok(commands.includes(command) && names.includes("reason"));
		const body = new URLSearchParams({ ...hidden, name: "", reason, until: "", by: "ana", command });
		const { origin } = new URL(pageUrl());
		const headers = { origin, "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate" };
		const answer = await fetch(new URL(action, pageUrl()), { method: "POST", redirect: "manual", headers, body });
		assert.equal(answer.status, 303);
		const back = await fetch(new URL(answer.headers.get("location") ?? "", pageUrl()));
		assert.equal(back.status, 200);
		return await back.text();
	}

	async function broughtBack(key: string): Promise<number> {
		const askedAt = performance.now();
		await fleet.until(`${key} is in service`, () => fleet.inService(key));
		return performance.now() - askedAt;
	}

	it("the page's own form, filled in while a node drains: it is in service again within seconds, and nothing else begins there", async (context) => {
		await says("reboot.moved", blocked, { to: "draining" });
		const page = await presses("hold", "prod-north", "incident 7");
		assert.match(page, /The controls answered: “the cluster is on hold until it is released/);
		const tookMs = await broughtBack(blocked);
		context.diagnostic(`brought back after ${Math.round(tookMs)} ms`);
		assert.ok(tookMs < secondsMs, `${tookMs} ms`);
		await says("reboot.ended", blocked, { end: "cancelled" });
		await says("tick.ended", "prod-north", {}, lines("tick.ended", "prod-north").length + 2);
		assert.equal(lines("reboot.admitted", "prod-north").length, 1);
		assert.deepEqual(
			fleet.marked().filter((key) => key.startsWith("prod-north/")),
			[],
		);
	});

	it("JSON, while another drains: the same", async (context) => {
		await says("reboot.moved", shop, { to: "draining" });
		const order = { command: "hold", cluster: "prod-west", pool: "shop", reason: "sale", by: "bo", until: "1h" };
		const headers = { "content-type": "application/json" };
		const answer = await fetch(new URL("controls", pageUrl()), { method: "POST", headers, body: JSON.stringify(order) });
		assert.equal(answer.status, 202, await answer.text());
		const tookMs = await broughtBack(shop);
		context.diagnostic(`brought back after ${Math.round(tookMs)} ms`);
		assert.ok(tookMs < secondsMs, `${tookMs} ms`);
		await says("reboot.ended", shop, { end: "cancelled" });
	});

	it("released on the page it goes on, and the node is rebooted", async () => {
		const page = await presses("release", "prod-north", "over");
		assert.match(page, /The controls answered: “released: the hold of the cluster by ana \(incident 7\)/);
		await says("reboot.ended", blocked, { end: "done" });
		assert.equal(fleet.reboots()[blocked], 1);
	});

	it("a reboot asked for in another terminal of this folder: the node that nobody's sentinel speaks for is rebooted, once", async () => {
		const { exitCode, output } = await inTerminal(ask, "reboot", content, "--reason", "leaks memory", "--by", "cy");
		assert.equal(exitCode, 0, output);
		assert.match(output, /^dev: node aks-system-16180339-vmss000001 is to be rebooted/);
		await says("request.over", content);
		await fleet.until(`${content} is in service`, () => fleet.inService(content));
		assert.equal(fleet.reboots()[content], 1);
		assert.equal(lines("reboot.admitted", content).length, 1);
	});

	it("the doctor in that terminal: all of every cluster is good, once no node is down", async () => {
		let said = "";
		const isGood = async () => {
			const { exitCode, output } = await inTerminal(doctor, "--json");
			said = output;
			return exitCode === 0;
		};
		await until("all is good", isGood, { said: () => said });
		assert.match(said, /all 6 of them; the 5 about this identity refuse what they have to/);
		assert.equal((JSON.parse(said) as Diagnosis).clusters.length, 3);
	});

	it("and what is still on hold was not rebooted, and never two nodes of a cluster were away", () => {
		assert.equal(fleet.reboots()[shop], undefined);
		assert.equal(fleet.mostDown(), 1);
	});

	/** As `npm run` does it. */
	function inTerminal(program: string, ...args: readonly string[]): Promise<{ readonly exitCode: number; readonly output: string }> {
		const { PATH = "", HOME = "" } = process.env;
		return new Promise((settle) => {
			const child = execFile(process.execPath, [program, ...args], { cwd: place.folder, env: { PATH, HOME } }, (_error, stdout, stderr) => {
				settle({ exitCode: child.exitCode ?? -1, output: `${stdout}${stderr}` });
			});
		});
	}
});
