// The page in a real browser: what nobody sees in its text.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import {
	drainingCluster,
	finishedCluster,
	heldCluster,
	hostileCluster,
	idleCluster,
	minutesAgo,
	now,
	rowOf,
	stuckCluster,
	unreachableCluster,
	waitingCluster,
	waitingNode,
} from "../functions/fleet-rows.ts";
import { until } from "../waiting.ts";
import { assertStays, launch, type OpenPage, openPage as openPageAt, topOf, violations } from "./open-page.ts";
import { readOf, type ShownFleet, showFleet } from "./shown-fleet.ts";

const everyState = () => [
	stuckCluster("prod-central"),
	unreachableCluster("prod-far"),
	drainingCluster("prod-west"),
	waitingCluster("prod-south"),
	heldCluster("prod-held"),
	finishedCluster("prod-east"),
	...Array.from({ length: 5 }, (_, i) => idleCluster(`dev-${i}`)),
];

let browser: Browser;
let shown: ShownFleet;

before(async () => {
	browser = await launch();
	shown = await showFleet(readOf(everyState()));
});
after(async () => {
	await browser?.close();
	await shown?.close();
});

function openPage(options: BrowserContextOptions = {}): Promise<OpenPage> {
	return openPageAt(browser, shown.url, options);
}

/** The page asks anew, as when somebody comes back to it; by itself it does so every few seconds. */
async function letItAsk(page: Page): Promise<void> {
	await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
}

async function textOf(page: Page, selector: string): Promise<string> {
	return ((await page.locator(selector).textContent()) ?? "").replace(/\s+/g, " ");
}

describe("the page in Chromium", () => {
	for (const [name, options] of [
		["in the light", {}],
		["in the dark", { colorScheme: "dark" }],
		["on a phone", { viewport: { width: 360, height: 740 } }],
	] as const)
		it(`has nothing that axe finds wrong, ${name}, with all of it open, and is no wider than the screen`, async () => {
			shown.fleet = readOf(everyState(), { unreadable: ["odd"] });
			const { page, wrong, close } = await openPage(options);
			await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true");
			assert.deepEqual(await violations(page), []);
			assert.equal(await page.evaluate("document.documentElement.scrollWidth > innerWidth"), false);
			assert.deepEqual(wrong, []);
			await close();
		});

	it("is whole without scripts: all is told, what is folded can be opened, and no filter is offered that would not work", async () => {
		shown.fleet = readOf(everyState());
		const { page, close } = await openPage({ javaScriptEnabled: false });
		assert.match(await textOf(page, "#cluster-prod-west"), /prod-west-1 pool work draining since 11:57 UTC/);
		assert.equal(await page.locator("#filter").isVisible(), false);
		const held = page.locator("#cluster-prod-held");
		await held.locator("summary").first().click();
		await held.getByText("Hold of pool work: the quarter is being closed").waitFor();
		await close();
	});

	it("shows what has changed without being loaded anew, and keeps what is open, what has the focus and what is in sight", async () => {
		const many = Array.from({ length: 60 }, (_, i) => waitingCluster(`many-${String(i).padStart(2, "0")}`));
		shown.fleet = readOf(many);
		const { page, wrong, close } = await openPage();
		await page.evaluate("window.sameDocument = true");
		const summary = "#cluster-many-40 > summary";
		await page.locator(summary).click();
		await page.locator("#cluster-many-42 > summary").focus();
		const before = await topOf(page, summary);
		shown.fleet = readOf([stuckCluster("anew"), drainingCluster("more"), ...many]);
		await page.locator("#cluster-anew").waitFor();
		assert.equal(await page.evaluate("window.sameDocument"), true);
		assert.equal(await page.locator("#cluster-many-40").getAttribute("open"), "");
		assert.equal(await page.evaluate("document.activeElement.parentElement.id"), "cluster-many-42");
		await assertStays(page, summary, before);
		assert.match(await page.title(), /^1 stuck, /);
		assert.deepEqual(wrong, []);
		await close();
	});

	it("keeps what is in sight where it is when what ended leaves the page too short to be scrolled so far", async () => {
		const few = Array.from({ length: 30 }, (_, i) => waitingCluster(`few-${String(i).padStart(2, "0")}`));
		shown.fleet = readOf([stuckCluster("ends"), ...few]);
		const { page, close } = await openPage();
		await page.evaluate("scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' })");
		const last = "#cluster-few-25 > summary";
		const before = await topOf(page, last);
		// All below it goes, and what is above becomes shorter.
		shown.fleet = readOf(few.slice(0, 26));
		await letItAsk(page);
		await page.locator("#cluster-few-29").waitFor({ state: "detached" });
		await assertStays(page, last, before);
		// Nobody scrolls into nothing for good.
		await page.evaluate("scrollTo({ top: 0, behavior: 'instant' })");
		await letItAsk(page);
		await until("the page is as long as what it tells", async () => (await page.evaluate("document.documentElement.style.minHeight")) === "");
		await close();
	});

	it("keeps what is in sight where it is through change after change: fractions of pixels do not add up", async () => {
		const many = Array.from({ length: 40 }, (_, i) => waitingCluster(`many-${String(i).padStart(2, "0")}`));
		shown.fleet = readOf(many);
		const { page, close } = await openPage();
		const focused = "#cluster-many-30";
		await page.locator(`${focused} > summary`).focus();
		await page.evaluate("document.querySelector('#cluster-many-30').scrollIntoView({ behavior: 'instant' })");
		const before = await topOf(page, focused);
		const anew = Array.from({ length: 12 }, (_, i) => stuckCluster(`anew-${i}`));
		for (const [i, { target }] of anew.entries()) {
			shown.fleet = readOf([...anew.slice(0, i + 1), ...many]);
			await letItAsk(page);
			await page.locator(`#cluster-${target.name}`).waitFor();
		}
		await assertStays(page, focused, before);
		await close();
	});

	it("opens by itself what needs attention now, though it was folded before", async () => {
		const quiet = Array.from({ length: 12 }, (_, i) => idleCluster(`quiet-${i}`));
		shown.fleet = readOf([idleCluster("prod"), ...quiet]);
		const { page, close } = await openPage();
		shown.fleet = readOf([stuckCluster("prod"), ...quiet]);
		await letItAsk(page);
		await page.locator("#cluster-prod[open]").waitFor();
		await close();
	});

	it("says that the table does not answer, keeps what was seen last, and goes on by itself", async () => {
		shown.fleet = readOf(everyState());
		const { page, close } = await openPage();
		shown.fleet = { kind: "unreadable", why: "reading partition fleet of table reboots: answered 503" };
		await letItAsk(page);
		await page.locator("#live.alarm").waitFor();
		assert.match(await textOf(page, "#live"), /No answer since .*, and what is shown is older: .*answered 503/);
		assert.match(await textOf(page, "main"), /prod-west-1/);
		shown.fleet = readOf([finishedCluster("prod-west")]);
		await letItAsk(page);
		await page.locator("#live:not(.alarm)").waitFor();
		assert.doesNotMatch(await textOf(page, "main"), /draining since/);
		await close();
	});

	it("says that the app does not answer", async () => {
		shown.fleet = readOf(everyState());
		const { page, close } = await openPage();
		shown.dead = true;
		try {
			await letItAsk(page);
			await page.locator("#live.alarm").waitFor();
			assert.match(await textOf(page, "#live"), /the app could not be reached/);
			assert.deepEqual(await violations(page), []);
		} finally {
			shown.dead = false;
		}
		await close();
	});

	it("keeps controls open that somebody has opened and not yet begun to fill in", async () => {
		shown.fleet = readOf([heldCluster("prod-held")]);
		const { page, close } = await openPage();
		await page.locator("details.controls > summary").first().click();
		shown.fleet = readOf([heldCluster("prod-held"), stuckCluster("anew")]);
		await letItAsk(page);
		await page.locator("#cluster-anew").waitFor();
		assert.equal(await page.locator("#cluster-prod-held details.controls").getAttribute("open"), "");
		assert.equal(await page.evaluate("document.activeElement.parentElement.id"), "controls-prod-held");
		await close();
	});

	it("takes nothing away from somebody who fills in a form", async () => {
		shown.fleet = readOf([heldCluster("prod-held")]);
		const { page, close } = await openPage();
		await page.locator("details.controls > summary").first().click();
		await page.getByLabel("Reason").first().fill("because of");
		await page.locator("h1").click();
		const asked = shown.asked();
		await letItAsk(page);
		await page.getByText("Paused while a form is being filled in").waitFor();
		assert.equal(await page.getByLabel("Reason").first().inputValue(), "because of");
		assert.equal(shown.asked(), asked);
		await close();
	});

	it("runs nothing that stands in a cluster, when it is loaded and when it is brought up to date", async () => {
		shown.fleet = readOf([hostileCluster("<img src=x onerror=alert(2)>")]);
		const { page, wrong, close } = await openPage();
		await letItAsk(page);
		await page.getByText("Live", { exact: true }).waitFor();
		assert.equal(await page.locator("main img, main script, main b img").count(), 0);
		assert.deepEqual(wrong, []);
		await close();
	});

	it("finds a node in a folded cluster, and shows all again", async () => {
		const node = waitingNode("aks-needle-vmss000007");
		shown.fleet = readOf([rowOf("haystack", { waiting: [node], waitingCount: 1 }), ...Array.from({ length: 20 }, (_, i) => waitingCluster(`other-${i}`))]);
		const { page, close } = await openPage();
		await page.getByLabel("Filter").fill("NEEDLE");
		assert.equal(await page.locator("details.cluster:visible").count(), 1);
		assert.equal(await page.getByText("aks-needle-vmss000007").isVisible(), true);
		assert.equal(await page.locator("#found").textContent(), "1 cluster");
		await page.getByLabel("Filter").fill("");
		assert.equal(await page.locator("details.cluster:visible").count(), 21);
		await close();
	});

	it("can be used by keyboard: the skip link is first, and a cluster is opened by Enter", async () => {
		shown.fleet = readOf(everyState());
		const { page, close } = await openPage();
		await page.keyboard.press("Tab");
		assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the fleet");
		assert.equal(await page.locator("#cluster-prod-south").getAttribute("open"), null);
		await page.locator("#cluster-prod-south > summary").focus();
		await page.keyboard.press("Enter");
		await page.locator("#cluster-prod-south[open]").waitFor();
		await close();
	});

	it("opens the cluster that its address names, also in a folded group", async () => {
		shown.fleet = readOf(everyState());
		const { page, close } = await openPage();
		await page.evaluate("location.hash = '#cluster-dev-3'");
		await page.locator("#cluster-dev-3[open]").waitFor({ state: "visible" });
		await close();
	});

	it("moves nothing for those who want no motion, and prints what was seen without what cannot be printed", async () => {
		shown.fleet = readOf(everyState());
		const { page, close } = await openPage({ reducedMotion: "reduce" });
		assert.equal(await page.evaluate("getComputedStyle(document.documentElement).scrollBehavior"), "auto");
		await page.emulateMedia({ media: "print" });
		assert.equal(await page.locator("#filter").isVisible(), false);
		assert.equal(await page.getByText("prod-west-1").first().isVisible(), true);
		await close();
	});

	it("announces that rounds have stopped once, and not anew at every refresh", async () => {
		shown.fleet = readOf(everyState(), { round: { endedAt: minutesAgo(12), worker: "w", clusters: 1, failed: 0, tookMs: 1 } });
		const { page, close } = await openPage();
		await page.evaluate("window.alertBefore = document.querySelector('[role=alert]')");
		await page.getByText("Rounds have stopped").waitFor();
		shown.fleet = { ...shown.fleet, at: now + 20_000 } as typeof shown.fleet;
		await letItAsk(page);
		await page.getByText("as of 12:00:20 UTC").waitFor();
		assert.equal(await page.evaluate("window.alertBefore === document.querySelector('[role=alert]')"), true);
		await close();
	});
});
