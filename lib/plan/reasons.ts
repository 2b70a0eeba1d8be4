// Why something does not begin, does not go on, or ended: closed unions with the numbers that make each sentence true.
import type { End, Instant, Obstacle, Phase } from "./model.ts";

/** Why a node that waits is not admitted now. */
export type Reason =
	| { readonly kind: "settingsWrong"; readonly problems: number; readonly first: string }
	| { readonly kind: "dryRun" }
	/** Nothing but the dry run stands in its way. */
	| { readonly kind: "wouldBegin" }
	| { readonly kind: "removed" }
	| { readonly kind: "sameCluster"; readonly other: string }
	| { readonly kind: "held"; readonly by: string; readonly reason: string }
	| { readonly kind: "noWindow" }
	| { readonly kind: "windowClosed"; readonly opensAt: Instant | null }
	| { readonly kind: "windowTooShort"; readonly leftMs: number; readonly neededMs: number }
	| { readonly kind: "clusterFull"; readonly limit: number; readonly nodes: readonly string[] }
	| { readonly kind: "poolFull"; readonly pool: string; readonly limit: number; readonly nodes: readonly string[] }
	| { readonly kind: "poolSizeUnknown"; readonly why: string }
	| { readonly kind: "behind"; readonly place: number; readonly first: string }
	| { readonly kind: "backingOff"; readonly until: Instant; readonly end: End; readonly why: string; readonly attempts: number }
	| { readonly kind: "stillBlocked"; readonly obstacles: readonly Obstacle[] }
	| { readonly kind: "rebootedRecently"; readonly at: Instant; readonly until: Instant }
	| { readonly kind: "probation"; readonly node: string; readonly what: "notReady" | "silent" | "unknown"; readonly until: Instant }
	/** A reboot in flight that needs a person: rather one node lost than two. */
	| { readonly kind: "stuck"; readonly node: string }
	| { readonly kind: "notOwner"; readonly owner: string; readonly us: string }
	| { readonly kind: "ownerUnknown"; readonly why: string }
	| { readonly kind: "claiming" }
	| { readonly kind: "notClaimable"; readonly why: string }
	| { readonly kind: "next" }
	| { readonly kind: "clusterUnknown"; readonly why: string }
	| { readonly kind: "sentinelAbsent" }
	| { readonly kind: "sentinelUnknown"; readonly why: string }
	| { readonly kind: "waitingUnknown"; readonly why: string }
	| { readonly kind: "clusterState"; readonly state: string }
	| { readonly kind: "clusterStateUnknown"; readonly why: string }
	| { readonly kind: "poolState"; readonly pool: string; readonly state: string }
	| { readonly kind: "poolScopeUnmatched"; readonly scope: string }
	| { readonly kind: "nodeUnknown"; readonly why: string }
	| { readonly kind: "nodeGone" }
	| { readonly kind: "nodeNotReady" }
	| { readonly kind: "nodeLeaving"; readonly why: string }
	| { readonly kind: "nodeMarked"; readonly record: string }
	| { readonly kind: "takenOver"; readonly at: Instant }
	| { readonly kind: "virtualNode" }
	| { readonly kind: "reportStale"; readonly reported: string; readonly running: string }
	| { readonly kind: "reportUnreadable"; readonly why: string }
	| { readonly kind: "rebootPodRefused"; readonly why: string }
	| { readonly kind: "rebootPodUnknown"; readonly why: string }
	/** Who asked for it by hand took that back. */
	| { readonly kind: "requestWithdrawn" };

export type ReasonKind = Reason["kind"];

/** Why nothing is left to do for a request. */
export type RequestOver =
	| { readonly kind: "rebootEnded"; readonly end: End; readonly cause: Cause; readonly foundCordoned: boolean }
	| { readonly kind: "bootedSince"; readonly bootId: string }
	| { readonly kind: "nodeGone" }
	| { readonly kind: "expired" };

/** Why a reboot moved from one phase to another, or ended. */
export type Cause =
	| { readonly kind: "cordoned" }
	| { readonly kind: "drained"; readonly tookMs: number }
	| { readonly kind: "askedAgain" }
	| { readonly kind: "booted"; readonly tookMs: number; readonly kernelBefore: string; readonly kernelAfter: string }
	| { readonly kind: "rejoined"; readonly tookMs: number }
	| { readonly kind: "rejoinedIncomplete"; readonly missing: readonly string[] }
	| { readonly kind: "uncordoned" }
	| { readonly kind: "leftCordoned" }
	| { readonly kind: "soaked" }
	| { readonly kind: "cordonTimedOut"; readonly trouble: string | null }
	| { readonly kind: "drainTimedOut"; readonly afterMs: number; readonly obstacles: readonly Obstacle[]; readonly waitedFor: readonly Reason[] }
	| { readonly kind: "rebootTimedOut"; readonly afterMs: number; readonly trouble: string | null }
	| { readonly kind: "neverCameBack"; readonly afterMs: number }
	| { readonly kind: "cameBack"; readonly sameBoot: boolean }
	| { readonly kind: "windowClosed" }
	| { readonly kind: "bootedByOthers"; readonly bootId: string }
	| { readonly kind: "noLongerAsked" }
	| { readonly kind: "forbidden"; readonly reason: Reason }
	| { readonly kind: "uncordonedByOthers"; readonly phase: Phase }
	| { readonly kind: "markRemoved" }
	| { readonly kind: "handedOver"; readonly managers: readonly string[] }
	| { readonly kind: "ownerChanged"; readonly owner: string }
	| { readonly kind: "nodeGone" }
	| { readonly kind: "nodeReplaced"; readonly uid: string }
	| { readonly kind: "markCopied" }
	| { readonly kind: "markGarbled" };
