// The browser of this machine, where there is one.
import { existsSync } from "node:fs";

const usualPlaces: readonly string[] = [
	"/usr/bin/chromium",
	"/usr/bin/chromium-browser",
	"/usr/bin/google-chrome",
	"/usr/bin/google-chrome-stable",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
	"/Applications/Chromium.app/Contents/MacOS/Chromium",
	"C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** `CHROMIUM`, else the first of the usual places; null: there is none. */
export function chromiumPath(): string | null {
	const named = process.env.CHROMIUM;
	return named !== undefined && named !== "" ? named : (usualPlaces.find((each) => existsSync(each)) ?? null);
}

export const noChromium = "no Chromium was found: install one, or name it by CHROMIUM";
