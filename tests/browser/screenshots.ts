// Pictures of what the tests see, to be looked at: in the machine's folder for temporary files, replaced by every run.
// Those of docs/images are draining-wide.png and stuck-dark.png.
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";

const folder = join(tmpdir(), "aks-reboot-scheduler-pages");

/** `whole`: beyond what is in sight. Resolves with the file. */
export async function shoot(page: Page, name: string, whole = false): Promise<string> {
	mkdirSync(folder, { recursive: true });
	const path = join(folder, `${name}.png`);
	await page.screenshot({ path, fullPage: whole });
	return path;
}
