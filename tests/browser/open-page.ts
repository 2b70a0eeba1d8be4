// Pages in Chromium, with everything that goes wrong in them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { chromiumPath, noChromium } from "./chromium.ts";

export function launch(): Promise<Browser> {
	return chromium.launch({ executablePath: chromiumPath() ?? assert.fail(noChromium), args: ["--no-sandbox"] });
}

export interface OpenPage {
	readonly page: Page;
	/** Errors of scripts and of the console, refusals of the content security policy, dialogs. */
	readonly wrong: string[];
	close(): Promise<void>;
}

export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<OpenPage> {
	const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
	const page = await context.newPage();
	const wrong: string[] = [];
	page.on("pageerror", (error) => wrong.push(error.message));
	page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
	page.on("dialog", (dialog) => {
		wrong.push(`a dialog: ${dialog.message()}`);
		void dialog.dismiss();
	});
	await page.goto(url);
	return { page, wrong, close: () => context.close() };
}

/** Where a part is in what is in sight, in pixels from its top. Asked in one step: `boundingBox` finds the part first, and the page may have replaced it by then. */
export async function topOf(page: Page, selector: string): Promise<number> {
	return page.evaluate<number>(`document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().top`);
}

/** Holds that a part is where it was `before`. */
export async function assertStays(page: Page, selector: string, before: number): Promise<void> {
	const top = await topOf(page, selector);
	assert.ok(Math.abs(top - before) <= 1, `${selector} was in sight at ${before} and is at ${top}`);
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
	readonly id: string;
	readonly nodes: readonly { readonly html: string }[];
}

/** All that axe finds wrong, whatever its impact. */
export async function violations(page: Page): Promise<readonly string[]> {
	await page.evaluate(axeSource);
	const found = await page.evaluate<readonly Violation[]>("axe.run().then(({ violations }) => violations)");
	return found.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`);
}
