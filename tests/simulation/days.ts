// When worlds begin, and the maintenance windows that they live by.

export type Windows = readonly [string, ...string[]];

export const windows: Windows = [
	"always",
	"always",
	"daily 00:00+1h UTC; daily 02:00+90m UTC; daily 04:30+2h UTC; daily 08:00+2h UTC; daily 12:00+2h UTC",
	"daily 00:20-01:10 UTC; daily 01:40-03:00 UTC; daily 03:20-09:00 UTC; daily 10:00-23:00 UTC",
];

/** A Saturday, 00:00 UTC. */
export const someDay = Date.UTC(2026, 10, 28);

/** Nights on which the clocks change: forward, back, and by half an hour only. Windows lie around the change, and after it. */
export const nights = [
	{
		changeAt: Date.UTC(2026, 9, 25, 1),
		windows: [
			"daily 00:30-02:30 Europe/Berlin; daily 03:10+2h Europe/Berlin; daily 06:00-15:00 Europe/Berlin",
			"daily 02:30+1h Europe/Berlin; daily 04:00-20:00 Europe/Berlin",
			"daily 23:00-02:15 Europe/Berlin; daily 02:45-03:15 Europe/Berlin; daily 05:00+9h Europe/Berlin",
		],
	},
	{
		changeAt: Date.UTC(2026, 2, 8, 7),
		windows: [
			"daily 00:30-02:30 America/New_York; daily 03:40+2h America/New_York; daily 06:00-16:00 America/New_York",
			"daily 02:30+1h America/New_York; daily 04:00-20:00 America/New_York",
			"daily 02:15-03:00 America/New_York; daily 23:00+3h America/New_York; daily 03:30-18:00 America/New_York",
		],
	},
	{
		changeAt: Date.UTC(2026, 9, 3, 15, 30),
		windows: ["daily 01:00-02:15 Australia/Lord_Howe; daily 02:45+1h Australia/Lord_Howe; daily 04:30-16:00 Australia/Lord_Howe"],
	},
] as const;
