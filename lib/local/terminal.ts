// The journal in a terminal: as JSON lines, or as people read it: time, cluster, node, what, why.
import type { ClusterTarget } from "../plan/policy.ts";
import type { JournalLine, JournalSink } from "../tick/world.ts";
import { harmless, type Paint, type Style } from "./screen.ts";

/** Told again and again: what alerts in Azure are made of, in a terminal they are noise. */
const heartbeats: readonly string[] = ["round.started", "round.ended", "tick.ended", "cluster.state", "node.state", "reboot.state"];
/** Told at the start by whoever read them, and again every round. */
const toldAtTheStart: readonly string[] = ["settings.wrong"];

/** What happened, in a word or two, where the event's own name does not say it as well. */
const words: Readonly<Record<string, string>> = {
	"tick.failed": "not seen",
	"cluster.notLooked": "not seen",
	"cluster.reason": "stands",
	"lease.heldByOther": "leased",
	"lease.lost": "lease lost",
	"owner.other": "other owner",
	"owner.claimFailed": "not claimed",
	"record.unreadable": "unreadable",
	"reboot.deadlinePutOff": "put off",
	"reboot.podTrouble": "pod trouble",
	"act.failed": "not done",
	"pod.blocked": "pod blocks",
	"pod.deleted": "pod deleted",
	"pod.returns": "pod returns",
};
/** Of an end: its own word. */
const ends: Readonly<Record<string, string>> = { done: "rebooted", gaveUp: "gave up", notNeeded: "not needed" };

const levels: Readonly<Record<JournalLine["level"], { readonly mark: string; readonly style: Style | null }>> = {
	debug: { mark: "   ", style: null },
	info: { mark: "   ", style: null },
	warning: { mark: "!  ", style: "yellow" },
	error: { mark: "!! ", style: ["bold", "red"] },
};

/** Columns grow to the longest name that was seen, and no further than this: a longer name pushes its own line alone. */
const widestName = 40;
const narrowest = { cluster: 8, node: 12, what: 11 };
/** With less left for the reasons than this they go on below, not beside. */
const narrowestWhy = 32;
const below = " ".repeat(13);

function text(value: unknown): string {
	return typeof value === "string" ? harmless(value) : "";
}

/** `askedAgain` → `asked again`. */
function spoken(name: string): string {
	return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function whatOf(line: JournalLine): string {
	if (line.event === "reboot.moved") return text(line.to);
	if (line.event === "reboot.ended") return ends[text(line.end)] ?? text(line.end);
	return words[line.event] ?? spoken(line.event.split(".")[1] ?? line.event);
}

/** What the words before it say already, by event, is not said again. */
const saidBefore: Readonly<Record<string, (line: JournalLine) => string>> = {
	"reboot.moved": (line) => `${text(line.from)} → ${text(line.to)}: `,
	"node.waiting": () => "waits for a reboot ",
	"reboot.admitted": () => "is next: ",
	"cluster.reason": () => "nothing is begun: ",
	"cluster.notLooked": () => "the cluster is not looked at: ",
};

function whyOf(line: JournalLine): string {
	const message = harmless(line.message);
	const before = saidBefore[line.event]?.(line) ?? "";
	return message.startsWith(before) ? message.slice(before.length) : message;
}

/** Breaks at spaces alone; a word that is longer than a line stays whole, so that it can be copied. */
export function wrapped(words: string, width: number): readonly string[] {
	const lines: string[] = [];
	for (const word of words.split(" ")) {
		const last = lines.at(-1);
		if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
		else lines.push(word);
	}
	return lines;
}

export interface Layout {
	/** Columns of the terminal; null: lines are never broken. */
	readonly columns: () => number | null;
	readonly paint: Paint;
	/** Known from the beginning, so that their column need not grow. */
	readonly clusters: readonly ClusterTarget[];
}

/** AKS names nodes by pool: `aks-POOL-12345678-vmss000000`, the pool of 12 letters at most. */
const usualAksNode = 30;

/** Lines for people, in columns that stay aligned. */
export class PeopleLines {
	readonly #layout: Layout;
	readonly #widths = { ...narrowest };

	constructor(layout: Layout) {
		this.#layout = layout;
		for (const { name } of layout.clusters) this.#grow("cluster", name);
		if (layout.clusters.some(({ kind }) => kind === "aks")) this.#widths.node = usualAksNode;
	}

	/** `at`: told in UTC, as are all instants in the messages. */
	line(line: JournalLine, at: Date): string {
		const { paint } = this.#layout;
		const { mark, style } = levels[line.level];
		const names = { cluster: text(line.cluster), node: text(line.node), what: whatOf(line) };
		for (const column of ["cluster", "node", "what"] as const) this.#grow(column, names[column]);
		const { cluster, node, what } = this.#widths;
		const time = `${at.toISOString().slice(11, 19)}Z`;
		const styled = (shown: string) => (style === null ? shown : paint(style, shown));
		const whatStyle: Style = style ?? (line.event === "reboot.ended" ? "green" : "bold");
		const head = `${paint("dim", time)} ${styled(mark)}${names.cluster.padEnd(cluster)}  ${names.node.padEnd(node)}  ${paint(whatStyle, names.what.padEnd(what))}  `;
		const headWidth = time.length + 1 + mark.length + cluster + 2 + node + 2 + what + 2;
		const why = whyOf(line);
		const columns = this.#layout.columns();
		if (columns === null) return `${head}${why}`;
		if (columns - headWidth >= narrowestWhy) return `${head}${wrapped(why, columns - headWidth).join(`\n${" ".repeat(headWidth)}`)}`;
		return [head.trimEnd(), ...wrapped(why, Math.max(1, columns - below.length)).map((each) => `${below}${each}`)].join("\n");
	}

	#grow(column: keyof typeof narrowest, name: string): void {
		if (name.length <= widestName) this.#widths[column] = Math.max(this.#widths[column], name.length);
	}
}

/** As Azure gets the lines, and when. */
export function jsonJournal(write: (line: string) => void): JournalSink {
	return { write: (line) => write(JSON.stringify({ at: new Date().toISOString(), ...line })) };
}

/** Told at every look while it lasts, which here is every few seconds: the thing that it is about, and what is told of it. */
const lasting: Readonly<Record<string, (line: JournalLine) => { readonly about: string; readonly told: string }>> = {
	"tick.failed": (line) => ({ about: text(line.cluster), told: text(line.why) }),
	"record.unreadable": (line) => ({ about: `${text(line.cluster)} ${text(line.row)}`, told: text(line.why) }),
	"act.failed": (line) => ({ about: `${text(line.reboot)} ${text(line.act)}`, told: text(line.why) }),
};

/** What lasts is news once, and again when it says something else. */
class News {
	readonly #told = new Map<string, string>();

	has(line: JournalLine): boolean {
		// A look that went through: the next failure is another one.
		if (line.event === "tick.ended") this.#told.delete(`tick.failed ${text(line.cluster)}`);
		const what = lasting[line.event]?.(line);
		if (what === undefined) return true;
		const key = `${line.event} ${what.about}`;
		if (this.#told.get(key) === what.told) return false;
		this.#told.set(key, what.told);
		return true;
	}
}

export function peopleJournal(lines: PeopleLines, write: (line: string) => void): JournalSink {
	const news = new News();
	return {
		write(line) {
			if (news.has(line) && !heartbeats.includes(line.event) && !toldAtTheStart.includes(line.event)) write(lines.line(line, new Date()));
		},
	};
}
