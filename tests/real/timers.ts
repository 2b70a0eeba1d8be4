/** Timers that end together: those of a machine at its power loss, those of a kubelet when it stops. */
export class Timers {
	readonly #handles = new Set<NodeJS.Timeout>();

	/** `never`: not at all. */
	after(ms: number | "never", act: () => void): void {
		if (ms === "never") return;
		const handle = setTimeout(() => {
			this.#handles.delete(handle);
			act();
		}, ms);
		this.#handles.add(handle);
	}

	clear(): void {
		for (const handle of this.#handles) clearTimeout(handle);
		this.#handles.clear();
	}
}
