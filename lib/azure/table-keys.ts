// Keys of Table Storage may hold neither '/', '\', '#', '?' nor control characters ('%' is accepted by some of its front ends only):
// https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
//
// Ours may hold anything, and ranges over them must mean the same in the table. So the escape keeps their order: a forbidden
// character is written as the allowed character just below it and a digit, and that lower character is escaped as well.
// Letters, digits, '-', '_' and ':' stay as they are: keys can be read in any tool.

/** Allowed character → the forbidden one just above it. */
const above: ReadonlyMap<string, string> = new Map([
	['"', "#"],
	["$", "%"],
	[".", "/"],
	[">", "?"],
	["[", "\\"],
]);
const below: ReadonlyMap<string, string> = new Map([...above].map(([low, high]) => [high, low]));

function hex(character: string): string {
	return character.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase();
}

function escapeCharacter(character: string): string {
	const low = below.get(character);
	if (low !== undefined) return `${low}1`;
	if (above.has(character)) return `${character}0`;
	if (character === " ") return " ~";
	if (character === "~") return "~0";
	// Control characters: those below the blank sort below " ~", those above '~' (7F to 9F) above "~0".
	return character < " " ? ` ${hex(character)}` : `~${hex(character)}`;
}

/** The key as the table holds it. Keeps the order of keys by UTF-16 code units. */
export function encodeKey(key: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
	return key.replaceAll(/["#$%./>?[\\ ~\u0000-\u001f\u007f-\u009f]/g, escapeCharacter);
}

function originalOf(sequence: string): string {
	const lead = sequence.charAt(0);
	if (sequence === " ~") return " ";
	if (sequence === "~0") return "~";
	if (lead === " " || lead === "~") return String.fromCharCode(Number.parseInt(sequence.slice(1), 16));
	return sequence.endsWith("1") ? (above.get(lead) ?? lead) : lead;
}

/** The key that was encoded. A row that somebody else put into the table decodes to something; it is nobody's key. */
export function decodeKey(encoded: string): string {
	return encoded.replaceAll(/ ~|~0|[ ~][0-9A-F]{2}|["$.>[][01]/g, originalOf);
}
