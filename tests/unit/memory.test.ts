import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { afterEnd, backOffMs, backOffUntil, blockedPods, onProbation, reconsidered, refreshed } from "../../lib/plan/memory.ts";
import type { Cause } from "../../lib/plan/reasons.ts";
import type { WindowState } from "../../lib/plan/windows.ts";
import {
	budgetObstacle,
	closedWindow,
	defaultPolicy,
	drainingRecord,
	endedAs,
	givenUpMemory,
	hour,
	minute,
	newBoot,
	now,
	oldBoot,
	openWindow,
	rebootedMemory,
	rebootingRecord,
	sentinelThatAsks,
	soakingRecord,
} from "./states.ts";

const drainTimedOut: Cause = { kind: "drainTimedOut", afterMs: 30 * minute, obstacles: [budgetObstacle()], waitedFor: [] };
const endlessly: WindowState = { open: true, openedAt: null, closesAt: null };

test("a cluster that went to another scheduler and came back: nobody took the node's cordon over", () => {
	const after = (cause: Cause) => afterEnd(undefined, endedAs("released", cause), "why").lastEnd?.end;
	assert.equal(after({ kind: "ownerChanged", owner: "two" }), undefined);
	assert.equal(after({ kind: "markRemoved" }), "released");
});

describe("back-off", () => {
	test("is 15 minutes, doubles every time in a row, is up to half as long again, and 6 hours at most", () => {
		const least = [15, 30, 60, 120, 240, 240, 240].map((minutes) => minutes * minute);
		for (const [i, attempts] of [1, 2, 3, 4, 5, 6, 100].entries()) {
			const ms = Array.from({ length: 1_000 }, (_, n) => backOffMs(`aks-np1-12345678-vmss${n.toString(36).padStart(6, "0")}`, attempts, now));
			const [first, last] = [Math.min(...ms), Math.max(...ms)];
			assert.ok(first >= (least[i] ?? 0) && first < 1.01 * (least[i] ?? 0), `${attempts}: ${first}`);
			assert.ok(last <= 1.5 * (least[i] ?? 0) && last > 1.49 * (least[i] ?? 0), `${attempts}: ${last}`);
		}
	});

	test("nodes that gave up at one moment begin minutes apart before long, however much alike their names are, and not every night alike", () => {
		const names = Array.from({ length: 36 }, (_, n) => `aks-np1-12345678-vmss00000${n.toString(36)}`);
		const apartMs = (one: string, other: string, attempts: number, at: number) => Math.abs(backOffMs(one, attempts, at) - backOffMs(other, attempts, at));
		for (const [i, one] of names.entries())
			for (const other of names.slice(i + 1)) {
				const together = Array.from({ length: 30 }, (_, night) => night).filter((night) => {
					const at = now + night * 24 * hour;
					return apartMs(one, other, 1, at) < 2 * minute && apartMs(one, other, 2, at + 45 * minute) < 2 * minute;
				});
				assert.ok(together.length < 15, `${one} and ${other} meet in ${together.length} of 30 nights`);
			}
	});

	test("counts what failed or was vetoed, and never what forbade the reboot: that is itself the reason while it lasts", () => {
		const after = (end: Parameters<typeof endedAs>[0], cause: Cause) => afterEnd(undefined, endedAs(end, cause), "why").lastEnd?.backOffUntil;
		const first = now + backOffMs("node-1", 1, now);
		assert.equal(after("gaveUp", drainTimedOut), first);
		assert.equal(after("gaveUp", { kind: "rebootTimedOut", afterMs: 1, trouble: null }), first);
		assert.equal(after("cancelled", { kind: "uncordonedByOthers", phase: "draining" }), first);
		assert.equal(after("gaveUp", { kind: "windowClosed" }), null);
		assert.equal(after("cancelled", { kind: "forbidden", reason: { kind: "dryRun" } }), null);
		assert.equal(after("notNeeded", { kind: "noLongerAsked" }), null);
		assert.equal(after("released", { kind: "markRemoved" }), null);
	});

	test("goes on doubling for the same boot", () => {
		const again = afterEnd(givenUpMemory(hour, { attempts: 2 }), endedAs("gaveUp", drainTimedOut), "why");
		assert.deepEqual([again.attempts, again.lastEnd?.backOffUntil], [3, now + backOffMs("node-1", 3, now)]);
	});

	test("is forgotten at a new boot id", () => {
		assert.equal(backOffUntil(givenUpMemory(minute), oldBoot, endlessly, now), now + 14 * minute);
		assert.equal(backOffUntil(givenUpMemory(minute), newBoot, endlessly, now), null);
		const rebooted = drainingRecord({ bootId: newBoot });
		assert.equal(afterEnd(givenUpMemory(minute, { attempts: 4 }), endedAs("gaveUp", drainTimedOut, rebooted), "why").attempts, 1);
	});

	test("is forgotten at the next opening of the window, and not in the same one", () => {
		assert.equal(backOffUntil(givenUpMemory(minute), oldBoot, { ...openWindow, openedAt: now - 30_000 }, now), null);
		assert.equal(backOffUntil(givenUpMemory(minute), oldBoot, { ...openWindow, openedAt: now - hour }, now), now + 14 * minute);
		assert.equal(backOffUntil(givenUpMemory(minute), oldBoot, closedWindow, now), now + 14 * minute);
	});

	test("a night of failures does not make the next night's first one wait for hours", () => {
		const [fresh] = reconsidered([givenUpMemory(24 * hour, { attempts: 5 })], () => openWindow);
		assert.equal(fresh?.attempts, 0);
		assert.equal(afterEnd(fresh, endedAs("gaveUp", drainTimedOut), "why").lastEnd?.backOffUntil, now + backOffMs("node-1", 1, now));
		for (const window of [endlessly, closedWindow, null, { ...openWindow, openedAt: now - 48 * hour }])
			assert.equal(reconsidered([givenUpMemory(24 * hour, { attempts: 5 })], () => window)[0]?.attempts, 5);
	});

	test("what the opening of a window forgets is the back-off: the budgets that blocked still have to be tried", () => {
		const blocked = givenUpMemory(24 * hour);
		const lastEnd = blocked.lastEnd === null ? null : { ...blocked.lastEnd, blocked: [budgetObstacle()] };
		const [fresh] = reconsidered([{ ...blocked, lastEnd }], () => openWindow);
		assert.equal(blockedPods(fresh, oldBoot).length, 1);
	});

	test("is over when its time is over", () => {
		assert.equal(backOffUntil(givenUpMemory(15 * minute), oldBoot, endlessly, now), null);
		assert.equal(backOffUntil(undefined, oldBoot, endlessly, now), null);
	});
});

describe("pods that blocked", () => {
	test("are remembered where a budget or a policy kept them, and only there: without that the node would be emptied in vain again and again", () => {
		const others = (["twoBudgets", "refused", "terminating", "throttled", "unknown"] as const).map((kind) => budgetObstacle({ uid: kind, kind }));
		const obstacles = [budgetObstacle(), ...others];
		const memory = afterEnd(undefined, endedAs("gaveUp", { ...drainTimedOut, obstacles } as Cause), "why");
		assert.deepEqual(
			blockedPods(memory, oldBoot).map((each) => each.uid),
			["uid-web-1", "twoBudgets", "refused"],
		);
		assert.deepEqual(blockedPods(memory, newBoot), []);
	});
});

describe("our reboots", () => {
	const ended = endedAs("done", { kind: "soaked" }, soakingRecord());

	test("are remembered with the policy that they were done under, and end the back-off", () => {
		const memory = afterEnd(givenUpMemory(hour, { attempts: 3 }), ended, "why");
		assert.deepEqual(
			[memory.bootId, memory.rebootedAt, memory.rebootIntervalMs, memory.probationMs, memory.attempts, memory.lastEnd],
			[newBoot, now - minute, 20 * hour, 30 * minute, 0, null],
		);
	});

	test("count even where the node was taken over from us afterwards", () => {
		assert.equal(afterEnd(undefined, { ...ended, end: "released", cause: { kind: "markRemoved" } }, "why").rebootedAt, now - minute);
	});

	test("are not claimed where the boot was somebody else's, or did not happen", () => {
		assert.equal(afterEnd(undefined, endedAs("notNeeded", { kind: "bootedByOthers", bootId: newBoot }), "why").rebootedAt, null);
		assert.equal(afterEnd(undefined, endedAs("gaveUp", { kind: "rebootTimedOut", afterMs: 1, trouble: null }, rebootingRecord()), "why").rebootedAt, null);
	});

	test("put a node on probation for as long as the policy said", () => {
		assert.equal(onProbation([rebootedMemory(30 * minute - 1)], now).length, 1);
		assert.equal(onProbation([rebootedMemory(30 * minute)], now).length, 0);
		assert.equal(onProbation([givenUpMemory(minute)], now).length, 0);
	});

	test("keep their interval through what ends without another one", () => {
		const after = afterEnd(rebootedMemory(hour), endedAs("cancelled", { kind: "uncordonedByOthers", phase: "draining" }), "why");
		assert.deepEqual([after.rebootedAt, after.rebootIntervalMs, after.probationMs], [now - hour, 20 * hour, 30 * minute]);
	});

	test("of a node are not those of another node of its name", () => {
		const other = drainingRecord({ node: { name: "node-1", uid: "uid-of-another", pool: "np1" } });
		assert.equal(afterEnd(rebootedMemory(hour), endedAs("gaveUp", drainTimedOut, other), "why").rebootedAt, null);
	});
});

describe("what is kept between looks", () => {
	const uid = () => "uid-node-1";
	const asking = (since: number, bootId = oldBoot) =>
		sentinelThatAsks({ report: { kind: "report", report: { bootId, since, kernelVersion: "6", packages: [] } } });

	test("the earliest time since which a node waits, though its file is touched every day", () => {
		const first = refreshed([], [asking(now - 48 * hour)], uid, now);
		const later = refreshed(first, [asking(now - hour)], uid, now);
		assert.equal(later[0]?.waitingSince, now - 48 * hour);
	});

	test("a new boot waits anew, and our reboot before it is not forgotten", () => {
		const [memory] = refreshed([rebootedMemory(hour, { bootId: oldBoot, waitingSince: now - 48 * hour })], [asking(now - minute, newBoot)], uid, now);
		assert.deepEqual([memory?.bootId, memory?.waitingSince, memory?.rebootedAt, memory?.rebootIntervalMs], [newBoot, now - minute, now - hour, 20 * hour]);
	});

	test("a sentinel that is silent since our reboot does not bring the boot back that was ended", () => {
		const memory = rebootedMemory(minute);
		const uidOf = () => memory.nodeUid;
		assert.deepEqual(refreshed([memory], [sentinelThatAsks({ ready: false })], uidOf, now), [memory]);
		assert.equal(refreshed([memory], [sentinelThatAsks()], uidOf, now)[0]?.bootId, oldBoot);
	});

	test("another node of the same name inherits nothing", () => {
		const [memory] = refreshed([rebootedMemory(hour)], [asking(now - minute)], () => "uid-of-another", now);
		assert.deepEqual([memory?.nodeUid, memory?.rebootedAt, memory?.lastEnd], ["uid-of-another", null, null]);
		const sameBoot = refreshed([givenUpMemory(minute)], [asking(now - minute)], () => "uid-of-another", now);
		assert.equal(sameBoot[0]?.lastEnd, null);
	});

	test("a node whose object was not read keeps what is remembered, and gets its UID when it is", () => {
		const unread = refreshed([], [asking(now - 48 * hour)], () => null, now);
		const [memory] = refreshed(unread, [asking(now - hour)], uid, now);
		assert.deepEqual([memory?.nodeUid, memory?.waitingSince], ["uid-node-1", now - 48 * hour]);
		assert.equal(refreshed([rebootedMemory(hour)], [], () => null, now)[0]?.rebootedAt, now - hour);
	});

	test("what no longer matters is forgotten, and nothing while it is not known who waits", () => {
		const waited = rebootedMemory(0, { rebootedAt: null, waitingSince: now - hour });
		assert.deepEqual(refreshed([waited], [], uid, now), []);
		assert.deepEqual(refreshed([waited], null, uid, now), [waited]);
		assert.deepEqual(refreshed([rebootedMemory(21 * hour)], [], uid, now), []);
		assert.equal(refreshed([rebootedMemory(19 * hour)], [], uid, now).length, 1);
		assert.equal(refreshed([rebootedMemory(21 * hour)], [], uid, now, 48 * hour).length, 1, "REBOOT_INTERVAL was made longer since");
		assert.deepEqual(refreshed([givenUpMemory(25 * hour)], [], uid, now), []);
		assert.equal(refreshed([givenUpMemory(25 * hour)], [asking(now - 48 * hour)], uid, now)[0]?.attempts, 1);
	});

	test("a report that cannot be read changes nothing", () => {
		const garbled = sentinelThatAsks({ report: { kind: "garbled", why: "no JSON" } });
		assert.deepEqual(refreshed([givenUpMemory(minute)], [garbled], uid, now), [givenUpMemory(minute)]);
		assert.equal(defaultPolicy().rebootIntervalMs, 20 * hour);
	});
});
