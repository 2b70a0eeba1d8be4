// Throttling as the AKS resource provider does it: a bucket of calls per subscription that is filled up again slowly
// (https://learn.microsoft.com/azure/aks/quotas-skus-regions#throttling-limits-on-aks-resource-provider-apis).
import type { ArmCall, ArmTrouble } from "./server.ts";

export interface Throttling {
	/** Calls at once. */
	readonly burst: number;
	readonly perSecond: number;
}

export const aksThrottling: Throttling = { burst: 60, perSecond: 1 };

/** A `trouble` for `startArm`. `now`: milliseconds of a clock that never goes back. */
export function throttledAs({ burst, perSecond }: Throttling, now: () => number = () => performance.now()): (call: ArmCall) => ArmTrouble | undefined {
	const buckets = new Map<string, { left: number; at: number }>();
	return ({ subscriptionId }) => {
		const at = now();
		const before = buckets.get(subscriptionId) ?? { left: burst, at };
		const left = Math.min(burst, before.left + ((at - before.at) / 1000) * perSecond);
		buckets.set(subscriptionId, { left: left >= 1 ? left - 1 : left, at });
		if (left >= 1) return undefined;
		const retryAfterSeconds = Math.ceil((1 - left) / perSecond);
		return { kind: "error", status: 429, code: "TooManyRequests", message: "The request is being throttled.", retryAfterSeconds };
	};
}
