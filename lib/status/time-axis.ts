// The phases of a reboot in flight on a time axis, drawn here: the page needs no script for it.
import { explainDuration } from "../plan/explain.ts";
import type { Instant, Phase } from "../plan/model.ts";
import { type InFlightSummary, phaseDurations } from "../tick/summary.ts";
import { html, type Markup, nothing } from "./markup.ts";
import { clock } from "./words.ts";

export interface Segment {
	readonly phase: Phase;
	readonly from: Instant;
	readonly tookMs: number;
}

/** Rows of an earlier release have no timeline, or not the phase that they are in. */
export function segmentsOf({ timeline, phase, since }: Pick<InFlightSummary, "timeline" | "phase" | "since">, now: Instant): readonly Segment[] {
	const whole = timeline.at(-1)?.phase === phase ? timeline : [...timeline, { phase, at: since }];
	return phaseDurations(whole, now).map((each, index) => ({ ...each, from: whole[index]?.at ?? since }));
}

function percent(share: number): string {
	return `${(Math.min(1, Math.max(0, share)) * 100).toFixed(2)}%`;
}

/** Of the text alternative and of the list below the axis alike. */
export function segmentText({ phase, tookMs }: Pick<Segment, "phase" | "tookMs">): string {
	return `${phase} ${explainDuration(tookMs)}`;
}

/** Only where there is room for it, on a narrow screen too. */
function name(phase: Phase, share: number): Markup {
	if (share < 0.1) return nothing;
	return html`<text${share < 0.3 ? html` class="n"` : nothing} x="6" y="15">${phase}</text>`;
}

export function timeAxis(inFlight: InFlightSummary, now: Instant): Markup {
	const segments = segmentsOf(inFlight, now);
	const { deadline } = inFlight;
	const begin = segments[0]?.from ?? now;
	const end = Math.max(now, deadline ?? now);
	const lengthMs = Math.max(1, end - begin);
	const at = (instant: Instant) => percent((instant - begin) / lengthMs);
	const due = deadline === null ? "no deadline" : `deadline ${clock(deadline, now)} UTC`;
	const label = `Phases of ${inFlight.node} since ${clock(begin, now)} UTC: ${segments.map(segmentText).join(", ")}; ${due}`;
	const bars = segments.map(
		({ phase, from, tookMs }) =>
			html`<svg x="${at(from)}" width="${percent(tookMs / lengthMs)}" height="22"><rect class="p-${phase}" width="100%" height="22"/>${name(phase, tookMs / lengthMs)}</svg>`,
	);
	const past = deadline !== null && deadline < now;
	const left =
		deadline === null || past ? nothing : html`<rect class="left" x="${at(now)}" y="3" width="${percent((deadline - now) / lengthMs)}" height="16"/>`;
	const mark = deadline === null ? nothing : html`<line class="deadline" x1="${at(deadline)}" x2="${at(deadline)}" y1="0" y2="26"/>`;
	return html`<svg class="axis" role="img" aria-label="${label}" width="100%" height="42">${left}${bars}${mark}<line class="now" x1="${at(now)}" x2="${at(now)}" y1="0" y2="26"/><text class="tick" y="39">${clock(begin, now)}</text>${ticks(inFlight, now, begin, lengthMs)}</svg>`;
}

/** Now and the deadline below the axis, where they do not stand in each other's way. */
function ticks({ deadline }: InFlightSummary, now: Instant, begin: Instant, lengthMs: number): Markup {
	const place = (now - begin) / lengthMs;
	const last = (text: string) => html`<text class="tick" x="100%" y="39" text-anchor="end">${text}</text>`;
	if (deadline === null || deadline <= now) return last("now");
	const between = place > 0.2 && place < 0.75 ? html`<text class="tick" x="${percent(place)}" y="39" text-anchor="middle">now</text>` : nothing;
	return html`${between}${last(`deadline ${clock(deadline, now)}`)}`;
}
