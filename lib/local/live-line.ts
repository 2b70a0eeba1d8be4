// The line at the bottom of a terminal: the whole fleet in numbers, now.
import { explainDuration, explainInstant } from "../plan/explain.ts";
import { type Instant, type Phase, phases } from "../plan/model.ts";
import { type Settings, windowsFor } from "../plan/policy.ts";
import { windowState } from "../plan/windows.ts";
import type { ClusterSummary } from "../tick/summary.ts";
import { harmless, type Paint, type Screen } from "./screen.ts";
import { standingOf } from "./settled.ts";

export interface Opening {
	readonly at: Instant;
	/** `cluster` or `cluster/pool`. */
	readonly scope: string;
}

export interface Now {
	/** What was seen last of every cluster, by name. */
	readonly clusters: ReadonlyMap<string, ClusterSummary>;
	readonly rebooted: number;
	/** The next opening that somebody waits for. */
	readonly nextWindow: Opening | null;
	readonly at: Instant;
}

interface Part {
	readonly text: string;
	readonly urgent: boolean;
}

const separator = " · ";
/** From the fullest to the shortest. */
const fullness = ["nodes", "clusters", "phases"] as const;
type Fullness = (typeof fullness)[number];

/** In one line of so many columns: as full as fits; what still does not fit is left away from its end. */
export function liveLine(now: Now, columns: number, paint: Paint): string {
	const most = columns - 1;
	const width = (parts: readonly Part[]) => parts.reduce((sum, { text }) => sum + text.length + separator.length, -separator.length);
	const forms = fullness.map((each) => partsOf(now, each));
	const parts = [...(forms.find((each) => width(each) <= most) ?? forms.at(-1) ?? [])];
	const cut = width(parts) > most;
	while (parts.length > 0 && width(parts) > most - (cut ? separator.length + 1 : 0)) parts.pop();
	const shown = parts.map(({ text, urgent }) => (urgent ? paint(["bold", "red"], text) : text));
	return [...shown, ...(cut ? ["…"] : [])].join(paint("dim", separator));
}

function partsOf({ clusters, rebooted, nextWindow, at }: Now, fullness: Fullness): readonly Part[] {
	const all = [...clusters.values()];
	const { waiting, held, stuck } = standingOf(all);
	const failing = all.filter((each) => each.failure !== null).length;
	return [
		{ text: `waiting ${waiting}`, urgent: false },
		{ text: inFlightOf(clusters, at, fullness), urgent: false },
		{ text: `rebooted ${rebooted}`, urgent: false },
		{ text: `stuck ${stuck}`, urgent: stuck > 0 },
		{ text: `held ${held}`, urgent: false },
		...(failing > 0 ? [{ text: failing === 1 ? "1 cluster not seen" : `${failing} clusters not seen`, urgent: true }] : []),
		...(nextWindow === null ? [] : [{ text: `next window ${harmless(nextWindow.scope)} ${inWords(nextWindow.at, at)}`, urgent: false }]),
	];
}

function inWords(opensAt: Instant, at: Instant): string {
	const leftMs = opensAt - at;
	return leftMs < 60 * 60_000 ? `in ${explainDuration(leftMs)}` : explainInstant(opensAt);
}

function inFlightOf(clusters: ReadonlyMap<string, ClusterSummary>, at: Instant, fullness: Fullness): string {
	const reboots = [...clusters].flatMap(([cluster, { inFlight }]) => inFlight.filter(({ stuck }) => !stuck).map((each) => ({ cluster, ...each })));
	if (reboots.length === 0) return "in flight 0";
	const counted = (phase: Phase) => reboots.filter((each) => each.phase === phase).length;
	const told =
		fullness === "phases"
			? phases.filter(counted).map((phase) => `${phase} ${counted(phase)}`)
			: reboots.map(({ cluster, node, phase, since }) => {
					const name = harmless(fullness === "nodes" ? `${cluster}/${node}` : cluster);
					return `${name} ${phase} ${explainDuration(at - since)}`;
				});
	return `in flight ${reboots.length}: ${told.join(", ")}`;
}

/** The next opening that a node waits for. */
export function nextWindow(settings: Settings | null, clusters: ReadonlyMap<string, ClusterSummary>, at: Instant): Opening | null {
	if (settings === null) return null;
	const scopes = new Map<string, Opening>();
	for (const [cluster, { waiting }] of clusters) {
		for (const { pool, reasons } of waiting) {
			const scope = `${cluster}/${pool ?? "default"}`;
			if (scopes.has(scope) || !reasons.includes("windowClosed")) continue;
			const state = windowState(windowsFor(settings, cluster, pool ?? "default") ?? [], at);
			if (!state.open && state.opensAt !== null) scopes.set(scope, { at: state.opensAt, scope });
		}
	}
	return [...scopes.values()].sort((one, other) => one.at - other.at)[0] ?? null;
}

const redrawMs = 1_000;

/** Redraws the line every second until it is stopped; then it is gone. */
export function keepLive(screen: Screen, paint: Paint, now: () => Now): () => void {
	if (!screen.isTerminal) return () => {};
	const draw = () => screen.live(liveLine(now(), screen.columns ?? 80, paint));
	const timer = setInterval(draw, redrawMs);
	draw();
	return () => {
		clearInterval(timer);
		screen.live("");
	};
}
