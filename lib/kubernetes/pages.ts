// Lists in pages, each reduced at once, so that memory grows with what is kept and not with what was sent.
import { CallError } from "../tick/call-error.ts";
import { pageSize } from "../tick/world.ts";
import { GarbledAnswer, ofKind } from "./errors.ts";
import type { Apis, Session } from "./session.ts";

/** 200,000 objects: more than any cluster has; a server that never ends its list must not hold us for ever. */
const pagesMax = 2000;

export interface PageParameters {
	readonly limit: number;
	readonly _continue?: string;
}

interface Page<Item> {
	readonly kind?: string | undefined;
	readonly metadata?: { readonly _continue?: string | undefined } | undefined;
	readonly items?: readonly Item[] | null | undefined;
}

export interface ListCall<Item, Kept> {
	readonly doing: string;
	/** The kinds of list that are taken for an answer. */
	readonly kinds: readonly string[];
	readonly fetchPage: (apis: Apis, page: PageParameters) => Promise<Page<Item>>;
	/** What is kept of an item; undefined keeps nothing. */
	readonly reduce: (item: Item) => Kept | undefined;
}

/** Reads all pages. A continue token that grew too old starts the list over, once. */
export async function listPages<Item, Kept>(session: Session, call: ListCall<Item, Kept>): Promise<readonly Kept[]> {
	try {
		return await readAll(session, call);
	} catch (error) {
		// What was read before is of another moment: a list begins anew or not at all.
		if (error instanceof CallError && error.failure === "expired") return readAll(session, call);
		throw error;
	}
}

async function readAll<Item, Kept>(session: Session, call: ListCall<Item, Kept>): Promise<readonly Kept[]> {
	const kept: Kept[] = [];
	let next: string | undefined;
	for (let page = 0; page < pagesMax; page++) {
		next = await session.read(call.doing, async (apis) => {
			const answer = ofKind(await call.fetchPage(apis, { limit: pageSize, ...(next === undefined ? {} : { _continue: next }) }), ...call.kinds);
			keep(answer, call.reduce, kept);
			return answer.metadata?._continue || undefined;
		});
		if (next === undefined) return kept;
	}
	throw new CallError({ failure: "garbled", doing: call.doing, answer: `the list did not end within ${pagesMax} pages` });
}

function keep<Item, Kept>(page: Page<Item>, reduce: (item: Item) => Kept | undefined, kept: Kept[]): void {
	// An empty list is `[]`, or null for a list of metadata alone; none at all is not an answer.
	if (page.items === null && page.kind === "PartialObjectMetadataList") return;
	if (!Array.isArray(page.items)) throw new GarbledAnswer("a list with items");
	const reduced = page.items.map(reduce).filter((each) => each !== undefined);
	kept.push(...reduced);
}
