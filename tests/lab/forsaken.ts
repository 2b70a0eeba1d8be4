// A fleet that nobody looks after ends by itself.
const lookEveryMs = 5_000;

/** Calls back once when `requests`, a number that grows with whatever is asked, has stood still for so long. */
export function whenForsaken(requests: () => number, forMs: number, act: () => void): void {
	let seen = requests();
	let since = Date.now();
	const timer = setInterval(() => {
		const now = requests();
		if (now !== seen) {
			seen = now;
			since = Date.now();
		} else if (Date.now() - since >= forMs) {
			clearInterval(timer);
			act();
		}
	}, lookEveryMs);
}
