// Instants and counts as the page says them.
import { monthNames } from "../plan/calendar.ts";
import { explainDuration } from "../plan/explain.ts";
import type { Instant } from "../plan/model.ts";
import { html, type Markup } from "./markup.ts";

/** `12:27` on the same day, else `28 Nov 02:00`, else with the year: UTC, to the minute. */
export function clock(at: Instant, now: Instant): string {
	const date = new Date(at);
	const today = new Date(now);
	const time = date.toISOString().slice(11, 16);
	if (at - (at % 86_400_000) === now - (now % 86_400_000)) return time;
	const day = `${date.getUTCDate()} ${monthNames[date.getUTCMonth()]}`;
	return date.getUTCFullYear() === today.getUTCFullYear() ? `${day} ${time}` : `${day} ${date.getUTCFullYear()} ${time}`;
}

export function time(at: Instant, text: string): Markup {
	return html`<time datetime="${new Date(at).toISOString().slice(0, 16)}Z">${text}</time>`;
}

/** `12:27 UTC` */
export function timeAt(at: Instant, now: Instant): Markup {
	return time(at, `${clock(at, now)} UTC`);
}

export function timeAgo(at: Instant, now: Instant): Markup {
	return time(at, `${explainDuration(now - at)} ago`);
}

export function counted(count: number, one: string, many: string): string {
	return `${count} ${count === 1 ? one : many}`;
}

/** The first few of a list, and how many more there are. */
export function few(names: readonly string[], most: number): string {
	return names.length <= most ? names.join(", ") : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
