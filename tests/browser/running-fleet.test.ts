// The page of the running demonstration in a real browser, from the drain of a node to the end of the scheduler.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { WatchedFleet } from "../demo/watched-fleet.ts";
import { troublesFile } from "../lab/troubles.ts";
import { type LocalRun, Place } from "../local/local-run.ts";
import { freePort } from "../ports.ts";
import type { Pod } from "../real/objects.ts";
import { until } from "../waiting.ts";
import { assertStays, launch, type OpenPage, openPage, topOf, violations } from "./open-page.ts";
import { shoot } from "./screenshots.ts";

/** Does not come back from its reboot. */
const lost = "aks-system-16180339-vmss000000";
/** Drains for as long as a budget keeps its pods. */
const drains = "aks-web-17320508-vmss000000";
/** Kept from its reboot by an annotation, so that it waits all the while. */
const kept = "aks-web-17320508-vmss000001";
const attack = `"><script>alert('x')</script><img src=x onerror=alert(1)>`;
const looks: readonly (readonly [string, BrowserContextOptions])[] = [
	["wide", { viewport: { width: 1100, height: 860 } }],
	["dark", { viewport: { width: 1100, height: 860 }, colorScheme: "dark" }],
	["phone", { viewport: { width: 375, height: 812 }, deviceScaleFactor: 2 }],
	["no-scripts", { javaScriptEnabled: false }],
];

describe("the page of the running demonstration", { timeout: 600_000 }, () => {
	const place = new Place();
	let browser: Browser;
	let fleet: WatchedFleet;
	let run: LocalRun;
	let port: number;
	/** Open all the while: what comes to it comes by its script. */
	let open: OpenPage;

	function start(): LocalRun {
		// A drain that goes on for as long as one looks at it, and a node that is soon said to be lost.
		return place.start(["--fast", "--json", "--port", String(port)], { DRAIN_TIMEOUT: "20m", REBOOT_TIMEOUT: "24s" });
	}

	before(async () => {
		[browser, port] = await Promise.all([launch(), freePort()]);
		run = start();
		fleet = await WatchedFleet.of(place);
		await fleet.admin("prod-north").patch("/apis/policy/v1/namespaces/checkout/poddisruptionbudgets/checkout", { spec: { minAvailable: 5 } });
		open = await openPage(browser, url());
	});
	after(async () => {
		await browser?.close();
		await fleet?.stop();
		await place.leave();
	});

	const url = () => `http://127.0.0.1:${port}/api/status`;
	const cluster = (name: string, page = open.page) => page.locator(`#cluster-${name}`);

	/** In every look anew: a picture, nothing that axe finds, and no wider than the screen. */
	async function isFine(context: TestContext, name: string, holds: (page: Page) => Promise<unknown>): Promise<void> {
		for (const [look, options] of looks) {
			const { page, wrong, close } = await openPage(browser, url(), options);
			await holds(page);
			context.diagnostic(await shoot(page, `${name}-${look}`, look === "phone" || look === "no-scripts"));
			if (options.javaScriptEnabled !== false) {
				assert.deepEqual(await violations(page), [], `${name}, ${look}`);
				assert.equal(await page.evaluate("document.documentElement.scrollWidth > innerWidth"), false, `${name}, ${look}: wider than the screen`);
			}
			assert.deepEqual(wrong, []);
			await close();
		}
	}

	it("tells of a node that drains: where it is, since when, what holds it up, and what comes next", async (context) => {
		await cluster("prod-north").locator(".flights .state", { hasText: "draining" }).waitFor();
		await cluster("dev").locator(".ended").waitFor();
		await open.page
			.locator(".figures")
			.getByText(/^3 clusters, took /)
			.waitFor();
		await isFine(context, "draining", async (page) => {
			const flight = cluster("prod-north", page).locator(".flights > li");
			assert.match((await flight.textContent()) ?? "", new RegExp(`^${drains} pool web draining since .* left, until .*kept by budget checkout: `, "s"));
			assert.equal(await flight.locator("svg").first().isVisible(), true);
			await cluster("dev", page).locator("> summary").click();
		});
	});

	it("comes to tell of a node that is lost, without being loaded anew: focus, folded clusters and what is in sight stay", async () => {
		const { page } = open;
		writeFileSync(troublesFile(join(place.folder, ".local/lab")), JSON.stringify({ nodes: { [`dev/${lost}`]: { comesBack: "never" } } }));
		// So low that the page reaches below it however little there is to tell: the end of a page cannot be scrolled up.
		await page.setViewportSize({ width: 1280, height: 300 });
		await page.evaluate("window.sameDocument = true");
		await cluster("prod-west").locator("> summary").click();
		await cluster("dev").locator("> summary").focus();
		await page.evaluate("document.querySelector('#cluster-dev').scrollIntoView({ behavior: 'instant' })");
		assert.doesNotMatch(await page.title(), /stuck/);
		const before = await topOf(page, "#cluster-dev");
		const order = { command: "reboot", cluster: "dev", node: lost, reason: "leaks memory" };
		const asked = await fetch(new URL("controls", url()), { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(order) });
		assert.equal(asked.status, 202);
		await until("the page tells of it", async () => (await page.title()).startsWith("1 stuck"));
		assert.equal(await page.evaluate("window.sameDocument"), true);
		assert.equal(await page.evaluate("document.activeElement.parentElement.id"), "cluster-dev");
		assert.equal(await cluster("prod-west").getAttribute("open"), null);
		await assertStays(page, "#cluster-dev", before);
		await page.setViewportSize({ width: 1280, height: 800 });
	});

	it("says loudly which node is stuck and that it needs a person", async (context) => {
		await isFine(context, "stuck", async (page) => {
			assert.match((await page.locator(".figures .bad").textContent()) ?? "", new RegExp(`Stuck.*1.*${lost}`, "s"));
			assert.match(
				(await cluster("dev", page).locator(".flights > li.stuck").textContent()) ?? "",
				/not Ready \d+ s after the reboot was asked for, and no new boot of it was seen/,
			);
		});
	});

	it("takes a hold by its own form, tells what the controls answered and who holds what, and runs nothing that the reason says", async (context) => {
		const { page, wrong } = open;
		await cluster("prod-north").getByText("Controls of cluster prod-north").click();
		const form = cluster("prod-north").locator("form");
		await form.getByLabel("Reason").fill(`freeze ${attack}`);
		await form.getByLabel("Your name").fill("<b>ana</b>");
		await form.getByLabel("Until").fill("soon");
		await form.getByRole("button", { name: "Hold" }).click();
		await page.getByText('The controls answered: “Nothing was changed. · until: "soon"').waitFor();
		assert.deepEqual([await form.getByLabel("Reason").inputValue(), await form.getByLabel("Your name").inputValue()], [`freeze ${attack}`, "<b>ana</b>"]);
		await form.getByLabel("Until").fill("");
		await form.getByRole("button", { name: "Hold" }).click();
		await page.getByText("The controls answered: “the cluster is on hold until it is released").waitFor();
		await cluster("prod-north").getByText(`Hold of the whole cluster: freeze ${attack}`).waitFor();
		assert.equal(await page.evaluate("location.search"), "", "the answer is told once, not at every reload");
		assert.equal(await page.locator("main script, main img, main b b").count(), 0);
		assert.deepEqual(wrong, []);
		await isFine(context, "hold", (each) => cluster("prod-north", each).getByText("Hold of the whole cluster").waitFor());
	});

	it("runs nothing that a sentinel reports or an annotation says, when it is loaded and when that comes to an open page", async () => {
		const { page, wrong } = open;
		const admin = fleet.admin("prod-north");
		const pods = await admin.list<Pod>("/api/v1/namespaces/aks-reboot-scheduler/pods");
		const sentinel = pods.find(({ spec, metadata }) => spec.nodeName === kept && metadata.labels?.app === "sentinel") ?? assert.fail();
		const report = JSON.parse(sentinel.metadata.annotations?.["aks-reboot-scheduler/report"] ?? "{}") as object;
		const hostile = JSON.stringify({ ...report, kernel: attack, packages: [attack, "libc6"] });
		await admin.patch(`/api/v1/namespaces/aks-reboot-scheduler/pods/${sentinel.metadata.name}`, {
			metadata: { annotations: { "aks-reboot-scheduler/report": hostile } },
		});
		await admin.patch(`/api/v1/nodes/${kept}`, { metadata: { annotations: { "aks-reboot-scheduler/hold": attack } } });
		await cluster("prod-north").getByText(`on hold by its annotation: ${attack}`).waitFor({ timeout: 120_000 });
		await cluster("prod-north").getByText(`kernel ${attack} · ${attack}, libc6`).waitFor();
		assert.equal(await page.locator("main script, main img").count(), 0);
		const fresh = await openPage(browser, url());
		await cluster("prod-north", fresh.page).getByText(`on hold by its annotation: ${attack}`).waitFor();
		assert.equal(await fresh.page.locator("main script, main img").count(), 0);
		assert.deepEqual([wrong, fresh.wrong], [[], []]);
		await fresh.close();
	});

	it("says loudly that nobody answers once the scheduler was killed, shows what it saw last, and goes on by itself when there is one again", async (context) => {
		const { page } = open;
		run.child.kill("SIGKILL");
		await run.ended();
		await page.locator("#live.alarm").waitFor();
		assert.match((await page.locator("#live").textContent()) ?? "", /^No answer since \S+ UTC, and what is shown is older: the app could not be reached$/);
		assert.equal(await page.getByText(lost).first().isVisible(), true);
		assert.deepEqual(await violations(page), []);
		context.diagnostic(await shoot(page, "nobody-answers"));
		run = start();
		await page.locator("#live:not(.alarm)").waitFor({ timeout: 120_000 });
		await until("a node is stuck still", async () => ((await page.locator(".figures .bad").textContent()) ?? "").includes(lost));
	});
});
