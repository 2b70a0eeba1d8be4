// The namespace of ours, and the Lease in it that says whose the cluster is.

import type { OwnerSeen } from "../../../lib/plan/model.ts";
import { CallError } from "../../../lib/tick/call-error.ts";

export class OwnerLease {
	#holder: string | null = null;
	/** Somebody has written a name into it by hand. */
	everWritten = false;
	/** The namespace was deleted: nothing can be made in it. */
	namespaceThere = true;

	get holder(): string | null {
		return this.#holder;
	}

	seen(): OwnerSeen {
		return this.#holder === null || this.#holder === "" ? { kind: "absent" } : { kind: "named", holder: this.#holder };
	}

	/** By a person, with kubectl. */
	write(holder: string | null): void {
		this.#holder = holder;
		this.everWritten = true;
	}

	claim(holder: string): void {
		const doing = "claiming Lease aks-reboot-scheduler/owner";
		if (!this.namespaceThere) throw new CallError({ failure: "notFound", doing, answer: "404 NotFound: namespaces not found", status: 404 });
		if (this.#holder !== null && this.#holder !== "" && this.#holder !== holder) {
			throw new CallError({ failure: "conflict", doing, answer: "409 AlreadyExists", status: 409 });
		}
		this.#holder = holder;
	}
}
