// Keyed randomness: each draw is a hash of the seed, a label and how often that label was drawn before. Not a stream: a scenario without one
// of its events draws the same everywhere else, so that its trace differs by that event and what follows from it, and shrinking works.

const range = 2 ** 32;

/** FNV-1a over the characters. */
function hashOf(seed: number, label: string): number {
	let hash = 0x811c9dc5 ^ seed;
	for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
	return hash;
}

/** murmur3's finalizer: near labels, and near counts, give far numbers. */
function scattered(labelHash: number, nth: number): number {
	let hash = Math.imul(labelHash ^ nth, 0x9e3779b1);
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return (hash ^ (hash >>> 16)) >>> 0;
}

export class Chance {
	readonly #seed: number;
	readonly #labels = new Map<string, { readonly hash: number; drawn: number }>();

	constructor(seed: number) {
		this.#seed = Math.imul(seed ^ 0x2545f491, 0x9e3779b1);
	}

	/** A number in [0, 1). */
	draw(label: string): number {
		let of = this.#labels.get(label);
		if (of === undefined) {
			of = { hash: hashOf(this.#seed, label), drawn: 0 };
			this.#labels.set(label, of);
		}
		return scattered(of.hash, of.drawn++) / range;
	}

	happens(label: string, probability: number): boolean {
		return probability > 0 && this.draw(label) < probability;
	}

	/** A whole number from `least` to `most`, both included. */
	between(label: string, least: number, most: number): number {
		return least + Math.floor(this.draw(label) * (most - least + 1));
	}

	pick<T>(label: string, items: readonly [T, ...T[]]): T;
	pick<T>(label: string, items: readonly T[]): T | undefined;
	pick<T>(label: string, items: readonly T[]): T | undefined {
		return items[Math.floor(this.draw(label) * items.length)];
	}
}
