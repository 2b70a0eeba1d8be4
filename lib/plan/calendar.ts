// The names of days and months, as people write and read them.

/** From Sunday on, as `Date` and NCRONTAB count them. */
export const dayNames: readonly string[] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
export const monthNames: readonly string[] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** The place of a name in one of these lists, in any case; -1 where it is none of them. */
export function placeOfName(names: readonly string[], name: string): number {
	return names.findIndex((each) => each.toLowerCase() === name.toLowerCase());
}
