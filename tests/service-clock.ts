// Preloaded into Azurite: its clock goes as this machine's does, plus what it was told. Leases, deadlines and intervals are judged by the
// service's clock, so a test need not wait for a lease to run out.
const RealDate = globalThis.Date;
let aheadMs = 0;

class ServiceDate extends RealDate {
	constructor(...args: unknown[]) {
		if (args.length === 0) super(ServiceDate.now());
		// @ts-expect-error: whatever Date takes
		else super(...args);
	}

	static override now(): number {
		return RealDate.now() + aheadMs;
	}
}

globalThis.Date = ServiceDate as DateConstructor;

process.on("message", (message: unknown) => {
	if (typeof message !== "number") return;
	aheadMs = message;
	process.send?.(message);
});
// The channel does not keep the process; a test that died leaves nothing behind.
process.channel?.unref();
process.on("disconnect", () => process.exit());
