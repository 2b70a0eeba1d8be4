// Durations as the app settings and the windows write them: `30s`, `15m`, `1h30m`, `14d`.

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** What `parseDuration` reads, for messages. */
export const durationForm = "a duration such as 30s, 15m, 1h30m or 14d";

const pattern = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$/;

/** Milliseconds of elapsed time (a day is 24 hours); undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
	const found = pattern.exec(text);
	if (found === null || text === "") return undefined;
	const [days, hours, minutes, seconds] = found.slice(1).map((each) => Number(each ?? 0));
	return (days ?? 0) * dayMs + (hours ?? 0) * hourMs + (minutes ?? 0) * minuteMs + (seconds ?? 0) * secondMs;
}

/** The shortest text that `parseDuration` reads back to the same whole seconds. */
export function formatDuration(durationMs: number): string {
	let seconds = Math.floor(Math.max(0, durationMs) / secondMs);
	let text = "";
	for (const [unit, unitSeconds] of [
		["d", 86_400],
		["h", 3_600],
		["m", 60],
		["s", 1],
	] as const) {
		const count = Math.floor(seconds / unitSeconds);
		if (count > 0) text += `${count}${unit}`;
		seconds -= count * unitSeconds;
	}
	return text === "" ? "0s" : text;
}
